use std::io::Write;
use std::sync::Arc;

use super::*;
use crate::model::{Batch, Entry};
use crate::payload::{TypeOptions, Types};
use crate::registry::Registry;
use crate::source::json_lines::JsonLinesOptions;
use crate::source::live::LiveChannels;
use crate::source::{Stream, TopicRules};

fn read(tail: &mut Tail) -> String {
    let mut buffer = [0; 100];
    let count = tail.read(&mut buffer).unwrap();
    String::from_utf8(buffer[..count].to_vec()).unwrap()
}

#[test]
fn what_is_appended_comes_and_a_replaced_file_is_read_from_its_beginning() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.jsonl");
    std::fs::write(&path, "old\n").unwrap();
    let stop = Stop::new().unwrap();
    let mut tail = Tail::open(&path, TailFrom::End, &stop).unwrap();
    let append = |text: &str| {
        let mut file = File::options().append(true).open(&path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    };
    append("new\n");
    assert_eq!(read(&mut tail), "new\n");
    let other = folder.path().join("other");
    std::fs::write(&other, "other\n").unwrap();
    std::fs::rename(&other, &path).unwrap();
    assert_eq!((read(&mut tail), read(&mut tail)), ("\n".into(), "other\n".into()));
    std::fs::write(&path, "x\n").unwrap();
    assert_eq!((read(&mut tail), read(&mut tail)), ("\n".into(), "x\n".into()));
    assert_eq!(read(&mut Tail::open(&path, TailFrom::Start, &stop).unwrap()), "x\n");
    let waiting = std::thread::spawn(move || tail.read(&mut [0]).is_err());
    stop.stop();
    assert!(waiting.join().unwrap());
}

#[test]
fn what_a_file_holds_is_known_and_not_sent() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.jsonl");
    let old = [
        r#"{"op":"schema","name":"Pose","encoding":"jsonschema","schema":{"type":"object"}}"#,
        r#"{"op":"channel","topic":"/map","latch":true}"#,
        r#"{"topic":"/map","log_time":1,"data":{"cells":1}}"#,
        r#"{"topic":"/pose","schema":"Pose","log_time":2,"data":{"x":1}}"#,
        "not a line",
        r#"{"topic":"/map","log_time":3,"data":{"cells":2}}"#,
        r#"{"topic":"/pose","sch"#,
    ];
    std::fs::write(&path, old.join("\n")).unwrap();
    let stop = Stop::new().unwrap();
    let open = |from, latched: &[TopicPattern]| {
        let options = JsonLinesOptions { strict: true, ..JsonLinesOptions::default() };
        let types = Arc::new(Types::load(&TypeOptions::default()).unwrap());
        let channels = LiveChannels::new(TopicRules::default(), types, &[], Registry::default()).unwrap();
        let tail = Tail::open(&path, from, &stop).unwrap();
        let mut lines = JsonLines::new("log".into(), tail, &stop, Arc::new(options), channels);
        lines.read_past(latched, &mut |_| {});
        lines
    };
    let mut following = open(TailFrom::End, &[]);
    let mut with_pose = open(TailFrom::End, &["/pose".parse().unwrap()]);
    let texts = |batch: &Batch, entries: Vec<Entry>| -> Vec<String> {
        entries.iter().map(|entry| String::from_utf8(batch.payload(entry).to_vec()).unwrap()).collect()
    };
    let unsent = |batch: &Batch| texts(batch, batch.unsent.iter().map(|(_, entry)| *entry).collect());
    let first = following.next().unwrap().unwrap();
    let topics: Vec<_> = first.announcements.iter().map(|channel| channel.topic.as_str()).collect();
    assert_eq!((topics, first.entries.len()), (vec!["/map", "/pose"], 0));
    assert_eq!(unsent(&first), [r#"{"cells":2}"#]);
    assert_eq!(unsent(&with_pose.next().unwrap().unwrap()), [r#"{"x":1}"#, r#"{"cells":2}"#]);
    // the line that had begun is a new one
    let mut file = File::options().append(true).open(&path).unwrap();
    file.write_all(b"ema\":\"Pose\",\"log_time\":4,\"data\":{\"x\":2}}\n").unwrap();
    let next = following.next().unwrap().unwrap();
    assert!(next.announcements.is_empty() && next.unsent.is_empty());
    assert_eq!(texts(&next, next.entries.clone()), [r#"{"x":2}"#]);
    // all of it is sent to who asks for it
    let batch = open(TailFrom::Start, &[]).next().unwrap().unwrap();
    assert_eq!((batch.entries.len(), batch.unsent.len()), (2, 0));
}

#[test]
fn a_file_that_is_not_there_yet_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("later.jsonl");
    let mut tail = Tail::open(&path, TailFrom::End, &Stop::new().unwrap()).unwrap();
    let writing = std::thread::spawn(move || std::fs::write(path, "x\n").unwrap());
    assert_eq!(read(&mut tail), "x\n");
    writing.join().unwrap();
}

#[test]
fn a_file_that_was_cut_off_and_is_longer_again_is_read_from_its_beginning() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.jsonl");
    std::fs::write(&path, "first\n").unwrap();
    let mut tail = Tail::open(&path, TailFrom::Start, &Stop::new().unwrap()).unwrap();
    assert_eq!(read(&mut tail), "first\n");
    // as `copytruncate` of logrotate does
    std::fs::write(&path, "second\nthird\n").unwrap();
    assert_eq!((read(&mut tail), read(&mut tail)), ("\n".into(), "second\nthird\n".into()));
}

#[test]
#[cfg(unix)]
fn a_pipe_in_the_place_of_a_file_holds_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.jsonl");
    std::fs::write(&path, "first\n").unwrap();
    let stop = Stop::new().unwrap();
    let mut tail = Tail::open(&path, TailFrom::Start, &stop).unwrap();
    assert_eq!(read(&mut tail), "first\n");
    std::fs::remove_file(&path).unwrap();
    let made = std::process::Command::new("mkfifo").arg(&path).status().unwrap();
    assert!(made.success());
    let (sender, ended) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut byte = [0];
        // a line break where the line was cut off
        let first = tail.read(&mut byte).unwrap();
        sender.send((first, byte, tail.read(&mut byte).is_err()))
    });
    std::thread::sleep(POLL * 4);
    stop.stop();
    assert_eq!(ended.recv_timeout(Duration::from_secs(10)).unwrap(), (1, *b"\n", true));
}
