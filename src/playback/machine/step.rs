//! One step: so many messages while time stands still.

use std::time::Instant;

use super::{Machine, Phase};
use crate::hub::responder::Responder;
use crate::model::ChannelId;
use crate::playback::stage::Stage;
use crate::protocol::PlaybackState;

/// Messages that are still to be published.
#[derive(Debug)]
pub(super) struct Step {
    /// At least 1.
    pub(super) left: u32,
    /// Only those of this topic count.
    pub(super) topic: Option<String>,
    pub(super) answer: Responder<PlaybackState>,
}

impl Machine {
    /// Publishes what a step asks for, and after a seek the messages of exactly the position. Returns when to come
    /// again; None: on the next event.
    pub(super) fn advance_paused(&mut self, stage: &mut impl Stage, now: Instant) -> Option<Instant> {
        loop {
            let Phase::Paused { shows_position, step } = &self.phase else { return None };
            if !*shows_position && step.is_none() {
                return None;
            }
            let Some((time, channel)) = self.next_to_play(stage, now) else {
                if self.is_at_end() {
                    self.set_shows_position(false);
                    self.end_step(stage, now);
                }
                return None;
            };
            if self.shows_position() && time > self.timeline.clock.position(now) {
                self.set_shows_position(false);
                continue;
            }
            if let Some(again) = self.wait_for_room(stage, now) {
                return Some(again);
            }
            self.restart_at(time, stage, now);
            let shows_position = self.shows_position();
            if !shows_position {
                // one of a stream may be older than others
                let time = time.max(self.timeline.clock.position(now));
                self.set_clock(time, stage, now);
            }
            self.publish_next(1, stage, now);
            if !shows_position && self.counts(channel) {
                self.end_step(stage, now);
            }
        }
    }

    fn shows_position(&self) -> bool {
        matches!(self.phase, Phase::Paused { shows_position: true, .. })
    }

    pub(super) fn set_shows_position(&mut self, shows: bool) {
        if let Phase::Paused { shows_position, .. } = &mut self.phase {
            *shows_position = shows;
        }
    }

    /// Counts a message that was published. Returns whether it was the last one of the step.
    fn counts(&mut self, channel: ChannelId) -> bool {
        let Phase::Paused { step: Some(step), .. } = &mut self.phase else { return false };
        let topic = self.channels.get(&channel).map(|channel| &channel.topic);
        if step.topic.is_none() || step.topic.as_ref() == topic {
            step.left -= 1;
        }
        step.left == 0
    }

    /// The step is over: clients are sent where playback stands, and who asked is answered.
    fn end_step(&mut self, stage: &mut impl Stage, now: Instant) {
        if let Some(answer) = self.take_step() {
            let state = self.state(now, None);
            stage.changed(state.clone());
            answer.respond(state);
        }
    }

    /// Gives a step up that is not over.
    pub(super) fn take_step(&mut self) -> Option<Responder<PlaybackState>> {
        let Phase::Paused { step, .. } = &mut self.phase else { return None };
        step.take().map(|step| step.answer)
    }
}
