//! Unpacks chunks, wherever their bytes come from: decompress, then check.

use std::io::Read;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use mcap::records::{ChunkHeader, Record, op};

use super::pool::{ChunkPool, Pooled};
use super::records::{MAX_IN_MEMORY, message, parse, to_usize, walk};
use crate::source::Order;

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

/// Bytes of a chunk's body after its data.
fn trailing(body: &[u8], data: &[u8]) -> usize {
    let end = data.as_ptr_range().end;
    body.as_ptr_range().end.addr() - end.addr()
}

/// Checks that all records of a decompressed chunk can be read; the error says which can't. Nothing of a chunk is taken
/// before.
pub(super) fn check(records: &[u8]) -> Result<(), String> {
    walk(records, |opcode, at, body| match opcode {
        op::MESSAGE => message(body, at, Order::Log).map(drop),
        op::SCHEMA | op::CHANNEL => parse(opcode, body).map(drop),
        _ => Some(()),
    })
    .map_err(|at| format!("the chunk's record at its byte {at} is damaged"))
}
