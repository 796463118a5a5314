//! The fields of records other than messages.
//!
//! A recorder's bugs and a disk's bits end up in lengths: each is checked against the record before anything is
//! allocated for it. Text that is not UTF-8 gets replacement characters, since its record is of use without it.
//!
//! Specification: <https://mcap.dev/spec>.

use std::collections::BTreeMap;

use bytes::Bytes;
use mcap::records::op;

use super::records::{MAX_DEFINITIONS, to_usize};
use crate::model::{Attachment, Schema};
use crate::time::Timestamp;

/// Bytes of the name of a compression; `zstd` has four.
const MAX_COMPRESSION_NAME: usize = 64;

/// Whether all text of a record was UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Text {
    #[default]
    Utf8,
    /// Some has replacement characters.
    Replaced,
}

/// What a schema or channel record says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Definition {
    Schema(SchemaRecord),
    Channel(ChannelRecord),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SchemaRecord {
    /// 0 is reserved for channels without a schema.
    pub(super) id: u16,
    pub(super) schema: Schema,
    pub(super) text: Text,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct ChannelRecord {
    pub(super) id: u16,
    /// 0: none.
    pub(super) schema_id: u16,
    pub(super) topic: String,
    pub(super) message_encoding: String,
    pub(super) metadata: BTreeMap<String, String>,
    pub(super) text: Text,
}

impl Definition {
    /// Reads a schema or a channel; None for other records, and where the content is not what the opcode says.
    pub(super) fn decode(opcode: u8, body: &[u8]) -> Option<Self> {
        // it could not be kept, and replacement characters would make it larger
        if body.len() > MAX_DEFINITIONS {
            return None;
        }
        let mut fields = Fields::of(body);
        match opcode {
            op::SCHEMA => {
                let id = fields.u16()?;
                let (name, encoding) = (fields.text()?, fields.text()?);
                let length = fields.u32()?;
                let data = schema_data(&encoding, fields.bytes(u64::from(length))?, &mut fields.text);
                Some(Self::Schema(SchemaRecord {
                    id,
                    schema: Schema { name, encoding, data },
                    text: fields.text,
                }))
            }
            op::CHANNEL => {
                let (id, schema_id) = (fields.u16()?, fields.u16()?);
                let (topic, message_encoding) = (fields.text()?, fields.text()?);
                let metadata = fields.text_map()?;
                let text = fields.text;
                Some(Self::Channel(ChannelRecord { id, schema_id, topic, message_encoding, metadata, text }))
            }
            _ => None,
        }
    }

    /// For people: what has replacement characters; None if nothing has.
    pub(super) fn replaced(&self) -> Option<String> {
        match self {
            Self::Schema(SchemaRecord { schema, text: Text::Replaced, .. }) => {
                Some(format!("schema {}", schema.name))
            }
            Self::Channel(ChannelRecord { topic, text: Text::Replaced, .. }) => {
                Some(format!("topic {topic}"))
            }
            Self::Schema(_) | Self::Channel(_) => None,
        }
    }
}

/// The definition of a schema; where it is text, as text. Comments are often in another encoding than UTF-8.
fn schema_data(encoding: &str, data: &[u8], text: &mut Text) -> Bytes {
    let is_text = matches!(encoding, "ros1msg" | "ros2msg" | "ros2idl" | "omgidl" | "jsonschema");
    if is_text && std::str::from_utf8(data).is_err() {
        *text = Text::Replaced;
        return Bytes::from(String::from_utf8_lossy(data).into_owned());
    }
    Bytes::copy_from_slice(data)
}

/// One sentence for what has replacement characters; for the first of a file or stream, which stands for all.
pub(super) fn replaced_warning(what: &str) -> String {
    format!("{what} has text that is not UTF-8; such text is shown with replacement characters")
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct HeaderRecord {
    pub(super) profile: String,
    pub(super) library: String,
}

impl HeaderRecord {
    pub(super) fn decode(body: &[u8]) -> Option<Self> {
        let mut fields = Fields::of(body);
        Some(Self { profile: fields.text()?, library: fields.text()? })
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct MetadataRecord {
    pub(super) name: String,
    pub(super) values: BTreeMap<String, String>,
    pub(super) text: Text,
}

impl MetadataRecord {
    pub(super) fn decode(body: &[u8]) -> Option<Self> {
        let mut fields = Fields::of(body);
        Some(Self { name: fields.text()?, values: fields.text_map()?, text: fields.text })
    }
}

/// The fields before an attachment's data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AttachmentHead {
    pub(super) log_time: u64,
    pub(super) create_time: u64,
    pub(super) name: String,
    pub(super) media_type: String,
    /// Bytes of data.
    pub(super) size: u64,
    /// Where in the body the data begins.
    pub(super) data_start: u64,
    pub(super) text: Text,
}

/// An attachment whose record is whole.
pub(super) fn attachment(body: &[u8]) -> Option<Attachment> {
    let mut fields = Fields::of(body);
    let (log_time, create_time) = (Timestamp(fields.u64()?), Timestamp(fields.u64()?));
    let (name, media_type) = (fields.text()?, fields.text()?);
    let size = usize::try_from(fields.u64()?).ok()?;
    let (data, crc) = fields.rest.split_at_checked(size)?;
    let (data, crc) = (Bytes::copy_from_slice(data), u32::from_le_bytes(*crc.first_chunk()?));
    Some(Attachment { name, media_type, log_time, create_time, data, crc })
}

impl AttachmentHead {
    /// `body` may end after these fields.
    pub(super) fn decode(body: &[u8]) -> Option<Self> {
        let mut fields = Fields::of(body);
        let (log_time, create_time) = (fields.u64()?, fields.u64()?);
        let (name, media_type) = (fields.text()?, fields.text()?);
        let size = fields.u64()?;
        let data_start = (body.len() - fields.rest.len()) as u64;
        Some(Self { log_time, create_time, name, media_type, size, data_start, text: fields.text })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FooterRecord {
    /// 0: there is no summary.
    pub(super) summary_start: u64,
    /// 0: not known.
    pub(super) summary_crc: u32,
}

impl FooterRecord {
    pub(super) fn decode(body: &[u8]) -> Option<Self> {
        let mut fields = Fields::of(body);
        let summary_start = fields.u64()?;
        let _summary_offset_start = fields.u64()?;
        Some(Self { summary_start, summary_crc: fields.u32()? })
    }
}

/// What stands before the records of a chunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ChunkHead {
    pub(super) compression: String,
    pub(super) compressed: u64,
    pub(super) uncompressed: u64,
    /// Of the records; 0: not known.
    pub(super) crc: u32,
    /// Bytes from the body's beginning to its records.
    pub(super) length: u64,
}

impl ChunkHead {
    /// `body` may end after these fields.
    pub(super) fn decode(body: &[u8]) -> Option<Self> {
        let mut fields = Fields::of(body);
        let _start = fields.u64()?;
        let _end = fields.u64()?;
        let (uncompressed, crc) = (fields.u64()?, fields.u32()?);
        let compression = fields.text()?;
        if compression.len() > MAX_COMPRESSION_NAME {
            return None;
        }
        let compressed = fields.u64()?;
        let length = (body.len() - fields.rest.len()) as u64;
        Some(Self { compression, compressed, uncompressed, crc, length })
    }
}

/// Reads the fields of a chunk record before its data; `bytes` begins with opcode and length.
pub(super) fn chunk_head(bytes: &[u8]) -> Option<ChunkHead> {
    ChunkHead::decode(bytes.get(9..)?)
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ChunkIndexRecord {
    pub(super) start_time: u64,
    pub(super) end_time: u64,
    pub(super) offset: u64,
    pub(super) length: u64,
    /// By channel.
    pub(super) message_index_offsets: BTreeMap<u16, u64>,
    pub(super) message_index_length: u64,
    pub(super) compression: String,
    pub(super) compressed: u64,
    pub(super) uncompressed: u64,
}

impl ChunkIndexRecord {
    pub(super) fn decode(body: &[u8]) -> Option<Self> {
        let mut fields = Fields::of(body);
        Some(Self {
            start_time: fields.u64()?,
            end_time: fields.u64()?,
            offset: fields.u64()?,
            length: fields.u64()?,
            message_index_offsets: fields.id_map()?,
            message_index_length: fields.u64()?,
            compression: fields.text()?,
            compressed: fields.u64()?,
            uncompressed: fields.u64()?,
        })
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StatisticsRecord {
    pub(super) message_count: u64,
    pub(super) chunk_count: u32,
    pub(super) start_time: u64,
    pub(super) end_time: u64,
    /// Messages by channel.
    pub(super) channel_message_counts: BTreeMap<u16, u64>,
}

impl StatisticsRecord {
    pub(super) fn decode(body: &[u8]) -> Option<Self> {
        let mut fields = Fields::of(body);
        let message_count = fields.u64()?;
        let _schema_count = fields.u16()?;
        let _channel_count = fields.u32()?;
        let _attachment_count = fields.u32()?;
        let _metadata_count = fields.u32()?;
        Some(Self {
            message_count,
            chunk_count: fields.u32()?,
            start_time: fields.u64()?,
            end_time: fields.u64()?,
            channel_message_counts: fields.id_map()?,
        })
    }
}

/// Fields one after the other; what comes after the known ones is for later versions of the format.
struct Fields<'a> {
    rest: &'a [u8],
    text: Text,
}

impl<'a> Fields<'a> {
    fn of(body: &'a [u8]) -> Self {
        Self { rest: body, text: Text::Utf8 }
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(*head)
    }

    fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn bytes(&mut self, length: u64) -> Option<&'a [u8]> {
        let (bytes, rest) = self.rest.split_at_checked(to_usize(length))?;
        self.rest = rest;
        Some(bytes)
    }

    /// Bytes after their length in a u32.
    fn prefixed(&mut self) -> Option<&'a [u8]> {
        let length = self.u32()?;
        self.bytes(u64::from(length))
    }

    fn text(&mut self) -> Option<String> {
        let bytes = self.prefixed()?;
        Some(match std::str::from_utf8(bytes) {
            Ok(text) => text.to_owned(),
            Err(_) => {
                self.text = Text::Replaced;
                String::from_utf8_lossy(bytes).into_owned()
            }
        })
    }

    /// Of several entries with one key the first.
    fn text_map(&mut self) -> Option<BTreeMap<String, String>> {
        let mut entries = Self { rest: self.prefixed()?, text: self.text };
        let mut map = BTreeMap::new();
        while !entries.rest.is_empty() {
            let (key, value) = (entries.text()?, entries.text()?);
            map.entry(key).or_insert(value);
        }
        self.text = entries.text;
        Some(map)
    }

    fn id_map(&mut self) -> Option<BTreeMap<u16, u64>> {
        let mut entries = Self::of(self.prefixed()?);
        let mut map = BTreeMap::new();
        while !entries.rest.is_empty() {
            map.insert(entries.u16()?, entries.u64()?);
        }
        Some(map)
    }
}

#[cfg(test)]
mod tests;
