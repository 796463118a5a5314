//! Files of lines as recordings.

use std::path::PathBuf;

use super::*;
use crate::source::{Hint, Recording, RecordingOptions};
use crate::time::{TimeRange, TimeSpec};

fn open_with(
    files: &[(&str, &str)],
    options: &JsonLinesOptions,
    recording: &RecordingOptions,
) -> Result<Box<dyn Recording>, SourceError> {
    let folder = tempfile::tempdir().unwrap();
    let paths: Vec<PathBuf> = files
        .iter()
        .map(|(name, text)| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        })
        .collect();
    let options = Arc::new(options.clone());
    let channels = channels(&options);
    open_recording(&paths, &options, &channels, Hint::in_library, recording, &mut |_progress| {})
}

fn open(files: &[(&str, &str)]) -> Box<dyn Recording> {
    open_with(files, &JsonLinesOptions::default(), &RecordingOptions::default()).unwrap()
}

/// Milliseconds and payloads of all that is still to come.
fn rest(recording: &mut dyn Recording) -> Vec<(u64, String)> {
    let mut all = Vec::new();
    while let Some(batch) = recording.next().unwrap() {
        let text = |entry| String::from_utf8(batch.payload(entry).to_vec()).unwrap();
        all.extend(batch.entries.iter().map(|entry| (entry.log_time.nanos() / 1_000_000, text(entry))));
    }
    all
}

fn line(topic: &str, time: f64) -> String {
    format!("{{\"topic\":\"{topic}\",\"log_time\":{time},\"data\":{{\"t\":{time}}}}}\n")
}

#[test]
fn a_file_of_lines_is_sought_and_played_in_part() {
    let text: String = (0..5000u32).map(|n| line("/a", 1000.0 + f64::from(n) / 100.0)).collect();
    let mut recording = open(&[("log.jsonl", &text)]);
    let info = recording.info().clone();
    let range = TimeRange { start: Timestamp(1_000_000_000_000), end: Timestamp(1_049_990_000_000) };
    assert_eq!((info.range, info.message_count, info.name.as_str()), (Some(range), Some(5000), "log.jsonl"));
    assert_eq!(rest(&mut *recording).len(), 5000);
    recording.seek(Timestamp(1_030_000_000_000));
    let rest_of_it = rest(&mut *recording);
    assert_eq!((rest_of_it.len(), rest_of_it[0].0), (2000, 1_030_000));
    let state = recording.backfill(Timestamp(1_030_000_000_000), &[info.channels[0].id]).unwrap();
    assert_eq!(state.entries[0].log_time, Timestamp(1_029_990_000_000));
    let start = Some(TimeSpec::FromStart(std::time::Duration::from_secs(49)));
    let part = RecordingOptions { start, ..RecordingOptions::default() };
    let mut part = open_with(&[("log.jsonl", &text)], &JsonLinesOptions::default(), &part).unwrap();
    assert_eq!(rest(&mut *part).len(), 100);
}

#[test]
fn several_files_are_one_timeline_and_keep_their_channels() {
    let one = line("/a", 1.0) + &line("/a", 3.0);
    let other =
        line("/a", 2.0) + "{\"topic\":\"/a\",\"schema\":\"foxglove.Log\",\"log_time\":4,\"data\":{}}\n";
    let mut recording = open(&[("1.jsonl", &one), ("2.jsonl", &other)]);
    let mut topics: Vec<_> = recording.info().channels.iter().map(|channel| channel.topic.clone()).collect();
    topics.sort();
    assert_eq!(topics, ["/a", "/a#2"]);
    let times: Vec<_> = rest(&mut *recording).iter().map(|(time, _)| *time).collect();
    assert_eq!(times, [1000, 2000, 3000, 4000]);
    assert_eq!(recording.info().name, "1.jsonl and 1 more");
}

#[test]
fn messages_of_before_a_change_of_their_topic_play_as_well() {
    let log = |time: u32| {
        format!("{{\"topic\":\"/a\",\"schema\":\"foxglove.Log\",\"log_time\":{time},\"data\":{{}}}}\n")
    };
    let latch = "{\"op\":\"channel\",\"topic\":\"/b\",\"latch\":true}\n";
    let text = [line("/b", 0.5), line("/a", 1.0), log(2), latch.to_owned(), line("/b", 3.0), log(4)].concat();
    let mut recording = open(&[("x.jsonl", &text)]);
    let mut topics: Vec<_> =
        recording.info().channels.iter().map(|channel| (channel.topic.clone(), channel.latched)).collect();
    topics.sort();
    let of = |topic: &str, latched| (topic.to_owned(), latched);
    assert_eq!(topics, [of("/a", false), of("/a#2", false), of("/b", true)]);
    let [warning] = &recording.info().warnings[..] else { panic!("{:?}", recording.info().warnings) };
    assert!(warning.contains("offered as /a#2"), "{warning}");
    let times: Vec<_> = rest(&mut *recording).iter().map(|(time, _)| *time).collect();
    assert_eq!(times, [500, 1000, 2000, 3000, 4000]);
}

#[test]
fn lines_without_times_are_of_those_around_them() {
    let untimed = "{\"topic\":\"/b\",\"data\":{}}\n";
    let text = [untimed, &line("/a", 5.0), untimed, &line("/a", 6.0)].concat();
    let times: Vec<_> = rest(&mut *open(&[("x.jsonl", &text)])).iter().map(|(time, _)| *time).collect();
    assert_eq!(times, [5000, 5000, 5000, 6000]);
    let recording = open(&[("x.jsonl", &untimed.repeat(3))]);
    let range = recording.info().range.unwrap();
    assert!(
        range.start == range.end && range.start > Timestamp(1_700_000_000_000_000_000),
        "when it was written"
    );
}

#[test]
fn a_file_of_which_nothing_can_be_used_is_refused() {
    let error =
        open_with(&[("x.jsonl", "hello\n")], &JsonLinesOptions::default(), &RecordingOptions::default());
    assert!(error.err().unwrap().to_string().contains("nothing can be used of 1 line;"));
    assert!(open(&[("x.jsonl", "")]).info().range.is_none());
    let strict = open_with(&[("x.jsonl", &(line("/a", 1.0) + "x"))], &strict(), &RecordingOptions::default());
    assert!(matches!(strict.err().unwrap(), SourceError::Line { line: 2, .. }));
}

#[test]
fn files_of_lines_are_told_by_name_or_first_byte() {
    let folder = tempfile::tempdir().unwrap();
    for (name, text, expected) in [
        ("a.jsonl", "", true),
        ("a.NDJSON", "# x", true),
        ("a.log", "\u{feff}\n {\"topic\":", true),
        ("a.mcap", "\u{89}MCAP0", false),
        ("a.bag", "#ROSBAG V2.0", false),
        ("empty.mcap", "", false),
    ] {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        assert_eq!(is_file_of_lines(&path), expected, "{name}");
    }
    assert!(!is_file_of_lines(folder.path()) && !is_file_of_lines(&folder.path().join("none")));
    assert!(is_file_of_lines(&folder.path().join("later.jsonl")));
}
