//! The messages of a recording in memory, and what can be asked of them while it plays.

use std::collections::HashMap;
use std::path::PathBuf;

use bytes::Bytes;

use super::Extent;
use crate::model::{Batch, ChannelId, Entry, Timeline};
use crate::source::density::Density;
use crate::source::{Overview, SourceError};
use crate::time::{TimeRange, Timestamp};

/// All messages.
#[derive(Debug)]
pub(super) struct Held {
    /// What is played of them.
    pub(super) range: TimeRange,
    pub(super) extent: Extent,
    pub(super) channels: usize,
    pub(super) buffers: Vec<Bytes>,
    /// By time; equal times in the order in which they came.
    pub(super) entries: Vec<Entry>,
}

impl Held {
    /// The first entry after a time.
    pub(super) fn after(&self, time: Timestamp) -> usize {
        self.entries.partition_point(|entry| entry.log_time <= time)
    }

    /// The first entry at a time or later.
    pub(super) fn from(&self, time: Timestamp) -> usize {
        self.entries.partition_point(|entry| entry.log_time < time)
    }

    pub(super) fn payload(&self, entry: &Entry) -> &[u8] {
        let start = entry.offset as usize;
        &self.buffers[entry.buffer as usize][start..start + entry.length as usize]
    }

    pub(super) fn batch(&self, entries: &[Entry]) -> Batch {
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

impl Overview for Held {
    fn files(&self) -> Vec<PathBuf> {
        Vec::new()
    }

    fn timeline_within(&self, within: TimeRange, bins: usize) -> Timeline {
        let Some(range) = self.range.intersection(&within) else { return Timeline::default() };
        if self.entries.is_empty() || self.extent == Extent::LastMessages {
            return Timeline::default();
        }
        let mut density = Density::new(range, bins, self.channels);
        for entry in &self.entries[self.from(range.start)..self.after(range.end)] {
            density.add(entry.channel, entry.log_time.0);
            density.cover(entry.log_time.0, entry.log_time.0);
        }
        density.finish()
    }

    fn latest(&self, channel: ChannelId, at: Timestamp) -> Result<Batch, SourceError> {
        let before = &self.entries[..self.after(at.min(self.range.end))];
        let last = before.iter().rfind(|entry| entry.channel == channel);
        Ok(last.map_or_else(Batch::default, |last| self.batch(std::slice::from_ref(last))))
    }
}
