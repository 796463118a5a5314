//! What can be asked of recordings while they play, against what they play.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mcap::records::MessageHeader;
use mcap::{WriteOptions, Writer};

use super::made::Compression::Zstd;
use super::made::{Made, begun};
use crate::model::{Batch, ChannelId, Timeline};
use crate::pattern::TopicFilter;
use crate::registry::Registry;
use crate::source::{Overview, Recording, RecordingOptions, TopicRules};
use crate::time::{TimeRange, TimeSpec, Timestamp};

const S: u64 = 1_000_000_000;

/// Topic and time of messages.
type Messages = Vec<(&'static str, u64)>;

/// Writes a recording with an index, in chunks of about so many bytes.
fn write(path: &Path, messages: &[(&str, u64)], chunk_size: u64) {
    let options = WriteOptions::new().chunk_size(Some(chunk_size));
    let mut writer = Writer::with_options(File::create(path).unwrap(), options).unwrap();
    for (sequence, (topic, log_time)) in (0..).zip(messages) {
        let channel_id = writer.add_channel(0, topic, "json", &BTreeMap::new()).unwrap();
        let header = MessageHeader { channel_id, sequence, log_time: *log_time, publish_time: *log_time };
        writer.write_to_known_channel(&header, format!("{{\"time\":{log_time:030}}}").as_bytes()).unwrap();
    }
    writer.finish().unwrap();
}

/// `/fast` at 10 Hz and `/slow` at 1 Hz for ten seconds, a pause of twenty, and ten seconds more.
fn with_a_pause() -> Messages {
    let part = |from: u64| (0..100).map(move |tenth| (from * S + tenth * S / 10, tenth));
    let at = |(time, tenth): (u64, u64)| {
        let slow = (tenth % 10 == 0).then_some(("/slow", time));
        std::iter::once(("/fast", time)).chain(slow)
    };
    part(100).chain(part(130)).flat_map(at).collect()
}

fn open(paths: &[PathBuf], options: &RecordingOptions) -> Box<dyn Recording> {
    crate::source::open(paths, options, &Registry::default(), &mut |_| {}).unwrap()
}

fn played(recording: &mut dyn Recording) -> Vec<(ChannelId, u64)> {
    let mut all = Vec::new();
    while let Some(batch) = recording.next().transpose() {
        all.extend(
            batch.into_iter().flat_map(|batch| batch.entries).map(|entry| (entry.channel, entry.log_time.0)),
        );
    }
    all
}

/// Messages of each channel.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small whole numbers")]
fn totals(timeline: &Timeline) -> BTreeMap<ChannelId, u64> {
    let total = |counts: &[f32]| counts.iter().map(|count| f64::from(*count)).sum::<f64>().round();
    timeline.topics.iter().map(|topic| (topic.channel, total(&topic.counts) as u64)).collect()
}

fn counted(messages: &[(ChannelId, u64)]) -> BTreeMap<ChannelId, u64> {
    messages.iter().fold(BTreeMap::new(), |mut counts, (channel, _)| {
        *counts.entry(*channel).or_default() += 1;
        counts
    })
}

/// Holds the answers to what is played.
fn check(recording: &mut dyn Recording) -> Arc<dyn Overview> {
    let overview = recording.overview().unwrap();
    let messages = played(recording);
    let range = recording.info().range.unwrap();
    for bins in [1, 7, 300] {
        let timeline = overview.timeline(bins);
        assert_eq!((timeline.range, totals(&timeline)), (Some(range), counted(&messages)));
        assert!(timeline.topics.iter().all(|topic| topic.counts.len() == bins && !topic.estimated));
    }
    let channels: BTreeSet<ChannelId> = messages.iter().map(|(channel, _)| *channel).collect();
    for at in (range.start.0.saturating_sub(S)..=range.end.0 + S).step_by(usize::try_from(S / 3).unwrap()) {
        for channel in &channels {
            let wanted = messages
                .iter()
                .filter(|(of, time)| of == channel && *time <= at)
                .map(|(_, time)| *time)
                .max();
            let found = overview.latest(*channel, Timestamp(at)).unwrap();
            assert_eq!(found.entries.first().map(|entry| entry.log_time.0), wanted, "{channel} at {at}");
            let is_its =
                |entry| String::from_utf8_lossy(found.payload(entry)).contains(&entry.log_time.0.to_string());
            assert!(found.entries.len() <= 1 && found.entries.iter().all(is_its));
        }
    }
    overview
}

fn gaps(timeline: &Timeline) -> Vec<(u64, u64)> {
    timeline.gaps.iter().map(|gap| (gap.start.0 / S, gap.end.0 / S)).collect()
}

#[test]
fn counts_gaps_and_last_messages_are_those_that_play() {
    let folder = tempfile::tempdir().unwrap();
    // many chunks, and one that spans the pause
    for chunk_size in [300, 1 << 20] {
        let path = folder.path().join("run.mcap");
        write(&path, &with_a_pause(), chunk_size);
        let overview = check(&mut *open(std::slice::from_ref(&path), &RecordingOptions::default()));
        let timeline = overview.timeline(40);
        assert_eq!(gaps(&timeline), [(109, 130)], "{chunk_size}");
        assert_eq!(overview.files(), [path]);
        // the times within a chunk are known
        let fast = &timeline.topics[0].counts;
        assert!(fast[..9].iter().all(|count| (9.0..=11.0).contains(count)), "{fast:?}");
        assert!(fast[11..29].iter().all(|count| *count == 0.0), "{fast:?}");
    }
}

#[test]
fn a_part_has_the_counts_of_its_messages() {
    let folder = tempfile::tempdir().unwrap();
    // three files, so that some are before the part, and some after it
    let messages = with_a_pause();
    let paths: Vec<PathBuf> = (0..3).map(|number| folder.path().join(format!("{number}.mcap"))).collect();
    for (path, part) in paths.iter().zip(messages.chunks(messages.len().div_ceil(paths.len()))) {
        write(path, part, 1 << 20);
    }
    let mut recording = open(&paths, &RecordingOptions::default());
    let overview = recording.overview().unwrap();
    let played = played(&mut *recording);
    let (first, last) = (played[0].1, played[played.len() - 1].1);
    for (start, end) in [(first, first + 2 * S), (105 * S, 131 * S), (last - S, last + 9 * S), (0, last)] {
        let within = TimeRange { start: Timestamp(start), end: Timestamp(end) };
        let timeline = overview.timeline_within(within, 7);
        let mut expected = played.clone();
        expected.retain(|(_, time)| within.contains(Timestamp(*time)));
        assert_eq!(totals(&timeline), counted(&expected), "{within:?}");
        let range = (Timestamp(start.max(first)), Timestamp(end.min(last)));
        assert_eq!(timeline.range.map(|range| (range.start, range.end)), Some(range));
        assert!(timeline.topics.iter().all(|topic| topic.counts.len() == 7));
    }
    let after = TimeRange { start: Timestamp(last + 1), end: Timestamp::MAX };
    assert_eq!(overview.timeline_within(after, 7), Timeline::default());
}

#[test]
fn files_are_one_timeline_of_what_is_chosen() {
    let folder = tempfile::tempdir().unwrap();
    let messages = with_a_pause();
    let paths: Vec<PathBuf> = (0..7).map(|number| folder.path().join(format!("{number}.mcap"))).collect();
    for (path, part) in paths.iter().zip(messages.chunks(messages.len().div_ceil(paths.len()))) {
        write(path, part, 500);
    }
    check(&mut *open(&paths, &RecordingOptions::default()));
    let include = vec!["/slow".parse().unwrap()];
    let topics = TopicRules { filter: TopicFilter { include, exclude: Vec::new() }, ..TopicRules::default() };
    let overview = check(&mut *open(&paths, &RecordingOptions { topics, ..RecordingOptions::default() }));
    assert_eq!(overview.timeline(10).topics.len(), 1);
    // a file that is gone is damage, and the others are counted
    let mut recording = open(&paths, &RecordingOptions::default());
    let overview = recording.overview().unwrap();
    std::fs::remove_file(&paths[3]).unwrap();
    let timeline = overview.timeline(10);
    assert!(timeline.damaged[0].text.contains("3.mcap: there is no such file"), "{:?}", timeline.damaged);
    assert_eq!(totals(&timeline).values().sum::<u64>(), 220 - 32);
    played(&mut *recording);
}

#[test]
fn what_is_not_played_is_not_counted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.mcap");
    write(&path, &with_a_pause(), 300);
    let start = Some(TimeSpec::At(Timestamp(105 * S)));
    let end = Some(TimeSpec::At(Timestamp(132 * S)));
    let mut recording = open(&[path], &RecordingOptions { start, end, ..RecordingOptions::default() });
    let overview = recording.overview().unwrap();
    let fast = recording.info().channels[0].id;
    let timeline = overview.timeline(1000);
    assert_eq!(totals(&timeline)[&fast], 71);
    assert_eq!(counted(&played(&mut *recording))[&fast], 71);
    // what is before the start is shown, what is after the end is not
    let time = |at| overview.latest(fast, Timestamp(at)).unwrap().entries[0].log_time.0;
    assert_eq!((time(101 * S), time(u64::MAX)), (101 * S, 132 * S));
}

#[test]
fn a_recording_that_was_read_through_has_counts_and_tells_its_damage() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.mcap");
    let chunk = |from: u64| {
        let messages =
            (from..from + 5).fold(Made::default(), |made, n| made.message(1, n * S).message(2, n * S));
        Made::default().chunk(Zstd, &messages)
    };
    let damaged = chunk(10).with_damage_before_end(3);
    let made = begun().then(&chunk(0)).then(&damaged).then(&chunk(20)).message(1, 30 * S).end();
    std::fs::write(&path, &made.0).unwrap();
    let overview = check(&mut *open(&[path], &RecordingOptions::default()));
    let timeline = overview.timeline(31);
    assert_eq!(gaps(&timeline), [(4, 20), (24, 30)]);
    let [part] = timeline.damaged.as_slice() else { panic!("{:?}", timeline.damaged) };
    assert_eq!((part.range.start.0, part.range.end.0), (4 * S, 20 * S));
    assert!(part.text.starts_with("run.mcap: byte "), "{}", part.text);
}

#[test]
fn a_chunk_that_could_not_be_played_is_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.mcap");
    write(&path, &with_a_pause(), 1000);
    let mut bytes = std::fs::read(&path).unwrap();
    // within the first chunk
    bytes[300] ^= 0x55;
    std::fs::write(&path, bytes).unwrap();
    let mut recording = open(&[path], &RecordingOptions::default());
    let overview = recording.overview().unwrap();
    assert!(overview.timeline(10).damaged.is_empty());
    for _lap in 0..2 {
        recording.seek(Timestamp(0));
        played(&mut *recording);
    }
    let damaged = overview.timeline(10).damaged;
    assert_eq!(damaged.len(), 1, "{damaged:?}");
    assert_eq!(damaged[0].range.start.0, 100 * S);
    // of a part only its own
    let later = TimeRange { start: Timestamp(120 * S), end: Timestamp::MAX };
    assert!(overview.timeline_within(later, 10).damaged.is_empty());
    assert!(overview.latest(recording.info().channels[0].id, Timestamp(100 * S)).unwrap().is_empty());
}

#[test]
fn without_message_indexes_counts_are_estimated_by_the_statistics() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.mcap");
    let options = WriteOptions::new().chunk_size(Some(500)).emit_message_indexes(false);
    let mut writer = Writer::with_options(File::create(&path).unwrap(), options).unwrap();
    for (topic, log_time) in with_a_pause() {
        let channel_id = writer.add_channel(0, topic, "json", &BTreeMap::new()).unwrap();
        let header = MessageHeader { channel_id, sequence: 0, log_time, publish_time: log_time };
        writer.write_to_known_channel(&header, b"{}").unwrap();
    }
    writer.finish().unwrap();
    let mut recording = open(&[path], &RecordingOptions::default());
    let timeline = recording.overview().unwrap().timeline(40);
    assert!(timeline.topics.iter().all(|topic| topic.estimated), "{timeline:?}");
    assert_eq!(totals(&timeline), counted(&played(&mut *recording)));
}

#[test]
fn of_nothing_there_is_no_timeline() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.mcap");
    write(&path, &[], 300);
    let overview = open(&[path], &RecordingOptions::default()).overview().unwrap();
    assert_eq!(overview.timeline(10), Timeline::default());
    assert!(overview.latest(ChannelId(1), Timestamp::MAX).unwrap().is_empty());
    let _: Batch = overview.latest(ChannelId(9), Timestamp::MIN).unwrap();
}
