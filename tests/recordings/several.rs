//! Several files as one timeline: recordings that are split must play, seek and filter like the whole.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use foxglove_bridge::model::{Channel, ChannelId};
use foxglove_bridge::pattern::TopicFilter;
use foxglove_bridge::registry::Registry;
use foxglove_bridge::source::{RecordingOptions, SourceError, TopicRules, open};
use foxglove_bridge::time::{TimeSpec, Timestamp};
use mcap::records::MessageHeader;

use super::common::{Message, Player, assert_same, messages_of, times_to_try};
use super::past::Past;

const RECORDINGS: [&str; 4] = [
    "real/nissan_demo.mcap",
    "made/drive_20s.mcap",
    "made/same_time_burst.mcap",
    "made/nissan_overlapping_chunks_zstd.mcap",
];

/// A recording in several files, in a folder that goes away with it.
pub(crate) struct Split {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) paths: Vec<PathBuf>,
    /// What they hold together, in the order in which it is to be played; channels are those of the whole.
    pub(crate) wanted: Vec<Message>,
    topics: BTreeMap<u32, String>,
}

impl Split {
    /// Puts each message of a recording into the file that `file_of` says, by its number and the message.
    fn new(path: &Path, file_of: impl Fn(usize, &Message) -> usize) -> Self {
        let mut whole = Player::of(path);
        let all = whole.rest();
        let channels = whole.source.info().channels.clone();
        Self::of(&channels, all, file_of)
    }

    pub(crate) fn of(
        channels: &[Arc<Channel>],
        all: Vec<Message>,
        file_of: impl Fn(usize, &Message) -> usize,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut files: BTreeMap<usize, Vec<Message>> = BTreeMap::new();
        for (number, message) in all.into_iter().enumerate() {
            files.entry(file_of(number, &message)).or_default().push(message);
        }
        let mut paths = Vec::new();
        for (number, messages) in &files {
            let path = folder.path().join(format!("part_{number}.mcap"));
            write(&path, channels, messages);
            paths.push(path);
        }
        let mut wanted: Vec<_> = files.into_values().flatten().collect();
        // stable: equal times stay in the order of files
        wanted.sort_by_key(|message| message.time);
        let topics = channels.iter().map(|channel| (channel.id.0, channel.topic.clone())).collect();
        Self { folder, paths, wanted, topics }
    }

    pub(crate) fn player(&self, options: &RecordingOptions) -> Player {
        Player::open_all(&self.paths, options).unwrap()
    }

    /// For each channel of the timeline the one of the whole with its topic.
    fn ids(&self, player: &Player) -> BTreeMap<u32, u32> {
        let whole: BTreeMap<_, _> = self.topics.iter().map(|(id, topic)| (topic.clone(), *id)).collect();
        player.topics().into_iter().map(|(id, topic)| (id, whole[&topic])).collect()
    }
}

/// Writes messages in chunks of a few KiB.
fn write(path: &Path, channels: &[Arc<Channel>], messages: &[Message]) {
    let file = std::io::BufWriter::new(std::fs::File::create(path).unwrap());
    let options = mcap::WriteOptions::new().compression(None).chunk_size(Some(16 << 10));
    let mut writer = options.create(file).unwrap();
    let mut ids = BTreeMap::new();
    for message in messages {
        let id = *ids.entry(message.channel).or_insert_with(|| {
            let channel = channels.iter().find(|channel| channel.id.0 == message.channel).unwrap();
            let schema = channel
                .schema
                .as_ref()
                .map_or(0, |schema| writer.add_schema(&schema.name, &schema.encoding, &schema.data).unwrap());
            writer.add_channel(schema, &channel.topic, &channel.message_encoding, &channel.metadata).unwrap()
        });
        let header = MessageHeader {
            channel_id: id,
            sequence: message.sequence,
            log_time: message.time,
            publish_time: message.publish_time,
        };
        writer.write_to_known_channel(&header, &message.payload).unwrap();
    }
    writer.finish().unwrap();
}

fn renumbered(messages: Vec<Message>, ids: &BTreeMap<u32, u32>) -> Vec<Message> {
    messages.into_iter().map(|message| Message { channel: ids[&message.channel], ..message }).collect()
}

/// In ten parts one after the other; by channel, so that all overlap; by turns; in runs that overlap in part.
fn splits(path: &Path) -> [(&'static str, Split); 4] {
    let count = Player::of(path).rest().len();
    [
        ("by time", Split::new(path, |number, _| number * 10 / count)),
        ("by channel", Split::new(path, |_, message| message.channel as usize % 7)),
        ("by turns", Split::new(path, |number, _| number % 3)),
        ("in runs", Split::new(path, |number, _| (number * 20 / count) / 3 + number % 2)),
    ]
}

pub(crate) fn whole(data: &Path) {
    for name in RECORDINGS {
        let path = data.join(name);
        let original = Player::of(&path);
        for (how, split) in splits(&path) {
            let what = format!("{name} {how}");
            let mut player = split.player(&RecordingOptions::default());
            let ids = split.ids(&player);
            assert_eq!(ids.len(), player.channels().len(), "{what}");
            let info = player.source.info().clone();
            assert_eq!(info.range, original.source.info().range, "{what}");
            assert_eq!(info.message_count, Some(split.wanted.len() as u64), "{what}");
            assert!(info.warnings.is_empty(), "{what}: {:?}", info.warnings);
            assert_same(&what, &renumbered(player.rest(), &ids), &split.wanted);
            assert!(player.source.next().unwrap().is_none(), "{what}: more after the end");
            assert!(player.errors.is_empty(), "{what}: {:?}", player.errors);
        }
    }
}

pub(crate) fn seeking(data: &Path) {
    for name in RECORDINGS {
        let past = Past::of(&Player::of(&data.join(name)));
        for (how, split) in splits(&data.join(name)) {
            let mut player = split.player(&RecordingOptions::default());
            let ids = split.ids(&player);
            let channels = player.channels();
            for (number, time) in times_to_try(&split.wanted, 12).into_iter().enumerate() {
                let what = format!("{name} {how} from {}", time.0);
                let at = split.wanted.partition_point(|message| message.time < time.0);
                player.source.seek(time);
                let enough = if number % 6 == 0 { usize::MAX } else { 200 };
                let got = renumbered(player.take(enough), &ids);
                let wanted = &split.wanted[at..];
                assert!(got.len() >= enough.min(wanted.len()), "{what}");
                assert_same(&what, &got, &wanted[..got.len().min(wanted.len())]);

                let state = messages_of(&player.source.backfill(time, &channels).unwrap());
                let wanted = past.counts(&split.wanted[..at], time.0, |_| true);
                assert_same(&format!("the backfill of {what}"), &renumbered(state, &ids), &wanted);
                let one = channels[number % channels.len()];
                let state = messages_of(&player.source.backfill(time, &[one]).unwrap());
                let wanted = past.counts(&split.wanted[..at], time.0, |channel| channel == ids[&one.0]);
                assert_same(&format!("a channel's backfill of {what}"), &renumbered(state, &ids), &wanted);
            }
            assert!(player.errors.is_empty(), "{name} {how}: {:?}", player.errors);
        }
    }
}

pub(crate) fn options(data: &Path) {
    for (how, split) in splits(&data.join(RECORDINGS[0])) {
        let first = split.wanted[0].time;
        let middle = Timestamp(split.wanted[split.wanted.len() / 2].time);
        let offset = middle.since(Timestamp(first));
        let topic = split.topics[&split.wanted[0].channel].clone();
        let filter = TopicFilter { include: vec![topic.parse().unwrap()], exclude: Vec::new() };
        let topics = TopicRules { filter, ..TopicRules::default() };
        let from_start = Some(TimeSpec::FromStart(offset));
        let all = RecordingOptions::default();
        for options in [
            RecordingOptions { start: from_start, ..all.clone() },
            RecordingOptions { end: from_start, ..all.clone() },
            RecordingOptions { start: Some(TimeSpec::At(middle)), duration: Some(offset / 2), ..all.clone() },
            RecordingOptions { topics: topics.clone(), ..all.clone() },
            RecordingOptions { topics, start: from_start, ..all.clone() },
        ] {
            let start = options.start.map_or(Timestamp::MIN, |spec| spec.resolve(Timestamp(first)));
            let mut end = options.end.map_or(Timestamp::MAX, |spec| spec.resolve(Timestamp(first)));
            end = options.duration.map_or(end, |duration| end.min(start.saturating_add(duration)));
            let wanted = |message: &&Message| {
                (start.0..=end.0).contains(&message.time)
                    && options.topics.offered(&split.topics[&message.channel]).is_some()
            };
            let wanted: Vec<_> = split.wanted.iter().filter(wanted).cloned().collect();
            assert!(!wanted.is_empty() && wanted.len() < split.wanted.len());
            let mut player = split.player(&options);
            let ids = split.ids(&player);
            let info = player.source.info().clone();
            let range = info.range.unwrap();
            assert!(range.start.0 <= wanted[0].time && wanted[wanted.len() - 1].time <= range.end.0);
            if let Some(count) = info.message_count {
                assert_eq!(count, wanted.len() as u64);
            }
            assert_same(&format!("{how} with {options:?}"), &renumbered(player.rest(), &ids), &wanted);
        }
        let late = RecordingOptions { start: Some(TimeSpec::At(Timestamp(u64::MAX))), ..all };
        let error = Player::open_all(&split.paths, &late).err().unwrap().to_string();
        assert!(error.contains("more: the start") && error.contains("after the last message"), "{error}");
    }
}

/// A folder plays like the files in it, in the order of their numbers.
pub(crate) fn folder(data: &Path) {
    let path = data.join("made/same_time_burst.mcap");
    let count = Player::of(&path).rest().len();
    let split = Split::new(&path, |number, _| number * 12 / count);
    std::fs::write(split.folder.path().join("metadata.yaml"), "x").unwrap();
    let mut player = Player::of(split.folder.path());
    let name = split.folder.path().file_name().unwrap().to_str().unwrap();
    assert_eq!(player.source.info().name, name);
    let ids = split.ids(&player);
    assert_same("the folder", &renumbered(player.rest(), &ids), &split.wanted);
}

pub(crate) fn channel(topic: &str, encoding: &str) -> Arc<Channel> {
    Arc::new(Channel {
        id: ChannelId(1),
        topic: topic.into(),
        message_encoding: encoding.into(),
        schema: None,
        metadata: BTreeMap::new(),
        latched: false,
    })
}

pub(crate) fn counted(times: std::ops::Range<u64>) -> Vec<Message> {
    let message = |time: u64| Message {
        time,
        publish_time: time,
        sequence: u32::try_from(time).unwrap(),
        channel: 1,
        payload: time.to_le_bytes().to_vec().into(),
    };
    times.map(message).collect()
}

/// One channel in all files that agree; another name in the file that does not, with a warning.
pub(crate) fn channels() {
    let folder = tempfile::tempdir().unwrap();
    let parts = [("a", "json", 0..3), ("b", "cbor", 2..5), ("c", "json", 1..2)];
    let paths = parts.map(|(name, encoding, times)| {
        let path = folder.path().join(format!("{name}.mcap"));
        write(&path, &[channel("/topic", encoding)], &counted(times));
        path
    });
    let mut player = Player::open_all(&paths, &RecordingOptions::default()).unwrap();
    let info = player.source.info().clone();
    let topics: Vec<_> = player.topics().into_values().collect();
    assert_eq!(topics, ["/topic", "/topic#2"]);
    assert!(info.warnings.len() == 1 && info.warnings[0].starts_with("b.mcap: "), "{:?}", info.warnings);
    assert!(info.warnings[0].contains("/topic#2"));
    assert_eq!(info.name, "a.mcap and 2 more");
    let got: Vec<_> = player.rest().into_iter().map(|message| (message.time, message.channel)).collect();
    assert_eq!(got, [(0, 1), (1, 1), (1, 1), (2, 1), (2, 2), (3, 2), (4, 2)]);
}

/// A part that is damaged, cut off, gone or changed costs its own messages only, and is named.
pub(crate) fn damaged_part() {
    let parts = || Split::of(&[channel("/a", "json")], counted(0..9000), |number, _| number / 3000);
    let is_second = |message: &Message| (3000..6000).contains(&message.time);
    let check = |what: &str, player: &mut Player, wanted: &[Message], least: usize| {
        let got = player.rest();
        assert!(got.len() >= least, "{what}: {} messages", got.len());
        let others = |all: &[Message]| all.iter().filter(|one| !is_second(one)).cloned().collect::<Vec<_>>();
        assert_same(what, &others(&got), &others(wanted));
        assert!(got.iter().all(|message| wanted.contains(message)), "{what}: made up");
    };
    let split = parts();
    let mut bytes = std::fs::read(&split.paths[1]).unwrap();
    let whole = bytes.clone();
    let middle = bytes.len() / 3;
    bytes[middle] ^= 0x55;
    std::fs::write(&split.paths[1], &bytes).unwrap();
    let mut player = split.player(&RecordingOptions::default());
    check("a damaged part", &mut player, &split.wanted, 8000);
    assert!(player.errors.len() == 1 && matches!(player.errors[0], SourceError::Damaged { .. }));
    assert!(player.errors[0].to_string().contains("part_1.mcap"), "{:?}", player.errors);

    std::fs::write(&split.paths[1], &whole[..middle]).unwrap();
    let mut player = split.player(&RecordingOptions::default());
    check("a cut part", &mut player, &split.wanted, 6500);
    let warnings = player.source.info().warnings.clone();
    assert!(warnings.len() == 1 && warnings[0].contains("part_1.mcap is damaged"), "{warnings:?}");

    for content in [&b""[..], b"SQLite format 3", &whole[..40]] {
        std::fs::write(&split.paths[1], content).unwrap();
        let mut player = split.player(&RecordingOptions::default());
        check("a useless part", &mut player, &split.wanted, 6000);
        let warnings = player.source.info().warnings.clone();
        assert!(warnings.len() == 1 && warnings[0].contains("part_1.mcap: "), "{warnings:?}");
        assert!(warnings[0].contains("left out"), "{warnings:?}");
    }

    let split = parts();
    let mut player = split.player(&RecordingOptions::default());
    // after the end all are closed
    assert_eq!(player.rest().len(), 9000);
    std::fs::remove_file(&split.paths[1]).unwrap();
    // it is reported once
    for reported in [1, 0] {
        player.errors.clear();
        player.source.seek(Timestamp(10));
        let channels = player.channels();
        let state = player.source.backfill(Timestamp(6000), &channels).unwrap();
        assert_eq!(state.entries.last().map(|entry| entry.log_time.0), Some(2999));
        check("a part that is gone", &mut player, &split.wanted[10..], 5990);
        assert_eq!(player.errors.len(), reported, "{:?}", player.errors);
        assert!(
            player.errors.iter().all(|error| error.to_string().contains("part_1.mcap")),
            "{:?}",
            player.errors
        );
    }
    std::fs::write(&split.paths[1], &whole[..100]).unwrap();
    player.errors.clear();
    player.source.seek(Timestamp(0));
    check("a part that changed", &mut player, &split.wanted, 6000);
    assert!(player.errors[0].to_string().contains("has changed"), "{:?}", player.errors);
}

pub(crate) fn refused() {
    let split = Split::of(&[channel("/a", "json")], counted(0..10), |number, _| number / 5);
    let refusal = |specs: &[&str]| {
        let specs: Vec<_> = specs.iter().map(|spec| (*spec).to_owned()).collect();
        let error =
            open(&specs, &RecordingOptions::default(), &Registry::default(), &mut |_| {}).err().unwrap();
        assert!(matches!(error, SourceError::Unusable { .. }), "{error:?}");
        error.to_string()
    };
    let first = split.paths[0].to_str().unwrap();
    assert!(refusal(&[first, "-"]).starts_with("-: this is not a recording"));
    assert!(refusal(&["ws://localhost:8765", first]).starts_with("ws://localhost:8765: this is not"));
    assert!(refusal(&[first, "/no/such.mcap"]).starts_with("/no/such.mcap: there is no such file"));
    assert!(refusal(&[]).contains("no recording is named"));
    let empty = tempfile::tempdir().unwrap();
    assert!(refusal(&[empty.path().to_str().unwrap()]).contains("no .mcap file"));
    let topics = TopicRules {
        filter: TopicFilter { include: vec!["/none".parse().unwrap()], exclude: Vec::new() },
        ..TopicRules::default()
    };
    let error = Player::open_all(&split.paths, &RecordingOptions { topics, ..Default::default() });
    assert!(error.err().unwrap().to_string().contains("1 topic: /a"));

    let twice = Player::open_all(&[first, first], &RecordingOptions::default()).unwrap();
    assert!(twice.source.info().warnings[0].contains("named more than once"));
    assert_eq!(twice.source.info().message_count, Some(5));
}
