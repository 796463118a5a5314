//! Puts messages of several pieces together into one batch.

use super::mcap_chunk::Decoded;
use crate::model::{Batch, Entry};

/// Messages in one batch at the most …
const BATCH_MESSAGES: usize = 4096;

/// … and bytes of payload, unless a single message is larger.
const BATCH_BYTES: usize = 1 << 20;

/// A batch in the making.
#[derive(Default)]
pub(super) struct Builder {
    batch: Batch,
    bytes: usize,
    /// Pieces whose buffers the batch has already, by index.
    pieces: Vec<usize>,
}

impl Builder {
    pub(super) fn is_full(&self) -> bool {
        self.batch.entries.len() >= BATCH_MESSAGES || self.bytes >= BATCH_BYTES
    }

    pub(super) fn is_empty(&self) -> bool {
        self.batch.entries.is_empty()
    }

    /// Appends messages of a piece from `first` on, while `belongs` and there is room. Returns how many.
    pub(super) fn append(
        &mut self,
        piece: usize,
        decoded: &Decoded,
        first: usize,
        belongs: impl Fn(u64) -> bool,
    ) -> usize {
        let buffer = self.pieces.iter().position(|other| *other == piece).unwrap_or_else(|| {
            self.pieces.push(piece);
            self.batch.buffers.push(decoded.buffer.clone());
            self.pieces.len() - 1
        });
        let buffer = u32::try_from(buffer).unwrap_or(u32::MAX);
        let mut taken = 0;
        for entry in &decoded.entries[first..] {
            // the first one always belongs: it is what the piece was chosen for
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

    pub(super) fn finish(self) -> Option<Batch> {
        (!self.batch.entries.is_empty()).then_some(self.batch)
    }
}
