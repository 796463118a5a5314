//! Recordings read once from the beginning to the end: as streams, and as files that could still grow.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::Path;

use foxglove_bridge::model::Batch;
use foxglove_bridge::registry::Registry;
use foxglove_bridge::source::{
    Follow, FollowOptions, McapStream, RecordingOptions, SourceError, Stop, Stream, TopicRules,
};
use serde_json::{Value, json};

use super::common::{Message, Player, assert_same, messages, messages_of};
use super::damage::{assert_part_of, counted};
use super::expected::{HOPELESS, digest, original_topics};
use super::{conformance, damage};

/// What came of a source that is read once.
#[derive(Default)]
pub(crate) struct ReadOnce {
    pub(crate) topics: BTreeMap<u32, String>,
    pub(crate) messages: Vec<Message>,
    pub(crate) errors: Vec<SourceError>,
}

impl ReadOnce {
    fn on(&mut self, event: Result<Batch, SourceError>) {
        match event {
            Ok(batch) => {
                for channel in &batch.announcements {
                    self.topics.insert(channel.id.0, channel.topic.clone());
                }
                assert!(batch.entries.is_sorted_by_key(|entry| entry.log_time));
                self.messages.extend(messages_of(&batch));
            }
            Err(error) => self.errors.push(error),
        }
    }

    /// All of some bytes that come in parts of this size.
    pub(crate) fn streamed(bytes: &[u8], part: usize) -> Self {
        let (rules, stop) = (TopicRules::default(), Stop::new().unwrap());
        let mut source =
            McapStream::new("stream".into(), Parts(bytes, part), &stop, rules, Registry::default());
        let mut read = Self::default();
        while let Some(event) = source.next().transpose() {
            read.on(event);
            assert!(read.errors.len() < 10_000, "the errors don't end");
        }
        read
    }

    /// As if sorted by the file source: equal times as they lie in the file.
    pub(crate) fn sorted(mut self) -> Vec<Message> {
        self.messages.sort_by_key(|message| message.time);
        self.messages
    }
}

struct Parts<'a>(&'a [u8], usize);

impl Read for Parts<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let length = self.1.min(buffer.len());
        self.0.read(&mut buffer[..length])
    }
}

pub(crate) fn check(data: &Path, name: &str, expected: &Value) {
    let path = data.join(name);
    let bytes = std::fs::read(&path).unwrap();
    let parts: &[usize] = if bytes.len() < 50_000 { &[1 << 20, 1, 100] } else { &[4093] };
    let mut first: Option<Vec<Message>> = None;
    for &part in parts {
        let read = ReadOnce::streamed(&bytes, part);
        assert_eq!(json!(read.messages.len()), expected["messages"]);
        assert!(expected["complete"] == json!(false) || read.errors.is_empty(), "{:?}", read.errors);
        assert!(name != HOPELESS || !read.errors.is_empty());
        let topics = read.topics.clone();
        let sorted = read.sorted();
        if let Some(first) = &first {
            assert_same(&format!("in parts of {part} bytes"), &sorted, first);
            continue;
        }
        assert_eq!(json!(digest(&sorted, &original_topics(&topics))), expected["digest_log_order"]);
        if name != HOPELESS {
            let offered: BTreeSet<_> = Player::of(&path).topics().into_values().collect();
            assert_eq!(topics.into_values().collect::<BTreeSet<_>>(), offered);
        }
        first = Some(sorted);
    }
    followed(&path, name, &first.unwrap());
}

/// As a growing file: all of it from its start, or only its channels.
fn followed(path: &Path, name: &str, wanted: &[Message]) {
    let options = FollowOptions { from_start: true, ..FollowOptions::default() };
    let (registry, stop) = (Registry::default(), Stop::new().unwrap());
    let mut source = Follow::open(path, options, &registry, &stop, &mut |_| {}).unwrap();
    let mut read = ReadOnce::default();
    while read.messages.len() < wanted.len() {
        read.on(source.next().transpose().unwrap());
    }
    stop.stop();
    assert!(source.next().unwrap().is_none());
    assert_same(name, &read.sorted(), wanted);
    if name != HOPELESS {
        let (registry, stop) = (Registry::default(), Stop::new().unwrap());
        let mut source = Follow::open(path, FollowOptions::default(), &registry, &stop, &mut |_| {}).unwrap();
        let wanted: BTreeSet<_> = Player::of(path).topics().into_values().collect();
        let mut first = ReadOnce::default();
        if !wanted.is_empty() {
            first.on(source.next().transpose().unwrap());
        }
        assert_eq!(first.topics.into_values().collect::<BTreeSet<_>>(), wanted);
    }
}

pub(crate) fn conformance(data: &Path) {
    let mut faults = Vec::new();
    for path in conformance::files(data) {
        let bytes = std::fs::read(&path).unwrap();
        let wanted = conformance::messages(&path);
        for part in [1, 7, 1 << 20] {
            let read = ReadOnce::streamed(&bytes, part);
            if !read.errors.is_empty() {
                faults.push(format!("{} in parts of {part}: {:?}", path.display(), read.errors));
            } else if read.sorted() != wanted {
                faults.push(format!("{} in parts of {part}: other messages", path.display()));
            }
        }
    }
    assert!(faults.is_empty(), "{} files are read wrongly:\n{}", faults.len(), faults.join("\n"));
}

/// The parts of a split recording, and one that is not like the others.
pub(crate) fn joined(data: &Path) {
    let names = ["rosbag2_split_0", "rosbag2_split_1", "mouse_json_zstd", "rosbag2_split_2"];
    let paths = names.map(|name| data.join(format!("real/{name}.mcap")));
    let bytes: Vec<u8> = paths.iter().flat_map(|path| std::fs::read(path).unwrap()).collect();
    let read = ReadOnce::streamed(&bytes, 5000);
    assert!(read.errors.is_empty(), "{:?}", read.errors);
    let named = |topics: &BTreeMap<u32, String>, messages: &[Message]| -> Vec<(String, u64)> {
        messages.iter().map(|message| (topics[&message.channel].clone(), message.time)).collect()
    };
    let mut wanted = Vec::new();
    for path in &paths {
        let mut player = Player::of(path);
        let topics = player.topics();
        wanted.extend(named(&topics, &player.rest()));
    }
    assert!(named(&read.topics, &read.messages) == wanted);
    let once: BTreeSet<_> = read.topics.values().collect();
    assert_eq!(once.len(), read.topics.len(), "a topic is offered twice");
}

pub(crate) fn damaged(data: &Path) {
    for (name, step) in [
        ("real/dds_recorder_basic.mcap", 3),
        ("made/time_extremes.mcap", 1),
        ("fixtures/vehicle_unchunked.mcap", 41),
        ("fixtures/vehicle_zstd.mcap", 29),
    ] {
        let path = data.join(name);
        let bytes = std::fs::read(&path).unwrap();
        let original = messages(&path, &RecordingOptions::default());
        let counts = counted(&original);
        for length in (0..bytes.len()).step_by(step) {
            let what = format!("{name} cut to {length} bytes");
            let read = ReadOnce::streamed(&bytes[..length], 1000);
            assert_part_of(&what, &read.messages, &counts);
        }
        assert_same(name, &ReadOnce::streamed(&bytes, 999).sorted(), &original);
    }
    // chunks with a CRC: a changed byte never makes a message up
    for name in ["made/ros1_demo_crc_zstd.mcap", "fixtures/vehicle_lz4.mcap"] {
        let path = data.join(name);
        let mut bytes = std::fs::read(&path).unwrap();
        let counts = damage::counted(&messages(&path, &RecordingOptions::default()));
        for at in (8..bytes.len()).step_by(bytes.len() / 60) {
            bytes[at] ^= 0x10;
            let read = ReadOnce::streamed(&bytes, 1 << 16);
            assert_part_of(&format!("{name} with another byte {at}"), &read.messages, &counts);
            bytes[at] ^= 0x10;
        }
    }
}
