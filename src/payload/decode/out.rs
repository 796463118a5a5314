//! JSON in the making: numbers, strings and bytes, whole or shortened, and a bound on all of it.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use super::error::{DecodeError, Result};
use super::{JsonOptions, Length};
use crate::payload::NanPolicy;

/// Bytes of a string that are written where things are shortened.
const SHORT_STRING: usize = 200;

/// Of bytes, a multiple of three so that their base64 has no padding.
const SHORT_BYTES: usize = 24;

/// Elements of an array.
const SHORT_ARRAY: usize = 10;

/// JSON of one message, beyond that of its payload's bytes: a payload may have millions of empty elements, and default
/// values are written out.
const MOST_JSON: usize = 64 << 20;

/// JSON for each byte of a payload.
const MOST_JSON_PER_BYTE: usize = 32;

/// Appends JSON to what is there.
pub(super) struct Out<'a> {
    pub(super) bytes: &'a mut Vec<u8>,
    pub(super) options: JsonOptions,
    /// Length that is not to be exceeded by much.
    limit: usize,
}

impl<'a> Out<'a> {
    /// For a message whose payload has this many bytes.
    pub(super) fn new(bytes: &'a mut Vec<u8>, options: JsonOptions, payload: usize) -> Self {
        let limit = bytes.len() + MOST_JSON + MOST_JSON_PER_BYTE.saturating_mul(payload);
        Self { bytes, options, limit }
    }

    /// An error if there is too much; `offset` is where reading is.
    pub(super) fn check(&self, offset: usize) -> Result<()> {
        if self.bytes.len() <= self.limit {
            return Ok(());
        }
        Err(DecodeError::unsupported(offset, "the message makes too much JSON for its size"))
    }

    pub(super) fn push(&mut self, byte: u8) {
        self.bytes.push(byte);
    }

    /// Text that is JSON already.
    pub(super) fn raw(&mut self, json: &[u8]) {
        self.bytes.extend_from_slice(json);
    }

    /// A string, a boolean or an integer.
    pub(super) fn value(&mut self, value: impl Serialize) {
        // a vector takes everything
        drop(serde_json::to_writer(&mut *self.bytes, &value));
    }

    /// A string; what is no UTF-8 becomes replacement characters.
    pub(super) fn text(&mut self, text: &[u8]) {
        if self.options.length == Length::Short && text.len() > SHORT_STRING {
            // what is cut in the middle of a character loses that character
            let cut = text[..SHORT_STRING].utf8_chunks();
            let mut shown = String::new();
            for chunk in cut {
                shown.push_str(chunk.valid());
                if !chunk.invalid().is_empty() && shown.len() + 4 < SHORT_STRING {
                    shown.push(char::REPLACEMENT_CHARACTER);
                }
            }
            return self.value(format!("{shown}… ({} bytes)", text.len()));
        }
        match String::from_utf8_lossy(text) {
            Cow::Borrowed(text) => self.value(text),
            Cow::Owned(text) => self.value(text),
        }
    }

    /// Bytes as a string of base64.
    pub(super) fn base64(&mut self, bytes: &[u8]) {
        let (shown, is_short) = match bytes.get(..SHORT_BYTES) {
            Some(first) if self.options.length == Length::Short && bytes.len() > SHORT_BYTES => (first, true),
            _ => (bytes, false),
        };
        self.push(b'"');
        let start = self.bytes.len();
        self.bytes.resize(start + base64::encoded_len(shown.len(), true).unwrap_or(0), 0);
        // there is room for it
        drop(STANDARD.encode_slice(shown, &mut self.bytes[start..]));
        if is_short {
            self.raw(format!("… ({} bytes)", bytes.len()).as_bytes());
        }
        self.push(b'"');
    }

    pub(super) fn double(&mut self, value: f64, offset: usize) -> Result<()> {
        if value.is_finite() {
            self.value(value);
            return Ok(());
        }
        self.not_finite(value, offset)
    }

    pub(super) fn float(&mut self, value: f32, offset: usize) -> Result<()> {
        if value.is_finite() {
            // the shortest text that is this number among those of 32 bits
            self.value(value);
            return Ok(());
        }
        self.not_finite(value.into(), offset)
    }

    fn not_finite(&mut self, value: f64, offset: usize) -> Result<()> {
        let name = match value {
            f64::INFINITY => "Infinity",
            f64::NEG_INFINITY => "-Infinity",
            _ => "NaN",
        };
        match self.options.nan {
            NanPolicy::Null => self.raw(b"null"),
            NanPolicy::String => self.value(name),
            NanPolicy::Reject => {
                return Err(DecodeError::new(
                    offset,
                    format!("{name}, which JSON does not have, at offset {offset}"),
                ));
            }
        }
        Ok(())
    }

    /// How many elements of an array of this length are written.
    pub(super) fn shown(&self, length: usize) -> usize {
        match self.options.length {
            Length::Whole => length,
            Length::Short => length.min(SHORT_ARRAY),
        }
    }

    /// Ends an array of which `left_out` elements are not written.
    pub(super) fn end_array(&mut self, left_out: usize) {
        if left_out > 0 {
            self.separate(b'[');
            self.value(format!("… {left_out} more"));
        }
        self.push(b']');
    }

    /// Drops what was written since there were `length` bytes. It still counts for the bound, as it took time.
    pub(super) fn forget_after(&mut self, length: usize) {
        self.limit = self.limit.saturating_sub(self.bytes.len() - length);
        self.bytes.truncate(length);
    }

    /// A comma, but not after the bracket that begins things.
    pub(super) fn separate(&mut self, bracket: u8) {
        if self.bytes.last() != Some(&bracket) {
            self.push(b',');
        }
    }
}
