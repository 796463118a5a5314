//! Puts messages of several segments together into one batch.

use super::segments::Decoded;
use crate::model::{Batch, Entry};

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
}

impl BatchBuilder {
    /// `number` distinguishes batches; from 1.
    pub(super) fn new(number: u64) -> Self {
        Self { number, batch: Batch::default(), bytes: 0 }
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
        decoded: &Decoded,
        first: usize,
        belongs: impl Fn(u64) -> bool,
    ) -> usize {
        if slot.batch != self.number {
            let buffer = u32::try_from(self.batch.buffers.len()).unwrap_or(u32::MAX);
            *slot = BufferSlot { batch: self.number, buffer };
            self.batch.buffers.push(decoded.buffer.clone());
        }
        let buffer = slot.buffer;
        let mut taken = 0;
        for entry in &decoded.entries[first..] {
            // the first one always belongs: it is what the segment was chosen for
            let room =
                self.is_empty() || (!self.is_full() && self.bytes + entry.length as usize <= BATCH_BYTES);
            if taken > 0 && !(belongs(entry.log_time.0) && room) {
                break;
            }
            self.bytes += (entry.length as usize).max(1);
            self.batch.entries.push(Entry { buffer, ..*entry });
            taken += 1;
        }
        taken
    }

    /// The batch; None without messages.
    pub fn finish(self) -> Option<Batch> {
        (!self.batch.entries.is_empty()).then_some(self.batch)
    }
}
