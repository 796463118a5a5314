//! The way into the hub, for every input: players, live streams, an embedder's own code.

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::channels::NotOffered;
use super::order::{By, Direction, state_kind};
use super::outbox::{Encoded, Slice};
use super::queue::Feed;
use super::woken::Woken;
use super::{ClientId, Hub, HubEvent, SlowClient, lock, summarize};
use crate::model::{Batch, Channel, ChannelId, Fate};
use crate::protocol::{PlaybackState, ServerMessage};
use crate::time::Timestamp;

/// Puts channels and messages into a hub. Clones share it; several publishers of one hub are served together.
///
/// An embedder announces channels, publishes with [`Publisher::publish_live`], and retires channels that end. Nothing here
/// waits but [`Publisher::wait_for_room`] and [`Publisher::room`].
///
/// # Example
///
/// ```
/// use std::time::Instant;
/// use foxglove_bridge::hub::{Hub, HubOptions};
/// use foxglove_bridge::model::{Batch, Entry};
/// use foxglove_bridge::registry::ChannelSpec;
/// use foxglove_bridge::time::Timestamp;
///
/// let hub = Hub::new("robot", HubOptions::default());
/// let imu = hub.registry().claim(ChannelSpec::json("/imu"))?.channel;
/// let publisher = hub.publisher();
/// publisher.announce(&[imu.clone()]);
/// let mut batch = Batch::default();
/// batch.push_copy(&Entry::at(imu.id, Timestamp::now()), br#"{"ax":0.1}"#);
/// publisher.publish_live(batch, Instant::now());
/// // it ends: viewers see it no more, and its topic is free
/// if hub.registry().release(imu.id) {
///     publisher.retire(&[imu.id]);
/// }
/// # Ok::<(), foxglove_bridge::registry::NoMoreIds>(())
/// ```
#[derive(Clone)]
pub struct Publisher(pub(super) Hub);

impl Publisher {
    /// Offers channels to clients that are connected and to those that come. One on the topic of another channel takes its
    /// place. A channel that is known, or that was retired before, is passed over.
    ///
    /// Claim the channels of everything that publishes into one hub from [`Hub::registry`]: with two registries, two channels
    /// have one id. The later one is not offered then, which is logged as an error and shown to viewers as a status.
    pub fn announce(&self, channels: &[Arc<Channel>]) {
        self.0.flush_logged();
        let refused = lock(&self.0.0.state).announce(&self.0.0, channels, Instant::now());
        self.refuse(&refused);
    }

    /// Whether these channels can be announced beside those that are known. Not if they are from another registry.
    pub(crate) fn check_ids(&self, channels: &[Arc<Channel>]) -> Result<(), NotOffered> {
        lock(&self.0.0.state).channels.taken(channels).map_or(Ok(()), Err)
    }

    /// Takes channels back. What was published of them before is still sent.
    pub fn retire(&self, channels: &[ChannelId]) {
        self.0.flush_logged();
        lock(&self.0.0.state).retire(&self.0.0, channels);
    }

    /// Publishes messages of playback that are due. `policy` overrides the option of the hub.
    pub(crate) fn publish(&self, batch: &Arc<Batch>, range: Range<usize>, policy: SlowClient, now: Instant) {
        let mut state = lock(&self.0.0.state);
        let forgotten = state.begin_after_clients(&self.0, &batch.entries[range.clone()], policy, now);
        state.playback_policy = policy;
        let woken = state.publish(&self.0.0, batch, range, By::Playback, policy, now);
        drop(state);
        woken.send();
        self.0.repeat_followed(forgotten);
    }

    /// Counts how late messages are that [`Publisher::publish`] publishes now.
    pub(crate) fn count_lag(&self, late: Duration) {
        self.0.0.counters.lag.count(late);
    }

    /// Publishes messages at once: retires what the batch retires, announces what it announces, sends the rest.
    ///
    /// `now`: when this is called, `Instant::now()`. From it the hub knows how long messages have waited for a slow client, and
    /// how long ago the last restart was; messages go out with their log times.
    ///
    /// Where the time of a topic that was up to date goes back, the source has restarted: viewers get a new session. Inputs
    /// that go back together make one restart. Messages of channels that are not announced, or that another input has
    /// retired meanwhile, are left out. Messages that are [unsent](Batch::unsent) only count for late subscribers.
    pub fn publish_live(&self, batch: Batch, now: Instant) {
        self.0.flush_logged();
        self.publish_with(batch, self.0.on_slow_client(), now);
    }

    /// The same with a policy of its own, and not after what is gathered.
    pub(super) fn publish_with(&self, mut batch: Batch, policy: SlowClient, now: Instant) {
        let mut state = lock(&self.0.0.state);
        state.retire(&self.0.0, &batch.retired);
        let refused = state.announce(&self.0.0, &batch.announcements, now);
        if batch.entries.iter().any(|entry| !state.channels.is_known(entry.channel)) {
            let channels = &state.channels;
            batch.sift(|entry, _| if channels.is_known(entry.channel) { Fate::Sent } else { Fate::Dropped });
        }
        let mut forgotten = state.begin_after_clients(&self.0, &batch.entries, policy, now);
        let (batch, mut from) = (Arc::new(batch), 0);
        let (mut restarted, mut woken) = (None, Woken::default());
        if batch.entries.is_empty() {
            // what is not sent
            woken.extend(state.publish(&self.0.0, &batch, 0..0, By::Live, policy, now));
        }
        while from < batch.entries.len() {
            let before = state.watch.newest();
            let restart = state.watch.first_restart(&batch.entries[from..], now);
            let upto = restart.map_or(batch.entries.len(), |index| from + index);
            if upto > from {
                state.live_messages += (upto - from) as u64;
                woken.extend(state.publish(&self.0.0, &batch, from..upto, By::Live, policy, now));
                from = upto;
            }
            if restart.is_some() {
                let time = batch.entries[from].log_time;
                restarted = Some((before.max(state.watch.newest()), time));
                state.watch.restart(now);
                forgotten = state.restart(&self.0, time, policy, now);
            }
        }
        drop(state);
        woken.send();
        self.refuse(&refused);
        self.0.repeat_followed(forgotten);
        if let Some((before, time)) = restarted {
            tracing::info!("time went back from {before} to {time}: viewers get a new session");
        }
    }

    /// Publishes messages for one client, as far as it subscribes to them. They are neither recorded nor latched.
    pub(super) fn publish_to(&self, client: ClientId, batch: Batch, now: Instant) {
        self.0.flush_logged();
        let mut state = lock(&self.0.0.state);
        let state = &mut *state;
        let Some(member) = state.members.get(&client) else { return };
        let batch = &Arc::new(batch);
        let range = 0..batch.entries.len();
        let (bytes, _) = summarize(batch, range.clone(), &mut state.slice_channels);
        let channels = &state.slice_channels;
        let slice = Slice { batch, range, bytes, channels, timed: true, feed: Feed::Live };
        if self.0.0.push(member, &slice, SlowClient::Drop, now) {
            member.queue.wake.notify_one();
        }
    }

    /// Sends what still counts of messages from before a time: to one client, or to all.
    ///
    /// To one client it is the answer to its subscriptions: what it has been sent of a channel meanwhile is newer, and makes
    /// the backfill of that channel void.
    pub(crate) fn backfill(&self, mut batch: Batch, to: Option<ClientId>, now: Instant) {
        let mut state = lock(&self.0.0.state);
        let state = &mut *state;
        if let Some(member) = to.and_then(|to| state.members.get(&to)) {
            let outbox = lock(&member.queue.outbox);
            batch.entries.retain(|entry| outbox.awaits_backfill(entry.channel));
        }
        let batch = &Arc::new(batch);
        let range = 0..batch.entries.len();
        let (bytes, _) = summarize(batch, range.clone(), &mut state.slice_channels);
        if to.is_none() {
            state.latch.keep(batch, range.clone(), &state.slice_channels, Feed::Playback);
        }
        let (channels, feed) = (&state.slice_channels, Feed::Playback);
        let slice = Slice { batch, range, bytes, channels, timed: false, feed };
        for (id, member) in &state.members {
            if to.is_none_or(|to| to == *id) && self.0.0.push(member, &slice, SlowClient::Wait, now) {
                member.queue.wake.notify_one();
            }
        }
    }

    /// Continues elsewhere: nothing that [`Publisher::publish`] has published before reaches a client after this. What live
    /// input has published stays.
    ///
    /// If time goes back, clients that don't know playback states get a new session, which is what makes their panels
    /// start clean: after a silence, and one for several such seeks. What is published meanwhile waits for it in their
    /// queues. The others get the state, whose `did_seek` says what happened. `time`: that of the messages to come.
    pub(crate) fn seek(&self, playback: PlaybackState, time: Timestamp, direction: Direction) {
        let forgotten = lock(&self.0.0.state).seek(&self.0, playback, time, direction);
        self.0.repeat_followed(forgotten);
    }

    /// Starts again at the beginning of a recording: as [`Publisher::seek`] back, but what was published before is still
    /// sent before it. With [`SlowClient::Drop`] a client that is far behind loses its backlog instead, which is counted. Where
    /// [`Publisher::laps_are_sessions`], nothing should be published for [`SILENCE`](super::outbox::SILENCE) after it.
    pub(crate) fn lap(&self, playback: PlaybackState, policy: SlowClient, now: Instant) {
        let forgotten = lock(&self.0.0.state).lap(&self.0, playback, policy, now);
        self.0.repeat_followed(forgotten);
    }

    /// Whether a client is connected for which a lap is a new session, with a silence before it.
    pub(crate) fn laps_are_sessions(&self) -> bool {
        lock(&self.0.0.state).members.values().any(|member| !member.controls)
    }

    /// The time of a stream goes back: every client gets a new session, then the messages of latched channels, after what
    /// was published before. With [`SlowClient::Drop`] a client that is far behind loses its backlog instead.
    #[doc(hidden)]
    pub fn restart(&self, time: Timestamp, policy: SlowClient, now: Instant) {
        let forgotten = lock(&self.0.0.state).restart(&self.0, time, policy, now);
        self.0.repeat_followed(forgotten);
    }

    /// What was published before is published once more, from this time on: it is not recorded again, no late subscriber
    /// gets latched messages of the end, and every client gets a new session.
    #[doc(hidden)]
    pub fn replay(&self, time: Timestamp, now: Instant) {
        self.0.end_taps();
        let mut state = lock(&self.0.0.state);
        state.latch.clear_all();
        let forgotten = state.restart(&self.0, time, SlowClient::Drop, now);
        drop(state);
        self.0.repeat_followed(forgotten);
    }

    /// What playback is doing now, for clients that know playback states; after the messages published before. Who provides
    /// playback calls it after each change; without a provider nothing is sent. A [`Player`](crate::playback::Player) does
    /// it by itself.
    ///
    /// After a seek (`did_seek`) messages of an earlier time don't mean that their source has restarted, and where time goes
    /// back, clients that don't know playback states get a new session.
    pub fn playback_changed(&self, playback: PlaybackState) {
        let frame = Encoded::from(ServerMessage::PlaybackState(playback.clone()).encode());
        self.0.flush_logged();
        let mut state = lock(&self.0.0.state);
        self.0.0.observers.tell(&HubEvent::Playback(&playback));
        if state.slots.playback.as_ref().is_none() {
            return;
        }
        if playback.did_seek {
            let time = playback.current_time;
            let back = state.time.is_some_and(|now| time < now);
            state.watch.forget();
            let direction = if back { Direction::Back } else { Direction::Forward };
            let forgotten = state.seek(&self.0, playback, time, direction);
            drop(state);
            self.0.repeat_followed(forgotten);
            return;
        }
        for member in state.members.values().filter(|member| member.knows_playback()) {
            lock(&member.queue.outbox).push_ordered(state_kind(&playback), frame.clone());
            member.queue.wake.notify_one();
        }
        state.playback = Some(PlaybackState { request_id: None, ..playback });
    }

    /// Tells clients that have nothing else to read that time went on.
    pub(crate) fn tick(&self, time: Timestamp) {
        let mut state = lock(&self.0.0.state);
        state.time = Some(time);
        for member in state.members.values() {
            if lock(&member.queue.outbox).push_time(time) {
                member.queue.wake.notify_one();
            }
        }
    }

    /// What happens to slow clients when nothing else is asked for.
    pub fn on_slow_client(&self) -> SlowClient {
        self.0.on_slow_client()
    }

    /// The newest log time of live input, None before its first message, and how many messages have come.
    pub(crate) fn live_progress(&self) -> (Option<Timestamp>, u64) {
        let state = lock(&self.0.0.state);
        let newest = (state.live_messages > 0).then(|| state.watch.newest());
        (newest, state.live_messages)
    }

    /// What it publishes into.
    pub(crate) fn hub(&self) -> &Hub {
        &self.0
    }

    pub(super) fn refuse(&self, refused: &[NotOffered]) {
        for refused in refused {
            match refused {
                NotOffered::NotAdvertisable(_) => tracing::warn!("{refused}"),
                NotOffered::IdTaken { .. } => tracing::error!("{refused}"),
            }
            self.0.notice(&refused.to_string());
        }
    }
}
