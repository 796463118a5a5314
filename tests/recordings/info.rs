//! What summaries say, compared with the messages themselves and with what other programs read.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use foxglove_bridge::payload::{TypeOptions, Types};
use foxglove_bridge::source::json_lines::LinesRead;
use foxglove_bridge::source::summary::ChannelSummary;
use foxglove_bridge::source::{
    AttachmentCrc, Attachments, Hint, RecordingSummary, recording_check, recording_summary, stream_summary,
};
use foxglove_bridge::time::TimeRange;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::common::{Player, temporary};
use super::conformance;
use super::expected::{HOPELESS, original_topics};

/// Of a topic: messages, bytes of payloads, first and last time.
type Facts = BTreeMap<String, (u64, u64, u64, u64)>;

fn note(facts: &mut Facts, topic: &str, (count, bytes, first, last): (u64, u64, u64, u64)) {
    let known = facts.entry(topic.to_owned()).or_insert((0, 0, u64::MAX, 0));
    *known = (known.0 + count, known.1 + bytes, known.2.min(first), known.3.max(last));
}

fn played(path: &Path) -> Facts {
    let mut player = Player::of(path);
    let messages = player.rest();
    let topics = original_topics(&player.topics());
    let mut facts = Facts::new();
    for message in messages {
        note(
            &mut facts,
            &topics[&message.channel],
            (1, message.payload.len() as u64, message.time, message.time),
        );
    }
    facts
}

fn said(summary: &RecordingSummary) -> Facts {
    let mut facts = Facts::new();
    for channel in summary.channels.iter().filter(|channel| channel.message_count > 0) {
        let range = channel.range.unwrap();
        let bytes = channel.payload_bytes.unwrap();
        note(&mut facts, &channel.topic, (channel.message_count, bytes, range.start.0, range.end.0));
    }
    facts
}

fn streamed(path: &Path) -> RecordingSummary {
    let name = path.file_name().unwrap().to_str().unwrap();
    let types = Types::load(&TypeOptions::default()).unwrap();
    let how = LinesRead { options: Arc::default(), types: Arc::new(types), hints: Hint::in_library };
    stream_summary(name, std::fs::File::open(path).unwrap(), &how).unwrap()
}

/// Every recording: sizes and times of each topic, checked, as a stream, and by its summary.
pub(crate) fn check(data: &Path, name: &str, expected: &Value) {
    let path = data.join(name);
    if name == HOPELESS {
        assert!(recording_check(&path, &mut |_| {}).is_err());
        return;
    }
    let checked = recording_check(&path, &mut |_| {}).unwrap();
    let facts = played(&path);
    assert_eq!(said(&checked), facts);
    // its payloads are empty where JSON is said to be
    let misfits = if name == "made/schemaless_and_odd_encodings.mcap" { 10 } else { 0 };
    assert_eq!(checked.misfits(), misfits);
    assert_eq!(checked.message_count, expected["messages"].as_u64().unwrap());
    assert_eq!(checked.damage.is_empty(), expected["complete"].as_bool().unwrap(), "{:?}", checked.damage);
    let mut streamed = streamed(&path);
    // the file's summary is told of, a stream is read anyway; where its chunks lie is not kept
    streamed.warnings.clone_from(&checked.warnings);
    streamed.chunk_index.clone_from(&checked.chunk_index);
    assert_eq!(streamed, checked);

    let summary = recording_summary(&path, &mut |_| {}).unwrap();
    assert_eq!(summary.damage, checked.damage);
    for (quick, exact) in summary.channels.iter().zip(&checked.channels) {
        // messages are decoded only where all is read
        let exact = &ChannelSummary { payloads: None, ..exact.clone() };
        assert_eq!(
            (quick.id, &quick.topic, quick.message_count),
            (exact.id, &exact.topic, exact.message_count)
        );
        assert!(quick.range.is_none() || quick.range == exact.range, "{quick:?} {exact:?}");
        // small files are read whole for sizes and gaps
        let is_whole = quick.payload_bytes.is_some();
        assert!(!is_whole || quick == exact, "{quick:?} {exact:?}");
        let ends_within = |gap: TimeRange| exact.range.is_some_and(|range| range.contains(gap.end));
        assert!(quick.longest_gap.is_none_or(ends_within), "{quick:?}");
    }
    let has_times = summary.channels.iter().any(|channel| channel.range.is_some());
    let is_whole = summary.channels.iter().any(|channel| channel.payload_bytes.is_some());
    let is_indexed = !matches!(name, "made/nissan_no_message_index.mcap");
    assert_eq!(has_times, (is_indexed || is_whole) && summary.message_count > 0);

    let attachments = Attachments::open(&path, &mut |_| {}).unwrap();
    let wanted = expected["attachments"].as_array().unwrap();
    assert_eq!(attachments.iter().len(), wanted.len());
    for (number, (attachment, wanted)) in attachments.iter().zip(wanted).enumerate() {
        let mut content = Vec::new();
        assert_eq!(attachments.copy(number, &mut content).unwrap(), AttachmentCrc::Matches);
        assert_eq!(attachment.name, wanted["name"].as_str().unwrap());
        let sum: String = Sha256::digest(&content).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(sum, wanted["sha256"].as_str().unwrap());
    }
}

/// No file of the conformance suite is damaged, and each says the same as a stream.
pub(crate) fn conforming(data: &Path) {
    for path in conformance::files(data) {
        let checked = recording_check(&path, &mut |_| {}).unwrap();
        assert_eq!(checked.damage, [""; 0], "{}", path.display());
        let mut streamed = streamed(&path);
        streamed.warnings.clone_from(&checked.warnings);
        streamed.chunk_index.clone_from(&checked.chunk_index);
        assert_eq!(streamed, checked, "{}", path.display());
        assert_eq!(said(&checked), played(&path), "{}", path.display());
    }
}

/// Opcode, and where the body begins and ends, of the records outside of chunks.
fn records(bytes: &[u8]) -> Vec<(u8, usize, usize)> {
    let mut found = Vec::new();
    let mut at = 8;
    while at + 9 < bytes.len() {
        let length = u64::from_le_bytes(bytes[at + 1..at + 9].try_into().unwrap());
        let end = at + 9 + usize::try_from(length).unwrap();
        found.push((bytes[at], at + 9, end));
        at = end;
    }
    found
}

const MESSAGE_INDEX: u8 = 7;
const ATTACHMENT: u8 = 9;
const STATISTICS: u8 = 11;
const FOOTER: u8 = 2;

/// What is not between the chunks' checksums is found by the others, and by counting.
pub(crate) fn damaged(data: &Path) {
    let whole = std::fs::read(data.join("made/drive_20s.mcap")).unwrap();
    let place = |opcode: u8| *records(&whole).iter().find(|record| record.0 == opcode).unwrap();
    let change = |edit: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = whole.clone();
        edit(&mut bytes);
        let (folder, path) = temporary("a.mcap", &bytes);
        let quick = recording_summary(&path, &mut |_| {}).unwrap();
        let checked = recording_check(&path, &mut |_| {}).unwrap();
        assert_eq!(checked.message_count, 2885);
        assert!(quick.complete && checked.complete && checked.checked);
        assert_eq!(checked.warnings.is_empty(), checked.damage.is_empty());
        (folder, path, quick, checked)
    };
    let (_folder, _path, quick, checked) = change(&|_bytes| {});
    assert_eq!((quick.damage.len(), checked.damage.len()), (0, 0));

    let (_, start, _) = place(MESSAGE_INDEX);
    let (_folder, path, quick, checked) = change(&|bytes| bytes[start + 6] ^= 1);
    assert_eq!(quick.damage, [""; 0], "the quick look does not read it");
    assert_eq!(checked.damage.len(), 1);
    assert!(checked.damage[0].contains("the CRC of all records"), "{:?}", checked.damage);
    assert_eq!(streamed(&path).damage, checked.damage);

    let (_, _, end) = place(ATTACHMENT);
    let (_folder, path, quick, checked) = change(&|bytes| bytes[end - 5] ^= 1);
    assert_eq!(quick.damage, [""; 0]);
    assert!(checked.damage[0].contains("CRC of attachment rover.urdf"), "{:?}", checked.damage);
    assert_eq!(streamed(&path).damage, checked.damage);
    let attachments = Attachments::open(&path, &mut |_| {}).unwrap();
    let mut content = Vec::new();
    assert_eq!(attachments.copy(0, &mut content).unwrap(), AttachmentCrc::Differs);
    assert_eq!(content.len(), 143, "it is copied all the same");

    let (_, start, _) = place(STATISTICS);
    let (_folder, _path, quick, checked) = change(&|bytes| bytes[start] ^= 1);
    for damage in [&quick.damage, &checked.damage] {
        assert!(damage[0].contains("summary is damaged (CRC)"), "{damage:?}");
    }

    let (_, footer, _) = place(FOOTER);
    let (_folder, _path, _quick, checked) = change(&|bytes| {
        bytes[start] ^= 1;
        bytes[footer + 16..footer + 20].fill(0);
    });
    assert_eq!(checked.damage, ["its summary counts 2884 messages, but 2885 can be read"]);
}
