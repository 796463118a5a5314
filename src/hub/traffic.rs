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

/// What was published within one second.
#[derive(Debug, Clone, Copy, Default)]
struct Bucket {
    /// Which second it is, counted from the first message of all.
    second: u64,
    messages: u32,
    bytes: u64,
}

/// One channel.
#[derive(Debug, Clone, Copy)]
struct Slot {
    channel: ChannelId,
    published: Published,
    dropped: u64,
    /// When its first message was published, counted from the first message of all.
    first: Duration,
    buckets: [Bucket; SECONDS],
}

/// Counts for all channels, by slot.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    begin: Option<Instant>,
    slots: Vec<Option<Slot>>,
}

impl Traffic {
    /// Counts messages that are published now.
    pub(super) fn count(&mut self, entries: &[Entry], now: Instant) {
        let passed = now.saturating_duration_since(*self.begin.get_or_insert(now));
        let second = passed.as_secs();
        let bucket = usize::try_from(second % SECONDS as u64).unwrap_or(0);
        for entry in entries {
            let slot = self.slot(entry.channel, passed);
            slot.published.messages += 1;
            slot.published.bytes += u64::from(entry.length);
            let bucket = &mut slot.buckets[bucket];
            if bucket.second != second {
                *bucket = Bucket { second, ..Bucket::default() };
            }
            bucket.messages += 1;
            bucket.bytes += u64::from(entry.length);
        }
    }

    /// Counts messages that a client which has left did not get.
    pub(super) fn count_dropped(&mut self, channel: ChannelId, messages: u64) {
        if let Some(slot) = self.find_mut(channel) {
            slot.dropped += messages;
        }
    }

    fn slot(&mut self, channel: ChannelId, passed: Duration) -> &mut Slot {
        if channel.slot() >= self.slots.len() {
            self.slots.resize(channel.slot() + 1, None);
        }
        let new = || Slot {
            channel,
            published: Published::default(),
            dropped: 0,
            first: passed,
            buckets: [Bucket::default(); SECONDS],
        };
        let place = &mut self.slots[channel.slot()];
        // the channel that had the slot before has ended
        if place.as_ref().is_some_and(|slot| slot.channel != channel) {
            *place = None;
        }
        place.get_or_insert_with(new)
    }

    fn find(&self, channel: ChannelId) -> Option<&Slot> {
        self.slots.get(channel.slot())?.as_ref().filter(|slot| slot.channel == channel)
    }

    fn find_mut(&mut self, channel: ChannelId) -> Option<&mut Slot> {
        self.slots.get_mut(channel.slot())?.as_mut().filter(|slot| slot.channel == channel)
    }

    /// What was published on a channel since it began.
    pub(super) fn published(&self, channel: ChannelId) -> Published {
        self.find(channel).map(|slot| slot.published).unwrap_or_default()
    }

    /// Messages of a channel that clients which have left did not get.
    pub(super) fn dropped(&self, channel: ChannelId) -> u64 {
        self.find(channel).map_or(0, |slot| slot.dropped)
    }

    /// How fast a channel is published: the average of the last [`SECONDS`], or since its first message if that is less,
    /// but of one second at least.
    pub(super) fn rate(&self, channel: ChannelId, now: Instant) -> Rate {
        let (Some(begin), Some(slot)) = (self.begin, self.find(channel)) else { return Rate::default() };
        let passed = now.saturating_duration_since(begin);
        let oldest = passed.as_secs().saturating_sub(SECONDS as u64 - 1);
        let recent =
            slot.buckets.iter().filter(|bucket| (oldest..=passed.as_secs()).contains(&bucket.second));
        let (messages, bytes) = recent.fold((0, 0), |(messages, bytes), bucket| {
            (messages + u64::from(bucket.messages), bytes + bucket.bytes)
        });
        let since = Duration::from_secs(oldest).max(slot.first);
        let seconds = passed.saturating_sub(since).as_secs_f64().max(1.0);
        Rate { hertz: messages as f64 / seconds, bytes_per_second: bytes as f64 / seconds }
    }
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
