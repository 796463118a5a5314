//! Memory of chunks that is used again.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

/// Memory kept for the next chunk, in bytes: fresh memory of a chunk's size costs a page fault for every 4 KiB.
const POOL_LIMIT: usize = 8 << 20;

/// Memory of this size or more is asked for in a way that can fail: what a file claims may be more than there is.
const LARGE: usize = 16 << 20;

/// Buffers that are not in use; shared by the files of a timeline.
#[derive(Debug, Default)]
pub(super) struct ChunkPool(Mutex<Vec<Vec<u8>>>);

impl ChunkPool {
    /// Memory of this size, used before or zero.
    pub(super) fn take(self: &Arc<Self>, length: usize) -> Pooled {
        let mut free = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fitting = free.iter().position(|buffer| buffer.len() >= length && buffer.len() / 2 <= length);
        let mut bytes = fitting.map(|index| free.swap_remove(index)).unwrap_or_default();
        drop(free);
        if bytes.len() < length {
            bytes = vec![0; length];
        }
        Pooled { bytes, length, pool: self.clone() }
    }

    /// The same; an error if there is not as much memory.
    pub(super) fn try_take(self: &Arc<Self>, length: usize) -> io::Result<Pooled> {
        // zeroed memory that can be refused would have to be written to; this is given back untouched
        if length >= LARGE && Vec::<u8>::new().try_reserve_exact(length).is_err() {
            let reason = format!("there is not enough memory for {length} bytes");
            return Err(io::Error::new(io::ErrorKind::OutOfMemory, reason));
        }
        Ok(self.take(length))
    }

    fn give_back(&self, bytes: Vec<u8>) {
        let mut free = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let kept: usize = free.iter().map(Vec::len).sum();
        if kept + bytes.len() > POOL_LIMIT && !free.is_empty() {
            free.swap_remove(0);
        }
        if bytes.len() <= POOL_LIMIT / 2 && free.len() < 64 {
            free.push(bytes);
        }
    }
}

/// Memory of the pool; goes back to it when the last share is dropped.
pub(super) struct Pooled {
    bytes: Vec<u8>,
    length: usize,
    pool: Arc<ChunkPool>,
}

impl Pooled {
    pub(super) fn as_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[..self.length]
    }

    pub(super) fn freeze(self) -> Bytes {
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Pooled {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

impl Drop for Pooled {
    fn drop(&mut self) {
        self.pool.give_back(std::mem::take(&mut self.bytes));
    }
}
