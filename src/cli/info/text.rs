//! The summary for people: facts first, then tables, warnings last, next to the prompt.

use std::time::Duration;

use foxglove_bridge::internals::printable;
use foxglove_bridge::source::summary::{ChunkSummary, Format, RecordingSummary};
use foxglove_bridge::time::TimeRange;

use super::length::{length, offset};
use super::parts::{self, Part};
use super::{payloads, tables};
use crate::cli::LONGEST_ERROR;
use crate::cli::figures::bytes;
use crate::cli::table::{line, row, table};

/// Several lines, aligned; control characters of names are escaped, as a file may contain anything. `room`: columns of the
/// terminal.
pub(super) fn render(name: &str, summary: &RecordingSummary, parts: &[Part], room: usize) -> String {
    let mut out = facts(name, summary);
    if !summary.channels.is_empty() {
        out.push_str(&tables::channels(summary, room));
    }
    for table in [tables::qos(summary), tables::attachments(summary, room), tables::metadata(summary)] {
        out.push_str(&table);
    }
    out.push_str(&parts::text(summary, parts));
    let payloads = payloads::lines(summary);
    if !(payloads.is_empty() && summary.warnings.is_empty()) {
        out.push('\n');
    }
    out.push_str(&payloads);
    for warning in &summary.warnings {
        line(&mut out, &format!("warning: {}", printable(warning, LONGEST_ERROR)));
    }
    // only lines can be without times
    if summary.range.is_none() && summary.message_count > 0 {
        line(&mut out, "hint: --time-field FIELD takes times from a field of the messages");
    }
    // the warnings name the first few
    if summary.damage.len() > summary.warnings.len() + 2 {
        for place in &summary.damage {
            line(&mut out, &format!("damage: {}", printable(place, LONGEST_ERROR)));
        }
    }
    out
}

fn facts(name: &str, summary: &RecordingSummary) -> String {
    let mut facts = vec![row(["file", name])];
    let state = match (summary.complete, summary.damage.is_empty(), summary.checked) {
        (false, _, _) => "incomplete",
        (true, false, _) => "damaged",
        (true, true, true) => "complete, no damage found",
        (true, true, false) => "complete",
    };
    facts.push(row(["size", &format!("{}, {state}", bytes(summary.size_bytes))]));
    for (key, value) in [("library", &summary.library), ("profile", &summary.profile)] {
        if !value.is_empty() {
            facts.push(row([key, value]));
        }
    }
    if let Some(range) = summary.range {
        facts.push(row(["start", &range.start.to_string()]));
        facts.push(row(["end", &range.end.to_string()]));
        facts.push(row(["duration", &length(range.duration())]));
        facts.extend(summary.longest_gap.and_then(|gap| gap_text(gap, range)).map(|gap| row(["gap", &gap])));
    }
    facts.push(row(["messages", &summary.message_count.to_string()]));
    facts.extend(payloads::fact(summary).map(|fact| row(["payloads", &fact])));
    facts.push(row(["channels", &summary.channels.len().to_string()]));
    match summary.format {
        Format::JsonLines => facts.insert(1, row(["format", "JSON lines"])),
        Format::Mcap if summary.chunks.is_empty() => facts.push(row(["chunks", "none"])),
        Format::Mcap => {
            facts.extend(summary.chunks.iter().map(|chunks| row(["chunks", &chunk_text(chunks)])))
        }
    }
    table(&facts, &[])
}

/// The longest gap, if it is one: longer than a second and a hundredth of the recording.
fn gap_text(gap: TimeRange, range: TimeRange) -> Option<String> {
    let is_gap = gap.duration() > Duration::from_secs(1).max(range.duration() / 100);
    let from = offset(gap.start.since(range.start), range.duration());
    is_gap.then(|| format!("{} without a message, from {from} on", length(gap.duration())))
}

fn chunk_text(chunks: &ChunkSummary) -> String {
    if chunks.compression.is_empty() {
        return format!("{} uncompressed, {}", chunks.count, bytes(chunks.uncompressed_bytes));
    }
    let share = chunks.compressed_bytes as f64 / chunks.uncompressed_bytes.max(1) as f64 * 100.0;
    let (packed, unpacked) = (bytes(chunks.compressed_bytes), bytes(chunks.uncompressed_bytes));
    format!("{} {}, {packed} for {unpacked} ({share:.0} %)", chunks.count, chunks.compression)
}

#[cfg(test)]
mod tests {
    use super::super::testing::summary;
    use super::*;

    fn render(name: &str, summary: &RecordingSummary) -> String {
        super::render(name, summary, &[], usize::MAX)
    }

    #[test]
    fn a_summary_reads_well() {
        let expected = "\
file      drive.mcap
size      14.0 MB, complete
library   recorder 1.0
profile   ros2
start     2026-01-01T10:00:00.000000000Z
end       2026-01-01T10:00:20.000000000Z
duration  20.0 s
gap       2.5 s without a message, from +3.0 s on
messages  1003
channels  2
chunks    23 zstd, 14.0 MB for 28.0 MB (50 %)

id  topic  messages      rate     size   first     last    gap  encoding  schema
 1  /tf        1002  50.10 Hz  20.0 kB  +0.0 s  +20.0 s  4.0 s  protobuf  foxglove.FrameTransforms
12  /map          1         -        -  +2.5 s   +2.5 s      -  json      -

topic  qos
/map   latched

attachment  type              size  time                             at byte  created
rover.urdf  application/xml  143 B  2026-01-01T10:00:00.000000000Z  14000900  2026-01-01T09:59:59.000000000Z

metadata  at byte   key    value
drive     14001200  robot  rover
                    site   48.1,11.5
";
        assert_eq!(render("drive.mcap", &summary()), expected);
    }

    #[test]
    fn columns_of_which_nothing_is_known_are_left_out() {
        let mut unknown = summary();
        for channel in &mut unknown.channels {
            (channel.payload_bytes, channel.range, channel.longest_gap) = (None, None, None);
        }
        assert!(render("a", &unknown).contains("messages      rate  encoding  schema\n"));
    }

    #[test]
    fn warnings_come_last() {
        let warnings = vec!["the end of the file is missing".to_owned()];
        let text = render("drive.mcap", &RecordingSummary { complete: false, warnings, ..summary() });
        assert!(text.contains("incomplete"));
        assert!(text.ends_with("\n\nwarning: the end of the file is missing\n"), "{text}");
        let text = render("flight.csv", &RecordingSummary { range: None, ..summary() });
        assert!(
            text.ends_with("\nhint: --time-field FIELD takes times from a field of the messages\n"),
            "{text}"
        );
    }

    #[test]
    fn damage_is_named_place_by_place_where_a_warning_does_not_name_all() {
        let damaged = |places: usize| {
            let (warnings, damage) =
                (vec!["a is damaged".to_owned()], vec!["byte 7: is torn".to_owned(); places]);
            render("a", &RecordingSummary { warnings, damage, ..summary() })
        };
        assert!(damaged(3).contains("14.0 MB, damaged\n"));
        assert!(!damaged(3).contains("damage: "));
        assert!(damaged(4).ends_with(&"damage: byte 7: is torn\n".repeat(4)));
        let checked = render("a", &RecordingSummary { checked: true, ..summary() });
        assert!(checked.contains("14.0 MB, complete, no damage found\n"));
    }

    #[test]
    fn an_empty_recording_has_no_tables() {
        let text = render("empty.mcap", &RecordingSummary::default());
        assert_eq!(
            text,
            "file      empty.mcap\nsize      0 B, incomplete\nmessages  0\nchannels  0\nchunks    none\n"
        );
        let lines = RecordingSummary { format: Format::JsonLines, ..RecordingSummary::default() };
        assert!(render("a", &lines).starts_with("file      a\nformat    JSON lines\n"));
    }

    #[test]
    fn what_a_file_contains_does_not_reach_the_terminal_raw() {
        let mut odd = summary();
        odd.channels[0].topic = "/a\u{1b}[31m\nb".to_owned();
        let text = render("a", &odd);
        assert!(!text.contains('\u{1b}') && text.contains("/a\\u{1b}[31m\\nb"), "{text}");
    }

    #[test]
    fn long_names_are_shortened_wherever_they_stand() {
        let long = "é".repeat(70_000);
        let mut odd = summary();
        odd.library = long.clone();
        odd.channels[0].topic = long.clone();
        odd.channels[0].schema_name = Some(long.clone());
        odd.channels[0].message_encoding = long.clone();
        odd.chunks[0].compression = long.clone();
        odd.attachments[0].name = long.clone();
        odd.metadata[0].name = long.clone();
        odd.metadata[0].values.insert(long.clone(), long.clone());
        let text = render("a", &odd);
        assert!(text.lines().all(|line| line.chars().count() < 5 * 100), "{text}");
        assert_eq!(text.matches('…').count(), 9, "{text}");
        assert!(super::super::json::render("a", &odd, &[]).contains(&long));
    }
}
