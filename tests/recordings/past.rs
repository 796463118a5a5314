//! What counts of messages before a time, by a plain search through all of them, and recordings made up for it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Cursor;
use std::path::Path;

use foxglove_bridge::model::{Channel, ChannelId};
use foxglove_bridge::source::RecordingOptions;
use foxglove_bridge::time::Timestamp;
use mcap::records::MessageHeader;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor};

use super::common::{Message, Player, assert_same, messages_of};

/// How long transforms count that are not latched.
const RECENT: u64 = 10_000_000_000;

/// What is known of the channels of a recording.
pub(crate) struct Past {
    transforms: BTreeMap<u32, Transforms>,
    latched: BTreeSet<u32>,
}

/// How the payloads of transforms are read. Those of the ROS 1 recordings place one frame each.
enum Transforms {
    Json,
    Protobuf(MessageDescriptor),
}

impl Transforms {
    fn of(channel: &Channel) -> Option<Self> {
        let schema = channel.schema.as_ref().filter(|schema| schema.name == "foxglove.FrameTransforms")?;
        Some(match channel.message_encoding.as_str() {
            "json" => Self::Json,
            "protobuf" => {
                let pool = DescriptorPool::decode(schema.data.clone()).unwrap();
                Self::Protobuf(pool.get_message_by_name(&schema.name).unwrap())
            }
            _ => return None,
        })
    }

    fn child_frames(&self, payload: &[u8]) -> Vec<String> {
        let json = match self {
            Self::Json => serde_json::from_slice(payload).unwrap(),
            Self::Protobuf(descriptor) => {
                let message = DynamicMessage::decode(descriptor.clone(), payload).unwrap();
                serde_json::to_value(message).unwrap()
            }
        };
        let name = |transform: &serde_json::Value| {
            let name = transform.get("childFrameId").or(transform.get("child_frame_id"));
            name.and_then(serde_json::Value::as_str).unwrap_or_default().to_owned()
        };
        json["transforms"].as_array().unwrap().iter().map(name).collect()
    }
}

impl Past {
    pub(crate) fn of(player: &Player) -> Self {
        let channels = &player.source.info().channels;
        let transforms = |channel: &std::sync::Arc<Channel>| Some((channel.id.0, Transforms::of(channel)?));
        let latched = channels.iter().filter(|channel| channel.latched).map(|channel| channel.id.0);
        Self { transforms: channels.iter().filter_map(transforms).collect(), latched: latched.collect() }
    }

    /// What counts of the channels that are `wanted` of messages before a time, in the order in which they are played.
    pub(crate) fn counts(
        &self,
        messages: &[Message],
        before: u64,
        wanted: impl Fn(u32) -> bool,
    ) -> Vec<Message> {
        let mut last = BTreeMap::new();
        for (at, message) in messages.iter().enumerate().filter(|(_, message)| wanted(message.channel)) {
            let Message { channel, time, .. } = *message;
            let is_latched = self.latched.contains(&channel);
            match self.transforms.get(&channel) {
                Some(transforms) => {
                    if !is_latched {
                        last.insert((channel, String::new(), 0), at);
                    }
                    if is_latched || time >= before.saturating_sub(RECENT) {
                        let frames = transforms.child_frames(&message.payload).into_iter();
                        last.extend(frames.map(|frame| ((channel, frame, 0), at)));
                    }
                }
                None => drop(last.insert((channel, String::new(), self.origin(message)), at)),
            }
        }
        let places: BTreeSet<_> = last.into_values().collect();
        places.into_iter().map(|at| messages[at].clone()).collect()
    }

    /// The recordings made here note it in the publish time.
    fn origin(&self, message: &Message) -> u64 {
        if self.latched.contains(&message.channel) { message.publish_time } else { 0 }
    }
}

/// Numbers as if by chance, the same each time.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

/// Writes a part of a recording: messages as they come, on two channels each of `/tf_static` and `/map`, which are
/// latched, on `/tf` and on `/imu`.
fn write(path: &Path, part: u64, random: &mut Random, is_indexed: bool) {
    const TRANSFORMS: &str = "foxglove.FrameTransforms";
    let latching: BTreeMap<String, String> = [("latching".into(), "1".into())].into();
    let mut file = Cursor::new(Vec::new());
    let options = mcap::WriteOptions::new().compression(None).chunk_size(Some(200 + random.below(3000)));
    let mut writer = options.emit_message_indexes(is_indexed).create(&mut file).unwrap();
    let schema = writer.add_schema(TRANSFORMS, "jsonschema", b"{\"type\":\"object\"}").unwrap();
    let mut channels = Vec::new();
    for (topic, schema, publishers) in
        [("/tf_static", schema, 2), ("/map", 0, 2), ("/tf", schema, 1), ("/imu", 0, 1)]
    {
        for publisher in 0..publishers {
            // equal channels of one file are told apart by their metadata
            let mut metadata = if publishers > 1 { latching.clone() } else { BTreeMap::new() };
            metadata.insert("callerid".into(), publisher.to_string());
            channels.push(writer.add_channel(schema, topic, "json", &metadata).unwrap());
        }
    }
    let mut time = 1_000_000_000 * random.below(20);
    for sequence in 0..100 + u32::try_from(random.below(100)).unwrap() {
        time += random.below(600_000_000);
        // messages late and at equal times are usual
        let log_time =
            time.saturating_sub(random.below(2) * random.below(2_000_000_000)) / 100_000_000 * 100_000_000;
        let number = usize::try_from(random.below(channels.len() as u64)).unwrap();
        let is_transform = matches!(number, 0 | 1 | 4);
        let frames: Vec<_> = (0..1 + random.below(2))
            .map(|_| serde_json::json!({"child_frame_id": format!("frame{}", random.below(6))}))
            .collect();
        let payload =
            if is_transform { serde_json::json!({"transforms": frames}) } else { serde_json::json!({}) };
        let header = MessageHeader {
            channel_id: channels[number],
            sequence,
            log_time,
            publish_time: part << 16 | u64::from(channels[number]),
        };
        writer.write_to_known_channel(&header, payload.to_string().as_bytes()).unwrap();
    }
    writer.finish().unwrap();
    drop(writer);
    std::fs::write(path, file.into_inner()).unwrap();
}

/// However messages of several publishers lie in chunks and files, before any time that counts what a plain search finds.
pub(crate) fn any() {
    let mut random = Random(7);
    for round in 0..40 {
        let folder = tempfile::tempdir().unwrap();
        let parts = 1 + random.below(3);
        let is_indexed = random.below(4) > 0;
        let paths: Vec<_> = (0..parts).map(|part| folder.path().join(format!("{part}.mcap"))).collect();
        for (part, path) in (0..).zip(&paths) {
            write(path, part, &mut random, is_indexed);
        }
        let mut player = Player::open_all(&paths, &RecordingOptions::default()).unwrap();
        let all = player.rest();
        let mut past = Past::of(&player);
        let channels = player.channels();
        assert_eq!((channels.len(), past.latched.len(), past.transforms.len()), (4, 2, 2));
        for _ in 0..30 {
            let time = match random.below(8) {
                0 => u64::MAX,
                _ => all[usize::try_from(random.below(all.len() as u64)).unwrap()].time + random.below(2),
            };
            // what is latched is for whoever plays it to say
            let latched: Vec<ChannelId> = channels.iter().copied().filter(|_| random.below(2) == 0).collect();
            player.source.latch(&latched);
            past.latched = latched.iter().map(|channel| channel.0).collect();
            let before = &all[..all.partition_point(|message| message.time < time)];
            let got = messages_of(&player.source.backfill(Timestamp(time), &channels).unwrap());
            let what = format!("round {round} of {parts} parts before {time}, with {latched:?} latched");
            assert_same(&what, &got, &past.counts(before, time, |_| true));
            let one = channels[usize::try_from(random.below(4)).unwrap()];
            let got = messages_of(&player.source.backfill(Timestamp(time), &[one]).unwrap());
            assert_same(
                &format!("{what}, {one}"),
                &got,
                &past.counts(before, time, |channel| channel == one.0),
            );
        }
        assert!(player.errors.is_empty(), "{:?}", player.errors);
    }
}

/// Transforms, each of a frame of its own: time, and bytes of other messages in the same chunk.
fn transforms(path: &Path, list: &[(&str, u64, usize)]) {
    let file = std::io::BufWriter::new(std::fs::File::create(path).unwrap());
    let options = mcap::WriteOptions::new().chunk_size(None);
    let mut writer = options.create(file).unwrap();
    let schema = writer.add_schema("foxglove.FrameTransforms", "jsonschema", b"{}").unwrap();
    let tf = writer.add_channel(schema, "/tf", "json", &BTreeMap::new()).unwrap();
    for (frame, time, others) in list {
        let json = serde_json::json!({"transforms": [{"child_frame_id": frame}]}).to_string();
        let header = MessageHeader { channel_id: tf, sequence: 0, log_time: *time, publish_time: *time };
        writer.write_to_known_channel(&header, json.as_bytes()).unwrap();
        if *others > 0 {
            let camera = writer.add_channel(0, "/camera", "x", &BTreeMap::new()).unwrap();
            let header = MessageHeader { channel_id: camera, ..header };
            writer.write_to_known_channel(&header, &vec![0; *others]).unwrap();
        }
        writer.flush().unwrap();
    }
    writer.finish().unwrap();
}

/// Has the index say that each chunk takes a byte.
fn say_chunks_are_small(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    let number = |bytes: &[u8]| usize::try_from(u64::from_le_bytes(bytes[..8].try_into().unwrap())).unwrap();
    let footer = bytes.len() - 8 - 20;
    let mut at = number(&bytes[footer..]);
    // there is no checksum of the summary
    bytes[footer + 16..footer + 20].fill(0);
    while at < footer - 9 {
        let end = at + 9 + number(&bytes[at + 1..]);
        if bytes[at] == 0x08 {
            bytes[end - 8..end].copy_from_slice(&1u64.to_le_bytes());
        }
        at = end;
    }
    std::fs::write(path, bytes).unwrap();
}

/// The times of transforms that count at the end of recordings, with the topic latched or not.
fn counting(paths: &[impl AsRef<Path>], latched: bool) -> Vec<u64> {
    let mut player = Player::open_all(paths, &RecordingOptions::default()).unwrap();
    let topics = player.topics();
    let tf = player.channels().into_iter().find(|channel| topics[&channel.0] == "/tf").unwrap();
    player.source.latch(if latched { std::slice::from_ref(&tf) } else { &[] });
    let found = player.source.backfill(Timestamp::MAX, &[tf]).unwrap();
    found.entries.iter().map(|entry| entry.log_time.0).collect()
}

/// Beyond some bytes, and beyond some files, the oldest transforms are not looked for.
pub(crate) fn bounds() {
    const MIB: usize = 1 << 20;
    let end = u64::MAX;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cameras.mcap");
    let list = [("a", end - 3, 20 * MIB), ("b", end - 2, 20 * MIB), ("c", end - 1, 20 * MIB)];
    transforms(&path, &list);
    assert_eq!(counting(&[&path], false), [end - 2, end - 1]);
    assert_eq!(counting(&[&path], true), [end - 3, end - 2, end - 1]);
    transforms(&path, &[("a", 1, 50 * MIB), ("b", 2, 50 * MIB), ("c", 3, 50 * MIB), ("d", 4, 50 * MIB)]);
    assert_eq!(counting(&[&path], true), [2, 3, 4]);
    // without any that are recent, the last one
    assert_eq!(counting(&[&path], false), [4]);
    // what is decoded counts, not what an index says
    say_chunks_are_small(&path);
    assert_eq!(counting(&[&path], true), [2, 3, 4]);

    let paths: Vec<_> = (0..70).map(|part| folder.path().join(format!("part_{part}.mcap"))).collect();
    for (time, path) in (0..).zip(&paths) {
        transforms(path, &[(&format!("frame{time}"), time, 0)]);
    }
    assert_eq!(counting(&paths, true), (6..70).collect::<Vec<_>>());
}

/// The sensors of a robot, each placed by a message of its own in the first seconds, are there at the end.
pub(crate) fn static_frames(data: &Path) {
    let mut player = Player::of(&data.join("../cases/tfs_one.mcap"));
    let topics = player.topics();
    let state = player.source.backfill(Timestamp::MAX, &player.channels()).unwrap();
    let mut counts = BTreeMap::<&str, usize>::new();
    for entry in &state.entries {
        *counts.entry(topics[&entry.channel.0].as_str()).or_default() += 1;
    }
    assert_eq!((counts["/tf_static"], counts["/tf"], counts["/scan_a"]), (3, 1, 1));
    let payloads: Vec<u8> = messages_of(&state).iter().flat_map(|message| message.payload.to_vec()).collect();
    for frame in [b"laser_a", b"laser_b", b"laser_c"] {
        assert!(payloads.windows(frame.len()).any(|part| part == frame), "{frame:?}");
    }
}
