//! What of a file still counts that was written before it is followed: its channels, and for late subscribers what of
//! latched channels was sent last.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::ScanProgress;
use crate::model::{Batch, Channel, ChannelId, Entry};
use crate::pattern::TopicPattern;
use crate::payload::latest::{LastOf, Latest};
use crate::payload::transforms::Transforms;

/// Progress is reported each time that this many bytes were read.
const PROGRESS: u64 = 8 << 20;

/// Reading that takes longer is logged.
const LONG: Duration = Duration::from_secs(2);

/// Whether late subscribers get what was sent last of a channel: by what its recorder says, or one of the `patterns`.
pub(super) fn is_latched(channel: &Channel, patterns: &[TopicPattern]) -> bool {
    channel.latched || patterns.iter().any(|pattern| pattern.matches(&channel.topic))
}

/// See the module's documentation.
///
/// Bound: that of [`Latest`] for each latched channel.
#[derive(Debug)]
pub(super) struct Past {
    latched: Vec<TopicPattern>,
    channels: BTreeMap<ChannelId, Arc<Channel>>,
    topics: BTreeMap<ChannelId, Topic>,
    /// Counts messages: the number of the next one.
    next: u64,
}

#[derive(Debug)]
struct Topic {
    transforms: Option<Transforms>,
    latest: Latest<u64, (Entry, Bytes)>,
}

impl Past {
    /// Nothing yet. Latched are channels that say so, and those that match.
    pub(super) fn new(latched: &[TopicPattern]) -> Self {
        let (channels, topics) = Default::default();
        Self { latched: latched.to_vec(), channels, topics, next: 0 }
    }

    /// Takes what comes next.
    pub(super) fn push(&mut self, batch: &Batch) {
        for channel in &batch.retired {
            self.channels.remove(channel);
            self.topics.remove(channel);
        }
        for channel in &batch.announcements {
            self.channels.insert(channel.id, channel.clone());
            if is_latched(channel, &self.latched) {
                let topic = Topic { transforms: Transforms::of(channel), latest: Latest::default() };
                self.topics.entry(channel.id).or_insert(topic);
            }
        }
        self.next += batch.entries.len() as u64;
        // the last one first, so that what it replaces is not copied
        for (number, entry) in (0..self.next).rev().zip(batch.entries.iter().rev()) {
            let Some(topic) = self.topics.get_mut(&entry.channel) else { continue };
            let payload = batch.payload(entry);
            let frames =
                topic.transforms.map(|transforms| transforms.child_frames(payload)).unwrap_or_default();
            let last_of =
                if frames.is_empty() { LastOf::Origin(entry.origin) } else { LastOf::Frames(&frames) };
            let copy = || (*entry, Bytes::copy_from_slice(payload));
            topic.latest.offer(number, last_of, payload.len(), copy);
        }
    }

    /// What counts, without anything that is sent; None if there is not even a channel.
    pub(super) fn into_batch(self) -> Option<Batch> {
        let mut latest: Vec<_> =
            self.topics.into_values().flat_map(|topic| topic.latest.into_messages()).collect();
        latest.sort_unstable_by_key(|(number, _)| *number);
        let mut batch = Batch { announcements: self.channels.into_values().collect(), ..Batch::default() };
        for (buffer, (_, (entry, payload))) in (0..).zip(latest) {
            batch.unsent.push((0, Entry { buffer, offset: 0, ..entry }));
            batch.buffers.push(payload);
        }
        (!batch.is_empty()).then_some(batch)
    }
}

/// Tells how far reading has come, and once that it takes long.
pub(super) struct Reading<'a> {
    name: &'a str,
    total: u64,
    progress: &'a mut dyn FnMut(ScanProgress),
    reported: u64,
    begun: Instant,
    is_logged: bool,
}

impl<'a> Reading<'a> {
    /// The first `total` bytes of a file are to be read.
    pub(super) fn of(name: &'a str, total: u64, progress: &'a mut dyn FnMut(ScanProgress)) -> Self {
        Self { name, total, progress, reported: 0, begun: Instant::now(), is_logged: false }
    }

    /// So many bytes have been read.
    pub(super) fn at(&mut self, done: u64) {
        if done < self.reported + PROGRESS {
            return;
        }
        self.reported = done;
        (self.progress)(ScanProgress { done: done.min(self.total), total: self.total });
        if !self.is_logged && self.begun.elapsed() > LONG {
            self.is_logged = true;
            let (name, megabytes) = (self.name, self.total / 1_000_000);
            tracing::info!(
                "{name}: its {megabytes} MB are read through before it is followed, for channels and latched messages"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::{ChannelSpec, Registry};
    use crate::time::Timestamp;

    #[test]
    fn what_counts_is_the_last_message_of_each_publisher_of_latched_channels() {
        let registry = Registry::default();
        let claim = |topic: &str, latched: bool| {
            registry.claim(ChannelSpec { latched, ..ChannelSpec::json(topic) }).unwrap().channel
        };
        let [map, pose, odom, old] =
            [claim("/map", true), claim("/pose", false), claim("/odom", false), claim("/old", true)];
        let mut past = Past::new(&["/po*".parse().unwrap()]);
        let announcements = [&map, &pose, &odom, &old].map(Arc::clone).to_vec();
        let mut batch = Batch { announcements: announcements.clone(), ..Batch::default() };
        for (channel, origin, text) in [(&map, 1, "a"), (&map, 2, "b"), (&old, 1, "c"), (&map, 1, "d")] {
            let entry = Entry { origin, ..Entry::at(channel.id, Timestamp(5)) };
            batch.push_copy(&entry, text.as_bytes());
        }
        past.push(&batch);
        let mut batch = Batch { retired: vec![old.id], announcements, ..Batch::default() };
        batch.announcements.pop();
        for (channel, text) in [(&odom, "e"), (&pose, "f"), (&pose, "g")] {
            batch.push_copy(&Entry::at(channel.id, Timestamp(4)), text.as_bytes());
        }
        past.push(&batch);
        let batch = past.into_batch().unwrap();
        assert!(batch.entries.is_empty());
        let topics: Vec<_> = batch.announcements.iter().map(|channel| channel.topic.as_str()).collect();
        assert_eq!(topics, ["/map", "/pose", "/odom"]);
        let kept: Vec<_> = batch.unsent.iter().map(|(_, entry)| batch.payload(entry)).collect();
        assert_eq!(kept, [b"b", b"d", b"g"]);
        assert!(Past::new(&[]).into_batch().is_none());
    }
}
