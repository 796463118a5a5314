//! The summary for people: facts first, then tables, warnings last, next to the prompt.

use std::fmt::Write;

use foxglove_bridge::source::summary::{ChunkSummary, RecordingSummary};

use super::super::progress::span;
use foxglove_bridge::source::recorded_as_latched;

use super::rate;

/// Longest name or value shown in full, in characters; `--json` has all.
const CELL_LIMIT: usize = 100;

/// Several lines, aligned; control characters of names are escaped, as a file may contain anything.
pub(super) fn render(name: &str, summary: &RecordingSummary) -> String {
    let mut out = facts(name, summary);
    if !summary.channels.is_empty() {
        out.push_str(&section(
            &channel_rows(summary),
            &[Align::Right, Align::Left, Align::Right, Align::Right],
        ));
    }
    if !summary.attachments.is_empty() {
        let mut rows = vec![row(["attachment", "type", "size", "time"])];
        rows.extend(summary.attachments.iter().map(|attachment| {
            row([
                &plain(&attachment.name),
                &plain(&attachment.media_type),
                &bytes(attachment.size_bytes),
                &attachment.log_time.to_string(),
            ])
        }));
        out.push_str(&section(&rows, &[Align::Left, Align::Left, Align::Right]));
    }
    if !summary.metadata.is_empty() {
        let mut rows = vec![row(["metadata", "key", "value"])];
        for record in &summary.metadata {
            let mut name = plain(&record.name);
            if record.values.is_empty() {
                rows.push(row([&name, "", ""]));
            }
            for (key, value) in &record.values {
                rows.push(row([&name, &plain(key), &plain(value)]));
                name.clear();
            }
        }
        out.push_str(&section(&rows, &[]));
    }
    if !summary.warnings.is_empty() {
        out.push('\n');
    }
    for warning in &summary.warnings {
        line(&mut out, &format!("warning: {}", plain(warning)));
    }
    out
}

fn facts(name: &str, summary: &RecordingSummary) -> String {
    let state = if summary.complete { "complete" } else { "incomplete" };
    let mut facts = vec![vec!["file".to_owned(), plain(name)]];
    facts.push(row(["size", &format!("{}, {state}", bytes(summary.size_bytes))]));
    for (key, value) in [("library", &summary.library), ("profile", &summary.profile)] {
        if !value.is_empty() {
            facts.push(row([key, &plain(value)]));
        }
    }
    if let Some(range) = summary.range {
        facts.push(row(["start", &range.start.to_string()]));
        facts.push(row(["end", &range.end.to_string()]));
        facts.push(row(["duration", &span(range.duration())]));
    }
    facts.push(row(["messages", &summary.message_count.to_string()]));
    facts.push(row(["channels", &summary.channels.len().to_string()]));
    if summary.chunks.is_empty() {
        facts.push(row(["chunks", "none"]));
    }
    facts.extend(summary.chunks.iter().map(|chunks| row(["chunks", &chunk_text(chunks)])));
    table(&facts, &[])
}

fn chunk_text(chunks: &ChunkSummary) -> String {
    if chunks.compression.is_empty() {
        return format!("{} uncompressed, {}", chunks.count, bytes(chunks.uncompressed_bytes));
    }
    let share = chunks.compressed_bytes as f64 / chunks.uncompressed_bytes.max(1) as f64 * 100.0;
    let (packed, unpacked) = (bytes(chunks.compressed_bytes), bytes(chunks.uncompressed_bytes));
    format!("{} {}, {packed} for {unpacked} ({share:.0} %)", chunks.count, plain(&chunks.compression))
}

fn channel_rows(summary: &RecordingSummary) -> Vec<Row> {
    let mut rows = vec![row(["id", "topic", "messages", "rate", "", "encoding", "schema"])];
    rows.extend(summary.channels.iter().map(|channel| {
        let rate = rate(summary, channel.message_count).map(|hz| format!("{hz:.2} Hz"));
        let schema = match (&channel.schema_name, &channel.schema_encoding) {
            (Some(name), Some(encoding)) if !encoding.is_empty() => {
                format!("{} ({})", plain(name), plain(encoding))
            }
            (Some(name), _) => plain(name),
            (None, _) => "-".to_owned(),
        };
        row([
            &channel.id.to_string(),
            &plain(&channel.topic),
            &channel.message_count.to_string(),
            rate.as_deref().unwrap_or("-"),
            if recorded_as_latched(&channel.metadata) { "latched" } else { "" },
            &plain(&channel.message_encoding),
            &schema,
        ])
    }));
    if rows.iter().skip(1).all(|row| row[4].is_empty()) {
        for row in &mut rows {
            row.remove(4);
        }
    }
    rows
}

type Row = Vec<String>;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Align {
    Left,
    Right,
}

fn row<const N: usize>(cells: [&str; N]) -> Row {
    cells.map(shortened).into()
}

/// A table below an empty line.
fn section(rows: &[Row], align: &[Align]) -> String {
    format!("\n{}", table(rows, align))
}

/// Columns two blanks apart; those that `align` does not name are left-aligned.
fn table(rows: &[Row], align: &[Align]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let cell_width = |row: &Row, column: usize| row.get(column).map_or(0, |cell| cell.chars().count());
    let widths: Vec<usize> = (0..columns)
        .map(|column| rows.iter().map(|row| cell_width(row, column)).max().unwrap_or(0))
        .collect();
    let mut out = String::new();
    for row in rows {
        let cells: Vec<_> = row
            .iter()
            .enumerate()
            .map(|(column, cell)| {
                let blanks = " ".repeat(widths[column] - cell_width(row, column));
                match align.get(column) {
                    Some(Align::Right) => blanks + cell,
                    Some(Align::Left) | None => cell.clone() + &blanks,
                }
            })
            .collect();
        line(&mut out, &cells.join("  "));
    }
    out
}

/// Appends a line without blanks at its end.
fn line(out: &mut String, text: &str) {
    out.push_str(text.trim_end());
    out.push('\n');
}

/// Without control characters: they would move the cursor or colour the terminal.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() { plain.extend(c.escape_default()) } else { plain.push(c) }
    }
    plain
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(CELL_LIMIT) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// A size with one digit after the point: `562.1 kB`.
fn bytes(size: u64) -> String {
    let mut value = size as f64;
    if size < 1000 {
        return format!("{size} B");
    }
    let mut text = String::new();
    for unit in ["kB", "MB", "GB", "TB"] {
        value /= 1000.0;
        // below this, one digit after the point rounds up to 1000.0 of the unit
        if value < 999.95 || unit == "TB" {
            write!(text, "{value:.1} {unit}").ok();
            break;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::tests::summary;
    use super::*;

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
messages  1003
channels  2
chunks    23 zstd, 14.0 MB for 28.0 MB (50 %)

id  topic  messages      rate           encoding  schema
 1  /tf        1002  50.10 Hz           protobuf  foxglove.FrameTransforms (protobuf)
12  /map          1         -  latched  json      -

attachment  type              size  time
rover.urdf  application/xml  143 B  2026-01-01T10:00:00.000000000Z

metadata  key    value
drive     robot  rover
          site   48.1,11.5
";
        assert_eq!(render("drive.mcap", &summary()), expected);
    }

    #[test]
    fn warnings_come_last() {
        let warnings = vec!["the end of the file is missing".to_owned()];
        let text = render("drive.mcap", &RecordingSummary { complete: false, warnings, ..summary() });
        assert!(text.contains("incomplete"));
        assert!(text.ends_with("\n\nwarning: the end of the file is missing\n"), "{text}");
    }

    #[test]
    fn an_empty_recording_has_no_tables() {
        let text = render("empty.mcap", &RecordingSummary::default());
        assert_eq!(
            text,
            "file      empty.mcap\nsize      0 B, incomplete\nmessages  0\nchannels  0\nchunks    none\n"
        );
    }

    #[test]
    fn what_a_file_contains_does_not_reach_the_terminal_raw() {
        let mut odd = summary();
        odd.channels[0].topic = "/a\u{1b}[31m\nb".to_owned();
        let text = render("a", &odd);
        assert!(!text.contains('\u{1b}') && text.contains("/a\\u{1b}[31m\\nb"), "{text}");
        assert_eq!(shortened(&"é".repeat(100)), "é".repeat(100));
        assert_eq!(shortened(&"x".repeat(101)).chars().count(), 101);
        assert_eq!(shortened(&"x".repeat(101)).chars().last(), Some('…'));
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
        let short = format!("{}…", "é".repeat(CELL_LIMIT));
        assert_eq!(text.matches(&short).count(), 8, "{text}");
        assert!(text.lines().all(|line| line.chars().count() < 5 * CELL_LIMIT));
        assert!(super::super::json::render("a", &odd).contains(&long));
    }

    #[test]
    fn sizes_have_four_digits_at_most() {
        assert_eq!(bytes(0), "0 B");
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(562_088), "562.1 kB");
        assert_eq!(bytes(999_999), "1.0 MB");
        assert_eq!(bytes(25_000_000_000), "25.0 GB");
        assert_eq!(bytes(u64::MAX), "18446744.1 TB");
    }
}
