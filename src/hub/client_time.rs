//! The log time of what clients publish: that of what they see.
//!
//! A viewer takes each `time` for the present. A message that a client published with another time than that of what is
//! served would move all viewers there, and what is served would look old from then on. So a message of a client gets
//! the time at which viewers are:
//!
//! - where a recording is played, or a stream by its times: the time that was sent last;
//! - with live input whose times are those of now: the newest of them, and what has passed since on this computer's
//!   clock, so that an input whose clock differs a little is not overtaken;
//! - with live input of another time, a simulation's: the newest of its times;
//! - with nothing at all: that of this computer's clock. If an input begins after that with an earlier time, viewers get
//!   a new session with its first message.

use std::time::{Duration, Instant};

use super::new_session::Forgetting;
use super::{Hub, SlowClient, State};
use crate::model::Entry;
use crate::time::Timestamp;

/// Clocks of robots differ by less, times of simulations and of recordings by more.
const SAME_CLOCK: Duration = Duration::from_secs(60);

/// What the time of clients' messages is known by.
#[derive(Debug, Default)]
pub(super) struct ClientTime {
    /// The newest time when live input last published, and when that was.
    live: Option<(Timestamp, Instant)>,
    /// Only clients have published, with the time of this computer's clock.
    is_of_clients: bool,
}

impl ClientTime {
    pub(super) fn on_live(&mut self, newest: Option<Timestamp>, now: Instant) {
        self.live = newest.map(|newest| (newest, now));
    }

    /// The time that live input has now, if that is about the time of `wall`.
    fn running(&self, wall: Timestamp, now: Instant) -> Option<Timestamp> {
        let (newest, then) = self.live?;
        let time = newest.saturating_add(now.saturating_duration_since(then));
        (time.since(wall).max(wall.since(time)) <= SAME_CLOCK).then_some(time)
    }
}

impl State {
    /// The log time of a message that a client publishes; `wall`: the time of this computer's clock.
    pub(super) fn time_for_client(&mut self, wall: Timestamp, now: Instant) -> Timestamp {
        let Some(told) = self.time else {
            self.client_time.is_of_clients = true;
            return wall;
        };
        if self.slots.playback.as_ref().is_some() {
            return told;
        }
        self.client_time.running(wall, now).map_or(told, |time| time.max(told))
    }

    /// Begins a new session if only clients have published so far, and an input now begins before their time.
    pub(super) fn begin_after_clients(
        &mut self,
        hub: &Hub,
        entries: &[Entry],
        policy: SlowClient,
        now: Instant,
    ) -> Forgetting {
        let first = entries.first().filter(|_| std::mem::take(&mut self.client_time.is_of_clients));
        match first.filter(|first| self.time.is_some_and(|told| told.since(first.log_time) > SAME_CLOCK)) {
            Some(first) => self.restart(hub, first.log_time, policy, now),
            None => Forgetting::Nobody,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_differs_a_little_runs_on_and_another_time_stands() {
        let (then, later) = (Instant::now(), Duration::from_secs(5));
        let wall = Timestamp::now();
        let running = |newest: Timestamp| {
            let mut time = ClientTime::default();
            time.on_live(Some(newest), then);
            time.running(wall.saturating_add(later), then + later)
        };
        let slow = wall.saturating_sub(Duration::from_secs(3));
        assert_eq!(running(slow), Some(slow.saturating_add(later)));
        assert_eq!(running(Timestamp(100_000_000_000)), None);
        assert_eq!(running(wall.saturating_add(Duration::from_secs(3600))), None);
        assert_eq!(ClientTime::default().running(wall, then), None);
    }
}
