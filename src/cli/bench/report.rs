//! What was measured, as figures.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::compare::missed;
use super::histogram::{Histogram, Percentiles};
use super::tally::Tally;

/// Smallest, median and largest.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Spread<T> {
    pub(super) min: T,
    pub(super) median: T,
    pub(super) max: T,
}

impl<T: Copy + PartialOrd> Spread<T> {
    /// None if there are none.
    pub(super) fn of(mut values: Vec<T>) -> Option<Self> {
        values.sort_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
        let (min, max) = (*values.first()?, *values.last()?);
        Some(Self { min, median: values[(values.len() - 1) / 2], max })
    }
}

/// What times say.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Timing {
    /// Log times are of a clock like that of this computer: from log time to arrival.
    Latency {
        percentiles: Percentiles,
        /// How far log times are ahead of this clock, at most.
        ahead: Duration,
    },
    /// They are not: by how much the time between messages differs from that between their log times.
    Jitter(Percentiles),
    /// Nothing: too little came after the warm-up, or playback keeps to no time.
    Nothing,
}

/// A topic, of all clients together.
#[derive(Debug, Default, Clone, PartialEq)]
pub(super) struct Topic {
    pub(super) messages: u64,
    pub(super) bytes: u64,
    pub(super) missed: Option<u64>,
}

/// What the clients have counted.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Counts {
    /// From the first message on.
    pub(super) measured: Duration,
    pub(super) messages: u64,
    pub(super) bytes: u64,
    /// Messages and bytes a second of each client.
    pub(super) messages_per_second: Option<Spread<f64>>,
    pub(super) bytes_per_second: Option<Spread<f64>>,
    /// At least so many messages did not reach some client; None if there is nothing to compare.
    pub(super) missed: Option<u64>,
    pub(super) timing: Timing,
    pub(super) topics: BTreeMap<String, Topic>,
}

impl Counts {
    /// `until`: when measuring ended; None if the server ended it with its last message.
    pub(super) fn of(tallies: &[Tally], until: Option<Instant>) -> Self {
        let first = tallies.iter().filter_map(|tally| tally.first).min();
        let last = tallies.iter().filter_map(|tally| tally.last).max();
        let end = until.or(last);
        let measured =
            first.zip(end).map_or(Duration::ZERO, |(first, end)| end.saturating_duration_since(first));
        let seconds = measured.as_secs_f64().max(0.001);
        let rates = |count: fn(&Tally) -> u64| {
            Spread::of(tallies.iter().map(|tally| count(tally) as f64 / seconds).collect())
        };
        let missed = missed(tallies);
        let mut topics: BTreeMap<String, Topic> = BTreeMap::new();
        for counted in tallies.iter().flat_map(Tally::channels) {
            let topic = topics.entry(counted.channel.topic.clone()).or_default();
            topic.messages += counted.messages;
            topic.bytes += counted.bytes;
        }
        if let Some(missed) = &missed {
            topics.iter_mut().for_each(|(name, topic)| {
                topic.missed = Some(missed.get(name.as_str()).copied().unwrap_or(0));
            });
        }
        Self {
            measured,
            messages: tallies.iter().map(|tally| tally.messages).sum(),
            bytes: tallies.iter().map(|tally| tally.bytes).sum(),
            messages_per_second: rates(|tally| tally.messages),
            bytes_per_second: rates(|tally| tally.bytes),
            missed: missed.map(|missed| missed.values().sum()),
            timing: timing(tallies),
            topics,
        }
    }
}

fn timing(tallies: &[Tally]) -> Timing {
    let merged = |histogram: fn(&Tally) -> &Histogram| {
        let mut all = Histogram::default();
        tallies.iter().for_each(|tally| all.merge(histogram(tally)));
        all
    };
    let latencies = merged(|tally| &tally.latencies);
    let near: u64 = tallies.iter().map(|tally| tally.near).sum();
    match (latencies.percentiles(), merged(|tally| &tally.jitter).percentiles()) {
        (Some(percentiles), _) if near * 2 > latencies.count() => {
            let ahead = tallies.iter().map(|tally| tally.ahead).max().unwrap_or(0);
            Timing::Latency { percentiles, ahead: Duration::from_nanos(ahead) }
        }
        (_, Some(percentiles)) => Timing::Jitter(percentiles),
        (_, None) => Timing::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use foxglove_bridge::client::Arrival;
    use foxglove_bridge::time::Timestamp;

    use super::super::tally::Conditions;
    use super::super::testing::channel;
    use super::*;

    /// A client with so many messages of 100 bytes, a hundredth of a second apart; `log_time` of their numbers.
    fn client(conditions: &Arc<Conditions>, messages: u64, log_time: impl Fn(u64) -> u64) -> Tally {
        let (mut tally, a) = (Tally::new(conditions.clone()), channel("/a"));
        for n in 0..messages {
            let at = conditions.began + Duration::from_millis(10 * n);
            tally.add(Arrival { channel: &a, log_time: Timestamp(log_time(n)), length: 100, at });
        }
        tally
    }

    #[test]
    fn figures_are_of_all_and_of_each() {
        let conditions = Arc::new(Conditions::new());
        let recorded = |n| n * 20_000_000;
        conditions.speed.set(2.0);
        let tallies = [201, 101, 401].map(|messages| client(&conditions, messages, recorded));
        let counts = Counts::of(&tallies, None);
        assert_eq!((counts.measured, counts.messages, counts.bytes), (Duration::from_secs(4), 703, 70_300));
        let spread = Spread { min: 25.25, median: 50.25, max: 100.25 };
        assert_eq!(counts.messages_per_second, Some(spread));
        let Timing::Jitter(jitter) = counts.timing else { panic!("{:?}", counts.timing) };
        assert!(jitter.max < Duration::from_micros(1), "{jitter:?}");
        assert_eq!((counts.topics["/a"].messages, counts.topics["/a"].bytes), (703, 70_300));
        let until = conditions.began + Duration::from_secs(10);
        assert_eq!(Counts::of(&tallies, Some(until)).measured, Duration::from_secs(10));
    }

    #[test]
    fn times_of_a_clock_like_this_one_are_latencies() {
        let conditions = Arc::new(Conditions::new());
        let now = Timestamp::now().nanos();
        let counts = Counts::of(&[client(&conditions, 300, |n| now + n * 10_000_000)], None);
        let Timing::Latency { percentiles, ahead } = counts.timing else { panic!("{:?}", counts.timing) };
        assert!(percentiles.max.max(ahead) < Duration::from_secs(1), "{percentiles:?} {ahead:?}");
        assert_eq!(counts.missed, None, "there is one client");
    }

    #[test]
    fn without_messages_there_are_no_figures() {
        let counts = Counts::of(&[Tally::new(Arc::new(Conditions::new()))], None);
        assert_eq!((counts.measured, counts.messages, counts.timing), (Duration::ZERO, 0, Timing::Nothing));
        assert_eq!(Spread::<f64>::of(Vec::new()), None);
    }
}
