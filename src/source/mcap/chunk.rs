//! Turns a piece of a recording into messages: read, decompress, check, walk.
//!
//! [`Decoder`] does so with pieces of a file, [`Unpacker`] with chunks from anywhere.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use mcap::records::{ChunkHeader, Record, op};

use super::contents::{MAX_IN_MEMORY, Piece, RECORD_HEADER, RandomFile, parse, record_header, to_usize};
use crate::model::{ChannelId, Entry};
use crate::source::{Order, SourceError};
use crate::time::{TimeRange, Timestamp};

/// Buffers kept for the next chunk, in bytes: fresh memory of a chunk's size costs a page fault for every 4 KiB.
const POOL_LIMIT: usize = 8 << 20;

/// Bytes of a message record before its payload.
const MESSAGE_HEADER: usize = 22;

/// A piece in memory.
#[derive(Debug, Clone)]
pub struct Decoded {
    /// What its payloads lie in.
    pub buffer: Bytes,
    /// In time order; equal times as in the file. `buffer` is 0.
    pub entries: Vec<Entry>,
    /// Messages of channels that the file does not define.
    pub unknown: u64,
}

/// Which messages are wanted, and under which ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Selection {
    /// By channel of the file: its id here; None for channels left out.
    pub(super) channels: Vec<Option<ChannelId>>,
    /// Channels of the file that are left out on purpose.
    pub(super) left_out: BTreeSet<u16>,
    pub(super) order: Order,
}

impl Selection {
    pub(super) fn channel(&self, id: u16) -> Option<ChannelId> {
        self.channels.get(usize::from(id)).copied().flatten()
    }
}

/// Reads and decodes pieces; shared by the threads that do so.
#[derive(Debug)]
pub(super) struct Decoder {
    pub(super) file: RandomFile,
    unpacker: Unpacker,
}

impl Decoder {
    pub(super) fn new(file: RandomFile, pool: Arc<Pool>) -> Self {
        Self { file, unpacker: Unpacker { pool } }
    }

    /// The messages of a piece that are chosen and lie in the range.
    pub(super) fn decode(
        &self,
        piece: &Piece,
        selection: &Selection,
        range: TimeRange,
    ) -> Result<Decoded, SourceError> {
        let buffer = self.plain(piece)?;
        let mut entries = Vec::new();
        let mut unknown = 0;
        walk(&buffer, |opcode, offset, body| {
            if opcode != op::MESSAGE {
                return Some(());
            }
            let (channel, entry) = message(body, offset, selection.order)?;
            match selection.channel(channel) {
                Some(channel) if range.contains(entry.log_time) => {
                    entries.push(Entry { channel, ..entry });
                }
                None if !selection.left_out.contains(&channel) => unknown += 1,
                _ => {}
            }
            Some(())
        })
        .map_err(|at| self.damaged_record(piece, at))?;
        if !entries.is_sorted_by_key(|entry| entry.log_time) {
            entries.sort_by_key(|entry| entry.log_time);
        }
        Ok(Decoded { buffer, entries, unknown })
    }

    /// The last message before a time of each of `channels`, in any order, with their offsets in the buffer.
    pub(super) fn last_before(
        &self,
        piece: &Piece,
        selection: &Selection,
        before: u64,
        channels: &BTreeSet<ChannelId>,
    ) -> Result<(Bytes, Vec<Entry>), SourceError> {
        let buffer = self.plain(piece)?;
        let mut last: BTreeMap<ChannelId, Option<Entry>> =
            channels.iter().map(|channel| (*channel, None)).collect();
        walk(&buffer, |opcode, offset, body| {
            if opcode != op::MESSAGE {
                return Some(());
            }
            let (channel, entry) = message(body, offset, selection.order)?;
            if entry.log_time.0 < before
                && let Some(channel) = selection.channel(channel)
                && let Some(last) = last.get_mut(&channel)
                // of equal times the later one is the last
                && last.is_none_or(|last| last.log_time <= entry.log_time)
            {
                *last = Some(Entry { channel, ..entry });
            }
            Some(())
        })
        .map_err(|at| self.damaged_record(piece, at))?;
        Ok((buffer, last.into_values().flatten().collect()))
    }

    fn damaged_record(&self, piece: &Piece, at: usize) -> SourceError {
        self.file.damaged(piece.offset, format!("the chunk's record at its byte {at} is damaged"))
    }

    /// The records of a piece, decompressed and checked.
    pub(super) fn plain(&self, piece: &Piece) -> Result<Bytes, SourceError> {
        let io = |error| SourceError::Io { name: self.file.name.clone(), error };
        if piece.length > MAX_IN_MEMORY || piece.offset.saturating_add(piece.length) > self.file.size {
            return Err(self.file.damaged(piece.offset, "the record is larger than can be"));
        }
        let mut raw = self.unpacker.memory(to_usize(piece.length));
        self.file.read_at(raw.as_mut(), piece.offset).map_err(io)?;
        if !piece.is_chunk {
            return Ok(raw.freeze());
        }
        let damaged = |reason: String| self.file.damaged(piece.offset, reason);
        match record_header(raw.as_ref()) {
            Some((op::CHUNK, length)) if length.checked_add(RECORD_HEADER) == Some(piece.length) => {}
            _ => return Err(damaged("the index says that there is a chunk here, but there is none".into())),
        }
        match self.unpacker.unpack(&raw.as_ref()[9..]).map_err(damaged)? {
            Plain::Own(plain) => Ok(plain),
            Plain::Within(range) => Ok(raw.freeze().slice(range.start + 9..range.end + 9)),
        }
    }
}

/// The records of a chunk.
#[derive(Debug)]
pub(super) enum Plain {
    /// Decompressed.
    Own(Bytes),
    /// Not compressed: they are this part of the chunk's body.
    Within(Range<usize>),
}

/// Decompresses and checks chunks, wherever their bytes come from.
#[derive(Debug, Default)]
pub(super) struct Unpacker {
    pool: Arc<Pool>,
}

impl Unpacker {
    /// Memory of this size, used before or zero.
    pub(super) fn memory(&self, length: usize) -> Buffer {
        self.pool.take(length)
    }

    /// The records of the chunk with this body; the error is what is wrong with it.
    pub(super) fn unpack(&self, body: &[u8]) -> Result<Plain, String> {
        let (header, data) = match parse(op::CHUNK, body) {
            Some(Record::Chunk { header, data }) => (header, data),
            _ => return Err("the chunk's header can't be read".into()),
        };
        if header.uncompressed_size > MAX_IN_MEMORY {
            return Err(format!("the chunk claims {} bytes, more than 1 GiB", header.uncompressed_size));
        }
        let plain = if header.compression.is_empty() {
            let end = body.len() - trailing(body, &data);
            Plain::Within(end - data.len()..end)
        } else {
            Plain::Own(self.decompress(&header, &data)?)
        };
        let records = match &plain {
            Plain::Own(plain) => plain,
            Plain::Within(range) => &body[range.clone()],
        };
        if header.uncompressed_crc != 0 && crc32fast::hash(records) != header.uncompressed_crc {
            return Err("the chunk's CRC does not match its content".into());
        }
        Ok(plain)
    }

    fn decompress(&self, header: &ChunkHeader, data: &[u8]) -> Result<Bytes, String> {
        let size = to_usize(header.uncompressed_size);
        let mut plain = self.pool.take(size);
        let read = match header.compression.as_str() {
            "zstd" => {
                zstd::bulk::decompress_to_buffer(data, plain.as_mut()).map_err(|error| error.to_string())?
            }
            "lz4" => {
                let mut decoder = lz4_flex::frame::FrameDecoder::new(data);
                decoder.read_exact(plain.as_mut()).map_err(|error| error.to_string())?;
                size
            }
            other => {
                return Err(format!(
                    "the chunk's compression '{other}' is not known; known are zstd and lz4"
                ));
            }
        };
        if read != size {
            return Err(format!("the chunk decompresses to {read} bytes instead of {size}"));
        }
        Ok(plain.freeze())
    }
}

/// Bytes of a chunk's body behind its data.
fn trailing(body: &[u8], data: &[u8]) -> usize {
    let end = data.as_ptr_range().end;
    body.as_ptr_range().end.addr() - end.addr()
}

/// Visits every record of a decompressed chunk: opcode, offset of its body, body. Stops with the offset of a record
/// that does not fit, or that `visit` can't read.
pub(super) fn walk(bytes: &[u8], mut visit: impl FnMut(u8, usize, &[u8]) -> Option<()>) -> Result<(), usize> {
    let mut at = 0;
    while at < bytes.len() {
        let (opcode, length) = record_header(&bytes[at..]).ok_or(at)?;
        let body = at + 9;
        let end = body.checked_add(usize::try_from(length).map_err(|_too_large| at)?).ok_or(at)?;
        visit(opcode, body, bytes.get(body..end).ok_or(at)?).ok_or(at)?;
        at = end;
    }
    Ok(())
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
    };
    Some((channel, entry))
}

/// Buffers of chunks that nobody uses any more; shared by the files of a timeline.
#[derive(Debug, Default)]
pub(super) struct Pool(Mutex<Vec<Vec<u8>>>);

impl Pool {
    fn take(self: &Arc<Self>, length: usize) -> Buffer {
        let mut free = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fitting = free.iter().position(|buffer| buffer.len() >= length && buffer.len() / 2 <= length);
        let mut bytes = fitting.map(|index| free.swap_remove(index)).unwrap_or_default();
        drop(free);
        if bytes.len() < length {
            bytes = vec![0; length];
        }
        Buffer { bytes, length, pool: self.clone() }
    }

    fn give_back(&self, bytes: Vec<u8>) {
        let mut free = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let kept: usize = free.iter().map(Vec::len).sum();
        if kept + bytes.len() > POOL_LIMIT && !free.is_empty() {
            free.swap_remove(0);
        }
        if bytes.len() <= POOL_LIMIT / 2 && free.len() < 64 {
            free.push(bytes);
        }
    }
}

/// Memory of the pool; goes back to it when the last share is dropped.
pub(super) struct Buffer {
    bytes: Vec<u8>,
    length: usize,
    pool: Arc<Pool>,
}

impl Buffer {
    pub(super) fn as_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[..self.length]
    }

    pub(super) fn freeze(self) -> Bytes {
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.pool.give_back(std::mem::take(&mut self.bytes));
    }
}
