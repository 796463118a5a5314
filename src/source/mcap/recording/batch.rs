//! Puts messages of several segments together into one batch.

use bytes::Bytes;

use super::segments::Decoded;
use crate::model::{Batch, Entry};
use crate::source::mcap::records::COPIED_FROM;

/// Messages in one batch at most …
const BATCH_MESSAGES: usize = 4096;

/// … and bytes of payload, unless a single message is larger.
const BATCH_BYTES: usize = 1 << 20;

/// Which buffer of which batch a segment's is; none at first.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct BufferSlot {
    batch: u64,
    buffer: u32,
}

/// A batch in the making.
pub struct BatchBuilder {
    number: u64,
    batch: Batch,
    bytes: usize,
    /// Payloads of segments that are too large to be kept for a batch, and which buffer they will be.
    copied: Option<(u32, Vec<u8>)>,
}

impl BatchBuilder {
    /// `number` distinguishes batches; from 1.
    pub(super) fn new(number: u64) -> Self {
        Self { number, batch: Batch::default(), bytes: 0, copied: None }
    }

    /// Whether it has as many messages or bytes as a batch may have.
    pub fn is_full(&self) -> bool {
        self.batch.entries.len() >= BATCH_MESSAGES || self.bytes >= BATCH_BYTES
    }

    /// Whether it has no messages.
    pub fn is_empty(&self) -> bool {
        self.batch.entries.is_empty()
    }

    /// Appends messages of a segment from `first` on, while `belongs` and there is room. Returns how many.
    pub(super) fn append(
        &mut self,
        slot: &mut BufferSlot,
        decoded: &mut Decoded,
        first: usize,
        belongs: impl Fn(u64) -> bool,
    ) -> usize {
        if decoded.buffer.len() > COPIED_FROM {
            return self.append_copies(decoded, first, belongs);
        }
        if slot.batch != self.number {
            let buffer = u32::try_from(self.batch.buffers.len()).unwrap_or(u32::MAX);
            *slot = BufferSlot { batch: self.number, buffer };
            self.batch.buffers.push(decoded.buffer.clone());
        }
        let buffer = slot.buffer;
        let mut taken = 0;
        for entry in decoded.from(first) {
            // the first one always belongs: it is what the segment was chosen for
            if taken > 0 && !(belongs(entry.log_time.0) && self.has_room(entry)) {
                break;
            }
            self.bytes += (entry.length as usize).max(1);
            self.batch.entries.push(Entry { buffer, ..*entry });
            taken += 1;
        }
        taken
    }

    fn has_room(&self, entry: &Entry) -> bool {
        self.is_empty() || (!self.is_full() && self.bytes + entry.length as usize <= BATCH_BYTES)
    }

    fn append_copies(&mut self, decoded: &mut Decoded, first: usize, belongs: impl Fn(u64) -> bool) -> usize {
        let buffer = decoded.buffer.clone();
        let mut taken = 0;
        for entry in decoded.from(first) {
            if taken > 0 && !(belongs(entry.log_time.0) && self.has_room(entry)) {
                break;
            }
            let (number, copied) = self.copied.get_or_insert_with(|| {
                let number = u32::try_from(self.batch.buffers.len()).unwrap_or(u32::MAX);
                self.batch.buffers.push(Bytes::new());
                (number, Vec::new())
            });
            let (start, length) = (entry.offset as usize, entry.length as usize);
            let offset = u32::try_from(copied.len()).unwrap_or(u32::MAX);
            copied.extend_from_slice(&buffer[start..start + length]);
            self.bytes += length.max(1);
            self.batch.entries.push(Entry { buffer: *number, offset, ..*entry });
            taken += 1;
        }
        taken
    }

    /// The batch; None without messages.
    pub fn finish(mut self) -> Option<Batch> {
        if let Some((number, copied)) = self.copied {
            self.batch.buffers[number as usize] = copied.into();
        }
        (!self.batch.entries.is_empty()).then_some(self.batch)
    }
}
