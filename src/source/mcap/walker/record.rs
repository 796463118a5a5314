//! A record at the beginning of the window.

use mcap::records::op;

use super::{Extras, Phase, WalkStep, Walker};
use crate::source::mcap::fields::{AttachmentHead, chunk_head};
use crate::source::mcap::records::{
    LARGE_CHUNK, MAGIC, MAX_DEFINITIONS, MAX_IN_MEMORY, RECORD_HEADER, record_header, to_usize,
};

/// Length and size of a chunk of which more is going to be written.
const UNFINISHED: u64 = u64::MAX;

/// Bytes of a chunk that hold its compression and sizes.
const CHUNK_HEAD: u64 = 4096;

/// Bytes of an attachment that hold all before its data.
const ATTACHMENT_HEAD: u64 = 1 << 20;

/// A longer attachment is not held in memory, where it is wanted whole.
const MAX_ATTACHMENT: u64 = 256 << 20;

/// rosbag2 keeps a description of every topic in its metadata, which can be megabytes; longer ones are skipped. So are
/// headers.
const MAX_EXTRA: u64 = 64 << 20;

/// A record of the data section's end, with its CRC.
const DATA_END: usize = 13;

/// No record is longer: a length beyond it is no length.
const MAX_LENGTH: u64 = 1 << 50;

/// Bytes of a message record up to the end of its channel's id.
const MESSAGE_ID_END: u64 = RECORD_HEADER + 2;

const NO_RECORD: &str = "there is no record here; nothing up to the next recording can be read";

impl Walker {
    /// None: what comes next has to be looked at again.
    pub(super) fn record(&mut self) -> Option<WalkStep> {
        let bytes = self.window.unread();
        if bytes.first() == Some(&0) {
            return if self.is_growing { self.unwritten() } else { self.broken(NO_RECORD) };
        }
        let Some((opcode, length)) = record_header(bytes) else { return self.more(to_usize(RECORD_HEADER)) };
        // a recording that was begun where another one broke off
        if bytes.starts_with(MAGIC) {
            self.phase = Phase::Between;
            return None;
        }
        if length > MAX_LENGTH && length != UNFINISHED {
            return self.broken(NO_RECORD);
        }
        let whole = RECORD_HEADER.saturating_add(length);
        let old = self.offset().saturating_add(whole) <= self.old_until;
        match opcode {
            op::HEADER | op::METADATA if self.extras == Extras::Listed && length <= MAX_EXTRA => {
                return self.whole(opcode, whole);
            }
            op::ATTACHMENT if self.extras == Extras::Listed => return self.attachment(whole),
            op::HEADER | op::METADATA | op::ATTACHMENT if self.extras == Extras::Whole => {
                return self.whole(opcode, whole);
            }
            op::DATA_END if self.window.sums.is_some() && bytes.len() < DATA_END.min(to_usize(whole)) => {
                return self.more(DATA_END);
            }
            _ => {}
        }
        if self.phase == Phase::Data {
            match opcode {
                op::MESSAGE if old => return self.old_message(whole),
                op::CHUNK if self.is_growing && length == UNFINISHED => return self.unfinished_chunk(),
                op::CHUNK if length == UNFINISHED => {
                    return self.broken("the recorder was stopped before it completed this chunk");
                }
                op::CHUNK if old || length > LARGE_CHUNK => return self.chunk(whole, old),
                op::SCHEMA | op::CHANNEL | op::MESSAGE | op::CHUNK => return self.whole(opcode, whole),
                op::DATA_END => self.phase = Phase::Summary,
                _ => {}
            }
        } else if matches!(opcode, op::SCHEMA | op::CHANNEL) {
            return self.whole(opcode, whole);
        }
        if opcode == op::FOOTER {
            self.phase = Phase::Closing;
        }
        self.skip_record(opcode, whole)
    }

    /// Only what counts has to be in memory.
    fn old_message(&mut self, whole: u64) -> Option<WalkStep> {
        let body = &self.window.unread()[to_usize(RECORD_HEADER)..];
        match body.first_chunk() {
            Some(id) if self.old_ids.contains(&u16::from_le_bytes(*id)) => self.whole(op::MESSAGE, whole),
            None if whole >= MESSAGE_ID_END => self.more(to_usize(MESSAGE_ID_END)),
            _ => self.skip_record(op::MESSAGE, whole),
        }
    }

    fn skip_record(&mut self, opcode: u8, length: u64) -> Option<WalkStep> {
        self.window.skip(length);
        Some(WalkStep::Skipped { opcode, offset: self.offset(), length })
    }

    fn whole(&mut self, opcode: u8, whole: u64) -> Option<WalkStep> {
        let offset = self.offset();
        let (limit, reason) = match opcode {
            op::SCHEMA | op::CHANNEL => (MAX_DEFINITIONS as u64, "the definition is larger than 256 MiB"),
            op::ATTACHMENT => (MAX_ATTACHMENT, "the attachment is larger than 256 MiB"),
            op::METADATA => (RECORD_HEADER + MAX_EXTRA, "the metadata are larger than 64 MiB"),
            op::HEADER => (RECORD_HEADER + MAX_EXTRA, "the header is larger than 64 MiB"),
            _ => (MAX_IN_MEMORY, "the record is larger than 1 GiB"),
        };
        if whole > limit {
            self.window.skip(whole);
            return Some(WalkStep::TooLarge { offset, reason });
        }
        let whole = to_usize(whole);
        if self.window.unread().len() < whole {
            return self.more(whole);
        }
        let start = self.window.position();
        let body = start + to_usize(RECORD_HEADER)..start + whole;
        Some(WalkStep::Record { opcode, offset, body })
    }

    /// A chunk whose records need not, or should not, be in memory together: if it is not compressed they lie in the
    /// stream as if there were no chunk.
    fn chunk(&mut self, whole: u64, old: bool) -> Option<WalkStep> {
        let enough = to_usize(whole.min(CHUNK_HEAD));
        match chunk_head(self.window.unread()) {
            None if self.window.unread().len() < enough => self.more(enough),
            Some(head) if head.compression.is_empty() && (old || head.uncompressed > LARGE_CHUNK) => {
                self.skip_record(op::CHUNK, RECORD_HEADER + head.length)
            }
            _ => self.whole(op::CHUNK, whole),
        }
    }

    /// An attachment, once all before its data is there.
    fn attachment(&mut self, whole: u64) -> Option<WalkStep> {
        let enough = to_usize(whole.min(ATTACHMENT_HEAD));
        let bytes = self.window.unread();
        let head = bytes.get(to_usize(RECORD_HEADER)..).and_then(AttachmentHead::decode);
        if head.is_none() && bytes.len() < enough {
            return self.more(enough);
        }
        self.skip_record(op::ATTACHMENT, whole)
    }

    /// Some recorders write a chunk's sizes when it is complete. If it is not compressed its records are there before.
    fn unfinished_chunk(&mut self) -> Option<WalkStep> {
        match chunk_head(self.window.unread()) {
            Some(head) if head.compression.is_empty() && head.uncompressed == UNFINISHED => {
                self.fixed_from = self.offset() + RECORD_HEADER + head.length;
                self.skip_record(op::CHUNK, RECORD_HEADER + head.length)
            }
            _ => self.unwritten(),
        }
    }
}
