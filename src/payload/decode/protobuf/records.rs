//! The wire of protobuf: records of a number, a kind of wire and a value
//! (<https://protobuf.dev/programming-guides/encoding/>).

use std::collections::HashMap;

use super::super::error::{DecodeError, Result};
use super::{Part, Table};
use crate::payload::encode::{FieldPlan, Kind, Shape};

/// How a value lies on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wire {
    Varint,
    Eight,
    Bytes,
    Four,
    Group,
}

/// A value of a field, within the bytes of its message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Record {
    /// Index of the field in its message.
    pub(super) field: usize,
    pub(super) wire: Wire,
    pub(super) begin: usize,
    pub(super) end: usize,
}

impl Record {
    /// The bytes of the value.
    pub(super) fn part<'p>(&self, of: Part<'p>) -> Part<'p> {
        Part { bytes: of.bytes.get(self.begin..self.end).unwrap_or_default(), offset: of.offset + self.begin }
    }
}

/// Appends the records of all known fields of a message.
pub(super) fn find(
    message: Part<'_>,
    table: &Table,
    fields: &[FieldPlan],
    found: &mut Vec<Record>,
) -> Result<()> {
    each(message, |number, record| {
        // a field whose kind has changed is one that is not known
        if let Some(field) = table.field(number).filter(|field| fits(&fields[*field], record.wire)) {
            found.push(Record { field, ..record });
        }
    })
}

/// Visits all records of a message that needs no table: numbers of fields, and where their values lie.
pub(super) fn each(message: Part<'_>, mut visit: impl FnMut(u32, Record)) -> Result<()> {
    let mut at = 0;
    while at < message.bytes.len() {
        let (number, wire, begin, end) = next(message, at)?;
        at = end;
        visit(number, Record { field: 0, wire, begin, end });
    }
    Ok(())
}

/// The last record of a number, if its field is of that kind.
pub(super) fn last(message: Part<'_>, number: u32, kind: &Kind) -> Result<Option<Record>> {
    let mut found = None;
    each(message, |this, record| {
        if this == number && record.wire == wire_of(kind) {
            found = Some(record);
        }
    })?;
    Ok(found)
}

/// Of the fields of which a message has one at most, all go but the one that came last.
pub(super) fn keep_last_of_oneofs(fields: &[FieldPlan], first: usize, records: &mut Vec<Record>) {
    let mut last: HashMap<usize, Record> = HashMap::new();
    for record in &records[first..] {
        if let Some(oneof) = fields[record.field].oneof {
            let other = last.entry(oneof).or_insert(*record);
            if other.begin < record.begin {
                *other = *record;
            }
        }
    }
    let mut kept = first;
    for at in first..records.len() {
        let record = records[at];
        let winner = fields[record.field].oneof.and_then(|oneof| last.get(&oneof));
        if winner.is_none_or(|winner| winner.field == record.field) {
            records[kept] = record;
            kept += 1;
        }
    }
    records.truncate(kept);
}

/// The first number of a packed list.
pub(super) fn next_packed(packed: Part<'_>, kind: &Kind) -> Result<Record> {
    let (wire, length) = match wire_of(kind) {
        Wire::Varint => (Wire::Varint, varint(packed, 0)?.1),
        Wire::Eight => (Wire::Eight, 8),
        wire => (wire, 4),
    };
    if length > packed.bytes.len() {
        return Err(DecodeError::beyond(
            format!("a number of {length} bytes"),
            packed.offset,
            packed.bytes.len(),
        ));
    }
    Ok(Record { field: 0, wire, begin: 0, end: length })
}

fn wire_of(kind: &Kind) -> Wire {
    match kind.wire_type() {
        0 => Wire::Varint,
        1 => Wire::Eight,
        2 => Wire::Bytes,
        5 => Wire::Four,
        _ => Wire::Group,
    }
}

/// Lists may be packed or not, whatever the definition says.
fn fits(field: &FieldPlan, wire: Wire) -> bool {
    match field.shape {
        Shape::Map(_) => wire == Wire::Bytes,
        Shape::Packed | Shape::Repeated if wire == Wire::Bytes => field.kind.wire_type() != 3,
        Shape::One | Shape::Packed | Shape::Repeated => wire == wire_of(&field.kind),
    }
}

/// Number and wire of a record, and where its value begins and ends.
fn next(message: Part<'_>, at: usize) -> Result<(u32, Wire, usize, usize)> {
    let (key, begin) = varint(message, at)?;
    let error = |reason: String| {
        DecodeError::new(message.offset + at, format!("{reason} at offset {}", message.offset + at))
    };
    let number = u32::try_from(key >> 3).ok().filter(|number| *number > 0);
    let number = number.ok_or_else(|| error(format!("{} is no number of a field", key >> 3)))?;
    let (wire, begin, length) = match key & 7 {
        0 => (Wire::Varint, begin, (varint(message, begin)?.1 - begin) as u64),
        1 => (Wire::Eight, begin, 8),
        2 => {
            let (length, begin) = varint(message, begin)?;
            (Wire::Bytes, begin, length)
        }
        3 => (Wire::Group, begin, (end_of_group(message, begin, number)? - begin) as u64),
        5 => (Wire::Four, begin, 4),
        wire => return Err(error(format!("field {number} with the wire type {wire}, which is none"))),
    };
    let left = message.bytes.len() - begin;
    match usize::try_from(length).ok().filter(|length| *length <= left) {
        Some(length) => Ok((number, wire, begin, begin + length)),
        None => Err(DecodeError::beyond(
            format!("field {number} of {length} bytes"),
            message.offset + begin,
            left,
        )),
    }
}

/// Where the group ends that begins here, which may have groups within it.
fn end_of_group(message: Part<'_>, begin: usize, number: u32) -> Result<usize> {
    let (mut at, mut open) = (begin, vec![number]);
    while let Some(innermost) = open.last() {
        let (key, after) = varint(message, at)?;
        let number = u32::try_from(key >> 3).unwrap_or(0);
        at = match key & 7 {
            3 => {
                open.push(number);
                after
            }
            4 if *innermost == number => {
                open.pop();
                after
            }
            4 => return Err(DecodeError::new(message.offset + at, "a group that ends within another one")),
            _ => next(message, at)?.3,
        };
    }
    Ok(at)
}

/// A number in groups of seven bits, and where it ends.
pub(super) fn varint(part: Part<'_>, at: usize) -> Result<(u64, usize)> {
    let mut value = 0;
    for (place, byte) in part.bytes.iter().enumerate().skip(at).take(10) {
        value |= u64::from(byte & 0x7F) << ((place - at) * 7);
        if byte & 0x80 == 0 {
            return Ok((value, place + 1));
        }
    }
    let offset = part.offset + at;
    Err(DecodeError::new(offset, format!("a number that does not end at offset {offset}")))
}
