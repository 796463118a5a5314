//! Looks up what encoding needs to know of a type.

use std::collections::HashMap;

use prost_reflect::{self as reflect, EnumDescriptor, FieldDescriptor, MessageDescriptor};

use super::super::encode::{EnumPlan, FieldPlan, Kind, MessagePlan, Plan, Shape};
use super::{Message, WellKnown};

impl Message {
    /// The plan of this type and of all types its fields have.
    pub(in crate::payload) fn plan(&self) -> Plan {
        let mut found = Found::default();
        let root = found.message_kind(&self.0);
        let mut messages = Vec::new();
        while let Some(message) = found.messages.get(messages.len()).cloned() {
            messages.push(found.message(&message));
        }
        Plan { name: self.name().to_owned(), root, messages, enums: found.enums }
    }
}

/// Types in the order in which they were met; a type's place is its index in the plan.
#[derive(Default)]
struct Found {
    messages: Vec<MessageDescriptor>,
    message_indices: HashMap<String, usize>,
    enums: Vec<EnumPlan>,
    enum_indices: HashMap<String, usize>,
}

impl Found {
    fn message(&mut self, message: &MessageDescriptor) -> MessagePlan {
        let mut by_name = HashMap::new();
        let mut fields = Vec::new();
        // in the order of the definition, which the descriptor's own list does not keep
        let numbers = message.descriptor_proto().field.iter().map(|field| field.number().cast_unsigned());
        let in_order = numbers.filter_map(|number| message.get_field(number));
        for (index, field) in in_order.enumerate() {
            by_name.insert(field.name().to_owned(), index);
            by_name.entry(field.json_name().to_owned()).or_insert(index);
            fields.push(self.field(&field));
        }
        // a name in the definition comes before the JSON name of another field
        for (index, field) in fields.iter().enumerate() {
            by_name.insert(field.name.clone(), index);
        }
        MessagePlan { name: message.full_name().to_owned(), fields, by_name }
    }

    fn field(&mut self, field: &FieldDescriptor) -> FieldPlan {
        let (shape, kind) = match field.kind() {
            reflect::Kind::Message(entry) if field.is_map() => {
                let key = self.kind(&entry.map_entry_key_field());
                (Shape::Map(key), self.kind(&entry.map_entry_value_field()))
            }
            _ if field.is_list() && field.is_packed() => (Shape::Packed, self.kind(field)),
            _ if field.is_list() => (Shape::Repeated, self.kind(field)),
            _ => (Shape::One, self.kind(field)),
        };
        FieldPlan {
            name: field.name().to_owned(),
            number: field.number(),
            shape,
            kind,
            presence: field.supports_presence(),
            oneof: field.containing_oneof().map(|oneof| index_of(&oneof)),
            required: field.is_required(),
        }
    }

    fn kind(&mut self, field: &FieldDescriptor) -> Kind {
        if field.is_group() {
            return Kind::Group;
        }
        match field.kind() {
            reflect::Kind::Double => Kind::Double,
            reflect::Kind::Float => Kind::Float,
            reflect::Kind::Int32 => Kind::Int32,
            reflect::Kind::Int64 => Kind::Int64,
            reflect::Kind::Uint32 => Kind::Uint32,
            reflect::Kind::Uint64 => Kind::Uint64,
            reflect::Kind::Sint32 => Kind::Sint32,
            reflect::Kind::Sint64 => Kind::Sint64,
            reflect::Kind::Fixed32 => Kind::Fixed32,
            reflect::Kind::Fixed64 => Kind::Fixed64,
            reflect::Kind::Sfixed32 => Kind::Sfixed32,
            reflect::Kind::Sfixed64 => Kind::Sfixed64,
            reflect::Kind::Bool => Kind::Bool,
            reflect::Kind::String => Kind::String,
            reflect::Kind::Bytes => Kind::Bytes,
            reflect::Kind::Enum(values) => Kind::Enum(self.enum_index(&values)),
            reflect::Kind::Message(message) => self.message_kind(&message),
        }
    }

    fn message_kind(&mut self, message: &MessageDescriptor) -> Kind {
        match message.full_name() {
            "google.protobuf.Timestamp" => return Kind::Timestamp,
            "google.protobuf.Duration" => return Kind::Duration,
            _ => {}
        }
        if let Some(kind) = WellKnown::of(message) {
            return Kind::WellKnown(kind);
        }
        let next = self.messages.len();
        let index = *self.message_indices.entry(message.full_name().to_owned()).or_insert(next);
        if index == next {
            self.messages.push(message.clone());
        }
        Kind::Message(index)
    }

    fn enum_index(&mut self, values: &EnumDescriptor) -> usize {
        let next = self.enums.len();
        let index = *self.enum_indices.entry(values.full_name().to_owned()).or_insert(next);
        if index == next {
            let values_name = values.full_name().to_owned();
            // in the order of the definition, which the descriptor's own list does not keep
            let values = values.enum_descriptor_proto().value.iter();
            let values = values.map(|value| (value.name().to_owned(), value.number()));
            let name = values_name;
            self.enums.push(EnumPlan { name, values: values.collect() });
        }
        index
    }
}

fn index_of(oneof: &reflect::OneofDescriptor) -> usize {
    oneof.parent_message().oneofs().position(|other| other == *oneof).unwrap_or(0)
}
