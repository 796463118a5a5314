//! What a recording has beside its messages: the header, attachments, metadata.

use std::ops::Range;

use mcap::records::op;

use super::Survey;
use crate::source::bytes::RangeRead;
use crate::source::mcap::fields::{AttachmentHead, HeaderRecord, MetadataRecord};
use crate::source::mcap::records::{RECORD_HEADER, read_vec};
use crate::source::summary::{AttachmentSummary, MetadataSummary};
use crate::time::Timestamp;

/// Bytes of the CRC after an attachment's data.
pub(super) const CRC: u64 = 4;

/// An attachment, and where it lies.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct FoundAttachment {
    pub(super) summary: AttachmentSummary,
    /// Where the record's body begins in the file, and where it ends.
    pub(super) start: u64,
    pub(super) end: u64,
    /// Bytes of the body before the data.
    pub(super) data_start: u64,
}

impl FoundAttachment {
    /// Where its data lies in the file, if it lies in the record.
    pub(super) fn data(&self) -> Option<Range<u64>> {
        let start = self.start + self.data_start;
        let end = start.checked_add(self.summary.size_bytes)?;
        (end.checked_add(CRC)? <= self.end).then_some(start..end)
    }

    /// The part of the file that its CRC sums up; the CRC follows.
    pub(super) fn summed_up(&self) -> Range<u64> {
        self.start..self.data().map_or(self.end.saturating_sub(CRC), |data| data.end)
    }
}

/// Takes note of a header, an attachment or metadata at `at` of a file; what can't be read of them is left out.
pub(super) fn read(survey: &mut Survey, file: &dyn RangeRead, opcode: u8, at: u64, length: u64) {
    /// Enough for the fields before an attachment's data.
    const ATTACHMENT: u64 = 1 << 20;
    /// rosbag2 keeps a description of every topic in its metadata, which can be megabytes.
    const OTHER: u64 = 64 << 20;
    let bound = if opcode == op::ATTACHMENT { ATTACHMENT } else { OTHER };
    if let Ok(body) = read_vec(file, at + RECORD_HEADER, length.min(bound)) {
        note(survey, opcode, at, length, &body);
    }
}

/// The same of a record whose body has `length` bytes and begins with `body`.
pub(super) fn note(survey: &mut Survey, opcode: u8, at: u64, length: u64, body: &[u8]) {
    match opcode {
        op::ATTACHMENT => {
            let Some(head) = AttachmentHead::decode(body) else { return };
            survey.note_text(head.text, || format!("attachment {}", head.name));
            let start = at + RECORD_HEADER;
            survey.attachments.push(FoundAttachment {
                summary: AttachmentSummary {
                    name: head.name,
                    media_type: head.media_type,
                    log_time: Timestamp(head.log_time),
                    size_bytes: head.size,
                    create_time: Timestamp(head.create_time),
                    offset: at,
                    crc: None,
                },
                start,
                end: start.saturating_add(length),
                data_start: head.data_start,
            });
        }
        op::METADATA => {
            let Some(metadata) = MetadataRecord::decode(body) else { return };
            survey.note_text(metadata.text, || format!("metadata {}", metadata.name));
            let (name, values) = (metadata.name, metadata.values);
            survey.metadata.push(MetadataSummary { name, offset: at, values });
        }
        // of several recordings the first one's
        op::HEADER if survey.library.is_empty() && survey.profile.is_empty() => {
            let Some(header) = HeaderRecord::decode(body) else { return };
            survey.profile = header.profile;
            survey.library = header.library;
        }
        _ => {}
    }
}
