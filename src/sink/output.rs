//! A file that is written from its beginning to its end, and how much of it the system has.

use std::fs::File;
use std::io::{self, BufWriter, ErrorKind, Seek, SeekFrom, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// See the module's documentation.
pub(super) struct Output(Counted<BufWriter<Counted<File>>>);

impl Output {
    /// Counts in `written` the bytes that were given to it, in `taken` those that the system has taken.
    pub(super) fn new(file: File, written: Arc<AtomicU64>, taken: Arc<AtomicU64>) -> Self {
        Self(Counted { inner: BufWriter::new(Counted { inner: file, count: taken }), count: written })
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl Seek for Output {
    /// Tells the position, nothing else: a `BufWriter` would write its buffer out to tell it.
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match to {
            SeekFrom::Current(0) => Ok(self.0.count.load(Ordering::Relaxed)),
            SeekFrom::Current(_) | SeekFrom::Start(_) | SeekFrom::End(_) => {
                Err(ErrorKind::Unsupported.into())
            }
        }
    }
}

/// Counts what is written.
struct Counted<W> {
    inner: W,
    count: Arc<AtomicU64>,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.count.fetch_add(written as u64, Ordering::Relaxed);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
