//! What the unfinished lines of all inputs of a server take together.
//!
//! A piece of each input is free of this; lines that outgrow it share [`TOGETHER`], so that many writers with long lines
//! that never end take no more than a few.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes of all; more if a single line may have more.
pub(super) const TOGETHER: usize = 64 << 20;

/// The share of one input; given back when it is dropped.
#[derive(Debug, Default)]
pub(super) struct Share {
    all: Arc<AtomicUsize>,
    own: usize,
}

impl Share {
    pub(super) fn of(all: &Arc<AtomicUsize>) -> Self {
        Self { all: all.clone(), own: 0 }
    }

    /// Takes this much instead of what it has; false, and nothing is changed, if all would have more than `most`.
    pub(super) fn resize(&mut self, bytes: usize, most: usize) -> bool {
        let own = self.own;
        let next = |all: usize| {
            let all = all - own + bytes;
            (bytes <= own || all <= most).then_some(all)
        };
        let fits = self.all.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).is_ok();
        if fits {
            self.own = bytes;
        }
        fits
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.all.fetch_sub(self.own, Ordering::Relaxed);
    }
}
