//! Who is woken once something was published.

use std::sync::Arc;

use super::Queue;

/// Clients for which little has been queued: it is sent by the thread that publishes it, once the hub's lock is free.
/// Where there is more to send, waking the clients' tasks costs little beside it, and they run side by side.
#[must_use]
#[derive(Default)]
pub(super) struct Woken([Option<Arc<Queue>>; Woken::CLIENTS]);

impl Woken {
    pub(super) const CLIENTS: usize = 4;
    /// In bytes of payload, for each client.
    pub(super) const LARGEST: usize = 48 << 10;

    pub(super) fn add(&mut self, queue: Arc<Queue>) {
        match self.0.iter_mut().find(|place| place.is_none()) {
            Some(place) => *place = Some(queue),
            None => queue.wake.notify_one(),
        }
    }

    pub(super) fn extend(&mut self, more: Self) {
        more.0.into_iter().flatten().for_each(|queue| self.add(queue));
    }

    pub(super) fn send(self) {
        self.0.into_iter().flatten().for_each(|queue| queue.send_now());
    }
}
