//! The hub as one client's session sees it: its queue and its subscriptions. Requests are in [`super::requests`].

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::{Duration, Instant};

use super::client_assets::AssetRequests;
use super::demand::DemandChange;
use super::outbox::{Closing, Control, ControlKind, Progress, Slice, Taken};
use super::queue::{Feed, Part};
use super::subscriptions::{Counts, Refused};
use super::{
    ClientId, ClientLimits, Hub, HubEvent, Queue, SLOW_CLIENT_ID, SlowClient, State, lock, summarize,
};
use crate::model::{Channel, ChannelId, SubscriptionId};
use crate::payload::transforms::Transforms;
use crate::protocol::{ClientChannelId, ServerMessage, ServiceId, Status, Subscription};

/// Sends what is queued for a client on the thread that has published it.
pub(crate) trait SendNow: Send + Sync {
    /// Does not wait. False: there is more to do, for which the client's task must be woken.
    fn send_now(&self) -> bool;
}

/// One connected client, as its session sees the hub. Leaves when dropped.
pub(crate) struct Client {
    pub(super) id: ClientId,
    pub(super) queue: Arc<Queue>,
    pub(super) hub: Hub,
    /// Channels that the client publishes on.
    pub(super) publishes: Mutex<BTreeSet<ClientChannelId>>,
    /// Requests that were not answered yet.
    pub(super) pending: Arc<AtomicUsize>,
    pub(super) assets: Arc<AssetRequests>,
    /// Why it leaves.
    leaves: OnceLock<String>,
}

impl Client {
    pub(super) fn new(id: ClientId, queue: Arc<Queue>, hub: Hub) -> Self {
        let assets = AssetRequests::new(&hub, &queue);
        let (publishes, pending, leaves) = (Mutex::default(), Arc::default(), OnceLock::new());
        Self { id, queue, hub, publishes, pending, assets, leaves }
    }

    pub(crate) fn id(&self) -> ClientId {
        self.id
    }

    /// How many clients there are.
    pub(crate) fn clients(&self) -> usize {
        self.hub.0.clients.load(Ordering::Relaxed)
    }

    /// What this client may have at once.
    pub(crate) fn limits(&self) -> ClientLimits {
        self.hub.0.options.limits
    }

    /// How far apart `time` frames are.
    pub(crate) fn time_resolution(&self) -> Duration {
        self.hub.0.options.time_resolution
    }

    /// The channel, if it is advertised.
    pub(crate) fn channel(&self, id: ChannelId) -> Option<Arc<Channel>> {
        lock(&self.hub.0.state).channels.advertised(id).cloned()
    }

    /// What the service is called, if it is offered.
    pub(crate) fn service_name(&self, id: ServiceId) -> Option<String> {
        lock(&self.hub.0.state).slots.services.as_ref()?.name(id)
    }

    /// Sends a message to this client alone.
    pub(crate) fn send(&self, message: &ServerMessage) {
        self.queue.control(ControlKind::Other, message.encode().into());
    }

    /// What is to be sent next; see [`super::outbox::Outbox::take`].
    pub(crate) fn take(&self, progress: Progress, now: Instant) -> Taken {
        let mut outbox = lock(&self.queue.outbox);
        let mut taken = outbox.take(progress, now);
        if outbox.overflowed() {
            taken.closing =
                Some(Closing { code: 1008, reason: "client does not read its messages", drain: false });
        }
        if taken.item.is_none() && outbox.recovered(now) {
            let remove = ServerMessage::RemoveStatus(vec![SLOW_CLIENT_ID.into()]).encode().into();
            taken.control.push(Control { kind: ControlKind::Other, frame: remove });
        }
        drop(outbox);
        self.hub.emptier();
        taken
    }

    /// Bytes that wait to be taken.
    pub(crate) fn queued_bytes(&self) -> usize {
        lock(&self.queue.outbox).queued_bytes()
    }

    /// Waits until there may be something to take.
    pub(crate) async fn wake(&self) {
        self.queue.wake.notified().await;
    }

    /// How small messages are sent without waking the client's task; the first way that is given counts.
    pub(crate) fn send_through(&self, outlet: Weak<dyn SendNow>) {
        self.queue.outlet.get_or_init(|| outlet);
    }

    /// Counts what was written to the client.
    pub(crate) fn count(&self, messages: u64, bytes: u64) {
        self.queue.messages.fetch_add(messages, Ordering::Relaxed);
        self.queue.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.hub.0.counters.messages.fetch_add(messages, Ordering::Relaxed);
        self.hub.0.counters.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Counts what is left of a part that was taken and is not sent.
    pub(crate) fn count_lost(&self, part: &Part) {
        let lost = lock(&self.queue.outbox).count_lost(part);
        self.hub.0.count_dropped(lost);
    }

    /// Messages that this client did not get, by topic; those of topics that are gone are under an empty name.
    pub(crate) fn dropped(&self) -> Vec<(String, u64)> {
        let state = lock(&self.hub.0.state);
        let outbox = lock(&self.queue.outbox);
        state.dropped(&outbox)
    }

    /// Subscribes; returns what is wrong with each subscription that is refused.
    pub(crate) fn subscribe(&self, subscriptions: &[Subscription], now: Instant) -> Vec<Status> {
        let (mut refused, mut beyond) = (Vec::new(), Vec::new());
        let limit = self.limits().subscriptions;
        let (mut subscribed, mut without_message, mut new) = (Vec::new(), Vec::new(), Vec::new());
        let mut state = lock(&self.hub.0.state);
        let state = &mut *state;
        for &Subscription { id, channel_id } in subscriptions {
            let Some(channel) = state.channels.advertised(channel_id) else {
                refused.push(Status::error(format!("subscription {id}: there is no channel {channel_id}")));
                continue;
            };
            let counts =
                Counts { transforms: Transforms::of(channel), is_latched: state.latch.contains(channel_id) };
            let mut outbox = lock(&self.queue.outbox);
            let since = outbox.next_number();
            if outbox.subscriptions().len() >= limit {
                beyond.push(id);
                continue;
            }
            let all = outbox.subscriptions_mut();
            match all.insert(id, channel_id, since) {
                Ok(()) => {
                    all.set_counts(channel_id, counts);
                    subscribed.push(channel_id);
                    new.push(channel.clone());
                }
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
            let latched = state.latch.messages_of(channel_id).map(|(batch, feed)| (batch, feed, false));
            let first = || {
                let batch = state.firsts.take(channel_id, self.id, now)?;
                Some((Arc::new(batch), Feed::Live, true))
            };
            let Some((batch, feed, timed)) = latched.or_else(first) else {
                outbox.await_backfill(channel_id);
                without_message.push(channel_id);
                continue;
            };
            let range = 0..batch.entries.len();
            let (bytes, _) = summarize(&batch, range.clone(), &mut state.slice_channels);
            let channels = &state.slice_channels;
            let slice = Slice { batch: &batch, range, bytes, channels, timed, feed };
            outbox.push(&slice, SlowClient::Wait, now);
            self.queue.wake.notify_one();
        }
        if let [first, others @ ..] = &beyond[..] {
            let others =
                if others.is_empty() { String::new() } else { format!(" and {} others", others.len()) };
            refused.push(Status::error(format!(
                "subscription {first}{others}: a client may have {limit} subscriptions at once"
            )));
        }
        if !subscribed.is_empty() {
            let (client, channels, without_message) = (self.id, &subscribed[..], &without_message[..]);
            self.hub.0.demand.change(&DemandChange::Subscribed { client, channels, without_message });
            self.hub.0.observers.tell(&HubEvent::Subscribed { client, channels: &new });
        }
        refused
    }

    /// Ends subscriptions; returns what is wrong with those that don't exist.
    pub(crate) fn unsubscribe(&self, ids: &[SubscriptionId]) -> Vec<Status> {
        let (mut unknown, mut ended) = (Vec::new(), Vec::new());
        let state = lock(&self.hub.0.state);
        let mut outbox = lock(&self.queue.outbox);
        for id in ids {
            match outbox.subscriptions_mut().remove(*id) {
                Some(channel) => ended.extend(channel),
                None => unknown.push(Status::warning(format!("there is no subscription {id} to end"))),
            }
        }
        drop(outbox);
        self.unsubscribed(&ended);
        drop(state);
        unknown
    }

    /// Keeps why the client leaves, for those who watch.
    pub(crate) fn leaves(&self, reason: String) {
        // the first reason is the one
        self.leaves.get_or_init(|| reason);
    }

    fn left(&self, state: &State) {
        let dropped = state.dropped(&lock(&self.queue.outbox)).iter().map(|(_topic, count)| count).sum();
        self.hub.0.observers.tell(&HubEvent::Left {
            client: self.id,
            reason: self.leaves.get().map_or("", String::as_str),
            messages: self.queue.messages.load(Ordering::Relaxed),
            bytes: self.queue.bytes.load(Ordering::Relaxed),
            dropped,
        });
    }

    fn unsubscribed(&self, channels: &[ChannelId]) {
        if !channels.is_empty() {
            self.hub.0.demand.change(&DemandChange::Unsubscribed { client: self.id, channels });
            self.hub.0.observers.tell(&HubEvent::Unsubscribed { client: self.id, channels });
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.end_publishing();
        self.assets.leave();
        let mut state = lock(&self.hub.0.state);
        state.members.remove(&self.id);
        for (channel, messages) in lock(&self.queue.outbox).dropped().0 {
            state.traffic.count_dropped(*channel, *messages);
        }
        self.hub.0.clients.store(state.members.len(), Ordering::Relaxed);
        let wanted: Vec<ChannelId> = lock(&self.queue.outbox).subscriptions().iter().collect();
        self.unsubscribed(&wanted);
        self.left(&state);
        drop(state);
        self.hub.0.left.notify_waiters();
        self.hub.emptier();
    }
}
