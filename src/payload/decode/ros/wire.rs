//! Reads values from payloads, within their bounds.

use std::marker::PhantomData;

use super::super::error::{DecodeError, Result};
use super::super::out::Out;

/// What tells the encodings apart.
pub(super) trait Wire {
    /// Numbers are aligned to their size, but to no more than this.
    const ALIGNMENT: usize;
    const IS_BIG_ENDIAN: bool;
    /// Whether arrays of what is no number have their size in bytes before them.
    const IS_DELIMITED: bool;
}

/// <https://wiki.ros.org/ROS/Connection%20Header> leaves it to the code: `roscpp_serialization`, `genpy`.
pub(super) struct Ros1;

/// Plain CDR, version 1: OMG DDS-XTYPES 1.3, 7.4.
pub(super) struct Cdr1<const BIG: bool>;

/// Plain CDR, version 2.
pub(super) struct Cdr2<const BIG: bool>;

impl Wire for Ros1 {
    const ALIGNMENT: usize = 1;
    const IS_BIG_ENDIAN: bool = false;
    const IS_DELIMITED: bool = false;
}

impl<const BIG: bool> Wire for Cdr1<BIG> {
    const ALIGNMENT: usize = 8;
    const IS_BIG_ENDIAN: bool = BIG;
    const IS_DELIMITED: bool = false;
}

impl<const BIG: bool> Wire for Cdr2<BIG> {
    const ALIGNMENT: usize = 4;
    const IS_BIG_ENDIAN: bool = BIG;
    const IS_DELIMITED: bool = true;
}

/// A number on the wire.
pub(super) trait Number: Copy {
    const SIZE: usize;

    /// From `SIZE` bytes.
    fn read<W: Wire>(bytes: &[u8]) -> Self;

    /// As JSON; `offset` is where it was, for errors.
    fn write(self, out: &mut Out<'_>, offset: usize) -> Result<()>;
}

macro_rules! number {
    ($kind:ty, $out:ident, $value:ident, $offset:ident => $write:expr) => {
        impl Number for $kind {
            const SIZE: usize = size_of::<Self>();

            fn read<W: Wire>(bytes: &[u8]) -> Self {
                let mut own = [0; size_of::<Self>()];
                own.copy_from_slice(bytes);
                if W::IS_BIG_ENDIAN { Self::from_be_bytes(own) } else { Self::from_le_bytes(own) }
            }

            fn write(self, $out: &mut Out<'_>, $offset: usize) -> Result<()> {
                let $value = self;
                $write
            }
        }
    };
}

macro_rules! integers {
    ($($kind:ty)*) => {
        $(number!($kind, out, value, _offset => { out.value(value); Ok(()) });)*
    };
}

integers!(i8 u8 i16 u16 i32 u32 i64 u64);
number!(f32, out, value, offset => out.float(value, offset));
number!(f64, out, value, offset => out.double(value, offset));

/// A byte, true if it is not zero.
#[derive(Clone, Copy)]
pub(super) struct Bool(bool);

impl Number for Bool {
    const SIZE: usize = 1;

    fn read<W: Wire>(bytes: &[u8]) -> Self {
        Self(bytes != [0])
    }

    fn write(self, out: &mut Out<'_>, _offset: usize) -> Result<()> {
        out.raw(if self.0 { b"true" } else { b"false" });
        Ok(())
    }
}

/// A place in a payload.
pub(super) struct Reader<'a, W> {
    payload: &'a [u8],
    /// Where the message begins, from which numbers are aligned.
    start: usize,
    at: usize,
    wire: PhantomData<W>,
}

impl<'a, W: Wire> Reader<'a, W> {
    pub(super) fn new(payload: &'a [u8], start: usize) -> Self {
        Self { payload, start, at: start, wire: PhantomData }
    }

    pub(super) fn offset(&self) -> usize {
        self.at
    }

    /// Bytes from here to the end.
    pub(super) fn left(&self) -> usize {
        self.payload.len().saturating_sub(self.at)
    }

    /// Passes over the padding before a number of this size, which may be missing at the end.
    pub(super) fn align(&mut self, size: usize) {
        let size = size.min(W::ALIGNMENT);
        self.at = self.start + (self.at - self.start).next_multiple_of(size);
    }

    /// As many bytes; `what` says in an error what they are.
    pub(super) fn take(&mut self, length: usize, what: impl FnOnce() -> String) -> Result<&'a [u8]> {
        match self.payload.get(self.at..).and_then(|rest| rest.get(..length)) {
            Some(taken) => {
                self.at += length;
                Ok(taken)
            }
            None => Err(DecodeError::beyond(what(), self.at, self.left())),
        }
    }

    pub(super) fn number<T: Number>(&mut self) -> Result<T> {
        self.align(T::SIZE);
        let bytes = self.take(T::SIZE, || match T::SIZE {
            1 => "a number of 1 byte".to_owned(),
            size => format!("a number of {size} bytes"),
        })?;
        Ok(T::read::<W>(bytes))
    }

    /// Elements of an array, or bytes of a string.
    pub(super) fn length(&mut self) -> Result<usize> {
        Ok(self.number::<u32>()? as usize)
    }

    /// A string without the NUL at its end, which CDR has and counts. Some writers leave it out.
    pub(super) fn text(&mut self) -> Result<&'a [u8]> {
        let length = self.length()?;
        let text = self.take(length, || format!("a string of {length} bytes"))?;
        let has_nul = W::ALIGNMENT > 1;
        Ok(text.strip_suffix(&[0]).filter(|_| has_nul).unwrap_or(text))
    }
}
