//! What a pipe gives before anybody subscribes: kept, so that `cat log.jsonl | …` is not over before there is a viewer.
//!
//! It is sent as it comes all the same, and freed with the first subscription. If the pipe ends before that, what was
//! kept is a recording. Bound: [`LIMIT`] bytes, the newest; and what counts of latched channels (see [`LatchStore`]).

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::hub::queue::Feed;
use crate::hub::restart::RestartWatch;
use crate::hub::subscriptions::ChannelSet;
use crate::hub::{DemandChange, Hub, LatchStore, lock};
use crate::model::{Batch, Channel, ChannelId};
use crate::registry::Registry;
use crate::source::{Extent, Gathered, MemoryRecording, RecordingOptions, SourceError, Stop, Stream};

/// Bytes that are kept.
const LIMIT: usize = 64 << 20;

/// Channels that have ended whose messages are kept; of topics that change all the time older ones are left out.
const MAX_ENDED: usize = 1000;

/// What a batch takes beside its payloads and entries.
const BATCH: usize = 256;

/// What spans less than this is no recording worth playing.
const SHORTEST: Duration = Duration::from_secs(1);

/// How a pipe has ended.
#[derive(Debug)]
pub enum EndOfPipe {
    /// Somebody has subscribed to it.
    Watched,
    /// Nobody has, and there was no message.
    Nothing,
    /// Nobody has: what is left of it.
    Unwatched {
        /// What was kept.
        recording: Box<MemoryRecording>,
        /// Whether that is played, or only its last messages are sent.
        extent: Extent,
        /// Messages that were not kept.
        left_out: u64,
    },
}

/// A stream of which the newest part is kept until somebody subscribes.
pub struct Keeping {
    stream: Box<dyn Stream>,
    hub: Hub,
    kept: Arc<Mutex<Option<Kept>>>,
    on_end: Option<Box<dyn FnOnce(EndOfPipe) + Send>>,
}

impl Keeping {
    /// Keeps what a stream gives that is published in this hub; its channels are claimed from `registry`. `on_end` is called once, when it has ended without an
    /// error and was not stopped.
    pub fn new(
        stream: Box<dyn Stream>,
        hub: &Hub,
        registry: &Registry,
        on_end: impl FnOnce(EndOfPipe) + Send + 'static,
    ) -> Self {
        let kept = Kept { registry: registry.clone(), ..Kept::default() };
        let kept = Arc::new(Mutex::new(Some(kept)));
        let of_demand = Arc::downgrade(&kept);
        hub.on_demand(move |change| {
            if matches!(change, DemandChange::Subscribed { .. })
                && let Some(kept) = of_demand.upgrade()
            {
                let freed = lock(&kept).take();
                drop(freed);
            }
        });
        Self { stream, hub: hub.clone(), kept, on_end: Some(Box::new(on_end)) }
    }

    fn end(&self) -> EndOfPipe {
        let Some(kept) = lock(&self.kept).take() else { return EndOfPipe::Watched };
        kept.end(self.stream.name())
    }
}

impl Stream for Keeping {
    fn name(&self) -> &str {
        self.stream.name()
    }

    fn next(&mut self) -> Result<Option<Batch>, SourceError> {
        let next = self.stream.next();
        match &next {
            Ok(Some(batch)) => {
                if let Some(kept) = lock(&self.kept).as_mut() {
                    kept.push(batch, &self.hub, Instant::now());
                }
            }
            Ok(None) if !self.stream.stop().is_stopped() => {
                if let Some(on_end) = self.on_end.take() {
                    on_end(self.end());
                }
            }
            Ok(None) | Err(_) => {}
        }
        next
    }

    fn stop(&self) -> &Stop {
        self.stream.stop()
    }
}

#[derive(Debug, Default)]
struct Kept {
    channels: BTreeMap<ChannelId, Arc<Channel>>,
    batches: VecDeque<Batch>,
    bytes: usize,
    /// Messages that are in no batch any more, and what counts of them of latched channels.
    evicted: u64,
    latched: LatchStore,
    watch: RestartWatch,
    /// Channels that have ended, of which batches may have messages.
    ended: Vec<Arc<Channel>>,
    registry: Registry,
}

impl Kept {
    fn push(&mut self, batch: &Batch, hub: &Hub, now: Instant) {
        for retired in &batch.retired {
            self.ended.extend(self.channels.remove(retired));
            self.latched.remove_channel(*retired);
        }
        let too_many = self.ended.len().saturating_sub(MAX_ENDED);
        self.ended.drain(..too_many);
        for channel in &batch.announcements {
            if self.channels.insert(channel.id, channel.clone()).is_none() && hub.latches(channel) {
                self.latched.add_channel(channel);
            }
        }
        let mut batch = Batch { retired: Vec::new(), announcements: Vec::new(), ..batch.clone() };
        let mut from = 0;
        while let Some(restart) = self.watch.first_restart(&batch.entries[from..], now) {
            // what was before belongs to another run
            from += restart;
            self.watch.restart(now);
            self.evicted += self.batches.drain(..).map(|batch| batch.entries.len() as u64).sum::<u64>();
            self.latched.clear_all();
            self.bytes = 0;
        }
        self.evicted += batch.entries.drain(..from).len() as u64;
        if batch.entries.is_empty() {
            return;
        }
        self.bytes += batch.footprint() + BATCH;
        self.batches.push_back(batch);
        while self.bytes > LIMIT && self.batches.len() > 1 {
            self.evict();
        }
    }

    fn evict(&mut self) {
        let Some(oldest) = self.batches.pop_front() else { return };
        self.bytes -= oldest.footprint() + BATCH;
        self.evicted += oldest.entries.len() as u64;
        let mut channels = ChannelSet::default();
        oldest.entries.iter().for_each(|entry| channels.insert(entry.channel));
        self.latched.keep(&oldest, 0..oldest.entries.len(), &channels, Feed::Live);
    }

    fn end(self, name: &str) -> EndOfPipe {
        let Self { channels, batches, latched, evicted, ended, registry, .. } = self;
        if batches.is_empty() {
            return EndOfPipe::Nothing;
        }
        let mut gathered = Gathered::default();
        let retired = ended.iter().map(|channel| channel.id).collect();
        let announcements = channels.into_values().chain(ended).collect();
        gathered.push(Batch { announcements, ..Batch::default() });
        gathered.push(Batch { retired, ..Batch::default() });
        for batch in batches {
            gathered.push(batch);
        }
        gathered.keep_ended(&registry);
        let range = gathered.range();
        let mut left_out = evicted;
        for (batch, _) in latched.messages() {
            // those that were not to be sent were not counted
            left_out = left_out.saturating_sub(batch.entries.len() as u64);
            gathered.push((*batch).clone());
        }
        let spans = range.is_some_and(|range| range.duration() >= SHORTEST);
        let extent = if spans { Extent::All } else { Extent::LastMessages };
        // older latched messages are what was before the start
        let start = range.map(|range| crate::time::TimeSpec::At(range.start));
        let options = RecordingOptions { start, ..RecordingOptions::default() };
        match MemoryRecording::new(name.to_owned(), gathered, extent, &options) {
            Ok(recording) => EndOfPipe::Unwatched { recording: Box::new(recording), extent, left_out },
            Err(error) => {
                tracing::error!("{error}");
                EndOfPipe::Nothing
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::HubOptions;
    use crate::model::{Entry, Schema};
    use crate::registry::ChannelSpec;
    use crate::source::Recording;
    use crate::source::testing::fed;
    use crate::time::Timestamp;

    struct Pipe {
        hub: Hub,
        registry: Registry,
        kept: Kept,
    }

    impl Pipe {
        fn new() -> Self {
            let hub = Hub::new("test", HubOptions::default());
            let registry = Registry::default();
            let kept = Kept { registry: registry.clone(), ..Kept::default() };
            Self { hub, registry, kept }
        }

        fn push(&mut self, topic: &str, latched: bool, millis: u64, bytes: usize) {
            let spec = ChannelSpec { latched, ..ChannelSpec::json(topic) };
            let channel = self.registry.claim(spec).unwrap().channel;
            let mut batch = Batch { announcements: vec![channel.clone()], ..Batch::default() };
            batch.push_copy(&Entry::at(channel.id, Timestamp(millis * 1_000_000)), &vec![0; bytes]);
            self.kept.push(&batch, &self.hub, Instant::now());
        }

        fn end(self) -> (Vec<u64>, Extent, u64, MemoryRecording) {
            let EndOfPipe::Unwatched { mut recording, extent, left_out } = self.kept.end("stdin") else {
                panic!("nothing is left")
            };
            let mut times = Vec::new();
            while let Some(batch) = recording.next().unwrap() {
                times.extend(batch.entries.iter().map(|entry| entry.log_time.0 / 1_000_000));
            }
            (times, extent, left_out, *recording)
        }
    }

    #[test]
    fn the_newest_part_is_kept_and_what_is_latched_besides() {
        let mut pipe = Pipe::new();
        pipe.push("/map", true, 0, 10);
        for number in 0..100 {
            pipe.push("/a", false, 1000 + number * 100, 1 << 20);
            assert!(pipe.kept.bytes <= LIMIT);
        }
        let (times, extent, left_out, mut recording) = pipe.end();
        assert_eq!((times.len(), extent), (63, Extent::All));
        assert_eq!((times[0], times[62], left_out), (4700, 10_900, 37));
        let map = recording.info().channels.iter().find(|channel| channel.latched).unwrap().id;
        assert!(recording.info().has_past);
        let past = recording.backfill(Timestamp(4_700_000_000), &[map]).unwrap();
        assert_eq!(past.entries.len(), 1, "the map, however long ago it came");
    }

    #[test]
    fn of_a_latched_channel_that_which_counts_is_kept_besides() {
        let mut pipe = Pipe::new();
        let schema = Schema {
            name: "foxglove.FrameTransform".into(),
            encoding: "jsonschema".into(),
            data: "{}".into(),
        };
        let tf =
            ChannelSpec { latched: true, schema: Some(schema.into()), ..ChannelSpec::json("/tf_static") };
        let tf = pipe.registry.claim(tf).unwrap().channel;
        let map =
            pipe.registry.claim(ChannelSpec { latched: true, ..ChannelSpec::json("/map") }).unwrap().channel;
        let mut batch = Batch { announcements: vec![tf.clone(), map.clone()], ..Batch::default() };
        for (millis, channel, origin, payload) in [
            (1, &tf, 0, r#"{"child_frame_id":"a"}"#),
            (2, &tf, 0, r#"{"child_frame_id":"b"}"#),
            (3, &tf, 0, r#"{"child_frame_id":"b"}"#),
            (4, &map, 7, "{}"),
            (5, &map, 8, "{}"),
            (6, &map, 8, "{}"),
        ] {
            let entry = Entry { origin, ..Entry::at(channel.id, Timestamp(millis * 1_000_000)) };
            batch.push_copy(&entry, payload.as_bytes());
        }
        pipe.kept.push(&batch, &pipe.hub, Instant::now());
        for number in 0..100 {
            pipe.push("/a", false, 1000 + number * 100, 1 << 20);
        }
        let (times, _, left_out, mut recording) = pipe.end();
        let start = times[0];
        assert_eq!(left_out, 2 + 37);
        recording.latch(&[tf.id, map.id]);
        let past = recording.backfill(Timestamp(start * 1_000_000), &[tf.id, map.id]).unwrap();
        let times: Vec<_> = past.entries.iter().map(|entry| entry.log_time.0 / 1_000_000).collect();
        assert_eq!(times, [1, 3, 4, 6]);
    }

    #[test]
    fn what_was_latched_before_a_restart_is_not_kept() {
        let mut pipe = Pipe::new();
        pipe.push("/map", true, 500_000, 10);
        for number in 0..100 {
            pipe.push("/a", false, 600_000 + number, 1 << 20);
        }
        for millis in [1000, 2000, 3000] {
            pipe.push("/a", false, millis, 1);
        }
        let (times, _, left_out, recording) = pipe.end();
        assert_eq!((times, left_out), (vec![1000, 2000, 3000], 101));
        assert!(!recording.info().has_past);
        assert_eq!(recording.info().range.unwrap().end, Timestamp(3_000_000_000));
    }

    #[test]
    fn what_spans_less_than_a_second_is_not_played() {
        let mut pipe = Pipe::new();
        pipe.push("/a", false, 1000, 1);
        pipe.push("/a", false, 1999, 1);
        let (times, extent, left_out, _) = pipe.end();
        assert_eq!((times, extent, left_out), (vec![], Extent::LastMessages, 0));
    }

    #[test]
    fn after_a_restart_only_the_last_run_is_kept() {
        let mut pipe = Pipe::new();
        for millis in [100_000, 101_000, 102_000, 1000, 2000, 3000] {
            pipe.push("/a", false, millis, 1);
        }
        let (times, extent, left_out, _) = pipe.end();
        assert_eq!((times, extent, left_out), (vec![1000, 2000, 3000], Extent::All, 3));
    }

    #[test]
    fn messages_of_before_a_change_of_their_topic_are_kept() {
        let mut pipe = Pipe::new();
        pipe.push("/a", false, 1000, 1);
        let old = *pipe.kept.channels.keys().next().unwrap();
        assert!(pipe.registry.release(old));
        pipe.kept.push(&Batch { retired: vec![old], ..Batch::default() }, &pipe.hub, Instant::now());
        let spec = ChannelSpec { message_encoding: "cbor".into(), ..ChannelSpec::json("/a") };
        let channel = pipe.registry.claim(spec).unwrap().channel;
        let mut batch = Batch { announcements: vec![channel.clone()], ..Batch::default() };
        batch.push_copy(&Entry::at(channel.id, Timestamp(3_000_000_000)), b"x");
        pipe.kept.push(&batch, &pipe.hub, Instant::now());
        let (times, _, left_out, recording) = pipe.end();
        assert_eq!((times, left_out), (vec![1000, 3000], 0));
        let topics = recording.info().channels.iter().map(|channel| channel.topic.as_str());
        assert_eq!(topics.collect::<Vec<_>>(), ["/a", "/a#2"]);
    }

    #[test]
    fn a_pipe_without_messages_leaves_nothing() {
        assert!(matches!(Kept::default().end("stdin"), EndOfPipe::Nothing));
    }

    #[test]
    fn a_pipe_that_ends_is_told_once() {
        let (feed, stream) = fed();
        let (sender, ends) = std::sync::mpsc::channel();
        let hub = Hub::new("test", HubOptions::default());
        let mut keeping =
            Keeping::new(stream, &hub, &Registry::default(), move |end| sender.send(end).unwrap());
        feed.send(Ok(Batch::default())).unwrap();
        assert!(keeping.next().unwrap().is_some());
        drop(feed);
        assert!(keeping.next().unwrap().is_none() && keeping.next().unwrap().is_none());
        assert!(matches!(ends.try_iter().collect::<Vec<_>>()[..], [EndOfPipe::Nothing]));
    }
}
