//! The part of the bytes that is in memory.
//!
//! [`WINDOW`] bytes, or the one record that is larger.

use std::io;
use std::ops::Range;

use bytes::Bytes;

use super::{ForwardRead, Sums};
use crate::source::mcap::chunk::Unpacker;
use crate::source::mcap::pool::Pooled;
use crate::source::mcap::records::to_usize;

/// Bytes asked for at once: several times what a pipe holds.
pub(super) const WINDOW: usize = 256 << 10;

/// Memory given to a record because it claims to be that long; beyond it memory grows with what really comes.
const TRUSTED: usize = 16 << 20;

/// See the module's documentation.
pub(super) struct Window {
    memory: Pooled,
    /// Bytes that were read and not passed.
    start: usize,
    filled: usize,
    /// Where the next byte to be read lies in the stream.
    read_offset: u64,
    /// Bytes from `start` on that are to be skipped.
    skip: u64,
    /// Of all that passes, if it is wanted.
    pub(super) sums: Option<Sums>,
}

impl Window {
    pub(super) fn new(unpacker: &Unpacker) -> Self {
        Self { memory: unpacker.memory(WINDOW), start: 0, filled: 0, read_offset: 0, skip: 0, sums: None }
    }

    /// All of it; [`Window::position`] says what has not been passed.
    pub(super) fn bytes(&self) -> &[u8] {
        self.memory.as_ref()
    }

    pub(super) fn unread(&self) -> &[u8] {
        &self.memory.as_ref()[self.start..self.filled]
    }

    /// Where the unread bytes begin in [`Window::bytes`].
    pub(super) fn position(&self) -> usize {
        self.start
    }

    /// Where the unread bytes begin in the stream.
    pub(super) fn offset(&self) -> u64 {
        self.read_offset - (self.filled - self.start) as u64
    }

    /// Where the next byte will be read.
    pub(super) fn read_offset(&self) -> u64 {
        self.read_offset
    }

    /// Whether bytes were read that have not been passed, or are to be skipped.
    pub(super) fn is_pending(&self) -> bool {
        self.filled > self.start || self.skip > 0
    }

    /// Passes bytes up to a position.
    pub(super) fn pass_to(&mut self, position: usize) {
        let offset = self.offset();
        if let Some(sums) = &mut self.sums {
            sums.pass(offset, &self.memory.as_ref()[self.start..position]);
        }
        self.start = position;
    }

    /// Skips bytes, also those that have not been read yet.
    pub(super) fn skip(&mut self, length: u64) {
        self.skip = length;
    }

    /// Skips what can be skipped of what was read; false if there is more to skip.
    pub(super) fn skip_read(&mut self) -> bool {
        let passed = to_usize(self.skip).min(self.filled - self.start);
        self.pass_to(self.start + passed);
        self.skip -= passed as u64;
        self.skip == 0
    }

    /// Forgets what was not passed, to read it again.
    pub(super) fn read_again(&mut self) {
        self.read_offset = self.offset();
        self.filled = self.start;
    }

    /// Goes on with another stream.
    pub(super) fn restart(&mut self) {
        (self.start, self.filled, self.read_offset, self.skip) = (0, 0, 0, 0);
    }

    /// A passed part as a share; where it is most of the memory, only the bytes after it are copied.
    pub(super) fn share(&mut self, part: Range<usize>, unpacker: &Unpacker) -> Bytes {
        if part.len() < self.memory.as_ref().len() / 2 {
            return Bytes::copy_from_slice(&self.memory.as_ref()[part]);
        }
        let memory = unpacker.memory(WINDOW.max(self.filled - self.start));
        self.move_to(memory).freeze().slice(part)
    }

    /// Puts what is unread at the beginning of other memory; returns what it was in.
    fn move_to(&mut self, mut memory: Pooled) -> Pooled {
        let unread = self.filled - self.start;
        memory.as_mut()[..unread].copy_from_slice(self.unread());
        (self.start, self.filled) = (0, unread);
        std::mem::replace(&mut self.memory, memory)
    }

    /// Reads once, or skips; false if there was nothing. `need`: how many bytes there should be in the end.
    pub(super) fn fill(
        &mut self,
        need: usize,
        input: &mut impl ForwardRead,
        unpacker: &Unpacker,
    ) -> io::Result<bool> {
        if self.skip > 0 {
            let scratch = self.memory.as_mut();
            let passed = match &mut self.sums {
                None => input.skip(self.read_offset, self.skip, scratch)?.min(self.skip),
                Some(sums) => {
                    let wanted = to_usize(self.skip).min(scratch.len());
                    let read = input.read(self.read_offset, &mut scratch[..wanted])?;
                    sums.pass(self.read_offset, &scratch[..read]);
                    read as u64
                }
            };
            (self.start, self.filled) = (0, 0);
            self.skip -= passed;
            self.read_offset += passed;
            return Ok(passed > 0);
        }
        let unread = self.filled - self.start;
        // a large record is read to its end and no further, so that it can be shared without what follows
        let held = self.memory.as_ref().len();
        let size = match need {
            need if need <= WINDOW => WINDOW,
            need if (WINDOW + 1..=need).contains(&held) && unread < held => held,
            need => need.min(TRUSTED.max(unread * 2)),
        };
        if held != size {
            drop(self.move_to(unpacker.try_memory(size.max(unread))?));
        } else if self.start > 0 {
            self.memory.as_mut().copy_within(self.start..self.filled, 0);
            (self.start, self.filled) = (0, unread);
        }
        let read = input.read(self.read_offset, &mut self.memory.as_mut()[unread..])?;
        self.filled += read;
        self.read_offset += read as u64;
        Ok(read > 0)
    }
}
