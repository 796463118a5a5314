//! The way from a playback into the hub.

use std::cell::Cell;
use std::ops::Range;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::inbox::{Event, PlayerHandle};
use super::stage::Direction;
use crate::hub::capability::playback::{Playback, PlaybackRequest};
use crate::hub::playback::PlaybackProvider;
use crate::hub::responder::Responder;
use crate::hub::{ClientId, Hub, SlowClient};
use crate::model::{Batch, Channel, ChannelId};
use crate::protocol::{PlaybackControlRequest, PlaybackState, Status};
use crate::time::{TimeRange, Timestamp};

/// How long what must not overtake messages waits for slow clients that are not waited for otherwise.
const DRAIN_LIMIT: Duration = Duration::from_secs(1);

/// Publishes into a hub.
pub(super) struct Publisher {
    hub: Hub,
    /// Of the last messages.
    policy: Cell<SlowClient>,
}

impl Publisher {
    /// Registers a player in a hub. With a `range` clients may control it.
    pub(super) fn connect(hub: Hub, player: PlayerHandle, range: Option<TimeRange>) -> Self {
        hub.set_provider(Box::new(player), range);
        let policy = Cell::new(hub.on_slow_client());
        Self { hub, policy }
    }

    pub(super) fn announce(&self, channels: &[Arc<Channel>]) {
        self.hub.advertise(channels);
    }

    pub(super) fn retire(&self, channels: &[ChannelId]) {
        self.drain();
        self.hub.retire(channels);
    }

    pub(super) fn publish(&self, batch: &Arc<Batch>, range: Range<usize>, policy: SlowClient, now: Instant) {
        self.policy.set(policy);
        self.hub.publish(batch, range, policy, now);
    }

    pub(super) fn backfill(&self, batch: Batch, to: Option<ClientId>, now: Instant) {
        self.hub.publish_state(batch, to, now);
    }

    pub(super) fn seek(&self, state: PlaybackState, time: Timestamp, direction: Direction) {
        self.hub.jump(state, time, direction == Direction::Back);
    }

    pub(super) fn lap(&self, state: PlaybackState) {
        self.drain();
        let time = state.current_time;
        self.hub.jump(state, time, true);
    }

    pub(super) fn restart(&self, time: Timestamp, now: Instant) {
        self.drain();
        self.hub.restart(time, now);
    }

    pub(super) fn playback_changed(&self, state: PlaybackState) {
        self.hub.playback_changed(state);
    }

    pub(super) fn tick(&self, time: Timestamp) {
        self.hub.tick(time);
    }

    pub(super) fn notice(&self, status: &Status) {
        self.hub.notice(status);
    }

    pub(super) fn has_room(&self, lead: usize) -> bool {
        self.hub.has_room(lead)
    }

    pub(super) fn subscribers(&self) -> usize {
        self.hub.subscribers()
    }

    pub(super) fn wanted_channels(&self) -> Vec<ChannelId> {
        self.hub.wanted_channels()
    }

    pub(super) fn on_slow_client(&self) -> SlowClient {
        self.hub.on_slow_client()
    }

    /// Lets clients take what was published before.
    fn drain(&self) {
        let limit = Instant::now() + DRAIN_LIMIT;
        while !self.hub.is_drained() && (self.policy.get() == SlowClient::Wait || Instant::now() < limit) {
            thread::sleep(Duration::from_millis(1));
        }
    }
}

impl PlaybackProvider for PlayerHandle {
    fn control(&self, client: ClientId, request: PlaybackControlRequest) {
        self.request(PlaybackRequest::of_client(client, request), Responder::ignore());
    }

    fn subscribed(&self, client: ClientId, without_state: Vec<ChannelId>) {
        self.send(Event::Subscribed(client, without_state));
    }

    fn room(&self) {
        self.send(Event::Room);
    }
}
