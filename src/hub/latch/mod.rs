//! Latched channels: what of their messages still counts is kept for clients that subscribe later.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use super::Latch;
use super::subscriptions::ChannelSet;
use crate::model::{Batch, Channel, ChannelId, Entry};
use crate::payload::latest::{LastOf, Latest, MAX_BYTES, MAX_ORIGINS};
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
    /// Whether it has messages of live input.
    is_live: bool,
}

impl Topic {
    fn offer(&mut self, number: u64, entry: &Entry, payload: &[u8]) {
        let frames = self.transforms.map(|transforms| transforms.child_frames(payload)).unwrap_or_default();
        let last_of = if frames.is_empty() { LastOf::Origin(entry.origin) } else { LastOf::Frames(&frames) };
        let copy = || (*entry, Bytes::copy_from_slice(payload));
        if self.latest.offer(number, last_of, payload.len(), copy) && !self.has_warned {
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
            is_live: false,
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
    pub(crate) fn keep(&mut self, batch: &Batch, range: Range<usize>, channels: &ChannelSet) {
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
                self.offer(number, entry, batch);
            }
            number -= 1;
            self.offer(number, &batch.entries[index], batch);
        }
        for (_, entry) in unsent {
            number -= 1;
            self.offer(number, entry, batch);
        }
    }

    fn offer(&mut self, number: u64, entry: &Entry, batch: &Batch) {
        if self.slots.contains(entry.channel)
            && let Some(topic) = self.topics.get_mut(&entry.channel)
        {
            topic.offer(number, entry, batch.payload(entry));
        }
    }

    /// What is kept of a channel, in the order of publishing; None if that is nothing.
    pub(crate) fn messages_of(&self, channel: ChannelId) -> Option<Arc<Batch>> {
        let mut batch = Batch::default();
        for (buffer, (_, (entry, payload))) in (0..).zip(self.topics.get(&channel)?.latest.messages()) {
            batch.entries.push(Entry { buffer, offset: 0, ..*entry });
            batch.buffers.push(payload.clone());
        }
        (!batch.entries.is_empty()).then(|| Arc::new(batch))
    }

    /// What is kept, channel by channel.
    pub(crate) fn messages(&self) -> Vec<Arc<Batch>> {
        self.topics.keys().filter_map(|channel| self.messages_of(*channel)).collect()
    }

    /// Takes note of which latched channels have messages of live input.
    pub(crate) fn note_live(&mut self, batch: &Batch) {
        for entry in batch.entries.iter().chain(batch.unsent.iter().map(|(_, entry)| entry)) {
            if self.slots.contains(entry.channel)
                && let Some(topic) = self.topics.get_mut(&entry.channel)
            {
                topic.is_live = true;
            }
        }
    }

    /// Forgets the messages but those of live input: playback continues elsewhere.
    pub(crate) fn clear(&mut self) {
        for topic in self.topics.values_mut().filter(|topic| !topic.is_live) {
            topic.latest = Latest::default();
        }
    }
}

#[cfg(test)]
mod tests;
