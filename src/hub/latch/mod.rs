//! Latched channels: what of their messages still counts is kept for clients that subscribe later.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use super::Latch;
use super::queue::Feed;
use super::subscriptions::ChannelSet;
use crate::model::{Batch, Channel, ChannelId, Entry};
use crate::payload::latest::{Latest, MAX_BYTES, MAX_ORIGINS};
use crate::payload::transforms::{MAX_FRAMES, Transforms};

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

/// What is kept of the latched channels, copied out of its chunks: the last message of each child frame of channels of
/// transforms, and the last message of each origin of others.
///
/// Bound: that of [`Latest`] for each channel.
#[derive(Debug, Default)]
pub(crate) struct LatchStore {
    slots: ChannelSet,
    topics: BTreeMap<ChannelId, Topic>,
    /// Counts messages: the number of the next one.
    next: u64,
}

#[derive(Debug)]
struct Topic {
    name: String,
    transforms: Option<Transforms>,
    latest: Latest<u64, (Entry, Bytes)>,
    has_warned: bool,
    /// Who publishes it; live input, if both do.
    feed: Feed,
}

impl Topic {
    fn offer(&mut self, number: u64, entry: &Entry, payload: &[u8]) {
        let copy = || (*entry, Bytes::copy_from_slice(payload));
        let exceeded = self.latest.offer_payload(number, self.transforms, entry.origin, payload, copy);
        if exceeded && !self.has_warned {
            self.has_warned = true;
            let (topic, mib) = (&self.name, MAX_BYTES >> 20);
            tracing::warn!(
                "{topic}: more than {MAX_FRAMES} frames, {MAX_ORIGINS} publishers or {mib} MiB are latched; \
                 clients that subscribe late don't get the oldest messages"
            );
        }
    }
}

impl LatchStore {
    /// Declares a channel as latched.
    pub(crate) fn add_channel(&mut self, channel: &Channel) {
        self.slots.insert(channel.id);
        let topic = Topic {
            name: channel.topic.clone(),
            transforms: Transforms::of(channel),
            latest: Latest::default(),
            has_warned: false,
            feed: Feed::Playback,
        };
        self.topics.insert(channel.id, topic);
    }

    /// Forgets a channel and its messages.
    pub(crate) fn remove_channel(&mut self, channel: ChannelId) {
        if self.topics.remove(&channel).is_some() {
            self.slots.remove(channel);
        }
    }

    /// The channels that are latched.
    pub(crate) fn channels(&self) -> impl Iterator<Item = ChannelId> + '_ {
        self.topics.keys().copied()
    }

    /// Whether a channel is latched.
    pub(crate) fn contains(&self, channel: ChannelId) -> bool {
        self.topics.contains_key(&channel)
    }

    /// Keeps what counts of a part of a batch, and of what is not sent in it; `channels` are those of messages that are.
    pub(crate) fn keep(&mut self, batch: &Batch, range: Range<usize>, channels: &ChannelSet, feed: Feed) {
        let unsent = batch.unsent_in(&range);
        if unsent.is_empty() && !self.slots.intersects(channels) {
            return;
        }
        self.next += (range.len() + unsent.len()) as u64;
        // the last one first, so that what it replaces is not copied
        let mut number = self.next;
        let mut unsent = unsent.iter().rev().peekable();
        for index in range.rev() {
            while let Some((_, entry)) = unsent.next_if(|(before, _)| *before > index) {
                number -= 1;
                self.offer(number, entry, batch, feed);
            }
            number -= 1;
            self.offer(number, &batch.entries[index], batch, feed);
        }
        for (_, entry) in unsent {
            number -= 1;
            self.offer(number, entry, batch, feed);
        }
    }

    /// Keeps a message, if it counts: it came after those that were kept before.
    pub(crate) fn keep_one(&mut self, entry: &Entry, payload: &[u8]) {
        if let Some(topic) = self.topics.get_mut(&entry.channel) {
            topic.offer(self.next, entry, payload);
            self.next += 1;
        }
    }

    fn offer(&mut self, number: u64, entry: &Entry, batch: &Batch, feed: Feed) {
        if self.slots.contains(entry.channel)
            && let Some(topic) = self.topics.get_mut(&entry.channel)
        {
            if feed == Feed::Live {
                topic.feed = Feed::Live;
            }
            topic.offer(number, entry, batch.payload(entry));
        }
    }

    /// What is kept of a channel, in the order of publishing, and who has published it; None if that is nothing.
    pub(crate) fn messages_of(&self, channel: ChannelId) -> Option<(Arc<Batch>, Feed)> {
        let mut batch = Batch::default();
        let topic = self.topics.get(&channel)?;
        for (buffer, (_, (entry, payload))) in (0..).zip(topic.latest.messages()) {
            batch.entries.push(Entry { buffer, offset: 0, ..*entry });
            batch.buffers.push(payload.clone());
        }
        (!batch.entries.is_empty()).then(|| (Arc::new(batch), topic.feed))
    }

    /// What is kept, channel by channel.
    pub(crate) fn messages(&self) -> Vec<(Arc<Batch>, Feed)> {
        self.topics.keys().filter_map(|channel| self.messages_of(*channel)).collect()
    }

    /// Forgets the messages but those of live input: playback continues elsewhere.
    pub(crate) fn clear(&mut self) {
        for topic in self.topics.values_mut().filter(|topic| topic.feed == Feed::Playback) {
            topic.latest = Latest::default();
        }
    }

    /// Forgets all messages: what was live is played from now on.
    pub(crate) fn clear_all(&mut self) {
        for topic in self.topics.values_mut() {
            (topic.latest, topic.feed) = (Latest::default(), Feed::Playback);
        }
    }
}

#[cfg(test)]
mod tests;
