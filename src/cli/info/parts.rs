//! What is shown of a recording, or of a server, if it is asked for: definitions of schemas, and chunks one by one.

use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use foxglove_bridge::internals::printable;
use foxglove_bridge::model::Schema;
use foxglove_bridge::source::summary::{ChunkPlace, RecordingSummary};
use serde_json::{Value, json};

use super::length::offset;
use crate::cli::LONGEST_ERROR;
use crate::cli::figures::bytes;
use crate::cli::table::{Align, Column, line, of_columns};

/// See the module's documentation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Schemas,
    Chunks,
}

/// The parts of a recording that are wanted, for people.
pub(super) fn text(summary: &RecordingSummary, parts: &[Part]) -> String {
    let part = |part: &Part| match part {
        Part::Schemas => schemas_text(&summary.schemas),
        Part::Chunks => chunks_text(summary),
    };
    parts.iter().map(part).collect()
}

/// The same as fields of the object of the recording.
pub(super) fn add(summary: &RecordingSummary, parts: &[Part], object: &mut Value) {
    for part in parts {
        match part {
            Part::Schemas => object["schemas"] = schemas_json(&summary.schemas),
            Part::Chunks => object["chunk_index"] = summary.chunk_index.iter().map(chunk_json).collect(),
        }
    }
}

/// The text of a definition, if it is one.
fn definition(schema: &Schema) -> Option<&str> {
    let is_binary = matches!(schema.encoding.as_str(), "protobuf" | "flatbuffer");
    std::str::from_utf8(&schema.data).ok().filter(|_| !is_binary)
}

/// Each with a line that names it; what is not text is counted.
pub(super) fn schemas_text(schemas: &[Arc<Schema>]) -> String {
    let mut out = String::new();
    for schema in schemas {
        let (name, encoding) = (&schema.name, &schema.encoding);
        out.push('\n');
        line(&mut out, &printable(&format!("schema {name} ({encoding})"), LONGEST_ERROR).to_string());
        match definition(schema) {
            Some(text) => {
                text.lines().for_each(|text| line(&mut out, &printable(text, LONGEST_ERROR).to_string()))
            }
            None => line(&mut out, &format!("{} that are no text; --json has them", bytes_of(schema))),
        }
    }
    out
}

fn bytes_of(schema: &Schema) -> String {
    bytes(u64::try_from(schema.data.len()).unwrap_or(u64::MAX))
}

pub(super) fn schemas_json(schemas: &[Arc<Schema>]) -> Value {
    let value = |schema: &Arc<Schema>| match definition(schema) {
        Some(text) => json!({ "name": schema.name, "encoding": schema.encoding, "data": text }),
        None => {
            let data = BASE64_STANDARD.encode(&schema.data);
            json!({ "name": schema.name, "encoding": schema.encoding, "data_base64": data })
        }
    };
    schemas.iter().map(value).collect()
}

fn chunks_text(summary: &RecordingSummary) -> String {
    if summary.chunk_index.is_empty() {
        return String::new();
    }
    let column = |name, cell: &dyn Fn(&ChunkPlace) -> String| {
        Column::new(name, Align::Right, summary.chunk_index.iter().map(cell))
    };
    let start = summary.range.map_or(summary.chunk_index[0].range.start, |range| range.start);
    let whole = summary.range.map(|range| range.duration()).unwrap_or_default();
    of_columns(&[
        column("chunk at byte", &|chunk| chunk.offset.to_string()),
        column("size", &|chunk| bytes(chunk.length_bytes)),
        column("unpacked", &|chunk| bytes(chunk.uncompressed_bytes)),
        column("messages", &|chunk| chunk.message_count.map_or("-".to_owned(), |count| count.to_string())),
        column("first", &|chunk| offset(chunk.range.start.since(start), whole)),
        column("last", &|chunk| offset(chunk.range.end.since(start), whole)),
    ])
}

fn chunk_json(chunk: &ChunkPlace) -> Value {
    json!({
        "offset": chunk.offset,
        "length_bytes": chunk.length_bytes,
        "uncompressed_bytes": chunk.uncompressed_bytes,
        "message_count": chunk.message_count,
        "first_log_time": chunk.range.start.nanos().to_string(),
        "last_log_time": chunk.range.end.nanos().to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::summary;
    use super::*;

    #[test]
    fn chunks_are_rows_by_where_they_lie() {
        let expected = "
chunk at byte     size  unpacked  messages   first     last
           42   1.0 kB    2.0 kB       600  +0.0 s  +10.0 s
         1100  13.0 MB   28.0 MB         -  +9.9 s  +20.0 s
";
        assert_eq!(text(&summary(), &[Part::Chunks]), expected);
        assert_eq!(text(&RecordingSummary::default(), &[Part::Chunks]), "");
        let mut object = json!({});
        add(&summary(), &[Part::Chunks], &mut object);
        assert_eq!(object["chunk_index"][0]["message_count"], 600);
        assert_eq!(object["chunk_index"][1]["message_count"], Value::Null);
        assert_eq!(object["chunk_index"][1]["last_log_time"], "1767261620000000000");
        assert_eq!(object.get("schemas"), None, "what was not asked for");
    }

    #[test]
    fn schemas_are_their_definitions_and_what_is_no_text_is_counted() {
        let schema = |name: &str, encoding: &str, data: &'static [u8]| {
            Arc::new(Schema { name: name.into(), encoding: encoding.into(), data: data.into() })
        };
        let schemas =
            vec![schema("pkg/msg/A", "ros2msg", b"float32 v\nB\x1b b\n"), schema("p.T", "protobuf", b"\n\0")];
        let some = RecordingSummary { schemas, ..RecordingSummary::default() };
        let expected = "
schema pkg/msg/A (ros2msg)
float32 v
B\\u{1b} b

schema p.T (protobuf)
2 B that are no text; --json has them
";
        assert_eq!(text(&some, &[Part::Schemas]), expected);
        let mut object = json!({});
        add(&some, &[Part::Schemas], &mut object);
        assert_eq!(object["schemas"][0]["data"], "float32 v\nB\u{1b} b\n");
        assert_eq!(
            object["schemas"][1],
            json!({ "name": "p.T", "encoding": "protobuf", "data_base64": "CgA=" })
        );
    }
}
