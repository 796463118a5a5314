//! What the user hears of lines: counts, and bad lines at a bearable pace.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::line::BadLine;

/// Between two reports of bad lines of one input.
const PAUSE: Duration = Duration::from_secs(1);

/// What has been read of one input so far.
#[derive(Debug, Default)]
pub struct InputCounts {
    /// All lines, also blank ones and comments.
    pub lines: AtomicU64,
    /// Messages that were passed on.
    pub messages: AtomicU64,
    /// Lines that could not be used.
    pub bad: AtomicU64,
}

/// Counts lines, and reports those that are bad.
#[derive(Debug)]
pub(super) struct Notes {
    name: String,
    pub(super) counts: Arc<InputCounts>,
    reported: Option<Instant>,
    unreported: u64,
}

impl Notes {
    pub(super) fn new(name: String) -> Self {
        Self { name, counts: Arc::default(), reported: None, unreported: 0 }
    }

    /// Counts a line; the number of this one, from 1.
    pub(super) fn line(&self) -> u64 {
        self.counts.lines.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(super) fn message(&self) {
        self.counts.messages.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a bad line, without a word.
    pub(super) fn count_bad(&self) {
        self.counts.bad.fetch_add(1, Ordering::Relaxed);
    }

    /// Reports a bad line, unless one was reported a moment ago.
    pub(super) fn report(&mut self, line: u64, bad: &BadLine, now: Instant) {
        let Some(unreported) = self.due(now) else { return };
        let more = match unreported {
            0 => String::new(),
            1 => "; so was 1 before".to_owned(),
            count => format!("; so were {count} before"),
        };
        let (name, column, reason) = (&self.name, bad.column, &bad.reason);
        tracing::warn!("{name}: line {line}, column {column}: {reason}; the line is skipped{more}");
    }

    /// How many went unreported before, if the pause since the last report is over.
    fn due(&mut self, now: Instant) -> Option<u64> {
        if self.reported.is_some_and(|last| now.duration_since(last) < PAUSE) {
            self.unreported += 1;
            return None;
        }
        self.reported = Some(now);
        Some(std::mem::take(&mut self.unreported))
    }

    /// Sums up at the end of the input.
    pub(super) fn end(&self) {
        let [lines, messages, bad] = [&self.counts.lines, &self.counts.messages, &self.counts.bad]
            .map(|count| count.load(Ordering::Relaxed));
        let name = &self.name;
        if bad > 0 {
            tracing::info!("{name}: end of input: {lines} lines, {messages} messages, {bad} bad lines");
        } else {
            tracing::debug!("{name}: end of input: {lines} lines, {messages} messages");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_lines_are_reported_once_a_second_with_the_number_of_those_before() {
        let mut notes = Notes::new("stdin".into());
        let start = Instant::now();
        let due: Vec<_> =
            [0, 1, 999, 1000, 1001, 5000, 9000].map(|ms| notes.due(start + Duration::from_millis(ms))).into();
        assert_eq!(due, [Some(0), None, None, Some(2), None, Some(1), Some(0)]);
    }
}
