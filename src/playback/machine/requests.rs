//! What can be asked of a playback, and what it does then.

use std::time::Instant;

use super::step::Step;
use super::{Machine, Phase};
use crate::hub::Direction;
use crate::hub::capability::playback::{
    Asker, Command, LoopChange, PlaybackRequest, RangeChange, RateChange, Seek,
};
use crate::hub::responder::Responder;
use crate::playback::Rate;
use crate::playback::stage::Stage;
use crate::protocol::{PlaybackState, PlaybackStatus};
use crate::time::Timestamp;

impl Machine {
    /// Carries out a request. Every client is sent one state for it, and who asked is answered with the same.
    pub(in crate::playback) fn on_request(
        &mut self,
        request: PlaybackRequest,
        answer: Responder<PlaybackState>,
        stage: &mut impl Stage,
        now: Instant,
    ) {
        if let Some(given_up) = self.take_step() {
            given_up.respond(self.state(now, None));
        }
        let PlaybackRequest { by, mut range, mut seek, rate, mut looping, command } = request;
        if !self.is_recording() && (range.is_some() || seek.is_some() || looping.is_some()) {
            tracing::info!("a stream is played once: it can't be sought or repeated");
            (range, seek, looping) = (None, None, None);
        }
        let before = self.position(now);
        let at_end = match self.phase {
            Phase::Ended => true,
            Phase::Paused { .. } => before == self.timeline.played().end && self.is_at_end(),
            Phase::Waiting { .. } | Phase::Playing => false,
        };
        let plays_again = command == Some(Command::Toggle) && at_end;
        let mut target = self.target(range, seek, before);
        if let Some(rate) = rate {
            self.change_rate(rate, &by, stage, now);
        }
        match looping {
            Some(LoopChange::To(on)) => self.looping = on,
            Some(LoopChange::Toggle) => self.looping = !self.looping,
            None => {}
        }
        if plays_again && self.is_recording() {
            target.get_or_insert(self.timeline.played().start);
            self.phase = Phase::Playing;
        } else {
            self.carry_out(command.as_ref(), target.is_some(), stage, now);
        }
        let request_id = match by {
            Asker::Client { request_id, .. } => Some(request_id),
            Asker::Program => None,
        };
        let state = match target {
            Some(to) => {
                self.go_to(to, stage, now);
                let state = PlaybackState { did_seek: true, ..self.state(now, request_id) };
                let time = self.sent_time(to, stage);
                // with a shift the times that are sent go on
                let back = (to < before || plays_again) && self.shift.is_none();
                let direction = if back { Direction::Back } else { Direction::Forward };
                if back {
                    self.pace.on_session(now);
                }
                stage.seek(state.clone(), time, direction);
                state
            }
            None => self.state(now, request_id),
        };
        if let Some(Command::Step { count: left @ 1.., topic }) = command
            && let Phase::Paused { step, .. } = &mut self.phase
            && topic
                .as_ref()
                .is_none_or(|topic| self.channels.values().any(|channel| channel.topic == *topic))
        {
            *step = Some(Step { left, topic, answer });
        } else {
            if target.is_none() {
                stage.changed(state.clone());
            }
            answer.respond(state);
        }
    }

    /// Where a request makes playback continue, if elsewhere.
    fn target(
        &mut self,
        range: Option<RangeChange>,
        seek: Option<Seek>,
        position: Timestamp,
    ) -> Option<Timestamp> {
        let mut target = None;
        if let Some(range) = range {
            self.timeline.set_part(match range {
                RangeChange::To(part) => Some(part),
                RangeChange::Whole => None,
            });
            let played = self.timeline.played();
            if !played.contains(position) {
                target = Some(played.start);
            }
            if matches!(self.phase, Phase::Ended) && position != played.end {
                self.phase = Phase::Paused { shows_position: false, step: None };
            }
        }
        if let Some(seek) = seek {
            let to = match seek {
                Seek::To(time) => time,
                Seek::By(nanos) => Timestamp(position.0.saturating_add_signed(nanos)),
            };
            if matches!(self.phase, Phase::Ended) {
                self.phase = Phase::Playing;
            }
            target = Some(self.timeline.played().clamp(to));
        }
        target
    }

    fn change_rate(&mut self, change: RateChange, by: &Asker, stage: &mut impl Stage, now: Instant) {
        let (least, most) = (*Rate::RANGE.start(), *Rate::RANGE.end());
        let rate = match (change, self.timeline.clock.rate()) {
            // the speed that stands for `max` in a playback state comes back in every request of a viewer
            (RateChange::To(Rate::Times(rate)), Rate::Max) if *by != Asker::Program && rate >= most => return,
            (RateChange::By(factor), Rate::Max) if factor < 1.0 => Rate::Times(1.0),
            (RateChange::By(_), Rate::Max) => return,
            (RateChange::By(factor), Rate::Times(rate)) => Rate::Times(rate * factor),
            (RateChange::To(rate), _) => rate,
        };
        let rate = match rate {
            Rate::Times(rate) if rate.is_nan() => return,
            Rate::Times(rate) => Rate::Times(rate.clamp(least, most)),
            Rate::Max => Rate::Max,
        };
        if rate != self.timeline.clock.rate() {
            // a clock that ran on while clients were waited for goes on where playback is
            let position = self.position(now);
            self.timeline.clock.set_rate(rate, now);
            self.set_clock(position, stage, now);
        }
    }

    /// `sought`: time stands until the state before the target has been read.
    fn carry_out(&mut self, command: Option<&Command>, sought: bool, stage: &mut impl Stage, now: Instant) {
        let Some(command) = command else { return };
        let plays = match (command, &self.phase) {
            (_, Phase::Ended) => return,
            (Command::Play, _) => true,
            (Command::Pause | Command::Step { .. }, _) => false,
            (Command::Toggle, phase) => !matches!(phase, Phase::Playing),
        };
        match (plays, &self.phase) {
            (true, Phase::Waiting { .. }) if !sought => self.begin(stage, now),
            (true, Phase::Paused { .. }) if !sought && !self.ahead.is_seeking() => {
                self.phase = Phase::Playing;
                self.run(stage, now);
            }
            (true, _) => self.phase = Phase::Playing,
            (false, Phase::Paused { .. }) => {}
            (false, _) if sought => self.phase = Phase::Paused { shows_position: true, step: None },
            (false, _) => self.pause(stage, now),
        }
    }

    fn pause(&mut self, stage: &mut impl Stage, now: Instant) {
        // what clients are sent is never ahead of what has been published
        let position = self.position(now);
        if matches!(self.phase, Phase::Waiting { backfill: true, .. }) {
            // for those who have subscribed by now
            self.go_to(position, stage, now);
        }
        self.end_wait(stage);
        self.timeline.clock.pause(now);
        self.set_clock(position, stage, now);
        let stands = self.ahead.is_seeking() || self.silent_until.is_some();
        let shows_position = stands && matches!(self.phase, Phase::Playing);
        self.phase = Phase::Paused { shows_position, step: None };
        self.tick(stage, now);
    }

    /// Time starts for the first time.
    pub(super) fn begin(&mut self, stage: &mut impl Stage, now: Instant) {
        let backfill = matches!(self.phase, Phase::Waiting { backfill: true, .. });
        self.phase = Phase::Playing;
        self.pace.on_session(now);
        if backfill {
            self.go_to(self.position(now), stage, now);
        } else {
            self.pace.on_begin(now);
            self.run(stage, now);
        }
    }

    /// Continues elsewhere; time stands still until the state before that has been read.
    pub(super) fn go_to(&mut self, to: Timestamp, stage: &mut impl Stage, now: Instant) {
        self.end_wait(stage);
        self.ahead.seek(to, stage, now);
        self.timeline.seek(to, now);
        self.silent_until = None;
        self.set_shift(stage, now);
        self.pace.on_begin(now);
        match &mut self.phase {
            // the state is read again for those who have subscribed by then
            Phase::Waiting { backfill, .. } => *backfill = true,
            Phase::Paused { shows_position, .. } => *shows_position = true,
            Phase::Playing | Phase::Ended => {}
        }
    }

    pub(super) fn state(&self, now: Instant, request_id: Option<String>) -> PlaybackState {
        let status = match self.phase {
            Phase::Playing => PlaybackStatus::Playing,
            Phase::Waiting { .. } | Phase::Paused { .. } => PlaybackStatus::Paused,
            Phase::Ended => PlaybackStatus::Ended,
        };
        let speed = match self.timeline.clock.rate() {
            Rate::Times(rate) => rate,
            Rate::Max => *Rate::RANGE.end(),
        };
        PlaybackState {
            status,
            current_time: self.position(now),
            speed: single_precision(speed),
            did_seek: false,
            request_id: request_id.filter(|id| !id.is_empty()),
        }
    }
}

/// A speed as the wire has it.
#[allow(clippy::cast_possible_truncation, reason = "speeds are far within single precision")]
fn single_precision(speed: f64) -> f32 {
    speed as f32
}
