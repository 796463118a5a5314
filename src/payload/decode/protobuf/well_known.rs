//! The types of `google.protobuf` whose JSON is not an object of their fields.

use super::super::error::Result;
use super::records::{self, Record, Wire};
use super::write::check_depth;
use super::{Part, Writer};
use crate::payload::encode::Kind;
use crate::payload::protobuf::WellKnown;

impl Writer<'_, '_> {
    pub(super) fn well_known(&mut self, known: &WellKnown, part: Part<'_>, depth: usize) -> Result<()> {
        let wrapped = match known.name() {
            "Any" => return self.any(known, part),
            "Struct" => return self.structure(part, depth),
            "Value" => return self.any_json(part, depth),
            "ListValue" => return self.any_list(part, depth),
            "FieldMask" => return self.mask(part),
            "DoubleValue" => Kind::Double,
            "FloatValue" => Kind::Float,
            "Int64Value" => Kind::Int64,
            "UInt64Value" => Kind::Uint64,
            "Int32Value" => Kind::Int32,
            "UInt32Value" => Kind::Uint32,
            "BoolValue" => Kind::Bool,
            "StringValue" => Kind::String,
            "BytesValue" => Kind::Bytes,
            _ => {
                self.out.raw(b"{}");
                return Ok(());
            }
        };
        self.first_field(1, &wrapped, part)
    }

    /// The value of a field of a message, or its default.
    fn first_field(&mut self, number: u32, kind: &Kind, part: Part<'_>) -> Result<()> {
        match records::last(part, number, kind)? {
            Some(record) => self.scalar(kind, record, part),
            None => {
                self.default_of(kind);
                Ok(())
            }
        }
    }

    /// A message of any type; as bytes if the schema does not have its type.
    fn any(&mut self, known: &WellKnown, part: Part<'_>) -> Result<()> {
        if let Ok(json) = known.json(part.bytes) {
            self.out.raw(json.as_bytes());
            return Ok(());
        }
        self.out.raw(b"{\"@type\":");
        self.first_field(1, &Kind::String, part)?;
        self.out.raw(b",\"value\":");
        self.first_field(2, &Kind::Bytes, part)?;
        self.out.push(b'}');
        Ok(())
    }

    /// `Struct`, a map from names to values.
    fn structure(&mut self, part: Part<'_>, depth: usize) -> Result<()> {
        check_depth(part, depth)?;
        let first = self.records.len();
        records::each(part, |number, record| {
            if (number, record.wire) == (1, Wire::Bytes) {
                self.records.push(record);
            }
        })?;
        let records = first..self.records.len();
        self.map(&Kind::String, part, records, |writer, entry| {
            let value = records::last(entry, 2, &Kind::Bytes)?;
            writer
                .any_json(value.map_or(Part { bytes: &[], ..entry }, |record| record.part(entry)), depth + 1)
        })?;
        self.records.truncate(first);
        Ok(())
    }

    /// `Value`, of which the field that came last counts.
    fn any_json(&mut self, part: Part<'_>, depth: usize) -> Result<()> {
        check_depth(part, depth)?;
        let mut last: Option<(u32, Record)> = None;
        records::each(part, |number, record| {
            if matches!(
                (number, record.wire),
                (1 | 4, Wire::Varint) | (2, Wire::Eight) | (3 | 5 | 6, Wire::Bytes)
            ) {
                last = Some((number, record));
            }
        })?;
        match last {
            Some((2, record)) => self.scalar(&Kind::Double, record, part),
            Some((3, record)) => self.scalar(&Kind::String, record, part),
            Some((4, record)) => self.scalar(&Kind::Bool, record, part),
            Some((5, record)) => self.structure(record.part(part), depth + 1),
            Some((6, record)) => self.any_list(record.part(part), depth + 1),
            _ => {
                self.out.raw(b"null");
                Ok(())
            }
        }
    }

    /// `ListValue`, a list of values.
    fn any_list(&mut self, part: Part<'_>, depth: usize) -> Result<()> {
        check_depth(part, depth)?;
        let mut values = Vec::new();
        records::each(part, |number, record| {
            if (number, record.wire) == (1, Wire::Bytes) {
                values.push(record);
            }
        })?;
        let shown = self.out.shown(values.len());
        self.out.push(b'[');
        for (index, value) in values.iter().take(shown).enumerate() {
            if index > 0 {
                self.out.push(b',');
            }
            self.any_json(value.part(part), depth + 1).map_err(|error| error.in_element(index))?;
        }
        self.out.end_array(values.len() - shown);
        Ok(())
    }

    /// Paths of fields, in camel case where that can be turned back.
    fn mask(&mut self, part: Part<'_>) -> Result<()> {
        let mut paths = Vec::new();
        records::each(part, |number, record| {
            if (number, record.wire) == (1, Wire::Bytes) {
                paths.push(camel_case(&String::from_utf8_lossy(record.part(part).bytes)));
            }
        })?;
        self.out.text(paths.join(",").as_bytes());
        Ok(())
    }
}

fn camel_case(path: &str) -> String {
    let mut camel = String::new();
    let mut letters = path.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '_' => match letters.next() {
                Some(next) if next.is_ascii_lowercase() => camel.push(next.to_ascii_uppercase()),
                _ => return path.to_owned(),
            },
            letter => camel.push(letter),
        }
    }
    camel
}
