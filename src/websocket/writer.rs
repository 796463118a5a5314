//! Messages to WebSocket frames (RFC 6455 section 5.2).
//!
//! Small payloads are copied beside their headers, large ones are referenced, so that one vectored write takes many
//! frames. Those of a client are all copied, since they are masked.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::mask::{self, Masking, Unmasked};

/// Payloads from this size on are not copied; below it a copy costs less than an entry in a vectored write.
const REFERENCED_FROM: usize = 4096;

/// The size of the first buffer.
const SMALLEST_BUFFER: usize = 1024;

const FIN_TEXT: u8 = 0x81;
const FIN_BINARY: u8 = 0x82;
/// Set on the first frame of a compressed message (RFC 7692 section 6).
const COMPRESSED: u8 = 0x40;
const FIN_CLOSE: u8 = 0x88;
const FIN_PING: u8 = 0x89;
const FIN_PONG: u8 = 0x8A;
const MASKED: u8 = 0x80;

/// Frames that wait to be written. That of a server is [`FrameWriter::default`].
#[derive(Debug)]
pub struct FrameWriter<M = Unmasked> {
    masking: M,
    full: VecDeque<Bytes>,
    tail: BytesMut,
    len: usize,
}

impl Default for FrameWriter {
    fn default() -> Self {
        Self::new(Unmasked)
    }
}

impl<M: Masking> FrameWriter<M> {
    /// `masking` gives the key of each frame.
    pub fn new(masking: M) -> Self {
        Self { masking, full: VecDeque::new(), tail: BytesMut::new(), len: 0 }
    }

    /// Bytes that wait to be written.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether everything has been written.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Frees the buffers if everything has been written.
    pub fn shrink(&mut self) {
        if self.is_empty() {
            self.full = VecDeque::new();
            self.tail = BytesMut::new();
        }
    }

    /// A text message, in UTF-8.
    pub fn text(&mut self, text: Bytes) {
        self.frame(FIN_TEXT, &[], &text, || text.clone());
    }

    /// A binary message.
    pub fn binary(&mut self, bytes: Bytes) {
        self.frame(FIN_BINARY, &[], &bytes, || bytes.clone());
    }

    /// A text message that has been compressed.
    pub fn compressed_text(&mut self, compressed: &[u8]) {
        self.frame(FIN_TEXT | COMPRESSED, &[], compressed, || Bytes::copy_from_slice(compressed));
    }

    /// A binary message that has been compressed.
    pub fn compressed_binary(&mut self, compressed: &[u8]) {
        self.frame(FIN_BINARY | COMPRESSED, &[], compressed, || Bytes::copy_from_slice(compressed));
    }

    /// A binary message of a header and a payload; `share` makes a reference to the payload, which is called only
    /// where it is not copied.
    pub fn message(&mut self, header: &[u8], payload: &[u8], share: impl FnOnce() -> Bytes) {
        self.frame(FIN_BINARY, header, payload, share);
    }

    /// A ping without payload.
    pub fn ping(&mut self) {
        self.frame(FIN_PING, &[], &[], Bytes::new);
    }

    /// The answer to a ping, with its payload.
    pub fn pong(&mut self, payload: &[u8]) {
        self.frame(FIN_PONG, &[], payload, Bytes::new);
    }

    /// A close frame; `reason` is cut to what a control frame holds (section 5.5).
    pub fn close(&mut self, code: u16, reason: &str) {
        let mut end = reason.len().min(123);
        while !reason.is_char_boundary(end) {
            end -= 1;
        }
        self.frame(FIN_CLOSE, &code.to_be_bytes(), &reason.as_bytes()[..end], Bytes::new);
    }

    /// The answer to a close frame: the same code, or none (section 5.5.1).
    pub fn close_answer(&mut self, code: Option<u16>) {
        match code {
            Some(code) => self.close(code, ""),
            None => self.frame(FIN_CLOSE, &[], &[], Bytes::new),
        }
    }

    fn frame(&mut self, first: u8, header: &[u8], payload: &[u8], share: impl FnOnce() -> Bytes) {
        let key = self.masking.next_key();
        self.head(first, header.len() + payload.len(), key.is_some());
        if let Some(key) = key {
            self.put(&key);
            self.put_masked(header, key, 0);
            self.put_masked(payload, key, header.len());
            return;
        }
        self.put(header);
        if payload.len() < REFERENCED_FROM {
            self.put(payload);
        } else {
            self.full.push_back(self.tail.split().freeze());
            self.len += payload.len();
            self.full.push_back(share());
        }
    }

    fn head(&mut self, first: u8, length: usize, is_masked: bool) {
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
        if is_masked {
            head[1] |= MASKED;
        }
        self.put(&head[..used]);
    }

    fn put(&mut self, bytes: &[u8]) {
        self.reserve(bytes.len());
        self.tail.put_slice(bytes);
        self.len += bytes.len();
    }

    /// Puts a part of a payload that begins `offset` bytes after the head.
    fn put_masked(&mut self, bytes: &[u8], key: mask::Mask, offset: usize) {
        self.put(bytes);
        let start = self.tail.len() - bytes.len();
        mask::apply(&mut self.tail[start..], key, offset);
    }

    #[inline]
    fn reserve(&mut self, additional: usize) {
        if self.tail.capacity() - self.tail.len() < additional {
            self.make_room(additional);
        }
    }

    /// Reclaims the front of the buffer, which has been written, or takes a new one that is no larger than needed.
    /// (`BytesMut` would double it instead, even if most of it has been written.)
    fn make_room(&mut self, additional: usize) {
        if self.tail.is_empty() && self.tail.try_reclaim(additional) {
            return;
        }
        let needed = self.tail.len() + additional;
        let mut larger = BytesMut::with_capacity(needed.next_power_of_two().max(SMALLEST_BUFFER));
        larger.put_slice(&self.tail);
        self.tail = larger;
    }

    /// Fills in what is written next, from the front; returns the number of slices.
    pub fn slices<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let mut used = 0;
        let mut slices = slices.iter_mut();
        for (piece, slice) in self.full.iter().zip(&mut slices) {
            *slice = IoSlice::new(piece);
            used += 1;
        }
        if let (false, Some(slice)) = (self.tail.is_empty(), slices.next()) {
            *slice = IoSlice::new(&self.tail);
            used += 1;
        }
        used
    }

    /// Removes bytes that have been written, at most [`FrameWriter::len`], from the front.
    pub fn advance(&mut self, mut written: usize) {
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
            // the buffer is used again from its front, unless there is nothing before `tail`
            let _reclaimed = self.tail.try_reclaim(self.tail.capacity() + 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_that_has_been_written_is_used_again() {
        let mut writer = FrameWriter::default();
        let mut fill = |payload: &Bytes| {
            while writer.len() < 120 << 10 {
                writer.message(&[0; 13], payload, || payload.clone());
            }
            let buffer = writer.tail.as_ptr();
            writer.advance(writer.len());
            buffer
        };
        let small = Bytes::from(vec![0; 1000]);
        fill(&small);
        let buffers: Vec<_> = (0..10).map(|_| fill(&small)).collect();
        assert_eq!(buffers, [buffers[0]; 10]);
    }

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
        writer.shrink();
        assert_eq!(writer.tail.capacity(), 0);
    }

    /// Takes all, at most `step` bytes at a time.
    fn written<M: Masking>(writer: &mut FrameWriter<M>, step: usize) -> Vec<u8> {
        let mut out = Vec::new();
        while !writer.is_empty() {
            let mut slices = [IoSlice::new(&[]); 3];
            let used = writer.slices(&mut slices);
            let before = out.len();
            slices[..used].iter().for_each(|slice| out.extend_from_slice(slice));
            out.truncate(before + step.min(out.len() - before));
            writer.advance(out.len() - before);
        }
        out
    }

    #[test]
    fn lengths_take_the_shortest_form() {
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
            let out = written(&mut writer, usize::MAX);
            assert_eq!(out[..head.len()], head);
            assert!(out.len() == head.len() + length && out[head.len()..].iter().all(|byte| *byte == 7));
        }
    }

    #[test]
    fn small_and_large_payloads_keep_their_order() {
        let mut writer = FrameWriter::default();
        let mut expected = Vec::new();
        for (index, length) in [(1u8, 10usize), (2, 5_000), (3, 0), (4, 70_000), (5, 4_095), (6, 4_096)] {
            let payload = Bytes::from(vec![index; length]);
            writer.message(&[0xAA, index], &payload, || payload.clone());
            let mut plain = FrameWriter::default();
            plain.binary([&[0xAA, index], &payload[..]].concat().into());
            expected.extend(written(&mut plain, usize::MAX));
        }
        writer.close(1001, "going away");
        expected.extend([0x88, 12, 0x03, 0xE9]);
        expected.extend(b"going away");
        assert_eq!(written(&mut writer, usize::MAX), expected);
    }

    #[test]
    fn partial_writes_lose_nothing() {
        let payload = Bytes::from((0..20_000u32).map(|i| i.to_le_bytes()[0]).collect::<Vec<_>>());
        let fill = |writer: &mut FrameWriter| {
            writer.message(&[1], &payload, || payload.clone());
            writer.message(&[2], b"tail", Bytes::new);
            (0..9).for_each(|_| writer.binary(payload.clone()));
        };
        let (mut whole, mut pieces) = (FrameWriter::default(), FrameWriter::default());
        fill(&mut whole);
        fill(&mut pieces);
        assert!(written(&mut whole, usize::MAX) == written(&mut pieces, 777));
    }

    #[test]
    fn a_client_masks_each_frame_with_a_key_of_its_own() {
        // the examples of RFC 6455 section 5.7, and a payload that would be referenced without a mask
        let mut keys = [[0x37, 0xfa, 0x21, 0x3d], [1, 2, 3, 4], [9, 9, 9, 9]].into_iter();
        let mut writer = FrameWriter::new(|| keys.next().unwrap());
        writer.text(Bytes::from_static(b"Hello"));
        writer.message(&[0xA0, 0xA1], &[0; 5000], Bytes::new);
        writer.ping();
        let mut expected = vec![0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
        expected.extend([0x82, 0xFE, 0x13, 0x8A, 1, 2, 3, 4, 0xA1, 0xA3]);
        expected.extend([3u8, 4, 1, 2].iter().cycle().take(5000));
        expected.extend([0x89, 0x80, 9, 9, 9, 9]);
        assert_eq!(written(&mut writer, usize::MAX), expected);
    }
}
