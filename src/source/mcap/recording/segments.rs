//! Reads a segment of a recording and decodes it to messages.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use mcap::records::op;

use crate::model::{ChannelId, Entry};
use crate::source::SourceError;
use crate::source::bytes::RangeRead;
use crate::source::mcap::channels::{IdMeaning, Meanings, Selection};
use crate::source::mcap::chunk::{Plain, Unpacker};
use crate::source::mcap::pool::ChunkPool;
use crate::source::mcap::records::{
    MAX_IN_MEMORY, RECORD_HEADER, damaged, failed, message, record_header, to_usize, walk,
};
use crate::source::mcap::survey::Segment;
use crate::time::TimeRange;

/// A segment in memory.
#[derive(Debug, Clone)]
pub struct Decoded {
    /// What its payloads lie in.
    pub buffer: Bytes,
    /// In time order; equal times as in the file. `buffer` is 0.
    pub entries: Vec<Entry>,
    /// Messages of channels that the file does not define.
    pub undefined: u64,
}

/// Decodes segments of one file; shared by the threads that do so.
#[derive(Debug)]
pub(super) struct SegmentReader {
    pub(super) file: Box<dyn RangeRead>,
    unpacker: Unpacker,
}

impl SegmentReader {
    pub(super) fn new(file: Box<dyn RangeRead>, pool: Arc<ChunkPool>) -> Self {
        Self { file, unpacker: Unpacker::new(pool) }
    }

    /// The messages of a segment that are chosen and lie in the range.
    pub(super) fn decode(
        &self,
        segment: &Segment,
        selection: &Selection,
        range: TimeRange,
    ) -> Result<Decoded, SourceError> {
        let buffer = self.plain(segment)?;
        let mut entries = Vec::new();
        let mut undefined = 0;
        let mut meanings = Meanings::of(segment.parts(selection));
        walk(&buffer, |opcode, offset, body| {
            if opcode != op::MESSAGE {
                return Some(());
            }
            let (channel, entry) = message(body, offset, selection.order)?;
            match meanings.at(offset).meaning(channel) {
                IdMeaning::Played(channel) if range.contains(entry.log_time) => {
                    entries.push(Entry { channel, ..entry });
                }
                IdMeaning::Undefined => undefined += 1,
                IdMeaning::Played(_) | IdMeaning::LeftOut => {}
            }
            Some(())
        })
        .map_err(|at| self.damaged_record(segment, at))?;
        if !entries.is_sorted_by_key(|entry| entry.log_time) {
            entries.sort_by_key(|entry| entry.log_time);
        }
        Ok(Decoded { buffer, entries, undefined })
    }

    /// The last message before a time of each of `channels`, in any order, with their offsets in the buffer.
    pub(super) fn last_before(
        &self,
        segment: &Segment,
        selection: &Selection,
        before: u64,
        channels: &BTreeSet<ChannelId>,
    ) -> Result<(Bytes, Vec<Entry>), SourceError> {
        let buffer = self.plain(segment)?;
        let mut last: BTreeMap<ChannelId, Option<Entry>> =
            channels.iter().map(|channel| (*channel, None)).collect();
        let mut meanings = Meanings::of(segment.parts(selection));
        walk(&buffer, |opcode, offset, body| {
            if opcode != op::MESSAGE {
                return Some(());
            }
            let (channel, entry) = message(body, offset, selection.order)?;
            if entry.log_time.0 < before
                && let Some(channel) = meanings.at(offset).channel(channel)
                && let Some(last) = last.get_mut(&channel)
                // of equal times the later one is the last
                && last.is_none_or(|last| last.log_time <= entry.log_time)
            {
                *last = Some(Entry { channel, ..entry });
            }
            Some(())
        })
        .map_err(|at| self.damaged_record(segment, at))?;
        Ok((buffer, last.into_values().flatten().collect()))
    }

    fn damaged_record(&self, segment: &Segment, at: usize) -> SourceError {
        damaged(&*self.file, segment.offset, format!("the chunk's record at its byte {at} is damaged"))
    }

    /// The records of a segment, decompressed and checked.
    fn plain(&self, segment: &Segment) -> Result<Bytes, SourceError> {
        let damaged = |reason: String| damaged(&*self.file, segment.offset, reason);
        if segment.length > MAX_IN_MEMORY || segment.offset.saturating_add(segment.length) > self.file.size()
        {
            return Err(damaged("the record is longer than the file, or than 1 GiB".into()));
        }
        let raw = self.unpacker.try_memory(to_usize(segment.length));
        let mut raw = raw.map_err(|error| damaged(error.to_string()))?;
        self.file.read_at(raw.as_mut(), segment.offset).map_err(|error| failed(&*self.file, error))?;
        if !segment.is_chunk {
            return Ok(raw.freeze());
        }
        match record_header(raw.as_ref()) {
            Some((op::CHUNK, length)) if length.checked_add(RECORD_HEADER) == Some(segment.length) => {}
            _ => return Err(damaged("the index says that there is a chunk here, but there is none".into())),
        }
        match self.unpacker.unpack(&raw.as_ref()[9..]).map_err(damaged)? {
            Plain::Own(plain) => Ok(plain),
            Plain::Within(range) => Ok(raw.freeze().slice(range.start + 9..range.end + 9)),
        }
    }
}
