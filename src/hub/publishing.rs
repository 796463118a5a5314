//! From playback to the queues: messages, the state before a jump, jumps, and what playback is doing.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::outbox::{ControlKind, Encoded, Slice};
use super::{
    ClientId, Hub, Member, SLOW_CLIENT, SLOW_CLIENT_ID, SlowClient, lock, push_time_control, summarize,
};
use crate::model::Batch;
use crate::protocol::{PlaybackState, ServerMessage, Status};
use crate::time::Timestamp;

impl Hub {
    /// Publishes messages that are due. `policy` overrides the option of the hub.
    pub(crate) fn publish(&self, batch: &Arc<Batch>, range: Range<usize>, policy: SlowClient, now: Instant) {
        let mut state = lock(&self.0.state);
        let state = &mut *state;
        let (bytes, newest) = summarize(batch, range.clone(), &mut state.slice_channels);
        state.latch.keep(batch, range.clone(), &state.slice_channels);
        state.time = state.time.max(Some(newest));
        for tap in &state.taps {
            tap.push(batch, range.clone());
        }
        let slice = Slice { batch, range, bytes, channels: &state.slice_channels, timed: true };
        for member in state.members.values() {
            self.push(member, &slice, policy, now);
        }
    }

    /// Publishes the state before a jump's target: to one client, or to all.
    pub(crate) fn publish_state(&self, batch: Batch, to: Option<ClientId>, now: Instant) {
        let batch = &Arc::new(batch);
        let range = 0..batch.entries.len();
        let mut state = lock(&self.0.state);
        let state = &mut *state;
        let (bytes, _) = summarize(batch, range.clone(), &mut state.slice_channels);
        if to.is_none() {
            state.latch.keep(batch, range.clone(), &state.slice_channels);
        }
        let slice = Slice { batch, range, bytes, channels: &state.slice_channels, timed: false };
        for (id, member) in &state.members {
            if to.is_none_or(|to| to == *id) {
                self.push(member, &slice, SlowClient::Wait, now);
            }
        }
    }

    fn push(&self, member: &Member, slice: &Slice<'_>, policy: SlowClient, now: Instant) {
        let mut outbox = lock(&member.queue.outbox);
        let was_slow = outbox.is_slow();
        let Some(lost) = outbox.push(slice, policy, now) else { return };
        if lost > 0 {
            self.0.counters.dropped.fetch_add(lost, Ordering::Relaxed);
            if !was_slow {
                let status =
                    Status { id: Some(SLOW_CLIENT_ID.into()), ..Status::warning(SLOW_CLIENT.to_owned()) };
                outbox.push_control(ControlKind::Other, ServerMessage::Status(status).encode().into());
            }
        }
        drop(outbox);
        member.queue.wake.notify_one();
    }

    /// Tells clients that have nothing else to read that time went on.
    pub(crate) fn tick(&self, time: Timestamp) {
        let mut state = lock(&self.0.state);
        state.time = Some(time);
        for member in state.members.values() {
            if lock(&member.queue.outbox).push_time(time) {
                member.queue.wake.notify_one();
            }
        }
    }

    /// Announces a jump in time: nothing published before reaches a client after the announcement.
    ///
    /// Clients' time is set to `time`. `back`: time goes back. Clients that don't know playback states then get a new session, which is what makes
    /// their panels start clean.
    pub(crate) fn jump(&self, playback: PlaybackState, time: Timestamp, back: bool) {
        let mut state = lock(&self.0.state);
        let state = &mut *state;
        state.latch.clear();
        state.time = Some(time);
        if back {
            state.session += 1;
        }
        let session = back.then(|| (self.server_info(state), state.channels.encoded()));
        let frame = Encoded::from(ServerMessage::PlaybackState(playback.clone()).encode());
        for member in state.members.values() {
            let mut outbox = lock(&member.queue.outbox);
            let session = session.as_ref().filter(|_| !member.controls);
            outbox.purge(session.is_some());
            if let Some((info, channels)) = session {
                outbox.push_control(ControlKind::Session, info.clone());
                outbox.push_control(ControlKind::Session, channels.clone());
            }
            if member.offers_sdk || member.controls {
                outbox.push_control(state_kind(&playback), frame.clone());
            }
            push_time_control(&mut outbox, time);
            drop(outbox);
            member.queue.wake.notify_one();
        }
        state.playback = Some(PlaybackState { did_seek: false, request_id: None, ..playback });
    }

    /// Announces that the time of a live source begins anew: a new session for every client, then the messages of
    /// latched channels. What is still queued is dropped: wait for [`Hub::is_drained`] before.
    pub(crate) fn restart(&self, time: Timestamp, now: Instant) {
        let mut state = lock(&self.0.state);
        let state = &mut *state;
        state.time = Some(time);
        state.session += 1;
        let (info, channels) = (self.server_info(state), state.channels.encoded());
        for member in state.members.values() {
            let mut outbox = lock(&member.queue.outbox);
            outbox.purge(true);
            outbox.push_control(ControlKind::Session, info.clone());
            outbox.push_control(ControlKind::Session, channels.clone());
            push_time_control(&mut outbox, time);
            drop(outbox);
            for batch in state.latch.messages() {
                let (bytes, _) = summarize(batch, 0..1, &mut state.slice_channels);
                let channels = &state.slice_channels;
                let slice = Slice { batch, range: 0..1, bytes, channels, timed: false };
                self.push(member, &slice, SlowClient::Wait, now);
            }
            member.queue.wake.notify_one();
        }
    }

    /// Tells every client what playback is doing now, if that can be controlled.
    pub(crate) fn playback_changed(&self, playback: PlaybackState) {
        let frame = Encoded::from(ServerMessage::PlaybackState(playback.clone()).encode());
        let mut state = lock(&self.0.state);
        if state.range.is_none() {
            return;
        }
        for member in state.members.values().filter(|member| member.offers_sdk || member.controls) {
            member.queue.control(state_kind(&playback), frame.clone());
        }
        state.playback = Some(PlaybackState { request_id: None, ..playback });
    }
}

fn state_kind(playback: &PlaybackState) -> ControlKind {
    if playback.request_id.is_some() { ControlKind::Other } else { ControlKind::State }
}
