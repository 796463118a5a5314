//! Protobuf to the JSON that [`encode`](crate::payload::encode) reads.
//!
//! Fields may lie in any order on the wire, again and again: the records of a message are found first, and written in the
//! order of the definition. Nesting is limited as protobuf's own libraries limit it.

mod records;
mod scalar;
mod times;

use std::collections::HashMap;

use super::error::{DecodeError, DefinitionError, Result};
use super::out::Out;
use crate::model::Schema;
use crate::payload::encode::{EnumPlan, FieldPlan, Kind, Plan, Shape};
use crate::payload::protobuf::{Pool, WellKnown};
use crate::printable::{SHORT, printable};
use crate::suggest::nearest;
use records::{Record, Wire};

/// Messages within each other, as in Google's libraries.
const DEEPEST: usize = 100;

/// A type of messages.
#[derive(Debug)]
pub(super) struct Message {
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
        self.by_number.binary_search_by_key(&number, |(number, _)| *number).ok().map(|place| self.by_number[place].1)
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
            let hint = hint.map(|hint| format!("; did you mean '{}'?", printable(hint, SHORT))).unwrap_or_default();
            return Err(DefinitionError::new(format!("has no type '{}'{hint}", printable(name, SHORT))));
        };
        let plan = message.plan();
        let table = |fields: &[FieldPlan]| {
            let key = |field: &FieldPlan| format!("{}:", serde_json::Value::from(field.name.as_str())).into_bytes();
            let mut by_number: Vec<_> = fields.iter().enumerate().map(|(index, field)| (field.number, index)).collect();
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
        Ok(Self { plan, tables, values })
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

struct Writer<'a, 'o> {
    message: &'a Message,
    out: &'a mut Out<'o>,
    /// Of the messages around, and after them those of the one at hand.
    records: Vec<Record>,
}

impl<'a> Writer<'a, '_> {
    /// Writes a value that has a length on the wire and is no text.
    fn contents(&mut self, kind: &'a Kind, part: Part<'_>, depth: usize) -> Result<()> {
        if depth > DEEPEST {
            return Err(DecodeError::new(part.offset, format!("more than {DEEPEST} messages within each other")));
        }
        match kind {
            Kind::Message(index) => self.fields(*index, part, depth),
            Kind::Timestamp => times::timestamp(part, self.out),
            Kind::Duration => times::duration(part, self.out),
            Kind::WellKnown(kind) => self.well_known(kind, part),
            _ => Err(DecodeError::new(part.offset, "a group, which has no JSON form")),
        }
    }

    fn fields(&mut self, index: usize, part: Part<'_>, depth: usize) -> Result<()> {
        self.out.check(part.offset)?;
        let message = self.message;
        let (fields, table) = (&message.plan.messages[index].fields, &message.tables[index]);
        let first = self.records.len();
        records::find(part, table, fields, &mut self.records)?;
        if !self.records[first..].is_sorted_by_key(|record| record.field) {
            self.records[first..].sort_unstable_by_key(|record| (record.field, record.begin));
        }
        if table.has_oneof {
            records::keep_last_of_oneofs(fields, first, &mut self.records);
        }
        self.out.push(b'{');
        let mut at = first;
        for (index, field) in fields.iter().enumerate() {
            let begin = at;
            while self.records.get(at).is_some_and(|record| record.field == index) {
                at += 1;
            }
            if begin == at && field.presence && matches!(field.shape, Shape::One) {
                continue;
            }
            self.out.separate(b'{');
            self.out.raw(&table.keys[index]);
            let result = self.field(field, part, begin..at, depth);
            result.map_err(|error| error.in_field(&field.name))?;
        }
        self.out.push(b'}');
        self.records.truncate(first);
        Ok(())
    }

    /// Writes a field from all its records.
    fn field(&mut self, field: &'a FieldPlan, part: Part<'_>, records: std::ops::Range<usize>, depth: usize) -> Result<()> {
        match &field.shape {
            Shape::One => match (&field.kind, records.len()) {
                (Kind::Group, _) | (_, 0) => self.absent(field, part),
                (kind, 1) if is_nested(kind) => self.contents(kind, self.records[records.start].part(part), depth + 1),
                // what comes again is merged, which is what its records are one after the other
                (kind, _) if is_nested(kind) => {
                    let parts = self.records[records.clone()].iter().map(|record| record.part(part).bytes);
                    let merged: Vec<u8> = parts.flatten().copied().collect();
                    let offset = self.records[records.start].begin + part.offset;
                    self.contents(kind, Part { bytes: &merged, offset }, depth + 1)
                }
                (kind, _) => self.scalar(kind, self.records[records.end - 1], part),
            },
            Shape::Packed | Shape::Repeated => self.list(&field.kind, part, records, depth),
            Shape::Map(key) => self.map(key, &field.kind, part, records, depth),
        }
    }

    fn absent(&mut self, field: &FieldPlan, part: Part<'_>) -> Result<()> {
        match &field.kind {
            Kind::Group => Err(DecodeError::new(part.offset, "a group, which has no JSON form")),
            kind => { self.default_of(kind); Ok(()) }
        }
    }

    fn list(&mut self, kind: &'a Kind, part: Part<'_>, records: std::ops::Range<usize>, depth: usize) -> Result<()> {
        self.out.push(b'[');
        let mut count = 0;
        for record in records {
            let record = self.records[record];
            if record.wire == Wire::Bytes && kind.wire_type() != 2 {
                let mut packed = record.part(part);
                while !packed.bytes.is_empty() {
                    let value = records::next_packed(packed, kind).map_err(|error| error.in_element(count))?;
                    self.element(&mut count, kind, value, packed, depth)?;
                    packed = packed.after(value.end);
                }
            } else {
                self.element(&mut count, kind, record, part, depth)?;
            }
        }
        self.out.end_array(count - self.out.shown(count));
        Ok(())
    }

    /// Writes an element of an array, unless enough are shown.
    fn element(&mut self, count: &mut usize, kind: &'a Kind, record: Record, part: Part<'_>, depth: usize) -> Result<()> {
        let index = *count;
        *count += 1;
        if self.out.shown(*count) < *count {
            return Ok(());
        }
        if index > 0 {
            self.out.push(b',');
        }
        let result = match kind {
            kind if is_nested(kind) => self.contents(kind, record.part(part), depth + 1),
            kind => self.scalar(kind, record, part),
        };
        result.map_err(|error| error.in_element(index))
    }

    /// Entries in the order of the payload; of a key that comes again the last one counts.
    fn map(&mut self, key: &'a Kind, kind: &'a Kind, part: Part<'_>, records: std::ops::Range<usize>, depth: usize) -> Result<()> {
        let mut last = HashMap::new();
        for index in records.clone() {
            let record = self.records[index];
            last.insert(scalar::key(key, record.part(part))?, index);
        }
        self.out.push(b'{');
        for index in records {
            let entry = self.records[index].part(part);
            let name = scalar::key(key, entry)?;
            if last.get(&name) != Some(&index) {
                continue;
            }
            self.out.separate(b'{');
            self.out.value(&name);
            self.out.push(b':');
            self.entry(kind, entry, depth).map_err(|error| error.in_field(&name))?;
        }
        self.out.push(b'}');
        Ok(())
    }

    /// The value of an entry of a map, which is a message with the value as field 2.
    fn entry(&mut self, kind: &'a Kind, entry: Part<'_>, depth: usize) -> Result<()> {
        match records::last(entry, 2, kind)? {
            Some(record) if is_nested(kind) => self.contents(kind, record.part(entry), depth + 2),
            Some(record) => self.scalar(kind, record, entry),
            None if is_nested(kind) => self.contents(kind, Part { bytes: &[], offset: entry.offset }, depth + 2),
            None => { self.default_of(kind); Ok(()) }
        }
    }

    /// Wrappers are their value, the others what the library makes of them.
    fn well_known(&mut self, known: &'a WellKnown, part: Part<'_>) -> Result<()> {
        let kind = match known.name() {
            "DoubleValue" => Kind::Double,
            "FloatValue" => Kind::Float,
            "Int64Value" => Kind::Int64,
            "UInt64Value" => Kind::Uint64,
            "Int32Value" => Kind::Int32,
            "UInt32Value" => Kind::Uint32,
            "BoolValue" => Kind::Bool,
            "StringValue" => Kind::String,
            "BytesValue" => Kind::Bytes,
            "Any" => return self.any(known, part),
            _ => {
                let json = known.json(part.bytes).map_err(|reason| DecodeError::new(part.offset, reason))?;
                self.out.raw(json.as_bytes());
                return Ok(());
            }
        };
        match records::last(part, 1, &kind)? {
            Some(record) => self.scalar(&kind, record, part),
            None => { self.default_of(&kind); Ok(()) }
        }
    }

    /// A message of any type, as bytes if the schema does not have its type.
    fn any(&mut self, known: &WellKnown, part: Part<'_>) -> Result<()> {
        if let Ok(json) = known.json(part.bytes) {
            self.out.raw(json.as_bytes());
            return Ok(());
        }
        self.out.raw(b"{\"@type\":");
        for (number, kind, key) in [(1, Kind::String, &b",\"value\":"[..]), (2, Kind::Bytes, b"}")] {
            match records::last(part, number, &kind)? {
                Some(record) => self.scalar(&kind, record, part)?,
                None => self.default_of(&kind),
            }
            self.out.raw(key);
        }
        Ok(())
    }
}

/// Whether values of a kind are messages, or have a JSON form of their own.
fn is_nested(kind: &Kind) -> bool {
    matches!(kind, Kind::Message(_) | Kind::Timestamp | Kind::Duration | Kind::WellKnown(_))
}
