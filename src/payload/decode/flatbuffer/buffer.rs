//! The wire of FlatBuffers, within its bounds.

use super::super::error::{DecodeError, Result};

/// All bytes of a message or of a schema.
#[derive(Clone, Copy)]
pub(super) struct Buffer<'p>(pub(super) &'p [u8]);

/// A little-endian number.
pub(super) trait Number: Sized {
    /// From as many bytes as it has; None if there are others.
    fn read(bytes: &[u8]) -> Option<Self>;
}

macro_rules! numbers {
    ($($kind:ty)*) => {
        $(impl Number for $kind {
            fn read(bytes: &[u8]) -> Option<Self> {
                Some(Self::from_le_bytes(*bytes.first_chunk()?))
            }
        })*
    };
}

numbers!(i8 u8 i16 u16 i32 u32 i64 u64 f32 f64);

impl<'p> Buffer<'p> {
    pub(super) fn number<T: Number>(self, at: usize) -> Result<T> {
        let found = self.0.get(at..).and_then(T::read);
        found.ok_or_else(|| {
            let left = self.0.len().saturating_sub(at);
            DecodeError::beyond(format!("a number of {} bytes", size_of::<T>()), at, left)
        })
    }

    /// Where the offset that lies here points to; offsets count from where they lie.
    pub(super) fn follow(self, at: usize) -> Result<usize> {
        let offset = self.number::<u32>(at)? as usize;
        if offset == 0 || offset > self.0.len() - at {
            return Err(DecodeError::beyond(format!("a reference of {offset} bytes"), at, self.0.len() - at));
        }
        Ok(at + offset)
    }

    /// Elements of the vector, or bytes of the string, that lies here.
    pub(super) fn length(self, at: usize) -> Result<usize> {
        Ok(self.number::<u32>(at)? as usize)
    }

    /// The bytes of elements of one size.
    pub(super) fn array(self, at: usize, length: usize, size: usize) -> Result<&'p [u8]> {
        let rest = self.0.get(at..).unwrap_or_default();
        let bytes = length.checked_mul(size).and_then(|bytes| rest.get(..bytes));
        bytes.ok_or_else(|| DecodeError::beyond(format!("an array of {length} elements"), at, rest.len()))
    }

    /// The string that the offset here points to.
    pub(super) fn text(self, at: usize) -> Result<&'p [u8]> {
        let start = self.follow(at)?;
        let length = self.length(start)?;
        let rest = self.0.get(start + 4..).unwrap_or_default();
        let what = || DecodeError::beyond(format!("a string of {length} bytes"), start, rest.len());
        rest.get(..length).ok_or_else(what)
    }
}

/// A table in a buffer.
#[derive(Clone, Copy)]
pub(super) struct Table<'p> {
    buffer: Buffer<'p>,
    at: usize,
    /// Where its fields lie, two bytes for each.
    offsets: &'p [u8],
}

impl<'p> Table<'p> {
    pub(super) fn at(buffer: Buffer<'p>, at: usize) -> Result<Self> {
        let back = i64::from(buffer.number::<i32>(at)?);
        let error = || {
            DecodeError::new(
                at,
                format!("the list of fields of the table at offset {at} is not in the payload"),
            )
        };
        let start =
            i64::try_from(at).ok().and_then(|at| usize::try_from(at - back).ok()).ok_or_else(error)?;
        let size = usize::from(buffer.number::<u16>(start)?);
        let offsets = buffer.0.get(start..).and_then(|rest| rest.get(4..size)).ok_or_else(error)?;
        Ok(Self { buffer, at, offsets })
    }

    /// Where a field lies, by its offset in the list of fields; None if it is absent.
    pub(super) fn field(&self, offset: usize) -> Option<usize> {
        let place = offset.checked_sub(4)?;
        let offset = self.offsets.get(place..).and_then(u16::read)?;
        (offset > 0).then(|| self.at + usize::from(offset))
    }

    /// A number, by the index of its field.
    pub(super) fn number<T: Number>(&self, index: usize, default: T) -> Result<T> {
        self.field(4 + 2 * index).map_or(Ok(default), |place| self.buffer.number(place))
    }

    pub(super) fn text(&self, index: usize) -> Result<String> {
        let Some(place) = self.field(4 + 2 * index) else { return Ok(String::new()) };
        Ok(String::from_utf8_lossy(self.buffer.text(place)?).into_owned())
    }

    pub(super) fn table(&self, index: usize) -> Result<Option<Self>> {
        let Some(place) = self.field(4 + 2 * index) else { return Ok(None) };
        Self::at(self.buffer, self.buffer.follow(place)?).map(Some)
    }

    pub(super) fn tables(&self, index: usize) -> Result<Vec<Self>> {
        let Some(place) = self.field(4 + 2 * index) else { return Ok(Vec::new()) };
        let start = self.buffer.follow(place)?;
        let length = self.buffer.length(start)?;
        self.buffer.array(start + 4, length, 4)?;
        let places = (0..length).map(|index| start + 4 + 4 * index);
        places.map(|place| Self::at(self.buffer, self.buffer.follow(place)?)).collect()
    }
}
