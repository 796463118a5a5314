//! The bar while something is recorded.

use std::time::{Duration, Instant};

use foxglove_bridge::internals::counted;
use foxglove_bridge::time::duration_text;

use super::file::File;
use crate::cli::figures;
use crate::cli::logging::LogOutput;
use crate::cli::progress::{Part, Throughput, columns, fitted};

/// What is known of where messages come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct State {
    /// Whether more can come at the moment.
    pub(super) connected: bool,
    /// Gaps, and whatever else is known to be missing.
    pub(super) missing: u64,
}

/// Messages, bytes and what is missing; log lines appear above it. Cleared on drop.
#[derive(Debug)]
pub(super) struct RecordBar {
    log: LogOutput,
    bytes: Throughput,
}

impl RecordBar {
    /// For stderr that is a terminal.
    pub(super) fn new(log: &LogOutput) -> Self {
        Self { log: log.clone(), bytes: Throughput::default() }
    }

    /// Shows the figures of a moment.
    pub(super) fn update(&mut self, state: State, file: &File, elapsed: Duration) {
        let rate = self.bytes.measure(file.bytes, Instant::now());
        let parts = parts(state, elapsed, file.messages, file.bytes, rate);
        self.log.set_bar(Some(fitted(parts, None, columns())));
    }
}

impl Drop for RecordBar {
    fn drop(&mut self) {
        self.log.set_bar(None);
    }
}

fn parts(state: State, elapsed: Duration, messages: u64, bytes: u64, rate: f64) -> Vec<Part> {
    let activity = if state.connected { "recording" } else { "connecting again" };
    let mut parts = vec![
        Part::left(9, activity.to_owned()),
        Part::left(8, duration_text(elapsed)),
        Part::left(6, counted(messages, "message")),
        Part::left(4, figures::bytes(bytes)),
        Part::left(5, format!("{:.1} MB/s", rate / 1e6)),
    ];
    if state.missing > 0 {
        parts.push(Part::left(7, format!("{} missing", counted(state.missing, "part"))));
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(state: State, columns: usize) -> String {
        fitted(parts(state, Duration::from_millis(61_500), 867, 4_200_000, 1_230_000.0), None, columns)
    }

    #[test]
    fn the_bar_tells_time_messages_bytes_and_what_is_missing() {
        let fine = State { connected: true, missing: 0 };
        assert_eq!(shown(fine, 80), "recording  1:02  867 messages  4.2 MB  1.2 MB/s");
        let gap = State { connected: false, missing: 2 };
        assert_eq!(shown(gap, 80), "connecting again  1:02  867 messages  4.2 MB  1.2 MB/s  2 parts missing");
        assert_eq!(shown(gap, 40), "connecting again  1:02  2 parts missing");
    }
}
