//! The attachments of a recording, to be copied out of it.

use std::io::{self, Write};
use std::path::Path;

use super::extras::{CRC, FoundAttachment};
use super::survey;
use crate::source::bytes::{LocalFile, RangeRead};
use crate::source::mcap::records::read_vec;
use crate::source::summary::AttachmentSummary;
use crate::source::{Order, ScanProgress, SourceError};

/// Bytes copied at once.
const PIECE: u64 = 256 << 10;

/// The attachments of an MCAP file, in its order.
#[derive(Debug)]
pub struct Attachments {
    file: LocalFile,
    found: Vec<FoundAttachment>,
}

/// What the CRC of an attachment says about its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttachmentCrc {
    /// It is as it was written.
    Matches,
    /// The recorder noted no CRC.
    Missing,
    /// It is damaged, or part of it is missing.
    Differs,
}

impl Attachments {
    /// Finds them. `progress` is called now and then while a file without a usable index is read through.
    pub fn open(path: &Path, progress: &mut dyn FnMut(ScanProgress)) -> Result<Self, SourceError> {
        let file = LocalFile::open(path)?;
        let found = survey(&file, &Default::default(), Order::Log, progress)?.attachments;
        Ok(Self { file, found })
    }

    /// What they are.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &AttachmentSummary> {
        self.found.iter().map(|found| &found.summary)
    }

    /// Copies the content of one of them, by its number from 0, whatever its CRC says. The error is that of reading or
    /// of writing.
    pub fn copy(&self, number: usize, into: &mut dyn Write) -> io::Result<AttachmentCrc> {
        let found = self.found.get(number).ok_or(io::ErrorKind::NotFound)?;
        let (start, data) = (found.start, found.data());
        let is_whole = data.is_some();
        let data = data.unwrap_or(start + found.data_start..found.end.saturating_sub(CRC));
        let mut sum = crc32fast::Hasher::new();
        sum.update(&read_vec(&self.file, start, data.start - start)?);
        let mut at = data.start;
        while at < data.end {
            let piece = read_vec(&self.file, at, PIECE.min(data.end - at))?;
            sum.update(&piece);
            into.write_all(&piece)?;
            at += piece.len() as u64;
        }
        into.flush()?;
        if !is_whole {
            return Ok(AttachmentCrc::Differs);
        }
        let mut stored = [0; 4];
        self.file.read_at(&mut stored, data.end)?;
        Ok(match u32::from_le_bytes(stored) {
            0 => AttachmentCrc::Missing,
            stored if stored == sum.finalize() => AttachmentCrc::Matches,
            _ => AttachmentCrc::Differs,
        })
    }
}
