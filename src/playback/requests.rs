//! What can be asked of a playback, from the keyboard or by clients, and what it does then.

use std::time::Instant;

use super::Rate;
use super::inbox::Request;
use super::worker::Worker;
use crate::hub::Direction;
use crate::hub::stats::Activity;
use crate::protocol::{PlaybackCommand, PlaybackControlRequest, PlaybackState, PlaybackStatus};
use crate::time::Timestamp;

impl Worker {
    pub(super) fn on_request(&mut self, request: Request, now: Instant) {
        match request {
            Request::SeekBy(_) | Request::ToggleLoop if self.stream.is_some() => {
                tracing::info!("a stream is played once: it can't be sought or repeated");
                return;
            }
            Request::Toggle if self.activity == Activity::Ended && self.stream.is_some() => return,
            Request::Toggle if self.activity == Activity::Ended => {
                self.activity = Activity::Playing;
                self.seek(self.range.start, true, None, now);
                return;
            }
            Request::Toggle if self.activity == Activity::Playing => self.pause(now),
            Request::Toggle => self.play(now),
            Request::Step => {
                if self.activity != Activity::Ended {
                    self.pause(now);
                    self.step = true;
                }
            }
            Request::SeekBy(nanos) => {
                let position = self.position(now).0;
                let target = Timestamp(position.saturating_add_signed(nanos));
                if self.activity == Activity::Ended {
                    self.activity = Activity::Playing;
                }
                self.seek(target, false, None, now);
                return;
            }
            Request::SpeedBy(factor) => {
                let rate = match self.clock.rate() {
                    Rate::Times(rate) => (rate * factor).clamp(*Rate::RANGE.start(), *Rate::RANGE.end()),
                    Rate::Max if factor < 1.0 => 1.0,
                    Rate::Max => return,
                };
                self.clock.set_rate(Rate::Times(rate), now);
            }
            Request::ToggleLoop => {
                self.looping = !self.looping;
                return;
            }
        }
        self.publisher.playback_changed(self.state(now, None));
    }

    pub(super) fn on_control(&mut self, request: &PlaybackControlRequest, now: Instant) {
        let speed = f64::from(request.speed);
        // the speed that stands for `max` in a playback state comes back in every request of a viewer
        let same_max = self.clock.rate() == Rate::Max && speed >= *Rate::RANGE.end();
        if !same_max {
            let speed = speed.clamp(*Rate::RANGE.start(), *Rate::RANGE.end());
            self.clock.set_rate(Rate::Times(speed), now);
        }
        let ended = self.activity == Activity::Ended && request.seek.is_none();
        match request.command {
            _ if ended => {}
            PlaybackCommand::Play if request.seek.is_some() => self.activity = Activity::Playing,
            PlaybackCommand::Pause if request.seek.is_some() => self.activity = Activity::Paused,
            PlaybackCommand::Play => self.play(now),
            PlaybackCommand::Pause => self.pause(now),
        }
        match request.seek {
            Some(to) => self.seek(to, false, Some(&request.request_id), now),
            None => self.publisher.playback_changed(self.state(now, Some(&request.request_id))),
        }
    }

    pub(super) fn play(&mut self, now: Instant) {
        match self.activity {
            Activity::Waiting => self.begin(now),
            Activity::Paused => {
                self.activity = Activity::Playing;
                self.show_position = false;
                if !self.seeking {
                    self.clock.play(now);
                }
            }
            Activity::Playing | Activity::Ended => {}
        }
    }

    pub(super) fn pause(&mut self, now: Instant) {
        if matches!(self.activity, Activity::Waiting | Activity::Playing) {
            // what is reported and told to newcomers is never ahead of what has been published
            let position = self.position(now);
            self.clock.pause(now);
            self.clock.seek(position, now);
            self.activity = Activity::Paused;
            self.start_at = None;
            self.publisher.tick(position);
        }
    }

    /// Time starts for the first time.
    pub(super) fn begin(&mut self, now: Instant) {
        self.activity = Activity::Playing;
        self.start_at = None;
        self.lap_started = now;
        if self.has_past {
            self.reposition(self.position(now));
        } else {
            self.clock.play(now);
        }
        self.publisher.playback_changed(self.state(now, None));
    }

    /// Makes the reader continue elsewhere; time stands still until it has.
    pub(super) fn reposition(&mut self, to: Timestamp) {
        self.epoch += 1;
        self.asked = 0;
        self.ready.clear();
        self.cursor = 0;
        self.read_all = false;
        self.seeking = true;
        self.step = false;
        self.blocked_since = None;
        self.long_wait_told = false;
        self.reader.seek(to, self.epoch, self.hub.wanted_channels());
        self.ask_ahead();
    }

    /// Jumps. `lap`: to the start, however short the way back.
    pub(super) fn seek(&mut self, to: Timestamp, lap: bool, request_id: Option<&str>, now: Instant) {
        let to = self.range.clamp(to);
        let back = lap || to < self.position(now);
        // the state at the target is read again for those who have subscribed by then
        self.has_past |= self.activity == Activity::Waiting;
        self.reposition(to);
        self.clock.pause(now);
        self.clock.seek(to, now);
        self.lap_started = now;
        self.show_position = true;
        let state = PlaybackState { did_seek: true, ..self.state(now, request_id) };
        match (lap, back) {
            (true, _) => self.publisher.lap(state, self.policy(), now),
            (false, true) => self.publisher.seek(state, Direction::Back),
            (false, false) => self.publisher.seek(state, Direction::Forward),
        }
    }

    pub(super) fn state(&self, now: Instant, request_id: Option<&str>) -> PlaybackState {
        let status = match self.activity {
            Activity::Playing => PlaybackStatus::Playing,
            Activity::Waiting | Activity::Paused => PlaybackStatus::Paused,
            Activity::Ended => PlaybackStatus::Ended,
        };
        let speed = match self.clock.rate() {
            Rate::Times(rate) => rate,
            Rate::Max => *Rate::RANGE.end(),
        };
        PlaybackState {
            status,
            current_time: self.position(now),
            speed: single_precision(speed),
            did_seek: false,
            request_id: request_id.filter(|id| !id.is_empty()).map(str::to_owned),
        }
    }
}

/// A speed as the wire has it.
#[allow(clippy::cast_possible_truncation, reason = "speeds are far within single precision")]
fn single_precision(speed: f64) -> f32 {
    speed as f32
}
