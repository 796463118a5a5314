//! Recordings joined in one file, as by `cat a.mcap b.mcap`: they play like files of their own, and like the same bytes
//! from a pipe.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use foxglove_bridge::model::ChannelId;
use foxglove_bridge::pattern::TopicFilter;
use foxglove_bridge::source::{Order, RecordingOptions, TopicRules, recording_summary};
use foxglove_bridge::time::{TimeSpec, Timestamp};
use mcap::records::MessageHeader;

use super::common::{Message, Player, assert_same, messages_of, temporary, times_to_try};
use super::linear::ReadOnce;

/// Recordings with other channels under the same ids, with and without chunks, summaries and an end.
const SETS: [&[&str]; 5] = [
    &["real/rosbag2_split_0", "real/rosbag2_split_1", "real/rosbag2_split_2"],
    &["real/nissan_demo", "real/camera_model_json"],
    &["made/nissan_unchunked", "fixtures/vehicle_unchunked", "made/nissan_overlapping_chunks_zstd"],
    &["fixtures/vehicle_zstd", "fixtures/vehicle_zstd"],
    &["made/nissan_no_summary_lz4", "made/zero_messages_with_channels", "made/long_gap"],
];

/// A message under the name of its topic: ids depend on what is opened together.
type Named = (String, Message);

struct Joined {
    _folder: tempfile::TempDir,
    path: PathBuf,
    parts: Vec<PathBuf>,
    bytes: Vec<u8>,
}

fn joined(data: &Path, names: &[&str]) -> Joined {
    let parts: Vec<_> = names.iter().map(|name| data.join(format!("{name}.mcap"))).collect();
    let bytes: Vec<u8> = parts.iter().flat_map(|path| std::fs::read(path).unwrap()).collect();
    let (folder, path) = temporary("both.mcap", &bytes);
    Joined { _folder: folder, path, parts, bytes }
}

fn named(topics: &BTreeMap<u32, String>, messages: Vec<Message>) -> Vec<Named> {
    let topic = |message: &Message| topics[&message.channel].clone();
    messages.into_iter().map(|message| (topic(&message), Message { channel: 0, ..message })).collect()
}

/// The parts as files of their own, in one timeline.
fn apart(parts: &[PathBuf], options: &RecordingOptions) -> (Player, Vec<Named>) {
    // one file that is named twice would play once
    let copies = tempfile::tempdir().unwrap();
    let copy = |(number, path): (usize, &PathBuf)| {
        let to = copies.path().join(format!("{number}.mcap"));
        std::fs::copy(path, &to).unwrap();
        to
    };
    let paths: Vec<_> = parts.iter().enumerate().map(copy).collect();
    let mut player = Player::open_all(&paths, options).unwrap();
    let messages = named(&player.topics(), player.rest());
    (player, messages)
}

#[track_caller]
fn assert_same_named(what: &str, got: &[Named], wanted: &[Named]) {
    let messages = |all: &[Named]| all.iter().map(|(_, message)| message.clone()).collect::<Vec<_>>();
    assert_same(what, &messages(got), &messages(wanted));
    assert!(got == wanted, "{what}: other topics");
}

pub(crate) fn whole(data: &Path) {
    for set in SETS {
        let what = format!("{set:?}");
        let joined = joined(data, set);
        let (_, wanted) = apart(&joined.parts, &RecordingOptions::default());
        let mut player = Player::of(&joined.path);
        let got = named(&player.topics(), player.rest());
        assert_same_named(&what, &got, &wanted);
        assert!(player.errors.is_empty(), "{what}: {:?}", player.errors);
        let info = player.source.info();
        assert_eq!(info.message_count, Some(wanted.len() as u64), "{what}");
        let [warning] = &info.warnings[..] else { panic!("{what}: {:?}", info.warnings) };
        let count = format!("both.mcap holds {} recordings one after the other", set.len());
        assert!(warning.starts_with(&count), "{what}: {warning}");

        let pipe = ReadOnce::streamed(&joined.bytes, 5000);
        assert!(pipe.errors.is_empty(), "{what}: {:?}", pipe.errors);
        let topics = pipe.topics.clone();
        assert_same_named(&what, &named(&topics, pipe.sorted()), &wanted);
    }
}

pub(crate) fn seeking(data: &Path) {
    for set in SETS {
        let joined = joined(data, set);
        let mut player = Player::of(&joined.path);
        let topics = player.topics();
        let channels = player.channels();
        let all = player.rest();
        for time in times_to_try(&all, 12) {
            let what = format!("{set:?} from {}", time.0);
            let at = all.partition_point(|message| message.time < time.0);
            player.source.seek(time);
            let got = player.take(200);
            assert_same(&what, &got, &all[at..][..got.len()]);
            assert!(got.len() >= 200.min(all.len() - at), "{what}");
            let state = messages_of(&player.source.backfill(time, &channels).unwrap());
            let last = |channel: &u32| all[..at].iter().rfind(|message| message.channel == *channel).cloned();
            let mut wanted: Vec<_> = topics.keys().filter_map(last).collect();
            let mut state_sorted = state.clone();
            wanted.sort();
            state_sorted.sort();
            assert!(state.is_sorted_by_key(|message| message.time));
            assert_same(&format!("before {what}"), &state_sorted, &wanted);
            let one = channels[at % channels.len()];
            let state = messages_of(&player.source.backfill(time, &[one]).unwrap());
            assert_same(
                &format!("{one:?} before {what}"),
                &state,
                &last(&one.0).into_iter().collect::<Vec<_>>(),
            );
        }
    }
}

pub(crate) fn options(data: &Path) {
    for set in SETS {
        let joined = joined(data, set);
        let (_, all) = apart(&joined.parts, &RecordingOptions::default());
        let topic = all[all.len() - 1].0.clone();
        let filter = |include: &[&str], exclude: &[&str]| {
            let patterns = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
            let filter = TopicFilter { include: patterns(include), exclude: patterns(exclude) };
            TopicRules { filter, ..TopicRules::default() }
        };
        let middle = Some(TimeSpec::At(Timestamp(all[all.len() / 2].1.time)));
        let default = RecordingOptions::default();
        for options in [
            RecordingOptions { topics: filter(&[&topic], &[]), ..default.clone() },
            RecordingOptions { topics: filter(&[], &[&topic]), ..default.clone() },
            RecordingOptions { topics: filter(&[&topic], &[]), start: middle, ..default.clone() },
            RecordingOptions { end: middle, ..default.clone() },
        ] {
            if all.iter().all(|(topic, _)| options.topics.offered(topic).is_none()) {
                continue;
            }
            let (_, wanted) = apart(&joined.parts, &options);
            let mut player = Player::open(&joined.path, &options).unwrap();
            let got = named(&player.topics(), player.rest());
            assert_same_named(&format!("{set:?} with {options:?}"), &got, &wanted);
            if let Some(count) = player.source.info().message_count {
                assert_eq!(count, wanted.len() as u64);
            }
        }
        let options = RecordingOptions { order: Order::Publish, ..default };
        let (_, mut wanted) = apart(&joined.parts, &options);
        let mut player = Player::open(&joined.path, &options).unwrap();
        let mut got = named(&player.topics(), player.rest());
        wanted.sort();
        got.sort();
        assert_same_named(&format!("{set:?} by publish time"), &got, &wanted);
    }
}

pub(crate) fn info(data: &Path) {
    for set in SETS {
        let joined = joined(data, set);
        let summary = recording_summary(&joined.path, &mut |_| {}).unwrap();
        let parts: Vec<_> =
            joined.parts.iter().map(|path| recording_summary(path, &mut |_| {}).unwrap()).collect();
        assert!(summary.complete, "{set:?}");
        assert_eq!(summary.message_count, parts.iter().map(|part| part.message_count).sum::<u64>());
        assert_eq!(
            summary.attachments.len() + summary.metadata.len(),
            parts.iter().map(|part| part.attachments.len() + part.metadata.len()).sum::<usize>()
        );
        let by_topic = |summaries: &[_]| {
            let mut counts = BTreeMap::<String, u64>::new();
            for summary in summaries {
                let summary: &foxglove_bridge::source::RecordingSummary = summary;
                for channel in &summary.channels {
                    *counts.entry(channel.topic.clone()).or_default() += channel.message_count;
                }
            }
            counts
        };
        assert_eq!(by_topic(&[summary]), by_topic(&parts), "{set:?}");
    }
}

/// It is closed and opened again with its index, and its parts keep their own ids.
pub(crate) fn among_others(data: &Path) {
    let joined = joined(data, SETS[1]);
    let other = data.join("made/drive_20s.mcap");
    let mut parts = joined.parts.clone();
    parts.push(other.clone());
    let (_, wanted) = apart(&parts, &RecordingOptions::default());
    let mut player = Player::open_all(&[joined.path.clone(), other], &RecordingOptions::default()).unwrap();
    for _ in 0..2 {
        player.source.seek(Timestamp::MIN);
        let got = named(&player.topics(), player.rest());
        assert_same_named("a joined file and another", &got, &wanted);
    }
}

/// Writes a recording at the end of another one: its offsets count from the beginning of the file.
fn append(before: &[u8], topic: &str, times: std::ops::Range<u64>) -> Vec<u8> {
    let mut file = std::io::Cursor::new(before.to_vec());
    file.set_position(before.len() as u64);
    let mut writer = mcap::WriteOptions::new().compression(None).chunk_size(Some(200)).create(file).unwrap();
    let channel = writer.add_channel(0, topic, "json", &BTreeMap::new()).unwrap();
    for time in times {
        let header = MessageHeader { channel_id: channel, sequence: 0, log_time: time, publish_time: time };
        writer.write_to_known_channel(&header, b"{}").unwrap();
    }
    writer.finish().unwrap();
    writer.into_inner().into_inner()
}

/// All that the summary of the last recording says fits the file, but not its beginning.
pub(crate) fn appended(_data: &Path) {
    let magic_alone = b"\x89MCAP0\r\n".to_vec();
    let whole = append(&[], "/first", 0..20);
    let without_messages = append(&[], "/first", 0..0);
    // a header, the end of the data, a footer
    let empty =
        [&magic_alone[..], &[1, 8], &[0; 15], &[15, 4], &[0; 11], &[2, 20], &[0; 27], &magic_alone].concat();
    let empty_before = append(&empty, "/first", 0..20);
    for (first, count, recordings) in [
        (&whole, 20, 2),
        (&without_messages, 0, 2),
        (&magic_alone, 0, 2),
        (&empty, 0, 2),
        (&empty_before, 20, 3),
    ] {
        let both = append(first, "/second", 30..60);
        // what the crate wrote is a valid summary of the second one
        let read = mcap::Summary::read(&both).unwrap().unwrap();
        assert_eq!(read.stats.unwrap().message_count, 30);
        let (_folder, path) = temporary("appended.mcap", &both);
        let mut player = Player::of(&path);
        let times: Vec<_> = player.rest().iter().map(|message| message.time).collect();
        assert_eq!(times, (0..count).chain(30..60).collect::<Vec<_>>());
        let warnings = &player.source.info().warnings;
        assert!(
            warnings.len() == 1 && warnings[0].contains(&format!("{recordings} recordings")),
            "{warnings:?}"
        );
        let channel = player.source.info().channels.iter().find(|channel| channel.topic == "/second");
        let second: ChannelId = channel.unwrap().id;
        let state = player.source.backfill(Timestamp(100), &[second]).unwrap();
        assert_eq!(state.entries[0].log_time.0, 59);
    }
}
