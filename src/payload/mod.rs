//! One message's JSON to the bytes of its payload, and payloads to JSON.
//!
//! A [`Decoder`] writes payloads of ROS 1, ROS 2 and DDS, protobuf, FlatBuffers and JSON as JSON. The rest is the other way: to
//! protobuf, or to the JSON that viewers read.
//!
//! [`Types`] knows the schemas `foxglove.*` and those that the user adds ([`TypeOptions`]); a [`MessageType`] encodes. The input
//! is the JSON mapping of protobuf: RFC 3339 times, durations like `"1.5s"`, enum names or numbers, base64 bytes, 64-bit
//! integers as strings or numbers, names in camel or snake case. Times and durations may also be
//! `{"sec":…,"nsec":…}`, times also numbers; levels of `foxglove.Log` also those of ROS and Python. A field that the type does not have is an error, so that nothing is lost unseen.
//!
//! Everything but `load.rs` is pure: bytes in, bytes out.

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use crate::model::Schema;

mod decode;
mod encode;
mod imports;
mod json_schema;
pub(crate) mod latest;
mod load;
pub(crate) mod nan;
mod protobuf;
pub(crate) mod transforms;
mod types;

pub use crate::numeric_time::Zone;
pub use decode::{DecodeError, DecodeErrorKind, Decoder, Decoders, DefinitionError, JsonOptions, Length};
pub use encode::EncodeError;
pub use load::{TypesError, TypesHint};
pub use nan::NanPolicy;
pub(crate) use protobuf::{schema as protobuf_schema, schema_in as protobuf_schema_in};
pub use types::Types;

/// What messages of a known type are sent as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum JsonAs {
    /// Protobuf: compact, and every viewer reads it.
    #[default]
    Protobuf,
    /// JSON with a JSON Schema, with times as `{"sec","nsec"}` and enums as numbers.
    Json,
}

impl FromStr for JsonAs {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "protobuf" => Ok(Self::Protobuf),
            "json" => Ok(Self::Json),
            _ => Err(format!("'{text}' is neither protobuf nor json")),
        }
    }
}

/// Which types there are, and what their messages become.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TypeOptions {
    /// Files that define types: `.proto`, or compiled descriptor sets (`.desc`, `.binpb`, `.bin`, `.fds`, `.pb`).
    pub proto: Vec<PathBuf>,
    /// Folders in which `.proto` files find what they import.
    pub proto_path: Vec<PathBuf>,
    /// What messages are sent as.
    pub json_as: JsonAs,
}

/// How JSON of one type becomes a payload.
#[derive(Debug)]
pub struct MessageType {
    schema: Arc<Schema>,
    form: Form,
    plan: encode::Plan,
}

#[derive(Debug)]
enum Form {
    Protobuf,
    Json(decode::Viewer),
}

impl MessageType {
    fn new(message: &protobuf::Message, json_as: JsonAs) -> Self {
        let plan = message.plan();
        let (encoding, data, form) = match json_as {
            JsonAs::Protobuf => ("protobuf", message.descriptor_set().into(), Form::Protobuf),
            JsonAs::Json => (
                "jsonschema",
                json_schema::derive(&plan).into_bytes().into(),
                Form::Json(decode::Viewer::new(message.plan())),
            ),
        };
        let schema = Schema { name: message.name().to_owned(), encoding: encoding.to_owned(), data };
        Self { schema: Arc::new(schema), form, plan }
    }

    /// What viewers need to decode the payloads: encoding `protobuf` with a set of descriptors that holds all files
    /// the type needs, each after those it imports; or `jsonschema` within the limits of viewers.
    pub fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    /// The message encoding of a channel of this type: `protobuf` or `json`.
    pub fn message_encoding(&self) -> &'static str {
        match self.form {
            Form::Protobuf => "protobuf",
            Form::Json(_) => "json",
        }
    }

    /// Appends the payload of one message to `out`, which an error leaves as it was. Returns whether all its times said
    /// their offset from UTC; those that did not were taken as UTC.
    pub fn encode(&self, json: &str, out: &mut Vec<u8>) -> Result<Zone, EncodeError> {
        match &self.form {
            Form::Protobuf => encode::encode(&self.plan, json, out),
            Form::Json(viewer) => {
                let mut message = Vec::new();
                let zone = encode::encode(&self.plan, json, &mut message)?;
                let start = out.len();
                viewer.write(&message, out).map(|()| zone).map_err(|error| {
                    out.truncate(start);
                    EncodeError { type_name: self.plan.name.clone(), path: error.path, reason: error.reason }
                })
            }
        }
    }
}

#[cfg(test)]
mod tests;
