//! What a recording has beside its messages: the header, attachments, metadata.

use mcap::records::{Record, op};

use super::Survey;
use crate::source::bytes::RangeRead;
use crate::source::mcap::records::{RECORD_HEADER, parse, read_vec, to_usize};
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
    if opcode == op::ATTACHMENT {
        survey.attachments.extend(attachment(&body));
        return;
    }
    match parse(opcode, &body) {
        Some(Record::Metadata(metadata)) => {
            survey.metadata.push(MetadataSummary { name: metadata.name, values: metadata.metadata });
        }
        // of several recordings the first one's
        Some(Record::Header(header)) if survey.library.is_empty() && survey.profile.is_empty() => {
            survey.profile = header.profile;
            survey.library = header.library;
        }
        _ => {}
    }
}

/// The fields before an attachment's data, which is not needed here and can be large.
fn attachment(body: &[u8]) -> Option<AttachmentSummary> {
    fn u64_at(bytes: &mut &[u8]) -> Option<u64> {
        let (head, rest) = bytes.split_first_chunk()?;
        *bytes = rest;
        Some(u64::from_le_bytes(*head))
    }
    fn string(bytes: &mut &[u8]) -> Option<String> {
        let (head, rest) = bytes.split_first_chunk()?;
        let (text, rest) = rest.split_at_checked(to_usize(u64::from(u32::from_le_bytes(*head))))?;
        *bytes = rest;
        Some(String::from_utf8_lossy(text).into_owned())
    }
    let bytes = &mut &*body;
    let log_time = Timestamp(u64_at(bytes)?);
    let _create_time = u64_at(bytes)?;
    let name = string(bytes)?;
    let media_type = string(bytes)?;
    Some(AttachmentSummary { name, media_type, log_time, size_bytes: u64_at(bytes)? })
}
