//! The newest batches, held whole so that what is kept of them need not be copied as it comes.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;

use crate::model::{Batch, Entry};

/// Bytes of batches that are held whole.
const MAX_WHOLE: usize = 4 << 20;

/// Identifies a batch that was held; they are numbered as they come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Number(u64);

#[derive(Debug, Default)]
pub(super) struct Batches {
    held: VecDeque<(Arc<Batch>, usize)>,
    /// The number of the first one that is held.
    first: u64,
    bytes: usize,
}

impl Batches {
    /// Holds a batch; a part of the one before it counts once.
    pub(super) fn hold(&mut self, batch: &Arc<Batch>) -> Number {
        if self.held.back().is_none_or(|(last, _)| !Arc::ptr_eq(last, batch)) {
            let bytes = batch.footprint();
            self.held.push_back((batch.clone(), bytes));
            self.bytes += bytes;
        }
        Number(self.first + self.held.len() as u64 - 1)
    }

    /// A payload, as a share of its batch.
    pub(super) fn payload(&self, number: Number, entry: &Entry) -> Option<Bytes> {
        let index = usize::try_from(number.0.checked_sub(self.first)?).ok()?;
        self.held.get(index).map(|(batch, _)| batch.payload_bytes(entry))
    }

    /// The oldest, where more are held than may be.
    pub(super) fn surplus(&mut self) -> Option<(Number, Arc<Batch>)> {
        if self.bytes <= MAX_WHOLE {
            return None;
        }
        let (batch, bytes) = self.held.pop_front()?;
        self.bytes -= bytes;
        self.first += 1;
        Some((Number(self.first - 1), batch))
    }

    /// Holds none any more.
    pub(super) fn clear(&mut self) {
        self.first += self.held.len() as u64;
        self.held = VecDeque::new();
        self.bytes = 0;
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.held.is_empty() && self.bytes == 0
    }

    #[cfg(test)]
    pub(super) fn check(&self) {
        assert_eq!(self.bytes, self.held.iter().map(|(_, bytes)| bytes).sum::<usize>());
        assert!(self.bytes <= MAX_WHOLE);
    }
}
