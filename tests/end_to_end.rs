//! The main job from outside, with nothing but the program and a WebSocket client of another author (`tungstenite`) on
//! the recordings in `testdata/`: what anybody who clones the project can run. More peers are in `tests/serve.rs`.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "end_to_end/bridge.rs"]
mod bridge;
#[path = "end_to_end/viewer.rs"]
mod viewer;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use bridge::{Bridge, testdata};
use viewer::{Got, Viewer};

/// Topic, log time and payload of every message of a recording, as the crate `mcap` reads them, by topic in log-time
/// order.
fn recorded(path: &Path) -> BTreeMap<String, Vec<(u64, Vec<u8>)>> {
    let bytes = std::fs::read(path).unwrap();
    let mut topics: BTreeMap<String, Vec<(u64, Vec<u8>)>> = BTreeMap::new();
    for message in mcap::MessageStream::new(&bytes).unwrap() {
        let message = message.unwrap();
        let payload = message.data.to_vec();
        topics.entry(message.channel.topic.clone()).or_default().push((message.log_time, payload));
    }
    topics.values_mut().for_each(|messages| messages.sort_by_key(|(time, _)| *time));
    topics
}

/// What a viewer got, by topic.
fn by_topic(messages: Vec<Got>) -> BTreeMap<String, Vec<(u64, Vec<u8>)>> {
    let mut topics: BTreeMap<String, Vec<(u64, Vec<u8>)>> = BTreeMap::new();
    for Got { topic, log_time, payload } in messages {
        topics.entry(topic).or_default().push((log_time, payload));
    }
    topics
}

fn times(messages: &[Got]) -> Vec<u64> {
    messages.iter().map(|message| message.log_time).collect()
}

#[test]
fn a_recording_arrives_whole_and_in_order_at_every_viewer() {
    for file in ["drive.mcap", "ros1_demo_zstd.mcap"] {
        let file = testdata(file);
        let clients = ["--start-on-clients", "2", "--at-end", "exit", "--rate", "max"];
        let mut bridge = Bridge::serve(&[&[file.to_str().unwrap()], &clients[..]].concat());
        let viewers = [Viewer::connect(&bridge), Viewer::connect(&bridge)];
        let expected = recorded(&file);
        let reading = viewers.map(|mut viewer| {
            viewer.subscribe_all(expected.len());
            std::thread::spawn(move || viewer.until_closed())
        });
        for reading in reading {
            let (messages, code) = reading.join().unwrap();
            assert!(times(&messages).is_sorted(), "{}", file.display());
            assert_eq!(code, Some(1000));
            assert!(by_topic(messages) == expected, "{}: not what was recorded", file.display());
        }
        assert_eq!(bridge.exit_code(), Some(0));
    }
}

#[test]
fn json_lines_on_stdin_arrive_and_a_latched_one_waits_for_late_viewers() {
    let mut bridge = Bridge::piped(&["-", "--on-eof", "exit"]);
    let mut stdin = bridge.stdin();
    let mut say = |line: &str| writeln!(stdin, "{line}").unwrap();
    say(r#"{"op":"channel","topic":"/map","latch":true}"#);
    say(r#"{"op":"channel","topic":"/imu"}"#);
    say(r#"{"topic":"/map","log_time":1000000000,"data":{"cells":9}}"#);
    let mut viewer = Viewer::connect(&bridge);
    viewer.subscribe_all(2);
    let map = viewer.next_message();
    assert_eq!((map.topic.as_str(), map.payload.as_slice()), ("/map", &br#"{"cells":9}"#[..]));
    say(r#"{"topic":"/imu","log_time":"1970-01-01T00:00:02Z","data":{"ax":0.1}}"#);
    let imu = viewer.next_message();
    assert_eq!((imu.topic.as_str(), imu.log_time), ("/imu", 2_000_000_000));
    assert_eq!(imu.payload, br#"{"ax":0.1}"#);
    let mut late = Viewer::connect(&bridge);
    late.subscribe_all(2);
    assert_eq!(late.next_message().payload, br#"{"cells":9}"#);
    drop(stdin);
    assert_eq!(viewer.until_closed().1, Some(1000));
    assert_eq!(bridge.exit_code(), Some(0));
}

#[test]
fn a_seek_shows_the_state_there_and_goes_on_from_it() {
    let file = testdata("drive.mcap");
    let expected = recorded(&file);
    let bridge = Bridge::serve(&[file.to_str().unwrap(), "--start-paused"]);
    let mut viewer = Viewer::connect(&bridge);
    viewer.subscribe_all(expected.len());
    let all: Vec<u64> = expected.values().flatten().map(|(time, _)| *time).collect();
    let (start, end) = (*all.iter().min().unwrap(), *all.iter().max().unwrap());
    let target = start + (end - start) / 2;
    let state = viewer.control("middle", Some(target), viewer::PAUSE);
    assert_eq!((state.did_seek, state.current_time), (true, target));
    let state = viewer.control("go", None, viewer::PLAY);
    assert!(!state.did_seek);
    let mut backfill = Vec::new();
    let after = loop {
        let message = viewer.next_message();
        if message.log_time >= target {
            break message;
        }
        backfill.push(message);
    };
    for (topic, recorded) in &expected {
        let before = recorded.iter().rev().find(|(time, _)| *time < target).map(|(time, _)| *time);
        let got: Vec<u64> = backfill
            .iter()
            .filter(|message| &message.topic == topic)
            .map(|message| message.log_time)
            .collect();
        assert_eq!(got.last().copied(), before, "{topic}");
        // of transforms the last one of each child frame
        assert!(got.len() <= if topic == "/tf" { 2 } else { 1 }, "{topic}: {got:?}");
    }
    assert_eq!(Some(&after.log_time), all.iter().filter(|time| **time >= target).min());
    assert!(viewer.next_message().log_time >= after.log_time);
}

#[test]
fn a_viewer_that_does_not_read_costs_nobody_else_a_message() {
    let mut bridge = Bridge::piped(&["-", "--client-buffer", "1MiB", "--on-eof", "exit"]);
    let mut stdin = bridge.stdin();
    writeln!(stdin, r#"{{"op":"channel","topic":"/camera"}}"#).unwrap();
    let (mut healthy, mut stalled) = (Viewer::connect(&bridge), Viewer::connect(&bridge));
    healthy.subscribe_all(1);
    stalled.subscribe_all(1);
    let image = "x".repeat(100_000);
    let mut got = Vec::new();
    for number in 0..300u64 {
        let time = 1_000_000_000 + number;
        let line = format!(r#"{{"topic":"/camera","log_time":{time},"data":{{"image":"{image}"}}}}"#);
        writeln!(stdin, "{line}").unwrap();
        got.push(healthy.next_message().log_time / 1_000_000_000 - 1_000_000_000);
    }
    assert_eq!(got, (0..300).collect::<Vec<_>>());
    drop(stdin);
    let (late, _) = stalled.until_closed();
    assert!(late.len() < 300, "30 MB fit into no buffer");
    assert_eq!(
        late.last().map(|message| message.log_time),
        Some(1_000_000_299_000_000_000),
        "the newest is there"
    );
}

#[test]
fn what_is_served_is_recorded_and_plays_again() {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy.mcap");
    let file = testdata("drive.mcap");
    let arguments =
        [file.to_str().unwrap(), "--record", copy.to_str().unwrap(), "--rate", "max", "--at-end", "exit"];
    let mut bridge = Bridge::serve(&arguments);
    let mut viewer = Viewer::connect(&bridge);
    let expected = recorded(&file);
    viewer.subscribe_all(expected.len());
    assert_eq!(viewer.until_closed().1, Some(1000));
    assert_eq!(bridge.exit_code(), Some(0));
    assert!(recorded(&copy) == expected, "the copy has something else");
}

#[cfg(unix)]
#[test]
fn a_termination_signal_closes_viewers_in_good_order() {
    let mut bridge = Bridge::serve(&[testdata("drive.mcap").to_str().unwrap()]);
    let mut viewer = Viewer::connect(&bridge);
    viewer.subscribe_all(12);
    viewer.next_message();
    bridge.terminate();
    assert_eq!(viewer.until_closed().1, Some(1001));
    assert_eq!(bridge.exit_code(), Some(0));
}
