//! Reads a stream in large pieces and cuts them into whole lines.
//!
//! Bound: one line of the longest size allowed, and one piece. A longer line is skipped without being kept.

use std::io::{self, Read};

use bytes::Bytes;

use super::unfinished::{Share, TOGETHER};

/// Asked of the system at once. Pipes give at most 64 KiB, sockets more; beyond 256 KiB reads get no cheaper.
const PIECE: usize = 256 << 10;

/// What came next in the stream.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// Whole lines, each with its line break but for the last line of a stream. Never empty.
    Lines(Bytes),
    /// A line that is longer than allowed; it is skipped.
    TooLong,
    /// A line for which there is no room, as those of all inputs are too long; it is skipped.
    NoRoom,
    /// The stream has ended.
    End,
}

/// The piece that is being read, with the beginning of a line whose end is yet to come.
#[derive(Debug)]
pub(super) struct LineBuffer {
    bytes: Vec<u8>,
    filled: usize,
    max_line: usize,
    /// Inside a line that is too long.
    skipping: bool,
    share: Share,
}

impl LineBuffer {
    pub(super) fn new(max_line: usize, share: Share) -> Self {
        Self { bytes: vec![0; PIECE], filled: 0, max_line, skipping: false, share }
    }

    /// What has come of the next line.
    pub(super) fn begun(&self) -> &[u8] {
        &self.bytes[..self.filled]
    }

    /// Waits until there is at least one whole line, and returns all whole lines that one read gave.
    pub(super) fn next(&mut self, stream: &mut impl Read) -> io::Result<Piece> {
        loop {
            if self.filled > self.max_line {
                self.skip_line();
                return Ok(Piece::TooLong);
            }
            if !self.make_room() {
                self.skip_line();
                return Ok(Piece::NoRoom);
            }
            let count = match stream.read(&mut self.bytes[self.filled..]) {
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if count == 0 {
                let rest = std::mem::take(&mut self.filled);
                let lines = Bytes::copy_from_slice(&self.bytes[..rest]);
                return Ok(if lines.is_empty() { Piece::End } else { Piece::Lines(lines) });
            }
            let mut new = self.filled;
            self.filled += count;
            if self.skipping {
                let Some(end) = memchr::memchr(b'\n', &self.bytes[..self.filled]) else {
                    self.filled = 0;
                    continue;
                };
                self.bytes.copy_within(end + 1..self.filled, 0);
                self.filled -= end + 1;
                self.skipping = false;
                new = 0;
            }
            if let Some(last) = memchr::memrchr(b'\n', &self.bytes[new..self.filled]) {
                return Ok(Piece::Lines(self.take(new + last + 1)));
            }
        }
    }

    /// Takes whole lines off the front: by reference if they are most of the buffer, so that a few small lines don't keep
    /// a large buffer in memory.
    fn take(&mut self, end: usize) -> Bytes {
        let rest = self.filled - end;
        if end < self.bytes.len() / 2 {
            let lines = Bytes::copy_from_slice(&self.bytes[..end]);
            self.bytes.copy_within(end..self.filled, 0);
            self.filled = rest;
            if rest <= PIECE {
                self.bytes.truncate(PIECE);
                self.bytes.shrink_to_fit();
            }
            self.count();
            return lines;
        }
        let mut next = vec![0; PIECE.max(rest)];
        next[..rest].copy_from_slice(&self.bytes[end..self.filled]);
        let mut lines = std::mem::replace(&mut self.bytes, next);
        lines.truncate(end);
        self.filled = rest;
        self.count();
        lines.into()
    }

    /// Gives back what it needs no more.
    fn count(&mut self) {
        self.share.resize(self.bytes.len() - PIECE, usize::MAX);
    }

    /// Forgets the line that has begun, and what is still to come of it.
    fn skip_line(&mut self) {
        self.skipping = true;
        self.filled = 0;
        if self.bytes.len() > PIECE {
            self.bytes = vec![0; PIECE];
        }
        self.count();
    }

    /// Grows for a line that is longer than a piece, so that each byte of it is moved a few times at most.
    /// False if all inputs together have too much.
    fn make_room(&mut self) -> bool {
        if self.filled > self.bytes.len() / 2 && self.filled + PIECE / 2 > self.bytes.len() {
            let size = (self.bytes.len() * 2).min(self.max_line.saturating_add(PIECE));
            let size = size.max(self.filled + PIECE / 2);
            if !self.share.resize(size - PIECE, TOGETHER.max(self.max_line.saturating_add(PIECE))) {
                return false;
            }
            self.bytes.resize(size, 0);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use proptest::prelude::*;

    use super::*;

    /// Gives its bytes in pieces of these sizes, over and over.
    struct Stutter<'a> {
        bytes: &'a [u8],
        sizes: std::iter::Cycle<std::vec::IntoIter<usize>>,
    }

    impl Read for Stutter<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let size = self.sizes.next().unwrap_or(1).min(into.len()).min(self.bytes.len());
            into[..size].copy_from_slice(&self.bytes[..size]);
            self.bytes = &self.bytes[size..];
            Ok(size)
        }
    }

    fn lines(bytes: &[u8], sizes: Vec<usize>, max_line: usize) -> Vec<String> {
        let mut stream = Stutter { bytes, sizes: sizes.into_iter().cycle() };
        let mut buffer = LineBuffer::new(max_line, Share::default());
        let mut found = Vec::new();
        loop {
            match buffer.next(&mut stream).unwrap() {
                Piece::Lines(lines) => {
                    let text = String::from_utf8(lines.to_vec()).unwrap();
                    found.extend(text.lines().map(|line| {
                        // lines that were whole in one read are measured by whoever reads them
                        if line.len() > max_line { "too long".to_owned() } else { line.to_owned() }
                    }));
                }
                Piece::TooLong | Piece::NoRoom => found.push("too long".to_owned()),
                Piece::End => return found,
            }
        }
    }

    #[test]
    fn lines_come_as_soon_as_they_are_whole() {
        let mut buffer = LineBuffer::new(100, Share::default());
        let mut stream = Stutter { bytes: b"a\nb\nc", sizes: vec![3].into_iter().cycle() };
        assert_eq!(buffer.next(&mut stream).unwrap(), Piece::Lines("a\n".into()));
        assert_eq!(buffer.next(&mut stream).unwrap(), Piece::Lines("b\n".into()));
        assert_eq!(buffer.next(&mut stream).unwrap(), Piece::Lines("c".into()));
        assert_eq!(buffer.next(&mut stream).unwrap(), Piece::End);
    }

    #[test]
    fn a_line_may_be_longer_than_a_piece_and_its_buffer_is_given_back() {
        let long = "x".repeat(5 * PIECE);
        let text = format!("a\n{long}\nb\n");
        assert_eq!(lines(text.as_bytes(), vec![PIECE, 7, 10_000], 6 * PIECE), ["a", &long, "b"]);
        let mut buffer = LineBuffer::new(6 * PIECE, Share::default());
        let mut stream = text.as_bytes();
        while buffer.next(&mut stream).unwrap() != Piece::End {}
        assert_eq!(buffer.bytes.len(), PIECE);
    }

    #[test]
    fn a_line_that_is_too_long_is_skipped_without_being_kept() {
        let text = format!("a\n{}\nb\n", "x".repeat(20 * PIECE));
        let mut buffer = LineBuffer::new(1000, Share::default());
        let mut stream = text.as_bytes();
        let mut found = Vec::new();
        loop {
            match buffer.next(&mut stream).unwrap() {
                Piece::End => break,
                piece => found.push(piece),
            }
            assert!(buffer.bytes.len() <= PIECE + 1000);
        }
        assert_eq!(found, [Piece::Lines("a\n".into()), Piece::TooLong, Piece::Lines("b\n".into())]);
    }

    #[test]
    fn unfinished_lines_of_all_inputs_share_a_bound() {
        struct Endless;
        impl Read for Endless {
            fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
                into.fill(b'x');
                Ok(into.len())
            }
        }
        const LINE: usize = 8 << 20;
        let all = Arc::new(AtomicUsize::new(0));
        let mut buffers: Vec<_> = (0..40).map(|_| LineBuffer::new(LINE, Share::of(&all))).collect();
        // each has a line that grows, a read of each after the other
        let mut refused = 0;
        for _ in 0..60 {
            for buffer in &mut buffers {
                // a read that fails leaves what has come of the line
                let mut once = Endless.take((PIECE / 2) as u64).chain(Failing);
                match buffer.next(&mut once) {
                    Ok(piece) => {
                        refused += usize::from(piece == Piece::NoRoom);
                        assert!(matches!(piece, Piece::NoRoom | Piece::TooLong));
                    }
                    Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
                }
            }
            let held: usize = buffers.iter().map(|buffer| buffer.bytes.len() - PIECE).sum();
            assert_eq!(held, all.load(Ordering::Relaxed));
            assert!(held <= TOGETHER, "{held}");
        }
        assert!(refused > 0);
        drop(buffers);
        assert_eq!(all.load(Ordering::Relaxed), 0);
    }

    struct Failing;

    impl Read for Failing {
        fn read(&mut self, _into: &mut [u8]) -> io::Result<usize> {
            Err(io::ErrorKind::WouldBlock.into())
        }
    }

    proptest! {
        #[test]
        fn it_does_not_matter_how_the_stream_is_cut(
            text in "([a-c]{0,12}\n){0,20}[a-c]{0,12}",
            sizes in proptest::collection::vec(1usize..9, 1..5),
        ) {
            let whole: Vec<String> =
                text.lines().map(|line| if line.len() > 6 { "too long".into() } else { line.to_owned() }).collect();
            prop_assert_eq!(lines(text.as_bytes(), sizes, 6), whole);
        }
    }
}
