//! A tap: somebody within the program who takes all that is published, whether clients want it or not.
//!
//! It waits on a thread of its own, as a client's task does on the runtime. Putting something in never blocks.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::queue::Feed;
use super::{Hub, lock};
use crate::model::Batch;
pub(super) use waiting::TapQueue;
pub(crate) use waiting::{Next, Published};

mod waiting;

/// Takes what is published. Closes when dropped.
pub(crate) struct Tap {
    queue: Arc<TapQueue>,
    hub: Hub,
}

impl Hub {
    /// A tap that starts with the channels known so far. `limit`: data queued for it, in bytes, and one batch;
    /// playback that waits for slow clients waits for it too, otherwise it loses what goes beyond.
    pub(crate) fn tap(&self, limit: usize) -> Tap {
        self.tap_and_latched(limit).0
    }

    /// The same with what still counts, at its beginning, of latched channels, and who has published that.
    pub(crate) fn tap_and_latched(&self, limit: usize) -> (Tap, Vec<(Arc<Batch>, Feed)>) {
        let queue = Arc::new(TapQueue::new(limit));
        self.flush_logged();
        let mut state = lock(&self.0.state);
        let known: Vec<_> = state.channels.known().cloned().collect();
        queue.push_channels(&known);
        state.taps.push(queue.clone());
        self.0.demand.set_taps(state.taps.len());
        let latched = state.latch.messages();
        drop(state);
        (Tap { queue, hub: self.clone() }, latched)
    }

    /// Ends all taps: what is published from now on is nothing new.
    pub(crate) fn end_taps(&self) {
        self.flush_logged();
        let mut state = lock(&self.0.state);
        let taps = std::mem::take(&mut state.taps);
        self.0.demand.set_taps(0);
        drop(state);
        taps.iter().for_each(|tap| tap.close());
        self.emptier();
    }
}

/// Wakes the thread that waits in [`Tap::next`]. Does not keep the hub alive.
#[derive(Debug, Clone)]
pub(crate) struct Wake(Arc<TapQueue>);

impl Wake {
    /// Has [`Tap::next`] return [`Next::Woken`], also of a tap that is closed.
    pub(crate) fn wake(&self) {
        self.0.wake();
    }
}

impl Tap {
    /// What wakes its thread.
    pub(crate) fn waker(&self) -> Wake {
        Wake(self.queue.clone())
    }

    /// What is next; blocks until there is something, or the deadline has passed. What was returned before is done with.
    pub(crate) fn next(&self, deadline: Option<Instant>) -> Next {
        let taken = self.queue.take();
        // also where nothing is left: what was in hand took room until now
        self.hub.emptier();
        taken.map_or_else(|| self.queue.wait(deadline), Next::Published)
    }

    /// Nothing more is put in, and what is there is of no use any more.
    pub(crate) fn abandon(&self) {
        self.close();
        self.queue.clear();
    }

    /// Messages that were lost because they were not taken fast enough, so far.
    pub(crate) fn lost(&self) -> u64 {
        self.queue.lost()
    }

    /// Nothing more is put in; what is there can still be taken.
    pub(crate) fn close(&self) {
        self.hub.flush_logged();
        let mut state = lock(&self.hub.0.state);
        state.taps.retain(|tap| !Arc::ptr_eq(tap, &self.queue));
        self.hub.0.demand.set_taps(state.taps.len());
        drop(state);
        self.queue.close();
        self.hub.emptier();
    }

    /// Tells the snapshot how many bytes have been recorded.
    pub(crate) fn count_recorded(&self, bytes: u64) {
        self.hub.0.counters.recorded.store(bytes, Ordering::Relaxed);
    }

    pub(crate) fn hub(&self) -> &Hub {
        &self.hub
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.close();
    }
}

#[cfg(test)]
mod tests;
