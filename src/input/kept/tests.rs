use super::*;
use crate::hub::HubOptions;
use crate::model::{Entry, Schema};
use crate::registry::ChannelSpec;
use crate::source::Recording;
use crate::source::testing::fed;

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
    let schema =
        Schema { name: "foxglove.FrameTransform".into(), encoding: "jsonschema".into(), data: "{}".into() };
    let tf = ChannelSpec { latched: true, schema: Some(schema.into()), ..ChannelSpec::json("/tf_static") };
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
    let mut keeping = Keeping::new(stream, &hub, &Registry::default(), move |end| sender.send(end).unwrap());
    feed.send(Ok(Batch::default())).unwrap();
    assert!(keeping.next().unwrap().is_some());
    drop(feed);
    assert!(keeping.next().unwrap().is_none() && keeping.next().unwrap().is_none());
    assert!(matches!(ends.try_iter().collect::<Vec<_>>()[..], [EndOfPipe::Nothing]));
}

impl Pipe {
    /// Lines that come in one read; a time of None is that of their arrival.
    fn lines(&mut self, topic: &str, arrival: u64, times: &[Option<u64>]) {
        let seconds = |second: u64| Timestamp(second * 1_000_000_000);
        let channel = self.registry.claim(ChannelSpec::json(topic)).unwrap().channel;
        let mut batch = Batch { announcements: vec![channel.clone()], ..Batch::default() };
        for time in times {
            if time.is_none() {
                batch.arrival = Some(seconds(arrival));
            }
            batch.push_copy(&Entry::at(channel.id, seconds(time.unwrap_or(arrival))), b"{}");
        }
        self.kept.push(&batch, &self.hub, Instant::now());
    }
}

#[test]
fn lines_without_a_time_have_that_of_the_line_before_as_in_a_file() {
    let mut pipe = Pipe::new();
    pipe.lines("/a", 9000, &[None, None]);
    pipe.lines("/a", 9001, &[None, Some(10), None, Some(12)]);
    pipe.lines("/b", 9002, &[None, Some(13)]);
    pipe.lines("/a", 9003, &[None]);
    let (times, extent, left_out, recording) = pipe.end();
    let seconds: Vec<_> = times.iter().map(|time| time / 1000).collect();
    assert_eq!((seconds, left_out), (vec![10, 10, 10, 10, 10, 12, 12, 13, 13], 0));
    assert_eq!((extent, recording.info().range.unwrap().duration()), (Extent::All, Duration::from_secs(3)));
}

#[test]
fn lines_of_which_none_has_a_time_have_those_of_their_arrival() {
    let mut pipe = Pipe::new();
    pipe.lines("/a", 9000, &[None, None]);
    pipe.lines("/a", 9002, &[None]);
    assert_eq!(pipe.end().0, [9_000_000, 9_000_000, 9_002_000]);
}
