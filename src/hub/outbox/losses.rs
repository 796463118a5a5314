//! What a client has lost, and whether it is slow.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::{Item, Outbox, Part};
use crate::model::ChannelId;

/// A client is no longer called slow when it has caught up and dropped nothing for this long.
const RECOVERED_AFTER: Duration = Duration::from_secs(5);

/// Messages that are looked at to see what fills a queue: some 0.1 ms.
const MAX_LOOKED_AT: usize = 10_000;

/// Channels whose dropped messages are counted one by one; those of further ones are counted together.
const MAX_COUNTED_CHANNELS: usize = 4096;

impl Outbox {
    /// True once when a client that was slow has caught up.
    pub fn recovered(&mut self, now: Instant) -> bool {
        let caught_up = self.is_drained()
            && self.slow_since.is_some_and(|since| now.saturating_duration_since(since) >= RECOVERED_AFTER);
        if caught_up {
            self.slow_since = None;
        }
        caught_up
    }

    /// Whether messages were dropped since the client last caught up.
    pub fn is_slow(&self) -> bool {
        self.slow_since.is_some()
    }

    /// Messages dropped since the connection began, by channel; those of very many channels are counted together.
    pub fn dropped(&self) -> (&BTreeMap<ChannelId, u64>, u64) {
        (&self.dropped, self.dropped_elsewhere)
    }

    /// The channel that takes most bytes of what waits, if the client was slow lately or a quarter of its budget waits. Of
    /// very many messages the oldest are looked at.
    pub fn filled_by(&self) -> Option<ChannelId> {
        if !self.is_slow() && self.data.weight() < self.limit / 4 {
            return None;
        }
        let mut bytes: BTreeMap<ChannelId, u64> = BTreeMap::new();
        let parts = self.data.iter().filter_map(|item| match item {
            Item::Messages(part) => Some(part),
            Item::Other(_) => None,
        });
        let entries = parts
            .flat_map(|part| part.batch.entries[part.range.clone()].iter().map(|entry| (part.number, entry)));
        for (number, entry) in entries.take(MAX_LOOKED_AT) {
            if self.subscriptions.wanted(entry.channel, number).is_some() {
                *bytes.entry(entry.channel).or_default() += u64::from(entry.length);
            }
        }
        let most = bytes.iter().max_by_key(|(_, bytes)| **bytes).map(|(channel, _)| *channel);
        most.or_else(|| {
            self.dropped.iter().max_by_key(|(_, messages)| **messages).map(|(channel, _)| *channel)
        })
    }

    /// Counts what is left of a part that was taken and is not sent. Returns how many messages that are.
    pub fn count_lost(&mut self, part: &Part) -> u64 {
        let mut lost: BTreeMap<ChannelId, u64> = BTreeMap::new();
        for entry in &part.batch.entries[part.range.clone()] {
            if self.subscriptions.wanted(entry.channel, part.number).is_some() {
                *lost.entry(entry.channel).or_default() += 1;
            }
        }
        self.count_dropped(lost)
    }

    pub(super) fn count_dropped(&mut self, lost: BTreeMap<ChannelId, u64>) -> u64 {
        let mut count = 0;
        for (channel, messages) in lost {
            count += messages;
            if self.dropped.len() < MAX_COUNTED_CHANNELS || self.dropped.contains_key(&channel) {
                *self.dropped.entry(channel).or_default() += messages;
            } else {
                self.dropped_elsewhere += messages;
            }
        }
        count
    }
}
