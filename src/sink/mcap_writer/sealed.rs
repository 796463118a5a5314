//! A chunk as it is written.

use std::io::Cursor;

use crc32fast::Hasher;
use mcap::records::op;
use zstd::bulk::Compressor;

use super::chunk::{Chunk, LARGEST_SPARE};
use super::definitions::Definition;
use super::records::{begin, end, put_text, put_u16, put_u32, put_u64, record};

/// zstd's fastest of the regular levels: the processor is needed to serve.
pub(super) const COMPRESSION_LEVEL: i32 = 1;

/// Its name in files.
const ZSTD: &str = "zstd";

/// What zstd saves less of than a part in so many is stored as it is: images and random bytes, which readers then need not
/// decompress.
const WORTHWHILE: usize = 32;

/// A larger chunk is compressed anyway: readers take one that is not record by record, and ours reads the file through.
const LARGEST_PLAIN: usize = 64 << 20;

/// A chunk as it is written, with the indexes of its messages after it.
#[derive(Debug)]
pub(super) struct Sealed {
    chunk: Chunk,
    /// The chunk's record, without what is plain, and the indexes.
    bytes: Vec<u8>,
    /// Bytes of the former.
    head: usize,
    data: Data,
    /// Of all that is written.
    crc: Hasher,
    /// Lowest and highest log time; None without a message.
    pub(super) range: Option<(u64, u64)>,
    /// By id.
    pub(super) channels: Vec<InChunk>,
}

/// What a chunk has for its records.
#[derive(Debug, Clone, Copy)]
enum Data {
    /// So many bytes.
    Zstd(usize),
    /// The records themselves.
    Plain,
}

/// The messages of a channel in a chunk.
#[derive(Debug)]
pub(super) struct InChunk {
    pub(super) channel: u16,
    /// Where their index is, from the beginning of the chunk's record.
    pub(super) index: u64,
    pub(super) messages: u64,
}

impl Sealed {
    /// Compresses a chunk; `out` is a buffer that was used before.
    pub(super) fn of(mut chunk: Chunk, compressor: &mut Compressor<'_>, mut out: Vec<u8>) -> Self {
        out.clear();
        let times = || chunk.messages.iter().map(|message| message.log_time);
        let range = times().min().zip(times().max());
        let at = begin(&mut out, op::CHUNK);
        let (start, last) = range.unwrap_or_default();
        put_u64(&mut out, start);
        put_u64(&mut out, last);
        put_u64(&mut out, chunk.records.len() as u64);
        let mut records_crc = Hasher::new();
        records_crc.update(&chunk.records);
        put_u32(&mut out, records_crc.clone().finalize());
        let data = compress(&chunk.records, compressor, &mut out);
        // what is stored as it is need not be copied
        let between = match data {
            Data::Zstd(_) => 0,
            Data::Plain => chunk.records.len(),
        };
        end(&mut out, at, between);
        let head = out.len();
        // in the order of the records within each channel
        chunk.messages.sort_by_key(|message| message.channel);
        let mut channels = Vec::new();
        for messages in chunk.messages.chunk_by(|one, other| one.channel == other.channel) {
            let channel = messages[0].channel;
            let index = (out.len() + between) as u64;
            channels.push(InChunk { channel, index, messages: messages.len() as u64 });
            record(&mut out, op::MESSAGE_INDEX, |out| {
                put_u16(out, channel);
                // an entry for each of at most a mebibyte of messages
                put_u32(out, u32::try_from(messages.len() * 16).unwrap_or(u32::MAX));
                for message in messages {
                    put_u64(out, message.log_time);
                    put_u64(out, u64::from(message.offset));
                }
            });
        }
        let mut crc = Hasher::new();
        crc.update(&out[..head]);
        if matches!(data, Data::Plain) {
            crc.combine(&records_crc);
        }
        crc.update(&out[head..]);
        Self { chunk, bytes: out, head, data, crc, range, channels }
    }

    /// All that is written, in parts.
    pub(super) fn bytes(&self) -> [&[u8]; 3] {
        let (head, indexes) = self.bytes.split_at(self.head);
        [head, self.plain(), indexes]
    }

    fn plain(&self) -> &[u8] {
        match self.data {
            Data::Zstd(_) => &[],
            Data::Plain => &self.chunk.records,
        }
    }

    /// Bytes of the chunk's record.
    pub(super) fn length(&self) -> usize {
        self.head + self.plain().len()
    }

    /// Bytes of it and of the indexes.
    pub(super) fn size(&self) -> usize {
        self.bytes.len() + self.plain().len()
    }

    /// The checksum of what is written.
    pub(super) fn crc(&self) -> &Hasher {
        &self.crc
    }

    /// The name of the compression, and the bytes of the records with it.
    pub(super) fn compression(&self) -> (&'static str, usize) {
        match self.data {
            Data::Zstd(length) => (ZSTD, length),
            Data::Plain => ("", self.chunk.records.len()),
        }
    }

    /// Before it was compressed.
    pub(super) fn records(&self) -> &[u8] {
        &self.chunk.records
    }

    /// Where in [`Sealed::records`] messages of latched channels begin, with their origins.
    pub(super) fn latched(&self) -> &[(u32, u32)] {
        &self.chunk.latched
    }

    pub(super) fn definitions(&self) -> &[Definition] {
        &self.chunk.definitions
    }

    /// How many messages it has.
    pub(super) fn messages(&self) -> u64 {
        self.chunk.messages.len() as u64
    }

    /// Memory for the next ones: an empty chunk, and a buffer for [`Sealed::of`].
    pub(super) fn into_spare(mut self) -> (Chunk, Vec<u8>) {
        self.chunk.clear();
        if self.bytes.capacity() > LARGEST_SPARE {
            self.bytes = Vec::new();
        }
        (self.chunk, self.bytes)
    }
}

/// Appends the name of the compression, the length and, if they are compressed, the records.
fn compress(records: &[u8], compressor: &mut Compressor<'_>, out: &mut Vec<u8>) -> Data {
    let start = out.len();
    put_text(out, ZSTD);
    put_u64(out, 0);
    let data = out.len();
    out.reserve(zstd::zstd_safe::compress_bound(records.len()));
    let most = match records.len() {
        length @ ..=LARGEST_PLAIN => length - length / WORTHWHILE,
        _ => usize::MAX,
    };
    let mut end = Cursor::new(&mut *out);
    end.set_position(data as u64);
    match compressor.compress_to_buffer(records, &mut end) {
        Ok(length) if length < most => {
            out[data - 8..data].copy_from_slice(&(length as u64).to_le_bytes());
            return Data::Zstd(length);
        }
        // it can't fail with room for the worst case
        Ok(_) | Err(_) => {}
    }
    out.truncate(start);
    put_text(out, "");
    put_u64(out, records.len() as u64);
    Data::Plain
}
