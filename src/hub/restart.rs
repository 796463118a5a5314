//! Notices when the time of a stream goes back: a simulator that was reset, a robot that was restarted.
//!
//! Pure. Messages of different topics come in any order and with old stamps (a map, a configuration), so a message
//! that is older than others says nothing. A topic that was up to date and goes back by more than a second does.

use std::time::{Duration, Instant};

use crate::model::{ChannelId, Entry};
use crate::time::Timestamp;

/// Stamps of one topic may be this much out of order.
const TOLERANCE: Duration = Duration::from_secs(1);

/// Two publishers with different clocks on one topic must not restart viewers all the time.
const MIN_INTERVAL: Duration = Duration::from_secs(5);

/// The newest times of a stream.
#[derive(Debug, Default)]
pub struct RestartWatch {
    /// By slot: the channel, and its last time.
    last: Vec<Option<(ChannelId, Timestamp)>>,
    newest: Timestamp,
    restarted: Option<Instant>,
}

impl RestartWatch {
    /// Takes note of messages up to the first with which time goes back, and returns the index of that.
    pub fn first_restart(&mut self, entries: &[Entry], now: Instant) -> Option<usize> {
        for (index, entry) in entries.iter().enumerate() {
            if self.is_restart(entry, now) {
                return Some(index);
            }
            let slot = entry.channel.slot();
            if slot >= self.last.len() {
                self.last.resize(slot + 1, None);
            }
            self.last[slot] = Some((entry.channel, entry.log_time));
            self.newest = self.newest.max(entry.log_time);
        }
        None
    }

    fn is_restart(&self, entry: &Entry, now: Instant) -> bool {
        let last = self.last.get(entry.channel.slot()).copied().flatten();
        let back = last.is_some_and(|(channel, last)| {
            channel == entry.channel
                && last.since(entry.log_time) > TOLERANCE
                && self.newest.since(last) <= TOLERANCE
        });
        back && self.restarted.is_none_or(|then| now.saturating_duration_since(then) >= MIN_INTERVAL)
    }

    /// The newest time so far.
    pub fn newest(&self) -> Timestamp {
        self.newest
    }

    /// Forgets the time before a restart.
    pub fn restart(&mut self, now: Instant) {
        *self = Self { restarted: Some(now), ..Self::default() };
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
