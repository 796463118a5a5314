use std::collections::BTreeMap;
use std::fs;
use std::num::NonZero;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::model::{Metadata, Schema};
use crate::source::recording_summary;
use crate::time::Timestamp;

mod format;
mod split;

/// A message: channel, log time, payload.
type Sent = (u32, u64, Vec<u8>);

fn channel(id: u32, latched: bool) -> Channel {
    let schema = Schema { name: "S".into(), encoding: "jsonschema".into(), data: Bytes::from_static(b"{}") };
    Channel {
        id: ChannelId(id),
        topic: format!("/{id}"),
        message_encoding: "json".into(),
        schema: id.is_multiple_of(2).then(|| Arc::new(schema)),
        metadata: BTreeMap::from([("key".into(), "value".into())]),
        latched,
    }
}

fn send(writer: &mut McapWriter, (channel, time, payload): &Sent) {
    writer.write(&Entry::at(ChannelId(*channel), Timestamp(*time)), payload).unwrap();
}

/// The messages of a file by its records, and by its index.
fn messages(path: &Path) -> Vec<Sent> {
    let file = fs::read(path).unwrap();
    let sent = |message: mcap::Message<'_>| {
        let channel: u32 = message.channel.topic[1..].parse().unwrap();
        (channel, message.log_time, message.data.to_vec())
    };
    let linear: Vec<_> =
        mcap::MessageStream::new(&file).unwrap().map(|message| sent(message.unwrap())).collect();
    let summary = mcap::Summary::read(&file).unwrap().expect("a summary");
    let mut indexed = Vec::new();
    for chunk in &summary.chunk_indexes {
        let indexes = summary.read_message_indexes(&file, chunk).unwrap();
        for entry in indexes.values().flatten() {
            indexed.push(sent(summary.seek_message(&file, chunk, entry).unwrap()));
        }
    }
    let sorted = |mut messages: Vec<Sent>| {
        messages.sort();
        messages
    };
    assert!(sorted(linear.clone()) == sorted(indexed), "the index has other messages");
    // the end of the data, before the summary: opcode, length, checksum
    let data = usize::try_from(mcap::read::footer(&file).unwrap().summary_start).unwrap() - 13;
    assert_eq!(file[data + 9..data + 13], crc32fast::hash(&file[..data]).to_le_bytes());
    let seen = recording_summary(path, &mut |_progress| {}).unwrap();
    assert_eq!((seen.complete, seen.warnings.as_slice()), (true, &[][..]));
    linear
}

/// Bytes that don't repeat.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

fn writer(path: &Path, split: Split, latched: &[u32]) -> McapWriter {
    let threads = NonZero::new(2);
    let mut writer =
        McapWriter::create(path, WriterOptions { split, threads, ..WriterOptions::default() }).unwrap();
    for id in 1..6 {
        writer.add_channel(&channel(id, latched.contains(&id))).unwrap();
    }
    writer
}
