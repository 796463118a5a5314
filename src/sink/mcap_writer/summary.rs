//! What a file ends with: its channels and schemas once more, statistics, and where everything is.

use std::collections::BTreeMap;

use mcap::MAGIC;
use mcap::records::op;

use super::definitions::Definition;
use super::records::{begin, end, put_map, put_text, put_u16, put_u32, put_u64, record};
use super::sealed::Sealed;
use crate::model::Attachment;
use crate::time::{TimeRange, Timestamp};

/// Records of one kind, one after the other.
#[derive(Debug, Default)]
pub(super) struct Group {
    records: Vec<u8>,
    count: u32,
}

impl Group {
    fn add(&mut self, opcode: u8, body: impl FnOnce(&mut Vec<u8>)) {
        record(&mut self.records, opcode, body);
        self.count += 1;
    }

    fn add_record(&mut self, record: &[u8]) {
        self.records.extend_from_slice(record);
        self.count += 1;
    }
}

/// Channels and schemas of all files so far.
#[derive(Debug, Default)]
pub(super) struct Known {
    schemas: Group,
    channels: Group,
}

impl Known {
    pub(super) fn add(&mut self, definition: &Definition) {
        match definition {
            Definition::Schema(record) => self.schemas.add_record(record),
            Definition::Channel { record, .. } => self.channels.add_record(record),
        }
    }

    /// Their records, schemas first.
    pub(super) fn records(&self) -> [&[u8]; 2] {
        [&self.schemas.records, &self.channels.records]
    }
}

/// What is known of one file when it ends. Grows by some 100 B a chunk, and 10 B for each channel in it.
#[derive(Debug, Default)]
pub(super) struct Summary {
    chunks: Group,
    attachments: Group,
    metadata: Group,
    messages: BTreeMap<u16, u64>,
    range: Option<(u64, u64)>,
}

impl Summary {
    /// Takes note of a chunk whose record begins at `at`.
    pub(super) fn add_chunk(&mut self, at: u64, chunk: &Sealed) {
        if let Some((start, last)) = chunk.range {
            let (first, newest) = self.range.unwrap_or((start, last));
            self.range = Some((start.min(first), last.max(newest)));
        }
        for channel in &chunk.channels {
            *self.messages.entry(channel.channel).or_default() += channel.messages;
        }
        let indexes: BTreeMap<_, _> =
            chunk.channels.iter().map(|channel| (channel.channel, at + channel.index)).collect();
        self.chunks.add(op::CHUNK_INDEX, |out| {
            let (start, last) = chunk.range.unwrap_or_default();
            put_u64(out, start);
            put_u64(out, last);
            put_u64(out, at);
            put_u64(out, chunk.length() as u64);
            put_map(out, &indexes, |out, channel, at| {
                put_u16(out, *channel);
                put_u64(out, *at);
            });
            put_u64(out, (chunk.size() - chunk.length()) as u64);
            let (compression, compressed) = chunk.compression();
            put_text(out, compression);
            put_u64(out, compressed as u64);
            put_u64(out, chunk.records().len() as u64);
        });
    }

    /// Takes note of an attachment whose record of `length` bytes begins at `at`.
    pub(super) fn add_attachment(&mut self, at: u64, length: u64, attachment: &Attachment) {
        self.attachments.add(op::ATTACHMENT_INDEX, |out| {
            put_u64(out, at);
            put_u64(out, length);
            put_u64(out, attachment.log_time.nanos());
            put_u64(out, attachment.create_time.nanos());
            put_u64(out, attachment.data.len() as u64);
            put_text(out, &attachment.name);
            put_text(out, &attachment.media_type);
        });
    }

    /// Takes note of metadata whose record of `length` bytes begins at `at`.
    pub(super) fn add_metadata(&mut self, at: u64, length: u64, name: &str) {
        self.metadata.add(op::METADATA_INDEX, |out| {
            put_u64(out, at);
            put_u64(out, length);
            put_text(out, name);
        });
    }

    pub(super) fn messages(&self) -> u64 {
        self.messages.values().sum()
    }

    /// Lowest and highest log time; None without a message.
    pub(super) fn range(&self) -> Option<TimeRange> {
        let (start, end) = self.range?;
        Some(TimeRange { start: Timestamp(start), end: Timestamp(end) })
    }

    /// What a file ends with, from the end of its data on, which has `data` bytes with this checksum.
    pub(super) fn end_of_file(&self, data: u64, data_crc: u32, known: &Known) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.most_bytes(known));
        record(&mut out, op::DATA_END, |out| put_u32(out, data_crc));
        let start = out.len();
        let mut statistics = Group::default();
        statistics.add(op::STATISTICS, |out| self.put_statistics(out, known));
        let groups = [
            (op::SCHEMA, &known.schemas),
            (op::CHANNEL, &known.channels),
            (op::STATISTICS, &statistics),
            (op::CHUNK_INDEX, &self.chunks),
            (op::ATTACHMENT_INDEX, &self.attachments),
            (op::METADATA_INDEX, &self.metadata),
        ];
        let mut offsets = Vec::new();
        for (opcode, group) in groups.into_iter().filter(|(_, group)| group.count > 0) {
            record(&mut offsets, op::SUMMARY_OFFSET, |offset| {
                offset.push(opcode);
                put_u64(offset, data + out.len() as u64);
                put_u64(offset, group.records.len() as u64);
            });
            out.extend_from_slice(&group.records);
        }
        let offsets_at = out.len();
        out.extend_from_slice(&offsets);
        let footer = begin(&mut out, op::FOOTER);
        put_u64(&mut out, data + start as u64);
        put_u64(&mut out, data + offsets_at as u64);
        // the checksum covers the length of the record that it is in
        end(&mut out, footer, size_of::<u32>());
        let crc = crc32fast::hash(&out[start..]);
        put_u32(&mut out, crc);
        out.extend_from_slice(MAGIC);
        out
    }

    fn put_statistics(&self, out: &mut Vec<u8>, known: &Known) {
        let (start, last) = self.range.unwrap_or_default();
        put_u64(out, self.messages());
        // ids are numbers of 16 bits
        put_u16(out, u16::try_from(known.schemas.count).unwrap_or(u16::MAX));
        put_u32(out, known.channels.count);
        put_u32(out, self.attachments.count);
        put_u32(out, self.metadata.count);
        put_u32(out, self.chunks.count);
        put_u64(out, start);
        put_u64(out, last);
        put_map(out, &self.messages, |out, channel, count| {
            put_u16(out, *channel);
            put_u64(out, *count);
        });
    }

    /// [`Summary::end_of_file`] has at most so many bytes.
    pub(super) fn most_bytes(&self, known: &Known) -> usize {
        /// Data end, statistics without counts, six offsets, footer and magic.
        const REST: usize = 13 + 59 + 6 * 26 + 29 + 8;
        let groups = [&known.schemas, &known.channels, &self.chunks, &self.attachments, &self.metadata];
        REST + groups.map(|group| group.records.len()).iter().sum::<usize>() + 10 * self.messages.len()
    }
    /// A chunk adds at most so many.
    pub(super) fn most_bytes_of(chunk: &Sealed) -> usize {
        /// An index without places.
        const INDEX: usize = 80;
        let defined = chunk.definitions().iter().map(|definition| definition.record().len());
        // a place and a count for each channel
        INDEX + 20 * chunk.channels.len() + defined.sum::<usize>()
    }
}
