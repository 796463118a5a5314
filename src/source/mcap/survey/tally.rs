//! Counts of a channel's messages.

/// Messages of one channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) count: u64,
    /// Of payloads.
    pub(super) bytes: u64,
    /// Times; with no message the first is later than the last.
    pub(super) first: u64,
    pub(super) last: u64,
}

impl Tally {
    pub(super) const NONE: Self = Self { count: 0, bytes: 0, first: u64::MAX, last: 0 };

    /// First and last time; None without messages.
    pub(super) fn span(&self) -> Option<(u64, u64)> {
        (self.count > 0).then_some((self.first, self.last))
    }

    pub(super) fn add(&mut self, other: Self) {
        self.count += other.count;
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
    }
}
