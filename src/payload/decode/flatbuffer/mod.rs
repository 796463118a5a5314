//! FlatBuffers by their reflection schema (`.bfbs`) to JSON.
//!
//! No kept crate reads payloads by a schema of run time. Offsets may point anywhere, also at what others point at: nesting is
//! bounded, and so is the JSON. <https://flatbuffers.dev/internals/>

mod buffer;
mod schema;

use super::error::{DecodeError, DefinitionError, Result};
use super::out::Out;
use crate::model::Schema;
use buffer::{Buffer, Table};
use schema::{Base, Definitions, Field, Kind};

/// Tables and structs within each other.
const DEEPEST: usize = 64;

/// A type of messages.
#[derive(Debug)]
pub(super) struct Message(Definitions);

impl Message {
    /// The type that a schema is of.
    pub(super) fn new(schema: &Schema) -> std::result::Result<Self, DefinitionError> {
        Definitions::read(&schema.data, &schema.name).map(Self)
    }

    /// Writes a payload.
    pub(super) fn write(&self, payload: &[u8], out: &mut Out<'_>) -> Result<()> {
        let buffer = Buffer(payload);
        let root = buffer.follow(0)?;
        Writer { definitions: &self.0, buffer, out }.table(self.0.root, root, 0)
    }
}

struct Writer<'a, 'o> {
    definitions: &'a Definitions,
    buffer: Buffer<'a>,
    out: &'a mut Out<'o>,
}

impl Writer<'_, '_> {
    fn check(&self, at: usize, depth: usize) -> Result<()> {
        self.out.check(at)?;
        if depth > DEEPEST {
            return Err(DecodeError::unsupported(
                at,
                format!("more than {DEEPEST} tables within each other"),
            ));
        }
        Ok(())
    }

    fn table(&mut self, object: usize, at: usize, depth: usize) -> Result<()> {
        self.check(at, depth)?;
        let table = Table::at(self.buffer, at)?;
        let definitions = self.definitions;
        self.out.push(b'{');
        for field in &definitions.objects[object].fields {
            let place = table.field(field.offset);
            if place.is_none() && (field.is_optional || !field.kind.base.is_scalar()) {
                continue;
            }
            self.out.separate(b'{');
            self.out.raw(&field.key);
            let result = match place {
                Some(place) => self.field(field, table, place, depth),
                None => self.default_of(field, at),
            };
            result.map_err(|error| error.in_field(&field.name))?;
        }
        self.out.push(b'}');
        Ok(())
    }

    fn structure(&mut self, object: usize, at: usize, depth: usize) -> Result<()> {
        self.check(at, depth)?;
        let definitions = self.definitions;
        self.out.push(b'{');
        for field in &definitions.objects[object].fields {
            self.out.separate(b'{');
            self.out.raw(&field.key);
            let place = at + field.offset;
            let result = match field.kind.base {
                Base::Array => self.elements(field.kind.element(), place, field.kind.length, depth),
                _ => self.value(field.kind, place, depth),
            };
            result.map_err(|error| error.in_field(&field.name))?;
        }
        self.out.push(b'}');
        Ok(())
    }

    /// A field of a table.
    fn field(&mut self, field: &Field, table: Table<'_>, place: usize, depth: usize) -> Result<()> {
        match field.kind.base {
            Base::Vector => {
                let start = self.buffer.follow(place)?;
                let length = self.buffer.length(start)?;
                self.elements(field.kind.element(), start + 4, length, depth)
            }
            Base::Union => {
                // the field before it says of which type it is
                let chosen = match field.offset.checked_sub(2).and_then(|offset| table.field(offset)) {
                    Some(place) => i64::from(self.buffer.number::<u8>(place)?),
                    None => 0,
                };
                let kind =
                    field.kind.index.and_then(|index| self.definitions.enums[index].union_kind(chosen));
                match kind {
                    Some(Kind { base: Base::Object, index: Some(object), .. })
                        if self.definitions.objects[object].is_struct =>
                    {
                        let place = self.buffer.follow(place)?;
                        self.structure(object, place, depth + 1)
                    }
                    Some(kind) => self.value(kind, place, depth),
                    None => Err(DecodeError::new(place, format!("a union has no type {chosen}"))),
                }
            }
            _ => self.value(field.kind, place, depth),
        }
    }

    /// A value that is not several.
    fn value(&mut self, kind: Kind, at: usize, depth: usize) -> Result<()> {
        let buffer = self.buffer;
        match kind.base {
            Base::Bool => {
                let value = buffer.number::<u8>(at)? != 0;
                self.out.value(value);
            }
            Base::I8 => self.integer(kind, buffer.number::<i8>(at)?),
            Base::U8 => self.integer(kind, buffer.number::<u8>(at)?),
            Base::I16 => self.integer(kind, buffer.number::<i16>(at)?),
            Base::U16 => self.integer(kind, buffer.number::<u16>(at)?),
            Base::I32 => self.integer(kind, buffer.number::<i32>(at)?),
            Base::U32 => self.integer(kind, buffer.number::<u32>(at)?),
            Base::I64 => self.integer(kind, buffer.number::<i64>(at)?),
            Base::U64 => match buffer.number::<u64>(at)? {
                value if kind.index.is_some() => self.integer(kind, value.cast_signed()),
                value => self.out.value(value),
            },
            Base::F32 => return self.out.float(buffer.number(at)?, at),
            Base::F64 => return self.out.double(buffer.number(at)?, at),
            Base::String => {
                let text = buffer.text(at)?;
                self.out.text(text);
                return self.out.check(at);
            }
            Base::Object => {
                let object = kind.index.unwrap_or_default();
                if self.definitions.objects[object].is_struct {
                    return self.structure(object, at, depth + 1);
                }
                let place = buffer.follow(at)?;
                return self.table(object, place, depth + 1);
            }
            Base::Vector | Base::Array | Base::Union => {
                return Err(DecodeError::unsupported(at, "arrays of arrays and of unions are not supported"));
            }
        }
        Ok(())
    }

    /// An integer, or the name that an enum has for it.
    fn integer(&mut self, kind: Kind, value: impl Into<i64>) {
        let value = value.into();
        match kind.index.and_then(|index| self.definitions.enums[index].names.name(value)) {
            Some(name) => self.out.value(name),
            None => self.out.value(value),
        }
    }

    fn default_of(&mut self, field: &Field, at: usize) -> Result<()> {
        match field.kind.base {
            Base::Bool => self.out.value(field.default_integer != 0),
            Base::F32 | Base::F64 => return self.out.double(field.default_real, at),
            Base::U64 if field.kind.index.is_none() => self.out.value(field.default_integer.cast_unsigned()),
            _ => self.integer(field.kind, field.default_integer),
        }
        Ok(())
    }

    fn elements(&mut self, kind: Kind, at: usize, length: usize, depth: usize) -> Result<()> {
        let size = match (kind.base, kind.index) {
            (Base::Object, Some(object)) if self.definitions.objects[object].is_struct => {
                self.definitions.objects[object].size
            }
            (base, _) => base.size(),
        };
        let bytes = self.buffer.array(at, length, size)?;
        if kind.base == Base::U8 && kind.index.is_none() {
            self.out.base64(bytes);
            return self.out.check(at);
        }
        let shown = self.out.shown(length);
        self.out.push(b'[');
        for index in 0..shown {
            if index > 0 {
                self.out.push(b',');
            }
            self.value(kind, at + index * size, depth).map_err(|error| error.in_element(index))?;
        }
        self.out.end_array(length - shown);
        self.out.check(at)
    }
}
