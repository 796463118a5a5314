//! Reads a stream in large pieces and cuts them into whole lines.
//!
//! Bound: one line of the longest size allowed, and one piece. A longer line is skipped without being kept.

use std::io::{self, Read};

use bytes::Bytes;

/// Asked of the system at once. Pipes give at most 64 KiB, sockets more; beyond 256 KiB reads get no cheaper.
const PIECE: usize = 256 << 10;

/// What came next in the stream.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// Whole lines, each with its line break but for the last line of a stream. Never empty.
    Lines(Bytes),
    /// A line that is longer than allowed; it is skipped.
    TooLong,
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
}

impl LineBuffer {
    pub(super) fn new(max_line: usize) -> Self {
        Self { bytes: vec![0; PIECE], filled: 0, max_line, skipping: false }
    }

    /// Waits until there is at least one whole line, and returns all whole lines that one read gave.
    pub(super) fn next(&mut self, stream: &mut impl Read) -> io::Result<Piece> {
        loop {
            if self.filled > self.max_line {
                self.skip_line();
                return Ok(Piece::TooLong);
            }
            self.make_room();
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
            return lines;
        }
        let mut next = vec![0; PIECE.max(rest)];
        next[..rest].copy_from_slice(&self.bytes[end..self.filled]);
        let mut lines = std::mem::replace(&mut self.bytes, next);
        lines.truncate(end);
        self.filled = rest;
        lines.into()
    }

    /// Forgets the line that has begun, and what is still to come of it.
    fn skip_line(&mut self) {
        self.skipping = true;
        self.filled = 0;
        if self.bytes.len() > PIECE {
            self.bytes = vec![0; PIECE];
        }
    }

    /// Grows for a line that is longer than a piece, so that each byte of it is moved a few times at most.
    fn make_room(&mut self) {
        if self.filled > self.bytes.len() / 2 && self.filled + PIECE / 2 > self.bytes.len() {
            let size = (self.bytes.len() * 2).min(self.max_line.saturating_add(PIECE));
            self.bytes.resize(size.max(self.filled + PIECE / 2), 0);
        }
    }
}

#[cfg(test)]
mod tests {
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
        let mut buffer = LineBuffer::new(max_line);
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
                Piece::TooLong => found.push("too long".to_owned()),
                Piece::End => return found,
            }
        }
    }

    #[test]
    fn lines_come_as_soon_as_they_are_whole() {
        let mut buffer = LineBuffer::new(100);
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
        let mut buffer = LineBuffer::new(6 * PIECE);
        let mut stream = text.as_bytes();
        while buffer.next(&mut stream).unwrap() != Piece::End {}
        assert_eq!(buffer.bytes.len(), PIECE);
    }

    #[test]
    fn a_line_that_is_too_long_is_skipped_without_being_kept() {
        let text = format!("a\n{}\nb\n", "x".repeat(20 * PIECE));
        let mut buffer = LineBuffer::new(1000);
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
