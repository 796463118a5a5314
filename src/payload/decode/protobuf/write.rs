//! Goes through the fields of a message in the order of the definition.

use std::collections::HashMap;
use std::ops::Range;

use super::super::error::{DecodeError, Result};
use super::super::out::Out;
use super::records::{self, Record, Wire};
use super::{Form, Message, Part, scalar, times};
use crate::payload::encode::{FieldPlan, Kind, Shape};

/// Messages within each other, as in Google's libraries.
const DEEPEST: usize = 100;

/// Writes a payload.
pub(super) struct Writer<'a, 'o> {
    pub(super) message: &'a Message,
    pub(super) out: &'a mut Out<'o>,
    /// Of the messages around, and after them those of the one at hand.
    pub(super) records: Vec<Record>,
}

impl<'a> Writer<'a, '_> {
    /// Writes a value that has a length on the wire and is no text.
    pub(super) fn contents(&mut self, kind: &'a Kind, part: Part<'_>, depth: usize) -> Result<()> {
        check_depth(part, depth)?;
        match kind {
            Kind::Message(index) => self.fields(*index, part, depth),
            Kind::Timestamp | Kind::Duration if self.message.form == Form::Viewers => {
                times::object(part, self.out)
            }
            Kind::Timestamp => times::timestamp(part, self.out),
            Kind::Duration => times::duration(part, self.out),
            Kind::WellKnown(known) => self.well_known(known, part, depth),
            _ => Err(DecodeError::unsupported(part.offset, "a group, which has no JSON form")),
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
    fn field(
        &mut self,
        field: &'a FieldPlan,
        part: Part<'_>,
        records: Range<usize>,
        depth: usize,
    ) -> Result<()> {
        match &field.shape {
            Shape::One => match (&field.kind, records.len()) {
                (Kind::Group, _) | (_, 0) => self.absent(field, part),
                (kind, 1) if is_nested(kind) => {
                    self.contents(kind, self.records[records.start].part(part), depth + 1)
                }
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
            Shape::Map(key) => {
                self.map(key, part, records, |writer, entry| writer.entry(&field.kind, entry, depth))
            }
        }
    }

    fn absent(&mut self, field: &FieldPlan, part: Part<'_>) -> Result<()> {
        match &field.kind {
            Kind::Group => Err(DecodeError::unsupported(part.offset, "a group, which has no JSON form")),
            kind => {
                self.default_of(kind);
                Ok(())
            }
        }
    }

    fn list(&mut self, kind: &'a Kind, part: Part<'_>, records: Range<usize>, depth: usize) -> Result<()> {
        self.out.push(b'[');
        let mut count = 0;
        for record in records {
            let record = self.records[record];
            if record.wire == Wire::Bytes && kind.wire_type() != 2 {
                let mut packed = record.part(part);
                while !packed.bytes.is_empty() {
                    let value =
                        records::next_packed(packed, kind).map_err(|error| error.in_element(count))?;
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
    fn element(
        &mut self,
        count: &mut usize,
        kind: &'a Kind,
        record: Record,
        part: Part<'_>,
        depth: usize,
    ) -> Result<()> {
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
    pub(super) fn map(
        &mut self,
        key: &Kind,
        part: Part<'_>,
        records: Range<usize>,
        mut value: impl FnMut(&mut Self, Part<'_>) -> Result<()>,
    ) -> Result<()> {
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
            value(self, entry).map_err(|error| error.in_field(&name))?;
        }
        self.out.push(b'}');
        Ok(())
    }

    /// The value of an entry of a map, which is a message with the value as field 2.
    fn entry(&mut self, kind: &'a Kind, entry: Part<'_>, depth: usize) -> Result<()> {
        match records::last(entry, 2, kind)? {
            Some(record) if is_nested(kind) => self.contents(kind, record.part(entry), depth + 2),
            Some(record) => self.scalar(kind, record, entry),
            None if is_nested(kind) => {
                self.contents(kind, Part { bytes: &[], offset: entry.offset }, depth + 2)
            }
            None => {
                self.default_of(kind);
                Ok(())
            }
        }
    }
}

/// An error for a message that is too deep within others.
pub(super) fn check_depth(part: Part<'_>, depth: usize) -> Result<()> {
    if depth <= DEEPEST {
        return Ok(());
    }
    Err(DecodeError::unsupported(part.offset, format!("more than {DEEPEST} messages within each other")))
}

/// Whether values of a kind are messages, or have a JSON form of their own.
fn is_nested(kind: &Kind) -> bool {
    matches!(kind, Kind::Message(_) | Kind::Timestamp | Kind::Duration | Kind::WellKnown(_))
}
