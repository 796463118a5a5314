//! Protobuf to the JSON that [`encode`](crate::payload::encode) reads.
//!
//! Fields may lie in any order on the wire, again and again: the records of a message are found first, and written in the
//! order of the definition. Nesting is limited as protobuf's own libraries limit it.

mod records;
mod scalar;
mod times;
mod well_known;
mod write;

use std::collections::HashMap;

use super::JsonOptions;
use super::error::{DefinitionError, Result};
use super::out::Out;
use crate::model::Schema;
use crate::payload::encode::{EnumPlan, FieldPlan, Plan};
use crate::payload::protobuf::Pool;
use crate::printable::{SHORT, printable};
use crate::suggest::nearest;
use write::Writer;

/// What times and enums are in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Text and names, as in the JSON mapping of protobuf.
    Mapping,
    /// `{"sec","nsec"}` and numbers.
    Viewers,
}

/// Messages as the JSON that viewers read: times as `{"sec","nsec"}`, enums as numbers, NaN and the infinities as `null`.
#[derive(Debug)]
pub(in crate::payload) struct Viewer(Message);

impl Viewer {
    pub(in crate::payload) fn new(plan: Plan) -> Self {
        Self(Message::of(plan, Form::Viewers))
    }

    /// Appends a message, given as protobuf; an error leaves a part of it behind.
    pub(in crate::payload) fn write(&self, protobuf: &[u8], out: &mut Vec<u8>) -> Result<()> {
        self.0.write(protobuf, &mut Out::new(out, JsonOptions::default(), protobuf.len()))
    }
}

/// A type of messages.
#[derive(Debug)]
pub(super) struct Message {
    form: Form,
    plan: Plan,
    /// For each message of the plan.
    tables: Vec<Table>,
    /// For each enum of the plan, the places of its values by number; the first name of a number counts.
    values: Vec<HashMap<i32, usize>>,
}

/// What decoding needs beside the plan.
#[derive(Debug)]
struct Table {
    /// `"name":` of each field.
    keys: Vec<Vec<u8>>,
    /// Numbers of fields and their indices, sorted.
    by_number: Vec<(u32, usize)>,
    /// Whether of some fields only one can be there.
    has_oneof: bool,
}

impl Table {
    fn field(&self, number: u32) -> Option<usize> {
        let likely = (number as usize).checked_sub(1).and_then(|place| self.by_number.get(place));
        if let Some((_, index)) = likely.filter(|(found, _)| *found == number) {
            return Some(*index);
        }
        self.by_number
            .binary_search_by_key(&number, |(number, _)| *number)
            .ok()
            .map(|place| self.by_number[place].1)
    }
}

impl Message {
    /// The type that a schema is of.
    pub(super) fn new(schema: &Schema) -> std::result::Result<Self, DefinitionError> {
        let pool = Pool::decode(&schema.data, None).map_err(DefinitionError::new)?;
        let name = schema.name.strip_prefix('.').unwrap_or(&schema.name);
        let Some(message) = pool.messages().find(|message| message.name() == name) else {
            let all: Vec<_> = pool.messages().collect();
            let hint = nearest(name, all.iter().map(|message| message.name()));
            let hint =
                hint.map(|hint| format!("; did you mean '{}'?", printable(hint, SHORT))).unwrap_or_default();
            return Err(DefinitionError::new(format!("has no type '{}'{hint}", printable(name, SHORT))));
        };
        Ok(Self::of(message.plan(), Form::Mapping))
    }

    fn of(plan: Plan, form: Form) -> Self {
        let table = |fields: &[FieldPlan]| {
            let key =
                |field: &FieldPlan| format!("{}:", serde_json::Value::from(field.name.as_str())).into_bytes();
            let mut by_number: Vec<_> =
                fields.iter().enumerate().map(|(index, field)| (field.number, index)).collect();
            by_number.sort_unstable();
            let mut oneofs: Vec<_> = fields.iter().filter_map(|field| field.oneof).collect();
            oneofs.sort_unstable();
            let has_oneof = oneofs.windows(2).any(|pair| pair[0] == pair[1]);
            Table { keys: fields.iter().map(key).collect(), by_number, has_oneof }
        };
        let tables = plan.messages.iter().map(|message| table(&message.fields)).collect();
        let numbers = |values: &EnumPlan| {
            values.values.iter().enumerate().rev().map(|(place, (_, number))| (*number, place)).collect()
        };
        let values = plan.enums.iter().map(numbers).collect();
        Self { form, plan, tables, values }
    }

    /// Writes a payload.
    pub(super) fn write(&self, payload: &[u8], out: &mut Out<'_>) -> Result<()> {
        let mut writer = Writer { message: self, out, records: Vec::new() };
        writer.contents(&self.plan.root, Part { bytes: payload, offset: 0 }, 0)
    }
}

/// A part of a payload.
#[derive(Clone, Copy)]
struct Part<'p> {
    bytes: &'p [u8],
    /// Where it lies.
    offset: usize,
}

impl Part<'_> {
    /// What comes after its first bytes.
    fn after(self, length: usize) -> Self {
        Self { bytes: self.bytes.get(length..).unwrap_or_default(), offset: self.offset + length }
    }
}
