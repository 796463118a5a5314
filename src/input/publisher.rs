//! The way of live input into the hub.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::hub::playback::PlaybackProvider;
use crate::hub::restart::RestartWatch;
use crate::hub::{ClientId, Hub, SlowClient, lock};
use crate::model::{Batch, ChannelId};
use crate::protocol::{PlaybackControlRequest, Status};
use crate::time::Timestamp;

/// A wait looks again this often, even if nothing says that anything has changed.
const PATIENCE: Duration = Duration::from_millis(200);

/// How long what must not overtake messages (a change of channels, a restart) waits for clients that are not waited for
/// otherwise.
const DRAIN_LIMIT: Duration = Duration::from_secs(1);

/// Publishes live input; clones share it.
#[derive(Clone)]
pub(super) struct Publisher(Arc<Shared>);

struct Shared {
    hub: Hub,
    feed: Mutex<Feed>,
    room: Room,
}

/// What all inputs share while they publish.
#[derive(Default)]
struct Feed {
    watch: RestartWatch,
    /// Messages received.
    received: u64,
}

/// Wakes waiting inputs when a queue has become emptier.
#[derive(Default)]
struct Room {
    changes: Mutex<u64>,
    changed: Condvar,
}

struct Provider(Arc<Shared>);

impl PlaybackProvider for Provider {
    fn control(&self, _request: PlaybackControlRequest) {}

    fn subscribed(&self, _client: ClientId, _without_state: Vec<ChannelId>) {}

    fn room(&self) {
        *lock(&self.0.room.changes) += 1;
        self.0.room.changed.notify_all();
    }
}

impl Publisher {
    pub(super) fn new(hub: &Hub) -> Self {
        let shared = Arc::new(Shared { hub: hub.clone(), feed: Mutex::default(), room: Room::default() });
        hub.set_provider(Box::new(Provider(shared.clone())), None);
        Self(shared)
    }

    /// Retires, announces and publishes; where the time of a topic that was up to date goes back, restarts. All inputs
    /// share one lock here, so that two that go back at once make one restart.
    pub(super) fn publish_live(&self, batch: Batch, now: Instant) {
        let Shared { hub, feed, .. } = &*self.0;
        let mut feed = lock(feed);
        if !batch.retired.is_empty() {
            self.drain();
            hub.retire(&batch.retired);
        }
        hub.advertise(&batch.announcements);
        let batch = &Arc::new(batch);
        let mut from = 0;
        while from < batch.entries.len() {
            let restart = feed.watch.first_restart(&batch.entries[from..], now);
            let upto = restart.map_or(batch.entries.len(), |index| from + index);
            if upto > from {
                feed.received += (upto - from) as u64;
                hub.publish(batch, from..upto, hub.on_slow_client(), now);
                from = upto;
            }
            if restart.is_some() {
                let (newest, time) = (feed.watch.newest(), batch.entries[from].log_time);
                tracing::info!("time went back from {newest} to {time}: viewers restart");
                self.drain();
                feed.watch.restart(now);
                hub.restart(time, now);
            }
        }
    }

    /// Waits until every queue has room, or until it is stopped.
    pub(super) fn wait_for_room(&self, is_stopped: &dyn Fn() -> bool) {
        self.wait_until(|hub| hub.has_room(usize::MAX) || is_stopped(), None);
    }

    pub(super) fn notice(&self, status: &Status) {
        self.0.hub.notice(status);
    }

    pub(super) fn on_slow_client(&self) -> SlowClient {
        self.0.hub.on_slow_client()
    }

    /// The newest time of live input.
    pub(super) fn live_time(&self) -> Option<Timestamp> {
        let feed = lock(&self.0.feed);
        (feed.received > 0).then(|| feed.watch.newest())
    }

    /// Messages of live input.
    pub(super) fn live_messages(&self) -> u64 {
        lock(&self.0.feed).received
    }

    fn drain(&self) {
        let limit = match self.on_slow_client() {
            SlowClient::Drop => Some(Instant::now() + DRAIN_LIMIT),
            SlowClient::Wait => None,
        };
        self.wait_until(Hub::is_drained, limit);
    }

    fn wait_until(&self, satisfied: impl Fn(&Hub) -> bool, limit: Option<Instant>) {
        let Room { changes, changed } = &self.0.room;
        while limit.is_none_or(|limit| Instant::now() < limit) {
            let seen = *lock(changes);
            if satisfied(&self.0.hub) {
                return;
            }
            let waited = changed.wait_timeout_while(lock(changes), PATIENCE, |changes| *changes == seen);
            drop(waited.unwrap_or_else(PoisonError::into_inner));
        }
    }
}
