//! Payloads that are JSON already: checked, put on one line, and shortened if that is asked for.

use std::borrow::Cow;

use serde::de::IgnoredAny;

use super::Length;
use super::error::{DecodeError, Result};
use super::out::Out;
use crate::payload::{NanPolicy, nan};

pub(super) fn write(payload: &[u8], out: &mut Out<'_>) -> Result<()> {
    let text = String::from_utf8_lossy(payload);
    let text = match checked(&text) {
        Ok(()) => text,
        Err(error) => Cow::Owned(without_nan(&text, out.options.nan, error)?),
    };
    match out.options.length {
        // a line break can't be in a string, it lies between values
        Length::Whole if text.contains(['\n', '\r']) => {
            out.raw(text.trim().replace(['\n', '\r'], " ").as_bytes())
        }
        Length::Whole => out.raw(text.trim().as_bytes()),
        Length::Short => shorten(text.trim(), out),
    }
    Ok(())
}

fn checked(text: &str) -> Result<()> {
    let error = match serde_json::from_str::<IgnoredAny>(text) {
        Ok(_) => return Ok(()),
        Err(_) if text.trim().is_empty() => {
            return Err(DecodeError::new(0, "the payload is empty, which is no JSON"));
        }
        Err(error) => error,
    };
    let before: usize = text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum();
    Err(DecodeError::new(before + error.column(), format!("not JSON: {error}")))
}

/// The text without bare numbers that JSON does not have; the error of before if it has none, or more is wrong.
fn without_nan(text: &str, policy: NanPolicy, error: Box<DecodeError>) -> Result<String> {
    match nan::replaced(text, policy == NanPolicy::String) {
        Some((_, offset)) if policy == NanPolicy::Reject => Err(DecodeError::new(
            offset,
            format!("NaN or an infinity, which JSON does not have, at offset {offset}"),
        )),
        Some((replaced, _)) => checked(&replaced).map(|()| replaced),
        None => Err(error),
    }
}

/// Writes valid JSON with the beginnings of long strings and arrays. Without recursion, and numbers stay as they are written.
fn shorten(text: &str, out: &mut Out<'_>) {
    let bytes = text.as_bytes();
    // for each array and object around: the elements so far if it is an array, and whether what follows is left out
    let mut open: Vec<Around> = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let is_hidden = open.last().is_some_and(|around| around.is_hidden(out));
        let byte = bytes[at];
        match byte {
            b'"' => {
                let length = string_length(&bytes[at..]);
                if !is_hidden {
                    write_string(
                        &text[at..at + length],
                        bytes[at + length..].trim_ascii_start().first() == Some(&b':'),
                        out,
                    );
                }
                at += length;
                continue;
            }
            b'[' | b'{' => {
                if !is_hidden {
                    out.push(byte);
                }
                let is_empty = bytes[at + 1..].trim_ascii_start().first() == Some(&b']');
                let elements = (byte == b'[').then_some(usize::from(!is_empty));
                open.push(Around { elements, within_hidden: is_hidden });
            }
            b']' | b'}' => {
                let closed = open.pop();
                match closed {
                    Some(Around { within_hidden: true, .. }) | None => {}
                    Some(Around { elements: Some(elements), .. }) => {
                        out.end_array(elements - out.shown(elements))
                    }
                    Some(Around { elements: None, .. }) => out.push(byte),
                }
            }
            b',' => {
                if let Some(Around { elements: Some(elements), .. }) = open.last_mut() {
                    *elements += 1;
                }
                if !open.last().is_some_and(|around| around.is_hidden(out)) {
                    out.push(byte);
                }
            }
            byte if byte.is_ascii_whitespace() || is_hidden => {}
            byte => out.push(byte),
        }
        at += 1;
    }
}

struct Around {
    /// Elements so far, of an array.
    elements: Option<usize>,
    within_hidden: bool,
}

impl Around {
    fn is_hidden(&self, out: &Out<'_>) -> bool {
        self.within_hidden || self.elements.is_some_and(|elements| elements > out.shown(elements))
    }
}

/// A string as it is written, whole if it is a name.
fn write_string(json: &str, is_name: bool, out: &mut Out<'_>) {
    match serde_json::from_str::<Cow<'_, str>>(json) {
        Ok(text) if !is_name => out.text(text.as_bytes()),
        _ => out.raw(json.as_bytes()),
    }
}

/// Bytes of a string with its quotes.
fn string_length(bytes: &[u8]) -> usize {
    let mut at = 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    bytes.len()
}
