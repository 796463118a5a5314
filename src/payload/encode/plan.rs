//! What encoding needs to know of a type, looked up once: names, numbers and kinds of all fields.

use std::collections::HashMap;

use super::super::protobuf::WellKnown;

/// A type and all types its fields have; messages and enums refer to each other by index.
#[derive(Debug)]
pub(in crate::payload) struct Plan {
    /// Full name of the type.
    pub name: String,
    /// The type itself.
    pub root: Kind,
    /// Messages; may refer to themselves.
    pub messages: Vec<MessagePlan>,
    /// Enums.
    pub enums: Vec<EnumPlan>,
}

/// A message.
#[derive(Debug)]
pub(in crate::payload) struct MessagePlan {
    /// Full name.
    pub name: String,
    /// Fields in the order of their definition.
    pub fields: Vec<FieldPlan>,
    /// Both names of each field, to its index.
    pub by_name: HashMap<String, usize>,
}

/// A field.
#[derive(Debug)]
pub(in crate::payload) struct FieldPlan {
    /// As in the definition.
    pub name: String,
    /// Number on the wire.
    pub number: u32,
    /// How many values it has.
    pub shape: Shape,
    /// What they are.
    pub kind: Kind,
    /// Whether a default value is told from no value.
    pub presence: bool,
    /// Its group of alternatives, as an index within the message.
    pub oneof: Option<usize>,
    /// Whether a message without it is not valid.
    pub required: bool,
}

/// How many values a field has.
#[derive(Debug)]
pub(in crate::payload) enum Shape {
    One,
    /// A list, its values in one record.
    Packed,
    /// A list, each value a record.
    Repeated,
    /// The values by keys of this kind.
    Map(Kind),
}

/// An enum.
#[derive(Debug)]
pub(in crate::payload) struct EnumPlan {
    /// Full name.
    pub name: String,
    /// Names and numbers, in the order of the definition.
    pub values: Vec<(String, i32)>,
}

/// What a value is.
#[derive(Debug)]
pub(in crate::payload) enum Kind {
    Double,
    Float,
    Int32,
    Int64,
    Uint32,
    Uint64,
    Sint32,
    Sint64,
    Fixed32,
    Fixed64,
    Sfixed32,
    Sfixed64,
    Bool,
    String,
    Bytes,
    /// Index in [`Plan::enums`].
    Enum(usize),
    /// Index in [`Plan::messages`].
    Message(usize),
    /// `google.protobuf.Timestamp`.
    Timestamp,
    /// `google.protobuf.Duration`.
    Duration,
    /// Another type with a JSON form of its own.
    WellKnown(WellKnown),
    /// A proto2 group: no JSON form that anybody uses.
    Group,
}

impl Kind {
    /// How values lie on the wire: 0 varint, 1 eight bytes, 2 a length and bytes, 5 four bytes.
    pub(in crate::payload) fn wire_type(&self) -> u32 {
        match self {
            Self::Double | Self::Fixed64 | Self::Sfixed64 => 1,
            Self::Float | Self::Fixed32 | Self::Sfixed32 => 5,
            Self::Int32 | Self::Int64 | Self::Uint32 | Self::Uint64 => 0,
            Self::Sint32 | Self::Sint64 | Self::Bool | Self::Enum(_) => 0,
            Self::String | Self::Bytes | Self::Message(_) => 2,
            Self::Timestamp | Self::Duration | Self::WellKnown(_) => 2,
            Self::Group => 3,
        }
    }
}
