//! What a scan finds beside messages and definitions, and checksums of more than a chunk.

use std::ops::Range;

use mcap::records::op;

use super::Scan;
use crate::source::mcap::fields::chunk_head;
use crate::source::mcap::records::{RECORD_HEADER, to_usize};
use crate::source::mcap::survey::{AttachmentCrc, Survey, extras};
use crate::source::mcap::walker::{ForwardRead, Sums};

impl<R: ForwardRead> Scan<'_, R> {
    pub(super) fn on_extra(&mut self, opcode: u8, offset: u64, body: &Range<usize>) {
        self.end_run();
        let bytes = &self.walker.window()[body.clone()];
        extras::note(&mut self.survey, opcode, offset, body.len() as u64, bytes);
        self.walker.pass(body);
    }

    pub(super) fn on_skipped(&mut self, opcode: u8, offset: u64, length: u64) {
        match opcode {
            op::ATTACHMENT => {
                self.end_run();
                let known = self.survey.attachments.len();
                let head = self.walker.head().get(to_usize(RECORD_HEADER)..).unwrap_or_default();
                extras::note(&mut self.survey, opcode, offset, length - RECORD_HEADER, head);
                if let (Some(attachment), Some(sums)) =
                    (self.survey.attachments.get(known), self.walker.sums())
                {
                    sums.watch(attachment.summed_up());
                }
            }
            // a large one, whose records come one by one
            op::CHUNK => {
                self.end_run();
                count_chunk(&mut self.survey, self.walker.head());
            }
            op::DATA_END => self.compare_data(offset),
            _ => {}
        }
    }

    /// Compares the checksum of the attachment that has passed.
    pub(super) fn compare_attachment(&mut self) {
        let Some((sum, stored)) = self.walker.sums().and_then(Sums::take_watched) else { return };
        let Some(attachment) = self.survey.attachments.last_mut() else { return };
        let is_whole = attachment.data().is_some();
        let crc = if is_whole { AttachmentCrc::of(stored, sum) } else { AttachmentCrc::Differs };
        attachment.summary.crc = Some(crc);
        let (name, start) = (&attachment.summary.name, attachment.start);
        if !is_whole {
            self.mismatches.add(start, format!("attachment {name} claims more data than it has"));
        } else if crc == AttachmentCrc::Differs {
            self.mismatches.add(start, format!("the CRC of attachment {name} does not match its content"));
        }
    }

    /// Compares the checksum of all records of a recording up to here. Where some can't be read it can't match.
    fn compare_data(&mut self, offset: u64) {
        let stored = self.walker.head().get(to_usize(RECORD_HEADER)..).and_then(<[u8]>::first_chunk);
        let stored = stored.map_or(0, |stored| u32::from_le_bytes(*stored));
        let is_wrong = self.walker.sums().is_some_and(|sums| stored != 0 && stored != sums.data());
        if is_wrong && self.faults.is_empty() && self.mismatches.is_empty() {
            let reason = "the CRC of all records up to here does not match; every one of them can be read, but some hold wrong data";
            self.mismatches.add(offset, reason);
        }
    }
}

/// Counts the chunk that `bytes` begins with; its size in memory.
pub(super) fn count_chunk(survey: &mut Survey, bytes: &[u8]) -> u64 {
    let Some(head) = chunk_head(bytes) else { return 0 };
    survey.count_chunk(&head.compression, head.compressed, head.uncompressed);
    head.uncompressed
}
