//! Fewer messages of some topics.
//!
//! Log time is cut into periods, and of each period the first message is kept; periods are a grid, so that jitter does
//! not halve the rate. A message that is earlier than the one kept before (a seek, a lap) is kept.

use std::collections::BTreeSet;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::{Recording, RecordingInfo, SourceError, Stop, Stream};
use crate::model::{Batch, Channel, ChannelId};
use crate::pattern::TopicPattern;
use crate::time::Timestamp;

/// The rate that topics are held to.
#[derive(Debug, Clone, PartialEq)]
pub struct ThrottleRule {
    /// Topics, by the names under which they are offered.
    pub topics: TopicPattern,
    /// Messages per second of log time; positive and finite.
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
    /// Rules that have met a topic.
    used: Mutex<BTreeSet<usize>>,
}

/// By slot of the channel: what it is held to; None where no rule applies.
#[derive(Debug, Default)]
struct Topics(Vec<Option<Topic>>);

#[derive(Debug)]
struct Topic {
    channel: ChannelId,
    /// In ns.
    period: u64,
    kept: Option<Timestamp>,
}

impl Throttle {
    /// The first rule that matches a topic counts.
    pub fn new(rules: Vec<ThrottleRule>) -> Arc<Self> {
        Arc::new(Self { rules, ..Self::default() })
    }

    /// A recording without the messages that are too many.
    pub fn recording(self: &Arc<Self>, recording: Box<dyn Recording>) -> Box<dyn Recording> {
        if self.rules.is_empty() {
            return recording;
        }
        self.learn(&recording.info().channels);
        // their number is not known any more
        let info = RecordingInfo { message_count: None, ..recording.info().clone() };
        Box::new(ThrottledRecording { recording, info, throttle: self.clone() })
    }

    /// A stream without the messages that are too many.
    pub fn stream(self: &Arc<Self>, stream: Box<dyn Stream>) -> Box<dyn Stream> {
        if self.rules.is_empty() {
            return stream;
        }
        Box::new(ThrottledStream { stream, throttle: self.clone() })
    }

    /// Messages left out so far.
    pub fn left_out(&self) -> u64 {
        self.left_out.load(Ordering::Relaxed)
    }

    /// Rules that no topic has met so far.
    pub fn unused(&self) -> Vec<&ThrottleRule> {
        let used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let unused = self.rules.iter().enumerate().filter(|(index, _)| !used.contains(index));
        unused.map(|(_, rule)| rule).collect()
    }

    fn learn(&self, channels: &[Arc<Channel>]) {
        let mut topics = self.topics.lock().unwrap_or_else(PoisonError::into_inner);
        for channel in channels {
            if let Some(index) = self.rules.iter().position(|rule| rule.topics.matches(&channel.topic)) {
                topics.add(channel.id, period(self.rules[index].hertz));
                self.used.lock().unwrap_or_else(PoisonError::into_inner).insert(index);
            }
        }
    }

    /// The next batch of which something is left.
    fn next(
        &self,
        mut next: impl FnMut() -> Result<Option<Batch>, SourceError>,
    ) -> Result<Option<Batch>, SourceError> {
        while let Some(mut batch) = next()? {
            self.apply(&mut batch);
            if !(batch.entries.is_empty() && batch.announcements.is_empty() && batch.retired.is_empty()) {
                return Ok(Some(batch));
            }
        }
        Ok(None)
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
        let topic = &mut self.0[index];
        if topic.as_ref().is_none_or(|topic| topic.channel != channel) {
            *topic = Some(Topic { channel, period, kept: None });
        }
    }

    fn keeps(&mut self, channel: ChannelId, time: Timestamp) -> bool {
        let Some(Some(topic)) = self.0.get_mut(channel.slot()) else { return true };
        if topic.channel != channel {
            return true;
        }
        let slot = |time: Timestamp| time.0 / topic.period;
        let keep = topic.kept.is_none_or(|kept| time < kept || slot(time) > slot(kept));
        if keep {
            topic.kept = Some(time);
        }
        keep
    }
}

struct ThrottledRecording {
    recording: Box<dyn Recording>,
    info: RecordingInfo,
    throttle: Arc<Throttle>,
}

impl Recording for ThrottledRecording {
    fn info(&self) -> &RecordingInfo {
        &self.info
    }

    fn next(&mut self) -> Result<Option<Batch>, SourceError> {
        self.throttle.next(|| self.recording.next())
    }

    fn seek(&mut self, to: Timestamp) {
        self.recording.seek(to);
    }

    fn backfill(&mut self, before: Timestamp, channels: &[ChannelId]) -> Result<Batch, SourceError> {
        self.recording.backfill(before, channels)
    }

    fn latch(&mut self, channels: &[ChannelId]) {
        self.recording.latch(channels);
    }
}

struct ThrottledStream {
    stream: Box<dyn Stream>,
    throttle: Arc<Throttle>,
}

impl Stream for ThrottledStream {
    fn name(&self) -> &str {
        self.stream.name()
    }

    fn next(&mut self) -> Result<Option<Batch>, SourceError> {
        self.throttle.next(|| self.stream.next())
    }

    fn stop(&self) -> &Stop {
        self.stream.stop()
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
        Entry::at(ChannelId(channel), Timestamp(millis * 1_000_000))
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
        let unused: Vec<_> = throttle.unused().iter().map(|rule| rule.topics.to_string()).collect();
        assert_eq!(unused, ["/camera/b"], "the first rule had its topic");
    }

    #[test]
    fn a_seek_back_begins_again() {
        let throttle = Throttle::new(vec!["*=1".parse().unwrap()]);
        throttle.learn(&[channel(1, "a")]);
        let entries = vec![entry(1, 5000), entry(1, 5500), entry(1, 1000), entry(1, 1500), entry(1, 2000)];
        assert_eq!(kept(&throttle, entries), [(1, 5000), (1, 1000), (1, 2000)]);
    }

    #[test]
    fn a_channel_in_the_slot_of_an_earlier_one_has_its_own_rate() {
        let throttle = Throttle::new(vec!["/a=1".parse().unwrap()]);
        let next = ChannelId::new(1, 1).unwrap().0;
        throttle.learn(&[channel(1, "/a")]);
        assert_eq!(kept(&throttle, vec![entry(1, 0), entry(1, 1)]), [(1, 0)]);
        assert_eq!(kept(&throttle, vec![entry(next, 2), entry(next, 3)]), [(next, 2), (next, 3)]);
        throttle.learn(&[channel(next, "/a")]);
        assert_eq!(kept(&throttle, vec![entry(next, 4), entry(next, 5)]), [(next, 4)]);
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
