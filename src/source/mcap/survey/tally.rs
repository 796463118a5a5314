//! Counts of a channel's messages.

use crate::time::{TimeRange, Timestamp};

/// Messages of one channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) count: u64,
    /// Of payloads.
    pub(super) bytes: u64,
    /// Times; with no message the first is later than the last.
    pub(super) first: u64,
    pub(super) last: u64,
    /// The longest time without a message, as they lie in the file.
    gap: (u64, u64),
}

impl Tally {
    pub(super) const NONE: Self = Self { count: 0, bytes: 0, first: u64::MAX, last: 0, gap: (0, 0) };

    /// A message of so many bytes.
    pub(super) fn message(bytes: u64, time: u64) -> Self {
        Self { count: 1, bytes, first: time, last: time, gap: (time, time) }
    }

    /// First and last time; None without messages.
    pub(super) fn span(&self) -> Option<(u64, u64)> {
        (self.count > 0).then_some((self.first, self.last))
    }

    /// The longest time between two messages; None if all have one time.
    pub(super) fn gap(&self) -> Option<TimeRange> {
        let (start, end) = self.gap;
        (start < end).then_some(TimeRange { start: Timestamp(start), end: Timestamp(end) })
    }

    /// Adds what comes after it in the file.
    pub(super) fn add(&mut self, other: Self) {
        let between =
            if self.count > 0 && self.last < other.first { (self.last, other.first) } else { (0, 0) };
        let length = |gap: (u64, u64)| gap.1 - gap.0;
        for gap in [between, other.gap] {
            if length(gap) > length(self.gap) {
                self.gap = gap;
            }
        }
        self.count += other.count;
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_found_within_parts_and_between_them() {
        let of = |times: &[u64]| {
            let mut tally = Tally::NONE;
            times.iter().for_each(|time| tally.add(Tally::message(1, *time)));
            tally
        };
        let range = |start, end| Some(TimeRange { start: Timestamp(start), end: Timestamp(end) });
        assert_eq!((of(&[]).gap(), of(&[5]).gap(), of(&[5, 5]).gap()), (None, None, None));
        assert_eq!(of(&[1, 3, 9, 10]).gap(), range(3, 9));
        // one that goes back
        assert_eq!(of(&[1, 3, 2, 5]).gap(), range(1, 3));
        let mut both = of(&[1, 3]);
        both.add(of(&[20, 29]));
        assert_eq!((both.gap(), both.count), (range(3, 20), 4));
        let mut first = Tally::NONE;
        first.add(of(&[1, 3]));
        assert_eq!(first.gap(), range(1, 3));
    }
}
