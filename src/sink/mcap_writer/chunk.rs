//! A chunk: records in the making, then compressed, with the indexes of its messages.

use mcap::records::op;
use zstd::bulk::Compressor;

use super::definitions::Definition;
use super::records::{HEAD, LOG_TIME, MESSAGE_HEAD, begin, end, put_text, put_u16, put_u32, put_u64, record};
use crate::model::Entry;

/// zstd's fastest of the regular levels: the processor is needed to serve.
pub(super) const COMPRESSION_LEVEL: i32 = 1;

/// What zstd saves less of than a part in so many is stored as it is: images and random bytes, which readers then need not
/// decompress.
const WORTHWHILE: usize = 32;

/// A larger chunk is compressed anyway: readers take one that is not record by record, and ours reads the file through.
const LARGEST_PLAIN: usize = 64 << 20;

/// A larger buffer is not kept for the next chunk.
const LARGEST_SPARE: usize = 4 << 20;

/// Records for a file, and what has to be known of them.
#[derive(Debug, Default)]
pub(super) struct Chunk {
    records: Vec<u8>,
    messages: Vec<Indexed>,
    /// Where messages of latched channels begin, with their origins.
    latched: Vec<(u32, u32)>,
    definitions: Vec<Definition>,
}

/// A message of a chunk.
#[derive(Debug, Clone, Copy)]
struct Indexed {
    log_time: u64,
    /// Of its record, in the chunk before it is compressed.
    offset: u32,
    channel: u16,
}

/// Whether a channel is latched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Latching {
    Latched,
    Plain,
}

impl Chunk {
    /// Forgets what is in it, and keeps its memory, unless that is much.
    fn clear(&mut self) {
        if self.records.capacity() > LARGEST_SPARE {
            self.records = Vec::new();
        }
        self.records.clear();
        self.messages.clear();
        self.latched.clear();
        self.definitions.clear();
    }

    /// Bytes of records.
    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    /// Adds a schema or a channel.
    pub(super) fn define(&mut self, definition: Definition) {
        self.records.extend_from_slice(definition.record());
        self.definitions.push(definition);
    }

    /// Adds schemas and channels that the file's reader is told of elsewhere.
    pub(super) fn define_again(&mut self, records: &[u8]) {
        self.records.extend_from_slice(records);
    }

    /// Adds a message.
    pub(super) fn push(&mut self, channel: u16, latching: Latching, entry: &Entry, payload: &[u8]) {
        let log_time = entry.log_time.nanos();
        let offset = self.index(channel, log_time);
        if latching == Latching::Latched {
            self.latched.push((offset, entry.origin));
        }
        let mut head = [0; MESSAGE_HEAD];
        head[0] = op::MESSAGE;
        head[1..9].copy_from_slice(&((MESSAGE_HEAD - HEAD + payload.len()) as u64).to_le_bytes());
        head[9..11].copy_from_slice(&channel.to_le_bytes());
        head[11..15].copy_from_slice(&entry.sequence.to_le_bytes());
        head[15..23].copy_from_slice(&log_time.to_le_bytes());
        head[23..31].copy_from_slice(&entry.publish_time.nanos().to_le_bytes());
        self.records.extend_from_slice(&head);
        self.records.extend_from_slice(payload);
    }

    /// Adds a message once more, as the record that it was in another chunk.
    pub(super) fn push_again(&mut self, message: &[u8]) {
        let channel = message.get(HEAD..).and_then(|field| field.first_chunk());
        let log_time = message.get(LOG_TIME..).and_then(|field| field.first_chunk());
        if let (Some(channel), Some(log_time)) = (channel, log_time) {
            self.index(u16::from_le_bytes(*channel), u64::from_le_bytes(*log_time));
            self.records.extend_from_slice(message);
        }
    }

    /// Notes a message that begins at the end of what is there.
    fn index(&mut self, channel: u16, log_time: u64) -> u32 {
        // a chunk ends before the first message that begins beyond its size
        let offset = u32::try_from(self.records.len()).unwrap_or(u32::MAX);
        self.messages.push(Indexed { log_time, offset, channel });
        offset
    }

    /// Compresses it; `out` is a buffer that was used before.
    pub(super) fn seal(mut self, compressor: &mut Compressor<'_>, mut out: Vec<u8>) -> Sealed {
        out.clear();
        let times = || self.messages.iter().map(|message| message.log_time);
        let range = times().min().zip(times().max());
        let at = begin(&mut out, op::CHUNK);
        let (start, last) = range.unwrap_or_default();
        put_u64(&mut out, start);
        put_u64(&mut out, last);
        put_u64(&mut out, self.records.len() as u64);
        put_u32(&mut out, crc32fast::hash(&self.records));
        let (compression, compressed) = compress(&self.records, compressor, &mut out);
        end(&mut out, at, 0);
        let length = out.len();
        // in the order of the records within each channel
        self.messages.sort_by_key(|message| message.channel);
        let mut channels = Vec::new();
        for messages in self.messages.chunk_by(|one, other| one.channel == other.channel) {
            let channel = messages[0].channel;
            channels.push(InChunk { channel, index: out.len() as u64, messages: messages.len() as u64 });
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
        Sealed { chunk: self, bytes: out, length, range, compression, compressed, channels }
    }
}

/// Appends the name of the compression, the length and the bytes.
fn compress(records: &[u8], compressor: &mut Compressor<'_>, out: &mut Vec<u8>) -> (&'static str, usize) {
    const ZSTD: &str = "zstd";
    let start = out.len();
    put_text(out, ZSTD);
    put_u64(out, 0);
    let data = out.len();
    out.resize(data + zstd::zstd_safe::compress_bound(records.len()), 0);
    let most = match records.len() {
        length @ ..=LARGEST_PLAIN => length - length / WORTHWHILE,
        _ => usize::MAX,
    };
    match compressor.compress_to_buffer(records, &mut out[data..]) {
        Ok(length) if length < most => {
            out.truncate(data + length);
            out[data - 8..data].copy_from_slice(&(length as u64).to_le_bytes());
            return (ZSTD, length);
        }
        // it can't fail with room for the worst case
        Ok(_) | Err(_) => {}
    }
    out.truncate(start);
    put_text(out, "");
    put_u64(out, records.len() as u64);
    out.extend_from_slice(records);
    ("", records.len())
}

/// A chunk as it is written, with the indexes of its messages after it.
#[derive(Debug)]
pub(super) struct Sealed {
    chunk: Chunk,
    bytes: Vec<u8>,
    /// Of the chunk's record.
    pub(super) length: usize,
    /// Lowest and highest log time; None without a message.
    pub(super) range: Option<(u64, u64)>,
    pub(super) compression: &'static str,
    pub(super) compressed: usize,
    /// By id.
    pub(super) channels: Vec<InChunk>,
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
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
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

    /// Memory for the next ones: an empty chunk, and a buffer for [`Chunk::seal`].
    pub(super) fn into_spare(mut self) -> (Chunk, Vec<u8>) {
        self.chunk.clear();
        if self.bytes.capacity() > LARGEST_SPARE {
            self.bytes = Vec::new();
        }
        (self.chunk, self.bytes)
    }
}
