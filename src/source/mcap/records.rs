//! MCAP records: their framing, their fields, and the bounds within which they are believed.
//!
//! Specification: <https://mcap.dev/spec>.

use std::io;
use std::ops::Range;

use crate::model::{ChannelId, Entry};
use crate::source::bytes::RangeRead;
use crate::source::{Order, SourceError};
use crate::time::Timestamp;

/// Opcode and length before every record.
pub(super) const RECORD_HEADER: u64 = 9;

/// The first and last eight bytes of every MCAP file.
pub(super) const MAGIC: &[u8; 8] = b"\x89MCAP0\r\n";

/// A decompressed chunk, a record or a summary larger than this is refused: it is held in memory whole.
pub(super) const MAX_IN_MEMORY: u64 = 1 << 30;

/// Channels and schemas that are held of one source, in bytes; a recording with more than this is not from a recorder.
pub(super) const MAX_DEFINITIONS: usize = 256 << 20;

/// An uncompressed chunk larger than this is never in memory whole: its records are read as if there were no chunk.
pub(super) const LARGE_CHUNK: u64 = 256 << 20;

/// Of a decompressed chunk larger than this, messages are copied into batches: a batch that waits for a client must not
/// keep all of it in memory.
pub(super) const COPIED_FROM: usize = 64 << 20;

/// Bytes of a message record before its payload.
pub(super) const MESSAGE_HEADER: usize = 22;

/// Opcode and length of the record that `bytes` begins with.
pub(super) fn record_header(bytes: &[u8]) -> Option<(u8, u64)> {
    let (opcode, rest) = bytes.split_first()?;
    Some((*opcode, u64::from_le_bytes(*rest.first_chunk()?)))
}

/// Visits every record of a decompressed chunk: opcode, offset of its body, body. Stops with the offset of a record
/// that does not fit, or that `visit` can't read.
pub(super) fn walk(bytes: &[u8], mut visit: impl FnMut(u8, usize, &[u8]) -> Option<()>) -> Result<(), usize> {
    let mut at = 0;
    while at < bytes.len() {
        let (opcode, body) = inner_record(bytes, at).ok_or(at)?;
        visit(opcode, body.start, &bytes[body.clone()]).ok_or(at)?;
        at = body.end;
    }
    Ok(())
}

/// Opcode and body of the record at `at` of a decompressed chunk; None if it does not fit.
pub(super) fn inner_record(bytes: &[u8], at: usize) -> Option<(u8, Range<usize>)> {
    let (opcode, length) = record_header(bytes.get(at..)?)?;
    let body = at + 9;
    let end = body.checked_add(usize::try_from(length).ok()?)?;
    (end <= bytes.len()).then_some((opcode, body..end))
}

/// The channel (of the file) and what is known of a message; `offset` is that of the record's body in its buffer.
pub(super) fn message(body: &[u8], offset: usize, order: Order) -> Option<(u16, Entry)> {
    let length = u32::try_from(body.len().checked_sub(MESSAGE_HEADER)?).ok()?;
    let channel = u16::from_le_bytes(*body.first_chunk()?);
    let sequence = u32::from_le_bytes(*body[2..].first_chunk()?);
    let log_time = Timestamp(u64::from_le_bytes(*body[6..].first_chunk()?));
    let publish_time = Timestamp(u64::from_le_bytes(*body[14..].first_chunk()?));
    let entry = Entry {
        log_time: match order {
            Order::Log => log_time,
            Order::Publish => publish_time,
        },
        publish_time,
        channel: ChannelId(0),
        sequence,
        buffer: 0,
        offset: u32::try_from(offset + MESSAGE_HEADER).ok()?,
        length,
        origin: u32::from(channel),
    };
    Some((channel, entry))
}

/// A size in memory; sizes beyond the address space fail to allocate, not to convert.
pub(super) fn to_usize(value: u64) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

/// A part of a file in memory of its own.
pub(super) fn read_vec(file: &dyn RangeRead, offset: u64, length: u64) -> io::Result<Vec<u8>> {
    if offset.saturating_add(length) > file.size() || length > MAX_IN_MEMORY {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let mut buffer = vec![0; to_usize(length)];
    file.read_at(&mut buffer, offset)?;
    Ok(buffer)
}

/// Opcode and length of the record at `offset` of a file; None if it does not lie within the file.
pub(super) fn header_at(file: &dyn RangeRead, offset: u64) -> io::Result<Option<(u8, u64)>> {
    if offset.saturating_add(RECORD_HEADER) > file.size() {
        return Ok(None);
    }
    let mut header = [0; 9];
    file.read_at(&mut header, offset)?;
    let (opcode, length) = record_header(&header).unwrap_or_default();
    Ok((length <= file.size() - offset - RECORD_HEADER).then_some((opcode, length)))
}

/// Opcode and body of the record at `offset` of a file; None if it does not lie within the file. `guess`: how many
/// bytes to read at first.
pub(super) fn record_at(file: &dyn RangeRead, offset: u64, guess: u64) -> io::Result<Option<(u8, Vec<u8>)>> {
    let mut bytes = read_vec(file, offset, guess.min(file.size().saturating_sub(offset)))?;
    let Some((opcode, length)) = record_header(&bytes) else { return Ok(None) };
    let whole = length.saturating_add(RECORD_HEADER);
    if whole > file.size() - offset {
        return Ok(None);
    }
    let read = bytes.len() as u64;
    if whole > read {
        bytes.extend(read_vec(file, offset + read, whole - read)?);
    }
    bytes.truncate(to_usize(whole));
    bytes.drain(..to_usize(RECORD_HEADER));
    Ok(Some((opcode, bytes)))
}

pub(super) fn damaged(file: &dyn RangeRead, offset: u64, reason: impl Into<String>) -> SourceError {
    SourceError::Damaged { name: file.name().to_owned(), offset, reason: reason.into() }
}

pub(super) fn unusable(file: &dyn RangeRead, reason: impl Into<String>) -> SourceError {
    SourceError::Unusable { name: file.name().to_owned(), reason: reason.into() }
}

pub(super) fn failed(file: &dyn RangeRead, error: io::Error) -> SourceError {
    SourceError::Io { name: file.name().to_owned(), error }
}
