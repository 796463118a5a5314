//! The MCAP conformance suite: every way in which a writer may leave things out.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use foxglove_bridge::source::recording_summary;
use serde_json::Value;

use super::common::{Message, Player};

/// Files of the suite at the commit the recordings were taken from.
const FILES: usize = 416;

pub(crate) fn check(data: &Path) {
    let faults: Vec<_> = files(data).iter().filter_map(|path| fault(path)).collect();
    assert!(faults.is_empty(), "{} files are read wrongly:\n{}", faults.len(), faults.join("\n"));
}

/// All files of the suite.
pub(crate) fn files(data: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for folder in std::fs::read_dir(data.join("conformance")).unwrap() {
        let entries = std::fs::read_dir(folder.unwrap().path()).unwrap();
        files.extend(entries.map(|entry| entry.unwrap().path()));
    }
    files.retain(|path| path.extension().is_some_and(|extension| extension == "mcap"));
    files.sort();
    assert_eq!(files.len(), FILES);
    files
}

/// What is wrong with how a file is read.
fn fault(path: &Path) -> Option<String> {
    let name = path.file_name().unwrap().display().to_string();
    let records = records(path);
    let of_type =
        |kind: &str| records.iter().filter(move |record| record["type"] == kind).collect::<Vec<_>>();
    let wanted = messages(path);

    let summary = match recording_summary(path, &mut |_| {}) {
        Ok(summary) => summary,
        Err(error) => return Some(format!("{name}: {error}")),
    };
    let mut player = match Player::open(path, &Default::default()) {
        Ok(player) => player,
        Err(error) => return Some(format!("{name}: {error}")),
    };
    let got = player.rest();
    // ids count from 1 here, and the suite has one channel, with the id 1
    if got != wanted {
        return Some(format!("{name}: {} messages instead of {}, or others", got.len(), wanted.len()));
    }
    if !player.errors.is_empty() || !summary.complete {
        return Some(format!("{name}: {:?} {:?}", player.errors, summary.warnings));
    }
    if summary.message_count != wanted.len() as u64 {
        return Some(format!("{name}: the summary counts {} messages", summary.message_count));
    }
    let stray = (summary.attachments.len(), summary.metadata.len());
    let wanted = (of_type("Attachment").len(), of_type("Metadata").len());
    (stray != wanted).then(|| format!("{name}: attachments and metadata {stray:?} instead of {wanted:?}"))
}

fn records(path: &Path) -> Vec<Value> {
    let json: Value = serde_json::from_slice(&std::fs::read(path.with_extension("json")).unwrap()).unwrap();
    json["records"].as_array().unwrap().clone()
}

/// What the suite says of a file's messages, in time order.
pub(crate) fn messages(path: &Path) -> Vec<Message> {
    let records = records(path);
    let mut wanted: Vec<_> =
        records.iter().filter(|record| record["type"] == "Message").map(message).collect();
    wanted.sort_by_key(|message| message.time);
    wanted
}

/// The message of a record of the suite's JSON.
fn message(record: &Value) -> Message {
    let fields = record["fields"].as_array().unwrap();
    let field = |name: &str| &fields.iter().find(|field| field[0] == name).unwrap()[1];
    let number = |name: &str| field(name).as_str().unwrap().parse::<u64>().unwrap();
    let payload = field("data").as_array().unwrap();
    let payload: Bytes = payload.iter().map(|byte| byte.as_str().unwrap().parse::<u8>().unwrap()).collect();
    Message {
        time: number("log_time"),
        publish_time: number("publish_time"),
        sequence: u32::try_from(number("sequence")).unwrap(),
        channel: u32::try_from(number("channel_id")).unwrap(),
        payload,
    }
}
