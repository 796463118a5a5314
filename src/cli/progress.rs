//! The bars on stderr: one while playing, one while a damaged file is scanned.

use std::collections::VecDeque;
use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use crate::cli::logging::LogOutput;
use foxglove_bridge::hub::stats::{Activity, Snapshot};
use foxglove_bridge::source::summary::ScanProgress;
use foxglove_bridge::time::Timestamp;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How often [`PlayBar::update`] is worth calling.
pub(crate) const REFRESH: Duration = Duration::from_millis(100);
/// The data rate shown is the mean of this time: short enough to follow, long enough to read.
const RATE_WINDOW: Duration = Duration::from_secs(1);
/// A scan that is over sooner shows nothing.
const PATIENCE: Duration = Duration::from_millis(300);

/// Whether bars can be shown at all.
pub(crate) fn on_terminal() -> bool {
    io::stderr().is_terminal()
}

/// Time, speed, clients and data rates while playing; log lines appear above it. Cleared on drop.
#[derive(Debug)]
pub(crate) struct PlayBar {
    bar: ProgressBar,
    log: LogOutput,
    throughput: Throughput,
}

impl PlayBar {
    /// Draws a bar on stderr, which must be a terminal.
    pub(crate) fn start(log: &LogOutput) -> Self {
        let bar = ProgressBar::with_draw_target(Some(1), ProgressDrawTarget::stderr());
        bar.set_style(style("{prefix} {wide_bar} {msg}"));
        let drawn = bar.clone();
        log.step_aside_with(move |write| drawn.suspend(write));
        Self { bar, log: log.clone(), throughput: Throughput::default() }
    }

    /// Shows the figures of a moment.
    pub(crate) fn update(&mut self, snapshot: &Snapshot, now: Instant) {
        let bytes_per_second = self.throughput.measure(snapshot.bytes_sent, now);
        let (done, total) = played(snapshot);
        self.bar.set_length(total.max(1));
        self.bar.set_position(done);
        self.bar.set_prefix(left(snapshot));
        self.bar.set_message(right(snapshot, bytes_per_second));
    }
}

impl Drop for PlayBar {
    fn drop(&mut self) {
        self.log.stop_stepping_aside();
        self.bar.finish_and_clear();
    }
}

/// How much of a file has been scanned; appears only if that takes a while. Cleared on drop.
#[derive(Debug)]
pub(crate) struct ScanBar {
    bar: Option<ProgressBar>,
    name: String,
    log: LogOutput,
    started: Instant,
}

impl ScanBar {
    /// Starts to count the time; `name` is the file's.
    pub(crate) fn new(name: &str, log: &LogOutput) -> Self {
        Self { bar: None, name: name.to_owned(), log: log.clone(), started: Instant::now() }
    }

    /// Shows how far the scan has come, if it has taken long enough and stderr is a terminal.
    pub(crate) fn update(&mut self, progress: ScanProgress) {
        if self.bar.is_none() && self.started.elapsed() >= PATIENCE && on_terminal() {
            let bar = ProgressBar::with_draw_target(Some(progress.total), ProgressDrawTarget::stderr());
            bar.set_style(style("scanning {prefix} {wide_bar} {binary_bytes} of {binary_total_bytes}"));
            bar.set_prefix(self.name.clone());
            let drawn = bar.clone();
            self.log.step_aside_with(move |write| drawn.suspend(write));
            self.bar = Some(bar);
        }
        if let Some(bar) = &self.bar {
            bar.set_length(progress.total);
            bar.set_position(progress.done);
        }
    }
}

impl Drop for ScanBar {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            self.log.stop_stepping_aside();
            bar.finish_and_clear();
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    style.progress_chars("━╸─")
}

/// Bytes a second over the last [`RATE_WINDOW`].
#[derive(Debug, Default)]
struct Throughput {
    samples: VecDeque<(Instant, u64)>,
}

impl Throughput {
    fn measure(&mut self, bytes: u64, now: Instant) -> f64 {
        self.samples.push_back((now, bytes));
        while self.samples.len() > 2 && now.duration_since(self.samples[1].0) >= RATE_WINDOW {
            self.samples.pop_front();
        }
        let (then, before) = self.samples[0];
        let seconds = now.duration_since(then).as_secs_f64();
        if seconds > 0.0 { bytes.saturating_sub(before) as f64 / seconds } else { 0.0 }
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

fn left(snapshot: &Snapshot) -> String {
    let activity = match snapshot.activity {
        Activity::Waiting => "waiting for a viewer",
        Activity::Playing => "playing",
        Activity::Paused => "paused",
        Activity::Ended => "ended",
    };
    let clock = snapshot.position.map(|position| format!("  {}", clock(position))).unwrap_or_default();
    match snapshot.speed {
        Some(speed) if speed.is_finite() => format!("{activity}  {speed}x{clock}"),
        Some(_) => format!("{activity}  max{clock}"),
        None if snapshot.activity == Activity::Ended => format!("input ended{clock}"),
        None => format!("live{clock}"),
    }
}

fn right(snapshot: &Snapshot, bytes_per_second: f64) -> String {
    let (done, total) = played(snapshot);
    let (done, total) = (Duration::from_nanos(done), Duration::from_nanos(total));
    let looping = if snapshot.looping { "  loop" } else { "" };
    let clients = if snapshot.clients == 1 { "client" } else { "clients" };
    let progress = match (snapshot.speed, snapshot.range) {
        (None, _) => format!("{} messages in  ", snapshot.messages_received),
        (_, Some(_)) => format!("{} of {}{looping}  ", span(done), span(total)),
        (_, None) => String::new(),
    };
    let mut line = format!("{progress}{} {clients}  {:.1} MB/s", snapshot.clients, bytes_per_second / 1e6);
    if snapshot.messages_dropped > 0 {
        line.push_str(&format!("  {} dropped", snapshot.messages_dropped));
    }
    if snapshot.bytes_recorded > 0 {
        line.push_str(&format!("  rec {:.1} MB", snapshot.bytes_recorded as f64 / 1e6));
    }
    line
}

/// The time of day in UTC; for clocks that count from zero, seconds.
fn clock(time: Timestamp) -> String {
    let text = time.to_string();
    match text.split_once('T') {
        Some((_, clock)) => clock.chars().take("00:00:00.0".len()).collect(),
        None => format!("{:.1} s", Duration::from_nanos(time.nanos()).as_secs_f64()),
    }
}

/// A length of time: `7.3 s`, `2:05`, `1:02:05`.
pub(crate) fn span(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..60 => format!("{}.{} s", seconds, duration.subsec_millis() / 100),
        60..3600 => format!("{}:{:02}", seconds / 60, seconds % 60),
        _ => format!("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60),
    }
}

#[cfg(test)]
mod tests {
    use foxglove_bridge::time::TimeRange;

    use super::*;

    const START: u64 = 1_767_261_600_000_000_000;

    fn snapshot() -> Snapshot {
        Snapshot {
            activity: Activity::Playing,
            position: Some(Timestamp(START + 7_340_000_000)),
            range: Some(TimeRange { start: Timestamp(START), end: Timestamp(START + 125_000_000_000) }),
            speed: Some(0.5),
            clients: 2,
            ..Snapshot::default()
        }
    }

    #[test]
    fn the_bar_tells_time_speed_clients_and_rates() {
        assert_eq!(left(&snapshot()), "playing  0.5x  10:00:07.3");
        assert_eq!(right(&snapshot(), 12_340_000.0), "7.3 s of 2:05  2 clients  12.3 MB/s");
        let worse = Snapshot { looping: true, clients: 1, messages_dropped: 17, ..snapshot() };
        assert_eq!(right(&worse, 0.0), "7.3 s of 2:05  loop  1 client  0.0 MB/s  17 dropped");
        let recorded = Snapshot { bytes_recorded: 12_340_000, ..snapshot() };
        assert_eq!(right(&recorded, 0.0), "7.3 s of 2:05  2 clients  0.0 MB/s  rec 12.3 MB");
    }

    #[test]
    fn clocks_that_count_from_zero_are_shown_in_seconds() {
        let simulated = Snapshot { position: Some(Timestamp(8_297_777_777)), ..snapshot() };
        assert_eq!(left(&simulated), "playing  0.5x  8.3 s");
        let waiting = Snapshot { speed: Some(f64::INFINITY), ..Snapshot::default() };
        assert_eq!(left(&waiting), "waiting for a viewer  max");
    }

    #[test]
    fn the_position_stays_within_the_range() {
        assert_eq!(played(&snapshot()), (7_340_000_000, 125_000_000_000));
        let beyond = Snapshot { position: Some(Timestamp::MAX), ..snapshot() };
        assert_eq!(played(&beyond), (125_000_000_000, 125_000_000_000));
        assert_eq!(played(&Snapshot::default()), (0, 0));
    }

    #[test]
    fn the_data_rate_is_the_mean_of_the_last_second() {
        let start = Instant::now();
        let mut throughput = Throughput::default();
        assert_eq!(throughput.measure(0, start), 0.0);
        let mut rate = 0.0;
        for tenth in 1..=50u64 {
            // 1000 B/s for two seconds, then 3000 B/s
            let bytes = if tenth <= 20 { tenth * 100 } else { 2000 + (tenth - 20) * 300 };
            rate = throughput.measure(bytes, start + Duration::from_millis(tenth * 100));
        }
        assert!((rate - 3000.0).abs() < 1.0, "{rate}");
        assert!(throughput.samples.len() <= 12);
    }

    #[test]
    fn live_input_has_no_length() {
        let live = Snapshot { messages_received: 7, clients: 1, ..Snapshot::default() };
        assert_eq!(
            (left(&live).as_str(), right(&live, 0.0).as_str()),
            ("live", "7 messages in  1 client  0.0 MB/s")
        );
        let ended = Snapshot { activity: Activity::Ended, position: Some(Timestamp(START)), ..live };
        assert_eq!(left(&ended), "input ended  10:00:00.0");
        let stream = Snapshot { speed: Some(2.0), activity: Activity::Playing, range: None, ..ended };
        assert_eq!(left(&stream), "playing  2x  10:00:00.0");
        assert_eq!(right(&stream, 0.0), "1 client  0.0 MB/s");
    }

    #[test]
    fn lengths_of_time_are_short() {
        assert_eq!(span(Duration::from_millis(7_340)), "7.3 s");
        assert_eq!(span(Duration::from_secs(125)), "2:05");
        assert_eq!(span(Duration::from_secs(3_725)), "1:02:05");
    }
}
