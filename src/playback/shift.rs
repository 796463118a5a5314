//! Moves a recording's times so that what is played is sent as of now (`--shift now`).
//!
//! Pure: the wall's time is an argument. A message's time becomes the wall's time at which it is due, so distances
//! are those of the recording divided by the rate. Times that are sent never go back, whatever happens: laps, seeks
//! and a wall clock that is set back included.

use std::ops::Range;
use std::time::Duration;

use super::Rate;
use crate::model::{Batch, Entry};
use crate::time::Timestamp;

/// A wall clock that was set back by no more than this is waited for, with equal times.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// From times of a recording to times that are sent.
#[derive(Debug)]
pub(super) struct Shift {
    /// This time of the recording …
    recorded: Timestamp,
    /// … is sent as this one.
    wall: Timestamp,
    rate: Rate,
    /// The newest time sent.
    newest: Timestamp,
    /// What is added to a wall clock that was set back by more than [`LONGEST_WAIT`], until it has caught up.
    ahead: Duration,
}

impl Shift {
    /// Nothing was sent; `recorded` is now.
    pub(super) fn new(recorded: Timestamp, wall: Timestamp, rate: Rate) -> Self {
        Self { recorded, wall, rate, newest: Timestamp::MIN, ahead: Duration::ZERO }
    }

    /// From now on `recorded` is now: playback started, went on, was sought, was late or changed its rate.
    pub(super) fn set(&mut self, recorded: Timestamp, wall: Timestamp, rate: Rate) {
        let wall = self.now(wall);
        *self = Self { recorded, wall, rate, ..*self };
    }

    /// The wall's time. Of a clock that was set back by an hour all that is played in that hour would have one time: it goes on
    /// from the newest time instead.
    fn now(&mut self, wall: Timestamp) -> Timestamp {
        if wall >= self.newest {
            self.ahead = Duration::ZERO;
        } else if self.newest.since(wall.saturating_add(self.ahead)) > LONGEST_WAIT {
            self.ahead = self.newest.since(wall);
        }
        wall.saturating_add(self.ahead)
    }

    /// What is sent as the time of a moment of the recording; at [`Rate::Max`] that is `wall`, the time now.
    pub(super) fn time(&mut self, recorded: Timestamp, wall: Timestamp) -> Timestamp {
        let moved = self.moved(recorded, wall);
        self.newest = self.newest.max(moved);
        self.newest
    }

    /// A part of a batch with moved times, over the same buffers. Announcements are not repeated.
    pub(super) fn part(&mut self, batch: &Batch, range: Range<usize>, wall: Timestamp) -> Batch {
        let entries = batch.entries[range.clone()].iter().map(|entry| self.entry(entry, wall)).collect();
        // after those that are sent, whose times they must not move
        let unsent = batch.unsent_in(&range).iter();
        let unsent = unsent.map(|(before, entry)| (before - range.start, self.entry(entry, wall))).collect();
        Batch { entries, unsent, buffers: batch.buffers.clone(), ..Batch::default() }
    }

    fn entry(&mut self, entry: &Entry, wall: Timestamp) -> Entry {
        let log_time = self.time(entry.log_time, wall);
        // as long before the log time as it was recorded
        let delay = i128::from(entry.log_time.0) - i128::from(entry.publish_time.0);
        Entry { log_time, publish_time: saturating(i128::from(log_time.0) - delay), ..*entry }
    }

    fn moved(&mut self, recorded: Timestamp, wall: Timestamp) -> Timestamp {
        let Rate::Times(rate) = self.rate else { return self.now(wall) };
        let distance = i128::from(recorded.0) - i128::from(self.recorded.0);
        let distance = if rate == 1.0 { distance } else { divided(distance, rate) };
        saturating(i128::from(self.wall.0).saturating_add(distance))
    }
}

/// As exact as the clock is.
#[allow(clippy::cast_possible_truncation, reason = "`as` saturates")]
fn divided(nanos: i128, rate: f64) -> i128 {
    (nanos as f64 / rate) as i128
}

fn saturating(nanos: i128) -> Timestamp {
    Timestamp(u64::try_from(nanos.max(0)).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ChannelId;

    const S: u64 = 1_000_000_000;
    const WALL: u64 = 1_800_000_000 * S;

    fn at(seconds: u64) -> Timestamp {
        Timestamp(seconds * S)
    }

    fn wall(seconds: u64) -> Timestamp {
        Timestamp(WALL + seconds * S)
    }

    #[test]
    fn distances_are_divided_by_the_rate() {
        let mut shift = Shift::new(at(100), wall(0), Rate::Times(1.0));
        assert_eq!(shift.time(at(100), wall(9)), wall(0));
        assert_eq!(shift.time(at(103), wall(9)), wall(3));
        shift.set(at(103), wall(3), Rate::Times(2.0));
        assert_eq!(shift.time(at(105), wall(9)), wall(4));
        shift.set(at(105), wall(4), Rate::Times(0.5));
        assert_eq!(shift.time(at(106), wall(9)), wall(6));
    }

    #[test]
    fn at_max_the_time_is_that_of_handing_out() {
        let mut shift = Shift::new(at(100), wall(0), Rate::Max);
        assert_eq!(shift.time(at(500), wall(1)), wall(1));
        assert_eq!(shift.time(at(900), wall(1)), wall(1));
    }

    #[test]
    fn times_never_go_back() {
        let mut shift = Shift::new(at(100), wall(0), Rate::Times(1.0));
        assert_eq!(shift.time(at(105), wall(0)), wall(5));
        assert_eq!(shift.time(at(95), wall(0)), wall(5), "a state from before");
        shift.set(at(100), wall(4), Rate::Times(1.0));
        assert_eq!(shift.time(at(100), wall(4)), wall(5), "a wall clock that was set back by a second");
        assert_eq!(shift.time(at(103), wall(7)), wall(7));
        shift.set(at(100), wall(3), Rate::Times(1.0));
        assert_eq!(shift.time(at(101), wall(4)), wall(8), "by more: distances stay");
        shift.set(at(100), wall(9), Rate::Times(1.0));
        assert_eq!(shift.time(at(101), wall(10)), wall(10), "once it has caught up it counts again");
    }

    #[test]
    fn a_clock_that_was_set_back_goes_on_from_the_newest_time() {
        let mut shift = Shift::new(at(100), wall(1000), Rate::Max);
        assert_eq!(shift.time(at(100), wall(1000)), wall(1000));
        assert_eq!(shift.time(at(101), wall(400)), wall(1000));
        assert_eq!(shift.time(at(102), wall(402)), wall(1002), "at max too");
        shift.set(at(102), wall(405), Rate::Times(1.0));
        assert_eq!(shift.time(at(103), wall(406)), wall(1006), "a pause lasts as long as it did");
        shift.set(at(103), wall(350), Rate::Max);
        assert_eq!(shift.time(at(104), wall(353)), wall(1009), "set back once more");
        assert_eq!(shift.time(at(105), wall(1200)), wall(1200), "set right");
        assert_eq!(shift.time(at(106), wall(1201)), wall(1201));
    }

    #[test]
    fn the_ends_of_time_do_not_overflow() {
        for rate in [0.01, 1.0, 1000.0] {
            let mut shift = Shift::new(Timestamp::MAX, Timestamp(5), Rate::Times(rate));
            assert_eq!(shift.time(Timestamp::MIN, wall(0)), Timestamp::MIN);
            shift.set(Timestamp::MIN, Timestamp::MAX, Rate::Times(rate));
            assert_eq!(shift.time(Timestamp::MAX, wall(0)), Timestamp::MAX);
        }
    }

    #[test]
    fn a_part_shares_payloads_and_keeps_delays() {
        let entry = |log: u64, publish: u64| Entry {
            log_time: at(log),
            publish_time: at(publish),
            channel: ChannelId(1),
            sequence: 7,
            buffer: 0,
            offset: 0,
            length: 3,
            origin: 0,
        };
        let mut batch = Batch::default();
        for (log, publish) in [(100, 99), (101, 102), (102, 0)] {
            batch.push_copy(&entry(log, publish), b"abc");
        }
        let mut shift = Shift::new(at(101), wall(0), Rate::Times(1.0));
        let part = shift.part(&batch, 1..3, wall(0));
        let times: Vec<_> = part.entries.iter().map(|entry| (entry.log_time, entry.publish_time)).collect();
        assert_eq!(times, [(wall(0), wall(1)), (wall(1), Timestamp(wall(1).0 - 102 * S))]);
        assert_eq!(part.payload(&part.entries[1]).as_ptr(), batch.payload(&batch.entries[2]).as_ptr());
    }
}
