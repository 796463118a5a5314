//! The hub as one client's session sees it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::outbox::{self, Closing, ControlKind, Slice, Taken};
use super::subscriptions::Refused;
use super::{ClientId, Hub, Queue, SLOW_CLIENT_ID, SlowClient, lock, summarize};
use crate::model::{Channel, ChannelId, SubscriptionId};
use crate::protocol::{PlaybackControlRequest, ServerMessage, Status, Subscription};

/// One connected client, as its session sees the hub. Leaves when dropped.
pub(crate) struct Client {
    pub(super) id: ClientId,
    pub(super) queue: Arc<Queue>,
    pub(super) hub: Hub,
}

impl Client {
    pub(crate) fn id(&self) -> ClientId {
        self.id
    }

    /// How far apart `time` frames are.
    pub(crate) fn time_resolution(&self) -> Duration {
        self.hub.0.options.time_resolution
    }

    /// The channel, if it is advertised.
    pub(crate) fn channel(&self, id: ChannelId) -> Option<Arc<Channel>> {
        lock(&self.hub.0.state).channels.advertised(id).cloned()
    }

    /// Sends a message to this client alone.
    pub(crate) fn send(&self, message: &ServerMessage) {
        self.queue.control(ControlKind::Other, message.encode().into());
    }

    /// What is to be sent next; see [`Outbox::take`].
    pub(crate) fn take(&self, hands_free: bool, now: Instant) -> Taken {
        let mut outbox = lock(&self.queue.outbox);
        let mut taken = outbox.take(hands_free);
        if outbox.overflowed() {
            taken.closing =
                Some(Closing { code: 1008, reason: "client does not read its messages", drain: false });
        }
        if taken.item.is_none() && outbox.recovered(now) {
            let remove = ServerMessage::RemoveStatus(vec![SLOW_CLIENT_ID.into()]).encode().into();
            taken.control.push(outbox::Control { kind: ControlKind::Other, frame: remove });
        }
        drop(outbox);
        self.hub.emptier();
        taken
    }

    /// Waits until there may be something to take.
    pub(crate) async fn wake(&self) {
        self.queue.wake.notified().await;
    }

    /// Counts what was written to the client.
    pub(crate) fn count(&self, messages: u64, bytes: u64) {
        self.hub.0.counters.messages.fetch_add(messages, Ordering::Relaxed);
        self.hub.0.counters.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Messages that this client did not get, by topic.
    pub(crate) fn dropped(&self) -> Vec<(String, u64)> {
        let state = lock(&self.hub.0.state);
        let outbox = lock(&self.queue.outbox);
        let topic = |id| state.channels.advertised(id).map(|channel| channel.topic.clone());
        outbox.dropped().iter().map(|(id, count)| (topic(*id).unwrap_or_default(), *count)).collect()
    }

    /// Subscribes; returns what is wrong with each subscription that is refused.
    pub(crate) fn subscribe(&self, subscriptions: &[Subscription], now: Instant) -> Vec<Status> {
        let mut refused = Vec::new();
        let mut without_state = Vec::new();
        let mut state = lock(&self.hub.0.state);
        let state = &mut *state;
        for &Subscription { id, channel_id } in subscriptions {
            if state.channels.advertised(channel_id).is_none() {
                refused.push(Status::error(format!("subscription {id}: there is no channel {channel_id}")));
                continue;
            }
            let mut outbox = lock(&self.queue.outbox);
            let since = outbox.next_number();
            match outbox.subscriptions_mut().insert(id, channel_id, since) {
                Ok(()) => {}
                Err(Refused::IdInUse) => {
                    refused.push(Status::error(format!("subscription {id} exists already")));
                    continue;
                }
                Err(Refused::AlreadySubscribed) => {
                    refused.push(Status::warning(format!(
                        "channel {channel_id} is subscribed to already; subscription {id} is ignored"
                    )));
                    continue;
                }
            }
            match state.latch.last(channel_id) {
                Some(batch) => {
                    let (bytes, _) = summarize(batch, 0..1, &mut state.slice_channels);
                    let channels = &state.slice_channels;
                    outbox.push(
                        &Slice { batch, range: 0..1, bytes, channels, timed: false },
                        SlowClient::Wait,
                        now,
                    );
                    self.queue.wake.notify_one();
                }
                None => without_state.push(channel_id),
            }
        }
        if let Some(provider) = self.hub.0.provider.get() {
            provider.subscribed(self.id, without_state);
        }
        refused
    }

    /// Ends subscriptions; returns what is wrong with those that don't exist.
    pub(crate) fn unsubscribe(&self, ids: &[SubscriptionId]) -> Vec<Status> {
        let mut outbox = lock(&self.queue.outbox);
        ids.iter()
            .filter(|id| !outbox.subscriptions_mut().remove(**id))
            .map(|id| Status::warning(format!("there is no subscription {id} to end")))
            .collect()
    }

    /// Passes a playback control request on; None if nothing here can be controlled.
    pub(crate) fn control(&self, request: PlaybackControlRequest) -> Option<()> {
        let mut state = lock(&self.hub.0.state);
        let provider = self.hub.0.provider.get().filter(|_| state.range.is_some())?;
        if let Some(member) = state.members.get_mut(&self.id) {
            member.controls = true;
        }
        drop(state);
        provider.control(self.id, request);
        Some(())
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        lock(&self.hub.0.state).members.remove(&self.id);
        self.hub.0.left.notify_waiters();
        self.hub.emptier();
    }
}
