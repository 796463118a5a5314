//! What is due: the part of a playback that looks at the clock.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::pace::LONG_WAIT;
use super::read_ahead::Next;
use super::start::Start;
use super::{Machine, Material, Phase, SUBSCRIBE_GRACE};
use crate::hub::SlowClient;
use crate::hub::outbox::SILENCE;
use crate::model::ChannelId;
use crate::playback::stage::Stage;
use crate::playback::{AtEnd, Rate, StartOn};
use crate::protocol::PlaybackState;
use crate::time::{Timestamp, duration_text};

/// At the highest speed, bytes published that the slowest client has not taken: enough to keep all of them busy. What
/// is ahead of that client is in memory once, however many there are.
const LEAD: usize = 2 << 20;

/// Lateness that is made up for; beyond it the clock is set back.
const MAX_LAG: Duration = Duration::from_millis(100);

impl Machine {
    /// Does what is due. Returns when to come again; None: on the next event.
    pub(in crate::playback) fn advance(&mut self, stage: &mut impl Stage, now: Instant) -> Option<Instant> {
        self.ahead.ask(stage, now);
        let due = match &self.phase {
            Phase::Waiting { .. } => self.advance_waiting(stage, now),
            Phase::Playing => self.advance_playing(stage, now),
            Phase::Paused { .. } => self.advance_paused(stage, now),
            Phase::Ended => None,
        };
        due.into_iter().chain(self.ahead.retry_at()).min()
    }

    fn advance_waiting(&mut self, stage: &mut impl Stage, now: Instant) -> Option<Instant> {
        // of a stream that ends without a channel nobody can subscribe to anything
        let is_hopeless = self.channels.is_empty() && self.ahead.next() == Next::End;
        let Phase::Waiting { start, .. } = &mut self.phase else { return None };
        if self.start_on == StartOn::Launch || is_hopeless {
            start.get_or_insert_with(|| Start::at(now));
        }
        let start_at = start.as_ref()?.at;
        if start_at > now {
            return Some(start_at);
        }
        self.begin(stage, now);
        stage.changed(self.state(now, None));
        self.advance_playing(stage, now)
    }

    fn advance_playing(&mut self, stage: &mut impl Stage, now: Instant) -> Option<Instant> {
        if let Some(until) = self.silent_until {
            if now < until {
                return Some(until);
            }
            self.silent_until = None;
            if !self.ahead.is_seeking() {
                self.run(stage, now);
            }
        }
        // after a seek nothing is there before the state at its target
        loop {
            let Some((time, _)) = self.next_to_play(stage, now) else {
                return if self.is_at_end() { self.on_end(stage, now) } else { None };
            };
            if let Some(until) = self.subscribable_until().filter(|until| now < *until) {
                return Some(until);
            }
            self.restart_at(time, stage, now);
            self.skip_gap(time, stage, now);
            let due = match self.timeline.clock.due(time) {
                Some(due) if due <= now => due,
                later => return Some(self.wait_until(time, later, stage, now)),
            };
            if let Some(again) = self.wait_for_room(stage, now) {
                return Some(again);
            }
            if self.timeline.clock.rate() != Rate::Max {
                stage.late(now - due);
                if now - due > MAX_LAG {
                    self.set_clock(time, stage, now);
                }
            }
            let count = self.due_in_front(now);
            self.publish_next(count, stage, now);
            self.pace.on_published(now);
        }
    }

    /// Until when the messages after new channels of a stream wait for subscriptions.
    fn subscribable_until(&self) -> Option<Instant> {
        let announced = self.ahead.announced_with_next().filter(|_| !self.is_recording())?;
        Some(announced + SUBSCRIBE_GRACE)
    }

    /// Restarts with the next message if the time of a stream goes back there.
    pub(super) fn restart_at(&mut self, time: Timestamp, stage: &mut impl Stage, now: Instant) {
        let next = self.ahead.front().and_then(|(batch, cursor)| batch.entries.get(cursor));
        let (Material::Streamed { watch }, Some(next)) = (&mut self.material, next) else { return };
        if watch.first_restart(std::slice::from_ref(next), now).is_none() {
            return;
        }
        watch.restart(now);
        tracing::info!("time went back from {} to {time}", self.timeline.reached());
        self.timeline.restart(time, now);
        self.set_shift(stage, now);
        // times that are sent go on with a shift, so that this is no restart for viewers
        if self.shift.is_none() {
            let policy = self.policy(stage);
            stage.restart(time, policy, now);
        }
    }

    /// Does not wait for the next message if that takes longer than is wanted.
    fn skip_gap(&mut self, time: Timestamp, stage: &mut impl Stage, now: Instant) {
        let (Some(longest), Rate::Times(rate)) = (self.skip_gaps, self.timeline.clock.rate()) else { return };
        let gap = time.since(self.position(now));
        if gap.as_secs_f64() / rate <= longest.as_secs_f64() {
            return;
        }
        if let Some(left_out) = self.log_limit.admit(now) {
            let gap = duration_text(gap);
            tracing::info!("a pause of {gap} is skipped: the next message is at {time}{left_out}");
        }
        self.set_clock(time, stage, now);
        // a playback bar jumps with it
        stage.changed(self.state(now, None));
    }

    /// When to come again if the next message is not due yet.
    fn wait_until(
        &mut self,
        time: Timestamp,
        due: Option<Instant>,
        stage: &mut impl Stage,
        now: Instant,
    ) -> Instant {
        if self.pace.take_tick(now) {
            self.tick(stage, now);
        }
        self.on_wait(time, due, stage, now);
        self.pace.wake_up(due, now)
    }

    /// When to look again if clients that are waited for take no more; None: they do.
    pub(super) fn wait_for_room(&mut self, stage: &mut impl Stage, now: Instant) -> Option<Instant> {
        let lead = if self.timeline.clock.rate() == Rate::Max { LEAD } else { usize::MAX };
        if self.policy(stage) == SlowClient::Drop || stage.has_room(lead) {
            self.pace.on_room();
            return None;
        }
        let log_at = self.pace.on_blocked(now);
        if log_at > now {
            return Some(log_at);
        }
        tracing::info!("playback waits for a client that does not read, or for the disk it is recorded to");
        Some(now + LONG_WAIT)
    }

    /// How many messages of the first batch are due; at least the next one.
    fn due_in_front(&mut self, now: Instant) -> usize {
        let Some((batch, cursor)) = self.ahead.front() else { return 0 };
        let upto = match self.timeline.clock.rate() {
            Rate::Max => Timestamp::MAX,
            Rate::Times(_) => self.timeline.clock.position(now),
        };
        let rest = &batch.entries[cursor..];
        let is_due = |time| time <= upto && !self.timeline.is_past_part(time);
        let due = rest.iter().take_while(|entry| is_due(entry.log_time)).count().max(1);
        match &mut self.material {
            Material::Streamed { watch } => watch.first_restart(&rest[..due], now).unwrap_or(due),
            Material::Recorded => due,
        }
    }

    /// The next message of what is played, its channel announced: its time and channel. Batches that are done with
    /// are dropped.
    pub(super) fn next_to_play(
        &mut self,
        stage: &mut impl Stage,
        now: Instant,
    ) -> Option<(Timestamp, ChannelId)> {
        self.announce(stage, now);
        while let Some(batch) = self.ahead.take_published() {
            if batch.entries.is_empty() && !batch.unsent.is_empty() {
                // for late subscribers alone
                stage.publish(&batch, 0..0, SlowClient::Drop, now);
            }
            self.announce(stage, now);
        }
        self.ahead.ask(stage, now);
        let (batch, cursor) = self.ahead.front()?;
        let next = batch.entries.get(cursor)?;
        (!self.timeline.is_past_part(next.log_time)).then_some((next.log_time, next.channel))
    }

    /// Whether nothing is left of what is played.
    pub(super) fn is_at_end(&self) -> bool {
        match self.ahead.next() {
            Next::At(time) => self.timeline.is_past_part(time),
            Next::Unread => false,
            Next::End => true,
        }
    }

    /// Publishes the next messages of the first batch.
    pub(super) fn publish_next(&mut self, count: usize, stage: &mut impl Stage, now: Instant) {
        self.end_wait(stage);
        let policy = self.policy(stage);
        let Some((batch, cursor)) = self.ahead.front() else { return };
        let upto = (cursor + count).min(batch.entries.len());
        let Some(last) = batch.entries[cursor..upto].last().map(|entry| entry.log_time) else { return };
        match &mut self.shift {
            None => stage.publish(batch, cursor..upto, policy, now),
            Some(shift) => {
                let part = Arc::new(shift.part(batch, cursor..upto, stage.wall_clock()));
                stage.publish(&part, 0..part.entries.len(), policy, now);
            }
        }
        self.ahead.on_published(upto);
        self.timeline.on_published(last);
        if !self.is_recording() {
            self.timeline.grow(last);
        }
    }

    /// Ends, or begins the next lap.
    fn on_end(&mut self, stage: &mut impl Stage, now: Instant) -> Option<Instant> {
        if self.looping && !self.timeline.is_empty() && self.is_recording() {
            let earliest =
                if self.laps_are_sessions(stage) { self.pace.next_session() } else { self.pace.next_lap() };
            if now < earliest {
                return Some(earliest);
            }
            self.lap(stage, now);
            return None;
        }
        let end = self.timeline.played().end;
        self.end_wait(stage);
        self.timeline.clock.pause(now);
        self.timeline.clock.seek(end, now);
        self.phase = Phase::Ended;
        let time = self.sent_time(end, stage);
        stage.tick(time);
        stage.changed(self.state(now, None));
        match self.failure.take() {
            Some(error) => stage.finished(Err(error)),
            None if self.at_end == AtEnd::Exit => stage.finished(Ok(())),
            None => {}
        }
        None
    }

    /// Whether a lap is a new session for some client. With a shift times go on, so that it is not.
    fn laps_are_sessions(&self, stage: &impl Stage) -> bool {
        self.shift.is_none() && stage.laps_are_sessions()
    }

    /// Goes on at the start. With a shift times go on, so that this is no seek for viewers.
    fn lap(&mut self, stage: &mut impl Stage, now: Instant) {
        self.go_to(self.timeline.played().start, stage, now);
        if self.shift.is_some() {
            stage.changed(self.state(now, None));
        } else {
            let (state, policy) = (self.state(now, None), self.policy(stage));
            stage.lap(PlaybackState { did_seek: true, ..state }, policy, now);
            self.pace.on_session(now);
            self.silent_until = stage.laps_are_sessions().then(|| now + SILENCE);
        }
    }
}
