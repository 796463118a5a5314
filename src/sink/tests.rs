use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::hub::{ClientInfo, HubOptions, Latch, SlowClient};
use crate::model::{Batch, Channel, ChannelId, Entry, Schema};
use crate::source::recording_summary;
use crate::time::TimeRange;

fn hub() -> Hub {
    Hub::new("test", HubOptions::default())
}

/// A message as readers see it: topic, log time, publish time, sequence, payload.
type Seen = (String, u64, u64, u32, Vec<u8>);

fn channel(id: u32, topic: &str) -> Arc<Channel> {
    let schema = Schema { name: "S".into(), encoding: "jsonschema".into(), data: Bytes::from_static(b"{}") };
    Arc::new(Channel {
        id: ChannelId(id),
        topic: topic.into(),
        message_encoding: "json".into(),
        schema: Some(Arc::new(schema)),
        metadata: BTreeMap::from([("key".into(), "value".into())]),
        latched: false,
    })
}

fn batch(messages: &[(u32, u64, u64, u32, Vec<u8>)]) -> Arc<Batch> {
    let mut batch = Batch::default();
    for (channel, log_time, publish_time, sequence, payload) in messages {
        let entry = Entry {
            log_time: Timestamp(*log_time),
            publish_time: Timestamp(*publish_time),
            channel: ChannelId(*channel),
            sequence: *sequence,
            buffer: 0,
            offset: 0,
            length: u32::try_from(payload.len()).unwrap(),
            origin: 0,
        };
        batch.push_copy(&entry, payload);
    }
    Arc::new(batch)
}

fn publish(hub: &Hub, batch: &Arc<Batch>) {
    hub.publisher().publish(batch, 0..batch.entries.len(), SlowClient::Wait, Instant::now());
}

/// All messages up to the end or a damage.
fn messages(file: &[u8]) -> Vec<Seen> {
    let options = mcap::read::Options::IgnoreEndMagic.into();
    let stream = mcap::MessageStream::new_with_options(file, options).unwrap();
    stream
        .map_while(Result::ok)
        .map(|message| {
            let topic = message.channel.topic.clone();
            (topic, message.log_time, message.publish_time, message.sequence, message.data.to_vec())
        })
        .collect()
}

fn wait_for<T>(what: &str, mut value: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(value) = value() {
            return value;
        }
        assert!(started.elapsed() < Duration::from_secs(20), "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_file_that_exists_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.mcap");
    fs::write(&path, "precious").unwrap();
    let error = Recorder::start(&path, &hub(), &[]).err().unwrap().to_string();
    assert!(error.contains("exists already") && error.contains("{time}"), "{error}");
    assert_eq!(fs::read(&path).unwrap(), b"precious");
    let error = Recorder::start(&folder.path().join("no/such.mcap"), &hub(), &[]).err().unwrap().to_string();
    assert!(error.contains("no/such.mcap: can't be created"), "{error}");
}

#[test]
fn the_time_in_a_name_is_that_of_the_start() {
    let now = Timestamp(1_767_261_600_123_456_789);
    assert_eq!(path_at(Path::new("/d/run-{time}.mcap"), now), Path::new("/d/run-2026-01-01T10-00-00Z.mcap"));
    assert_eq!(path_at(Path::new("run.mcap"), now), Path::new("run.mcap"));
}

#[test]
fn what_was_published_a_second_ago_can_be_read_although_nothing_was_completed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.mcap");
    let hub = hub();
    hub.publisher().announce(&[channel(1, "/a")]);
    let recorder = Recorder::start(&path, &hub, &[]).unwrap();
    publish(&hub, &batch(&[(1, 5, 4, 3, b"{}".to_vec())]));
    let got = wait_for("the message in the file", || {
        let got = messages(&fs::read(&path).unwrap());
        (!got.is_empty()).then_some(got)
    });
    assert_eq!(got, [("/a".to_owned(), 5, 4, 3, b"{}".to_vec())]);
    drop(recorder);
}

#[test]
fn channels_of_equal_content_are_one_in_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.mcap");
    let hub = hub();
    let recorder = Recorder::start(&path, &hub, &[]).unwrap();
    hub.publisher().announce(&[channel(1, "/a")]);
    publish(&hub, &batch(&[(1, 1, 1, 0, vec![1])]));
    hub.publisher().retire(&[ChannelId(1)]);
    hub.publisher().announce(&[channel(2, "/a"), channel(3, "/silent")]);
    publish(&hub, &batch(&[(2, 2, 2, 0, vec![2])]));
    let recorded = recorder.finish().unwrap();
    let file = fs::read(&path).unwrap();
    assert_eq!((&recorded.parts[0].path, recorded.parts.len()), (&path, 1));
    assert_eq!((recorded.messages, recorded.bytes, recorded.lost), (2, file.len() as u64, 0));
    let summary = mcap::Summary::read(&file).unwrap().unwrap();
    let mut topics: Vec<_> = summary.channels.values().map(|channel| channel.topic.as_str()).collect();
    topics.sort_unstable();
    assert_eq!((topics, summary.schemas.len()), (vec!["/a", "/silent"], 1));
    assert_eq!(messages(&file).len(), 2);
}

#[test]
fn more_channels_than_the_format_has_are_refused_and_the_others_are_kept() {
    const LIMIT: u32 = u16::MAX as u32 - 1;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.mcap");
    let mut file = McapWriter::create(&path, WriterOptions::default()).unwrap();
    for id in 1..=LIMIT {
        file.add_channel(&channel(id, &format!("/{id}"))).unwrap();
    }
    let error = file.add_channel(&channel(LIMIT + 1, "/one more")).unwrap_err().to_string();
    assert!(error.contains("a.mcap: recording failed: a recording has at most 65534 channels"), "{error}");
    drop(file);
    let summary = mcap::Summary::read(&fs::read(&path).unwrap()).unwrap().expect("a complete file");
    assert_eq!(summary.channels.len(), LIMIT as usize);
}

#[test]
fn a_failure_ends_the_recording_not_the_serving() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.mcap");
    let hub = hub();
    let recorder = Recorder::start(&path, &hub, &[]).unwrap();
    hub.publisher().announce(&[channel(1, "/a")]);
    let fine = batch(&[(1, 1, 1, 0, vec![0; 30 << 20])]);
    publish(&hub, &fine);
    publish(&hub, &batch(&[(2, 2, 2, 0, Vec::new())]));
    for _ in 0..10 {
        wait_for("room although nothing is recorded", || hub.publisher().has_room(usize::MAX).then_some(()));
        publish(&hub, &fine);
    }
    let error = recorder.finish().unwrap_err().to_string();
    assert!(error.contains("a.mcap: recording failed: channel 2 was never announced"), "{error}");
    let client = hub.join(ClientInfo::default());
    let sent = client.take(crate::hub::outbox::Progress::Written, Instant::now()).control;
    assert!(format!("{sent:?}").contains("the server's recording failed"), "{sent:?}");
}

#[test]
fn the_user_is_told_of_losses_once_in_a_while() {
    let (mut loss, start) = (Loss::default(), Instant::now());
    assert_eq!(loss.news(0, start), None);
    assert_eq!(loss.news(3, start), Some(3));
    assert_eq!(loss.news(9, start + LOSS_INTERVAL / 2), None);
    assert_eq!(loss.news(9, start + LOSS_INTERVAL), Some(6));
    assert_eq!(loss.news(9, start + LOSS_INTERVAL * 3), None);
}

prop_compose! {
    fn any_message()(
        channel in 1u32..6, log in any::<u64>(), publish in any::<u64>(), sequence in any::<u32>(),
        seed in any::<u8>(), length in prop_oneof![9 => 0usize..50, 1 => 0usize..200_000],
    ) -> (u32, u64, u64, u32, Vec<u8>) {
        (channel, log, publish, sequence, (0..=250u8).map(|byte| byte ^ seed).cycle().take(length).collect())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn everything_published_is_in_the_file_in_its_order(
        batches in prop::collection::vec(prop::collection::vec(any_message(), 0..30), 0..6),
        cuts in prop::collection::vec(0usize..30, 6),
        with_schema in any::<bool>(),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.mcap");
        let hub = hub();
        let channels: Vec<_> = (1..6).map(|id| {
            let with = channel(id, &format!("/{id}"));
            if with_schema { with } else { Arc::new(Channel { schema: None, ..(*with).clone() }) }
        }).collect();
        hub.publisher().announce(&channels[..3]);
        let recorder = Recorder::start(&path, &hub, &[]).unwrap();
        hub.publisher().announce(&channels[3..]);
        let mut expected = Vec::new();
        for (messages, cut) in batches.iter().zip(cuts) {
            let batch = batch(messages);
            let cut = cut.min(messages.len());
            hub.publisher().publish(&batch, 0..cut, SlowClient::Drop, Instant::now());
            hub.publisher().publish(&batch, cut..messages.len(), SlowClient::Drop, Instant::now());
            expected.extend(messages.iter().map(|(channel, log, publish, sequence, payload)| {
                (format!("/{channel}"), *log, *publish, *sequence, payload.clone())
            }));
        }
        let recorded = recorder.finish().unwrap();
        prop_assert_eq!((recorded.messages, recorded.lost), (expected.len() as u64, 0));
        let file = fs::read(&path).unwrap();
        prop_assert!(messages(&file) == expected);

        let summary = mcap::Summary::read(&file).unwrap().unwrap();
        let statistics = summary.stats.as_ref().unwrap();
        prop_assert_eq!(statistics.message_count, expected.len() as u64);
        // the one chunk of a recording without messages has channels only
        let with_messages = summary.chunk_indexes.iter().filter(|chunk| !chunk.message_index_offsets.is_empty());
        let indexed: usize = with_messages.map(|chunk| {
            summary.read_message_indexes(&file, chunk).unwrap().values().map(Vec::len).sum::<usize>()
        }).sum();
        prop_assert_eq!(indexed, expected.len());
        let seen = recording_summary(&path, &mut |_progress| {}).unwrap();
        let times = || expected.iter().map(|message| Timestamp(message.1));
        let range = times().min().zip(times().max()).map(|(start, end)| TimeRange { start, end });
        prop_assert_eq!((seen.complete, seen.warnings, seen.range), (true, Vec::new(), range));

        for channel in channels {
            let written = summary.channels.values().find(|written| written.topic == channel.topic).unwrap();
            prop_assert_eq!(&written.message_encoding, &channel.message_encoding);
            prop_assert_eq!(&written.metadata, &channel.metadata);
            let schema = |name: &str, encoding: &str, data: &[u8]| {
                (name.to_owned(), encoding.to_owned(), data.to_vec())
            };
            prop_assert_eq!(
                written.schema.as_ref().map(|s| schema(&s.name, &s.encoding, &s.data)),
                channel.schema.as_ref().map(|s| schema(&s.name, &s.encoding, &s.data))
            );
        }
    }
}

/// A recording with an attachment and metadata.
fn made(path: &Path, profile: &str, attachment: &[u8]) {
    let file = std::io::BufWriter::new(std::fs::File::create(path).unwrap());
    let mut writer = mcap::WriteOptions::new().profile(profile).create(file).unwrap();
    let data = attachment.into();
    let (name, media_type) = ("rover.urdf".to_owned(), "application/xml".to_owned());
    writer.attach(&mcap::Attachment { log_time: 3, create_time: 4, name, media_type, data }).unwrap();
    let metadata = [("robot".to_owned(), "rover".to_owned())].into();
    writer.write_metadata(&mcap::records::Metadata { name: "drive".to_owned(), metadata }).unwrap();
    writer.finish().unwrap();
}

#[test]
fn what_recordings_have_beside_their_messages_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let played = ["a.mcap", "b.mcap", "cut.mcap"].map(|name| folder.path().join(name));
    made(&played[0], "ros2", b"<robot/>");
    made(&played[1], "ros2", &[7; 100_000]);
    std::fs::write(&played[2], &std::fs::read(&played[1]).unwrap()[..500]).unwrap();
    let recorded = |played: &[PathBuf], name: &str| {
        let path = folder.path().join(name);
        Recorder::start(&path, &hub(), played).unwrap().finish().unwrap();
        std::fs::read(path).unwrap()
    };
    let bytes = recorded(&played[..2], "both.mcap");
    let summary = mcap::Summary::read(&bytes).unwrap().unwrap();
    let attachments: Vec<_> = summary
        .attachment_indexes
        .iter()
        .map(|index| mcap::read::attachment(&bytes, index).unwrap())
        .map(|attachment| {
            (attachment.name, attachment.media_type, attachment.log_time, attachment.data.len())
        })
        .collect();
    let expected = |bytes| ("rover.urdf".to_owned(), "application/xml".to_owned(), 3, bytes);
    assert_eq!(attachments, [expected(8), expected(100_000)]);
    assert_eq!(summary.metadata_indexes.len(), 1, "equal metadata once");
    let metadata = mcap::read::metadata(&bytes, &summary.metadata_indexes[0]).unwrap();
    assert_eq!((metadata.name.as_str(), metadata.metadata["robot"].as_str()), ("drive", "rover"));
    let profile = |bytes: &[u8]| match mcap::read::LinearReader::new(bytes).unwrap().next().unwrap().unwrap()
    {
        mcap::records::Record::Header(header) => header.profile,
        other => panic!("{other:?}"),
    };
    assert_eq!(profile(&bytes), "ros2");
    // one without an index adds nothing, and is no failure
    let bytes = recorded(&[played[0].clone(), played[2].clone()], "cut-too.mcap");
    assert_eq!(mcap::Summary::read(&bytes).unwrap().unwrap().attachment_indexes.len(), 1);
    assert_eq!(profile(&bytes), "");
}

#[test]
fn what_is_no_failure_of_the_disk_leaves_a_complete_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.mcap");
    let mut file = McapWriter::create(&path, WriterOptions::default()).unwrap();
    file.add_channel(&channel(1, "/a")).unwrap();
    let batch = batch(&[(1, 1, 1, 0, vec![1]), (2, 2, 2, 0, vec![2])]);
    file.write(&batch.entries[0], batch.payload(&batch.entries[0])).unwrap();
    file.write(&batch.entries[1], batch.payload(&batch.entries[1])).unwrap_err();
    assert_eq!(file.abandon(), 1);
    let file = fs::read(&path).unwrap();
    assert!(mcap::Summary::read(&file).unwrap().is_some());
    assert_eq!(messages(&file).len(), 1);
}

#[test]
#[cfg(unix)]
fn a_file_that_was_removed_is_told_and_one_that_was_renamed_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let (path, other) = (folder.path().join("a.mcap"), folder.path().join("b.mcap"));
    let hub = hub();
    let recorder = Recorder::start(&path, &hub, &[]).unwrap();
    fs::rename(&path, &other).unwrap();
    recorder.finish().unwrap();
    let recorder = Recorder::start(&path, &hub, &[]).unwrap();
    fs::remove_file(&path).unwrap();
    let error = recorder.finish().unwrap_err().to_string();
    assert!(error.contains("a.mcap: was removed while"), "{error}");
}

#[test]
fn each_file_of_a_recording_begins_with_what_the_hub_latches() {
    let folder = tempfile::tempdir().unwrap();
    let latch = Latch::Topics(vec!["/map".parse().unwrap()]);
    let hub = Hub::new("test", HubOptions { latch, ..HubOptions::default() });
    hub.publisher().announce(&[channel(1, "/map"), channel(2, "/imu")]);
    let split = Split { duration: Some(Duration::from_secs(1)), ..Split::default() };
    let options = WriterOptions { split, ..WriterOptions::default() };
    let recorder = Recorder::with_options(&folder.path().join("a.mcap"), &hub, options).unwrap();
    assert_eq!(recorder.path(), folder.path().join("a-0001.mcap"));
    let second = 1_000_000_000;
    publish(&hub, &batch(&[(1, 0, 0, 0, b"map".to_vec()), (2, 5, 5, 0, b"one".to_vec())]));
    publish(&hub, &batch(&[(2, second, second, 1, b"two".to_vec())]));
    let recorded = recorder.finish().unwrap();
    let seen: Vec<Vec<_>> = recorded
        .parts
        .iter()
        .map(|part| messages(&fs::read(&part.path).unwrap()))
        .map(|messages| messages.into_iter().map(|seen| (seen.1, seen.4)).collect())
        .collect();
    let message = |time, payload: &str| (time, payload.as_bytes().to_vec());
    let expected = [[message(0, "map"), message(5, "one")], [message(second, "map"), message(second, "two")]];
    assert_eq!(seen, expected);
    assert_eq!((recorded.messages, recorded.on_disk), (4, OnDisk::Yes));
}
