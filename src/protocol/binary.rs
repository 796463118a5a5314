//! Binary messages: one opcode byte, then little-endian fields.

use std::ops::Range;

use bytes::{Buf, Bytes};

use super::wire::DecodeError;

/// Splits a frame into its opcode and a reader of what follows.
pub(super) fn open(frame: Bytes) -> Result<(u8, Reader), DecodeError> {
    let opcode = *frame.first().ok_or(DecodeError::Empty)?;
    Ok((opcode, Reader { message: "binary message", frame, offset: 1 }))
}

/// Takes field by field from a frame.
pub(super) struct Reader {
    message: &'static str,
    frame: Bytes,
    /// Never beyond the end of the frame.
    offset: usize,
}

impl Reader {
    /// Names the message that is read, for errors.
    pub(super) fn of(self, message: &'static str) -> Self {
        Self { message, ..self }
    }

    /// An error about the `width` bytes that were read last.
    pub(super) fn refuse(
        &self,
        field: &'static str,
        width: usize,
        problem: impl Into<String>,
    ) -> DecodeError {
        let offset = self.offset.saturating_sub(width);
        DecodeError::Bytes { message: self.message, field, offset, problem: problem.into() }
    }

    /// Where the next bytes are.
    fn next(&mut self, field: &'static str, count: usize) -> Result<Range<usize>, DecodeError> {
        let left = self.frame.len() - self.offset;
        if left < count {
            return Err(self.refuse(field, 0, format!("needs {count} bytes, {left} are left")));
        }
        let start = self.offset;
        self.offset += count;
        Ok(start..self.offset)
    }

    fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], DecodeError> {
        let range = self.next(field, N)?;
        let mut array = [0; N];
        array.copy_from_slice(&self.frame[range]);
        Ok(array)
    }

    pub(super) fn u8(&mut self, field: &'static str) -> Result<u8, DecodeError> {
        self.array::<1>(field).map(|[byte]| byte)
    }

    pub(super) fn u32(&mut self, field: &'static str) -> Result<u32, DecodeError> {
        self.array(field).map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self, field: &'static str) -> Result<u64, DecodeError> {
        self.array(field).map(u64::from_le_bytes)
    }

    /// A number that is neither infinite nor NaN.
    pub(super) fn finite_f32(&mut self, field: &'static str) -> Result<f32, DecodeError> {
        let number = self.array(field).map(f32::from_le_bytes)?;
        if number.is_finite() {
            Ok(number)
        } else {
            Err(self.refuse(field, size_of::<f32>(), format!("{number} is not a finite number")))
        }
    }

    /// Bytes after their length in a u32.
    pub(super) fn sized(&mut self, field: &'static str) -> Result<Bytes, DecodeError> {
        let count = self.u32(field)?;
        // a usize below 32 bits can't hold such a frame either
        let range = self.next(field, usize::try_from(count).unwrap_or(usize::MAX))?;
        Ok(self.frame.slice(range))
    }

    /// UTF-8 after its length in a u32.
    pub(super) fn text(&mut self, field: &'static str) -> Result<String, DecodeError> {
        let bytes = self.sized(field)?;
        match std::str::from_utf8(&bytes) {
            Ok(text) => Ok(text.to_owned()),
            Err(error) => Err(self.refuse(field, bytes.len() - error.valid_up_to(), "not UTF-8")),
        }
    }

    /// All that is left, as a share of the frame.
    pub(super) fn rest(mut self) -> Bytes {
        self.frame.advance(self.offset);
        self.frame
    }
}

/// Appends bytes after their length in a u32; beyond 4 GiB, which no peer takes, they are cut.
pub(super) fn put_sized(out: &mut Vec<u8>, bytes: &[u8]) {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    let end = usize::try_from(length).unwrap_or(bytes.len()).min(bytes.len());
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&bytes[..end]);
}
