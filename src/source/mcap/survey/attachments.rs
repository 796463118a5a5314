//! The attachments of a recording, to be copied out of it.

use std::io::{self, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::extras::{CRC, FoundAttachment};
use super::{Survey, survey};
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

impl AttachmentCrc {
    /// By what is stored, and what the content gives.
    pub(super) fn of(stored: u32, sum: u32) -> Self {
        match stored {
            0 => Self::Missing,
            stored if stored == sum => Self::Matches,
            _ => Self::Differs,
        }
    }
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
        copy(&self.file, found, into)
    }
}

/// An attachment of a recording that is played. Its file is opened when it is read.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordedAttachment {
    path: PathBuf,
    found: FoundAttachment,
}

impl RecordedAttachment {
    /// What it is.
    pub fn summary(&self) -> &AttachmentSummary {
        &self.found.summary
    }

    /// Bytes of its content in the file, whatever it says itself.
    pub fn size(&self) -> u64 {
        let content = content(&self.found);
        content.end.saturating_sub(content.start)
    }

    /// Copies the content, whatever its CRC says. The error is that of reading or of writing.
    pub fn copy(&self, into: &mut dyn Write) -> io::Result<AttachmentCrc> {
        let file = LocalFile::open(&self.path).map_err(io::Error::other)?;
        copy(&file, &self.found, into)
    }
}

impl Survey {
    /// What is attached to the file, which was found at `path`.
    pub(in crate::source::mcap) fn attachments_in(
        &self,
        path: &Path,
    ) -> impl Iterator<Item = RecordedAttachment> {
        self.attachments
            .iter()
            .map(|found| RecordedAttachment { path: path.to_owned(), found: found.clone() })
    }
}

/// Where the content lies in the file: as much of it as its record holds.
fn content(found: &FoundAttachment) -> Range<u64> {
    found.data().unwrap_or(found.start + found.data_start..found.end.saturating_sub(CRC))
}

fn copy(file: &LocalFile, found: &FoundAttachment, into: &mut dyn Write) -> io::Result<AttachmentCrc> {
    let (start, data) = (found.start, content(found));
    let mut sum = crc32fast::Hasher::new();
    sum.update(&read_vec(file, start, data.start - start)?);
    let mut at = data.start;
    while at < data.end {
        let piece = read_vec(file, at, PIECE.min(data.end - at))?;
        sum.update(&piece);
        into.write_all(&piece)?;
        at += piece.len() as u64;
    }
    into.flush()?;
    if found.data().is_none() {
        return Ok(AttachmentCrc::Differs);
    }
    let mut stored = [0; 4];
    file.read_at(&mut stored, data.end)?;
    Ok(AttachmentCrc::of(u32::from_le_bytes(stored), sum.finalize()))
}
