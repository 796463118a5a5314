//! Unmasked WebSocket frames on the way out (RFC 6455 section 5.2).
//!
//! Small payloads are copied beside their headers; large ones are referenced and written by a vectored write. A write
//! takes as much as the socket does; nothing is flushed message by message.

use std::collections::VecDeque;
use std::io::{self, IoSlice};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use tokio::io::{AsyncWrite, AsyncWriteExt};

/// Payloads from this size on are not copied; below it a copy costs less than an entry in a vectored write.
const REFERENCED_FROM: usize = 4096;

/// The first buffer of a client.
const SMALLEST_BUFFER: usize = 1024;

/// Pieces in one vectored write; the system's limit is 1024.
const MAX_SLICES: usize = 64;

const FIN_TEXT: u8 = 0x81;
const FIN_BINARY: u8 = 0x82;
/// Set on the first frame of a compressed message (RFC 7692 section 6).
const COMPRESSED: u8 = 0x40;
const FIN_CLOSE: u8 = 0x88;
const FIN_PING: u8 = 0x89;
const FIN_PONG: u8 = 0x8A;

/// Frames that wait for the socket.
#[derive(Debug, Default)]
pub(super) struct FrameWriter {
    full: VecDeque<Bytes>,
    tail: BytesMut,
    len: usize,
}

impl FrameWriter {
    /// Bytes that wait.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Gives back the memory of what has been written.
    pub(super) fn rest(&mut self) {
        if self.is_empty() {
            *self = Self::default();
        }
    }

    pub(super) fn text(&mut self, text: Bytes) {
        self.frame(FIN_TEXT, &[], text);
    }

    pub(super) fn binary(&mut self, bytes: Bytes) {
        self.frame(FIN_BINARY, &[], bytes);
    }

    /// A text that was compressed.
    pub(super) fn compressed_text(&mut self, compressed: &[u8]) {
        self.message_frame(FIN_TEXT | COMPRESSED, &[], compressed, || Bytes::copy_from_slice(compressed));
    }

    /// A binary message that was compressed.
    pub(super) fn compressed_binary(&mut self, compressed: &[u8]) {
        self.message_frame(FIN_BINARY | COMPRESSED, &[], compressed, || Bytes::copy_from_slice(compressed));
    }

    /// A binary frame of a header and a payload that is copied only if it is small; `share` makes a reference to it.
    pub(super) fn message(&mut self, header: &[u8], payload: &[u8], share: impl FnOnce() -> Bytes) {
        self.message_frame(FIN_BINARY, header, payload, share);
    }

    fn message_frame(&mut self, first: u8, header: &[u8], payload: &[u8], share: impl FnOnce() -> Bytes) {
        if payload.len() < REFERENCED_FROM {
            self.head(first, header.len() + payload.len());
            self.put(header);
            self.put(payload);
        } else {
            self.frame(first, header, share());
        }
    }

    pub(super) fn ping(&mut self) {
        self.head(FIN_PING, 0);
    }

    /// A close frame; `reason` is cut to what a control frame holds (section 5.5).
    pub(super) fn close(&mut self, code: u16, reason: &str) {
        let mut end = reason.len().min(123);
        while !reason.is_char_boundary(end) {
            end -= 1;
        }
        self.head(FIN_CLOSE, 2 + end);
        self.put(&code.to_be_bytes());
        self.put(&reason.as_bytes()[..end]);
    }

    /// The answer to a ping, with its payload.
    pub(super) fn pong(&mut self, payload: &[u8]) {
        self.head(FIN_PONG, payload.len());
        self.put(payload);
    }

    /// The answer to a close frame: the same code, or none (section 5.5.1).
    pub(super) fn close_answer(&mut self, code: Option<u16>) {
        match code {
            Some(code) => self.close(code, ""),
            None => self.head(FIN_CLOSE, 0),
        }
    }

    fn frame(&mut self, first: u8, header: &[u8], payload: Bytes) {
        self.head(first, header.len() + payload.len());
        self.put(header);
        if payload.len() < REFERENCED_FROM {
            self.put(&payload);
        } else {
            self.full.push_back(self.tail.split().freeze());
            self.len += payload.len();
            self.full.push_back(payload);
        }
    }

    fn head(&mut self, first: u8, length: usize) {
        let mut head = [first, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let used = if let Ok(short @ 0..=125) = u8::try_from(length) {
            head[1] = short;
            2
        } else if let Ok(medium) = u16::try_from(length) {
            head[1] = 126;
            head[2..4].copy_from_slice(&medium.to_be_bytes());
            4
        } else {
            head[1] = 127;
            head[2..10].copy_from_slice(&(length as u64).to_be_bytes());
            10
        };
        self.put(&head[..used]);
    }

    fn put(&mut self, bytes: &[u8]) {
        self.reserve(bytes.len());
        self.tail.put_slice(bytes);
        self.len += bytes.len();
    }

    #[inline]
    fn reserve(&mut self, additional: usize) {
        if self.tail.capacity() - self.tail.len() < additional {
            self.make_room(additional);
        }
    }

    /// Takes what was written back from the front of the buffer, or a new one that is no larger than needed. (The
    /// buffer would double instead, behind what was written.)
    fn make_room(&mut self, additional: usize) {
        if self.tail.is_empty() && self.tail.try_reclaim(additional) {
            return;
        }
        let needed = self.tail.len() + additional;
        let mut larger = BytesMut::with_capacity(needed.next_power_of_two().max(SMALLEST_BUFFER));
        larger.put_slice(&self.tail);
        self.tail = larger;
    }

    /// Writes once, as much as the socket takes. Cancel safe: nothing is lost if the future is dropped.
    pub(super) async fn write_to(&mut self, socket: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
        let written = if self.full.is_empty() {
            socket.write(&self.tail).await?
        } else {
            let mut slices = [IoSlice::new(&[]); MAX_SLICES];
            let pieces = self.full.iter().map(|piece| &piece[..]).chain([&self.tail[..]]);
            let mut used = 0;
            for (slice, piece) in slices.iter_mut().zip(pieces) {
                *slice = IoSlice::new(piece);
                used += 1;
            }
            socket.write_vectored(&slices[..used]).await?
        };
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        self.advance(written);
        Ok(())
    }

    fn advance(&mut self, mut written: usize) {
        self.len -= written;
        while let Some(front) = self.full.front_mut() {
            if written < front.len() {
                front.advance(written);
                return;
            }
            written -= front.len();
            self.full.pop_front();
        }
        self.tail.advance(written);
        if self.tail.is_empty() {
            self.tail.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_that_takes_little_at_a_time_does_not_make_the_buffer_grow() {
        let mut writer = FrameWriter::default();
        for _ in 0..10_000 {
            while writer.len() < 120 << 10 {
                writer.message(&[0; 13], &[0; 1000], Bytes::new);
            }
            writer.advance(80_000);
            assert!(writer.tail.capacity() <= 128 << 10, "{}", writer.tail.capacity());
        }
        let len = writer.len();
        writer.advance(len);
        writer.rest();
        assert_eq!(writer.tail.capacity(), 0);
    }

    async fn written(writer: &mut FrameWriter) -> Vec<u8> {
        let mut out = Vec::new();
        while !writer.is_empty() {
            writer.write_to(&mut out).await.unwrap();
        }
        out
    }

    #[tokio::test]
    async fn lengths_take_the_shortest_form() {
        for (length, head) in [
            (0usize, vec![0x82, 0]),
            (125, vec![0x82, 125]),
            (126, vec![0x82, 126, 0, 126]),
            (65_535, vec![0x82, 126, 0xff, 0xff]),
            (65_536, vec![0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
        ] {
            let mut writer = FrameWriter::default();
            writer.binary(Bytes::from(vec![7; length]));
            assert_eq!(writer.len(), head.len() + length);
            let out = written(&mut writer).await;
            assert_eq!(out[..head.len()], head);
            assert!(out.len() == head.len() + length && out[head.len()..].iter().all(|byte| *byte == 7));
        }
    }

    #[tokio::test]
    async fn small_and_large_payloads_keep_their_order() {
        let mut writer = FrameWriter::default();
        let mut expected = Vec::new();
        for (index, length) in [(1u8, 10usize), (2, 5_000), (3, 0), (4, 70_000), (5, 4_095), (6, 4_096)] {
            let payload = Bytes::from(vec![index; length]);
            writer.message(&[0xAA, index], &payload, || payload.clone());
            let mut plain = FrameWriter::default();
            plain.binary([&[0xAA, index], &payload[..]].concat().into());
            expected.extend(written(&mut plain).await);
        }
        writer.close(1001, "going away");
        expected.extend([0x88, 12, 0x03, 0xE9]);
        expected.extend(b"going away");
        assert_eq!(written(&mut writer).await, expected);
    }

    #[test]
    fn partial_writes_lose_nothing() {
        let mut writer = FrameWriter::default();
        let payload = Bytes::from((0..20_000u32).map(|i| i.to_le_bytes()[0]).collect::<Vec<_>>());
        writer.message(&[1], &payload, || payload.clone());
        writer.message(&[2], b"tail", Bytes::new);
        let all: Vec<u8> = writer.full.iter().flatten().chain(&writer.tail).copied().collect();
        let mut seen = Vec::new();
        while !writer.is_empty() {
            let step = writer.len().min(777);
            let rest: Vec<u8> = writer.full.iter().flatten().chain(&writer.tail).copied().collect();
            seen.extend_from_slice(&rest[..step]);
            writer.advance(step);
        }
        assert_eq!(seen, all);
    }
}
