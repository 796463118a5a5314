//! Fewer messages of some topics.
//!
//! Log time is cut into periods, and of each period the first message of each publisher is sent; periods are a grid, so
//! that jitter does not halve the rate. Of transforms it is the first message of each child frame, whoever sends it. A
//! message that is earlier than the one sent before (a seek, a lap) is sent. What is not sent counts for late subscribers of
//! latched topics all the same ([`Batch::unsent`]).
//!
//! Bound: 1,000 publishers and 10,000 frames of each topic; with one more all of them begin again.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::{Overview, Recording, RecordingInfo, SourceError, Stop, Stream};
use crate::model::{Batch, Channel, ChannelId, Entry, Fate};
use crate::pattern::TopicPattern;
use crate::payload::latest::MAX_ORIGINS;
use crate::payload::transforms::{MAX_FRAMES, Transforms};
use crate::time::Timestamp;

/// The rate that topics are held to.
#[derive(Debug, Clone, PartialEq)]
pub struct ThrottleRule {
    /// Topics, by the names under which they are offered.
    pub topics: TopicPattern,
    /// Messages per second of log time, of each publisher or child frame; positive and finite.
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

/// Throttles every source that is wrapped by it. Publishers are told apart as [`Entry::origin`] does.
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
    /// How its payloads are read, if it has transforms.
    transforms: Option<Transforms>,
    /// When a message was last sent: of each origin, and of each child frame.
    origins: BTreeMap<u32, Timestamp>,
    frames: HashMap<Box<str>, Timestamp>,
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
                topics.add(channel, period(self.rules[index].hertz));
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
            if !batch.is_empty() {
                return Ok(Some(batch));
            }
        }
        Ok(None)
    }

    fn apply(&self, batch: &mut Batch) {
        self.learn(&batch.announcements);
        let mut topics = self.topics.lock().unwrap_or_else(PoisonError::into_inner);
        if !batch.entries.iter().any(|entry| topics.of(entry).is_some()) {
            return;
        }
        let before = batch.entries.len();
        batch.sift(|entry, payload| {
            let sends = topics.of(entry).is_none_or(|topic| topic.sends(entry, payload));
            if sends { Fate::Sent } else { Fate::Unsent }
        });
        let left_out = before - batch.entries.len();
        self.left_out.fetch_add(left_out as u64, Ordering::Relaxed);
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rates are within bounds")]
fn period(hertz: f64) -> u64 {
    (1e9 / hertz) as u64
}

impl Topics {
    fn add(&mut self, channel: &Channel, period: u64) {
        let index = channel.id.slot();
        if index >= self.0.len() {
            self.0.resize_with(index + 1, || None);
        }
        let topic = &mut self.0[index];
        if topic.as_ref().is_none_or(|topic| topic.channel != channel.id) {
            let transforms = Transforms::of(channel);
            let (origins, frames) = Default::default();
            *topic = Some(Topic { channel: channel.id, period, transforms, origins, frames });
        }
    }

    /// The topic of a message, if there is a rule for it.
    fn of(&mut self, entry: &Entry) -> Option<&mut Topic> {
        let topic = self.0.get_mut(entry.channel.slot())?.as_mut()?;
        (topic.channel == entry.channel).then_some(topic)
    }
}

impl Topic {
    /// Whether a message is sent.
    fn sends(&mut self, entry: &Entry, payload: &[u8]) -> bool {
        let (time, period) = (entry.log_time, self.period);
        let is_due = |sent: Option<&Timestamp>| {
            sent.is_none_or(|sent| time < *sent || time.0 / period > sent.0 / period)
        };
        let frames = self.transforms.map(|transforms| transforms.child_frames(payload)).unwrap_or_default();
        if frames.is_empty() {
            let due = is_due(self.origins.get(&entry.origin));
            if due {
                if self.origins.len() >= MAX_ORIGINS && !self.origins.contains_key(&entry.origin) {
                    self.origins.clear();
                }
                self.origins.insert(entry.origin, time);
            }
            return due;
        }
        let due = frames.iter().any(|frame| is_due(self.frames.get(&**frame)));
        if due {
            let new = frames.iter().filter(|frame| !self.frames.contains_key(&***frame)).count();
            if self.frames.len() + new > MAX_FRAMES {
                self.frames.clear();
            }
            self.frames.extend(frames.into_iter().map(|frame| (frame.into(), time)));
        }
        due
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

    fn overview(&self) -> Option<Arc<dyn Overview>> {
        self.recording.overview()
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

    use proptest::prelude::*;

    use super::*;
    use crate::model::Schema;
    use crate::source::testing::{fed, json_channel as channel};

    fn entry(channel: u32, millis: u64) -> Entry {
        Entry::at(ChannelId(channel), Timestamp(millis * 1_000_000))
    }

    fn kept(throttle: &Throttle, entries: Vec<Entry>) -> Vec<(u32, u64)> {
        let batch = throttled(throttle, entries.into_iter().map(|entry| (entry, String::new())).collect());
        batch.entries.iter().map(|entry| (entry.channel.0, entry.log_time.0 / 1_000_000)).collect()
    }

    fn throttled(throttle: &Throttle, messages: Vec<(Entry, String)>) -> Batch {
        let mut batch = Batch::default();
        messages.iter().for_each(|(entry, payload)| batch.push_copy(entry, payload.as_bytes()));
        throttle.apply(&mut batch);
        batch
    }

    #[test]
    fn each_publisher_of_a_topic_has_its_rate() {
        let throttle = Throttle::new(vec!["/map=1".parse().unwrap()]);
        throttle.learn(&[channel(1, "/map")]);
        // the second one always comes a little later
        let of = |origin, millis| (Entry { origin, ..entry(1, millis) }, format!("{origin} {millis}"));
        let messages = (0..30).flat_map(|tick| [of(1, tick * 100), of(2, tick * 100 + 5)]).collect();
        let batch = throttled(&throttle, messages);
        let sent: Vec<_> = batch.entries.iter().map(|entry| (entry.origin, entry.log_time.0)).collect();
        let second = 1_000_000_000;
        let late = 5_000_000;
        assert_eq!(sent, [0, 1, 2].map(|time| [(1, time * second), (2, time * second + late)]).concat(),);
        // late subscribers get the last message of both
        let (last, before) = batch.unsent.split_last().unwrap();
        assert_eq!(batch.payload(&last.1), b"2 2905");
        assert_eq!(batch.payload(&before.last().unwrap().1), b"1 2900");
        assert_eq!((batch.unsent.len(), throttle.left_out()), (54, 54));
    }

    #[test]
    fn each_child_frame_of_transforms_has_its_rate() {
        let throttle = Throttle::new(vec!["/tf=1".parse().unwrap()]);
        let schema = Schema {
            name: "foxglove.FrameTransform".into(),
            encoding: "jsonschema".into(),
            data: "{}".into(),
        };
        let tf = Channel { schema: Some(Arc::new(schema)), ..(*channel(1, "/tf")).clone() };
        throttle.learn(&[Arc::new(tf)]);
        let of = |frame: &str, millis| (entry(1, millis), format!("{{\"child_frame_id\":\"{frame}\"}}"));
        let messages = (0..20).flat_map(|tick| [of("base", tick * 100), of("arm", tick * 100 + 5)]);
        let batch = throttled(&throttle, messages.chain([of("wheel", 1950)]).collect());
        let millis: Vec<_> = batch.entries.iter().map(|entry| entry.log_time.0 / 1_000_000).collect();
        assert_eq!(millis, [0, 5, 1000, 1005, 1950]);
        assert_eq!(batch.unsent.len(), 36);
    }

    #[test]
    fn publishers_and_frames_have_a_bound() {
        let throttle = Throttle::new(vec!["/map=1".parse().unwrap()]);
        throttle.learn(&[channel(1, "/map")]);
        let most = u32::try_from(MAX_ORIGINS).unwrap();
        let of = |origin| (Entry { origin, ..entry(1, 0) }, String::new());
        let batch = throttled(&throttle, (0..most).chain(0..most).chain([most, 0]).map(of).collect());
        assert_eq!(batch.entries.len(), MAX_ORIGINS + 2, "all begin again");
        assert_eq!(throttle.topics.lock().unwrap().0[1].as_ref().unwrap().origins.len(), 2);
    }

    #[test]
    fn a_batch_of_which_nothing_is_sent_counts_for_late_subscribers() {
        let throttle = Throttle::new(vec!["/a=1".parse().unwrap()]);
        let (feed, stream) = fed();
        let mut stream = throttle.stream(stream);
        let mut batch = Batch { announcements: vec![channel(1, "/a")], ..Batch::default() };
        batch.push_copy(&entry(1, 0), b"first");
        feed.send(Ok(batch)).unwrap();
        let mut more = Batch::default();
        more.push_copy(&entry(1, 1), b"second");
        feed.send(Ok(more)).unwrap();
        assert_eq!(stream.next().unwrap().unwrap().entries.len(), 1);
        let unsent = stream.next().unwrap().unwrap();
        assert!(unsent.entries.is_empty());
        assert_eq!(unsent.payload(&unsent.unsent[0].1), b"second");
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
