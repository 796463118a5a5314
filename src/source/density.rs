//! Counts messages in equal parts of a range, and finds the gaps between them.

use std::collections::BTreeMap;

use crate::model::{ChannelId, Timeline, TopicTimeline};
use crate::time::{TimeRange, Timestamp};

/// Counts of all channels together; they take 4 MB.
const MAX_COUNTS: usize = 1 << 20;

/// No message for longer than this can be a gap, ns.
const GAP: u64 = 1_000_000_000;

/// The part of the range that a gap takes at least.
const GAP_OF_RANGE: u64 = 100;

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Density {
    range: TimeRange,
    bins: usize,
    topics: BTreeMap<ChannelId, TopicTimeline>,
    longest_pause: u64,
    /// Where there are messages at least every [`Density::longest_pause`].
    covered: Vec<(u64, u64)>,
}

impl Density {
    /// Of a recording with so many channels at most.
    pub(super) fn new(range: TimeRange, bins: usize, channels: usize) -> Self {
        let length = range.end.0 - range.start.0;
        Self {
            range,
            bins: bins.min(MAX_COUNTS / channels.max(1)).max(1),
            topics: BTreeMap::new(),
            longest_pause: GAP.max(length / GAP_OF_RANGE),
            covered: Vec::new(),
        }
    }

    /// The shortest time that more than its count tells something of: a part of the range, or a gap.
    pub(super) fn resolution(&self) -> u64 {
        self.longest_pause.min((self.range.end.0 - self.range.start.0) / self.bins as u64)
    }

    /// A message of a channel.
    pub(super) fn add(&mut self, channel: ChannelId, time: u64) {
        if self.range.contains(Timestamp(time)) {
            let bin = self.bin(time);
            self.topic(channel).counts[bin] += 1.0;
        }
    }

    /// So many messages of a channel, evenly from one time to another.
    #[allow(clippy::cast_possible_truncation, reason = "to the nearest number of fewer digits")]
    pub(super) fn spread(&mut self, channel: ChannelId, count: f64, (start, end): (u64, u64)) {
        let (first, last) = (start.max(self.range.start.0), end.min(self.range.end.0));
        if first > last || count <= 0.0 {
            return;
        }
        let (from, to) = (self.bin(first), self.bin(last));
        let width = self.width();
        let origin = self.range.start.0;
        let counts = &mut self.topic(channel).counts;
        if start == end || from == to && (first, last) == (start, end) {
            counts[from] += count as f32;
            return;
        }
        let each = count / (end - start) as f64;
        let (first, last) = ((first - origin) as f64, (last - origin) as f64);
        for (bin, sum) in (from..=to).zip(&mut counts[from..=to]) {
            let (begin, until) = (bin as f64 * width, (bin + 1) as f64 * width);
            // what is later than the last bin by rounding belongs to it
            let until = if bin == to { last } else { until.min(last) };
            *sum += ((until - begin.max(first)).max(0.0) * each) as f32;
        }
    }

    /// That counts of a channel are estimated.
    pub(super) fn estimated(&mut self, channel: ChannelId) {
        self.topic(channel).estimated = true;
    }

    /// That there are messages from one time to another, without a gap.
    pub(super) fn cover(&mut self, start: u64, end: u64) {
        match self.covered.last_mut() {
            Some((from, to)) if *from <= start && start <= to.saturating_add(self.longest_pause) => {
                *to = end.max(*to);
            }
            _ => self.covered.push((start, end)),
        }
    }

    pub(super) fn finish(mut self) -> Timeline {
        let mut gaps = Vec::new();
        let mut reached = self.range.start.0;
        self.covered.sort_unstable();
        let end = (self.range.end.0, self.range.end.0);
        for (start, end) in self.covered.into_iter().chain([end]) {
            let start = start.min(self.range.end.0);
            if start.saturating_sub(reached) > self.longest_pause {
                gaps.push(TimeRange { start: Timestamp(reached), end: Timestamp(start) });
            }
            reached = reached.max(end);
        }
        let has_messages = |topic: &TopicTimeline| topic.counts.iter().any(|count| *count > 0.0);
        let topics = self.topics.into_values().filter(has_messages).collect();
        Timeline { range: Some(self.range), topics, gaps, damaged: Vec::new() }
    }

    fn topic(&mut self, channel: ChannelId) -> &mut TopicTimeline {
        let bins = self.bins;
        let new = || TopicTimeline { channel, counts: vec![0.0; bins], estimated: false };
        self.topics.entry(channel).or_insert_with(new)
    }

    /// Of a part of the range, ns.
    fn width(&self) -> f64 {
        (self.range.end.0 - self.range.start.0) as f64 / self.bins as f64
    }

    /// The part in which a time of the range lies.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "`as` saturates")]
    fn bin(&self, time: u64) -> usize {
        let bin = (time - self.range.start.0) as f64 / self.width();
        // with a range of no length it is no number, which becomes 0
        (bin as usize).min(self.bins - 1)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const S: u64 = 1_000_000_000;
    const CHANNEL: ChannelId = ChannelId(3);

    fn density(start: u64, end: u64, bins: usize) -> Density {
        Density::new(TimeRange { start: Timestamp(start), end: Timestamp(end) }, bins, 1)
    }

    fn counts(density: Density) -> Vec<f32> {
        density.finish().topics.into_iter().flat_map(|topic| topic.counts).collect()
    }

    #[test]
    fn messages_are_counted_where_they_are_and_chunks_evenly() {
        let mut exact = density(100, 200, 4);
        [99, 100, 124, 125, 199, 200, 201].iter().for_each(|time| exact.add(CHANNEL, *time));
        assert_eq!(counts(exact), [2.0, 1.0, 0.0, 2.0]);
        let mut spread = density(100, 200, 4);
        spread.spread(CHANNEL, 10.0, (100, 150));
        // half of it is not played
        spread.spread(CHANNEL, 8.0, (175, 225));
        spread.spread(CHANNEL, 1.0, (200, 200));
        spread.spread(CHANNEL, 5.0, (201, 300));
        assert_eq!(counts(spread), [5.0, 5.0, 0.0, 5.0]);
    }

    #[test]
    fn a_range_of_one_time_or_of_all_times_has_bins() {
        let mut one = density(7, 7, 3);
        one.add(CHANNEL, 7);
        one.spread(CHANNEL, 2.0, (7, 7));
        one.spread(CHANNEL, 4.0, (0, 100));
        assert_eq!(counts(one)[0], 3.0);
        let mut all = density(0, u64::MAX, 4000);
        all.spread(CHANNEL, 8000.0, (0, u64::MAX));
        all.add(CHANNEL, u64::MAX);
        let counts = counts(all);
        assert!((counts[0] - 2.0).abs() < 0.01 && (counts[3999] - 3.0).abs() < 0.01, "{counts:?}");
    }

    #[test]
    fn gaps_are_longer_than_a_second_and_a_hundredth() {
        let gaps = |length: u64, covered: &[(u64, u64)]| {
            let mut density = density(0, length * S, 10);
            covered.iter().for_each(|(start, end)| density.cover(start * S, end * S));
            let gaps = density.finish().gaps;
            gaps.iter().map(|gap| (gap.start.0 / S, gap.end.0 / S)).collect::<Vec<_>>()
        };
        assert_eq!(gaps(10, &[(0, 2), (3, 4), (6, 10)]), [(4, 6)]);
        // in any order, one within another
        assert_eq!(gaps(10, &[(8, 10), (0, 5), (1, 2)]), [(5, 8)]);
        assert_eq!(gaps(1000, &[(0, 500), (509, 600), (611, 1000)]), [(600, 611)]);
        // what is played may begin and end in a gap
        assert_eq!(gaps(10, &[(4, 5)]), [(0, 4), (5, 10)]);
        assert_eq!(gaps(10, &[(0, 5), (20, 30)]), [(5, 10)]);
    }

    #[test]
    fn very_many_channels_have_fewer_bins() {
        let mut many = Density::new(TimeRange { start: Timestamp(0), end: Timestamp(9) }, 4000, 100_000);
        many.add(CHANNEL, 5);
        assert_eq!(counts(many).len(), 10);
        assert_eq!(Density::new(TimeRange::ALL, 4000, 2 * MAX_COUNTS).bins, 1);
    }

    proptest! {
        #[test]
        fn nothing_of_a_chunk_within_the_range_is_lost(
            start in 0u64..u64::MAX / 2,
            length in 0u64..100 * S,
            chunk in (0.0f64..=1.0, 0.0f64..=1.0),
            count in 1u32..100_000,
            bins in 1usize..500,
        ) {
            let mut density = density(start, start + length, bins);
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "`as` saturates")]
            let at = |part: f64| start + ((length as f64 * part) as u64).min(length);
            let (from, to) = (at(chunk.0).min(at(chunk.1)), at(chunk.0).max(at(chunk.1)));
            density.spread(CHANNEL, f64::from(count), (from, to));
            let sum: f64 = counts(density).into_iter().map(f64::from).sum();
            prop_assert!((sum - f64::from(count)).abs() < f64::from(count) * 1e-4, "{sum} of {count}");
        }
    }
}
