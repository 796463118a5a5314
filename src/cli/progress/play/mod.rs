//! The bar while something is played or comes in.

use std::time::{Duration, Instant};

use super::{Part, Share, Throughput, columns, fitted};
use crate::cli::figures::bytes;
use crate::cli::logging::LogOutput;
use foxglove_bridge::hub::stats::{Activity, Snapshot};
use foxglove_bridge::time::{Timestamp, duration_text};

#[cfg(test)]
mod tests;

/// The position has a date in recordings that are longer.
const DAY: Duration = Duration::from_secs(24 * 3600);

/// Time, speed, clients and data rates while playing; log lines appear above it. Cleared on drop.
#[derive(Debug)]
pub(crate) struct PlayBar {
    log: LogOutput,
    bytes: Throughput,
    messages: Throughput,
}

impl PlayBar {
    /// For stderr that is a terminal.
    pub(crate) fn new(log: &LogOutput) -> Self {
        Self { log: log.clone(), bytes: Throughput::default(), messages: Throughput::default() }
    }

    /// Shows the figures of a moment.
    pub(crate) fn update(&mut self, snapshot: &Snapshot, now: Instant) {
        let bytes_per_second = self.bytes.measure(snapshot.bytes_sent, now);
        let messages_per_second = self.messages.measure(snapshot.messages_received, now);
        let parts = parts(snapshot, bytes_per_second, messages_per_second);
        self.log.set_bar(Some(fitted(parts, progress(snapshot), columns())));
    }
}

impl Drop for PlayBar {
    fn drop(&mut self) {
        self.log.set_bar(None);
    }
}

/// Nanoseconds played, and in all.
fn played(snapshot: &Snapshot) -> (u64, u64) {
    match (snapshot.position, snapshot.range) {
        (Some(position), Some(range)) => {
            (range.clamp(position).nanos() - range.start.nanos(), range.end.nanos() - range.start.nanos())
        }
        _ => (0, 0),
    }
}

/// How much has been played; None for what has no length.
fn progress(snapshot: &Snapshot) -> Option<Share> {
    snapshot.speed.and(snapshot.range)?;
    let (done, total) = played(snapshot);
    // what takes no time is always at its end
    Some(if total == 0 { Share { done: 1, total: 1 } } else { Share { done, total } })
}

fn parts(snapshot: &Snapshot, bytes_per_second: f64, messages_per_second: f64) -> Vec<Part> {
    let activity = match (snapshot.speed, snapshot.activity) {
        (None, Activity::Ended) => "input ended",
        (None, _) => "live",
        (Some(_), Activity::Waiting) => "waiting for a viewer",
        (Some(_), Activity::Playing) => "playing",
        (Some(_), Activity::Paused) => "paused",
        (Some(_), Activity::Ended) => "ended",
    };
    let (done, total) = played(snapshot);
    let (done, total) = (Duration::from_nanos(done), Duration::from_nanos(total));
    let mut parts = vec![Part::left(9, activity.to_owned())];
    parts.extend(
        snapshot.speed.map(|speed| {
            Part::left(6, if speed.is_finite() { format!("{speed}x") } else { "max".to_owned() })
        }),
    );
    parts.extend(snapshot.position.map(|position| Part::left(4, clock(position, total > DAY))));
    match (snapshot.speed, snapshot.range) {
        (None, _) => {
            parts.push(Part::right(3, format!("{} messages in", snapshot.messages_received)));
            parts.push(Part::right(8, format!("{messages_per_second:.0} messages/s")));
        }
        (Some(_), Some(_)) => {
            parts.push(Part::right(8, format!("{} of {}", duration_text(done), duration_text(total))))
        }
        (Some(_), None) => {}
    }
    if snapshot.looping {
        parts.push(Part::right(3, "loop".to_owned()));
    }
    let clients = if snapshot.clients == 1 { "client" } else { "clients" };
    parts.push(Part::right(5, format!("{} {clients}", snapshot.clients)));
    parts.push(Part::right(2, format!("{:.1} MB/s", bytes_per_second / 1e6)));
    if snapshot.messages_dropped > 0 {
        parts.push(Part::right(7, format!("{} dropped", snapshot.messages_dropped)));
    }
    if snapshot.bytes_recorded > 0 {
        parts.push(Part::right(3, format!("rec {}", bytes(snapshot.bytes_recorded))));
    }
    parts
}

/// The time of day in UTC, after the date if that is asked for; for clocks that count from zero, seconds.
fn clock(time: Timestamp, with_date: bool) -> String {
    let text = time.to_string();
    match text.split_once('T') {
        Some((date, clock)) => {
            let clock: String = clock.chars().take("00:00:00.0".len()).collect();
            if with_date { format!("{date} {clock}") } else { clock }
        }
        None => format!("{:.1} s", Duration::from_nanos(time.nanos()).as_secs_f64()),
    }
}
