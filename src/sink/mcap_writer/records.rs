//! Records as bytes: opcode, length, fields. Numbers are little-endian, text and maps begin with their length.
//!
//! Specification: <https://mcap.dev/spec>.

use std::collections::BTreeMap;

/// Opcode and length before the fields of a record.
pub(super) const HEAD: usize = 9;

/// A message record before its payload: [`HEAD`], channel, sequence, log time, publish time.
pub(super) const MESSAGE_HEAD: usize = HEAD + 22;

/// Where a message record has its log time.
pub(super) const LOG_TIME: usize = HEAD + 6;

/// Appends a record with the fields that `body` appends.
pub(super) fn record(out: &mut Vec<u8>, opcode: u8, body: impl FnOnce(&mut Vec<u8>)) {
    let at = begin(out, opcode);
    body(out);
    end(out, at, 0);
}

/// Appends opcode and room for the length; where the fields begin.
pub(super) fn begin(out: &mut Vec<u8>, opcode: u8) -> usize {
    out.push(opcode);
    put_u64(out, 0);
    out.len()
}

/// Sets the length of the record whose fields began at `at`: what was appended since, and `more` bytes that are not in
/// this buffer.
pub(super) fn end(out: &mut [u8], at: usize, more: usize) {
    let length = (out.len() - at + more) as u64;
    out[at - 8..at].copy_from_slice(&length.to_le_bytes());
}

pub(super) fn put_u16(out: &mut Vec<u8>, value: u16) {
    out.extend_from_slice(&value.to_le_bytes());
}

pub(super) fn put_u32(out: &mut Vec<u8>, value: u32) {
    out.extend_from_slice(&value.to_le_bytes());
}

pub(super) fn put_u64(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(&value.to_le_bytes());
}

/// Appends bytes after their length, which has four bytes: of what would have more the beginning alone is written.
pub(super) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    put_u32(out, length);
    out.extend_from_slice(&bytes[..length as usize]);
}

pub(super) fn put_text(out: &mut Vec<u8>, text: &str) {
    put_bytes(out, text.as_bytes());
}

/// Appends a map after the length of what it takes in bytes.
pub(super) fn put_map<K, V>(out: &mut Vec<u8>, map: &BTreeMap<K, V>, put: impl Fn(&mut Vec<u8>, &K, &V)) {
    let at = out.len();
    put_u32(out, 0);
    for (key, value) in map {
        put(out, key, value);
    }
    let length = u32::try_from(out.len() - at - 4).unwrap_or(u32::MAX);
    out[at..at + 4].copy_from_slice(&length.to_le_bytes());
}

pub(super) fn put_texts(out: &mut Vec<u8>, map: &BTreeMap<String, String>) {
    put_map(out, map, |out, key, value| {
        put_text(out, key);
        put_text(out, value);
    });
}
