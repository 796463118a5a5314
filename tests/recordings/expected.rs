//! Whole recordings against what PyPI `mcap` reads from them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use foxglove_bridge::registry::Registry;
use foxglove_bridge::source::{RecordingOptions, RecordingSummary, SourceError, open, recording_summary};
use foxglove_bridge::time::{TimeRange, Timestamp};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::common::{Message, Player};

/// The only recording of which nothing can be recovered.
pub(crate) const HOPELESS: &str = "fixtures/chunk_not_closed.mcap";

pub(crate) fn all(data: &Path) -> BTreeMap<String, Value> {
    let Ok(text) = std::fs::read_to_string(data.join("expected.json")) else { return BTreeMap::new() };
    serde_json::from_str(&text).unwrap()
}

/// Every recording in the folder has an expectation.
pub(crate) fn complete(data: &Path) {
    let known = all(data);
    let mut found = BTreeSet::new();
    for folder in ["converted", "fixtures", "made", "real"] {
        for entry in std::fs::read_dir(data.join(folder)).unwrap() {
            found.insert(format!("{folder}/{}", entry.unwrap().file_name().display()));
        }
    }
    assert_eq!(found, known.into_keys().collect());
}

pub(crate) fn check(data: &Path, name: &str, expected: &Value) {
    let path = data.join(name);
    if name == HOPELESS {
        let error =
            open(&[&path], &RecordingOptions::default(), &Registry::default(), &mut |_| {}).err().unwrap();
        assert!(matches!(error, SourceError::Unusable { .. }), "{error:?}");
        assert!(recording_summary(&path, &mut |_| {}).is_err());
        return;
    }
    let mut player = Player::of(&path);
    let messages = player.rest();
    assert!(player.errors.is_empty(), "{:?}", player.errors);
    assert_eq!(messages.len() as u64, expected["messages"].as_u64().unwrap());
    assert_eq!(
        digest(&messages, &original_topics(&player.topics())),
        expected["digest_log_order"].as_str().unwrap()
    );

    let info = player.source.info();
    let range = expected["start"].as_u64().zip(expected["end"].as_u64());
    let range = range.map(|(start, end)| TimeRange { start: Timestamp(start), end: Timestamp(end) });
    assert_eq!(info.range, range);
    assert!(info.message_count.is_none_or(|count| count == messages.len() as u64));
    let damaged = expected["complete"] == json!(false);
    assert_eq!(damaged, info.warnings.iter().any(|warning| warning.contains("is damaged")));

    let summary = recording_summary(&path, &mut |_| {}).unwrap();
    assert_eq!(summary.range, range);
    assert_eq!(summary.complete, !damaged);
    assert_eq!(damaged, summary.warnings.iter().any(|warning| warning.contains("is damaged")));
    compare(&summary, expected);
}

/// The summary in the words of the expectation.
fn compare(summary: &RecordingSummary, expected: &Value) {
    assert_eq!(json!(summary.size_bytes), expected["bytes"]);
    assert_eq!(json!(summary.profile), expected["profile"]);
    assert_eq!(json!(summary.library), expected["library"]);
    assert_eq!(json!(summary.message_count), expected["messages"]);
    let channels = summary.channels.iter().map(|channel| {
        json!({
            "id": channel.id, "topic": channel.topic, "message_encoding": channel.message_encoding,
            "schema": channel.schema_name, "schema_encoding": channel.schema_encoding,
            "messages": channel.message_count,
        })
    });
    assert_eq!(Value::Array(channels.collect()), expected["channels"]);
    let chunks: serde_json::Map<_, _> = summary
        .chunks
        .iter()
        .map(|chunk| match chunk.compression.as_str() {
            "" => ("none".to_owned(), json!(chunk.count)),
            compression => (compression.to_owned(), json!(chunk.count)),
        })
        .collect();
    assert_eq!(Value::Object(chunks), expected["chunks"]);
    let attachments = summary.attachments.iter().map(|attachment| {
        json!({
            "name": attachment.name, "media_type": attachment.media_type, "bytes": attachment.size_bytes,
            "log_time": attachment.log_time.0,
        })
    });
    let mut wanted = expected["attachments"].clone();
    for attachment in wanted.as_array_mut().unwrap() {
        attachment.as_object_mut().unwrap().remove("sha256");
    }
    assert_eq!(Value::Array(attachments.collect()), wanted);
    let metadata =
        summary.metadata.iter().map(|metadata| json!({ "name": metadata.name, "metadata": metadata.values }));
    assert_eq!(Value::Array(metadata.collect()), expected["metadata"]);
}

/// Topics as in the file: those of channels that had to be renamed are `<topic>#<n>`.
pub(crate) fn original_topics(topics: &BTreeMap<u32, String>) -> BTreeMap<u32, String> {
    let offered: BTreeSet<&str> = topics.values().map(String::as_str).collect();
    let original = |topic: &String| match topic.rsplit_once('#') {
        Some((base, number)) if number.parse::<u32>().is_ok() && offered.contains(base) => base.to_owned(),
        _ => topic.clone(),
    };
    topics.iter().map(|(id, topic)| (*id, original(topic))).collect()
}

pub(crate) fn digest(messages: &[Message], topics: &BTreeMap<u32, String>) -> String {
    let mut hash = Sha256::new();
    for message in messages {
        hash.update(topics[&message.channel].as_bytes());
        hash.update([0]);
        hash.update(message.time.to_le_bytes());
        hash.update(message.publish_time.to_le_bytes());
        hash.update(message.sequence.to_le_bytes());
        hash.update(u32::try_from(message.payload.len()).unwrap().to_le_bytes());
        hash.update(&message.payload);
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
