//! Channels that no client publishes on any more, and that stay for a moment.
//!
//! A channel that lingers is still claimed, so that who advertises it again gets it under its old id. A thread gives
//! claims back when they are due; it is there only while something lingers.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Instant;

use crate::hub::{WeakHub, lock};
use crate::model::ChannelId;
use crate::registry::Registry;

/// Claims that linger; beyond it those go first that are due first. A client that advertises and takes back as fast as it
/// can must not fill the memory with what lingers.
const MOST: usize = 1000;

pub(super) struct Lingering {
    hub: WeakHub,
    registry: Registry,
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Default)]
struct Waiting {
    /// What is due first is on top.
    claims: BinaryHeap<Reverse<(Instant, ChannelId)>>,
    /// There is a thread.
    is_attended: bool,
}

impl Lingering {
    pub(super) fn new(hub: WeakHub, registry: Registry) -> Self {
        Self { hub, registry, waiting: Mutex::default(), changed: Condvar::new() }
    }

    /// A claim is to be given back at this time.
    pub(super) fn add(self: &Arc<Self>, channel: ChannelId, due: Instant) {
        let mut waiting = lock(&self.waiting);
        waiting.claims.push(Reverse((due, channel)));
        let too_many = waiting.claims.len() > MOST;
        let first = if too_many { waiting.claims.pop() } else { None };
        if !waiting.is_attended {
            let own = self.clone();
            let thread = std::thread::Builder::new().name("lingering".into()).spawn(move || own.attend());
            waiting.is_attended = thread.is_ok();
        }
        let without_thread = if waiting.is_attended { Vec::new() } else { waiting.claims.drain().collect() };
        drop(waiting);
        self.changed.notify_one();
        first.into_iter().chain(without_thread).for_each(|Reverse((_, channel))| self.give_back(channel));
    }

    /// Gives back what is due until nothing is left.
    fn attend(&self) {
        let mut waiting = lock(&self.waiting);
        while let Some(Reverse((due, channel))) = waiting.claims.peek().copied() {
            let left = due.saturating_duration_since(Instant::now());
            if left.is_zero() {
                waiting.claims.pop();
                drop(waiting);
                self.give_back(channel);
                waiting = lock(&self.waiting);
            } else {
                let waited = self.changed.wait_timeout(waiting, left);
                (waiting, _) = waited.unwrap_or_else(PoisonError::into_inner);
            }
        }
        waiting.is_attended = false;
    }

    fn give_back(&self, channel: ChannelId) {
        if self.registry.release(channel)
            && let Some(hub) = self.hub.upgrade()
        {
            hub.publisher().retire(&[channel]);
        }
    }
}
