//! The same bytes as a file and from a pipe.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::sync::Arc;

use proptest::prelude::*;
use proptest::sample::Index;

use super::made::Compression::{None as Plain, Zstd};
use super::made::{Made, arbitrary_recording};
use super::viewer::{Seen, Viewer};
use crate::pattern::TopicFilter;
use crate::registry::Registry;
use crate::source::bytes::LocalFile;
use crate::source::mcap::survey::{Method, Survey, survey};
use crate::source::{McapStream, Order, RecordingOptions, SourceError, Stop, TopicRules};

/// How often there is a message: its topic as it was recorded, log time, payload.
type Messages = BTreeMap<(String, u64, Vec<u8>), usize>;

fn messages(viewer: &Viewer) -> Messages {
    let mut messages = Messages::new();
    for seen in &viewer.seen {
        if let Seen::Message(topic, time, payload) = seen {
            // the second channel on a topic is offered as `/topic#2`, if both are offered at the same time
            let topic = topic.split('#').next().unwrap().to_owned();
            *messages.entry((topic, *time, payload.clone())).or_default() += 1;
        }
    }
    messages
}

/// Messages that are in one and not in the other.
fn more(one: &Messages, other: &Messages) -> Messages {
    let mut more = one.clone();
    for (message, count) in &mut more {
        *count = count.saturating_sub(other.get(message).copied().unwrap_or(0));
    }
    more.retain(|_, count| *count > 0);
    more
}

struct Both {
    file: Result<Viewer, SourceError>,
    survey: Result<Survey, SourceError>,
    pipe: Viewer,
    /// Messages that the pipe left out, since their channels were not defined before.
    undefined: u64,
}

fn both(bytes: &[u8]) -> Both {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("both.mcap");
    std::fs::write(&path, bytes).unwrap();
    let survey =
        LocalFile::open(&path).and_then(|file| survey(&file, &Arc::default(), Order::Log, &mut |_| {}));
    let spec = path.to_str().unwrap().to_owned();
    let file = crate::source::open(&[spec], &RecordingOptions::default(), &Registry::default(), &mut |_| {});
    let file = file.map(|mut recording| Viewer::of_recording(&mut *recording));
    let (rules, stop) = (TopicRules::default(), Stop::new().unwrap());
    let mut source = McapStream::new("pipe".into(), bytes, &stop, rules, Registry::default());
    let pipe = Viewer::of(&mut source);
    Both { file, survey, pipe, undefined: source.undefined() }
}

/// Holds the file to the pipe. What may differ: a message before the definition of its channel plays from a file, since
/// this is known as a whole, while a pipe can't wait for what comes.
fn compare(bytes: &[u8]) -> Result<(), TestCaseError> {
    let Both { file, survey, pipe, undefined } = both(bytes);
    let from_pipe = messages(&pipe);
    let from_file = match &file {
        Ok(viewer) => messages(viewer),
        Err(_) => Messages::new(),
    };
    prop_assert_eq!(file.is_ok(), survey.is_ok());
    let missing = more(&from_pipe, &from_file);
    prop_assert!(missing.is_empty(), "only from the pipe: {:?}", missing);
    let extra = more(&from_file, &from_pipe);
    let count: usize = extra.values().sum();
    prop_assert!(count as u64 <= undefined, "only from the file: {:?}", extra);
    if let Ok(survey) = survey
        && survey.method == Method::Scan
    {
        let played: usize = from_file.values().sum();
        prop_assert_eq!(survey.message_count, Some(played as u64));
        prop_assert!(file.unwrap().errors().is_empty());
    }
    Ok(())
}

/// A recording with a summary, in small chunks, after other bytes, from whose beginning its offsets count; where its
/// chunks' bodies lie.
fn with_summary(
    before: &[u8],
    times: &[(u16, u64)],
    compression: Option<mcap::Compression>,
) -> (Vec<u8>, Vec<std::ops::Range<usize>>) {
    let mut bytes = Cursor::new(before.to_vec());
    bytes.set_position(before.len() as u64);
    let options = mcap::WriteOptions::new().compression(compression).chunk_size(Some(100));
    let mut writer = options.create(&mut bytes).unwrap();
    let mut ids = Vec::new();
    for topic in ["/a", "/b", "/c"] {
        ids.push(writer.add_channel(0, topic, "json", &BTreeMap::new()).unwrap());
    }
    for (sequence, (channel, time)) in (0..).zip(times) {
        let header = mcap::records::MessageHeader {
            channel_id: ids[usize::from(*channel)],
            sequence,
            log_time: *time,
            publish_time: *time,
        };
        writer.write_to_known_channel(&header, format!("{{\"n\":{sequence}}}").as_bytes()).unwrap();
    }
    let summary = writer.finish().unwrap();
    drop(writer);
    let body = |index: &mcap::records::ChunkIndex| {
        let start = usize::try_from(index.chunk_start_offset).unwrap();
        start + 9..start + usize::try_from(index.chunk_length).unwrap()
    };
    (bytes.into_inner(), summary.chunk_indexes.iter().map(body).collect())
}

fn arbitrary_compression() -> impl Strategy<Value = Option<mcap::Compression>> {
    prop_oneof![Just(None), Just(Some(mcap::Compression::Zstd))]
}

fn arbitrary_times() -> impl Strategy<Value = Vec<(u16, u64)>> {
    prop::collection::vec((0u16..3, 0u64..50), 1..30)
}

fn arbitrary_changes() -> impl Strategy<Value = Vec<(Index, u8)>> {
    prop::collection::vec((any::<Index>(), any::<u8>()), 0..5)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn whatever_is_damaged_a_file_that_is_scanned_plays_what_a_pipe_plays(
        made in arbitrary_recording(),
        changes in arbitrary_changes(),
        cut in any::<Index>(),
        garbage in (any::<Index>(), prop::collection::vec(any::<u8>(), 0..20)),
    ) {
        let mut bytes = made.0;
        for (index, byte) in changes {
            let at = index.index(bytes.len());
            bytes[at] = byte;
        }
        let at = garbage.0.index(bytes.len());
        bytes.splice(at..at, garbage.1);
        if cut.index(2) == 0 {
            bytes.truncate(bytes.len() - cut.index(bytes.len() / 4));
        }
        compare(&bytes)?;
    }

    #[test]
    fn without_its_summary_a_damaged_file_plays_what_a_pipe_plays(
        times in arbitrary_times(),
        compression in arbitrary_compression(),
        changes in arbitrary_changes(),
    ) {
        let (mut bytes, _) = with_summary(&[], &times, compression);
        for (index, byte) in changes {
            let at = index.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.pop();
        compare(&bytes)?;
    }

    #[test]
    fn whatever_comes_before_a_recording_plays_too(
        first in arbitrary_recording(),
        cut in any::<Index>(),
        second in arbitrary_times(),
        third in arbitrary_times(),
        compression in arbitrary_compression(),
    ) {
        let mut first = first.0;
        match cut.index(4) {
            0 => first.truncate(cut.index(first.len())),
            1 => first = Made::recording().end().0,
            2 => first = super::made::MAGIC.to_vec(),
            _ => {}
        }
        // joined: the offsets of each count from its own beginning
        let second = with_summary(&[], &second, compression).0;
        let joined = [&first[..], &second, &with_summary(&[], &third, compression).0].concat();
        compare(&joined)?;
        // appended: those of the last one count from the beginning of the file
        let appended = with_summary(&[&first[..], &second].concat(), &third, compression).0;
        compare(&appended)?;
    }

    /// Where a summary is believed it says where chunks are; what is damaged between them is not looked at, and can
    /// cost a pipe more. Of damage within chunks both make the same.
    #[test]
    fn by_its_summary_a_file_with_damaged_chunks_plays_what_a_pipe_plays(
        times in arbitrary_times(),
        compression in arbitrary_compression(),
        changes in arbitrary_changes(),
    ) {
        let (mut bytes, chunks) = with_summary(&[], &times, compression);
        for (index, byte) in changes {
            let chunk = index.get(&chunks);
            bytes[chunk.start + index.index(chunk.len())] = byte;
        }
        prop_assert_eq!(both(&bytes).survey.unwrap().method, Method::Summary);
        compare(&bytes)?;
    }
}

#[test]
fn a_definition_after_a_message_counts_for_it_in_a_file_and_not_in_a_pipe() {
    let made =
        Made::recording().message(1, 5).chunk(Zstd, &Made::default().message(1, 6)).channel(1, 0, "/late");
    let Both { file, pipe, undefined, .. } = both(&made.message(1, 7).end().0);
    assert_eq!(file.unwrap().messages(), [("/late", 5), ("/late", 6), ("/late", 7)]);
    assert_eq!((pipe.messages(), undefined), (vec![("/late", 7)], 2));
}

#[test]
fn what_has_no_message_ends_the_same_both_ways() {
    let begun = Made::recording().channel(1, 0, "/a");
    let empty_chunk = begun.clone().chunk(Zstd, &Made::default());
    for made in [begun.clone().end(), empty_chunk.clone().end(), Made::recording().end()] {
        let Both { file, pipe, .. } = both(&made.0);
        assert_eq!((file.unwrap().messages(), pipe.messages(), pipe.errors()), (vec![], vec![], vec![]));
    }
    let damaged = Made::default().chunk(Zstd, &Made::default().message(1, 1)).with_damage_before_end(3);
    let zeros = Made(vec![0; 100]);
    let half_a_message = Made(Made::default().message(1, 1).0[..20].to_vec());
    let many = (0..5).fold(begun.clone(), |made, _| made.then(&damaged));
    for made in [
        Made::recording(),
        begun.clone(),
        empty_chunk,
        begun.clone().then(&damaged),
        begun.clone().then(&damaged).end(),
        begun.clone().then(&zeros),
        begun.clone().then(&half_a_message),
        begun.clone().record(0x05, &[0; 3]).record(0x04, &[9]).end(),
        many,
    ] {
        let Both { file, pipe, .. } = both(&made.0);
        let of_file = file.err().unwrap().to_string();
        let (_, of_file) = of_file.split_once("both.mcap: ").unwrap();
        assert!(of_file.ends_with("there is no message to recover"), "{of_file}");
        let of_pipe = format!("pipe: {of_file}");
        assert!(pipe.errors().iter().any(|error| **error == of_pipe), "{:?}", pipe.errors());
    }
}

#[test]
fn a_pipe_of_which_no_topic_is_chosen_says_so_at_its_end() {
    let filter = TopicFilter { include: vec!["/nosuch".parse().unwrap()], exclude: Vec::new() };
    let rules = TopicRules { filter, ..TopicRules::default() };
    let bytes = Made::recording().channel(1, 0, "/b").channel(2, 0, "/a").message(1, 1).end().0;
    let mut source =
        McapStream::new("pipe".into(), &bytes[..], &Stop::new().unwrap(), rules, Registry::default());
    let pipe = Viewer::of(&mut source);
    assert_eq!(pipe.errors(), ["pipe: no topic is chosen; the recording has 2 topics: /a, /b"]);
}

#[test]
fn a_definition_counts_in_its_own_recording_only() {
    let second = Made::recording().channel(1, 0, "/b").message(1, 6).end();
    let Both { file, survey, .. } = both(&Made::recording().message(1, 5).end().then(&second).0);
    assert_eq!(file.unwrap().messages(), [("/b", 6)]);
    let warnings = survey.unwrap().warnings;
    assert!(warnings.iter().any(|warning| warning.contains("1 messages of channels")), "{warnings:?}");
}

#[test]
fn an_id_that_changes_its_meaning_means_the_same_both_ways() {
    let change = Made::default().message(1, 4).channel(1, 0, "/new").message(1, 3).message(2, 5);
    let begun = Made::recording().channel(1, 0, "/old").channel(2, 0, "/two").message(1, 1);
    for compression in [Plain, Zstd] {
        let made =
            begun.clone().chunk(compression, &change).message(1, 6).channel(1, 0, "/old").message(1, 7);
        let Both { file, survey, pipe, .. } = both(&made.end().0);
        let wanted = [("/old", 1), ("/new", 3), ("/old", 4), ("/two", 5), ("/new", 6), ("/old", 7)];
        assert_eq!(file.unwrap().messages(), wanted);
        assert_eq!(pipe.messages().len(), wanted.len());
        let survey = survey.unwrap();
        let counted: Vec<_> = survey
            .channels
            .iter()
            .map(|channel| channel.channel.topic.as_str())
            .zip(survey.counts.unwrap())
            .collect();
        assert_eq!(counted, [("/old", 3), ("/new", 2), ("/two", 1)]);
    }
}

#[test]
fn a_recording_that_broke_off_is_followed_by_another_both_ways() {
    let killed =
        Made::recording().channel(1, 0, "/a").message(1, 1).chunk(Zstd, &Made::default().message(1, 2));
    let bytes = killed.then(&Made::recording().channel(1, 0, "/b").message(1, 3).end()).0;
    let Both { file, survey, pipe, .. } = both(&bytes);
    let wanted = [("/a", 1), ("/a", 2), ("/b", 3)];
    assert_eq!((file.unwrap().messages(), pipe.messages()), (wanted.to_vec(), wanted.to_vec()));
    let [warning] = &survey.unwrap().warnings[..] else { panic!() };
    assert!(warning.contains("2 recordings one after the other"), "{warning}");
}

#[test]
fn a_record_that_cannot_be_used_costs_itself_alone_both_ways() {
    let begun = Made::recording().channel(1, 0, "/a").message(1, 1);
    let made = begun.record(0x05, &[0; 3]).message(1, 2).record(0x04, &[9]).message(1, 3);
    let Both { file, survey, pipe, .. } = both(&made.end().0);
    let wanted = vec![("/a", 1), ("/a", 2), ("/a", 3)];
    assert_eq!((file.unwrap().messages(), pipe.messages()), (wanted.clone(), wanted));
    let warnings = survey.unwrap().warnings;
    assert_eq!(pipe.errors().len(), 2);
    for error in pipe.errors() {
        let error = error.strip_prefix("pipe: ").unwrap();
        assert!(warnings[0].contains(error.split(';').next().unwrap()), "{warnings:?} {error}");
    }
}
