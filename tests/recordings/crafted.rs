//! Recordings that no recorder here writes, made record by record.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::Path;

use foxglove_bridge::source::{RecordingOptions, recording_summary};
use mcap::records::MessageHeader;

use super::common::{Message, Player, assert_same, messages, temporary, times_to_try};

const MAGIC: &[u8] = b"\x89MCAP0\r\n";

/// Records of an MCAP file, one after the other.
#[derive(Default, Clone)]
struct Records(Vec<u8>);

impl Records {
    fn record(mut self, opcode: u8, body: &[u8]) -> Self {
        self.0.push(opcode);
        self.0.extend((body.len() as u64).to_le_bytes());
        self.0.extend(body);
        self
    }

    fn header(self) -> Self {
        self.record(0x01, &[0; 8])
    }

    /// Channel 1, without a schema.
    fn channel(self) -> Self {
        let mut body = vec![1, 0, 0, 0];
        for text in ["/a", "json"] {
            body.extend(u32::try_from(text.len()).unwrap().to_le_bytes());
            body.extend(text.as_bytes());
        }
        body.extend([0; 4]);
        self.record(0x04, &body)
    }

    fn message(self, time: u64) -> Self {
        let mut body = vec![1, 0];
        body.extend(u32::try_from(time).unwrap().to_le_bytes());
        body.extend(time.to_le_bytes());
        body.extend(time.to_le_bytes());
        body.extend(format!("{{\"time\":{time}}}").as_bytes());
        self.record(0x05, &body)
    }

    /// An uncompressed chunk; `broken` makes its CRC wrong.
    fn chunk(self, times: (u64, u64), content: &Self, broken: bool) -> Self {
        let size = (content.0.len() as u64).to_le_bytes();
        let crc = crc32fast::hash(&content.0) ^ u32::from(broken);
        let mut body = Vec::new();
        body.extend(times.0.to_le_bytes());
        body.extend(times.1.to_le_bytes());
        body.extend(size);
        body.extend(crc.to_le_bytes());
        body.extend([0; 4]);
        body.extend(size);
        body.extend(&content.0);
        self.record(0x06, &body)
    }

    fn chunk_index(self, times: (u64, u64), start: u64, length: u64, size: u64) -> Self {
        let mut body = Vec::new();
        for number in [times.0, times.1, start, length] {
            body.extend(number.to_le_bytes());
        }
        // no message index, no compression
        body.extend([0; 4 + 8 + 4]);
        body.extend(size.to_le_bytes());
        body.extend(size.to_le_bytes());
        self.record(0x08, &body)
    }

    fn statistics(self, messages: u64, chunks: u32, times: (u64, u64)) -> Self {
        let mut body = messages.to_le_bytes().to_vec();
        body.extend([0, 0]);
        body.extend(1u32.to_le_bytes());
        body.extend([0; 8]);
        body.extend(chunks.to_le_bytes());
        body.extend(times.0.to_le_bytes());
        body.extend(times.1.to_le_bytes());
        body.extend(10u32.to_le_bytes());
        body.extend([1, 0]);
        body.extend(messages.to_le_bytes());
        self.record(0x0B, &body)
    }

    /// The whole file, with a summary or without.
    fn file(self, summary: Option<Self>) -> Vec<u8> {
        let data = self.record(0x0F, &[0; 4]);
        let start = if summary.is_some() { MAGIC.len() + data.0.len() } else { 0 };
        let mut footer = (start as u64).to_le_bytes().to_vec();
        footer.extend([0; 12]);
        let end = summary.unwrap_or_default().record(0x02, &footer);
        [MAGIC, &data.0, &end.0, MAGIC].concat()
    }
}

fn times(messages: &[Message]) -> Vec<u64> {
    messages.iter().map(|message| message.time).collect()
}

/// Two chunks with messages before, between and after them; a summary that lists the chunks alone hides these.
pub(crate) fn loose_messages() {
    let chunks = [((2, 5), [2, 5]), ((4, 7), [7, 4])];
    let mut records = Records::default().header().channel().message(3).message(1);
    let mut summary = Records::default().channel();
    for (range, content) in chunks {
        let content = content.into_iter().fold(Records::default(), Records::message);
        let start = (MAGIC.len() + records.0.len()) as u64;
        records = records.chunk(range, &content, false);
        let length = (MAGIC.len() + records.0.len()) as u64 - start;
        summary = summary.chunk_index(range, start, length, content.0.len() as u64);
        records = records.message(6).message(range.0);
    }
    let wanted = [1, 2, 2, 3, 4, 4, 5, 6, 6, 7];
    for summary in [None, Some(summary.clone()), Some(summary.statistics(10, 2, (1, 7)))] {
        let (_folder, path) = temporary("loose.mcap", &records.clone().file(summary));
        let all = messages(&path, &RecordingOptions::default());
        assert_eq!(times(&all), wanted);
        let mut player = Player::of(&path);
        for time in times_to_try(&all, 10) {
            player.source.seek(time);
            let rest: Vec<_> = wanted.into_iter().filter(|wanted| *wanted >= time.0).collect();
            assert_eq!(times(&player.rest()), rest);
            let state = player.source.backfill(time, &player.channels()).unwrap();
            let last = wanted.into_iter().rfind(|wanted| *wanted < time.0);
            assert_eq!(state.entries.first().map(|entry| entry.log_time.0), last);
        }
    }
}

/// A damaged chunk begins in the middle of a good one: what was taken of this one must not go with it.
pub(crate) fn damage_amid_overlap() {
    let good = (0..10).fold(Records::default(), Records::message);
    let bad = Records::default().message(5);
    let mut records = Records::default().header().channel();
    let mut summary = Records::default().channel();
    for (range, content, broken) in [((0, 9), &good, false), ((5, 5), &bad, true)] {
        let start = (MAGIC.len() + records.0.len()) as u64;
        records = records.chunk(range, content, broken);
        let length = (MAGIC.len() + records.0.len()) as u64 - start;
        summary = summary.chunk_index(range, start, length, content.0.len() as u64);
    }
    let (_folder, path) = temporary("damaged.mcap", &records.file(Some(summary.statistics(11, 2, (0, 9)))));
    let mut player = Player::of(&path);
    // it is reported once
    for reported in [1, 0] {
        player.errors.clear();
        player.source.seek(foxglove_bridge::time::Timestamp::MIN);
        assert_eq!(times(&player.rest()), (0..10).collect::<Vec<_>>());
        assert_eq!(player.errors.len(), reported, "{:?}", player.errors);
    }
}

/// A recording of the crate mcap with tiny chunks: log time, sequence.
fn written(messages: &[(u64, u32)], chunk_size: u64) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    let options = mcap::WriteOptions::new().compression(None).chunk_size(Some(chunk_size));
    let mut writer = options.create(&mut file).unwrap();
    let channel = writer.add_channel(0, "/a", "json", &BTreeMap::new()).unwrap();
    for &(log_time, sequence) in messages {
        let header = MessageHeader { channel_id: channel, sequence, log_time, publish_time: log_time };
        writer.write_to_known_channel(&header, b"{}").unwrap();
    }
    writer.finish().unwrap();
    drop(writer);
    file.into_inner()
}

fn keys(messages: &[Message]) -> Vec<(u64, u32)> {
    messages.iter().map(|message| (message.time, message.sequence)).collect()
}

/// Every chunk overlaps with every other.
pub(crate) fn chunks_from_zero() {
    const CHUNKS: u64 = 300;
    const IN_CHUNK: u64 = 5;
    let mut written_messages = Vec::new();
    for chunk in 0..CHUNKS {
        for number in 0..IN_CHUNK {
            let time = if number == 0 { 0 } else { chunk * 1000 + number };
            written_messages.push((time, u32::try_from(chunk * IN_CHUNK + number).unwrap()));
        }
    }
    let (_folder, path) = temporary("zero.mcap", &written(&written_messages, 150));
    let mut wanted = written_messages;
    wanted.sort_by_key(|message| message.0);
    let all = messages(&path, &RecordingOptions::default());
    assert_eq!(keys(&all), wanted);
    let mut player = Player::of(&path);
    for time in [0, 1, 150_002, 299_004, 299_005] {
        player.source.seek(foxglove_bridge::time::Timestamp(time));
        let rest: Vec<_> = wanted.iter().copied().filter(|message| message.0 >= time).collect();
        assert_eq!(keys(&player.rest()), rest);
    }
}

pub(crate) fn one_time() {
    let wanted: Vec<_> = (0..2000).map(|sequence| (7, sequence)).collect();
    let (_folder, path) = temporary("burst.mcap", &written(&wanted, 200));
    assert_eq!(keys(&messages(&path, &RecordingOptions::default())), wanted);
    let mut player = Player::of(&path);
    let state = player.source.backfill(foxglove_bridge::time::Timestamp(8), &player.channels()).unwrap();
    assert_eq!(state.entries[0].sequence, 1999);
}

/// Metadata of three megabytes is listed like any other, and so is an attachment's name before its content.
pub(crate) fn large_extras() {
    let mut file = Cursor::new(Vec::new());
    let mut writer = mcap::WriteOptions::new().compression(None).create(&mut file).unwrap();
    let values: BTreeMap<String, String> = [("topics".into(), "x".repeat(3 << 20))].into();
    writer
        .write_metadata(&mcap::records::Metadata { name: "rosbag2".into(), metadata: values.clone() })
        .unwrap();
    let attachment = mcap::Attachment {
        log_time: 1,
        create_time: 2,
        name: "map.bin".into(),
        media_type: "application/octet-stream".into(),
        data: vec![7; 3 << 20].into(),
    };
    writer.attach(&attachment).unwrap();
    writer.finish().unwrap();
    drop(writer);
    let (_folder, path) = temporary("large.mcap", &file.into_inner());
    let summary = recording_summary(&path, &mut |_| {}).unwrap();
    assert!(summary.metadata.len() == 1 && summary.metadata[0].values == values);
    assert_eq!(summary.attachments.len(), 1);
    assert_eq!(summary.attachments[0].name, "map.bin");
    assert_eq!(summary.attachments[0].size_bytes, 3 << 20);
}

/// A file without its last byte has no summary that can be trusted, but all of its messages.
pub(crate) fn stripped_summary(data: &Path) {
    for name in [
        "made/nissan_overlapping_chunks_zstd.mcap",
        "made/many_channels_1200.mcap",
        "made/duplicate_topics.mcap",
        "fixtures/rosbag2_wbag_0.mcap",
    ] {
        let bytes = std::fs::read(data.join(name)).unwrap();
        let (_folder, path) = temporary("cut.mcap", &bytes[..bytes.len() - 1]);
        let wanted = messages(&data.join(name), &RecordingOptions::default());
        assert_same(name, &messages(&path, &RecordingOptions::default()), &wanted);
    }
}
