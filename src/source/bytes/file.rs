//! A file of the local system.

use std::fs::{File, FileType, Metadata};
use std::io;
use std::path::{Path, PathBuf};

use super::RangeRead;
use crate::source::SourceError;

/// A file that does not change while it is read.
#[derive(Debug)]
pub(in crate::source) struct LocalFile {
    handle: Handle,
    name: String,
    size: u64,
}

#[derive(Debug)]
enum Handle {
    Kept(File),
    /// Opened for each read: what is read at once is large compared with that.
    ForEachRead(PathBuf),
}

impl LocalFile {
    /// Opens a regular file; anything else is refused with a reason.
    pub(in crate::source) fn open(path: &Path) -> Result<Self, SourceError> {
        let (file, metadata) = open_regular(path)?;
        Ok(Self { handle: Handle::Kept(file), name: path.display().to_string(), size: metadata.len() })
    }

    /// Gives the file descriptor back, to open the file for each read from now on.
    pub(in crate::source) fn without_descriptor(self, path: &Path) -> Self {
        Self { handle: Handle::ForEachRead(path.to_owned()), ..self }
    }
}

impl RangeRead for LocalFile {
    fn name(&self) -> &str {
        &self.name
    }

    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        match &self.handle {
            Handle::Kept(file) => read_exact_at(file, buffer, offset),
            Handle::ForEachRead(path) => read_exact_at(&File::open(path)?, buffer, offset),
        }
    }
}

/// Opens a file that can be read at any place.
pub(in crate::source) fn open_regular(path: &Path) -> Result<(File, Metadata), SourceError> {
    let name = path.display().to_string();
    let unusable = |error: io::Error| SourceError::Unusable { name: name.clone(), reason: refusal(&error) };
    if path.is_dir() {
        let reason = "is a folder; give the path of one .mcap file in it".into();
        return Err(SourceError::Unusable { name, reason });
    }
    // opening a pipe would wait for its writer
    let kind = path.metadata().map_err(unusable)?.file_type();
    if !kind.is_file() {
        let reason = if is_pipe(kind) {
            "is a pipe, which can be read only once; pass it on as standard input ('… serve - < PIPE'), or give the path \
             of an .mcap file"
        } else {
            "is not a regular file; give the path of an .mcap file"
        };
        return Err(SourceError::Unusable { name, reason: reason.into() });
    }
    let file = File::open(path).map_err(unusable)?;
    let metadata = file.metadata().map_err(unusable)?;
    Ok((file, metadata))
}

#[cfg(unix)]
fn is_pipe(kind: FileType) -> bool {
    use std::os::unix::fs::FileTypeExt;
    kind.is_fifo()
}

#[cfg(not(unix))]
fn is_pipe(_kind: FileType) -> bool {
    false
}

#[cfg(unix)]
fn read_exact_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, buffer, offset)
}

#[cfg(windows)]
fn read_exact_at(file: &File, mut buffer: &mut [u8], mut offset: u64) -> io::Result<()> {
    while !buffer.is_empty() {
        let read = std::os::windows::fs::FileExt::seek_read(file, buffer, offset)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        buffer = &mut buffer[read..];
        offset += read as u64;
    }
    Ok(())
}

/// Why a file does not open, and what to do.
fn refusal(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file; check the path".into(),
        io::ErrorKind::PermissionDenied => {
            "permission denied; change the file's permissions or run as another user".into()
        }
        _ => error.to_string(),
    }
}
