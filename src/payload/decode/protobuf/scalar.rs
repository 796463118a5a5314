//! Single values, and the keys of maps.

use super::super::error::Result;
use super::records::{self, Record, varint};
use super::{Form, Part, Writer};
use crate::payload::encode::Kind;

/// A value of four or eight bytes, or fewer if there are fewer.
fn fixed<const SIZE: usize>(part: Part<'_>) -> [u8; SIZE] {
    part.bytes.first_chunk().copied().unwrap_or([0; SIZE])
}

/// The lower 32 bits, which count where a number of 32 bits was written with more.
#[allow(clippy::cast_possible_truncation, reason = "as protobuf has it")]
fn low(value: u64) -> u32 {
    value as u32
}

fn zigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -(value & 1).cast_signed()
}

impl Writer<'_, '_> {
    /// Writes the value of a record in `message`.
    pub(super) fn scalar(&mut self, kind: &Kind, record: Record, message: Part<'_>) -> Result<()> {
        let part = record.part(message);
        let number = || varint(part, 0).map(|(value, _)| value);
        match kind {
            Kind::Double => return self.out.double(f64::from_le_bytes(fixed(part)), part.offset),
            Kind::Float => return self.out.float(f32::from_le_bytes(fixed(part)), part.offset),
            Kind::Int32 => self.out.value(low(number()?).cast_signed()),
            Kind::Int64 => self.out.value(number()?.cast_signed()),
            Kind::Uint32 => self.out.value(low(number()?)),
            Kind::Uint64 => self.out.value(number()?),
            Kind::Sint32 => self.out.value(zigzag(low(number()?).into())),
            Kind::Sint64 => self.out.value(zigzag(number()?)),
            Kind::Fixed32 => self.out.value(u32::from_le_bytes(fixed(part))),
            Kind::Fixed64 => self.out.value(u64::from_le_bytes(fixed(part))),
            Kind::Sfixed32 => self.out.value(i32::from_le_bytes(fixed(part))),
            Kind::Sfixed64 => self.out.value(i64::from_le_bytes(fixed(part))),
            Kind::Bool => self.out.value(number()? != 0),
            Kind::Enum(index) => self.number_of_enum(*index, low(number()?).cast_signed()),
            Kind::String => self.out.text(part.bytes),
            Kind::Bytes => self.out.base64(part.bytes),
            // others are messages
            _ => {}
        }
        Ok(())
    }

    /// Writes the value that a field has if there is no record of it.
    pub(super) fn default_of(&mut self, kind: &Kind) {
        match kind {
            Kind::Double | Kind::Float => self.out.raw(b"0.0"),
            Kind::Bool => self.out.raw(b"false"),
            Kind::String | Kind::Bytes => self.out.raw(b"\"\""),
            Kind::Enum(index) => {
                let first = self.message.plan.enums[*index].values.first().map_or(0, |(_, number)| *number);
                self.number_of_enum(*index, first);
            }
            _ => self.out.raw(b"0"),
        }
    }

    fn number_of_enum(&mut self, index: usize, number: i32) {
        let known = self.message.values[index].get(&number).filter(|_| self.message.form == Form::Mapping);
        match known {
            Some(place) => self.out.value(&self.message.plan.enums[index].values[*place].0),
            None => self.out.value(number),
        }
    }
}

/// The key of an entry of a map, as the name of a property.
pub(super) fn key(kind: &Kind, entry: Part<'_>) -> Result<String> {
    let Some(record) = records::last(entry, 1, kind)? else {
        return Ok(match kind {
            Kind::String => String::new(),
            Kind::Bool => "false".to_owned(),
            _ => "0".to_owned(),
        });
    };
    let part = record.part(entry);
    let number = || varint(part, 0).map(|(value, _)| value);
    Ok(match kind {
        Kind::String => String::from_utf8_lossy(part.bytes).into_owned(),
        Kind::Bool => (number()? != 0).to_string(),
        Kind::Int32 => low(number()?).cast_signed().to_string(),
        Kind::Int64 => number()?.cast_signed().to_string(),
        Kind::Uint32 => low(number()?).to_string(),
        Kind::Uint64 => number()?.to_string(),
        Kind::Sint32 => zigzag(low(number()?).into()).to_string(),
        Kind::Sint64 => zigzag(number()?).to_string(),
        Kind::Fixed32 => u32::from_le_bytes(fixed(part)).to_string(),
        Kind::Fixed64 => u64::from_le_bytes(fixed(part)).to_string(),
        Kind::Sfixed32 => i32::from_le_bytes(fixed(part)).to_string(),
        _ => i64::from_le_bytes(fixed(part)).to_string(),
    })
}
