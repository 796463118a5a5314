//! What `info` shows of one recording.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use super::AttachmentCrc;
use crate::model::Schema;
use crate::time::{TimeRange, Timestamp};

/// How far a scan of a file without an index has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScanProgress {
    /// Bytes read.
    pub done: u64,
    /// Bytes of the file.
    pub total: u64,
}

/// What a recording is written in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Format {
    /// MCAP.
    #[default]
    Mcap,
    /// JSON lines.
    JsonLines,
}

/// A recording from the outside: everything but the messages.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RecordingSummary {
    /// What it is written in.
    pub format: Format,
    /// Program that wrote the file, as it calls itself; may be empty.
    pub library: String,
    /// `ros1`, `ros2` or another convention for channels and metadata; may be empty.
    pub profile: String,
    /// Size of the file.
    pub size_bytes: u64,
    /// Whether the file was finished: it ends in a footer, and nothing is missing before it.
    pub complete: bool,
    /// Whether every byte was read, and every checksum compared.
    pub checked: bool,
    /// Log times of the first and last message; None without messages.
    pub range: Option<TimeRange>,
    /// The longest time in which no channel has a message; None with fewer than two messages, and where it is not known.
    pub longest_gap: Option<TimeRange>,
    /// Messages of all channels.
    pub message_count: u64,
    /// Channels, by id.
    pub channels: Vec<ChannelSummary>,
    /// The schemas, each once: those of the channels in their order, then those of no channel by name.
    pub schemas: Vec<Arc<Schema>>,
    /// Chunks, by compression; empty for a file without chunks.
    pub chunks: Vec<ChunkSummary>,
    /// Chunks that have messages, as they lie in the file; empty for a stream.
    pub chunk_index: Vec<ChunkPlace>,
    /// Attached files.
    pub attachments: Vec<AttachmentSummary>,
    /// Metadata records.
    pub metadata: Vec<MetadataSummary>,
    /// What the user should know about the file, one sentence each.
    pub warnings: Vec<String>,
    /// What is damaged, place by place (the first hundred); empty if nothing was found to be. Files that lack an index on
    /// purpose are not damaged.
    pub damage: Vec<String>,
}

impl RecordingSummary {
    /// Messages that were found not to fit their schemas.
    pub fn misfits(&self) -> u64 {
        self.channels.iter().filter_map(|channel| channel.payloads.as_ref()).map(|check| check.misfits).sum()
    }
}

/// Schemas, each once.
pub(super) fn distinct<'a>(schemas: impl Iterator<Item = &'a Arc<Schema>>) -> Vec<Arc<Schema>> {
    let mut known = HashSet::new();
    schemas.filter(|schema| known.insert(*schema)).cloned().collect()
}

/// A channel of a recording, as it stands in the file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ChannelSummary {
    /// Id in the file; of JSON lines its number.
    pub id: u32,
    /// Topic in the file.
    pub topic: String,
    /// `json`, `protobuf`, `cdr`, ….
    pub message_encoding: String,
    /// None for a channel without a schema.
    pub schema_name: Option<String>,
    /// None for a channel without a schema.
    pub schema_encoding: Option<String>,
    /// Messages of the channel.
    pub message_count: u64,
    /// Bytes of their payloads, decompressed; None where messages were not read.
    pub payload_bytes: Option<u64>,
    /// Log times of the first and last of them; None without messages, and where that is not known.
    pub range: Option<TimeRange>,
    /// The longest time between two of them; None with fewer than two, and where it is not known.
    pub longest_gap: Option<TimeRange>,
    /// How its messages fit its schema; None where they were not decoded.
    pub payloads: Option<PayloadCheck>,
    /// Whether late subscribers get its last message.
    pub latched: bool,
    /// What the recorder noted about the channel.
    pub metadata: BTreeMap<String, String>,
}

/// What came of decoding the messages of a channel.
///
/// Of JSON it says whether it is JSON: it is not held to its schema.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PayloadCheck {
    /// Messages that were decoded, or could not be since they don't fit their schema.
    pub checked: u64,
    /// Those that don't fit.
    pub misfits: u64,
    /// The first of these in the file.
    pub first_misfit: Option<Misfit>,
    /// Why the other messages of the channel were not checked; None if all were.
    pub unchecked: Option<Unchecked>,
}

impl PayloadCheck {
    /// The same of a channel that has so many messages, now that this is known.
    pub(super) fn of_messages(self, count: u64) -> Self {
        let undefined = (self.checked < count).then_some(Unchecked::Undefined);
        Self { unchecked: self.unchecked.or(undefined), ..self }
    }
}

/// A message that does not fit its schema.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Misfit {
    /// Its log time.
    pub log_time: Timestamp,
    /// Where in the file its record begins; of a message in a chunk, that of the chunk.
    pub offset: u64,
    /// Where in the payload decoding failed, in bytes.
    pub payload_offset: u64,
    /// The field, for example `poses[2].position.x`; empty for the message itself.
    pub field: String,
    /// What was found there.
    pub reason: String,
}

/// Why messages can't be held to their schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unchecked {
    /// There is no decoder for their encoding.
    Encoding,
    /// The schema is absent, broken, or needs what is not supported: what and where.
    Schema(String),
    /// Some are in a form that is not supported: which, for example compressed one by one.
    Form(String),
    /// The channel, or its schema, is not defined before them.
    Undefined,
}

/// All chunks of one compression.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ChunkSummary {
    /// `zstd`, `lz4`, or empty for none.
    pub compression: String,
    /// Number of chunks.
    pub count: u64,
    /// Bytes in the file.
    pub compressed_bytes: u64,
    /// Bytes once decompressed.
    pub uncompressed_bytes: u64,
}

/// One chunk of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChunkPlace {
    /// Where its record begins.
    pub offset: u64,
    /// Bytes of its record.
    pub length_bytes: u64,
    /// Bytes of its content once decompressed.
    pub uncompressed_bytes: u64,
    /// Log times of its first and last message.
    pub range: TimeRange,
    /// Its messages; None where its index does not tell.
    pub message_count: Option<u64>,
}

/// A file that is attached to a recording.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AttachmentSummary {
    /// Its name.
    pub name: String,
    /// Its media type, for example `image/jpeg`.
    pub media_type: String,
    /// Size of its content.
    pub size_bytes: u64,
    /// Log time.
    pub log_time: Timestamp,
    /// When the file was made, as its recorder has it; 0: not known.
    pub create_time: Timestamp,
    /// Where in the recording its record begins.
    pub offset: u64,
    /// What its CRC says; None where its content was not read.
    pub crc: Option<AttachmentCrc>,
}

/// A metadata record.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MetadataSummary {
    /// Its name.
    pub name: String,
    /// Where in the recording it begins.
    pub offset: u64,
    /// Its entries.
    pub values: BTreeMap<String, String>,
}
