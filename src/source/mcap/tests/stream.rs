//! Streams of MCAP.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::*;

use super::made::Compression::{Lz4, None as Plain, Zstd};
use super::made::{Made, arbitrary_recording, begun};
use super::viewer::{Seen, Viewer};
use crate::model::{Extra, Metadata};
use crate::registry::Registry;
use crate::source::{McapStream, Stop, Stream, TopicRules};

/// Bytes that come in parts of given sizes; the last one repeats.
struct Parts {
    bytes: Vec<u8>,
    at: usize,
    sizes: Vec<usize>,
    reads: usize,
}

impl Read for Parts {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let size = self.sizes[self.reads.min(self.sizes.len() - 1)];
        self.reads += 1;
        let part = size.min(buffer.len()).min(self.bytes.len() - self.at);
        buffer[..part].copy_from_slice(&self.bytes[self.at..self.at + part]);
        self.at += part;
        Ok(part)
    }
}

fn stream<R: Read + Send>(read: R, rules: TopicRules) -> McapStream<R> {
    McapStream::new("robot".into(), read, &Stop::new().unwrap(), rules, Registry::default())
}

fn play_with(bytes: &[u8], sizes: &[usize], rules: TopicRules) -> Viewer {
    let parts = Parts { bytes: bytes.to_vec(), at: 0, sizes: sizes.to_vec(), reads: 0 };
    Viewer::of(&mut stream(parts, rules))
}

fn play(made: &Made) -> Viewer {
    play_with(&made.0, &[usize::MAX], TopicRules::default())
}

#[test]
fn what_is_beside_messages_and_too_large_is_left_out_with_an_error() {
    use mcap::records::op;
    let bounds = [
        (op::ATTACHMENT, 256 << 20, "attachment is"),
        (op::METADATA, 64 << 20, "metadata are"),
        (op::HEADER, 64 << 20, "header is"),
    ];
    for (opcode, bound, what) in bounds {
        let before = begun().message(1, 5).0;
        let head = [&[opcode][..], &(bound + 1_u64).to_le_bytes()].concat();
        let after = Made::default().record(op::METADATA, &[0; 8]).message(2, 6).end().0;
        let large = io::repeat(7).take(bound + 1);
        let read =
            io::Cursor::new(before).chain(io::Cursor::new(head)).chain(large).chain(io::Cursor::new(after));
        let mut stream = stream(read, TopicRules::default()).with_extras();
        let (mut messages, mut errors, mut extras) = (0, Vec::new(), Vec::new());
        while let Some(batch) = stream.next().transpose() {
            match batch {
                Ok(batch) => messages += batch.entries.len(),
                Err(error) => errors.push(error.to_string()),
            }
            extras.extend(stream.take_extras());
        }
        assert_eq!((messages, errors.len()), (2, 1), "{errors:?}");
        assert!(errors[0].contains(&format!("the {what} larger than {} MiB", bound >> 20)), "{errors:?}");
        let empty = Metadata { name: String::new(), values: BTreeMap::new() };
        assert_eq!(extras, [Extra::Metadata(empty)]);
    }
}

#[test]
fn channels_come_before_their_messages_and_also_without_any() {
    let only_channels = play(&begun().end());
    assert_eq!(only_channels.story(), ["+/a X", "+/b"]);
    assert_eq!(stream(&b""[..], TopicRules::default()).name(), "robot");
    for compression in [Plain, Lz4, Zstd] {
        let messages = Made::default().message(1, 5).message(2, 6);
        let all = play(&begun().chunk(compression, &messages).end());
        assert_eq!(all.story(), ["+/a X", "+/b", "/a 5", "/b 6"], "{compression:?}");
        let inside = Made::default().channel(3, 0, "/c").message(3, 7).channel(4, 0, "/d");
        let all = play(&Made::recording().chunk(compression, &inside));
        assert_eq!(all.story(), ["+/c", "+/d", "/c 7"], "{compression:?}");
    }
}

#[test]
fn messages_are_sorted_within_their_chunk_and_chunks_come_as_they_are() {
    let first = Made::default().message(1, 5).message(1, 3).message(1, 9);
    let second = Made::default().message(1, 4).message(1, 1);
    let all = play(&begun().chunk(Zstd, &first).chunk(Plain, &second).message(1, 8).message(1, 2).end());
    assert_eq!(all.times(), [3, 5, 9, 1, 4, 2, 8]);
    assert_eq!(all.batches, [3, 2, 2]);
    assert!(all.errors().is_empty());
}

#[test]
fn messages_of_channels_that_are_one_say_which_they_are_of() {
    let records = Made::default().channel(3, 0, "/map").channel(9, 0, "/map").message(9, 1).message(3, 2);
    let made = Made::recording().chunk(Zstd, &records).message(9, 3);
    let mut source = stream(io::Cursor::new(made.0), TopicRules::default());
    let mut messages = Vec::new();
    while let Some(batch) = source.next().unwrap() {
        messages.extend(batch.entries.iter().map(|entry| (entry.channel.0, entry.origin)));
    }
    assert_eq!(messages, [(1, 9), (1, 3), (1, 9)]);
}

#[test]
fn what_is_readable_comes_without_waiting_for_more() {
    let parts = [begun(), Made::default().message(1, 1), Made::default().message(1, 2).message(1, 3)];
    let sizes: Vec<usize> = parts.iter().map(|part| part.0.len()).collect();
    let whole = parts.iter().fold(Made::default(), Made::then);
    let asked = Arc::new(AtomicUsize::new(0));
    struct Counting(Parts, Arc<AtomicUsize>);
    impl Read for Counting {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.1.fetch_add(1, Ordering::Relaxed);
            self.0.read(buffer)
        }
    }
    let parts = Parts { bytes: whole.0, at: 0, sizes, reads: 0 };
    let mut source = stream(Counting(parts, asked.clone()), TopicRules::default());
    for (reads, messages) in [(1, 0), (2, 1), (3, 2)] {
        let batch = source.next().unwrap().unwrap();
        assert_eq!(batch.entries.len(), messages);
        assert_eq!(asked.load(Ordering::Relaxed), reads, "read on though something was there");
        // a small batch does not hold a large window
        assert!(batch.footprint() < 1000);
    }
    assert!(source.next().unwrap().is_none());
}

#[test]
fn recordings_one_after_the_other_go_on_with_the_same_channels() {
    let first = begun().message(1, 1).message(2, 2).end();
    let renumbered = Made::recording().schema(9, "X").channel(1, 0, "/b").channel(7, 9, "/a");
    let second = renumbered.message(1, 3).message(7, 4).end();
    assert_eq!(play(&first.clone().then(&second)).story(), ["+/a X", "+/b", "/a 1", "/b 2", "/b 3", "/a 4"]);
    // the first one broke off between two records
    let killed = begun().message(1, 1);
    let all = play(&killed.then(&second));
    assert_eq!(all.messages(), [("/a", 1), ("/b", 3), ("/a", 4)]);
    assert!(all.errors().is_empty());
    let mut longer = first;
    longer.0.extend(b"something else");
    let all = play(&longer);
    assert_eq!(all.times(), [1, 2]);
    assert!(all.errors()[0].contains("what follows the recording's end"), "{:?}", all.errors());
}

#[test]
fn a_topic_whose_schema_changes_gets_a_new_channel_between_the_messages() {
    let change = Made::default().schema(1, "Y").channel(1, 1, "/a");
    let story = ["+/a X", "+/b", "/a 2", "/b 9", "-/a", "+/a Y", "/a 1"];
    let loose = begun().message(1, 2).message(2, 9).then(&change).message(1, 1);
    assert_eq!(play(&loose).story(), story);
    let inside = Made::default().message(1, 2).message(2, 9).then(&change).message(1, 1);
    for compression in [Plain, Lz4, Zstd] {
        assert_eq!(play(&begun().chunk(compression, &inside)).story(), story);
    }
    let restarted = begun().message(1, 2).message(2, 9).end();
    let restarted = restarted.then(&Made::recording().schema(1, "Y").channel(1, 1, "/a").message(1, 1));
    assert_eq!(play(&restarted).story(), story);
    // the old one was never offered in between
    let twice = begun().channel(3, 0, "/c").then(&change).end();
    assert_eq!(play(&twice).story(), ["+/a X", "+/b", "+/c", "-/a", "+/a Y"]);
}

#[test]
fn channels_of_one_topic_that_live_side_by_side_are_both_offered() {
    let both = begun().schema(2, "Y").channel(3, 2, "/a").message(1, 1).message(3, 2).message(1, 3);
    let story = ["+/a X", "+/b", "+/a#2 Y", "/a 1", "/a#2 2", "/a 3"];
    assert_eq!(play(&both).story(), story);
    // the same again, in another order, changes nothing
    let again = Made::recording().schema(1, "Y").schema(2, "X").channel(1, 1, "/a").channel(2, 2, "/a");
    let story_twice = [&story[..], &["/a#2 4", "/a 5"]].concat();
    assert_eq!(play(&both.end().then(&again.message(1, 4).message(2, 5))).story(), story_twice);
}

#[test]
fn an_id_that_is_given_to_another_topic_is_a_new_channel() {
    let all =
        play(&begun().message(1, 1).channel(1, 1, "/c").message(1, 2).channel(1, 1, "/a").message(1, 3));
    assert_eq!(all.story(), ["+/a X", "+/b", "+/c X", "/a 1", "/c 2", "/a 3"]);
}

#[test]
fn a_summary_names_channels_without_messages_and_changes_nothing() {
    let summary = Made::default().schema(1, "Y").schema(2, "Z").channel(1, 2, "/a").channel(4, 2, "/quiet");
    let all = play(&begun().message(1, 1).end_with(&summary));
    assert_eq!(all.story(), ["+/a X", "+/b", "+/quiet Z", "/a 1"]);
}

#[test]
fn topics_follow_the_rules() {
    let rules = TopicRules {
        filter: crate::pattern::TopicFilter { include: Vec::new(), exclude: vec!["/b".parse().unwrap()] },
        remap: vec!["/a=/pose".parse().unwrap()],
        prefix: "/robot".into(),
    };
    let all = play_with(&begun().message(2, 1).message(1, 2).end().0, &[50], rules);
    assert_eq!(all.story(), ["+/robot/pose X", "/robot/pose 2"]);
}

#[test]
fn a_damaged_chunk_costs_no_other() {
    let chunk = |time| Made::default().chunk(Zstd, &Made::default().channel(5, 0, "/e").message(1, time));
    let damaged = chunk(2).with_damage_before_end(6);
    let start = begun().then(&chunk(1));
    let offset = start.0.len();
    let all = play(&start.then(&damaged).then(&chunk(3)).end());
    assert_eq!(all.times(), [1, 3]);
    assert_eq!(all.errors().len(), 1);
    assert!(all.errors()[0].starts_with(&format!("robot: byte {offset}: ")), "{:?}", all.errors());
    // framing that does not fit, with a CRC that does
    let bent = Made::default().message(1, 9).record(0x05, &[0; 3]);
    let all = play(&begun().chunk(Plain, &bent).message(1, 10).record(0x05, &[0; 3]).message(1, 11).end());
    assert_eq!(all.times(), [10, 11]);
    assert_eq!(all.errors().len(), 2);
    let all = play(&begun().record(0x04, &[1]).message(1, 1).end());
    assert_eq!((all.times(), all.errors().len()), (vec![1], 1));
}

#[test]
fn what_is_not_needed_is_skipped_however_large() {
    let made = begun().attachment(3 << 20).message(1, 1).record(0x7A, &[1; 1 << 20]).record(0xF0, b"ours");
    assert_eq!(play_with(&made.message(1, 2).end().0, &[60_000], TopicRules::default()).times(), [1, 2]);
    // what can't be in memory: said once, and no memory is taken
    let huge = |length: u64| {
        let mut made = begun().message(1, 1);
        made.0.push(0x05);
        made.0.extend(length.to_le_bytes());
        made.then(&Made::default().message(1, 2))
    };
    let all = play(&huge(1 << 49));
    assert_eq!(all.times(), [1]);
    assert!(all.errors()[0].contains("larger than 1 GiB"), "{:?}", all.errors());
    assert!(all.errors()[1].contains("ends within a record"), "{:?}", all.errors());
    // a length that can't be, and the recording after it
    let all = play(&huge(u64::MAX - 3).then(&begun()).message(2, 3).end());
    assert_eq!(all.times(), [1, 3]);
    assert!(all.errors()[0].contains("there is no record here"), "{:?}", all.errors());
}

#[test]
fn large_messages_and_chunks_are_shared_and_not_copied() {
    let payload: Vec<u8> = (0..20_000_000u32).map(|at| at.to_le_bytes()[1]).collect();
    let message = Made::default().message_with(1, 5, &payload);
    for made in [begun().then(&message), begun().chunk(Plain, &message), begun().chunk(Zstd, &message)] {
        let all = play_with(&made.message(1, 6).end().0, &[1 << 16], TopicRules::default());
        assert_eq!(all.times(), [5, 6]);
        let large = Seen::Message("/a".into(), 5, payload.clone());
        assert!(all.seen.contains(&large));
    }
}

#[test]
fn a_very_large_uncompressed_chunk_is_played_as_it_comes() {
    let small = Made::default().chunk(Plain, &Made::default().message(1, 2).message(1, 1));
    let mut body = small.0[9..].to_vec();
    let (large, head) = (300u64 << 20, 32);
    body[16..24].copy_from_slice(&large.to_le_bytes());
    body[head..head + 8].copy_from_slice(&large.to_le_bytes());
    let mut made = begun();
    made.0.push(0x06);
    made.0.extend((large + head as u64 + 8).to_le_bytes());
    made.0.extend(body);
    for part in [1, 1000] {
        assert_eq!(play_with(&made.0, &[part], TopicRules::default()).messages().len(), 2);
    }
}

#[test]
fn an_end_within_a_record_is_reported_and_the_rest_is_played() {
    let whole = begun().message(1, 1).message(1, 2);
    let length = whole.0.len();
    for cut in 1..Made::default().message(1, 2).0.len() {
        let all = play(&Made(whole.0[..length - cut].to_vec()));
        assert_eq!(all.times(), [1]);
        assert!(all.errors()[0].contains("ends within a record"), "{:?}", all.errors());
    }
    // a recorder that was stopped between two records has lost nothing
    assert!(play(&whole).errors().is_empty());
    let ended = whole.end();
    let all = play(&Made(ended.0[..ended.0.len() - 3].to_vec()));
    assert!(all.errors()[0].contains("footer"), "{:?}", all.errors());
}

#[test]
fn zeros_are_no_records() {
    let all = play(&Made([begun().message(1, 1).0, vec![0; 100]].concat()));
    assert_eq!(all.times(), [1]);
    assert!(all.errors()[0].contains("no record here"), "{:?}", all.errors());
}

#[test]
fn other_formats_are_refused_with_a_way_out() {
    for (start, hint) in [
        (&b""[..], "nothing in it"),
        (b"\x89MC", "begins with other bytes"),
        (b"time,speed\n0,1\n", "begins with other bytes"),
        (b"\x1f\x8b\x08\x00\x00\x00\x00\x00", "gunzip"),
        (b"\x28\xb5\x2f\xfd\x04\x00\x01\x00", "zstd -d"),
        (b"#ROSBAG V2.0\nxxxxxxxxxxx", "rosbags-convert"),
        (b"\x89MCAP1\r\n\x01\x00", "version"),
    ] {
        for size in [1, 1000] {
            let all = play_with(start, &[size], TopicRules::default());
            let [error] = all.errors()[..] else { panic!("{:?}", all.errors()) };
            assert!(error.starts_with("robot: ") && error.contains(hint), "{error}");
        }
    }
}

#[test]
fn a_read_that_fails_once_it_is_stopped_is_the_end() {
    struct Stopping(Stop, io::Cursor<Vec<u8>>);
    impl Read for Stopping {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let read = self.1.read(buffer)?;
            if read > 0 {
                return Ok(read);
            }
            self.0.stop();
            Err(io::Error::other("stopped"))
        }
    }
    let stop = Stop::new().unwrap();
    // in the middle of a record
    let mut bytes = begun().message(1, 1).message(1, 2).0;
    bytes.truncate(bytes.len() - 3);
    let read = Stopping(stop.clone(), io::Cursor::new(bytes));
    let (rules, registry) = (TopicRules::default(), Registry::default());
    let all = Viewer::of(&mut McapStream::new("robot".into(), read, &stop, rules, registry));
    assert_eq!(all.story(), ["+/a X", "+/b", "/a 1"]);
}

#[test]
fn streams_of_one_server_share_equal_channels_and_none_ends_that_of_another() {
    let registry = Registry::default();
    let play = |made: &Made| {
        let (rules, stop) = (TopicRules::default(), Stop::new().unwrap());
        let mut stream =
            McapStream::new("robot".into(), io::Cursor::new(made.0.clone()), &stop, rules, registry.clone());
        let mut batches = Vec::new();
        while let Some(batch) = stream.next().unwrap() {
            batches.push(batch);
        }
        let offered: Vec<_> = batches.iter().flat_map(|batch| batch.announcements.clone()).collect();
        let offered = offered.iter().map(|channel| (channel.id.0, channel.topic.clone())).collect::<Vec<_>>();
        (offered, batches.iter().flat_map(|batch| batch.retired.clone()).collect::<Vec<_>>())
    };
    assert_eq!(play(&begun().end()), (vec![(1, "/a".into()), (2, "/b".into())], vec![]));
    assert_eq!(play(&begun().end()).0, [(1, "/a".into()), (2, "/b".into())]);
    let changed = begun().schema(5, "Y").channel(1, 5, "/a").channel(1, 1, "/a").end();
    let (offered, retired) = play(&changed);
    assert_eq!(offered[2..], [(3, "/a#2".into()), (1, "/a".into())]);
    assert_eq!(retired, [crate::model::ChannelId(3)], "the first channel is still claimed by others");
}

#[test]
fn an_error_of_the_system_ends_the_stream() {
    struct Failing;
    impl Read for Failing {
        fn read(&mut self, _buffer: &mut [u8]) -> io::Result<usize> {
            Err(io::ErrorKind::ConnectionReset.into())
        }
    }
    let read = begun().message(1, 1).0;
    let mut source = stream(io::Cursor::new(read).chain(Failing), TopicRules::default());
    let all = Viewer::of(&mut source);
    assert_eq!((all.times(), all.errors().len()), (vec![1], 1));
}

/// What is seen however the bytes come: messages of one read are sorted, so their order depends on the reads.
fn sorted_story(viewer: &Viewer) -> Vec<String> {
    let mut story = viewer.story();
    story.sort();
    story
}

proptest! {
    #[test]
    fn however_the_bytes_come_the_same_is_seen(
        made in arbitrary_recording(),
        sizes in proptest::collection::vec(1usize..300, 1..20),
    ) {
        let whole = play(&made);
        let parts = play_with(&made.0, &sizes, TopicRules::default());
        prop_assert_eq!(sorted_story(&whole), sorted_story(&parts));
        let definitions = |viewer: &Viewer| {
            let mut story = viewer.story();
            story.retain(|line| !line.starts_with('/'));
            story
        };
        prop_assert_eq!(definitions(&whole), definitions(&parts));
        prop_assert!(whole.errors().is_empty());
    }

    #[test]
    fn changed_bytes_never_panic(
        made in arbitrary_recording(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = made.0;
        for (index, byte) in changes {
            let at = index.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.truncate(bytes.len() - cut.index(bytes.len() / 4));
        play_with(&bytes, &[64, 4096], TopicRules::default());
    }

    #[test]
    fn any_records_never_panic(
        records in proptest::collection::vec((0u8..18, proptest::collection::vec(any::<u8>(), 0..60)), 0..20),
    ) {
        let made = records.iter().fold(begun(), |made, (opcode, body)| made.record(*opcode, body));
        play_with(&made.0, &[17], TopicRules::default());
    }
}
