//! Times of lines that are played by them.
//!
//! A line without a time is of the time of the line before it; it must not bring the clock of this computer into a
//! recording of long ago. A time far after those around it would make playback wait for years: such a line is held until
//! the next one shows whether time went on there.

use crate::time::Timestamp;

/// Steps of time from line to line that need no second line to be believed: one hour.
const STEP: u64 = 3_600_000_000_000;

/// A line that is held.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) number: u64,
    pub(super) text: String,
    pub(super) time: Timestamp,
}

/// Where time is.
#[derive(Debug, Default)]
pub(super) struct Timing {
    last: Option<Timestamp>,
    /// The time of the last line if it is far before the others: a restart, or an old stamp.
    back: Option<Timestamp>,
    held: Option<Held>,
}

/// What becomes of the line that is held.
#[derive(Debug)]
pub(super) enum Verdict {
    /// Time went on there.
    Right(Held),
    /// It was alone there.
    Alone(Held),
}

fn near(one: Timestamp, other: Timestamp) -> bool {
    one.0.abs_diff(other.0) <= STEP
}

impl Timing {
    /// The time of a line that has none: where playback is.
    pub(super) fn position(&self) -> Option<Timestamp> {
        self.last
    }

    /// What a line with this time says of the one that is held.
    pub(super) fn judge(&mut self, time: Timestamp) -> Option<Verdict> {
        let held = self.held.take()?;
        if near(held.time, time) {
            self.last = Some(held.time);
            return Some(Verdict::Right(held));
        }
        Some(Verdict::Alone(held))
    }

    /// Whether a line with this time is played; else it is to be held.
    pub(super) fn accept(&mut self, time: Timestamp) -> bool {
        match (self.last, self.back) {
            (Some(last), back) if !near(last, time) && !back.is_some_and(|back| near(back, time)) => {
                let is_before = time < last;
                self.back = is_before.then_some(time);
                is_before
            }
            _ => {
                (self.last, self.back) = (Some(time), None);
                true
            }
        }
    }

    pub(super) fn hold(&mut self, held: Held) {
        self.held = Some(held);
    }

    /// The line that is held, when no other can say anything of it any more: it is believed.
    pub(super) fn end(&mut self) -> Option<Held> {
        let held = self.held.take()?;
        self.last = Some(held.time);
        Some(held)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp(seconds * 1_000_000_000)
    }

    /// Which of these times are played, in their order; the others are outliers.
    fn played(seconds: &[u64]) -> Vec<u64> {
        let (mut timing, mut played) = (Timing::default(), Vec::new());
        for &second in seconds {
            let time = at(second);
            if let Some(Verdict::Right(held)) = timing.judge(time) {
                played.push(held.time.0 / 1_000_000_000);
            }
            if timing.accept(time) {
                played.push(second);
            } else {
                timing.hold(Held { number: 0, text: String::new(), time });
            }
        }
        played.extend(timing.end().map(|held| held.time.0 / 1_000_000_000));
        played
    }

    const YEARS: u64 = 1_700_000_000;

    #[test]
    fn a_time_far_ahead_is_believed_if_the_next_one_agrees() {
        assert_eq!(played(&[1000, YEARS, 1001, 1002]), [1000, 1001, 1002]);
        assert_eq!(played(&[1000, YEARS, YEARS + 1, YEARS + 2]), [1000, YEARS, YEARS + 1, YEARS + 2]);
        assert_eq!(played(&[1000, YEARS, 2 * YEARS, 1001]), [1000, 1001]);
        assert_eq!(played(&[0, YEARS, YEARS + 1]), [0, YEARS, YEARS + 1], "the first was the outlier");
        assert_eq!(played(&[1000, YEARS]), [1000, YEARS], "the last is believed");
    }

    #[test]
    fn old_stamps_and_restarts_are_played() {
        assert_eq!(played(&[YEARS, 5, YEARS + 1, 5, YEARS + 2]), [YEARS, 5, YEARS + 1, 5, YEARS + 2]);
        assert_eq!(played(&[YEARS, 1, 2, 3]), [YEARS, 1, 2, 3]);
        let mut timing = Timing::default();
        for second in [YEARS, 1, 2] {
            timing.accept(at(second));
        }
        assert_eq!(timing.position(), Some(at(2)), "where time went on");
    }
}
