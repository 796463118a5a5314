//! Notices when the time of a stream goes back: a simulator that was reset, a robot that was restarted.
//!
//! Pure. Messages of different topics come in any order and with old stamps (a map, a configuration), so a message
//! that is older than others says nothing. A topic that was up to date and goes back by more than a second does.

use std::time::{Duration, Instant};

use crate::model::{ChannelId, Entry};
use crate::time::Timestamp;

/// Stamps of one topic may be this much out of order.
const TOLERANCE: Duration = Duration::from_secs(1);

/// A topic that is shorter than this is not played again, but out of order.
const SHORTEST: Duration = Duration::from_millis(100);

/// Two publishers with different clocks on one topic must not restart viewers all the time.
const MIN_INTERVAL: Duration = Duration::from_secs(5);

/// The newest times of a stream.
#[derive(Debug, Default)]
pub(crate) struct RestartWatch {
    /// By slot: the channel, and its last time.
    last: Vec<Option<(ChannelId, Timestamp)>>,
    newest: Timestamp,
    restarted: Option<Instant>,
    /// Of messages that are played by their time, by slot: the channel, and its first time.
    first: Option<Vec<Option<(ChannelId, Timestamp)>>>,
}

impl RestartWatch {
    /// For a stream that is played by its times: a topic that is back at its first time restarts, however short it was
    /// and however often. Live input repeats an old stamp for other reasons.
    pub(crate) fn of_paced() -> Self {
        Self { first: Some(Vec::new()), ..Self::default() }
    }

    /// Takes note of messages up to the first with which time goes back, and returns the index of that.
    pub(crate) fn first_restart(&mut self, entries: &[Entry], now: Instant) -> Option<usize> {
        for (index, entry) in entries.iter().enumerate() {
            if self.is_restart(entry, now) {
                return Some(index);
            }
            let slot = entry.channel.slot();
            if slot >= self.last.len() {
                self.last.resize(slot + 1, None);
            }
            self.last[slot] = Some((entry.channel, entry.log_time));
            if let Some(first) = &mut self.first {
                if slot >= first.len() {
                    first.resize(slot + 1, None);
                }
                if first[slot].is_none_or(|(channel, _)| channel != entry.channel) {
                    first[slot] = Some((entry.channel, entry.log_time));
                }
            }
            self.newest = self.newest.max(entry.log_time);
        }
        None
    }

    /// Whether a topic that has gone on for a while is where it began.
    fn begins_again(&self, entry: &Entry) -> bool {
        let slot = entry.channel.slot();
        let at = |times: &[Option<(ChannelId, Timestamp)>]| {
            times.get(slot).copied().flatten().filter(|(channel, _)| *channel == entry.channel)
        };
        let Some((_, first)) = self.first.as_deref().and_then(at) else { return false };
        let last = at(&self.last).map_or(first, |(_, last)| last);
        entry.log_time <= first && last.since(first) >= SHORTEST && self.newest.since(last) <= TOLERANCE
    }

    fn is_restart(&self, entry: &Entry, now: Instant) -> bool {
        if self.begins_again(entry) {
            return true;
        }
        let last = self.last.get(entry.channel.slot()).copied().flatten();
        let back = last.is_some_and(|(channel, last)| {
            channel == entry.channel
                && last.since(entry.log_time) > TOLERANCE
                && self.newest.since(last) <= TOLERANCE
        });
        back && self.restarted.is_none_or(|then| now.saturating_duration_since(then) >= MIN_INTERVAL)
    }

    /// The newest time so far.
    pub(crate) fn newest(&self) -> Timestamp {
        self.newest
    }

    /// Forgets all times: what comes is no restart.
    pub(crate) fn forget(&mut self) {
        *self = Self { restarted: self.restarted, ..Self::default() };
    }

    /// Forgets the time before a restart.
    pub(crate) fn restart(&mut self, now: Instant) {
        let first = self.first.as_ref().map(|_| Vec::new());
        *self = Self { restarted: Some(now), first, ..Self::default() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(channel: u32, seconds: u64) -> Entry {
        Entry {
            log_time: Timestamp(seconds * 1_000_000_000),
            publish_time: Timestamp(0),
            channel: ChannelId(channel),
            sequence: 0,
            buffer: 0,
            offset: 0,
            length: 0,
            origin: 0,
        }
    }

    #[test]
    fn old_stamps_of_other_topics_are_no_restart() {
        let mut watch = RestartWatch::default();
        let entries = [entry(1, 100), entry(2, 5), entry(1, 101), entry(2, 3), entry(1, 100), entry(3, 0)];
        assert_eq!(watch.first_restart(&entries, Instant::now()), None);
        assert_eq!(watch.newest(), Timestamp(101_000_000_000));
    }

    #[test]
    fn a_current_topic_that_goes_back_is_one() {
        let (mut watch, now) = (RestartWatch::default(), Instant::now());
        let entries = [entry(1, 100), entry(2, 100), entry(1, 2), entry(2, 2)];
        assert_eq!(watch.first_restart(&entries, now), Some(2));
        watch.restart(now);
        assert_eq!(watch.first_restart(&entries[2..], now), None);
        assert_eq!(watch.newest(), Timestamp(2_000_000_000));
    }

    #[test]
    fn a_paced_topic_that_is_back_at_its_first_time_restarts_however_short_it_was() {
        let at =
            |channel, millis: u64| Entry { log_time: Timestamp(millis * 1_000_000), ..entry(channel, 0) };
        let now = Instant::now();
        let lap = [at(1, 5000), at(2, 5000), at(1, 5400), at(1, 5390), at(2, 5800)];
        let mut paced = RestartWatch::of_paced();
        assert_eq!(paced.first_restart(&lap, now), None, "a little out of order");
        for _ in 0..3 {
            assert_eq!(paced.first_restart(&lap, now), Some(0));
            paced.restart(now);
            assert_eq!(paced.first_restart(&lap, now), None);
        }
        let mut live = RestartWatch::default();
        assert_eq!(live.first_restart(&[lap, lap].concat(), now), None);
    }

    #[test]
    fn two_clocks_on_one_topic_restart_seldom() {
        let (mut watch, start) = (RestartWatch::default(), Instant::now());
        let mut restarts = 0;
        for tick in 0..1000u64 {
            let now = start + Duration::from_millis(10 * tick);
            let entries = [entry(1, 100 + tick), entry(1, tick)];
            while watch.first_restart(&entries, now).is_some() {
                watch.restart(now);
                restarts += 1;
            }
        }
        assert_eq!(restarts, 2, "in ten seconds");
    }
}
