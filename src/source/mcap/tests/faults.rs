//! Faults that recorders and disks have put into recordings, as files and from pipes.

use std::collections::BTreeMap;

use super::made::Compression::{None as Plain, Zstd};
use super::made::Made;
use super::viewer::Viewer;
use crate::pattern::TopicFilter;
use crate::registry::Registry;
use crate::source::{
    McapStream, Recording, RecordingOptions, RecordingSummary, SourceError, Stop, TopicRules,
};
use crate::time::Timestamp;

fn open(bytes: &[u8]) -> Result<(tempfile::TempDir, Box<dyn Recording>), SourceError> {
    open_with(bytes, &RecordingOptions::default())
}

fn open_with(
    bytes: &[u8],
    options: &RecordingOptions,
) -> Result<(tempfile::TempDir, Box<dyn Recording>), SourceError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.mcap");
    std::fs::write(&path, bytes).unwrap();
    let spec = path.to_str().unwrap().to_owned();
    crate::source::open(&[spec], options, &Registry::default(), &mut |_| {})
        .map(|recording| (folder, recording))
}

fn as_file(bytes: &[u8]) -> Viewer {
    let (_folder, mut recording) = open(bytes).unwrap();
    Viewer::of_recording(&mut *recording)
}

fn as_pipe(bytes: &[u8]) -> Viewer {
    let (rules, stop) = (TopicRules::default(), Stop::new().unwrap());
    Viewer::of(&mut McapStream::new("pipe".into(), bytes, &stop, rules, Registry::default()))
}

fn info(bytes: &[u8]) -> RecordingSummary {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.mcap");
    std::fs::write(&path, bytes).unwrap();
    crate::source::recording_summary(&path, &mut |_| {}).unwrap()
}

fn text(bytes: &[u8]) -> Vec<u8> {
    [&u32::try_from(bytes.len()).unwrap().to_le_bytes()[..], bytes].concat()
}

/// A recording of these records in one chunk, with a summary that repeats `definitions`; times of its index entry and
/// of its statistics.
fn summarized(chunks: &[Made], definitions: &Made, times: (u64, u64), statistics: (u64, u64)) -> Vec<u8> {
    let mut made = Made::recording();
    let mut indexes = Made::default();
    for chunk in chunks {
        let start = made.0.len();
        made = made.chunk(Zstd, chunk);
        let fields = [times.0, times.1, start as u64, (made.0.len() - start) as u64];
        let mut body: Vec<u8> = fields.iter().flat_map(|field| field.to_le_bytes()).collect();
        body.extend(text(&[&1u16.to_le_bytes()[..], &[0; 8]].concat()));
        body.extend(0u64.to_le_bytes());
        body.extend(text(b"zstd"));
        body.extend(
            [made.0.len() - start, chunk.0.len()].iter().flat_map(|size| (*size as u64).to_le_bytes()),
        );
        indexes = indexes.record(0x08, &body);
    }
    made = made.record(0x0F, &[0; 4]);
    let summary_start = made.0.len() as u64;
    let mut body = [&9u64.to_le_bytes()[..], &[0; 14]].concat();
    body.extend(u32::try_from(chunks.len()).unwrap().to_le_bytes());
    body.extend([statistics.0, statistics.1].iter().flat_map(|time| time.to_le_bytes()));
    body.extend(text(&[&1u16.to_le_bytes()[..], &9u64.to_le_bytes()].concat()));
    let footer = [&summary_start.to_le_bytes()[..], &[0; 12]].concat();
    let mut made = made.then(definitions).then(&indexes).record(0x0B, &body).record(0x02, &footer);
    made.0.extend(super::made::MAGIC);
    made.0
}

#[test]
fn text_that_is_not_utf8_plays_with_replacement_characters_and_one_warning() {
    let schema = [&[1, 0][..], &text(b"S\xe9"), &text(b"ros2msg"), &text(b"# caf\xe9\nint32 a")].concat();
    let channel =
        [&[1, 0, 1, 0][..], &text(b"/b\xe9"), &text(b"cdr"), &text(&[text(b"k"), text(b"\xff")].concat())];
    let definitions = Made::default().record(0x03, &schema).record(0x04, &channel.concat());
    let chunk = definitions.clone().message(1, 5).message(1, 6);
    let metadata = [text(b"m\xff"), text(&[text(b"k"), text(b"v\xff")].concat())].concat();
    for bytes in [
        Made::recording().chunk(Zstd, &chunk).record(0x0C, &metadata).end().0,
        Made::recording().then(&chunk).record(0x0C, &metadata).end().0,
        summarized(std::slice::from_ref(&chunk), &definitions, (5, 6), (5, 6)),
    ] {
        for viewer in [as_file(&bytes), as_pipe(&bytes)] {
            assert_eq!(viewer.messages(), [("/b\u{fffd}", 5), ("/b\u{fffd}", 6)]);
            assert!(viewer.errors().is_empty());
            let offered = super::viewer::Seen::Offered("/b\u{fffd}".into(), "S\u{fffd}".into());
            assert!(viewer.seen.contains(&offered), "{:?}", viewer.seen);
        }
        let (_folder, recording) = open(&bytes).unwrap();
        let channel = &recording.info().channels[0];
        assert_eq!(&channel.schema.as_ref().unwrap().data[..], "# caf\u{fffd}\nint32 a".as_bytes());
        assert_eq!(channel.metadata["k"], "\u{fffd}");
        let warned = recording.info().warnings.iter().filter(|warning| warning.contains("not UTF-8"));
        assert_eq!(warned.count(), 1, "{:?}", recording.info().warnings);
    }
    let summary = info(&Made::recording().then(&chunk).record(0x0C, &metadata).end().0);
    assert_eq!(summary.metadata[0].name, "m\u{fffd}");
    assert_eq!(summary.metadata[0].values, BTreeMap::from([("k".into(), "v\u{fffd}".into())]));
}

#[test]
fn times_of_the_chunk_index_count_and_not_those_of_the_statistics() {
    let definitions = Made::default().channel(1, 0, "/a");
    let chunk = definitions.clone().message(1, 1_000).message(1, 2_000);
    for statistics in [(0, 2_000), (0, 0), (1_000, u64::MAX), (u64::MAX, 0), (1_500, 1_600)] {
        let bytes = summarized(std::slice::from_ref(&chunk), &definitions, (1_000, 2_000), statistics);
        let (_folder, mut recording) = open(&bytes).unwrap();
        let range = recording.info().range.unwrap();
        assert_eq!((range.start, range.end), (Timestamp(1_000), Timestamp(2_000)), "{statistics:?}");
        assert_eq!(recording.info().warnings, Vec::<String>::new());
        assert_eq!(Viewer::of_recording(&mut *recording).messages(), [("/a", 1_000), ("/a", 2_000)]);
        assert_eq!(info(&bytes).range, Some(range));
    }
}

#[test]
fn an_id_that_a_chunk_gives_to_another_topic_is_its_own_channel_though_the_summary_knows_one() {
    let one = Made::default().channel(1, 0, "/one");
    let chunks = [
        one.clone().message(1, 1),
        Made::default().message(1, 2).channel(1, 0, "/two").message(1, 3),
        Made::default().message(1, 4),
    ];
    let bytes = summarized(&chunks, &one, (1, 4), (1, 4));
    let wanted = [("/one", 1), ("/one", 2), ("/two", 3), ("/two", 4)];
    let (_folder, mut recording) = open(&bytes).unwrap();
    assert_eq!(recording.info().channels.len(), 1, "by its summary");
    let viewer = Viewer::of_recording(&mut *recording);
    assert_eq!((viewer.messages(), viewer.errors().len()), (wanted.to_vec(), 0));
    assert_eq!(as_pipe(&bytes).messages(), wanted);
    // it stays known
    for (from, left) in [(4, 1), (3, 2), (1, 4)] {
        recording.seek(Timestamp(from));
        let mut seen = Vec::new();
        while let Some(batch) = recording.next().unwrap() {
            let topic =
                |id| recording.info().channels.iter().find(|channel| channel.id == id).unwrap().topic.clone();
            seen.extend(batch.entries.iter().map(|entry| (topic(entry.channel), entry.log_time.0)));
        }
        let wanted: Vec<_> =
            wanted[wanted.len() - left..].iter().map(|(topic, time)| ((*topic).to_owned(), *time)).collect();
        assert_eq!(seen, wanted);
    }
}

#[test]
fn an_id_that_a_summary_gives_twice_makes_the_file_be_read_through() {
    let (one, two) = (Made::default().channel(1, 0, "/one"), Made::default().channel(1, 0, "/two"));
    let chunks = [one.clone().message(1, 1), two.clone().message(1, 2)];
    let bytes = summarized(&chunks, &one.then(&two), (1, 2), (1, 2));
    assert_eq!(as_file(&bytes).messages(), [("/one", 1), ("/two", 2)]);
    let warnings = info(&bytes).warnings;
    assert!(warnings.iter().any(|warning| warning.contains("channel id 1 stands for /one")), "{warnings:?}");
}

#[test]
fn a_channel_that_a_summary_does_not_list_plays_and_can_be_chosen() {
    let one = Made::default().channel(1, 0, "/one");
    let chunks = [
        one.clone().message(1, 1),
        Made::default().channel(2, 0, "/two").message(2, 2),
        Made::default().message(2, 3).message(1, 4),
    ];
    let mut bytes = summarized(&chunks, &one, (1, 4), (1, 4));
    let wanted = [("/one", 1), ("/two", 2), ("/two", 3), ("/one", 4)];
    assert_eq!(as_file(&bytes).messages(), wanted);
    assert_eq!(as_pipe(&bytes).messages(), wanted);
    let chosen = |bytes: &[u8], topic: &str| {
        let filter = TopicFilter { include: vec![topic.parse().unwrap()], exclude: Vec::new() };
        let topics = TopicRules { filter, ..TopicRules::default() };
        open_with(bytes, &RecordingOptions { topics, ..RecordingOptions::default() })
    };
    // the statistics say that there is nothing else
    let refused = chosen(&bytes, "/two").err().unwrap().to_string();
    assert!(refused.ends_with("no topic is chosen; the recording has 1 topic: /one"), "{refused}");
    let statistics = [0x0B, 56, 0, 0, 0, 0, 0, 0, 0];
    let at = bytes.windows(9).rposition(|window| window == statistics).unwrap();
    bytes[at] = 0x7A;
    let (_folder, mut recording) = chosen(&bytes, "/two").unwrap();
    assert_eq!(Viewer::of_recording(&mut *recording).messages(), [("/two", 2), ("/two", 3)]);
    let [warning] = &recording.info().warnings[..] else { panic!("{:?}", recording.info().warnings) };
    assert!(warning.contains("read through once, since its summary lists no topic /two"), "{warning}");
    let refused = chosen(&bytes, "/three").err().unwrap().to_string();
    assert!(refused.ends_with("the recording has 2 topics: /one, /two"), "{refused}");
    let (_folder, recording) = chosen(&bytes, "/one").unwrap();
    assert_eq!(recording.info().warnings, Vec::<String>::new());
}

#[test]
fn a_chunk_of_very_many_messages_plays_in_order_from_anywhere() {
    // more than a table, or a batch, has room for, in an order that is none
    let times: Vec<u64> = (0..500u64).map(|number| number * 7_919 % 97).collect();
    let records = times.iter().fold(Made::default().channel(1, 0, "/a"), |made, time| made.message(1, *time));
    let other = Made::default().message(1, 48).message(1, 50).message(1, 200);
    let bytes = Made::recording().chunk(Zstd, &records).chunk(Plain, &other).end().0;
    let mut wanted: Vec<u64> = times.iter().copied().chain([48, 50, 200]).collect();
    wanted.sort_unstable();
    let (_folder, mut recording) = open(&bytes).unwrap();
    for from in [0, 1, 49, 96, 97, 200, 201] {
        recording.seek(Timestamp(from));
        let mut seen = Vec::new();
        while let Some(batch) = recording.next().unwrap() {
            seen.extend(batch.entries.iter().map(|entry| entry.log_time.0));
        }
        assert_eq!(seen, wanted[wanted.partition_point(|time| *time < from)..], "{from}");
    }
    let mut piped: Vec<u64> = as_pipe(&bytes).messages().iter().map(|(_, time)| *time).collect();
    piped.sort_unstable();
    assert_eq!(piped, wanted);
}

#[test]
fn a_batch_of_a_very_large_chunk_does_not_keep_it_in_memory() {
    let payload = vec![7; 5 << 18];
    let last_first = (0..60).rev();
    let records = last_first
        .fold(Made::default().channel(1, 0, "/a"), |made, time| made.message_with(1, time, &payload));
    let bytes = Made::recording().chunk(Zstd, &records).end().0;
    let (_folder, mut recording) = open(&bytes).unwrap();
    let stop = Stop::new().unwrap();
    let mut pipe =
        McapStream::new("pipe".into(), &bytes[..], &stop, TopicRules::default(), Registry::default());
    let mut next: [&mut dyn FnMut() -> Result<Option<crate::model::Batch>, SourceError>; 2] =
        [&mut || recording.next(), &mut || crate::source::Stream::next(&mut pipe)];
    for next in &mut next {
        let mut times = Vec::new();
        while let Some(batch) = next().unwrap() {
            assert!(batch.footprint() < 8 << 20, "{}", batch.footprint());
            assert!(batch.entries.iter().all(|entry| batch.payload(entry) == payload));
            times.extend(batch.entries.iter().map(|entry| entry.log_time.0));
        }
        assert_eq!(times, (0..60).collect::<Vec<_>>());
    }
}

#[test]
fn a_recording_that_begins_within_a_record_that_was_cut_off_plays() {
    let killed = Made::recording().channel(1, 0, "/a").message(1, 1);
    let whole = killed.clone().chunk(Zstd, &Made::default().message(1, 2).message(1, 3));
    let next = Made::recording().channel(1, 0, "/b").message(1, 4).end();
    for cut in killed.0.len() + 10..whole.0.len() {
        let bytes = [&whole.0[..cut], &next.0].concat();
        for viewer in [as_file(&bytes), as_pipe(&bytes)] {
            assert_eq!(viewer.messages().last(), Some(&("/b", 4)), "{cut}");
        }
    }
}

#[test]
fn a_pipe_without_a_channel_fails_as_the_file_does() {
    for bytes in [super::made::MAGIC.to_vec(), Made::recording().0] {
        let Err(from_file) = open(&bytes) else { panic!() };
        let viewer = as_pipe(&bytes);
        let [from_pipe] = &viewer.errors()[..] else { panic!("{:?}", viewer.errors()) };
        let reason = |error: &str| error.split_once(": ").unwrap().1.to_owned();
        assert_eq!(reason(from_pipe), reason(&from_file.to_string()));
    }
    assert!(as_pipe(&Made::recording().end().0).seen.is_empty(), "an empty recording ends");
}
