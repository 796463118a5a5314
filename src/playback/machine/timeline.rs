//! Where playback is: what is played, and the clock that runs over it.

use std::time::Instant;

use super::read_ahead::Next;
use crate::playback::Rate;
use crate::playback::clock::Clock;
use crate::time::{TimeRange, Timestamp};

#[derive(Debug)]
pub(super) struct Timeline {
    /// From the first to the last message; of a stream, of those published so far. None before there is a message.
    whole: Option<TimeRange>,
    /// A–B: what is played of it.
    part: Option<TimeRange>,
    pub(super) clock: Clock,
    /// The newest message published, or the target of a seek: no message before it is still to come.
    reached: Timestamp,
}

impl Timeline {
    pub(super) fn new(whole: Option<TimeRange>, rate: Rate) -> Self {
        let start = whole.map_or(Timestamp::MIN, |range| range.start);
        Self { whole, part: None, clock: Clock::new(start, rate), reached: start }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.whole.is_none()
    }

    pub(super) fn whole(&self) -> Option<TimeRange> {
        self.whole
    }

    /// The part that was asked for.
    pub(super) fn part(&self) -> Option<TimeRange> {
        self.part
    }

    /// What is played: the part that was asked for, or all.
    pub(super) fn played(&self) -> TimeRange {
        const NOTHING: TimeRange = TimeRange { start: Timestamp::MIN, end: Timestamp::MIN };
        self.part.or(self.whole).unwrap_or(NOTHING)
    }

    /// Plays this part from now on, as far as there is something, or all of it.
    pub(super) fn set_part(&mut self, part: Option<TimeRange>) {
        self.part = self.whole.and_then(|whole| {
            part.map(|part| {
                let start = whole.clamp(part.start);
                TimeRange { start, end: whole.clamp(part.end).max(start) }
            })
        });
    }

    /// Whether a message comes after the part that is played.
    pub(super) fn is_past_part(&self, time: Timestamp) -> bool {
        self.part.is_some_and(|part| time > part.end)
    }

    /// Never beyond a message that is still to be published, nor outside of what is played.
    pub(super) fn position(&self, now: Instant, next: Next) -> Timestamp {
        let limit = match next {
            // those of a stream may be older than others
            Next::At(time) => time.max(self.reached),
            Next::Unread => self.reached,
            Next::End => Timestamp::MAX,
        };
        self.played().clamp(self.clock.position(now).min(limit))
    }

    /// Playback goes on elsewhere; the clock stands until it is let run.
    pub(super) fn seek(&mut self, to: Timestamp, now: Instant) {
        self.clock.pause(now);
        self.clock.seek(to, now);
        self.reached = to;
    }

    /// The time of a stream begins here.
    pub(super) fn restart(&mut self, time: Timestamp, now: Instant) {
        self.whole = Some(TimeRange { start: time, end: time });
        self.clock.seek(time, now);
        self.reached = time;
    }

    /// A message was published.
    pub(super) fn on_published(&mut self, time: Timestamp) {
        self.clock.pull(time);
        self.reached = self.reached.max(time);
    }

    /// A message of a stream was published.
    pub(super) fn grow(&mut self, time: Timestamp) {
        if let Some(whole) = &mut self.whole {
            whole.end = whole.end.max(time);
        }
    }

    pub(super) fn reached(&self) -> Timestamp {
        self.reached
    }
}
