//! Bytes that are read at any place, wherever they are kept: what readers of recordings need of a file.

mod file;

use std::fmt::Debug;
use std::io;

pub(super) use file::{LocalFile, open_regular};

/// Bytes of a known size that are read by ranges, from several threads at once.
pub(super) trait RangeRead: Debug + Send + Sync {
    /// As the user named it, for errors.
    fn name(&self) -> &str;

    /// In bytes.
    fn size(&self) -> u64;

    /// Fills the buffer with the bytes at `offset`; an error if there are not as many.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;
}
