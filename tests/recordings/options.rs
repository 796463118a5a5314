//! What of a recording is played, and on which timeline.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use foxglove_bridge::pattern::TopicFilter;
use foxglove_bridge::source::{
    Order, RangeMiss, RecordingOptions, SourceError, TopicRules, recording_summary,
};
use foxglove_bridge::time::{TimeRange, TimeSpec, Timestamp};

use super::common::{Message, Player, assert_same, messages, times_to_try};

const RECORDINGS: [&str; 5] = [
    "made/drive_20s.mcap",
    "made/nissan_overlapping_chunks_zstd.mcap",
    "made/nissan_unchunked.mcap",
    "made/nissan_no_message_index.mcap",
    "made/many_channels_1200.mcap",
];

fn filter(include: &[&str], exclude: &[&str]) -> TopicRules {
    let patterns = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
    let filter = TopicFilter { include: patterns(include), exclude: patterns(exclude) };
    TopicRules { filter, ..TopicRules::default() }
}

/// Messages with their topics, since ids depend on what is chosen.
fn by_topic(path: &Path, options: &RecordingOptions) -> Vec<(String, Message)> {
    let mut player = Player::open(path, options).unwrap();
    let topics = player.topics();
    let messages = player.rest();
    assert!(player.errors.is_empty(), "{:?}", player.errors);
    if let (Some(range), Some(first), Some(last)) =
        (player.source.info().range, messages.first(), messages.last())
    {
        assert!(range.start.0 <= first.time && last.time <= range.end.0);
    }
    if let Some(count) = player.source.info().message_count {
        assert_eq!(count, messages.len() as u64);
    }
    messages
        .into_iter()
        .map(|message| (topics[&message.channel].clone(), Message { channel: 0, ..message }))
        .collect()
}

pub(crate) fn renamed_topics(data: &Path) {
    let path = data.join(RECORDINGS[0]);
    let plain = player_topics(&path, TopicRules::default());
    let first = plain.first().unwrap().clone();
    let remap = vec![format!("{first}=/renamed/here").parse().unwrap()];
    let renamed =
        player_topics(&path, TopicRules { remap, prefix: "/robot1".into(), ..TopicRules::default() });
    assert_eq!(renamed.len(), plain.len());
    for topic in &plain {
        let name = if *topic == first { "/renamed/here" } else { topic };
        assert!(renamed.contains(&format!("/robot1/{}", name.trim_start_matches('/'))), "{topic}");
    }
}

fn player_topics(path: &Path, topics: TopicRules) -> BTreeSet<String> {
    let player = Player::open(path, &RecordingOptions { topics, ..Default::default() }).unwrap();
    player.topics().into_values().collect()
}

pub(crate) fn topics(data: &Path) {
    for name in RECORDINGS {
        let path = data.join(name);
        let all = by_topic(&path, &RecordingOptions::default());
        let first = all[0].0.clone();
        let mut tried = 0;
        let filters = [
            filter(&[], &[&format!("/^{}$/", regex_escaped(&first))]),
            filter(&["/[a-m0]$/"], &[]),
            filter(&["**"], &["/e/"]),
        ];
        for topics in filters {
            let wanted: Vec<_> =
                all.iter().filter(|(topic, _)| topics.offered(topic).is_some()).cloned().collect();
            let options = RecordingOptions { topics, ..Default::default() };
            if wanted.is_empty() || wanted.len() == all.len() {
                continue;
            }
            tried += 1;
            let got = by_topic(&path, &options);
            assert_eq!(got.len(), wanted.len(), "{name} with {options:?}");
            assert!(got == wanted, "{name} with {options:?}");
        }
        assert!(tried >= 2, "{name}: the filters choose all or nothing");
    }
}

fn regex_escaped(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_alphanumeric() || c == '_' { c.to_string() } else { format!("[{c}]") })
        .collect()
}

pub(crate) fn nothing_chosen(data: &Path) {
    for topics in [filter(&["/no/such/topic"], &[]), filter(&[], &["**"])] {
        let options = RecordingOptions { topics, ..Default::default() };
        let error = Player::open(&data.join("real/nissan_demo.mcap"), &options).err().unwrap();
        assert!(matches!(error, SourceError::NoTopic { .. }), "{error:?}");
        let error = error.to_string();
        assert!(error.contains("nissan_demo.mcap") && error.contains("/nissan/"), "{error}");
        assert!(!error.contains("--") && !error.contains('\n'), "{error}");
    }
}

pub(crate) fn ranges(data: &Path) {
    for name in
        ["made/nissan_overlapping_chunks_zstd.mcap", "made/nissan_unchunked.mcap", "made/time_extremes.mcap"]
    {
        let path = data.join(name);
        let all = messages(&path, &RecordingOptions::default());
        let (first, last) = (all[0].time, all[all.len() - 1].time);
        let times: Vec<_> =
            times_to_try(&all, 6).into_iter().filter(|time| (first..=last).contains(&time.0)).collect();
        for (&start, &other) in times.iter().zip(times.iter().rev()) {
            let end = start.max(other);
            let duration = end.since(start);
            let from_start = TimeSpec::FromStart(start.since(Timestamp(first)));
            let at = |time| Some(TimeSpec::At(time));
            let options =
                |start, end, duration| RecordingOptions { start, end, duration, ..Default::default() };
            for options in [
                options(at(start), at(end), None),
                options(Some(from_start), None, Some(duration)),
                options(at(start), at(end), Some(Duration::MAX)),
                options(at(start), at(Timestamp::MAX), Some(duration)),
            ] {
                let got = messages(&path, &options);
                let wanted: Vec<_> = all
                    .iter()
                    .filter(|message| start.0 <= message.time && message.time <= end.0)
                    .cloned()
                    .collect();
                assert_same(&format!("{name} with {options:?}"), &got, &wanted);
                within(&path, &options, &all, &wanted);
            }
        }
    }
}

/// Seeking stays in the range; the backfill before its start comes from outside.
fn within(path: &Path, options: &RecordingOptions, all: &[Message], wanted: &[Message]) {
    let mut player = Player::open(path, options).unwrap();
    for time in times_to_try(wanted, 2) {
        player.source.seek(time);
        let rest = &wanted[wanted.partition_point(|message| message.time < time.0)..];
        assert_same(&format!("{options:?} from {}", time.0), &player.rest(), rest);
    }
    if let Some(first) = wanted.first() {
        let state = player.source.backfill(Timestamp(first.time), &player.channels()).unwrap();
        let before = all.iter().filter(|message| message.time < first.time);
        let channels: BTreeSet<_> = before.map(|message| message.channel).collect();
        assert_eq!(state.entries.iter().map(|entry| entry.channel.0).collect::<BTreeSet<_>>(), channels);
    }
}

pub(crate) fn outside(data: &Path) {
    let path = data.join("made/nissan_unchunked.mcap");
    let range = recording_summary(&path, &mut |_| {}).unwrap().range.unwrap();
    let at = |nanos: u64| Some(TimeSpec::At(Timestamp(nanos)));
    let options = |start, end| RecordingOptions { start, end, ..Default::default() };
    let TimeRange { start: first, end: last } = range;
    let (after, before) = (Timestamp(last.0 + 1), Timestamp(first.0 - 1));
    let (start, end) = (Timestamp(first.0 + 2), Timestamp(first.0 + 1));
    for (options, expected) in [
        (options(at(after.0), None), RangeMiss::StartsAfter { start: after, last }),
        (options(None, at(before.0)), RangeMiss::EndsBefore { end: before, first }),
        (options(at(start.0), at(end.0)), RangeMiss::Reversed { start, end }),
    ] {
        let error = Player::open(&path, &options).err().unwrap();
        let text = error.to_string();
        assert!(text.contains("nissan_unchunked.mcap") && !text.contains('\n'), "{text}");
        let SourceError::OutOfRange { miss, .. } = error else { panic!("{text}") };
        assert_eq!(miss, expected);
    }
}

pub(crate) fn published(data: &Path) {
    let options = RecordingOptions { order: Order::Publish, ..Default::default() };
    for name in RECORDINGS.into_iter().chain(["real/camera_model_json.mcap", "real/mouse_json_zstd.mcap"]) {
        let path = data.join(name);
        // in the order of the file by publish time; equal ones compared as a set, since log order hides the file's
        let mut wanted = messages(&path, &RecordingOptions::default());
        for message in &mut wanted {
            message.time = message.publish_time;
        }
        wanted.sort();
        let mut got = messages(&path, &options);
        got.sort();
        assert_same(name, &got, &wanted);
        let middle = Timestamp(wanted[wanted.len() / 2].time);
        let mut player = Player::open(&path, &options).unwrap();
        player.source.seek(middle);
        let mut got = player.rest();
        got.sort();
        wanted.retain(|message| message.time >= middle.0);
        assert_same(name, &got, &wanted);
    }
}
