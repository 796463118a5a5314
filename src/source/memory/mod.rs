//! A recording that is in memory as a whole: of lines in a file, or of what a pipe gave.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::mcap::played_range;
use super::{Order, Overview, Recording, RecordingInfo, RecordingOptions, SourceError};
use crate::model::{Batch, ChannelId, Entry};
use crate::payload::latest::{LastOf, Latest};
use crate::payload::transforms::Transforms;
use crate::printable::counted;
use crate::time::{TimeRange, Timestamp};

mod gathered;
mod held;
#[cfg(test)]
mod tests;

pub use gathered::Gathered;
use held::Held;

/// Messages in a batch: what is due comes in small parts, and a seek drops what was read ahead.
const BATCH: usize = 1000;

/// How far before a time transforms that are not latched are looked for, in ns.
const RECENT: u64 = 10_000_000_000;

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
    held: Arc<Held>,
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
        let held = Held { range, extent, channels: channels.len(), buffers, entries };
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
            held: Arc::new(held),
            next: 0,
        };
        recording.seek(range.start);
        let count = recording.held.after(range.end) - recording.next;
        recording.info.message_count = Some(count as u64).filter(|_| extent == Extent::All);
        Ok(recording)
    }
}

impl Recording for MemoryRecording {
    fn info(&self) -> &RecordingInfo {
        &self.info
    }

    fn next(&mut self) -> Result<Option<Batch>, SourceError> {
        let end = self.held.after(self.range.end).min(self.next + BATCH);
        if self.extent == Extent::LastMessages || self.next >= end {
            return Ok(None);
        }
        let batch = self.held.batch(&self.held.entries[self.next..end]);
        self.next = end;
        Ok(Some(batch))
    }

    fn seek(&mut self, to: Timestamp) {
        let to = to.max(self.range.start);
        self.next = self.held.from(to);
    }

    fn backfill(&mut self, before: Timestamp, channels: &[ChannelId]) -> Result<Batch, SourceError> {
        let end = match self.extent {
            Extent::All => self.held.from(before),
            Extent::LastMessages => self.held.entries.len(),
        };
        let recent = Timestamp(before.0.saturating_sub(RECENT));
        let mut open: BTreeMap<ChannelId, Latest<usize, Entry>> =
            channels.iter().map(|channel| (*channel, Latest::default())).collect();
        let mut found: Vec<(usize, Entry)> = Vec::new();
        for (index, entry) in self.held.entries[..end].iter().enumerate().rev() {
            let Some(latest) = open.get_mut(&entry.channel) else {
                continue;
            };
            let (latched, transforms) =
                (self.latched.contains(&entry.channel), self.transforms.get(&entry.channel));
            let is_first = latest.messages().next().is_none();
            if is_first || latched || entry.log_time >= recent {
                let payload = self.held.payload(entry);
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
        Ok(self.held.batch(&found))
    }

    fn overview(&self) -> Option<Arc<dyn Overview>> {
        Some(self.held.clone())
    }

    fn latch(&mut self, channels: &[ChannelId]) {
        self.latched = channels.iter().copied().collect();
    }
}
