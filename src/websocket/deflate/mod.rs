//! The DEFLATE streams of permessage-deflate (RFC 7692 section 7.2).
//!
//! An empty stored block ends each message; its last four bytes are not sent. Memory: 52 KB to inflate (with
//! [`Context::Alone`] only while a message arrives); to deflate 200 KB with a window of 13 bits and memory level 6.

use zlib_rs::{Deflate, DeflateConfig, DeflateFlush, Inflate, InflateFlush, Status};

/// What ends a message and is not sent.
const TAIL: [u8; 4] = [0, 0, 0xFF, 0xFF];

/// An empty final block: a stream accepts it as its end only where a block has ended.
const FINAL_BLOCK: [u8; 5] = [1, 0, 0, 0xFF, 0xFF];

/// An empty block, after which the stream goes on.
const EMPTY_BLOCK: [u8; 5] = [0, 0, 0, 0xFF, 0xFF];

/// Output is produced in pieces of this size.
const PIECE: usize = 4096;

/// What a message may refer to (section 7.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Context {
    /// Itself alone: `server_no_context_takeover`, `client_no_context_takeover`.
    Alone,
    /// The messages before it as well.
    Takeover,
}

/// Why a message can't be inflated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InflateError {
    /// It would have more bytes than the limit.
    TooLarge,
    /// Damaged, or cut short.
    Invalid,
}

/// Inflates messages: any window that the other end may have. With [`Context::Alone`] it is for one message.
pub struct Inflater {
    inflate: Inflate,
    context: Context,
    /// Nothing of the message has come in.
    is_empty: bool,
    /// What one call makes; kept, since to clear it takes longer than to inflate a small message.
    piece: Box<[u8; PIECE]>,
}

impl std::fmt::Debug for Inflater {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inflater").field("in", &self.inflate.total_in()).finish_non_exhaustive()
    }
}

impl Inflater {
    /// At the beginning of a connection or, with [`Context::Alone`], of a message.
    pub fn new(context: Context) -> Self {
        Self { inflate: Inflate::new(false, 15), context, is_empty: true, piece: Box::new([0; PIECE]) }
    }

    /// Appends what a part of a message says to `output`, which may have `limit` bytes.
    pub fn inflate(
        &mut self,
        mut input: &[u8],
        output: &mut Vec<u8>,
        limit: usize,
    ) -> Result<(), InflateError> {
        self.is_empty &= input.is_empty();
        loop {
            let (status, taken, made) = self.step(input)?;
            input = &input[taken..];
            if output.len() + made > limit {
                return Err(InflateError::TooLarge);
            }
            output.extend_from_slice(&self.piece[..made]);
            if status == Status::StreamEnd {
                // a final block may stand anywhere (section 7.2.3.4); what follows can't refer to what was before it,
                // which zlib-rs forgets
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

    /// Ends the message: Err if it was cut short. (With [`Context::Takeover`] a cut within the code tables of a block
    /// can stay unnoticed: only the end of the stream would show it.)
    pub fn finish(&mut self, output: &mut Vec<u8>, limit: usize) -> Result<(), InflateError> {
        if std::mem::replace(&mut self.is_empty, true) {
            return Ok(());
        }
        let length = output.len();
        self.inflate(&TAIL, output, limit)?;
        self.is_empty = true;
        let (next, status) = match self.context {
            Context::Alone => (FINAL_BLOCK, Status::StreamEnd),
            Context::Takeover => (EMPTY_BLOCK, Status::Ok),
        };
        // the tail is the rest of an empty block: it says nothing, and another block can follow
        if output.len() == length && self.step(&next)? == (status, next.len(), 0) {
            Ok(())
        } else {
            Err(InflateError::Invalid)
        }
    }

    /// One call, into `piece`: what it says, and the bytes that it took and made.
    fn step(&mut self, input: &[u8]) -> Result<(Status, usize, usize), InflateError> {
        let before = (self.inflate.total_in(), self.inflate.total_out());
        let status = self
            .inflate
            .decompress(input, &mut self.piece[..], InflateFlush::NoFlush)
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

/// Deflates messages, each with what came before as its context unless it is reset.
pub struct Deflater {
    deflate: Deflate,
    /// As in [`Inflater`].
    piece: Box<[u8; PIECE]>,
}

impl Deflater {
    /// With a window of 2^`window_bits` bytes, 9 to 15; level (1 to 9) and memory level (1 to 9) as in zlib.
    pub fn new(level: i32, mem_level: i32, window_bits: u8) -> Self {
        let config =
            DeflateConfig { level, mem_level, window_bits: -i32::from(window_bits), ..Default::default() };
        Self { deflate: Deflate::new_with_config(config), piece: Box::new([0; PIECE]) }
    }

    /// Takes a part of a message; appends what is ready to `output`.
    pub fn deflate(&mut self, input: &[u8], output: &mut Vec<u8>) {
        self.run(input, output, DeflateFlush::NoFlush);
    }

    /// Ends the message.
    pub fn finish(&mut self, output: &mut Vec<u8>) {
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
    pub fn reset(&mut self) {
        self.deflate.reset();
    }

    fn run(&mut self, mut input: &[u8], output: &mut Vec<u8>, flush: DeflateFlush) {
        loop {
            let before = (self.deflate.total_in(), self.deflate.total_out());
            let status = self.deflate.compress(input, &mut self.piece[..], flush);
            input = &input[to_usize(self.deflate.total_in() - before.0)..];
            let made = to_usize(self.deflate.total_out() - before.1);
            output.extend_from_slice(&self.piece[..made]);
            // an error is out of the question between calls that are in order; either way nothing more comes
            if made < PIECE || status.is_err() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests;
