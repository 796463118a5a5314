//! The clock of a playback: which log time it is now, and when a message is due.
//!
//! Pure: the wall's time is an argument. Deadlines are absolute: they are computed from the last change
//! (play, pause, speed, seek), never from the message before, so that rounding and lateness do not add up.
//! Arithmetic is in `f64` nanoseconds since that change: exact to a nanosecond for 100 days of recording.

use std::time::{Duration, Instant};

use super::Rate;
use crate::time::Timestamp;

/// Maps the wall's time to log time. Starts stopped.
#[derive(Debug, Clone)]
pub struct Clock {
    /// Position at the last change.
    position: Timestamp,
    /// When time began to run from `position`; None while it stands still.
    running_since: Option<Instant>,
    rate: Rate,
}

impl Clock {
    /// A clock that stands still at a position.
    pub fn new(position: Timestamp, rate: Rate) -> Self {
        Self { position, running_since: None, rate }
    }

    /// How fast time runs, or will when it is let run.
    pub fn rate(&self) -> Rate {
        self.rate
    }

    /// Log time at `now`. At [`Rate::Max`] time moves only by [`Clock::pull`].
    pub fn position(&self, now: Instant) -> Timestamp {
        match (self.running_since, self.rate) {
            (Some(since), Rate::Times(rate)) => {
                let nanos = now.saturating_duration_since(since).as_nanos() as f64 * rate;
                Timestamp(self.position.0.saturating_add(saturating_nanos(nanos)))
            }
            _ => self.position,
        }
    }

    /// When a message is due: in the past if it is overdue. None while time stands still before it, or if that is
    /// later than the wall's clock can say.
    pub fn due(&self, log_time: Timestamp) -> Option<Instant> {
        let since = self.running_since?;
        let Rate::Times(rate) = self.rate else { return Some(since) };
        let ahead = log_time.0.saturating_sub(self.position.0) as f64 / rate;
        let ahead = Duration::try_from_secs_f64(ahead / 1e9).ok()?;
        since.checked_add(ahead)
    }

    /// Lets time run.
    pub fn play(&mut self, now: Instant) {
        self.running_since.get_or_insert(now);
    }

    /// Lets time stand still.
    pub fn pause(&mut self, now: Instant) {
        self.position = self.position(now);
        self.running_since = None;
    }

    /// Changes the speed; the position stays.
    pub fn set_rate(&mut self, rate: Rate, now: Instant) {
        self.seek(self.position(now), now);
        self.rate = rate;
    }

    /// Continues at another position; time runs on or stands still as before.
    pub fn seek(&mut self, to: Timestamp, now: Instant) {
        self.position = to;
        self.running_since = self.running_since.map(|_| now);
    }

    /// At [`Rate::Max`]: the position is where the last message was.
    pub fn pull(&mut self, to: Timestamp) {
        if self.rate == Rate::Max {
            self.position = self.position.max(to);
        }
    }
}

/// Nanoseconds as an integer, stopping at the ends of its range.
#[allow(clippy::cast_possible_truncation, reason = "`as` saturates, which is what is wanted here")]
#[allow(clippy::cast_sign_loss, reason = "negative numbers become 0")]
fn saturating_nanos(nanos: f64) -> u64 {
    nanos as u64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn at(ms: u64) -> Timestamp {
        Timestamp(ms * 1_000_000)
    }

    #[test]
    fn time_stands_still_until_it_is_played() {
        let t0 = Instant::now();
        let clock = Clock::new(at(5), Rate::Times(1.0));
        assert_eq!(clock.position(t0 + 100 * MS), at(5));
        assert_eq!(clock.due(at(6)), None);
    }

    #[test]
    fn messages_are_due_at_their_distance_divided_by_the_rate() {
        let t0 = Instant::now();
        for (rate, wall_ms) in [(0.1, 10_000), (1.0, 1_000), (10.0, 100), (100.0, 10)] {
            let mut clock = Clock::new(at(0), Rate::Times(rate));
            clock.play(t0);
            assert_eq!(clock.due(at(1_000)), Some(t0 + wall_ms * MS), "rate {rate}");
            assert_eq!(clock.position(t0 + wall_ms * MS), at(1_000), "rate {rate}");
        }
    }

    #[test]
    fn a_change_of_speed_keeps_the_position() {
        let t0 = Instant::now();
        let mut clock = Clock::new(at(0), Rate::Times(1.0));
        clock.play(t0);
        clock.set_rate(Rate::Times(4.0), t0 + 1_000 * MS);
        assert_eq!(clock.position(t0 + 1_000 * MS), at(1_000));
        assert_eq!(clock.position(t0 + 1_500 * MS), at(3_000));
        assert_eq!(clock.due(at(3_000)), Some(t0 + 1_500 * MS));
    }

    #[test]
    fn a_pause_takes_no_log_time() {
        let t0 = Instant::now();
        let mut clock = Clock::new(at(0), Rate::Times(2.0));
        clock.play(t0);
        clock.pause(t0 + 10 * MS);
        assert_eq!(clock.position(t0 + 500 * MS), at(20));
        clock.play(t0 + 500 * MS);
        clock.play(t0 + 505 * MS);
        assert_eq!(clock.position(t0 + 510 * MS), at(40));
    }

    #[test]
    fn the_ends_of_time_do_not_overflow() {
        let t0 = Instant::now();
        let mut clock = Clock::new(Timestamp::MIN, Rate::Times(0.01));
        clock.play(t0);
        assert!(clock.due(Timestamp::MAX).is_none_or(|due| due > t0 + Duration::from_secs(1_000_000_000)));
        clock.set_rate(Rate::Times(1000.0), t0);
        clock.seek(Timestamp::MAX, t0);
        assert_eq!(clock.position(t0 + 1_000 * MS), Timestamp::MAX);
        assert_eq!(clock.due(Timestamp::MIN), Some(t0));
    }

    #[test]
    fn at_max_everything_is_due_and_the_position_follows_the_messages() {
        let t0 = Instant::now();
        let mut clock = Clock::new(at(1), Rate::Max);
        assert_eq!(clock.due(at(9)), None);
        clock.play(t0);
        assert_eq!(clock.due(at(9_999)), Some(t0));
        clock.pull(at(9));
        clock.pull(at(8));
        assert_eq!(clock.position(t0 + 100 * MS), at(9));
    }

    #[derive(Debug, Clone)]
    enum Change {
        Play,
        Pause,
        Rate(f64),
        Wait(u64),
    }

    fn change() -> impl Strategy<Value = Change> {
        prop_oneof![
            Just(Change::Play),
            Just(Change::Pause),
            (0.01f64..=1000.0).prop_map(Change::Rate),
            (0u64..10_000_000_000).prop_map(Change::Wait),
        ]
    }

    proptest! {
        /// Without a seek the position never goes back nor jumps at a change, and a message is due exactly when
        /// the position reaches it.
        #[test]
        fn position_and_due_agree(changes in proptest::collection::vec(change(), 1..40)) {
            let mut now = Instant::now();
            let mut clock = Clock::new(at(1_000), Rate::Times(1.0));
            for change in changes {
                let before = clock.position(now);
                match change {
                    Change::Play => clock.play(now),
                    Change::Pause => clock.pause(now),
                    Change::Rate(rate) => clock.set_rate(Rate::Times(rate), now),
                    Change::Wait(nanos) => now += Duration::from_nanos(nanos),
                }
                let after = clock.position(now);
                match change {
                    Change::Wait(_) => prop_assert!(after >= before),
                    Change::Play | Change::Pause | Change::Rate(_) => prop_assert_eq!(after, before),
                }
                if let Some(due) = clock.due(Timestamp(after.0 + 1_000_000_000)) {
                    let there = clock.position(due);
                    prop_assert!(there.0.abs_diff(after.0 + 1_000_000_000) <= 2_000, "{:?}", there);
                }
            }
        }
    }
}
