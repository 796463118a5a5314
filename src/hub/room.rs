//! Whether everybody can take more, and who is told when that changes.

use std::sync::atomic::Ordering;

use super::outbox::Outbox;
use super::{Hub, State, lock};

impl Hub {
    /// Whether every client and every tap can take another batch: less than its budget, and for clients less than
    /// `lead` bytes, is queued for it. If not, the provider is told when that may have changed.
    pub(crate) fn has_room(&self, lead: usize) -> bool {
        self.or_wait(|state| {
            state.taps.iter().all(|tap| tap.has_room()) && state.every_queue(|outbox| outbox.has_room(lead))
        })
    }

    /// Whether every client has been handed all that was published. If not, as with [`Hub::has_room`].
    pub(crate) fn is_drained(&self) -> bool {
        self.or_wait(|state| state.every_queue(Outbox::is_drained))
    }

    fn or_wait(&self, satisfied: impl Fn(&State) -> bool) -> bool {
        if satisfied(&lock(&self.0.state)) {
            return true;
        }
        self.0.waiting.store(true, Ordering::SeqCst);
        // a queue may have become emptier just before
        satisfied(&lock(&self.0.state))
    }

    /// A queue has become emptier: tells the provider if it waits for that.
    pub(super) fn emptier(&self) {
        if self.0.waiting.load(Ordering::Relaxed)
            && self.0.waiting.swap(false, Ordering::SeqCst)
            && let Some(provider) = self.0.provider.get()
        {
            provider.room();
        }
    }
}

impl State {
    fn every_queue(&self, satisfied: impl Fn(&Outbox) -> bool) -> bool {
        self.members.values().all(|member| satisfied(&lock(&member.queue.outbox)))
    }
}
