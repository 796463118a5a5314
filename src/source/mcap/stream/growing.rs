//! A file that is being written, or replaced, by another program.

use std::fs::{File, Metadata};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use crate::source::SourceError;
use crate::source::bytes::open_regular;
use crate::source::mcap::records::MAGIC;
use crate::source::mcap::walker::ForwardRead;
use crate::source::sniff::{FOREIGN_HEAD, foreign};

/// Bytes before the place where reading goes on that are compared, in case the file was rewritten meanwhile: enough
/// for a few small messages and their times.
const COMPARED: usize = 4096;

/// What makes a file another one, whatever it is called; it stays that while the file is open.
#[cfg(unix)]
type Identity = (u64, u64);

#[cfg(unix)]
fn identity(metadata: &Metadata) -> Identity {
    use std::os::unix::fs::MetadataExt;
    (metadata.dev(), metadata.ino())
}

#[cfg(not(unix))]
type Identity = Option<std::time::SystemTime>;

#[cfg(not(unix))]
fn identity(metadata: &Metadata) -> Identity {
    metadata.created().ok()
}

/// What became of a file.
pub(super) struct FileChange {
    /// In words that follow "the file".
    pub(super) happened: &'static str,
    /// Whether its path leads to another file now.
    pub(super) is_another: bool,
}

/// See the module's documentation.
pub(super) struct Growing {
    file: File,
    identity: Identity,
    pub(super) size_at_open: u64,
    /// Nothing is read from here on.
    pub(super) limit: u64,
    /// What lies before this may still be overwritten.
    pub(super) fixed_from: u64,
    /// The last bytes that were read, before this offset.
    last: (Vec<u8>, u64),
    /// They are no longer the same.
    rewritten: bool,
}

impl Growing {
    pub(super) fn open(path: &Path) -> Result<Self, SourceError> {
        let (file, metadata) = open_regular(path)?;
        Ok(Self {
            identity: identity(&metadata),
            size_at_open: metadata.len(),
            file,
            limit: u64::MAX,
            fixed_from: 0,
            last: (Vec::new(), 0),
            rewritten: false,
        })
    }

    /// Refuses a file that begins as something else.
    pub(super) fn check_beginning(&mut self, name: &str) -> Result<(), SourceError> {
        let mut start = [0; FOREIGN_HEAD];
        let read =
            self.read(0, &mut start).map_err(|error| SourceError::Io { name: name.to_owned(), error })?;
        let start = &start[..read];
        let compared = read.min(MAGIC.len());
        if start[..compared] == MAGIC[..compared] || start[0] == 0 {
            return Ok(());
        }
        let reason =
            foreign(start).unwrap_or("is not an MCAP file; give the path of an .mcap file").to_owned();
        Err(SourceError::Unusable { name: name.to_owned(), reason })
    }

    /// Whether there is nothing at an offset, or a zero, as at the end of what was written.
    pub(super) fn is_end(&mut self, offset: u64) -> bool {
        let mut byte = [0];
        self.read_at(offset, &mut byte).is_ok_and(|read| read == 0 || byte == [0])
    }

    /// Whether it is no longer the file, known by its path, that was read up to an offset.
    pub(super) fn change(&mut self, path: &Path, read_offset: u64) -> Option<FileChange> {
        let change = |happened, is_another| Some(FileChange { happened, is_another });
        if std::mem::take(&mut self.rewritten) {
            change("was rewritten", false)
        } else if self.file.metadata().is_ok_and(|now| now.len() < read_offset) {
            change("became shorter", false)
        } else if path.metadata().is_ok_and(|now| identity(&now) != self.identity) {
            change("was replaced by another", true)
        } else {
            None
        }
    }

    /// Whether the bytes that were read last are still the same.
    fn is_unchanged(&mut self) -> io::Result<bool> {
        let (last, end) = &self.last;
        let start = (end - last.len() as u64).max(self.fixed_from);
        let before = last[last.len() - usize::try_from(end.saturating_sub(start)).unwrap_or(0)..].to_vec();
        // zeros may be what was not written yet
        if before.last().is_none_or(|byte| *byte == 0) {
            return Ok(true);
        }
        let mut now = vec![0; before.len()];
        Ok(self.read_at(start, &mut now)? == before.len() && now == before)
    }

    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.seek(SeekFrom::Start(offset))?;
        self.file.read(buffer)
    }
}

impl ForwardRead for Growing {
    fn read(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let room = usize::try_from(self.limit.saturating_sub(offset)).unwrap_or(usize::MAX);
        let part = buffer.len().min(room);
        let read = self.read_at(offset, &mut buffer[..part])?;
        if read == 0 {
            return Ok(0);
        }
        if self.last.1 == offset && !self.is_unchanged()? {
            self.rewritten = true;
            return Ok(0);
        }
        self.last = (buffer[read.saturating_sub(COMPARED)..read].to_vec(), offset + read as u64);
        Ok(read)
    }

    fn skip(&mut self, offset: u64, length: u64, _scratch: &mut [u8]) -> io::Result<u64> {
        let end = self.file.metadata()?.len().min(self.limit);
        Ok(length.min(end.saturating_sub(offset)))
    }
}
