//! Messages as they are, as JSON lines with their channels and schemas, so that they can be served or published again: payloads
//! and log times stay the same.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use foxglove_bridge::client::Message;
use foxglove_bridge::model::{Channel, Schema};
use serde_json::value::RawValue;

use super::lines::{text, time};
use super::{Form, Written};

/// Channels of which it is known that they were declared.
const MOST: usize = 4096;

#[derive(Default)]
pub(super) struct Raw {
    /// The channel that a topic was declared as.
    channels: HashMap<String, Arc<Channel>>,
    /// The schema that a name was declared as.
    schemas: BTreeMap<String, Arc<Schema>>,
}

impl Form for Raw {
    fn write(&mut self, message: &Message, out: &mut Vec<u8>) -> Written {
        let channel = &message.channel;
        if !self.channels.get(&channel.topic).is_some_and(|known| is_same(known, channel)) {
            self.declare(channel, out);
        }
        out.extend_from_slice(b"{\"topic\":");
        text(&channel.topic, out);
        out.extend_from_slice(b",\"log_time\":");
        text(&time(message.log_time), out);
        match json(&channel.message_encoding, &message.payload) {
            Some(json) => {
                out.extend_from_slice(b",\"data\":");
                out.extend_from_slice(json.as_bytes());
            }
            None => {
                out.extend_from_slice(b",\"data_base64\":\"");
                out.extend_from_slice(BASE64_STANDARD.encode(&message.payload).as_bytes());
                out.push(b'"');
            }
        }
        out.extend_from_slice(b"}\n");
        Written::Lines
    }
}

/// The id says nothing here, and two channels on one topic can't be told apart in lines.
fn is_same(one: &Arc<Channel>, other: &Arc<Channel>) -> bool {
    Arc::ptr_eq(one, other)
        || (one.message_encoding == other.message_encoding
            && one.schema == other.schema
            && one.metadata == other.metadata)
}

impl Raw {
    fn declare(&mut self, channel: &Arc<Channel>, out: &mut Vec<u8>) {
        if self.channels.len() >= MOST {
            self.channels.clear();
            self.schemas.clear();
        }
        if let Some(schema) = &channel.schema
            && self.schemas.get(&schema.name) != Some(schema)
        {
            self.schemas.insert(schema.name.clone(), schema.clone());
            declare_schema(schema, &channel.message_encoding, out);
        }
        out.extend_from_slice(b"{\"op\":\"channel\",\"topic\":");
        text(&channel.topic, out);
        out.extend_from_slice(b",\"encoding\":");
        text(&channel.message_encoding, out);
        if let Some(schema) = &channel.schema {
            out.extend_from_slice(b",\"schema\":");
            text(&schema.name, out);
        }
        if !channel.metadata.is_empty() {
            out.extend_from_slice(b",\"metadata\":");
            out.extend_from_slice(serde_json::json!(channel.metadata).to_string().as_bytes());
        }
        out.extend_from_slice(b"}\n");
        self.channels.insert(channel.topic.clone(), channel.clone());
    }
}

/// A schema whose encoding is not said has the usual one of its messages.
fn declare_schema(schema: &Schema, message_encoding: &str, out: &mut Vec<u8>) {
    let encoding = match (schema.encoding.as_str(), message_encoding) {
        ("", "json") => "jsonschema",
        ("", "ros1") => "ros1msg",
        ("", "cdr") => "ros2msg",
        ("", other) | (other, _) => other,
    };
    out.extend_from_slice(b"{\"op\":\"schema\",\"name\":");
    text(&schema.name, out);
    out.extend_from_slice(b",\"encoding\":");
    text(encoding, out);
    let is_binary = matches!(encoding, "protobuf" | "flatbuffer");
    match std::str::from_utf8(&schema.data) {
        Ok(definition) if !is_binary => {
            out.extend_from_slice(b",\"schema\":");
            text(definition, out);
        }
        _ => {
            out.extend_from_slice(b",\"schema_base64\":");
            text(&BASE64_STANDARD.encode(&schema.data), out);
        }
    }
    out.extend_from_slice(b"}\n");
}

/// The payload, if it can stand in a line as it is.
fn json<'a>(encoding: &str, payload: &'a [u8]) -> Option<&'a str> {
    if encoding != "json" || payload.contains(&b'\n') || payload.contains(&b'\r') {
        return None;
    }
    let text = std::str::from_utf8(payload).ok()?;
    let value: &RawValue = serde_json::from_str(text).ok()?;
    // blanks around it would be lost, and null counts as nothing
    (value.get() == text && text != "null").then_some(text)
}

#[cfg(test)]
mod tests {
    use super::super::lines::tests::{message, written};
    use super::*;

    #[test]
    fn a_channel_and_its_schema_are_declared_once() {
        let mut raw = Raw::default();
        let first = message("json", Some(("T", "jsonschema", b"{}")), b"{\"x\": 1}");
        assert_eq!(
            written(&mut raw, &first),
            "{\"op\":\"schema\",\"name\":\"T\",\"encoding\":\"jsonschema\",\"schema\":\"{}\"}\n\
             {\"op\":\"channel\",\"topic\":\"/a\",\"encoding\":\"json\",\"schema\":\"T\"}\n\
             {\"topic\":\"/a\",\"log_time\":\"2017-03-22T02:26:20.103843113Z\",\"data\":{\"x\": 1}}\n"
        );
        assert_eq!(written(&mut raw, &first).lines().count(), 1);
        let changed = message("json", Some(("T", "jsonschema", b"{\"type\":\"object\"}")), b"{}");
        assert_eq!(written(&mut raw, &changed).lines().count(), 3);
    }

    #[test]
    fn binary_schemas_and_payloads_are_base64() {
        let lines =
            written(&mut Raw::default(), &message("protobuf", Some(("p.T", "protobuf", &[0xff])), &[0xfe]));
        assert!(lines.contains(r#""encoding":"protobuf","schema_base64":"/w=="}"#), "{lines}");
        assert!(lines.ends_with(",\"data_base64\":\"/g==\"}\n"), "{lines}");
    }

    #[test]
    fn json_that_cannot_stand_in_a_line_is_base64() {
        for payload in [&b"{\n}"[..], b" {}", b"{} ", b"{\"x\":NaN}", b"\xff", b"", b"null"] {
            assert_eq!(json("json", payload), None, "{payload:?}");
        }
        assert_eq!(json("json", b"[1,2]"), Some("[1,2]"));
        assert_eq!(json("cdr", b"{}"), None);
    }
}
