use super::*;
use crate::registry::{ChannelSpec, Registry};
use crate::time::TimeSpec;

fn gathered(registry: &Registry, messages: &[(&str, u64)]) -> Gathered {
    let mut gathered = Gathered::default();
    for (topic, second) in messages {
        let channel = registry.claim(ChannelSpec::json(*topic)).unwrap().channel;
        let mut batch = Batch { announcements: vec![channel.clone()], ..Batch::default() };
        let time = Timestamp(second * 1_000_000_000);
        batch.push_copy(&Entry::at(channel.id, time), format!("{topic}{second}").as_bytes());
        gathered.push(batch);
    }
    gathered
}

fn recording(messages: &[(&str, u64)], extent: Extent, options: &RecordingOptions) -> MemoryRecording {
    let gathered = gathered(&Registry::default(), messages);
    MemoryRecording::new("lines".into(), gathered, extent, options).unwrap()
}

fn texts(batch: &Batch) -> Vec<String> {
    batch.entries.iter().map(|entry| String::from_utf8(batch.payload(entry).to_vec()).unwrap()).collect()
}

fn rest(recording: &mut MemoryRecording) -> Vec<String> {
    let mut all = Vec::new();
    while let Some(batch) = recording.next().unwrap() {
        all.extend(texts(&batch));
    }
    all
}

fn ids(recording: &MemoryRecording) -> Vec<ChannelId> {
    recording.info().channels.iter().map(|channel| channel.id).collect()
}

#[test]
fn messages_come_by_time_from_wherever_it_is_sought() {
    let messages = [("a", 3), ("b", 1), ("a", 2), ("b", 2)];
    let mut recording = recording(&messages, Extent::All, &RecordingOptions::default());
    assert_eq!(recording.info().message_count, Some(4));
    assert_eq!(rest(&mut recording), ["b1", "a2", "b2", "a3"]);
    recording.seek(Timestamp(2_000_000_000));
    assert_eq!(rest(&mut recording), ["a2", "b2", "a3"]);
    let ids = ids(&recording);
    let state = recording.backfill(Timestamp(3_000_000_000), &ids).unwrap();
    assert_eq!(texts(&state), ["a2", "b2"]);
    assert_eq!(texts(&recording.backfill(Timestamp(1_000_000_001), &ids).unwrap()), ["b1"]);
}

#[test]
fn a_part_is_played_and_what_is_before_it_is_its_past() {
    let options = RecordingOptions {
        start: Some(TimeSpec::FromStart(std::time::Duration::from_secs(2))),
        ..RecordingOptions::default()
    };
    let mut recording = recording(&[("a", 1), ("a", 2), ("a", 3), ("a", 4)], Extent::All, &options);
    assert!(recording.info().has_past);
    assert_eq!(rest(&mut recording), ["a3", "a4"]);
    recording.seek(Timestamp::MIN);
    assert_eq!(rest(&mut recording), ["a3", "a4"], "not before the part");
    let late = RecordingOptions { start: Some(TimeSpec::At(Timestamp(u64::MAX))), ..options };
    let gathered = gathered(&Registry::default(), &[("a", 1)]);
    let error = MemoryRecording::new("lines".into(), gathered, Extent::All, &late).unwrap_err();
    assert!(matches!(error, SourceError::OutOfRange { .. }));
}

#[test]
fn of_last_messages_nothing_is_played_and_each_channel_has_its_last() {
    let messages = [("a", 1), ("b", 1), ("a", 2)];
    let mut recording = recording(&messages, Extent::LastMessages, &RecordingOptions::default());
    assert_eq!(rest(&mut recording), Vec::<String>::new());
    let (range, ids) = (recording.info().range.unwrap(), ids(&recording));
    assert!(range.start == range.end && recording.info().has_past);
    assert_eq!(texts(&recording.backfill(range.start, &ids).unwrap()), ["b1", "a2"]);
}

#[test]
fn messages_of_a_channel_that_has_ended_are_left_out() {
    let registry = Registry::default();
    let mut gathered = gathered(&registry, &[("a", 1), ("b", 2)]);
    let ended = gathered.channels.keys().next().copied().unwrap();
    gathered.push(Batch { retired: vec![ended], ..Batch::default() });
    let options = RecordingOptions::default();
    let mut recording = MemoryRecording::new("lines".into(), gathered, Extent::All, &options).unwrap();
    assert_eq!(rest(&mut recording), ["b2"]);
    assert!(recording.info().warnings[0].starts_with("1 message from before a change"));
}

#[test]
fn nothing_is_a_recording_without_a_range() {
    let mut recording = recording(&[], Extent::All, &RecordingOptions::default());
    assert_eq!((recording.info().range, recording.info().message_count), (None, Some(0)));
    assert!(rest(&mut recording).is_empty());
}

#[test]
fn what_is_asked_while_it_plays_is_what_plays() {
    let messages = [("a", 1), ("b", 1), ("a", 2), ("a", 9), ("b", 11)];
    let end = Some(TimeSpec::At(Timestamp(10_000_000_000)));
    let options = RecordingOptions { end, ..RecordingOptions::default() };
    let recording = recording(&messages, Extent::All, &options);
    let overview = recording.overview().unwrap();
    let timeline = overview.timeline(9);
    let counts: Vec<_> = timeline.topics.iter().map(|topic| topic.counts.iter().sum::<f32>()).collect();
    assert_eq!((counts, timeline.range), (vec![3.0, 1.0], recording.info().range));
    let gap = |from: u64, to: u64| TimeRange { start: Timestamp(from), end: Timestamp(to) };
    assert_eq!(timeline.gaps, [gap(2_000_000_000, 9_000_000_000)]);
    let part = overview.timeline_within(gap(1_000_000_001, 5_000_000_000), 9);
    assert_eq!((part.topics.len(), part.topics[0].counts.iter().sum::<f32>()), (1, 1.0));
    let latest =
        |id: ChannelId, second: u64| texts(&overview.latest(id, Timestamp(second * 1_000_000_000)).unwrap());
    let [a, b] = ids(&recording)[..] else { panic!() };
    assert_eq!(
        (latest(a, 2), latest(a, 8), latest(a, 9)),
        (vec!["a2".into()], vec!["a2".into()], vec!["a9".into()])
    );
    assert_eq!(
        (latest(a, 0), latest(b, 100)),
        (vec![], vec!["b1".to_owned()]),
        "what is after the end does not play"
    );
    assert!(overview.files().is_empty());
}
