//! What one client counts.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use foxglove_bridge::client::Arrival;
use foxglove_bridge::model::Channel;
use foxglove_bridge::time::Timestamp;

use super::histogram::Histogram;
use super::speed::Speed;

/// So long after subscribing times don't count: what a server keeps for new subscribers comes first.
pub(super) const WARM_UP: Duration = Duration::from_secs(1);

/// Log times this near to the clock of this computer are taken from such a clock.
const NEAR: u64 = 10_000_000_000;

/// A longer pause in log times is skipped by players, and says nothing.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Numbers of messages that are kept for comparison, of all clients: 64 MiB.
const MOST_SECONDS: usize = 4 << 20;

/// What the tallies of all clients share.
#[derive(Debug)]
pub(super) struct Conditions {
    pub(super) began: Instant,
    /// The clock of this computer when it began.
    clock: Timestamp,
    pub(super) speed: Speed,
    /// How many numbers may still be kept for comparison.
    room: AtomicUsize,
}

impl Conditions {
    /// From now on.
    pub(super) fn new() -> Self {
        Self {
            began: Instant::now(),
            clock: Timestamp::now(),
            speed: Speed::default(),
            room: AtomicUsize::new(MOST_SECONDS),
        }
    }

    fn clock_at(&self, at: Instant) -> Timestamp {
        self.clock.saturating_add(at.saturating_duration_since(self.began))
    }

    fn take_room(&self) -> bool {
        let take = |room: usize| room.checked_sub(1);
        self.room.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
    }
}

/// The messages of a channel.
#[derive(Debug)]
pub(super) struct Counted {
    pub(super) channel: Arc<Channel>,
    pub(super) messages: u64,
    pub(super) bytes: u64,
    /// After the warm-up: how many messages have log times in this second; one second can be there several times.
    pub(super) seconds: Vec<(u64, u64)>,
}

/// See the [module](self).
#[derive(Debug)]
pub(super) struct Tally {
    conditions: Arc<Conditions>,
    pub(super) messages: u64,
    pub(super) bytes: u64,
    pub(super) first: Option<Instant>,
    pub(super) last: Option<Instant>,
    /// By the address of the channel, which is held here.
    channels: BTreeMap<usize, Counted>,
    /// Whether some numbers for comparison were not kept.
    pub(super) is_cut: bool,
    /// Between log time and arrival, where the log time is the earlier one.
    pub(super) latencies: Histogram,
    /// Log times that are near the clock of this computer.
    pub(super) near: u64,
    /// How far log times are ahead of the clock of this computer, at most; of those that are near.
    pub(super) ahead: u64,
    /// By how much the time between two messages differs from that between their log times.
    pub(super) jitter: Histogram,
    /// Of the message before: arrival, log time, and since when the speed holds.
    before: Option<(Instant, Timestamp, u32)>,
}

impl Tally {
    pub(super) fn new(conditions: Arc<Conditions>) -> Self {
        Self {
            conditions,
            messages: 0,
            bytes: 0,
            first: None,
            last: None,
            channels: BTreeMap::new(),
            is_cut: false,
            latencies: Histogram::default(),
            near: 0,
            ahead: 0,
            jitter: Histogram::default(),
            before: None,
        }
    }

    pub(super) fn channels(&self) -> impl Iterator<Item = &Counted> {
        self.channels.values()
    }

    /// Messages and bytes so far.
    pub(super) fn so_far(&self) -> (u64, u64) {
        (self.messages, self.bytes)
    }

    pub(super) fn add(&mut self, arrival: Arrival<'_>) {
        let Arrival { channel, log_time, length, at } = arrival;
        self.messages += 1;
        self.bytes += length as u64;
        self.first.get_or_insert(at);
        self.last = Some(at);
        let counted = self.channels.entry(Arc::as_ptr(channel) as usize).or_insert_with(|| Counted {
            channel: channel.clone(),
            messages: 0,
            bytes: 0,
            seconds: Vec::new(),
        });
        counted.messages += 1;
        counted.bytes += length as u64;
        if at < self.conditions.began + WARM_UP {
            return;
        }
        let second = log_time.nanos() / 1_000_000_000;
        match counted.seconds.last_mut() {
            Some((last, count)) if *last == second => *count += 1,
            _ if self.conditions.take_room() => counted.seconds.push((second, 1)),
            _ => self.is_cut = true,
        }
        self.time(log_time, at);
    }

    fn time(&mut self, log_time: Timestamp, at: Instant) {
        let clock = self.conditions.clock_at(at).nanos();
        let (late, early) = (clock.saturating_sub(log_time.nanos()), log_time.nanos().saturating_sub(clock));
        self.latencies.add(late);
        if late < NEAR && early < NEAR {
            self.near += 1;
            self.ahead = self.ahead.max(early);
        }
        let Some((speed, since)) = self.conditions.speed.now() else { return };
        let before = self.before.replace((at, log_time, since));
        let Some((earlier, logged, same)) = before else { return };
        // another lap, a seek, a pause, or another speed
        if since != same || log_time < logged || log_time.since(logged) > LONGEST_PAUSE {
            return;
        }
        let expected = log_time.since(logged).as_secs_f64() / f64::from(speed);
        let passed = at.duration_since(earlier).as_secs_f64();
        // at a speed of next to nothing that is longer than a duration can be
        let apart = Duration::try_from_secs_f64((passed - expected).abs()).unwrap_or(Duration::MAX);
        self.jitter.add(u64::try_from(apart.as_nanos()).unwrap_or(u64::MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::bench::testing::channel;

    struct Script {
        conditions: Arc<Conditions>,
        tally: Tally,
    }

    impl Script {
        fn new() -> Self {
            let conditions = Arc::new(Conditions::new());
            Self { tally: Tally::new(conditions.clone()), conditions }
        }

        /// A message that arrives so many milliseconds after the beginning, with this log time in milliseconds.
        fn add(&mut self, channel: &Arc<Channel>, millis: u64, log_millis: u64) {
            let at = self.conditions.began + Duration::from_millis(millis);
            let log_time = Timestamp(log_millis * 1_000_000);
            self.tally.add(Arrival { channel, log_time, length: 10, at });
        }
    }

    #[test]
    fn times_count_after_the_warm_up() {
        let mut script = Script::new();
        let (a, clock) = (channel("/a"), script.conditions.clock.nanos() / 1_000_000);
        script.add(&a, 10, 5);
        script.add(&a, 2000, clock + 1900);
        script.add(&a, 3000, clock + 3500);
        script.add(&a, 4000, clock + 3800);
        let tally = &script.tally;
        assert_eq!((tally.messages, tally.bytes, tally.near), (4, 40, 3));
        let latencies = tally.latencies.percentiles().unwrap();
        // the clock has parts of a millisecond
        assert!(
            latencies.max.abs_diff(Duration::from_millis(200)) < Duration::from_millis(1),
            "{latencies:?}"
        );
        assert!(tally.ahead.abs_diff(500_000_000) < 1_000_000, "{}", tally.ahead);
        let counts = &tally.channels().next().unwrap().seconds;
        assert_eq!(counts.iter().map(|(_, count)| count).sum::<u64>(), 3);
    }

    #[test]
    fn jitter_is_by_the_speed_of_playback_and_leaves_out_laps_and_pauses() {
        let mut script = Script::new();
        let a = channel("/a");
        script.conditions.speed.set(2.0);
        script.add(&a, 1000, 5000);
        // half the time, and 20 ms more
        script.add(&a, 1070, 5100);
        // a lap, a long pause, another speed
        script.add(&a, 1100, 0);
        script.add(&a, 1200, 60_000);
        script.conditions.speed.set(1.0);
        script.add(&a, 1900, 60_010);
        script.add(&a, 1910, 60_020);
        let jitter = &script.tally.jitter;
        assert_eq!(jitter.count(), 2);
        let max = jitter.percentiles().unwrap().max;
        assert!(max.abs_diff(Duration::from_millis(20)) < Duration::from_micros(1), "{max:?}");
        script.conditions.speed.set(1000.0);
        script.add(&a, 1920, 60_030);
        script.add(&a, 1930, 60_040);
        assert_eq!(script.tally.jitter.count(), 2, "at the highest rate there is no time to keep to");
    }

    #[test]
    fn a_speed_of_next_to_nothing_is_no_fault() {
        let mut script = Script::new();
        let a = channel("/a");
        script.conditions.speed.set(f32::MIN_POSITIVE);
        script.add(&a, 1000, 5000);
        script.add(&a, 2000, 6000);
        assert_eq!(script.tally.jitter.count(), 1);
    }
}
