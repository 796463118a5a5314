//! Messages on their way into a recording in memory.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use bytes::Bytes;

use crate::model::{Batch, Channel, ChannelId, Entry};
use crate::registry::{ChannelSpec, Registry};
use crate::time::{TimeRange, Timestamp};

/// What is gathered for a [`MemoryRecording`](super::MemoryRecording), in the order in which it came.
#[derive(Debug, Default)]
pub struct Gathered {
    pub(super) channels: BTreeMap<ChannelId, Arc<Channel>>,
    pub(super) buffers: Vec<Bytes>,
    /// Their buffers are those of all.
    pub(super) entries: Vec<Entry>,
    footprint: usize,
    /// Channels that have ended.
    ended: Vec<Arc<Channel>>,
    pub(super) warnings: Vec<String>,
}

impl Gathered {
    /// Adds what a stream has yielded. Messages of channels that have ended are left out, since those that take their place
    /// have their topics.
    pub fn push(&mut self, batch: Batch) {
        self.ended.extend(batch.retired.iter().filter_map(|channel| self.channels.remove(channel)));
        self.footprint += batch.footprint();
        self.channels.extend(batch.announcements.into_iter().map(|channel| (channel.id, channel)));
        let first = u32::try_from(self.buffers.len()).unwrap_or(u32::MAX);
        self.buffers.extend(batch.buffers);
        self.entries
            .extend(batch.entries.iter().map(|entry| Entry { buffer: first + entry.buffer, ..*entry }));
    }

    /// Keeps the messages of channels that have ended: they are claimed once more, and offered beside those that took their
    /// place. For what nobody was offered yet.
    pub fn keep_ended(&mut self, registry: &Registry) {
        let used: BTreeSet<ChannelId> = self.entries.iter().map(|entry| entry.channel).collect();
        let mut claimed = HashMap::new();
        for ended in self.ended.drain(..).filter(|ended| used.contains(&ended.id)) {
            let Channel { id, topic, message_encoding, schema, metadata, latched } = (*ended).clone();
            match registry.claim(ChannelSpec { topic, message_encoding, schema, metadata, latched }) {
                Ok(claim) => {
                    self.warnings.extend(claim.warning());
                    claimed.insert(id, claim.channel.id);
                    self.channels.insert(claim.channel.id, claim.channel);
                }
                Err(error) => self.warnings.push(error.to_string()),
            }
        }
        for entry in &mut self.entries {
            entry.channel = claimed.get(&entry.channel).copied().unwrap_or(entry.channel);
        }
    }

    /// Bytes that it takes.
    pub fn footprint(&self) -> usize {
        self.footprint
    }

    /// The first time before this one that a message has.
    pub(in crate::source) fn first_before(&self, end: Timestamp) -> Option<Timestamp> {
        self.entries.iter().map(|entry| entry.log_time).filter(|time| *time < end).min()
    }

    /// Makes up times: `time` says which an entry has, given its own.
    pub(in crate::source) fn set_times(&mut self, time: impl Fn(Timestamp) -> Timestamp) {
        for entry in &mut self.entries {
            (entry.log_time, entry.publish_time) = (time(entry.log_time), time(entry.publish_time));
        }
    }

    /// From the first to the last message.
    pub fn range(&self) -> Option<TimeRange> {
        let times = || self.entries.iter().map(|entry| entry.log_time);
        Some(TimeRange { start: times().min()?, end: times().max()? })
    }
}
