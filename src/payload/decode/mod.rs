//! Payloads to JSON, written in one pass without a tree of values between.
//!
//! A [`Decoder`] is made once for an encoding and a schema, which costs far more than a message; [`Decoders`] keeps those
//! that were made.
//!
//! | message encoding | schema encodings | JSON |
//! | --- | --- | --- |
//! | `ros1` | `ros1msg` | an object of the fields |
//! | `cdr` | `ros2msg`, `ros2idl`, `omgidl` | the same; enums by name |
//! | `protobuf` | `protobuf` | the JSON mapping of protobuf: times as RFC 3339 text, durations like `"1.5s"`, enums by name; names of fields as in the definition |
//! | `flatbuffer` | `flatbuffer` | an object of the fields; enums by name |
//! | `json` | any | as it is, but on one line |
//! | any other | any | a string of base64, see [`Decoder::is_base64`] |
//!
//! In all of them:
//!
//! - Fields come in the order of the definition, with those that have default values; what protobuf and FlatBuffers tell from
//!   a default value as absent is left out.
//! - Integers of 64 bits are numbers, with every digit. Numbers of 32 bits have the digits that tell them from others of
//!   32 bits.
//! - Arrays of bytes (`uint8`, `octet`, ROS 2 `byte`, `bytes`) are strings of base64. `char` is a number, as ROS has it.
//! - Times of ROS are `{"sec":…,"nsec":…}`, also those of ROS 2, whose definition says `nanosec`: viewers show them so, and
//!   message paths and scripts written for one fit the other.
//! - Text that is not UTF-8 gets replacement characters.
//!
//! What a payload claims is checked against its length before anything is done about it. Bounds: nesting of 64 types, and
//! 64 MiB of JSON plus 32 times the payload.

use crate::model::Schema;

mod definition;
mod error;
mod flatbuffer;
mod json;
mod kept;
mod out;
mod protobuf;
mod ros;

pub use error::{DecodeError, DecodeErrorKind, DefinitionError};
pub use kept::Decoders;
pub(super) use protobuf::Viewer;

use super::NanPolicy;
use definition::{Dialect, Layout};
use out::Out;
use ros::Encoding;

/// How JSON is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct JsonOptions {
    /// What becomes of NaN and the infinities.
    pub nan: NanPolicy,
    /// Whether long values are shortened.
    pub length: Length,
}

/// How much of long values is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Length {
    /// All.
    #[default]
    Whole,
    /// The beginning, and how much there is: `"iVBORw0K… (48213 bytes)"`, `[1,2,3,"… 997 more"]`. Still JSON, to look at.
    Short,
}

/// Writes payloads of one kind as JSON.
///
/// ```
/// use foxglove_bridge::model::Schema;
/// use foxglove_bridge::payload::{Decoder, JsonOptions};
///
/// let schema = Schema {
///     name: "pkg/msg/Reading".into(),
///     encoding: "ros2msg".into(),
///     data: "string name\nfloat32 value".into(),
/// };
/// let decoder = Decoder::new("cdr", Some(&schema))?;
/// let mut json = Vec::new();
/// decoder.to_json(b"\0\x01\0\0\x02\0\0\0a\0\0\0\0\0\xc0\x3f", &JsonOptions::default(), &mut json)?;
/// assert_eq!(json, br#"{"name":"a","value":1.5}"#);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Decoder(Form);

#[derive(Debug)]
enum Form {
    Ros(Encoding, Layout),
    Protobuf(Box<protobuf::Message>),
    Flatbuffer(flatbuffer::Message),
    Json,
    Base64,
}

impl Decoder {
    /// A decoder for the payloads of a channel. An error if its definition is broken, absent, or needs what is not
    /// supported; [`Decoder::base64`] takes the payloads even so.
    pub fn new(message_encoding: &str, schema: Option<&Schema>) -> Result<Self, DefinitionError> {
        let schema_for = |encodings: &[&str]| {
            let schema =
                schema.ok_or_else(|| DefinitionError::new("there is none, the channel has no schema"))?;
            if encodings.contains(&schema.encoding.as_str()) {
                return Ok(schema);
            }
            let (found, wanted) = (&schema.encoding, encodings.join(", "));
            Err(DefinitionError::new(format!(
                "is '{found}', but messages in {message_encoding} need one of {wanted}"
            )))
        };
        let form = match message_encoding {
            "ros1" => Form::Ros(Encoding::Ros1, definition::ros(schema_for(&["ros1msg"])?, Dialect::Ros1)?),
            "cdr" => {
                let schema = schema_for(&["ros2msg", "ros2idl", "omgidl"])?;
                let layout = match schema.encoding.as_str() {
                    "ros2msg" => definition::ros(schema, Dialect::Ros2)?,
                    _ => definition::idl(schema)?,
                };
                Form::Ros(Encoding::Cdr, layout)
            }
            "protobuf" => Form::Protobuf(Box::new(protobuf::Message::new(schema_for(&["protobuf"])?)?)),
            "flatbuffer" => Form::Flatbuffer(flatbuffer::Message::new(schema_for(&["flatbuffer"])?)?),
            "json" => Form::Json,
            _ => Form::Base64,
        };
        Ok(Self(form))
    }

    /// A decoder that takes any payload.
    pub fn base64() -> Self {
        Self(Form::Base64)
    }

    /// Whether payloads become strings of base64 since nothing is known of them.
    pub fn is_base64(&self) -> bool {
        matches!(self.0, Form::Base64)
    }

    /// Appends a payload as JSON, without a line break; an error leaves `out` as it was.
    ///
    /// Returns how many bytes of the payload are left over. Up to three are padding in CDR and count as none; more tell that
    /// the writer had another definition, whose first fields may be the same.
    pub fn to_json(
        &self,
        payload: &[u8],
        options: &JsonOptions,
        out: &mut Vec<u8>,
    ) -> Result<usize, DecodeError> {
        let start = out.len();
        let mut writer = Out::new(out, *options, payload.len());
        let left = match &self.0 {
            Form::Ros(encoding, layout) => ros::write(*encoding, layout, payload, &mut writer),
            Form::Protobuf(message) => message.write(payload, &mut writer).map(|()| 0),
            Form::Flatbuffer(message) => message.write(payload, &mut writer).map(|()| 0),
            Form::Json => json::write(payload, &mut writer).map(|()| 0),
            Form::Base64 => {
                writer.base64(payload);
                Ok(0)
            }
        };
        left.map_err(|error| {
            out.truncate(start);
            *error
        })
    }
}

#[cfg(test)]
mod tests;
