//! Reads a segment of a recording and decodes it to messages.

use std::io::ErrorKind;
use std::sync::Arc;

use bytes::Bytes;
use mcap::records::op;

use super::last::LastSegment;
use crate::model::Entry;
use crate::source::SourceError;
use crate::source::bytes::RangeRead;
use crate::source::mcap::channels::{IdMeaning, Meanings, Selection};
use crate::source::mcap::chunk::{Plain, Unpacker};
use crate::source::mcap::fields::chunk_head;
use crate::source::mcap::pool::ChunkPool;
use crate::source::mcap::records::{
    MAX_IN_MEMORY, RECORD_HEADER, damaged, failed, message, record_header, to_usize, walk,
};
use crate::source::mcap::survey::{Index, Segment};
use crate::time::{TimeRange, Timestamp};

/// Messages in the table of a segment at most: 40 MiB. One of many small messages has several tables, one at a time.
const TABLE: usize = if cfg!(test) { 4 } else { 1 << 20 };

/// A segment in memory.
#[derive(Debug, Clone, Default)]
pub struct Decoded {
    /// What its payloads lie in.
    pub buffer: Bytes,
    /// In time order; equal times as in the file. `buffer` is 0.
    entries: Vec<Entry>,
    /// Messages in tables before this one.
    before: usize,
    /// What makes the next table; None for the last.
    rest: Option<Rest>,
    /// Messages of channels that the file does not define.
    pub(super) undefined: u64,
    /// Whether it gives an id of the file another meaning than its summary does, or has messages of one without.
    pub(super) redefines: bool,
}

/// See [`Entry::origin`].
fn origin(file: u32, id: u16) -> u32 {
    // files beyond the 65,536th share theirs with earlier ones
    file << 16 | u32::from(id)
}

/// Where messages of a segment stand in its order: by time, then by place.
type MessageKey = (Timestamp, u32);

fn key(entry: &Entry) -> MessageKey {
    (entry.log_time, entry.offset)
}

/// Which messages of a segment come after its tables so far.
#[derive(Debug, Clone)]
struct Rest {
    after: MessageKey,
    chosen: Chosen,
}

/// Which messages of a segment are played.
#[derive(Debug, Clone)]
struct Chosen {
    selection: Arc<Selection>,
    /// The part of the file in which the segment begins, and where that is.
    place: (u32, u64),
    range: TimeRange,
    /// Of the file on the timeline.
    number: u32,
}

impl Decoded {
    /// A segment whose messages are all in one table.
    pub fn new(buffer: Bytes, entries: Vec<Entry>) -> Self {
        Self { buffer, entries, before: 0, rest: None, undefined: 0, redefines: false }
    }

    /// Bytes in memory.
    pub(super) fn bytes(&self) -> usize {
        self.buffer.len() + self.entries.len() * size_of::<Entry>()
    }

    /// The messages from number `number` on that are in the table with it; none after the last.
    pub(super) fn from(&mut self, number: usize) -> &[Entry] {
        while number - self.before >= self.entries.len() && self.next_table() {}
        self.entries.get(number - self.before..).unwrap_or_default()
    }

    /// The number of the first message at a time or later.
    pub(super) fn first_at(&mut self, time: Timestamp) -> usize {
        while self.entries.last().is_some_and(|last| last.log_time < time) && self.next_table() {}
        self.before + self.entries.partition_point(|entry| entry.log_time < time)
    }

    fn next_table(&mut self) -> bool {
        let Some(Rest { after, chosen }) = self.rest.take() else { return false };
        self.before += self.entries.len();
        self.entries = Vec::new();
        // it has been walked to its end before
        let Ok(table) = Table::of(&self.buffer, None, &chosen, Some(after)) else { return false };
        self.rest = table.rest(chosen);
        self.entries = table.entries;
        true
    }
}

/// The first messages of a segment after a place in its order.
#[derive(Default)]
struct Table {
    entries: Vec<Entry>,
    /// Whether there are more.
    more: bool,
    undefined: u64,
    /// Whether a definition says something else than the file's summary.
    redefines: bool,
}

impl Table {
    /// The error is the place of a record that can't be read.
    fn of(
        buffer: &[u8],
        index: Option<&Index>,
        chosen: &Chosen,
        after: Option<MessageKey>,
    ) -> Result<Self, usize> {
        let Chosen { selection, place: (part, offset), range, number } = chosen;
        let mut meanings = Meanings::of(selection.parts(*part, *offset));
        let mut table = Self::default();
        let mut last: Option<MessageKey> = None;
        walk(buffer, |opcode, offset, body| {
            if opcode != op::MESSAGE {
                let is_definition = matches!(opcode, op::SCHEMA | op::CHANNEL);
                table.redefines |= is_definition && index.is_some_and(|index| index.redefines(opcode, body));
                return Some(());
            }
            let (id, entry) = message(body, offset, selection.order)?;
            match meanings.at(offset).meaning(id) {
                IdMeaning::Played(channel) if range.contains(entry.log_time) => {
                    let key = key(&entry);
                    let is_later = last.is_some_and(|last| key > last);
                    table.more |= is_later;
                    if !is_later && after.is_none_or(|after| key > after) {
                        table.entries.push(Entry { channel, origin: origin(*number, id), ..entry });
                    }
                }
                IdMeaning::Undefined => table.undefined += 1,
                IdMeaning::Played(_) | IdMeaning::LeftOut => {}
            }
            if table.entries.len() == 2 * TABLE {
                last = table.shorten();
            }
            Some(())
        })?;
        table.shorten();
        if !table.entries.is_sorted_by_key(key) {
            table.entries.sort_unstable_by_key(key);
        }
        Ok(table)
    }

    /// Keeps the first [`TABLE`] messages; the last of them, if there were more.
    fn shorten(&mut self) -> Option<MessageKey> {
        if self.entries.len() <= TABLE {
            return None;
        }
        let (_, last, _) = self.entries.select_nth_unstable_by_key(TABLE - 1, key);
        let last = key(last);
        self.entries.truncate(TABLE);
        self.more = true;
        Some(last)
    }

    fn rest(&self, chosen: Chosen) -> Option<Rest> {
        let after = self.entries.last().filter(|_| self.more).map(key)?;
        Some(Rest { after, chosen })
    }
}

/// Decodes segments of one file; shared by the threads that do so.
#[derive(Debug)]
pub(super) struct SegmentReader {
    pub(super) file: Box<dyn RangeRead>,
    /// Of the file on the timeline.
    number: u32,
    unpacker: Unpacker,
    /// Where the last segment is kept once decoded, for who asks for it again.
    last: Option<Arc<LastSegment>>,
}

impl SegmentReader {
    pub(super) fn new(file: Box<dyn RangeRead>, number: u32, pool: Arc<ChunkPool>) -> Self {
        Self { file, number, unpacker: Unpacker::new(pool), last: None }
    }

    /// Keeps each segment until the next one is decoded.
    pub(super) fn keeping(self, last: Arc<LastSegment>) -> Self {
        Self { last: Some(last), ..self }
    }

    /// The messages of a segment that are chosen and lie in the range.
    pub(super) fn decode(
        &self,
        index: &Index,
        segment: &Segment,
        selection: &Arc<Selection>,
        range: TimeRange,
    ) -> Result<Decoded, SourceError> {
        let buffer = self.plain(segment)?;
        let place = (segment.part, segment.offset);
        let chosen = Chosen { selection: selection.clone(), place, range, number: self.number };
        let table =
            Table::of(&buffer, Some(index), &chosen, None).map_err(|at| self.damaged_record(segment, at))?;
        let rest = table.rest(chosen);
        let Table { entries, undefined, redefines, .. } = table;
        let redefines = redefines || undefined > 0 && index.is_of_summary();
        Ok(Decoded { buffer, entries, before: 0, rest, undefined, redefines })
    }

    /// Bytes that a segment has in memory once decompressed, as it says itself: an index may say less.
    pub(super) fn size(&self, segment: &Segment) -> u64 {
        let mut head = [0; 128];
        let length = head.len().min(to_usize(segment.length));
        let read = self.file.read_at(&mut head[..length], segment.offset);
        let own = if segment.is_chunk && read.is_ok() { chunk_head(&head[..length]) } else { None };
        own.map_or(0, |head| head.uncompressed).max(segment.size)
    }

    /// Visits the messages before a time that are chosen, as they lie in the segment; their offsets are in what is
    /// returned.
    pub(super) fn before(
        &self,
        segment: &Segment,
        selection: &Selection,
        before: u64,
        mut visit: impl FnMut(Entry),
    ) -> Result<Bytes, SourceError> {
        let buffer = match &self.last {
            Some(last) => last.get(self.number, segment.offset, || self.plain(segment))?,
            None => self.plain(segment)?,
        };
        let mut meanings = Meanings::of(segment.parts(selection));
        walk(&buffer, |opcode, offset, body| {
            if opcode != op::MESSAGE {
                return Some(());
            }
            let (id, entry) = message(body, offset, selection.order)?;
            if entry.log_time.0 < before
                && let Some(channel) = meanings.at(offset).channel(id)
            {
                visit(Entry { channel, origin: self.origin(id), ..entry });
            }
            Some(())
        })
        .map_err(|at| self.damaged_record(segment, at))?;
        Ok(buffer)
    }

    /// What tells the messages of a channel of this file from those of others, see [`Entry::origin`].
    pub(super) fn origin(&self, id: u16) -> u32 {
        origin(self.number, id)
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
        self.file.read_at(raw.as_mut(), segment.offset).map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof => SourceError::LeftOut {
                name: self.file.name().into(),
                reason: "the file has become shorter since it was opened; what it lacks is left out".into(),
            },
            _ => failed(&*self.file, error),
        })?;
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
