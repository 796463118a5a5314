//! A chunk to batches, one at a time.

use std::ops::Range;

use bytes::Bytes;
use mcap::records::op;

use super::Linear;
use crate::model::{Batch, Entry};
use crate::source::Order;
use crate::source::mcap::chunk::{Plain, check};
use crate::source::mcap::fields::Definition;
use crate::source::mcap::records::{COPIED_FROM, RECORD_HEADER, inner_record, message};

/// Messages of a chunk that are sorted together at most.
const CHUNK_MESSAGES: usize = if cfg!(test) { 64 } else { 1 << 20 };

/// Bytes of payload in one batch at most, of a chunk whose messages are copied.
const COPIED: usize = 4 << 20;

/// A chunk that is being worked on.
pub(super) struct OpenChunk {
    /// Where it begins in the stream.
    offset: u64,
    records: Bytes,
    /// Where its next record is.
    at: usize,
    /// Whether it is old, see [`Walker::old_until`].
    old: bool,
    /// Messages in order, whose payloads lie in `records`, and the first that has not been taken.
    sorted: Batch,
    next: usize,
}

impl OpenChunk {
    fn new(offset: u64, records: Bytes, old: bool) -> Self {
        Self { offset, records, at: 0, old, sorted: Batch::default(), next: 0 }
    }

    fn has_sorted(&self) -> bool {
        !self.sorted.entries.is_empty()
    }

    /// The next of the sorted messages; all, unless the chunk is too large to be kept for them.
    fn take_sorted(&mut self) -> Option<Batch> {
        let first = self.sorted.entries.get(self.next)?;
        if self.records.len() <= COPIED_FROM {
            self.sorted.buffers.push(self.records.clone());
            return Some(std::mem::take(&mut self.sorted));
        }
        let (mut entries, mut copied) = (Vec::new(), Vec::with_capacity(COPIED.max(first.length as usize)));
        for entry in &self.sorted.entries[self.next..] {
            let (start, length) = (entry.offset as usize, entry.length as usize);
            if !entries.is_empty() && copied.len() + length > COPIED {
                break;
            }
            entries.push(Entry { offset: u32::try_from(copied.len()).unwrap_or(u32::MAX), ..*entry });
            copied.extend_from_slice(&self.records[start..start + length]);
        }
        self.next += entries.len();
        let retired = std::mem::take(&mut self.sorted.retired);
        let announcements = std::mem::take(&mut self.sorted.announcements);
        if self.next == self.sorted.entries.len() {
            (self.sorted, self.next) = (Batch::default(), 0);
        }
        Some(Batch { retired, announcements, entries, buffers: vec![copied.into()], ..Batch::default() })
    }
}

impl Linear {
    /// Finishes the messages of a chunk so far.
    fn flush_chunk(&mut self, chunk: &mut OpenChunk) {
        if self.batch.entries.is_empty() {
            self.flush(Bytes::new());
        } else {
            chunk.sorted = self.take_batch();
        }
    }

    /// Nothing of a chunk is taken before all of it is found to be readable.
    pub(super) fn on_chunk(&mut self, offset: u64, body: &Range<usize>) -> Result<(), String> {
        let bytes = &self.walker.window()[body.clone()];
        let plain = self.unpacker.unpack(bytes)?;
        check(plain.records(bytes))?;
        self.walker.pass(body);
        let old = offset + RECORD_HEADER + body.len() as u64 <= self.walker.old_until;
        let records = match plain {
            Plain::Own(plain) => plain,
            Plain::Within(range) => {
                self.walker.share(body.start + range.start..body.start + range.end, &self.unpacker)
            }
        };
        self.chunk = Some(OpenChunk::new(offset, records, old));
        Ok(())
    }

    /// Makes the next batch of a chunk's messages, up to a definition that ends channels.
    pub(super) fn work_on_chunk(&mut self, mut chunk: OpenChunk) {
        let records = chunk.records.clone();
        // all of it was found to be readable
        while !chunk.has_sorted()
            && let Some((opcode, body)) = inner_record(&records, chunk.at)
        {
            chunk.at = body.end;
            match opcode {
                op::MESSAGE => self.on_chunk_message(&chunk, body),
                op::SCHEMA | op::CHANNEL => self.on_chunk_definition(&mut chunk, opcode, &records[body]),
                _ => {}
            }
            if self.batch.entries.len() >= CHUNK_MESSAGES {
                self.flush_chunk(&mut chunk);
            }
        }
        if !chunk.has_sorted() {
            self.flush_chunk(&mut chunk);
        }
        self.ready.extend(chunk.take_sorted().map(Ok));
        if chunk.has_sorted() || chunk.at < records.len() {
            self.chunk = Some(chunk);
        }
    }

    fn on_chunk_message(&mut self, chunk: &OpenChunk, body: Range<usize>) {
        let read = message(&chunk.records[body.clone()], body.start, Order::Log);
        if let Some((channel, entry)) = read
            && (!chunk.old || self.walker.old_ids.contains(&channel))
        {
            self.push(channel, entry);
        }
    }

    fn on_chunk_definition(&mut self, chunk: &mut OpenChunk, opcode: u8, body: &[u8]) {
        let Some(definition) = Definition::decode(opcode, body) else { return };
        match self.define(definition) {
            Ok(change) => {
                if self.ends_batch(&change) {
                    self.flush_chunk(chunk);
                }
                self.apply(change);
            }
            Err(reason) => {
                self.flush_chunk(chunk);
                self.ready.extend(chunk.take_sorted().map(Ok));
                self.lose(chunk.offset, reason);
            }
        }
    }
}
