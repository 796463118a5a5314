//! Which messages to a client are compressed (RFC 7692), and the work for it. Pure.
//!
//! Level 1 with a window of 8 KiB: on recordings of robots higher levels cost five to ten times as much for a few
//! percent. With context takeover a message of 50 bytes shrinks to half, since most of it stood in the one before;
//! without it messages below 128 bytes don't shrink at all. What does not get smaller is sent as it is, and a channel
//! whose messages don't get smaller is not tried for a while, one of compressed images never.
//!
//! Bounds: 200 KiB for a client from its first compressed message until it is sent nothing for a while, and the
//! message that is being compressed. Work: [`PIECE`] bytes at a time, so that a large message holds up no other
//! client. (A thread for it would cost more than it gains: 256 KiB take about a millisecond.)

use std::sync::Arc;

use bytes::Bytes;

use crate::model::{Channel, ChannelId};
use crate::websocket::deflate::Deflater;
use crate::websocket::negotiation::Agreement;

const LEVEL: i32 = 1;
const MEM_LEVEL: i32 = 6;
const WINDOW_BITS: u8 = 13;

/// Smaller messages are not compressed …
const SMALLEST: usize = 32;

/// … and if each is compressed on its own, none below this size.
const SMALLEST_ALONE: usize = 128;

/// Bytes compressed before other tasks run.
const PIECE: usize = 256 << 10;

/// Messages of a channel in a row that are not worth it before it is left alone …
const PATIENCE: u8 = 4;

/// … for this many.
const PAUSE: u16 = 256;

/// What one channel's messages gain.
#[derive(Debug, Clone, Copy, Default)]
struct Gain {
    /// The channel in this slot; None before its first message.
    channel: Option<ChannelId>,
    /// Its messages are compressed already.
    never: bool,
    /// Messages in a row that were not worth it.
    failures: u8,
    /// Messages that are still left alone.
    pause: u16,
}

/// A message that is compressed in several pieces.
struct Large {
    channel: ChannelId,
    header: Vec<u8>,
    payload: Bytes,
    done: usize,
}

/// What became of a message.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Compressed<'a> {
    /// There is more of it to do.
    Unfinished,
    Smaller(&'a [u8]),
    /// It is better sent as it is.
    Plain,
    /// As [`Compressed::Plain`], after several pieces of work: header and payload.
    PlainLarge(Vec<u8>, Bytes),
}

/// See the module's documentation.
pub(super) struct Compression {
    window_bits: u8,
    takeover: bool,
    deflater: Option<Deflater>,
    output: Vec<u8>,
    gains: Vec<Gain>,
    large: Option<Large>,
    /// Bytes compressed since other tasks ran.
    worked: usize,
    /// Whether there was anything to do since [`Compression::shrink`].
    used: bool,
}

impl Compression {
    pub(super) fn new(agreement: Agreement) -> Self {
        Self {
            window_bits: agreement.server_max_window_bits.unwrap_or(WINDOW_BITS).min(WINDOW_BITS),
            takeover: !agreement.server_no_context_takeover,
            deflater: None,
            output: Vec::new(),
            gains: Vec::new(),
            large: None,
            worked: 0,
            used: false,
        }
    }

    /// Whether other tasks should run first.
    pub(super) fn must_yield(&self) -> bool {
        self.worked >= PIECE
    }

    /// Whether a message is being compressed that [`Compression::proceed`] continues.
    pub(super) fn is_busy(&self) -> bool {
        self.large.is_some()
    }

    /// Other tasks have run.
    pub(super) fn resume(&mut self) {
        self.worked = 0;
    }

    /// Frees memory if nothing was compressed since the last call. (A stream may start again with any message:
    /// nothing then refers to earlier ones.)
    pub(super) fn shrink(&mut self) {
        if !std::mem::take(&mut self.used) && self.large.is_none() {
            self.deflater = None;
            self.output = Vec::new();
        }
    }

    /// Whether a message of a channel should be compressed; `look_up` returns the channel.
    pub(super) fn wants(
        &mut self,
        channel: ChannelId,
        length: usize,
        look_up: impl FnOnce() -> Option<Arc<Channel>>,
    ) -> bool {
        if length < self.smallest() {
            return false;
        }
        if channel.slot() >= self.gains.len() {
            self.gains.resize(channel.slot() + 1, Gain::default());
        }
        let gain = &mut self.gains[channel.slot()];
        if gain.channel != Some(channel) {
            let never = look_up().is_some_and(|channel| is_compressed(&channel));
            *gain = Gain { channel: Some(channel), never, ..Gain::default() };
        }
        if gain.never || gain.pause > 0 {
            gain.pause = gain.pause.saturating_sub(1);
            return false;
        }
        true
    }

    fn smallest(&self) -> usize {
        if self.takeover { SMALLEST } else { SMALLEST_ALONE }
    }

    /// Compresses a text; None if it is better sent as it is.
    pub(super) fn text(&mut self, text: &[u8]) -> Option<&[u8]> {
        if self.is_busy() || text.len() < self.smallest() {
            return None;
        }
        self.output.clear();
        self.deflate(text);
        self.finish(None, text.len())
    }

    /// Compresses a message that [`Compression::wants`], or begins to; `share` makes a reference to a large payload.
    pub(super) fn message(
        &mut self,
        channel: ChannelId,
        header: &[u8],
        payload: &[u8],
        share: impl FnOnce() -> Bytes,
    ) -> Compressed<'_> {
        self.output.clear();
        self.deflate(header);
        if payload.len() > PIECE {
            self.large = Some(Large { channel, header: header.to_vec(), payload: share(), done: 0 });
            return self.proceed();
        }
        self.deflate(payload);
        let smaller = self.finish(Some(channel), header.len() + payload.len());
        smaller.map_or(Compressed::Plain, Compressed::Smaller)
    }

    /// Goes on with a large message, a piece of it.
    pub(super) fn proceed(&mut self) -> Compressed<'_> {
        let Some(mut large) = self.large.take() else { return Compressed::Unfinished };
        let end = large.payload.len().min(large.done + PIECE);
        self.deflate(&large.payload[large.done..end]);
        large.done = end;
        let taken = large.header.len() + end;
        if end < large.payload.len() {
            if is_worth_it(self.output.len(), taken) {
                self.large = Some(large);
                return Compressed::Unfinished;
            }
            self.judge(large.channel, false);
            self.forget();
            return Compressed::PlainLarge(large.header, large.payload);
        }
        match self.finish(Some(large.channel), taken) {
            Some(smaller) => Compressed::Smaller(smaller),
            None => Compressed::PlainLarge(large.header, large.payload),
        }
    }

    /// Drops the message that is being compressed.
    pub(super) fn abandon(&mut self) {
        if self.large.take().is_some() {
            self.forget();
        }
    }

    fn deflate(&mut self, bytes: &[u8]) {
        let deflater = self.deflater.get_or_insert_with(|| Deflater::new(LEVEL, MEM_LEVEL, self.window_bits));
        deflater.deflate(bytes, &mut self.output);
        self.worked += bytes.len();
        self.used = true;
    }

    /// Ends a message of `length` bytes; None if it did not get smaller.
    fn finish(&mut self, channel: Option<ChannelId>, length: usize) -> Option<&[u8]> {
        let deflater = self.deflater.as_mut()?;
        deflater.finish(&mut self.output);
        if !self.takeover {
            deflater.reset();
        }
        let compressed = self.output.len();
        if let Some(channel) = channel {
            self.judge(channel, is_worth_it(compressed, length));
        }
        if compressed >= length {
            self.forget();
            return None;
        }
        Some(&self.output)
    }

    /// The message in work is not sent compressed: the client will not have it as context.
    fn forget(&mut self) {
        self.deflater = None;
    }

    fn judge(&mut self, channel: ChannelId, is_worth_it: bool) {
        let Some(gain) = self.gains.get_mut(channel.slot()) else { return };
        gain.failures = if is_worth_it { 0 } else { gain.failures.saturating_add(1) };
        if gain.failures >= PATIENCE {
            gain.pause = PAUSE;
        }
    }
}

/// Whether at least a tenth is gained.
fn is_worth_it(compressed: usize, length: usize) -> bool {
    compressed < length - length / 10
}

/// Whether a channel's messages are compressed by themselves: images, video, point clouds, by the names of their
/// types. In JSON they are base64, which shrinks.
fn is_compressed(channel: &Channel) -> bool {
    let name = channel.schema.as_ref().map_or("", |schema| schema.name.as_str());
    let name = name.rsplit(['/', '.', ':']).next().unwrap_or_default();
    name.starts_with("Compressed") && channel.message_encoding != "json"
}

#[cfg(test)]
mod tests;
