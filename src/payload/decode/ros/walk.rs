//! Goes through a payload and its layout side by side.

use super::super::definition::{Element, Layout, Scalar, Type};
use super::super::error::{DecodeError, Result};
use super::super::out::Out;
use super::wire::{Bool, Number, Reader, Wire};

pub(super) struct Walker<'a, 'o, W> {
    layout: &'a Layout,
    reader: Reader<'a, W>,
    out: &'a mut Out<'o>,
}

impl<'a, 'o, W: Wire> Walker<'a, 'o, W> {
    /// For a message that begins at `start`.
    pub(super) fn new(layout: &'a Layout, payload: &'a [u8], start: usize, out: &'a mut Out<'o>) -> Self {
        Self { layout, reader: Reader::new(payload, start), out }
    }

    pub(super) fn root(&mut self) -> Result<()> {
        let root = &self.layout.structs[self.layout.root];
        if root.has_filler && self.reader.left() == 0 {
            // nobody misses the byte that stands for nothing
            self.out.raw(b"{}");
            return Ok(());
        }
        self.structure(self.layout.root)
    }

    /// Bytes that were not read.
    pub(super) fn left(&self) -> usize {
        self.reader.left()
    }

    fn structure(&mut self, index: usize) -> Result<()> {
        self.out.check(self.reader.offset())?;
        let layout = self.layout;
        let structure = &layout.structs[index];
        if let (true, Some(name)) = (W::IS_DELIMITED, &structure.appendable) {
            let reason = format!("{name} is appendable, which is not supported in CDR 2");
            return Err(DecodeError::unsupported(self.reader.offset(), reason));
        }
        if structure.has_filler {
            self.reader.number::<u8>()?;
        }
        self.out.push(b'{');
        for (place, field) in structure.fields.iter().enumerate() {
            if place > 0 {
                self.out.push(b',');
            }
            self.out.raw(&field.key);
            self.value(&field.kind).map_err(|error| error.in_field(&field.name))?;
        }
        self.out.push(b'}');
        Ok(())
    }

    fn value(&mut self, kind: &Type) -> Result<()> {
        match kind {
            Type::Scalar(scalar) => self.scalar(*scalar),
            Type::String => {
                let text = self.reader.text()?;
                self.out.text(text);
                Ok(())
            }
            Type::Struct(index) => self.structure(*index),
            Type::Enum(index) => {
                let value = self.reader.number::<u32>()?;
                let layout = self.layout;
                let value = i64::from(value.cast_signed());
                match layout.enums[*index].name(value) {
                    Some(name) => self.out.value(name),
                    None => self.out.value(value),
                }
                Ok(())
            }
            Type::Array(element, length) => {
                self.delimiter(element)?;
                self.elements(element, *length)
            }
            Type::Sequence(element) => {
                self.delimiter(element)?;
                let length = self.reader.length()?;
                self.elements(element, length)
            }
        }
    }

    /// The size in bytes before an array, which nothing is needed for.
    fn delimiter(&mut self, of: &Element) -> Result<()> {
        let mut innermost = &of.kind;
        while let Type::Array(element, _) = innermost {
            innermost = &element.kind;
        }
        if W::IS_DELIMITED && !matches!(innermost, Type::Scalar(_)) {
            self.reader.length()?;
        }
        Ok(())
    }

    fn scalar(&mut self, scalar: Scalar) -> Result<()> {
        match scalar {
            Scalar::Bool => self.number::<Bool>(),
            Scalar::Int8 => self.number::<i8>(),
            Scalar::Uint8 => self.number::<u8>(),
            Scalar::Int16 => self.number::<i16>(),
            Scalar::Uint16 => self.number::<u16>(),
            Scalar::Int32 => self.number::<i32>(),
            Scalar::Uint32 => self.number::<u32>(),
            Scalar::Int64 => self.number::<i64>(),
            Scalar::Uint64 => self.number::<u64>(),
            Scalar::Float32 => self.number::<f32>(),
            Scalar::Float64 => self.number::<f64>(),
        }
    }

    fn number<T: Number>(&mut self) -> Result<()> {
        let number = self.reader.number::<T>()?;
        number.write(self.out, self.reader.offset() - T::SIZE)
    }

    fn elements(&mut self, element: &Element, length: usize) -> Result<()> {
        if element.min_size.saturating_mul(length) > self.reader.left() {
            let (offset, left) = (self.reader.offset(), self.reader.left());
            return Err(DecodeError::beyond(format!("an array of {length} elements"), offset, left));
        }
        match &element.kind {
            Type::Scalar(scalar) => match scalar {
                Scalar::Bool => self.numbers::<Bool>(length),
                Scalar::Int8 => self.numbers::<i8>(length),
                Scalar::Uint8 => {
                    let bytes = self.array(length, 1)?;
                    self.out.base64(bytes);
                    Ok(())
                }
                Scalar::Int16 => self.numbers::<i16>(length),
                Scalar::Uint16 => self.numbers::<u16>(length),
                Scalar::Int32 => self.numbers::<i32>(length),
                Scalar::Uint32 => self.numbers::<u32>(length),
                Scalar::Int64 => self.numbers::<i64>(length),
                Scalar::Uint64 => self.numbers::<u64>(length),
                Scalar::Float32 => self.numbers::<f32>(length),
                Scalar::Float64 => self.numbers::<f64>(length),
            },
            kind => self.values(kind, element.min_size, length),
        }
    }

    /// The bytes of numbers of one size.
    fn array(&mut self, length: usize, size: usize) -> Result<&'a [u8]> {
        if length > 0 {
            self.reader.align(size);
        }
        self.reader.take(length.saturating_mul(size), || format!("an array of {length} elements"))
    }

    fn numbers<T: Number>(&mut self, length: usize) -> Result<()> {
        let bytes = self.array(length, T::SIZE)?;
        let begin = self.reader.offset() - bytes.len();
        let shown = self.out.shown(length);
        self.out.push(b'[');
        for (index, bytes) in bytes.chunks_exact(T::SIZE).take(shown).enumerate() {
            if index > 0 {
                self.out.push(b',');
            }
            let number = T::read::<W>(bytes);
            number.write(self.out, begin + index * T::SIZE).map_err(|error| error.in_element(index))?;
        }
        self.out.end_array(length - shown);
        Ok(())
    }

    fn values(&mut self, kind: &Type, min_size: usize, length: usize) -> Result<()> {
        let shown = self.out.shown(length);
        self.out.push(b'[');
        let mut end = self.out.bytes.len();
        for index in 0..length {
            if index >= shown && min_size == 0 {
                // nothing lies there, however many there are
                break;
            }
            if index > 0 {
                self.out.push(b',');
            }
            self.value(kind).map_err(|error| error.in_element(index))?;
            if index < shown {
                end = self.out.bytes.len();
            } else {
                self.out.forget_after(end);
            }
        }
        self.out.end_array(length - shown);
        Ok(())
    }
}
