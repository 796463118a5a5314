//! The summary as one JSON object. Times are nanoseconds as text: numbers of this size are not exact in JSON.

use foxglove_bridge::source::summary::{ChannelSummary, Format, RecordingSummary};
use foxglove_bridge::source::{AttachmentCrc, offered_qos};
use foxglove_bridge::time::TimeRange;
use serde_json::{Value, json};

use super::parts::{self, Part};
use super::{payloads, rate};

/// One object, indented, with a line break at the end.
pub(super) fn render(name: &str, summary: &RecordingSummary, parts: &[Part]) -> String {
    let mut object = value(name, summary);
    parts::add(summary, parts, &mut object);
    format!("{object:#}\n")
}

/// The object of an input that can't be read.
pub(super) fn render_error(name: &str, error: &str) -> String {
    format!("{:#}\n", json!({ "file": name, "error": error }))
}

fn value(name: &str, summary: &RecordingSummary) -> Value {
    let channels = summary.channels.iter().map(|channel| channel_value(summary, channel));
    let chunks = summary.chunks.iter().map(|chunk| {
        json!({
            "compression": chunk.compression,
            "count": chunk.count,
            "compressed_bytes": chunk.compressed_bytes,
            "uncompressed_bytes": chunk.uncompressed_bytes,
        })
    });
    let attachments = summary.attachments.iter().map(|attachment| {
        json!({
            "name": attachment.name,
            "media_type": attachment.media_type,
            "size_bytes": attachment.size_bytes,
            "log_time": attachment.log_time.nanos().to_string(),
            "create_time": attachment.create_time.nanos().to_string(),
            "offset": attachment.offset,
            "crc": attachment.crc.map(crc_word),
        })
    });
    let metadata = summary
        .metadata
        .iter()
        .map(|record| json!({ "name": record.name, "offset": record.offset, "values": record.values }));
    json!({
        "file": name,
        "format": match summary.format {
            Format::Mcap => "mcap",
            Format::JsonLines => "json_lines",
        },
        "size_bytes": summary.size_bytes,
        "complete": summary.complete,
        "checked": summary.checked,
        "library": summary.library,
        "profile": summary.profile,
        "start_time": summary.range.map(|range| range.start.nanos().to_string()),
        "end_time": summary.range.map(|range| range.end.nanos().to_string()),
        "duration_seconds": summary.range.map(|range| range.duration().as_secs_f64()),
        "longest_gap": summary.longest_gap.map(gap),
        "message_count": summary.message_count,
        "channels": channels.collect::<Vec<_>>(),
        "chunks": chunks.collect::<Vec<_>>(),
        "attachments": attachments.collect::<Vec<_>>(),
        "metadata": metadata.collect::<Vec<_>>(),
        "warnings": summary.warnings,
        "damage": summary.damage,
    })
}

fn crc_word(crc: AttachmentCrc) -> &'static str {
    match crc {
        AttachmentCrc::Matches => "matches",
        AttachmentCrc::Missing => "missing",
        AttachmentCrc::Differs => "differs",
    }
}

fn gap(gap: TimeRange) -> Value {
    json!({
        "after": gap.start.nanos().to_string(),
        "seconds": gap.duration().as_secs_f64(),
    })
}

fn channel_value(summary: &RecordingSummary, channel: &ChannelSummary) -> Value {
    let schema = channel
        .schema_name
        .as_ref()
        .map(|name| json!({ "name": name, "encoding": channel.schema_encoding.as_deref().unwrap_or("") }));
    let qos = offered_qos(&channel.metadata).into_iter().map(|profile| {
        json!({
            "reliability": profile.reliability,
            "durability": profile.durability,
            "history": profile.history,
            "depth": profile.depth,
        })
    });
    json!({
        "id": channel.id,
        "topic": channel.topic,
        "message_encoding": channel.message_encoding,
        "schema": schema,
        "message_count": channel.message_count,
        "rate_hz": rate(summary, channel.message_count),
        "bytes": channel.payload_bytes,
        "first_log_time": channel.range.map(|range| range.start.nanos().to_string()),
        "last_log_time": channel.range.map(|range| range.end.nanos().to_string()),
        "longest_gap": channel.longest_gap.map(gap),
        "payloads": payloads::value(channel),
        "latched": channel.latched,
        "qos": qos.collect::<Vec<_>>(),
        "metadata": channel.metadata,
    })
}

#[cfg(test)]
mod tests {
    use foxglove_bridge::source::summary::{Misfit, PayloadCheck};

    use super::super::testing::summary;
    use super::*;

    #[test]
    fn everything_is_in_the_object() {
        let object: Value = serde_json::from_str(&render("drive.mcap", &summary(), &[])).unwrap();
        assert_eq!(object["file"], "drive.mcap");
        assert_eq!(object["start_time"], "1767261600000000000");
        assert_eq!(object["duration_seconds"], 20.0);
        assert_eq!(object["channels"][0]["schema"]["name"], "foxglove.FrameTransforms");
        assert_eq!(object["channels"][0]["rate_hz"], 50.1);
        assert_eq!(object["channels"][1]["schema"], Value::Null);
        assert_eq!(object["channels"][1]["latched"], true);
        assert_eq!(object["channels"][0]["bytes"], 20_040);
        assert_eq!(object["channels"][1]["bytes"], Value::Null);
        assert_eq!(object["channels"][1]["first_log_time"], "1767261602500000000");
        assert_eq!(object["channels"][0]["last_log_time"], "1767261620000000000");
        assert_eq!((&object["format"], &object["checked"]), (&json!("mcap"), &json!(false)));
        assert_eq!(object["longest_gap"], json!({ "after": "1767261603000000000", "seconds": 2.5 }));
        assert_eq!(object["channels"][0]["longest_gap"]["seconds"], 4.0);
        assert_eq!(object["channels"][1]["longest_gap"], Value::Null);
        assert_eq!(object["damage"], json!([]));
        assert_eq!(object["chunks"][0]["count"], 23);
        assert_eq!(object["attachments"][0]["media_type"], "application/xml");
        assert_eq!(object["attachments"][0]["create_time"], "1767261599000000000");
        assert_eq!(
            (&object["attachments"][0]["offset"], &object["attachments"][0]["crc"]),
            (&json!(14_000_900), &Value::Null)
        );
        assert_eq!(object["metadata"][0]["values"]["robot"], "rover");
        assert_eq!(object["metadata"][0]["offset"], 14_001_200);
    }

    /// All names of fields, but those that the recording itself has.
    fn names(value: &Value, into: &mut Vec<String>) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| names(item, into)),
            Value::Object(fields) => {
                for (name, value) in fields {
                    into.push(name.clone());
                    if !(name == "values" || name == "metadata" && value.is_object()) {
                        names(value, into);
                    }
                }
            }
            _ => {}
        }
    }

    #[test]
    fn every_field_is_in_the_readme() {
        let mut full = summary();
        full.channels[0].metadata.insert("offered_qos_profiles".into(), "- depth: 5\n".into());
        let first_misfit = Some(Misfit::default());
        full.channels[0].payloads = Some(PayloadCheck { first_misfit, ..PayloadCheck::default() });
        let mut found = Vec::new();
        let mut object = value("a", &full);
        parts::add(&full, &[Part::Schemas, Part::Chunks], &mut object);
        names(&object, &mut found);
        assert!(found.len() > 30, "{found:?}");
        let readme = include_str!("../../../README.md");
        for name in found {
            assert!(readme.contains(&format!("`{name}`")), "{name}");
        }
    }

    #[test]
    fn qos_is_an_object_for_each_publisher() {
        let mut ros2 = summary();
        let profiles = "- reliability: reliable\n  durability: 2\n  depth: 5\n- reliability: best_effort\n";
        ros2.channels[0].metadata.insert("offered_qos_profiles".into(), profiles.into());
        let object = value("a", &ros2);
        let first =
            json!({ "reliability": "reliable", "durability": "volatile", "history": null, "depth": 5 });
        assert_eq!(object["channels"][0]["qos"][0], first);
        assert_eq!(object["channels"][0]["qos"][1]["reliability"], "best_effort");
        assert_eq!(object["channels"][1]["qos"], json!([]));
    }

    #[test]
    fn a_recording_without_messages_has_null_times() {
        let object = value("empty.mcap", &RecordingSummary::default());
        assert_eq!(object["start_time"], Value::Null);
        assert_eq!(object["channels"], json!([]));
    }
}
