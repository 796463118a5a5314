//! Fewer messages of some topics: `--throttle PATTERN=HZ`.
//!
//! Log time is cut into periods, and of each period the first message is kept; periods are a grid, so that jitter does
//! not halve the rate. A message that is earlier than the one kept before (a seek, a loop) is kept.

use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::{Source, SourceError, SourceInfo};
use crate::model::{Batch, Channel, ChannelId};
use crate::pattern::TopicPattern;
use crate::time::Timestamp;

/// The rate that topics are held to.
#[derive(Debug, Clone, PartialEq)]
pub struct ThrottleRule {
    /// Topics, by the names under which they are offered.
    pub topics: TopicPattern,
    /// Messages a second of log time; positive and finite.
    pub hertz: f64,
}

impl FromStr for ThrottleRule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let usage = || format!("'{text}' throttles nothing: write PATTERN=HZ, like /camera/**=5");
        let (pattern, hertz) = text.rsplit_once('=').ok_or_else(usage)?;
        let hertz: f64 = hertz.parse().map_err(|_error| usage())?;
        if !(hertz.is_finite() && (1e-6..=1e6).contains(&hertz)) {
            return Err(format!("'{text}': {hertz} Hz is no rate; write a number from 0.000001 to 1000000"));
        }
        Ok(Self { topics: pattern.parse().map_err(|error| format!("{error}"))?, hertz })
    }
}

/// Throttles every source that is wrapped by it, as one: several writers of one topic share its rate.
#[derive(Debug, Default)]
pub struct Throttle {
    rules: Vec<ThrottleRule>,
    topics: Mutex<Topics>,
    left_out: AtomicU64,
}

/// By channel: what it is held to; None where no rule applies.
#[derive(Debug, Default)]
struct Topics(Vec<Option<Topic>>);

#[derive(Debug)]
struct Topic {
    /// In ns.
    period: u64,
    kept: Option<Timestamp>,
}

impl Throttle {
    /// The first rule that matches a topic counts.
    pub fn new(rules: Vec<ThrottleRule>) -> Arc<Self> {
        Arc::new(Self { rules, ..Self::default() })
    }

    /// A source without the messages that are too many.
    pub fn wrap(self: &Arc<Self>, source: Box<dyn Source>) -> Box<dyn Source> {
        if self.rules.is_empty() {
            return source;
        }
        self.learn(&source.info().channels);
        // their number is not known any more
        let info = SourceInfo { message_count: None, ..source.info().clone() };
        Box::new(Throttled { source, info, throttle: self.clone() })
    }

    /// Messages left out so far.
    pub fn left_out(&self) -> u64 {
        self.left_out.load(Ordering::Relaxed)
    }

    fn learn(&self, channels: &[Arc<Channel>]) {
        let mut topics = self.topics.lock().unwrap_or_else(PoisonError::into_inner);
        for channel in channels {
            if let Some(rule) = self.rules.iter().find(|rule| rule.topics.matches(&channel.topic)) {
                topics.add(channel.id, period(rule.hertz));
            }
        }
    }

    fn apply(&self, batch: &mut Batch) {
        self.learn(&batch.announcements);
        let before = batch.entries.len();
        let mut topics = self.topics.lock().unwrap_or_else(PoisonError::into_inner);
        batch.entries.retain(|entry| topics.keeps(entry.channel, entry.log_time));
        let left_out = before - batch.entries.len();
        self.left_out.fetch_add(left_out as u64, Ordering::Relaxed);
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rates are within bounds")]
fn period(hertz: f64) -> u64 {
    (1e9 / hertz) as u64
}

impl Topics {
    fn add(&mut self, channel: ChannelId, period: u64) {
        let index = channel.slot();
        if index >= self.0.len() {
            self.0.resize_with(index + 1, || None);
        }
        self.0[index].get_or_insert(Topic { period, kept: None });
    }

    fn keeps(&mut self, channel: ChannelId, time: Timestamp) -> bool {
        let Some(Some(topic)) = self.0.get_mut(channel.slot()) else { return true };
        let slot = |time: Timestamp| time.0 / topic.period;
        let keep = topic.kept.is_none_or(|kept| time < kept || slot(time) > slot(kept));
        if keep {
            topic.kept = Some(time);
        }
        keep
    }
}

struct Throttled {
    source: Box<dyn Source>,
    info: SourceInfo,
    throttle: Arc<Throttle>,
}

impl Source for Throttled {
    fn info(&self) -> &SourceInfo {
        &self.info
    }

    fn next(&mut self) -> Result<Option<Batch>, SourceError> {
        while let Some(mut batch) = self.source.next()? {
            self.throttle.apply(&mut batch);
            if !(batch.entries.is_empty() && batch.announcements.is_empty() && batch.retired.is_empty()) {
                return Ok(Some(batch));
            }
        }
        Ok(None)
    }

    fn seek(&mut self, to: Timestamp) {
        self.source.seek(to);
    }

    fn backfill(&mut self, before: Timestamp, channels: &[ChannelId]) -> Result<Batch, SourceError> {
        self.source.backfill(before, channels)
    }

    fn latch(&mut self, channels: &[ChannelId]) {
        self.source.latch(channels);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::model::Entry;

    fn channel(id: u32, topic: &str) -> Arc<Channel> {
        Arc::new(Channel {
            id: ChannelId(id),
            topic: topic.into(),
            message_encoding: "json".into(),
            schema: None,
            metadata: BTreeMap::new(),
            latched: false,
        })
    }

    fn entry(channel: u32, millis: u64) -> Entry {
        let time = Timestamp(millis * 1_000_000);
        let channel = ChannelId(channel);
        Entry {
            log_time: time,
            publish_time: time,
            channel,
            sequence: 0,
            buffer: 0,
            offset: 0,
            length: 0,
            origin: 0,
        }
    }

    fn kept(throttle: &Throttle, entries: Vec<Entry>) -> Vec<(u32, u64)> {
        let mut batch = Batch { entries, ..Batch::default() };
        throttle.apply(&mut batch);
        batch.entries.iter().map(|entry| (entry.channel.0, entry.log_time.0 / 1_000_000)).collect()
    }

    #[test]
    fn only_topics_that_match_lose_messages() {
        let throttle =
            Throttle::new(vec!["/camera/**=10".parse().unwrap(), "/camera/b=1000".parse().unwrap()]);
        throttle.learn(&[channel(1, "/camera/a"), channel(2, "/imu"), channel(3, "/camera/b")]);
        let entries =
            (0..20).flat_map(|tick| (1..=3).map(move |channel| entry(channel, tick * 10))).collect();
        let kept = kept(&throttle, entries);
        let count = |channel| kept.iter().filter(|(id, _)| *id == channel).count();
        assert_eq!((count(1), count(2), count(3)), (2, 20, 2), "the first rule counts");
        assert_eq!(throttle.left_out(), 36);
    }

    #[test]
    fn a_jump_back_begins_anew() {
        let throttle = Throttle::new(vec!["*=1".parse().unwrap()]);
        throttle.learn(&[channel(1, "a")]);
        let entries = vec![entry(1, 5000), entry(1, 5500), entry(1, 1000), entry(1, 1500), entry(1, 2000)];
        assert_eq!(kept(&throttle, entries), [(1, 5000), (1, 1000), (1, 2000)]);
    }

    #[test]
    fn bad_rules_are_refused() {
        for text in ["/a", "/a=", "/a=fast", "/a=0", "/a=-1", "/a=inf", "[=5"] {
            assert!(text.parse::<ThrottleRule>().is_err(), "{text}");
        }
        assert_eq!("/^a=b/=5".parse::<ThrottleRule>().unwrap().topics.to_string(), "/^a=b/");
    }

    proptest! {
        #[test]
        fn no_second_holds_more_than_was_asked_for(
            mut times in prop::collection::vec(0u64..10_000, 1..300),
            hertz in 1u32..50,
        ) {
            times.sort_unstable();
            let throttle = Throttle::new(vec![format!("*={hertz}").parse().unwrap()]);
            throttle.learn(&[channel(1, "a")]);
            let first = times[0];
            let kept = kept(&throttle, times.into_iter().map(|time| entry(1, time)).collect());
            prop_assert_eq!(kept[0].1, first);
            for second in 0..10 {
                let count = kept.iter().filter(|(_, time)| time / 1000 == second).count();
                prop_assert!(count <= hertz as usize + 1);
            }
        }
    }
}
