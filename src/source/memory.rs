//! A recording that is in memory as a whole: of lines in a file, or of what a pipe gave.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use bytes::Bytes;

use super::mcap::played_range;
use super::{Order, Recording, RecordingInfo, RecordingOptions, SourceError};
use crate::model::{Batch, Channel, ChannelId, Entry};
use crate::payload::latest::{LastOf, Latest};
use crate::payload::transforms::Transforms;
use crate::printable::counted;
use crate::registry::{ChannelSpec, Registry};
use crate::time::{TimeRange, Timestamp};

/// Messages in a batch: what is due comes in small parts, and a seek drops what was read ahead.
const BATCH: usize = 1000;

/// How far before a time transforms that are not latched are looked for, in ns.
const RECENT: u64 = 10_000_000_000;

/// What is gathered for a [`MemoryRecording`], in the order in which it came.
#[derive(Debug, Default)]
pub struct Gathered {
    channels: BTreeMap<ChannelId, Arc<Channel>>,
    buffers: Vec<Bytes>,
    /// Their buffers are those of all.
    entries: Vec<Entry>,
    footprint: usize,
    /// Channels that have ended.
    ended: Vec<Arc<Channel>>,
    warnings: Vec<String>,
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
    pub(super) fn first_before(&self, end: Timestamp) -> Option<Timestamp> {
        self.entries.iter().map(|entry| entry.log_time).filter(|time| *time < end).min()
    }

    /// Makes up times: `time` says which an entry has, given its own.
    pub(super) fn set_times(&mut self, time: impl Fn(Timestamp) -> Timestamp) {
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

/// What of it is played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// Every message, by its time.
    All,
    /// Nothing: a client that subscribes gets the last message of each channel.
    LastMessages,
}

/// See the module's documentation.
#[derive(Debug)]
pub struct MemoryRecording {
    info: RecordingInfo,
    range: TimeRange,
    extent: Extent,
    /// Channels of which the last message of each origin counts.
    latched: BTreeSet<ChannelId>,
    transforms: BTreeMap<ChannelId, Transforms>,
    buffers: Vec<Bytes>,
    /// By time; equal times in the order in which they came.
    entries: Vec<Entry>,
    /// The next to be played.
    next: usize,
}

impl MemoryRecording {
    /// Makes a recording of what was gathered. An error if the options leave nothing of it.
    pub fn new(
        name: String,
        gathered: Gathered,
        extent: Extent,
        options: &RecordingOptions,
    ) -> Result<Self, SourceError> {
        let Gathered { channels, buffers, mut entries, mut warnings, .. } = gathered;
        let before = entries.len();
        entries.retain(|entry| channels.contains_key(&entry.channel));
        let gone = before - entries.len();
        if options.order == Order::Publish {
            entries.iter_mut().for_each(|entry| entry.log_time = entry.publish_time);
        }
        entries.sort_by_key(|entry| entry.log_time);
        let whole = entries.first().zip(entries.last());
        let whole = whole.map(|(first, last)| TimeRange { start: first.log_time, end: last.log_time });
        let played = match whole {
            Some(whole) => Some(
                played_range(whole, options)
                    .map_err(|miss| SourceError::OutOfRange { name: name.clone(), miss })?,
            ),
            None => None,
        };
        let played = played.map(|played| match extent {
            Extent::All => played,
            Extent::LastMessages => TimeRange { start: played.end, end: played.end },
        });
        if gone > 0 {
            let gone = counted(gone as u64, "message");
            warnings.push(format!("{gone} from before a change of schema: left out"));
        }
        let range = played.unwrap_or(TimeRange::ALL);
        let latched = channels.values().filter(|channel| channel.latched).map(|channel| channel.id).collect();
        let transforms = channels.values().filter_map(|channel| Some((channel.id, Transforms::of(channel)?)));
        let transforms = transforms.collect();
        let mut recording = Self {
            info: RecordingInfo {
                name,
                range: played,
                message_count: None,
                has_past: extent == Extent::LastMessages
                    || played.zip(whole).is_some_and(|(played, whole)| played.start > whole.start),
                whole,
                channels: channels.into_values().collect(),
                topics: Vec::new(),
                attachments: Vec::new(),
                warnings,
            },
            range,
            extent,
            latched,
            transforms,
            buffers,
            entries,
            next: 0,
        };
        recording.seek(range.start);
        let count = recording.after(range.end) - recording.next;
        recording.info.message_count = Some(count as u64).filter(|_| extent == Extent::All);
        Ok(recording)
    }

    /// The first entry after a time.
    fn after(&self, time: Timestamp) -> usize {
        self.entries.partition_point(|entry| entry.log_time <= time)
    }

    fn payload(&self, entry: &Entry) -> &[u8] {
        let start = entry.offset as usize;
        &self.buffers[entry.buffer as usize][start..start + entry.length as usize]
    }

    fn batch(&self, entries: &[Entry]) -> Batch {
        let mut batch = Batch::default();
        let mut places = HashMap::new();
        for entry in entries {
            let buffer = *places.entry(entry.buffer).or_insert_with(|| {
                batch.buffers.push(self.buffers[entry.buffer as usize].clone());
                u32::try_from(batch.buffers.len() - 1).unwrap_or(u32::MAX)
            });
            batch.entries.push(Entry { buffer, ..*entry });
        }
        batch
    }
}

impl Recording for MemoryRecording {
    fn info(&self) -> &RecordingInfo {
        &self.info
    }

    fn next(&mut self) -> Result<Option<Batch>, SourceError> {
        let end = self.after(self.range.end).min(self.next + BATCH);
        if self.extent == Extent::LastMessages || self.next >= end {
            return Ok(None);
        }
        let batch = self.batch(&self.entries[self.next..end]);
        self.next = end;
        Ok(Some(batch))
    }

    fn seek(&mut self, to: Timestamp) {
        let to = to.max(self.range.start);
        self.next = self.entries.partition_point(|entry| entry.log_time < to);
    }

    fn backfill(&mut self, before: Timestamp, channels: &[ChannelId]) -> Result<Batch, SourceError> {
        let end = match self.extent {
            Extent::All => self.entries.partition_point(|entry| entry.log_time < before),
            Extent::LastMessages => self.entries.len(),
        };
        let recent = Timestamp(before.0.saturating_sub(RECENT));
        let mut open: BTreeMap<ChannelId, Latest<usize, Entry>> =
            channels.iter().map(|channel| (*channel, Latest::default())).collect();
        let mut found: Vec<(usize, Entry)> = Vec::new();
        for (index, entry) in self.entries[..end].iter().enumerate().rev() {
            let Some(latest) = open.get_mut(&entry.channel) else {
                continue;
            };
            let (latched, transforms) =
                (self.latched.contains(&entry.channel), self.transforms.get(&entry.channel));
            let is_first = latest.messages().next().is_none();
            if is_first || latched || entry.log_time >= recent {
                let payload = self.payload(entry);
                let frames =
                    transforms.map(|transforms| transforms.child_frames(payload)).unwrap_or_default();
                let origin = if latched { entry.origin } else { 0 };
                let last_of =
                    if frames.is_empty() { LastOf::Origin(origin) } else { LastOf::Frames(&frames) };
                latest.offer(index, last_of, payload.len(), || *entry);
            }
            // nothing older counts
            if !latched && (transforms.is_none() || entry.log_time < recent) {
                found.extend(open.remove(&entry.channel).into_iter().flat_map(Latest::into_messages));
                if open.is_empty() {
                    break;
                }
            }
        }
        found.extend(open.into_values().flat_map(Latest::into_messages));
        found.sort_unstable_by_key(|(index, _)| *index);
        let found: Vec<Entry> = found.into_iter().map(|(_, entry)| entry).collect();
        Ok(self.batch(&found))
    }

    fn latch(&mut self, channels: &[ChannelId]) {
        self.latched = channels.iter().copied().collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::TimeSpec;

    fn gathered(registry: &Registry, messages: &[(&str, u64)]) -> Gathered {
        let mut gathered = Gathered::default();
        for (topic, second) in messages {
            let channel = registry.claim(ChannelSpec::json(*topic)).unwrap().channel;
            let mut batch = Batch { announcements: vec![channel.clone()], ..Batch::default() };
            let time = Timestamp(second * 1_000_000_000);
            batch.push_copy(&Entry::at(channel.id, time), format!("{topic}{second}").as_bytes());
            gathered.push(batch);
        }
        gathered
    }

    fn recording(messages: &[(&str, u64)], extent: Extent, options: &RecordingOptions) -> MemoryRecording {
        let gathered = gathered(&Registry::default(), messages);
        MemoryRecording::new("lines".into(), gathered, extent, options).unwrap()
    }

    fn texts(batch: &Batch) -> Vec<String> {
        batch.entries.iter().map(|entry| String::from_utf8(batch.payload(entry).to_vec()).unwrap()).collect()
    }

    fn rest(recording: &mut MemoryRecording) -> Vec<String> {
        let mut all = Vec::new();
        while let Some(batch) = recording.next().unwrap() {
            all.extend(texts(&batch));
        }
        all
    }

    fn ids(recording: &MemoryRecording) -> Vec<ChannelId> {
        recording.info().channels.iter().map(|channel| channel.id).collect()
    }

    #[test]
    fn messages_come_by_time_from_wherever_it_is_sought() {
        let messages = [("a", 3), ("b", 1), ("a", 2), ("b", 2)];
        let mut recording = recording(&messages, Extent::All, &RecordingOptions::default());
        assert_eq!(recording.info().message_count, Some(4));
        assert_eq!(rest(&mut recording), ["b1", "a2", "b2", "a3"]);
        recording.seek(Timestamp(2_000_000_000));
        assert_eq!(rest(&mut recording), ["a2", "b2", "a3"]);
        let ids = ids(&recording);
        let state = recording.backfill(Timestamp(3_000_000_000), &ids).unwrap();
        assert_eq!(texts(&state), ["a2", "b2"]);
        assert_eq!(texts(&recording.backfill(Timestamp(1_000_000_001), &ids).unwrap()), ["b1"]);
    }

    #[test]
    fn a_part_is_played_and_what_is_before_it_is_its_past() {
        let options = RecordingOptions {
            start: Some(TimeSpec::FromStart(std::time::Duration::from_secs(2))),
            ..RecordingOptions::default()
        };
        let mut recording = recording(&[("a", 1), ("a", 2), ("a", 3), ("a", 4)], Extent::All, &options);
        assert!(recording.info().has_past);
        assert_eq!(rest(&mut recording), ["a3", "a4"]);
        recording.seek(Timestamp::MIN);
        assert_eq!(rest(&mut recording), ["a3", "a4"], "not before the part");
        let late = RecordingOptions { start: Some(TimeSpec::At(Timestamp(u64::MAX))), ..options };
        let gathered = gathered(&Registry::default(), &[("a", 1)]);
        let error = MemoryRecording::new("lines".into(), gathered, Extent::All, &late).unwrap_err();
        assert!(matches!(error, SourceError::OutOfRange { .. }));
    }

    #[test]
    fn of_last_messages_nothing_is_played_and_each_channel_has_its_last() {
        let messages = [("a", 1), ("b", 1), ("a", 2)];
        let mut recording = recording(&messages, Extent::LastMessages, &RecordingOptions::default());
        assert_eq!(rest(&mut recording), Vec::<String>::new());
        let (range, ids) = (recording.info().range.unwrap(), ids(&recording));
        assert!(range.start == range.end && recording.info().has_past);
        assert_eq!(texts(&recording.backfill(range.start, &ids).unwrap()), ["b1", "a2"]);
    }

    #[test]
    fn messages_of_a_channel_that_has_ended_are_left_out() {
        let registry = Registry::default();
        let mut gathered = gathered(&registry, &[("a", 1), ("b", 2)]);
        let ended = gathered.channels.keys().next().copied().unwrap();
        gathered.push(Batch { retired: vec![ended], ..Batch::default() });
        let options = RecordingOptions::default();
        let mut recording = MemoryRecording::new("lines".into(), gathered, Extent::All, &options).unwrap();
        assert_eq!(rest(&mut recording), ["b2"]);
        assert!(recording.info().warnings[0].starts_with("1 message from before a change"));
    }

    #[test]
    fn nothing_is_a_recording_without_a_range() {
        let mut recording = recording(&[], Extent::All, &RecordingOptions::default());
        assert_eq!((recording.info().range, recording.info().message_count), (None, Some(0)));
        assert!(rest(&mut recording).is_empty());
    }
}
