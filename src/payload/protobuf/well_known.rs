//! The types of `google.protobuf` whose JSON is not an object of their fields; times are not among them, being
//! frequent and having two forms.

use prost_reflect::prost::Message as _;
use prost_reflect::{DynamicMessage, MessageDescriptor};

/// Such a type.
#[derive(Debug, Clone)]
pub(in crate::payload) struct WellKnown(MessageDescriptor);

impl WellKnown {
    /// The type, if it is one of these.
    pub(super) fn of(message: &MessageDescriptor) -> Option<Self> {
        const NAMES: [&str; 15] = [
            "Any",
            "Struct",
            "Value",
            "ListValue",
            "FieldMask",
            "Empty",
            "DoubleValue",
            "FloatValue",
            "Int64Value",
            "UInt64Value",
            "Int32Value",
            "UInt32Value",
            "BoolValue",
            "StringValue",
            "BytesValue",
        ];
        let name = message.full_name().strip_prefix("google.protobuf.")?;
        NAMES.contains(&name).then(|| Self(message.clone()))
    }

    /// Name within `google.protobuf`.
    pub(in crate::payload) fn name(&self) -> &str {
        self.0.name()
    }

    /// Whether `null` is a value of it, rather than none.
    pub(in crate::payload) fn takes_null(&self) -> bool {
        self.name() == "Value"
    }

    /// Appends the message.
    pub(in crate::payload) fn encode(&self, json: &str, out: &mut Vec<u8>) -> Result<(), String> {
        let mut deserializer = serde_json::Deserializer::from_str(json);
        let message = DynamicMessage::deserialize(self.0.clone(), &mut deserializer);
        let message = message.and_then(|message| deserializer.end().map(|()| message));
        let message = message.map_err(|error| error.to_string())?;
        // a vector grows as needed
        message.encode(out).map_err(|error| error.to_string())
    }

    /// The message as JSON.
    pub(in crate::payload) fn json(&self, protobuf: &[u8]) -> Result<String, String> {
        let message = DynamicMessage::decode(self.0.clone(), protobuf).map_err(|error| error.to_string())?;
        serde_json::to_string(&message).map_err(|error| error.to_string())
    }
}
