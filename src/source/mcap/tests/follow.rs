//! A file that grows. Nothing sleeps: see [`super::script`].

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};

use proptest::prelude::*;

use super::made::Compression::{None as Plain, Zstd};
use super::made::{Made, begun};
use super::script::{Script, Then};
use super::viewer::Viewer;
use crate::registry::Registry;
use crate::source::{Follow, FollowOptions, ScanProgress, SourceError, Stop, Stream, TopicRules};

fn messages(times: &[u64]) -> Made {
    times.iter().fold(Made::default(), |made, time| made.message(1, *time))
}

fn open(path: &Path, progress: &mut dyn FnMut(ScanProgress)) -> Result<Follow, SourceError> {
    let (registry, stop) = (Registry::default(), Stop::new().unwrap());
    Follow::open(path, FollowOptions::default(), &registry, &stop, progress)
}

#[test]
fn channels_of_what_is_there_are_known_and_what_comes_is_played() {
    for old in [messages(&[1, 2]), Made::default().chunk(Zstd, &messages(&[1])).chunk(Plain, &messages(&[2]))]
    {
        let start = begun().then(&old).attachment(1000);
        let inside = Made::default().channel(3, 0, "/c").message(3, 4).message(1, 3);
        let script = || {
            Script::of(Some(&start.0))
                .append(&Made::default().chunk(Zstd, &inside))
                .then(Then::Nothing(3))
                .append(&messages(&[5]))
                .append(&messages(&[6]).end())
        };
        let (_files, follow) = script().open();
        let mut follow = follow.unwrap();
        assert!(follow.name().ends_with("drive.mcap"));
        let first = follow.next().unwrap().unwrap();
        let topics: Vec<_> = first.announcements.iter().map(|channel| channel.topic.clone()).collect();
        assert_eq!((topics, first.entries.len()), (vec!["/a".to_owned(), "/b".to_owned()], 0));
        let all = script().play();
        assert_eq!(all.story(), ["+/a X", "+/b", "+/c", "/a 3", "/c 4", "/a 5", "/a 6"]);
        let all = script().with_old_messages().play();
        assert_eq!(all.story(), ["+/a X", "+/b", "/a 1", "/a 2", "+/c", "/a 3", "/c 4", "/a 5", "/a 6"]);
    }
}

#[test]
fn channels_inside_of_old_chunks_are_known_and_their_changes() {
    let inside = Made::default().channel(3, 0, "/c").message(3, 1);
    let changed = Made::default().schema(1, "Y").channel(1, 1, "/a").message(1, 2);
    for compression in [Plain, Zstd] {
        let start = begun().chunk(compression, &inside).chunk(compression, &changed);
        let all = Script::of(Some(&start.0)).append(&messages(&[3]).message(3, 4)).play();
        assert_eq!(all.story(), ["+/b", "+/c", "+/a Y", "/a 3", "/c 4"]);
    }
}

#[test]
fn of_what_is_there_the_last_messages_of_latched_channels_count_and_are_not_sent() {
    let old = messages(&[1]).latched_channel(7, "/map").message(7, 2).message(2, 3).message(7, 4);
    let later = Made::default().message(1, 5).latched_channel(8, "/map").message(8, 6).message(2, 7);
    let unfinished = |chunk: Made| {
        let mut chunk = chunk.0;
        chunk[1..9].fill(0xFF);
        chunk[25..33].fill(0xFF);
        let compressed = 9 + 32;
        chunk[compressed..compressed + 8].fill(0xFF);
        Made(chunk)
    };
    for start in [
        begun().then(&old).then(&later),
        begun().chunk(Zstd, &old).chunk(Plain, &later),
        begun().chunk(Plain, &old).then(&later).end(),
        begun().chunk(Zstd, &old).then(&unfinished(Made::default().chunk(Plain, &later))),
    ] {
        let script = || Script::of(Some(&start.0)).then(Then::Nothing(1));
        let all = script().play();
        assert_eq!(all.story(), ["+/a X", "+/b", "+/map", "(/map 4)", "(/map 6)"]);
        let mut latched = script();
        latched.options.latched = vec!["/b".parse().unwrap()];
        let story = latched.play().story();
        assert_eq!(story, ["+/a X", "+/b", "+/map", "(/map 4)", "(/map 6)", "(/b 7)"]);
        assert!(!script().with_old_messages().play().story().iter().any(|seen| seen.starts_with('(')));
    }
    // what an id stood for in a recording before says nothing
    let start = begun().then(&old).end().then(&begun()).channel(7, 1, "/c").message(7, 8);
    let story = Script::of(Some(&start.0)).append(&Made::default().message(7, 9)).play().story();
    assert_eq!(story, ["+/a X", "+/b", "+/map", "+/c X", "(/map 4)", "/c 9"]);
    // of a topic that is another channel by now nothing counts
    let start = begun().then(&old).schema(2, "Y").channel(7, 2, "/map").message(7, 8);
    assert_eq!(Script::of(Some(&start.0)).play().story(), ["+/a X", "+/b", "+/map Y"]);
}

#[test]
fn what_is_half_written_is_waited_for() {
    let chunk = Made::default().chunk(Zstd, &messages(&[3, 4])).0;
    let start = begun().then(&messages(&[1]));
    for cut in [1, 8, 9, 20, chunk.len() - 1] {
        let half = [&start.0, &chunk[..cut]].concat();
        let all = Script::of(Some(&half))
            .then(Then::Nothing(2))
            .then(Then::Append(chunk[cut..].to_vec()))
            .append(&messages(&[5]))
            .play();
        assert_eq!((all.times(), all.errors()), (vec![3, 4, 5], vec![]), "cut at {cut}");
    }
    // a message that had been begun before the start is a new one
    let message = messages(&[2]).0;
    let half = [&start.0, &message[..12]].concat();
    assert_eq!(Script::of(Some(&half)).then(Then::Append(message[12..].to_vec())).play().times(), [2]);
}

#[test]
fn a_file_that_is_not_there_yet_is_waited_for() {
    let all = Script::of(None)
        .then(Then::Nothing(3))
        .then(Then::Append(Vec::new()))
        .append(&Made(b"\x89MCA".to_vec()))
        .append(&Made(begun().then(&messages(&[1])).0[4..].to_vec()))
        .append(&messages(&[2]))
        .play();
    assert_eq!(all.story(), ["+/a X", "+/b", "/a 1", "/a 2"]);
}

#[test]
fn what_can_never_be_followed_is_refused() {
    let refusal = |path: &Path| {
        let refused = open(path, &mut |_| {});
        assert!(matches!(refused, Err(SourceError::Unusable { .. })), "{refused:?}");
        refused.unwrap_err().to_string()
    };
    let script = Script::of(Some(b"time,speed\n"));
    assert!(refusal(&script.path).contains("give the path of an .mcap file"));
    assert!(refusal(script.path.parent().unwrap()).contains("folder"));
    assert!(refusal(&script.path.with_file_name("no/such.mcap")).contains("no such folder"));
    let script = Script::of(Some(b"\x1f\x8b\x08\x00\x00\x00\x00\x00"));
    assert!(refusal(&script.path).contains("gunzip"));
}

#[test]
fn a_file_that_becomes_shorter_is_read_from_its_beginning() {
    let all = Script::of(Some(&begun().then(&messages(&[1])).0))
        .append(&messages(&[2]))
        .then(Then::Size(0))
        .append(&begun().then(&messages(&[3])))
        .append(&messages(&[4]))
        .play();
    assert_eq!(all.story(), ["+/a X", "+/b", "/a 2", "!", "/a 3", "/a 4"]);
    assert!(all.errors()[0].contains("became shorter"), "{:?}", all.errors());
}

#[test]
fn a_file_that_is_rewritten_is_read_from_its_beginning_though_it_is_longer() {
    let second = Made::recording().channel(1, 0, "/b").message(1, 3).message(1, 4).attachment(1000);
    let all = Script::of(Some(&begun().0))
        .append(&messages(&[2]))
        .then(Then::Rewrite(second.0))
        .append(&Made::default().message(1, 5))
        .play();
    assert_eq!(all.story(), ["+/a X", "+/b", "/a 2", "!", "/b 3", "/b 4", "/b 5"]);
    assert!(all.errors()[0].contains("rewritten"), "{:?}", all.errors());
}

#[test]
fn a_file_that_is_replaced_is_read_from_its_beginning() {
    let second = Made::recording().schema(5, "Y").channel(1, 0, "/b").channel(2, 5, "/a");
    let all = Script::of(Some(&begun().then(&messages(&[1])).0))
        .append(&messages(&[2]))
        .then(Then::Replace(second.clone().message(2, 3).0))
        .append(&Made::default().message(1, 4))
        .play();
    assert_eq!(all.story(), ["+/a X", "+/b", "/a 2", "!", "-/a", "+/a Y", "/a 3", "/b 4"]);
    assert!(all.errors()[0].contains("replaced by another"), "{:?}", all.errors());
    // removed first, and the old one gets no more
    let all = Script::of(Some(&begun().0))
        .append(&messages(&[2]))
        .then(Then::Remove)
        .then(Then::Nothing(4))
        .then(Then::Append(second.message(2, 3).0))
        .play();
    assert_eq!(all.story(), ["+/a X", "+/b", "/a 2", "!", "-/a", "+/a Y", "/a 3"]);
}

#[test]
fn a_finished_recording_waits_for_what_comes_after_it() {
    let all = Script::of(Some(&begun().then(&messages(&[1])).end().0))
        .then(Then::Nothing(5))
        .append(&begun().message(2, 2).end())
        .then(Then::Nothing(5))
        .then(Then::Replace(begun().then(&messages(&[3])).0))
        .play();
    assert_eq!(all.story(), ["+/a X", "+/b", "/b 2", "!", "/a 3"]);
    assert_eq!(all.errors().len(), 1);
    // what follows it is nothing: said once, and another file is waited for
    let all = Script::of(Some(&begun().end().0))
        .then(Then::Append(b"something".to_vec()))
        .then(Then::Nothing(5))
        .then(Then::Replace(begun().then(&messages(&[3])).0))
        .play();
    assert_eq!(all.story(), ["+/a X", "+/b", "!", "!", "/a 3"]);
}

#[test]
fn several_recordings_one_after_the_other_are_one_warning() {
    let one = begun().then(&messages(&[1])).end();
    let (_files, follow) = Script::of(Some(&one.clone().then(&one).then(&one).0)).open();
    let warnings = follow.unwrap().warnings;
    assert_eq!(warnings, ["several recordings come one after the other; all of them play"]);
    let (_files, follow) = Script::of(Some(&one.0)).open();
    assert!(follow.unwrap().warnings.is_empty());
}

#[test]
fn zeros_at_the_end_are_what_is_not_written_yet() {
    let start = begun().then(&messages(&[1])).0;
    let more = messages(&[2, 3]).0;
    let chunk = Made::default().chunk(Zstd, &messages(&[4, 5])).0;
    let (half, rest) = chunk.split_at(chunk.len() / 2);
    let at = start.len();
    let preallocated = |from_start: bool| {
        let mut script = Script::of(Some(&start)).then(Then::Nothing(1));
        script.options.from_start = from_start;
        script
            .then(Then::Size(2000))
            .then(Then::Write(at, more.clone()))
            .then(Then::Nothing(2))
            .then(Then::Write(at + more.len(), half.to_vec()))
            .then(Then::Nothing(2))
            .then(Then::Write(at + more.len() + half.len(), rest.to_vec()))
            .then(Then::Nothing(2))
            .then(Then::Size((at + more.len() + chunk.len()) as u64))
            .append(&messages(&[6]))
            .play()
    };
    let all = preallocated(false);
    assert_eq!((all.times(), all.errors()), (vec![2, 3, 4, 5, 6], vec![]));
    assert_eq!(preallocated(true).times(), [1, 2, 3, 4, 5, 6]);
    let mut given_its_size = vec![0; 3000];
    let all = Script::of(Some(&given_its_size)).then(Then::Write(0, start.clone())).play();
    assert_eq!(all.story(), ["+/a X", "+/b", "/a 1"]);
    given_its_size[..at].copy_from_slice(&start);
    let all = Script::of(Some(&given_its_size)).then(Then::Write(at, more)).play();
    assert_eq!(all.times(), [2, 3]);
}

#[test]
fn a_chunk_whose_sizes_are_written_last_is_waited_for() {
    for (compression, times) in [(Plain, &[2, 3][..]), (Plain, &[3]), (Zstd, &[2, 3])] {
        let whole = Made::default().chunk(compression, &messages(times)).0;
        let mut unfinished = whole.clone();
        let compressed_size = 9 + 32 + if compression == Zstd { 4 } else { 0 };
        for sizes in [1..9, 25..37, compressed_size..compressed_size + 8] {
            unfinished[sizes].fill(0xFF);
        }
        let start = begun().then(&messages(&[1])).0;
        let at = start.len();
        for cut in [5, 9, 30, unfinished.len() - 20, unfinished.len()] {
            // the sizes one by one, as a recorder without a buffer writes them
            let all = Script::of(Some(&start))
                .then(Then::Append(unfinished[..cut].to_vec()))
                .then(Then::Nothing(2))
                .then(Then::Append(unfinished[cut..].to_vec()))
                .then(Then::Nothing(2))
                .then(Then::Write(at, whole[..9].to_vec()))
                .then(Then::Write(at, whole.clone()))
                .append(&messages(&[4]))
                .play();
            assert_eq!(all.errors(), [""; 0], "{compression:?}, cut at {cut}");
            assert_eq!(all.times(), [times, &[4]].concat());
        }
    }
}

#[test]
fn messages_of_a_recorder_that_goes_back_for_sizes_come_before_their_chunk_is_complete() {
    let script = Script::of(None);
    let file = fs::File::create(&script.path).unwrap();
    let mut writer = mcap::WriteOptions::new().compression(None).chunk_size(Some(300)).create(file).unwrap();
    let channel = writer.add_channel(0, "/a", "json", &Default::default()).unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (mut time, written) = (0, seen.clone());
    let mut script = script.with_old_messages();
    let writing = move || {
        time += 1;
        let header = mcap::records::MessageHeader {
            channel_id: channel,
            sequence: 0,
            log_time: time,
            publish_time: time,
        };
        writer.write_to_known_channel(&header, b"{}").unwrap();
        written.lock().unwrap().push(time);
        if time == 40 {
            writer.finish().unwrap();
        }
    };
    let writing = Arc::new(Mutex::new(writing));
    for _ in 0..40 {
        let writing = writing.clone();
        script = script.then(Then::Do(Box::new(move || (writing.lock().unwrap())())));
    }
    let (_files, follow) = script.open();
    let mut follow = follow.unwrap();
    let mut times = Vec::new();
    while let Some(batch) = follow.next().unwrap() {
        times.extend(batch.entries.iter().map(|entry| entry.log_time.0));
        assert_eq!(times, *seen.lock().unwrap(), "a message is late");
    }
    assert_eq!(times.len(), 40);
}

#[test]
fn a_damaged_chunk_is_reported_when_it_is_not_going_to_be_finished() {
    let damaged = Made::default().chunk(Zstd, &messages(&[2])).with_damage_before_end(6);
    let start = begun().then(&messages(&[1]));
    // something follows it
    let all = Script::of(Some(&start.0)).append(&damaged).append(&messages(&[3])).play();
    assert_eq!(all.story(), ["+/a X", "+/b", "!", "/a 3"]);
    // nothing does, for long
    let all = Script::of(Some(&start.0)).append(&damaged).then(Then::Nothing(1000)).play();
    assert_eq!(all.story(), ["+/a X", "+/b", "!"]);
    // it lies in the old part
    let old = start.then(&damaged).then(&messages(&[3]));
    let (_files, follow) = Script::of(Some(&old.0)).open();
    let mut follow = follow.unwrap();
    assert_eq!(follow.next().unwrap().unwrap().announcements.len(), 2);
    assert!(follow.next().unwrap_err().to_string().contains("byte"));
}

#[test]
fn topics_follow_the_rules_and_stopping_is_the_end() {
    let mut script = Script::of(Some(&begun().0)).append(&messages(&[1]).message(2, 2));
    script.options.topics =
        TopicRules { remap: vec!["/a=/pose".parse().unwrap()], prefix: "/r".into(), ..Default::default() };
    assert_eq!(script.play().story(), ["+/r/pose X", "+/r/b", "/r/pose 1", "/r/b 2"]);
    let (files, follow) = Script::of(Some(&begun().message(1, 1).0)).with_old_messages().open();
    files.stop.stop();
    assert!(follow.unwrap().next().unwrap().is_none());
}

#[test]
fn reading_a_large_file_for_its_channels_reports_progress() {
    let made = (0..300u64).fold(begun(), |made, time| made.message_with(1, time, &[1; 100_000]));
    let script = Script::of(Some(&made.0));
    let mut reported: Vec<ScanProgress> = Vec::new();
    let follow = open(&script.path, &mut |progress| reported.push(progress));
    assert_eq!(follow.unwrap().next().unwrap().unwrap().announcements.len(), 2);
    assert!(reported.len() >= 3 && reported.is_sorted_by_key(|progress| progress.done), "{reported:?}");
    assert!(reported.iter().all(|progress| progress.total == made.0.len() as u64));
}

proptest! {
    #[test]
    fn however_a_file_grows_the_same_is_seen(
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..12),
        preallocated in any::<bool>(),
    ) {
        let made = begun()
            .then(&messages(&[1, 2]))
            .chunk(Zstd, &messages(&[4, 3]))
            .attachment(300)
            .chunk(Plain, &messages(&[6, 5]).channel(3, 0, "/c").message(3, 7))
            .end()
            .then(&begun())
            .chunk(Zstd, &messages(&[9]))
            .end();
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(made.0.len())).collect();
        cuts.extend([0, made.0.len()]);
        cuts.sort_unstable();
        let mut script = Script::of(None).with_old_messages();
        if preallocated {
            // only whole chunks can be distinguished from what is not yet written
            script = script.then(Then::Append(vec![0; 20_000]));
            cuts.retain(|cut| [0, made.0.len()].contains(cut));
        }
        for part in cuts.windows(2) {
            let bytes = made.0[part[0]..part[1]].to_vec();
            script = script.then(if preallocated { Then::Write(part[0], bytes) } else { Then::Append(bytes) });
        }
        let all = script.play();
        prop_assert_eq!(all.times(), [1, 2, 3, 4, 5, 6, 7, 9]);
        prop_assert!(all.errors().is_empty());
    }

    #[test]
    fn changed_bytes_never_panic(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        from_start in any::<bool>(),
    ) {
        let made = begun().then(&messages(&[1])).chunk(Zstd, &messages(&[4, 3])).chunk(Plain, &messages(&[5])).end();
        let mut bytes = made.0;
        for (index, byte) in changes {
            let at = index.index(bytes.len());
            bytes[at] = byte;
        }
        let mut script = Script::of(Some(&bytes)).then(Then::Nothing(3));
        script.options.from_start = from_start;
        if let (_files, Ok(mut follow)) = script.open() {
            Viewer::of(&mut follow);
        }
    }
}
