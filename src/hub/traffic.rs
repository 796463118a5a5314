//! What is published on each channel: totals since its start, and rates over the last seconds. Pure.

use std::time::{Duration, Instant};

use crate::model::{ChannelId, Entry};

/// Rates are those of so many seconds, the current one among them.
const SECONDS: usize = 5;

/// How fast something is published.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Rate {
    pub(super) hertz: f64,
    pub(super) bytes_per_second: f64,
}

/// What was published on one channel.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Published {
    pub(super) messages: u64,
    pub(super) bytes: u64,
}

/// The totals of one channel. Small, since each message that is published touches one.
#[derive(Debug, Clone, Copy, Default)]
struct Count {
    channel: Option<ChannelId>,
    published: Published,
}

/// What else is known of a channel.
#[derive(Debug, Clone, Copy, Default)]
struct Past {
    dropped: u64,
    /// When its first message was published, counted from the first message of all.
    first: Duration,
    /// Its totals when each of the last seconds began, second `n` in place `n % SECONDS`.
    totals: [Published; SECONDS],
}

/// Counts for all channels, by slot.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    begin: Option<Instant>,
    /// The second in which something was counted last, from the first message of all.
    second: u64,
    counts: Vec<Count>,
    past: Vec<Past>,
}

impl Traffic {
    /// Counts messages that are published now.
    pub(super) fn count(&mut self, entries: &[Entry], now: Instant) {
        let passed = now.saturating_duration_since(*self.begin.get_or_insert(now));
        self.turn(passed.as_secs());
        for entry in entries {
            let slot = entry.channel.slot();
            if self.counts.get(slot).is_none_or(|count| count.channel != Some(entry.channel)) {
                self.start(entry.channel, passed);
            }
            let published = &mut self.counts[slot].published;
            published.messages += 1;
            published.bytes += u64::from(entry.length);
        }
    }

    /// Keeps what the totals are as a second begins, and as those do that have passed without a message.
    fn turn(&mut self, second: u64) {
        let unseen = second.saturating_sub(self.second).min(SECONDS as u64);
        for begun in (second - unseen + 1..=second).map(place) {
            for (past, count) in self.past.iter_mut().zip(&self.counts) {
                past.totals[begun] = count.published;
            }
        }
        self.second = self.second.max(second);
    }

    /// Makes room for a channel, in the place of one that has ended.
    fn start(&mut self, channel: ChannelId, passed: Duration) {
        let slots = self.counts.len().max(channel.slot() + 1);
        self.counts.resize(slots, Count::default());
        self.past.resize(slots, Past::default());
        self.counts[channel.slot()] = Count { channel: Some(channel), published: Published::default() };
        self.past[channel.slot()] = Past { first: passed, ..Past::default() };
    }

    /// Counts messages that a client which has left did not get.
    pub(super) fn count_dropped(&mut self, channel: ChannelId, messages: u64) {
        if self.find(channel).is_some() {
            self.past[channel.slot()].dropped += messages;
        }
    }

    fn find(&self, channel: ChannelId) -> Option<(&Published, &Past)> {
        let count = self.counts.get(channel.slot()).filter(|count| count.channel == Some(channel))?;
        Some((&count.published, &self.past[channel.slot()]))
    }

    /// What was published on a channel since it began.
    pub(super) fn published(&self, channel: ChannelId) -> Published {
        self.find(channel).map(|(published, _)| *published).unwrap_or_default()
    }

    /// Messages of a channel that clients which have left did not get.
    pub(super) fn dropped(&self, channel: ChannelId) -> u64 {
        self.find(channel).map_or(0, |(_, past)| past.dropped)
    }

    /// How fast a channel is published: the average of the last [`SECONDS`], or since its first message if that is less,
    /// but of one second at least.
    pub(super) fn rate(&self, channel: ChannelId, now: Instant) -> Rate {
        let (Some(begin), Some((published, past))) = (self.begin, self.find(channel)) else {
            return Rate::default();
        };
        let passed = now.saturating_duration_since(begin);
        let oldest = passed.as_secs().saturating_sub(SECONDS as u64 - 1);
        if oldest > self.second {
            return Rate::default();
        }
        let before = past.totals[place(oldest)];
        let since = Duration::from_secs(oldest).max(past.first);
        let seconds = passed.saturating_sub(since).as_secs_f64().max(1.0);
        Rate {
            hertz: (published.messages - before.messages) as f64 / seconds,
            bytes_per_second: (published.bytes - before.bytes) as f64 / seconds,
        }
    }
}

/// Where the totals at the beginning of a second are kept.
fn place(second: u64) -> usize {
    usize::try_from(second % SECONDS as u64).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    fn messages(channel: ChannelId, count: usize) -> Vec<Entry> {
        vec![Entry { length: 10, ..Entry::at(channel, Timestamp(1)) }; count]
    }

    #[test]
    fn a_steady_flow_has_its_rate_from_the_first_second_on_and_none_after_its_end() {
        let (mut traffic, start) = (Traffic::default(), Instant::now());
        let at = |tenths: u64| start + Duration::from_millis(100 * tenths);
        for tenth in 0..100 {
            traffic.count(&messages(ChannelId(3), 4), at(tenth));
            if tenth >= 10 {
                let rate = traffic.rate(ChannelId(3), at(tenth));
                assert!((rate.hertz - 40.0).abs() < 5.0, "after {tenth} tenths: {rate:?}");
                assert!((rate.bytes_per_second - 400.0).abs() < 50.0, "{rate:?}");
            }
        }
        assert_eq!(traffic.published(ChannelId(3)), Published { messages: 400, bytes: 4000 });
        let ending = traffic.rate(ChannelId(3), at(120));
        assert!((10.0..30.0).contains(&ending.hertz), "{ending:?}");
        assert_eq!(traffic.rate(ChannelId(3), at(150)), Rate::default());
        // the bucket of a second that is long over counts for none
        traffic.count(&messages(ChannelId(3), 1), at(200));
        assert!(traffic.rate(ChannelId(3), at(200)).hertz <= 1.0);
    }

    #[test]
    fn a_channel_that_begins_late_is_measured_from_its_first_message() {
        let (mut traffic, start) = (Traffic::default(), Instant::now());
        traffic.count(&messages(ChannelId(1), 1), start);
        let late = start + Duration::from_millis(7300);
        traffic.count(&messages(ChannelId(2), 20), late);
        assert_eq!(traffic.rate(ChannelId(2), late + Duration::from_millis(500)).hertz, 20.0);
        assert_eq!(traffic.rate(ChannelId(2), late + Duration::from_secs(2)).hertz, 10.0);
    }

    #[test]
    fn a_channel_in_the_slot_of_an_earlier_one_begins_at_zero() {
        let (mut traffic, now) = (Traffic::default(), Instant::now());
        let (old, new) = (ChannelId::new(3, 0).unwrap(), ChannelId::new(3, 1).unwrap());
        traffic.count(&messages(old, 5), now);
        traffic.count_dropped(old, 2);
        assert_eq!((traffic.dropped(old), traffic.dropped(new)), (2, 0));
        traffic.count(&messages(new, 1), now);
        traffic.count_dropped(old, 2);
        assert_eq!(traffic.published(new).messages, 1);
        assert_eq!((traffic.published(old), traffic.dropped(new)), (Published::default(), 0));
        assert_eq!(traffic.rate(old, now), Rate::default());
        assert_eq!(traffic.published(ChannelId(99)), Published::default());
    }
}
