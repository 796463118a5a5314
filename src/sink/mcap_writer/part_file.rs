//! One MCAP file in the making, or a stream of one. Each write is of whole records; what a file has of one that failed is
//! cut off.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, IoSlice, Seek, Write};
use std::path::{Path, PathBuf};

use mcap::MAGIC;
use mcap::records::op;

use super::super::SinkError;
use super::records::{begin, end, put_text, put_texts, put_u64, record};
use super::sealed::Sealed;
use super::summary::{Known, Summary};
use crate::model::{Attachment, Metadata};

/// See the module's documentation.
pub(super) struct PartFile {
    path: PathBuf,
    output: Output,
    /// For the header.
    profile: String,
    /// Bytes written, all of whole records.
    bytes: u64,
    crc: crc32fast::Hasher,
    summary: Summary,
}

/// Where records go.
pub(super) enum Output {
    File(File),
    /// Is written from front to back.
    Stream(Box<dyn Write + Send>),
}

impl Output {
    fn writer(&mut self) -> &mut dyn Write {
        match self {
            Self::File(file) => file,
            Self::Stream(stream) => stream,
        }
    }
}

impl PartFile {
    /// Makes the file, which must not exist.
    pub(super) fn create(path: PathBuf, profile: &str) -> Result<Self, SinkError> {
        let file = OpenOptions::new().write(true).create_new(true).open(&path);
        let file = file.map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => SinkError::Exists(path.clone()),
            _ => SinkError::Create { path: path.clone(), reason: error.to_string() },
        })?;
        let mut part = Self::new(path, Output::File(file), profile);
        match part.write_records(&[&header(profile)]) {
            Ok(()) => Ok(part),
            Err(error) => {
                part.remove();
                Err(SinkError::Create { path: part.path, reason: error.to_string() })
            }
        }
    }

    /// A stream, which gets its header with the first record; `name`: for people.
    pub(super) fn stream(name: &str, to: Box<dyn Write + Send>) -> Self {
        Self::new(name.into(), Output::Stream(to), "")
    }

    fn new(path: PathBuf, output: Output, profile: &str) -> Self {
        let (profile, crc, summary) = (profile.to_owned(), crc32fast::Hasher::new(), Summary::default());
        Self { path, output, profile, bytes: 0, crc, summary }
    }

    /// Sets the profile in the header; false, and nothing is done, if records follow that already.
    pub(super) fn set_profile(&mut self, profile: &str) -> Result<bool, SinkError> {
        if self.bytes > header(&self.profile).len() as u64 {
            return Ok(false);
        }
        profile.clone_into(&mut self.profile);
        if let Output::File(file) = &mut self.output {
            let cleared = file.set_len(0).and_then(|()| file.rewind());
            cleared.map_err(|error| self.failed(&error))?;
            (self.bytes, self.crc) = (0, crc32fast::Hasher::new());
            self.begin()?;
        }
        Ok(true)
    }

    /// Writes the header, unless it is there.
    fn begin(&mut self) -> Result<(), SinkError> {
        if self.bytes == 0 { self.write(&[&header(&self.profile)]) } else { Ok(()) }
    }

    /// Removes a file in which nothing is: a name that is taken by nothing would be refused the next time.
    pub(super) fn remove(&self) {
        if let Output::File(_) = self.output
            && !self.is_removed()
            && let Err(error) = std::fs::remove_file(&self.path)
        {
            tracing::debug!("{}: can't be removed: {error}", self.path.display());
        }
    }

    pub(super) fn write_metadata(&mut self, metadata: &Metadata) -> Result<(), SinkError> {
        let mut bytes = Vec::new();
        record(&mut bytes, op::METADATA, |out| {
            put_text(out, &metadata.name);
            put_texts(out, &metadata.values);
        });
        self.begin()?;
        let at = self.bytes;
        self.write(&[&bytes])?;
        self.summary.add_metadata(at, bytes.len() as u64, &metadata.name);
        Ok(())
    }

    pub(super) fn write_attachment(&mut self, attachment: &Attachment) -> Result<(), SinkError> {
        let mut head = Vec::new();
        let fields = begin(&mut head, op::ATTACHMENT);
        put_u64(&mut head, attachment.log_time.nanos());
        put_u64(&mut head, attachment.create_time.nanos());
        put_text(&mut head, &attachment.name);
        put_text(&mut head, &attachment.media_type);
        put_u64(&mut head, attachment.data.len() as u64);
        end(&mut head, fields, attachment.data.len() + size_of::<u32>());
        self.begin()?;
        let at = self.bytes;
        self.write(&[&head, &attachment.data, &attachment.crc.to_le_bytes()])?;
        self.summary.add_attachment(at, self.bytes - at, attachment);
        Ok(())
    }

    /// Writes a chunk with its indexes. One without messages, which some readers take for damaged, is written as records.
    pub(super) fn write_chunk(&mut self, chunk: &Sealed) -> Result<(), SinkError> {
        self.begin()?;
        if chunk.messages() == 0 {
            return self.write(&[chunk.records()]);
        }
        let at = self.bytes;
        self.append(&chunk.bytes()).map_err(|error| self.failed(&error))?;
        self.crc.combine(chunk.crc());
        self.summary.add_chunk(at, chunk);
        Ok(())
    }

    /// Completes the file: all of it is with the system then.
    pub(super) fn finish(&mut self, known: &Known) -> Result<(), SinkError> {
        self.begin()?;
        let end = self.summary.end_of_file(self.bytes, self.crc.clone().finalize(), known);
        self.write(&[&end])
    }

    /// How large the file is at most with this chunk in it, once it is complete.
    pub(super) fn size_with(&self, chunk: &Sealed, known: &Known) -> u64 {
        let more = chunk.size() + Summary::most_bytes_of(chunk) + self.summary.most_bytes(known);
        self.bytes + more as u64
    }

    fn write(&mut self, records: &[&[u8]]) -> Result<(), SinkError> {
        self.write_records(records).map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &io::Error) -> SinkError {
        match (&self.output, error.kind()) {
            (Output::Stream(_), ErrorKind::BrokenPipe) => SinkError::Closed(self.path.clone()),
            _ => SinkError::Write { path: self.path.clone(), reason: error.to_string() },
        }
    }

    fn write_records(&mut self, records: &[&[u8]]) -> io::Result<()> {
        self.append(records)?;
        records.iter().for_each(|part| self.crc.update(part));
        Ok(())
    }

    /// Writes what counts in the checksum after that.
    fn append(&mut self, records: &[&[u8]]) -> io::Result<()> {
        if let Err(error) = write_all(self.output.writer(), records) {
            if let Output::File(file) = &self.output
                && let Err(error) = file.set_len(self.bytes)
            {
                tracing::debug!("{}: the end can't be cut off: {error}", self.path.display());
            }
            return Err(error);
        }
        self.bytes += records.iter().map(|part| part.len() as u64).sum::<u64>();
        Ok(())
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// What is in it, and the file, if it is one, for whoever waits until the disk has it.
    pub(super) fn into_part(self) -> (super::super::Part, Option<File>) {
        let part = super::super::Part {
            path: self.path,
            messages: self.summary.messages(),
            bytes: self.bytes,
            range: self.summary.range(),
        };
        match self.output {
            Output::File(file) => (part, Some(file)),
            Output::Stream(_) => (part, None),
        }
    }

    /// Whether no path leads to the file any more.
    #[cfg(unix)]
    pub(super) fn is_removed(&self) -> bool {
        use std::os::unix::fs::MetadataExt;
        match &self.output {
            Output::File(file) => file.metadata().is_ok_and(|file| file.nlink() == 0),
            Output::Stream(_) => false,
        }
    }

    /// Where that can't be seen, an open file can't be removed.
    #[cfg(not(unix))]
    pub(super) fn is_removed(&self) -> bool {
        false
    }
}

/// Writes parts in one go where the output takes them.
fn write_all(to: &mut dyn Write, parts: &[&[u8]]) -> io::Result<()> {
    let mut slices: Vec<_> = parts.iter().copied().map(IoSlice::new).collect();
    let mut left = slices.as_mut_slice();
    IoSlice::advance_slices(&mut left, 0);
    while !left.is_empty() {
        match to.write_vectored(left) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => IoSlice::advance_slices(&mut left, written),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// What a file begins with.
fn header(profile: &str) -> Vec<u8> {
    let mut header = MAGIC.to_vec();
    record(&mut header, op::HEADER, |out| {
        put_text(out, profile);
        put_text(out, concat!("foxglove-bridge ", env!("CARGO_PKG_VERSION")));
    });
    header
}
