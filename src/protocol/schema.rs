//! Schemas as text: what is binary in a recording goes into `advertise` as base64.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

use crate::model::Schema;

/// The schema of JSON messages about which nothing is known.
///
/// Viewers decode JSON without it, but show it in no panel that needs to know the type.
pub(super) const ANY_JSON: &str = r#"{"type":"object"}"#;

/// A schema in an advertisement that can't be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("schema of encoding '{encoding}' is not base64: {reason}")]
pub struct BadSchema {
    /// The schema encoding, as advertised or as it follows from the message encoding.
    pub encoding: String,
    /// What is wrong with the text.
    pub reason: String,
}

/// Whether schemas of this encoding are binary, and hence base64 in text.
///
/// An advertisement that names no schema encoding means the one that belongs to the message encoding.
fn is_binary(schema_encoding: &str, message_encoding: &str) -> bool {
    let encoding = if schema_encoding.is_empty() { message_encoding } else { schema_encoding };
    matches!(encoding, "protobuf" | "flatbuffer")
}

/// The text for a schema; an error says why there is none.
pub(super) fn encode(schema: &Schema, message_encoding: &str) -> Result<String, String> {
    if is_binary(&schema.encoding, message_encoding) {
        return Ok(STANDARD.encode(&schema.data));
    }
    match std::str::from_utf8(&schema.data) {
        Ok(text) => Ok(text.to_owned()),
        Err(_) => Err(format!(
            "its schema '{}' of encoding '{}' is not text, and that encoding is not known to be binary",
            schema.name, schema.encoding
        )),
    }
}

/// The data of a schema from its text.
pub(super) fn decode(text: &str, schema_encoding: &str, message_encoding: &str) -> Result<Bytes, BadSchema> {
    if !is_binary(schema_encoding, message_encoding) {
        return Ok(Bytes::copy_from_slice(text.as_bytes()));
    }
    let encoding = if schema_encoding.is_empty() { message_encoding } else { schema_encoding };
    STANDARD
        .decode(text)
        .map(Bytes::from)
        .map_err(|error| BadSchema { encoding: encoding.to_owned(), reason: error.to_string() })
}
