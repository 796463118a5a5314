//! The thread that keeps the graph up to date while somebody follows it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use crate::hub::capability::graph::GraphUpdater;
use crate::hub::{AlreadyProvided, Hub, WeakHub, lock};

/// Changes within this time are one update.
pub(super) const INTERVAL: Duration = Duration::from_millis(100);

/// A thread that nobody needs any more notices it within this time.
pub(super) const PATIENCE: Duration = Duration::from_secs(1);

/// Keeps the graph up to date while somebody follows it.
pub(in crate::hub) struct Keeper {
    hub: WeakHub,
    updater: GraphUpdater,
    is_stale: AtomicBool,
    /// Held from a look to the update: a later look must not be shown before an earlier one.
    refreshing: Mutex<()>,
    /// There is a thread.
    pub(super) is_attended: Mutex<bool>,
    changed: Condvar,
}

impl Keeper {
    pub(super) fn new(hub: &Hub) -> Result<Arc<Self>, AlreadyProvided> {
        Ok(Arc::new(Self {
            hub: hub.downgrade(),
            updater: hub.provide_graph()?,
            is_stale: AtomicBool::new(true),
            refreshing: Mutex::default(),
            is_attended: Mutex::new(false),
            changed: Condvar::new(),
        }))
    }

    /// May be called under the hub's lock.
    pub(super) fn touch(&self) {
        if !self.is_stale.swap(true, Ordering::SeqCst) {
            drop(lock(&self.is_attended));
            self.changed.notify_all();
        }
    }

    pub(super) fn refresh(&self, hub: &Hub) {
        let _one_at_a_time = lock(&self.refreshing);
        if self.is_stale.swap(false, Ordering::SeqCst) {
            let look = lock(&hub.0.state).look();
            let graph = look.graph(&hub.0.name);
            self.updater.update(|shown| *shown = graph);
        }
    }

    /// Starts the thread, if there is none.
    pub(super) fn attend(self: &Arc<Self>) {
        let mut is_attended = lock(&self.is_attended);
        if !*is_attended {
            let own = self.clone();
            let spawned = std::thread::Builder::new().name("graph".into()).spawn(move || own.run());
            *is_attended = spawned.is_ok();
        }
    }

    fn run(&self) {
        loop {
            let is_attended = lock(&self.is_attended);
            let is_fresh = |_: &mut bool| !self.is_stale.load(Ordering::SeqCst);
            let waited = self.changed.wait_timeout_while(is_attended, PATIENCE, is_fresh);
            drop(waited.unwrap_or_else(PoisonError::into_inner));
            let Some(hub) = self.hub.upgrade() else { return };
            if !hub.graph_is_followed() {
                *lock(&self.is_attended) = false;
                // somebody may have begun to follow it before that, and relied on this thread
                if !hub.graph_is_followed() || std::mem::replace(&mut *lock(&self.is_attended), true) {
                    return;
                }
            }
            if self.is_stale.load(Ordering::SeqCst) {
                std::thread::sleep(INTERVAL);
                self.refresh(&hub);
            }
        }
    }
}
