//! The tables of a summary: channels, quality of service, attachments, metadata.

use foxglove_bridge::source::summary::{AttachmentSummary, ChannelSummary, RecordingSummary};
use foxglove_bridge::source::{AttachmentCrc, QosProfile, offered_qos};
use foxglove_bridge::time::{TimeRange, Timestamp};

use super::length::{length, offset};
use super::rate;
use crate::cli::figures::bytes;
use crate::cli::table::{Align, Column, Row, of_columns, row, section, width};

/// What is not known.
const UNKNOWN: &str = "-";

/// Schemas are not shortened to fewer characters.
const LEAST_SCHEMA: usize = 16;

/// One row a channel. Columns of which nothing is known are left out, and of a terminal with less room those that matter
/// least.
pub(super) fn channels(summary: &RecordingSummary, room: usize) -> String {
    use Align::{Left, Right};
    let time = |time: Timestamp| {
        let offset = |all: TimeRange| offset(time.since(all.start), all.duration());
        summary.range.map(offset)
    };
    let known = |cell: Option<String>| cell.unwrap_or_else(|| UNKNOWN.to_owned());
    let column = |name, align, cell: &dyn Fn(&ChannelSummary) -> String| {
        Column::new(name, align, summary.channels.iter().map(cell))
    };
    let mut columns = vec![
        column("id", Right, &|channel| channel.id.to_string()),
        column("topic", Left, &|channel| channel.topic.clone()),
        column("messages", Right, &|channel| channel.message_count.to_string()),
        column("rate", Right, &|channel| known(rate(summary, channel.message_count).map(hertz))),
        column("size", Right, &|channel| known(channel.payload_bytes.map(bytes))),
        column("first", Right, &|channel| known(channel.range.and_then(|range| time(range.start)))),
        column("last", Right, &|channel| known(channel.range.and_then(|range| time(range.end)))),
        column("gap", Right, &|channel| known(channel.longest_gap.map(|gap| length(gap.duration())))),
        column("encoding", Left, &encoding),
        column("schema", Left, &|channel| known(channel.schema_name.clone())),
    ];
    let optional = ["size", "first", "last", "gap"];
    columns.retain(|column| {
        !optional.contains(&column.name()) || column.cells[1..].iter().any(|cell| cell != UNKNOWN)
    });
    for less in [&["encoding"][..], &["gap"], &["first", "last"]] {
        if width(&columns) > room {
            columns.retain(|column| !less.contains(&column.name()));
        }
    }
    for less in ["size", "rate", "schema"] {
        if least(&columns) > room {
            columns.retain(|column| column.name() != less);
        }
    }
    let without_schema = width(&columns) - columns.last().map_or(0, Column::width);
    if let Some(schema) = columns.last_mut().filter(|column| column.name() == "schema") {
        schema.shorten(room.saturating_sub(without_schema).max(LEAST_SCHEMA));
    }
    of_columns(&columns)
}

/// Characters of a table's lines if schemas are shortened as far as they still tell something.
fn least(columns: &[Column]) -> usize {
    let saved = columns
        .last()
        .filter(|column| column.name() == "schema")
        .map_or(0, |schema| schema.width().saturating_sub(LEAST_SCHEMA));
    width(columns) - saved
}

/// At least a hundredth, as fewer would read as none.
fn hertz(rate: f64) -> String {
    if rate < 0.01 { "<0.01 Hz".to_owned() } else { format!("{rate:.2} Hz") }
}

/// The schema's encoding beside that of messages, unless the one goes without saying.
fn encoding(channel: &ChannelSummary) -> String {
    const USUAL: [(&str, &str); 4] =
        [("cdr", "ros2msg"), ("ros1", "ros1msg"), ("json", "jsonschema"), ("", "")];
    let message = channel.message_encoding.as_str();
    let message = if message.is_empty() { UNKNOWN } else { message };
    match channel.schema_encoding.as_deref() {
        Some(schema) if schema != message && !schema.is_empty() && !USUAL.contains(&(message, schema)) => {
            format!("{message}/{schema}")
        }
        Some(_) | None => message.to_owned(),
    }
}

/// Channels whose recorder noted how they were published; empty if there are none.
pub(super) fn qos(summary: &RecordingSummary) -> String {
    let mut rows = vec![row(["topic", "qos"])];
    for channel in &summary.channels {
        let said = said(channel);
        if !said.is_empty() {
            rows.push(row([&channel.topic, &said]));
        }
    }
    if rows.len() == 1 { String::new() } else { section(&rows, &[]) }
}

/// `reliable, transient local, depth 1 (2 publishers)`; of publishers that differ, each kind.
fn said(channel: &ChannelSummary) -> String {
    let profiles = offered_qos(&channel.metadata);
    let publishers = profiles.len();
    let mut kinds: Vec<String> = Vec::new();
    for kind in profiles.iter().map(words) {
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    let mut said = kinds.join("; ");
    if publishers > 1 {
        said += &format!(" ({publishers} publishers)");
    }
    match (channel.latched, said.is_empty()) {
        (true, true) => "latched".to_owned(),
        (true, false) => said + ", latched",
        (false, _) => said,
    }
}

fn words(profile: &QosProfile) -> String {
    let history = match (profile.history.as_deref(), profile.depth) {
        (Some("keep_all"), _) => Some("keep all".to_owned()),
        (_, Some(depth)) => Some(format!("depth {depth}")),
        (_, None) => None,
    };
    let word = |word: &Option<String>| word.as_ref().map(|word| word.replace('_', " "));
    let words = [word(&profile.reliability), word(&profile.durability), history];
    words.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// When it was made, where that is not when it was logged.
fn created(attachment: &AttachmentSummary) -> String {
    let time = Some(attachment.create_time).filter(|time| time.nanos() > 0 && *time != attachment.log_time);
    time.map_or_else(|| UNKNOWN.to_owned(), |time| time.to_string())
}

fn crc_word(crc: AttachmentCrc) -> &'static str {
    match crc {
        AttachmentCrc::Matches => "ok",
        AttachmentCrc::Missing => "none",
        AttachmentCrc::Differs => "wrong",
    }
}

/// Without the last columns where there is no room for them.
pub(super) fn attachments(summary: &RecordingSummary, room: usize) -> String {
    if summary.attachments.is_empty() {
        return String::new();
    }
    let column = |name, align, cell: &dyn Fn(&AttachmentSummary) -> String| {
        Column::new(name, align, summary.attachments.iter().map(cell))
    };
    let mut columns = vec![
        column("attachment", Align::Left, &|attachment| attachment.name.clone()),
        column("type", Align::Left, &|attachment| attachment.media_type.clone()),
        column("size", Align::Right, &|attachment| bytes(attachment.size_bytes)),
        column("time", Align::Left, &|attachment| attachment.log_time.to_string()),
        column("at byte", Align::Right, &|attachment| attachment.offset.to_string()),
        column("created", Align::Left, &created),
        column("CRC", Align::Left, &|attachment| attachment.crc.map_or(UNKNOWN, crc_word).to_owned()),
    ];
    columns.retain(|column| {
        !["created", "CRC"].contains(&column.name()) || column.cells[1..].iter().any(|cell| cell != UNKNOWN)
    });
    while width(&columns) > room && columns.len() > 3 {
        columns.pop();
    }
    of_columns(&columns)
}

pub(super) fn metadata(summary: &RecordingSummary) -> String {
    if summary.metadata.is_empty() {
        return String::new();
    }
    let mut rows: Vec<Row> = vec![row(["metadata", "at byte", "key", "value"])];
    for record in &summary.metadata {
        let (mut name, mut offset) = (record.name.as_str(), record.offset.to_string());
        if record.values.is_empty() {
            rows.push(row([name, &offset, "", ""]));
        }
        for (key, value) in &record.values {
            rows.push(row([name, &offset, key, value]));
            (name, offset) = ("", String::new());
        }
    }
    section(&rows, &[])
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn with_qos(profiles: &str, latched: bool) -> ChannelSummary {
        let metadata = BTreeMap::from([("offered_qos_profiles".to_owned(), profiles.to_owned())]);
        ChannelSummary { metadata, latched, ..ChannelSummary::default() }
    }

    #[test]
    fn qos_is_said_in_short_and_once_for_publishers_that_are_alike() {
        let one =
            "- history: keep_last\n  depth: 1\n  reliability: reliable\n  durability: transient_local\n";
        assert_eq!(said(&with_qos(one, true)), "reliable, transient local, depth 1, latched");
        let other = "- history: keep_all\n  depth: 9\n  reliability: best_effort\n  durability: volatile\n";
        let several = [other, one, other].concat();
        assert_eq!(
            said(&with_qos(&several, false)),
            "best effort, volatile, keep all; reliable, transient local, depth 1 (3 publishers)"
        );
        assert_eq!(
            said(&with_qos(&[one, one].concat(), false)),
            "reliable, transient local, depth 1 (2 publishers)"
        );
        assert_eq!(said(&with_qos("", true)), "latched");
        assert_eq!(said(&with_qos("", false)), "");
    }

    #[test]
    fn a_narrow_terminal_has_what_matters_most() {
        let summary = super::super::testing::summary();
        let heads = |room| {
            let table = channels(&summary, room);
            assert!(table.lines().all(|line| line.chars().count() <= room.max(19)), "{table}");
            table.lines().nth(1).unwrap().split_whitespace().collect::<Vec<_>>().join(" ")
        };
        assert_eq!(heads(200), "id topic messages rate size first last gap encoding schema");
        assert_eq!(heads(85), "id topic messages rate size first last schema");
        assert_eq!(heads(70), "id topic messages rate size schema");
        assert_eq!(heads(60), "id topic messages rate size schema");
        assert!(channels(&summary, 60).contains("  foxglove.FrameTrans…\n"), "{}", channels(&summary, 60));
        assert_eq!(heads(50), "id topic messages rate schema");
        assert_eq!(heads(40), "id topic messages schema");
        assert_eq!(heads(10), "id topic messages");
        assert!(
            attachments(&summary, 66).contains("T10:00:00") && !attachments(&summary, 60).contains("time")
        );
    }

    #[test]
    fn a_rate_that_is_not_zero_does_not_read_as_zero() {
        assert_eq!(hertz(0.000_01), "<0.01 Hz");
        assert_eq!(hertz(50.123), "50.12 Hz");
    }

    #[test]
    fn encodings_that_go_together_are_named_once() {
        let of = |message: &str, schema: Option<&str>| {
            encoding(&ChannelSummary {
                message_encoding: message.to_owned(),
                schema_encoding: schema.map(str::to_owned),
                ..ChannelSummary::default()
            })
        };
        assert_eq!(of("cdr", Some("ros2msg")), "cdr");
        assert_eq!(of("cdr", Some("omgidl")), "cdr/omgidl");
        assert_eq!(of("protobuf", Some("protobuf")), "protobuf");
        assert_eq!(of("json", None), "json");
        assert_eq!(of("json", Some("")), "json");
        assert_eq!(of("", None), "-");
    }
}
