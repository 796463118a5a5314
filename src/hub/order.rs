//! The order in which things reach clients.
//!
//! What belongs at a place among the messages goes through each client's queue in that place (retired channels, a lap, a
//! restart, a playback state), so that no client waits for another. A seek takes what playback has published out of the
//! queues, and goes first.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::channels::NotOffered;
use super::new_session::Forgetting;
use super::outbox::{Cause, ControlKind, Encoded, Outbox, Purge, Slice};
use super::queue::Feed;
use super::woken::Woken;
use super::{
    Access, ClientId, DemandChange, Hub, HubEvent, Member, SLOW_CLIENT, SLOW_CLIENT_ID, Shared, SlowClient,
    State, latch, lock, summarize,
};
use crate::model::{Batch, Channel, ChannelId};
use crate::protocol::{PlaybackState, ServerMessage, Status};
use crate::time::Timestamp;

/// Which way time goes in a seek.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    /// Later, or it stays.
    Forward,
    /// Earlier.
    Back,
}

/// Who publishes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    /// What is played by time.
    Playback,
    /// What is sent as it comes.
    Live,
    /// A client, which is not sent its own messages.
    Client(ClientId),
}

impl By {
    fn feed(self) -> Feed {
        match self {
            Self::Playback => Feed::Playback,
            Self::Live | Self::Client(_) => Feed::Live,
        }
    }

    fn client(self) -> Option<ClientId> {
        match self {
            Self::Client(client) => Some(client),
            Self::Playback | Self::Live => None,
        }
    }
}

impl State {
    pub(super) fn announce(
        &mut self,
        shared: &Shared,
        channels: &[Arc<Channel>],
        now: Instant,
    ) -> Vec<NotOffered> {
        if channels.is_empty() {
            return Vec::new();
        }
        let replaced = self.channels.replaced_by(channels);
        self.retire(shared, &replaced);
        let added = self.channels.add(channels);
        for channel in &added.new {
            if latch::is_latched(channel, &shared.options.latch) {
                self.latch.add_channel(channel);
            } else {
                self.firsts.begin(channel.id, now);
            }
        }
        if !added.new.is_empty() {
            for tap in &self.taps {
                tap.push_channels(&added.new);
            }
        }
        if let Some(advertise) = added.advertise {
            for member in self.members.values() {
                member.queue.control(ControlKind::Lasting, advertise.frame(member.form));
            }
        }
        added.refused
    }

    pub(super) fn retire(&mut self, shared: &Shared, channels: &[ChannelId]) {
        if channels.is_empty() {
            return;
        }
        let (removed, unadvertise) = self.channels.remove(channels);
        self.nodes.retire(&removed);
        shared.connections_changed();
        for &channel in &removed {
            self.latch.remove_channel(channel);
            if self.watches.remove(channel) {
                shared.demand.change(&DemandChange::Unwatched { channels: &[channel] });
            }
            self.firsts.end(channel);
        }
        if !removed.is_empty() {
            for tap in &self.taps {
                tap.push_retired(&removed);
            }
        }
        for (&client, member) in &self.members {
            let mut outbox = lock(&member.queue.outbox);
            let ended = outbox.retire(&removed);
            if let Some(frame) = &unadvertise {
                outbox.push_ordered(ControlKind::Lasting, frame.clone());
            }
            drop(outbox);
            member.queue.wake.notify_one();
            if !ended.is_empty() {
                shared.demand.change(&DemandChange::Unsubscribed { client, channels: &ended });
                shared.observers.tell(&HubEvent::Unsubscribed { client, channels: &ended });
            }
        }
    }

    pub(super) fn publish(
        &mut self,
        shared: &Shared,
        batch: &Arc<Batch>,
        range: Range<usize>,
        by: By,
        policy: SlowClient,
        now: Instant,
    ) -> Woken {
        let feed = by.feed();
        let mut woken = Woken::default();
        let (bytes, newest) = summarize(batch, range.clone(), &mut self.slice_channels);
        self.latch.keep(batch, range.clone(), &self.slice_channels, feed);
        for tap in &self.taps {
            tap.push(batch, range.clone(), bytes, feed, now);
        }
        self.watches.keep(batch, range.clone(), &self.slice_channels);
        self.traffic.count(&batch.entries[range.clone()], now);
        if range.is_empty() {
            return woken;
        }
        self.time = self.time.max(Some(newest));
        if feed == Feed::Live {
            self.client_time.on_live(self.time, now);
            self.firsts.keep(batch, range.clone(), &self.slice_channels, by.client(), now);
        }
        let slice = Slice { batch, range, bytes, channels: &self.slice_channels, timed: true, feed };
        let is_small = slice.bytes <= Woken::LARGEST && self.members.len() <= Woken::CLIENTS;
        for (id, member) in &self.members {
            if let By::Client(client) = by
                && (client == *id || !member.takes_from_client(policy, shared, &slice))
            {
                continue;
            }
            if !shared.push(member, &slice, policy, now) {
                continue;
            }
            if is_small {
                woken.add(member.queue.clone());
            } else {
                member.queue.wake.notify_one();
            }
        }
        woken
    }

    pub(super) fn seek(
        &mut self,
        hub: &Hub,
        playback: PlaybackState,
        time: Timestamp,
        direction: Direction,
    ) -> Forgetting {
        hub.0.observers.tell(&HubEvent::Playback(&playback));
        self.latch.clear();
        self.watches.forget_messages();
        self.time = Some(time);
        let session = match direction {
            Direction::Back => Some(self.new_session(hub)),
            Direction::Forward => None,
        };
        let frame = Encoded::from(ServerMessage::PlaybackState(playback.clone()).encode());
        for member in self.members.values() {
            let mut outbox = lock(&member.queue.outbox);
            match session.as_ref().filter(|_| !member.controls) {
                Some(session) => {
                    outbox.purge(Purge::Session);
                    session.push(member, &mut outbox, time, Cause::Seek);
                }
                None => outbox.purge(Purge::Seek(time)),
            }
            member.push_playback(&mut outbox, &playback, &frame, time);
            drop(outbox);
            member.queue.wake.notify_one();
        }
        self.playback = Some(PlaybackState { did_seek: false, request_id: None, ..playback });
        if session.is_some() { Forgetting::Others } else { Forgetting::Nobody }
    }

    pub(super) fn lap(
        &mut self,
        hub: &Hub,
        playback: PlaybackState,
        policy: SlowClient,
        now: Instant,
    ) -> Forgetting {
        hub.0.observers.tell(&HubEvent::Playback(&playback));
        self.latch.clear();
        self.watches.forget_messages();
        let time = playback.current_time;
        self.time = Some(time);
        let session = self.new_session(hub);
        let frame = Encoded::from(ServerMessage::PlaybackState(playback.clone()).encode());
        for member in self.members.values() {
            let mut outbox = lock(&member.queue.outbox);
            let behind = policy == SlowClient::Drop && outbox.is_behind(now);
            if behind {
                let purge = if member.controls { Purge::Seek(time) } else { Purge::Session };
                hub.0.count_dropped(outbox.drop_backlog(purge));
            }
            if !member.controls {
                session.push(member, &mut outbox, time, Cause::Timeline);
            }
            member.push_playback(&mut outbox, &playback, &frame, time);
            drop(outbox);
            member.queue.wake.notify_one();
        }
        self.playback = Some(PlaybackState { did_seek: false, request_id: None, ..playback });
        Forgetting::Others
    }

    pub(super) fn restart(
        &mut self,
        hub: &Hub,
        time: Timestamp,
        policy: SlowClient,
        now: Instant,
    ) -> Forgetting {
        self.time = Some(time);
        self.firsts.clear();
        let session = self.new_session(hub);
        let latched = self.latch.messages();
        for member in self.members.values() {
            let mut outbox = lock(&member.queue.outbox);
            if policy == SlowClient::Drop && outbox.is_behind(now) {
                hub.0.count_dropped(outbox.drop_backlog(Purge::Session));
            }
            session.push(member, &mut outbox, time, Cause::Timeline);
            outbox.push_time_change(time);
            drop(outbox);
            for (batch, feed) in &latched {
                let range = 0..batch.entries.len();
                let (bytes, _) = summarize(batch, range.clone(), &mut self.slice_channels);
                let channels = &self.slice_channels;
                let slice = Slice { batch, range, bytes, channels, timed: false, feed: *feed };
                hub.0.push(member, &slice, SlowClient::Wait, now);
            }
            member.queue.wake.notify_one();
        }
        Forgetting::Everybody
    }
}

impl Shared {
    pub(super) fn count_dropped(&self, messages: u64) {
        self.counters.dropped.fetch_add(messages, Ordering::Relaxed);
    }

    /// Returns whether the client wants any of it.
    pub(super) fn push(&self, member: &Member, slice: &Slice<'_>, policy: SlowClient, now: Instant) -> bool {
        let mut outbox = lock(&member.queue.outbox);
        let was_slow = outbox.is_slow();
        let Some(lost) = outbox.push(slice, policy, now) else { return false };
        if lost > 0 {
            self.count_dropped(lost);
            if !was_slow {
                let status =
                    Status { id: Some(SLOW_CLIENT_ID.into()), ..Status::warning(SLOW_CLIENT.to_owned()) };
                outbox.push_control(ControlKind::Other, ServerMessage::Status(status).encode().into());
            }
        }
        true
    }
}

impl Member {
    pub(super) fn knows_playback(&self) -> bool {
        self.controls || self.access == Access::Full && self.info.offer.offers_sdk()
    }

    /// The state after a jump, and the time there.
    fn push_playback(&self, outbox: &mut Outbox, playback: &PlaybackState, frame: &Encoded, time: Timestamp) {
        if self.knows_playback() {
            outbox.push_ordered(state_kind(playback), frame.clone());
        }
        outbox.push_time_change(time);
    }
}

pub(super) fn state_kind(playback: &PlaybackState) -> ControlKind {
    match playback.request_id {
        None => ControlKind::State,
        Some(_) if playback.did_seek => ControlKind::Sought,
        Some(_) => ControlKind::Answer,
    }
}
