//! What messages that have not arrived in full may take, of several connections together.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::head::Violation;

/// Bytes of each connection that are not counted: a client with small messages is never refused for what others do.
const FREE: usize = 64 << 10;

const EXHAUSTED: Violation =
    Violation { code: 1013, reason: "too many unfinished messages; try again later" };

/// Bytes that connections share; clones are the same budget.
#[derive(Debug, Clone)]
pub struct Budget {
    limit: usize,
    taken: Arc<AtomicUsize>,
}

impl Budget {
    /// Of so many bytes.
    pub fn new(limit: usize) -> Self {
        Self { limit, taken: Arc::default() }
    }
}

/// What one connection takes of a budget; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Charge {
    budget: Budget,
    bytes: usize,
}

impl Charge {
    pub(super) fn new(budget: &Budget) -> Self {
        Self { budget: budget.clone(), bytes: 0 }
    }

    /// The connection holds so many bytes now.
    pub(super) fn set(&mut self, held: usize) -> Result<(), Violation> {
        let bytes = held.saturating_sub(FREE);
        if bytes > self.bytes {
            let more = bytes - self.bytes;
            let before = self.budget.taken.fetch_add(more, Ordering::Relaxed);
            self.bytes = bytes;
            if before + more > self.budget.limit {
                return Err(EXHAUSTED);
            }
        } else if bytes < self.bytes {
            self.budget.taken.fetch_sub(self.bytes - bytes, Ordering::Relaxed);
            self.bytes = bytes;
        }
        Ok(())
    }

    /// The connection holds nothing.
    pub(super) fn release(&mut self) {
        self.budget.taken.fetch_sub(std::mem::take(&mut self.bytes), Ordering::Relaxed);
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.release();
    }
}
