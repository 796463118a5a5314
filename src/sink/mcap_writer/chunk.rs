//! A chunk in the making.

use mcap::records::op;

use super::definitions::Definition;
use super::records::{HEAD, LOG_TIME, MESSAGE_HEAD};
use crate::model::Entry;

/// A larger buffer is not kept for the next chunk.
pub(super) const LARGEST_SPARE: usize = 4 << 20;

/// Records for a file, and what has to be known of them.
#[derive(Debug, Default)]
pub(super) struct Chunk {
    pub(super) records: Vec<u8>,
    pub(super) messages: Vec<Indexed>,
    /// Where messages of latched channels begin, with their origins.
    pub(super) latched: Vec<(u32, u32)>,
    pub(super) definitions: Vec<Definition>,
}

/// A message of a chunk.
#[derive(Debug, Clone, Copy)]
pub(super) struct Indexed {
    pub(super) log_time: u64,
    /// Of its record, in the chunk before it is compressed.
    pub(super) offset: u32,
    pub(super) channel: u16,
}

/// Whether a channel is latched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Latching {
    Latched,
    Plain,
}

impl Chunk {
    /// Forgets what is in it, and keeps its memory, unless that is much.
    pub(super) fn clear(&mut self) {
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

    /// Adds a message once more, as the record that it was in another chunk but for its log time.
    pub(super) fn push_again(&mut self, message: &[u8], log_time: u64) {
        let channel = message.get(HEAD..).and_then(|field| field.first_chunk());
        let around = message.split_at_checked(LOG_TIME).zip(message.get(LOG_TIME + size_of::<u64>()..));
        if let (Some(channel), Some(((before, _), after))) = (channel, around) {
            self.index(u16::from_le_bytes(*channel), log_time);
            self.records.extend_from_slice(before);
            self.records.extend_from_slice(&log_time.to_le_bytes());
            self.records.extend_from_slice(after);
        }
    }

    /// Notes a message that begins at the end of what is there.
    fn index(&mut self, channel: u16, log_time: u64) -> u32 {
        // a chunk ends before the first message that begins beyond its size
        let offset = u32::try_from(self.records.len()).unwrap_or(u32::MAX);
        self.messages.push(Indexed { log_time, offset, channel });
        offset
    }
}
