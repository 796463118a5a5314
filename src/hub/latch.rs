//! Latched channels: their last message is kept for clients that subscribe later.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use super::Latch;
use super::subscriptions::ChannelSet;
use crate::model::{Batch, Channel, ChannelId, Entry};

/// Whether a channel is latched, by what its recorder noted or by what the user asked for.
pub(crate) fn is_latched(channel: &Channel, latch: &Latch) -> bool {
    match latch {
        Latch::Off => false,
        Latch::Auto => channel.latched,
        Latch::Topics(patterns) => {
            channel.latched || patterns.iter().any(|pattern| pattern.matches(&channel.topic))
        }
    }
}

/// The last message of each latched channel, copied out of its chunk.
///
/// Bound: one message for each latched channel.
#[derive(Debug, Default)]
pub(crate) struct LatchStore {
    slots: ChannelSet,
    /// By latched channel; None before its first message.
    messages: BTreeMap<ChannelId, Option<Arc<Batch>>>,
    /// Latched channels with messages of live input.
    live: BTreeSet<ChannelId>,
}

impl LatchStore {
    /// Declares a channel as latched.
    pub(crate) fn add_channel(&mut self, channel: ChannelId) {
        self.slots.insert(channel);
        self.messages.insert(channel, None);
    }

    /// Forgets a channel and its message.
    pub(crate) fn remove_channel(&mut self, channel: ChannelId) {
        if self.messages.remove(&channel).is_some() {
            self.slots.remove(channel);
            self.live.remove(&channel);
        }
    }

    /// The channels that are latched.
    pub(crate) fn channels(&self) -> impl Iterator<Item = ChannelId> + '_ {
        self.messages.keys().copied()
    }

    /// Whether a channel is latched.
    pub(crate) fn contains(&self, channel: ChannelId) -> bool {
        self.messages.contains_key(&channel)
    }

    /// Keeps the newest latched messages of a part of a batch; `channels` are those that occur in it.
    pub(crate) fn keep(&mut self, batch: &Batch, range: Range<usize>, channels: &ChannelSet) {
        if !self.slots.intersects(channels) {
            return;
        }
        let mut seen = ChannelSet::default();
        for entry in batch.entries[range].iter().rev() {
            if self.slots.contains(entry.channel)
                && !seen.contains(entry.channel)
                && let Some(last) = self.messages.get_mut(&entry.channel)
            {
                seen.insert(entry.channel);
                let mut copy = Batch::default();
                copy.push_copy(entry, batch.payload(entry));
                *last = Some(Arc::new(copy));
            }
        }
    }

    /// The last message of a latched channel, alone in a batch.
    pub(crate) fn last(&self, channel: ChannelId) -> Option<&Arc<Batch>> {
        self.messages.get(&channel)?.as_ref()
    }

    /// The last message of every latched channel, each alone in a batch.
    pub(crate) fn messages(&self) -> impl Iterator<Item = &Arc<Batch>> {
        self.messages.values().flatten()
    }

    /// Takes note of which latched channels have messages of live input.
    pub(crate) fn note_live(&mut self, entries: &[Entry]) {
        for entry in entries {
            if self.slots.contains(entry.channel) && self.contains(entry.channel) {
                self.live.insert(entry.channel);
            }
        }
    }

    /// Forgets the messages but those of live input: playback continues elsewhere.
    pub(crate) fn clear(&mut self) {
        for (channel, last) in &mut self.messages {
            if !self.live.contains(channel) {
                *last = None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn channel(latched: bool) -> Channel {
        Channel {
            id: ChannelId(1),
            topic: "/map".into(),
            message_encoding: "cdr".into(),
            schema: None,
            metadata: BTreeMap::new(),
            latched,
        }
    }

    #[test]
    fn what_the_source_says_counts_unless_latching_is_off() {
        assert!(is_latched(&channel(true), &Latch::Auto));
        assert!(!is_latched(&channel(false), &Latch::Auto));
        assert!(!is_latched(&channel(true), &Latch::Off));
    }

    #[test]
    fn patterns_latch_what_the_source_did_not() {
        let latch = Latch::Topics(vec!["/ma*".parse().unwrap()]);
        assert!(is_latched(&channel(false), &latch));
        assert!(!is_latched(&channel(false), &Latch::Topics(vec!["/tf".parse().unwrap()])));
        assert!(is_latched(&channel(true), &Latch::Topics(vec!["/tf".parse().unwrap()])));
    }
}
