//! The DEFLATE streams of permessage-deflate (RFC 7692 section 7.2). Pure.
//!
//! An empty stored block ends each message; its last four bytes are not sent. Memory: 42 KiB to inflate while a
//! compressed message arrives; to deflate see [`Deflater`].

use zlib_rs::{Deflate, DeflateConfig, DeflateFlush, Inflate, InflateFlush, Status};

/// What ends a message and is not sent.
const TAIL: [u8; 4] = [0, 0, 0xFF, 0xFF];

/// An empty final block: a stream accepts it as its end only where a block has ended.
const FINAL_BLOCK: [u8; 5] = [1, 0, 0, 0xFF, 0xFF];

/// Output is produced in pieces of this size.
const PIECE: usize = 4096;

/// Why a message can't be inflated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum InflateError {
    TooLong,
    Invalid,
}

/// Inflates one message.
pub(super) struct Inflater {
    inflate: Inflate,
    /// Nothing has come in.
    is_empty: bool,
}

impl Default for Inflater {
    fn default() -> Self {
        Self { inflate: Inflate::new(false, 15), is_empty: true }
    }
}

impl std::fmt::Debug for Inflater {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inflater").field("in", &self.inflate.total_in()).finish()
    }
}

impl Inflater {
    /// Appends what `input` says to `output`, which may have `limit` bytes.
    pub(super) fn inflate(
        &mut self,
        mut input: &[u8],
        output: &mut Vec<u8>,
        limit: usize,
    ) -> Result<(), InflateError> {
        self.is_empty &= input.is_empty();
        let mut piece = [0; PIECE];
        loop {
            let (status, taken, made) = self.step(input, &mut piece)?;
            input = &input[taken..];
            if output.len() + made > limit {
                return Err(InflateError::TooLong);
            }
            output.extend_from_slice(&piece[..made]);
            if status == Status::StreamEnd {
                // a final block may stand anywhere (section 7.2.3.4)
                self.inflate.reset(false);
            } else if made < PIECE {
                // what it needs is more input
                return if input.is_empty() { Ok(()) } else { Err(InflateError::Invalid) };
            }
            if input.is_empty() && made < PIECE {
                return Ok(());
            }
        }
    }

    /// Ends the message: Err if it was cut short.
    pub(super) fn finish(mut self, output: &mut Vec<u8>, limit: usize) -> Result<(), InflateError> {
        if self.is_empty {
            return Ok(());
        }
        self.inflate(&TAIL, output, limit)?;
        let mut piece = [0; PIECE];
        match self.step(&FINAL_BLOCK, &mut piece)? {
            (Status::StreamEnd, taken, 0) if taken == FINAL_BLOCK.len() => Ok(()),
            _ => Err(InflateError::Invalid),
        }
    }

    fn step(&mut self, input: &[u8], piece: &mut [u8]) -> Result<(Status, usize, usize), InflateError> {
        let before = (self.inflate.total_in(), self.inflate.total_out());
        let status = self
            .inflate
            .decompress(input, piece, InflateFlush::NoFlush)
            .map_err(|_error| InflateError::Invalid)?;
        let taken = self.inflate.total_in() - before.0;
        let made = self.inflate.total_out() - before.1;
        Ok((status, to_usize(taken), to_usize(made)))
    }
}

/// What one call did; never more than the buffers it was given.
fn to_usize(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

/// Deflates messages, each with what came before as its context.
pub(super) struct Deflater(Deflate);

impl Deflater {
    /// With a window of 2^`window_bits` bytes, 9 to 15.
    pub(super) fn new(level: i32, mem_level: i32, window_bits: u8) -> Self {
        Self(Deflate::new_with_config(DeflateConfig {
            level,
            mem_level,
            window_bits: -i32::from(window_bits),
            ..DeflateConfig::default()
        }))
    }

    /// Takes a part of a message.
    pub(super) fn deflate(&mut self, input: &[u8], output: &mut Vec<u8>) {
        self.run(input, output, DeflateFlush::NoFlush);
    }

    /// Ends the message.
    pub(super) fn finish(&mut self, output: &mut Vec<u8>) {
        self.run(&[], output, DeflateFlush::SyncFlush);
        if output.ends_with(&TAIL) {
            output.truncate(output.len() - TAIL.len());
        }
        if output.is_empty() {
            // of an empty message after another one nothing is left: the head of an empty block stands for it
            output.push(0);
        }
    }

    /// Forgets what came before. Only between messages: zlib-rs 0.6 keeps a block open that was begun.
    pub(super) fn reset(&mut self) {
        self.0.reset();
    }

    fn run(&mut self, mut input: &[u8], output: &mut Vec<u8>, flush: DeflateFlush) {
        let mut piece = [0; PIECE];
        loop {
            let before = (self.0.total_in(), self.0.total_out());
            let status = self.0.compress(input, &mut piece, flush);
            input = &input[to_usize(self.0.total_in() - before.0)..];
            let made = to_usize(self.0.total_out() - before.1);
            output.extend_from_slice(&piece[..made]);
            // an error is out of the question between calls that are in order; either way nothing more comes
            if made < PIECE || status.is_err() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests;
