//! What a recording has beside its messages: the header, attachments, metadata.

use mcap::records::op;

use super::Survey;
use crate::source::bytes::RangeRead;
use crate::source::mcap::fields::{AttachmentHead, HeaderRecord, MetadataRecord};
use crate::source::mcap::records::{RECORD_HEADER, read_vec};
use crate::source::summary::{AttachmentSummary, MetadataSummary};
use crate::time::Timestamp;

/// Takes note of a header, an attachment or metadata at `at`; what can't be read of them is left out.
pub(super) fn note(survey: &mut Survey, file: &dyn RangeRead, opcode: u8, at: u64, length: u64) {
    /// Enough for the fields before an attachment's data.
    const ATTACHMENT: u64 = 1 << 20;
    /// rosbag2 keeps a description of every topic in its metadata, which can be megabytes.
    const OTHER: u64 = 64 << 20;
    let read = if opcode == op::ATTACHMENT { ATTACHMENT } else { OTHER };
    let Ok(body) = read_vec(file, at + RECORD_HEADER, length.min(read)) else { return };
    match opcode {
        op::ATTACHMENT => {
            let Some(head) = AttachmentHead::decode(&body) else { return };
            survey.note_text(head.text, || format!("attachment {}", head.name));
            survey.attachments.push(AttachmentSummary {
                name: head.name,
                media_type: head.media_type,
                log_time: Timestamp(head.log_time),
                size_bytes: head.size,
            });
        }
        op::METADATA => {
            let Some(metadata) = MetadataRecord::decode(&body) else { return };
            survey.note_text(metadata.text, || format!("metadata {}", metadata.name));
            survey.metadata.push(MetadataSummary { name: metadata.name, values: metadata.values });
        }
        // of several recordings the first one's
        op::HEADER if survey.library.is_empty() && survey.profile.is_empty() => {
            let Some(header) = HeaderRecord::decode(&body) else { return };
            survey.profile = header.profile;
            survey.library = header.library;
        }
        _ => {}
    }
}
