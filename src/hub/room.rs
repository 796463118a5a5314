//! Whether everybody can take more, and who is called when that changes.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::{Hub, Publisher, lock};

/// A blocking wait looks again this often whether it is to end.
const PATIENCE: Duration = Duration::from_millis(200);

type OnRoom = Box<dyn Fn() + Send + Sync>;

/// Those who wait until a queue has become emptier.
#[derive(Default)]
pub(super) struct Room {
    /// Somebody waits.
    waiting: AtomicBool,
    changes: Mutex<u64>,
    changed: Condvar,
    notify: Notify,
    listeners: Mutex<Vec<OnRoom>>,
}

impl fmt::Debug for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Room").field("waiting", &self.waiting).finish_non_exhaustive()
    }
}

impl Publisher {
    /// Whether every client and every tap can take another batch: less than its budget, and for clients less than
    /// `lead` bytes, is queued for it. If not, what was given to [`Publisher::on_room`] is called when that may have
    /// changed.
    pub(crate) fn has_room(&self, lead: usize) -> bool {
        let room = &self.0.0.room;
        if self.0.looks_roomy(lead) {
            return true;
        }
        room.waiting.store(true, Ordering::SeqCst);
        // a queue may have become emptier just before
        self.0.looks_roomy(lead)
    }

    /// Calls `call` when [`Publisher::has_room`] has said no and may now say yes. Must not block.
    pub(crate) fn on_room(&self, call: impl Fn() + Send + Sync + 'static) {
        lock(&self.0.0.room.listeners).push(Box::new(call));
    }

    /// Blocks until the queues of all clients, and that of a recorder, are below their limits, or `is_stopped`, which is asked
    /// five times a second. For an input that is to lose nothing ([`SlowClient::Wait`](super::SlowClient::Wait)): called
    /// before each batch.
    pub fn wait_for_room(&self, is_stopped: &dyn Fn() -> bool) {
        let room = &self.0.0.room;
        while !is_stopped() {
            let seen = *lock(&room.changes);
            if self.has_room(usize::MAX) {
                return;
            }
            let waited =
                room.changed.wait_timeout_while(lock(&room.changes), PATIENCE, |changes| *changes == seen);
            drop(waited.unwrap_or_else(PoisonError::into_inner));
        }
    }

    /// As [`Publisher::wait_for_room`], without blocking the thread.
    pub async fn room(&self) {
        loop {
            let changed = self.0.0.room.notify.notified();
            if self.has_room(usize::MAX) {
                return;
            }
            changed.await;
        }
    }
}

impl Hub {
    fn looks_roomy(&self, lead: usize) -> bool {
        let state = lock(&self.0.state);
        state.taps.iter().all(|tap| tap.has_room())
            && state.members.values().all(|member| lock(&member.queue.outbox).has_room(lead))
    }

    /// A queue has become emptier.
    pub(super) fn emptier(&self) {
        let room = &self.0.room;
        if room.waiting.load(Ordering::Relaxed) && room.waiting.swap(false, Ordering::SeqCst) {
            *lock(&room.changes) += 1;
            room.changed.notify_all();
            room.notify.notify_waiters();
            lock(&room.listeners).iter().for_each(|listener| listener());
        }
    }
}
