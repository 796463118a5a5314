//! Unpacks chunks, wherever their bytes come from: decompress, then check.

use std::io::{self, Read};
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use mcap::records::op;

use super::fields::{ChunkHead, Definition};
use super::pool::{ChunkPool, Pooled};
use super::records::{MAX_IN_MEMORY, message, to_usize, walk};
use crate::source::Order;

/// The records of a chunk.
#[derive(Debug)]
pub(super) enum Plain {
    /// Decompressed.
    Own(Bytes),
    /// Not compressed: they are this part of the chunk's body.
    Within(Range<usize>),
}

impl Plain {
    /// The records; `body` is that of the chunk.
    pub(super) fn records<'a>(&'a self, body: &'a [u8]) -> &'a [u8] {
        match self {
            Self::Own(plain) => plain,
            Self::Within(range) => &body[range.clone()],
        }
    }
}

/// Decompresses and checks chunks, wherever their bytes come from.
#[derive(Debug, Default)]
pub(super) struct Unpacker {
    pool: Arc<ChunkPool>,
}

impl Unpacker {
    pub(super) fn new(pool: Arc<ChunkPool>) -> Self {
        Self { pool }
    }

    /// Memory of this size, used before or zero.
    pub(super) fn memory(&self, length: usize) -> Pooled {
        self.pool.take(length)
    }

    /// The same; an error if there is not as much memory.
    pub(super) fn try_memory(&self, length: usize) -> io::Result<Pooled> {
        self.pool.try_take(length)
    }

    /// The records of the chunk with this body; the error is what is wrong with it.
    pub(super) fn unpack(&self, body: &[u8]) -> Result<Plain, String> {
        let head = ChunkHead::decode(body).ok_or("the chunk's header can't be read")?;
        let start = to_usize(head.length);
        let range = start..start.saturating_add(to_usize(head.compressed));
        let data = body.get(range.clone()).ok_or("the chunk claims more data than it has")?;
        if head.uncompressed > MAX_IN_MEMORY {
            return Err(format!("the chunk claims {} bytes, more than 1 GiB", head.uncompressed));
        }
        let plain = if head.compression.is_empty() {
            Plain::Within(range)
        } else {
            Plain::Own(self.decompress(&head, data)?)
        };
        if head.crc != 0 && crc32fast::hash(plain.records(body)) != head.crc {
            return Err("the chunk's CRC does not match its content".into());
        }
        Ok(plain)
    }

    fn decompress(&self, head: &ChunkHead, data: &[u8]) -> Result<Bytes, String> {
        let damaged = || format!("the chunk's {} data is damaged", head.compression);
        let size = to_usize(head.uncompressed);
        let mut plain = self.pool.try_take(size).map_err(|error| error.to_string())?;
        let read = match head.compression.as_str() {
            "zstd" => zstd::bulk::decompress_to_buffer(data, plain.as_mut()).map_err(|_cause| damaged())?,
            "lz4" => {
                let mut decoder = lz4_flex::frame::FrameDecoder::new(data);
                decoder.read_exact(plain.as_mut()).map_err(|_cause| damaged())?;
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

/// Checks that all records of a decompressed chunk can be read; the error says which can't. Nothing of a chunk is taken
/// before.
pub(super) fn check(records: &[u8]) -> Result<(), String> {
    walk(records, |opcode, at, body| match opcode {
        op::MESSAGE => message(body, at, Order::Log).map(drop),
        op::SCHEMA | op::CHANNEL => Definition::decode(opcode, body).map(drop),
        _ => Some(()),
    })
    .map_err(|at| format!("the chunk's record at its byte {at} is damaged"))
}
