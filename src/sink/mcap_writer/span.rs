//! How much of a recording a file has.

use std::time::Duration;

use crate::time::Timestamp;

/// Log times that go back by more are those of a lap or a restart; by less, those of messages in another order.
const DISORDER: Duration = Duration::from_secs(1);

/// Adds up by how much log times go on. Where they go back, as at a lap, the sum stays.
#[derive(Debug, Default)]
pub(super) struct Span {
    limit: Option<Duration>,
    newest: Option<Timestamp>,
    elapsed: Duration,
}

impl Span {
    /// One that is full after `limit`, if it ever is.
    pub(super) fn new(limit: Option<Duration>) -> Self {
        Self { limit, ..Self::default() }
    }

    /// Whether a message of this log time belongs to the next file; if so, that begins with it.
    pub(super) fn ends_before(&mut self, time: Timestamp) -> bool {
        let Some(limit) = self.limit else { return false };
        let newest = self.newest.unwrap_or(time);
        if time >= newest || newest.since(time) > DISORDER {
            self.newest = Some(time);
        }
        self.elapsed = self.elapsed.saturating_add(time.since(newest));
        let is_full = self.elapsed >= limit;
        if is_full {
            self.elapsed = Duration::ZERO;
        }
        is_full
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Which of these seconds begin a file.
    fn beginnings(limit: u64, seconds: &[f64]) -> Vec<usize> {
        let mut span = Span::new(Some(Duration::from_secs(limit)));
        let ends = |second: &f64| {
            span.ends_before(Timestamp::default().saturating_add(Duration::from_secs_f64(*second)))
        };
        seconds.iter().map(ends).enumerate().filter_map(|(index, ends)| ends.then_some(index)).collect()
    }

    #[test]
    fn a_file_has_no_more_than_its_duration() {
        assert_eq!(beginnings(10, &[5.0, 14.9, 15.0, 24.0, 25.0, 100.0, 109.0]), [2, 4, 5]);
        assert!(!Span::default().ends_before(Timestamp(u64::MAX)));
    }

    #[test]
    fn laps_add_up() {
        // three laps of 8 s: 8, and 2 of the second one; 6 of it and 4 of the third one
        assert_eq!(beginnings(10, &[0.0, 4.0, 8.0, 0.0, 2.0, 8.0, 0.0, 3.9, 4.0, 8.0]), [4, 8]);
    }

    #[test]
    fn messages_in_another_order_are_counted_once() {
        assert_eq!(beginnings(2, &[0.0, 1.0, 0.5, 1.0, 0.5, 1.5, 1.0, 1.9, 2.0]), [8]);
    }
}
