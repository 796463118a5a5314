//! Reads messages from a connection. Bytes that are not decoded yet are at most those of one read.

use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, ReadBuf};

use crate::websocket::{Decoder, Event, Violation};

/// Bytes taken from the connection at a time. They are read onto the stack: a client that says nothing has no buffer.
const READ: usize = 8 << 10;

/// What a client sent.
#[derive(Debug)]
pub(super) enum Incoming {
    Event(Event),
    /// The connection ended without a close frame; the error, if there was one.
    Lost(Option<io::Error>),
    /// The client broke a rule: close with this code and reason.
    Violation(Violation),
}

/// Reads messages from one half of a connection.
pub(super) struct MessageReader<R> {
    read: R,
    decoder: Decoder,
    /// Read and not decoded yet.
    rest: Bytes,
    received: u64,
}

impl<R: AsyncRead + Unpin> MessageReader<R> {
    /// `already_read`: bytes that came with the HTTP request.
    pub(super) fn new(read: R, already_read: Bytes, decoder: Decoder) -> Self {
        Self { read, decoder, rest: already_read, received: 0 }
    }

    /// Bytes read so far, those that came with the HTTP request left out.
    pub(super) fn received(&self) -> u64 {
        self.received
    }

    /// The next message. Cancel safe.
    pub(super) async fn next(&mut self) -> Incoming {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Incoming> {
        loop {
            let mut input = &self.rest[..];
            let decoded = self.decoder.decode(&mut input);
            let left = input.len();
            self.rest.advance(self.rest.len() - left);
            if left == 0 {
                self.rest = Bytes::new();
            }
            match decoded {
                Ok(Some(event)) => return Poll::Ready(Incoming::Event(event)),
                Ok(None) => {}
                Err(violation) => return Poll::Ready(Incoming::Violation(violation)),
            }
            let mut space = [const { MaybeUninit::uninit() }; READ];
            let mut buffer = ReadBuf::uninit(&mut space);
            match ready!(Pin::new(&mut self.read).poll_read(cx, &mut buffer)) {
                Ok(()) if buffer.filled().is_empty() => return Poll::Ready(Incoming::Lost(None)),
                Ok(()) => {
                    self.rest = Bytes::copy_from_slice(buffer.filled());
                    self.received += self.rest.len() as u64;
                }
                Err(error) => return Poll::Ready(Incoming::Lost(Some(error))),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;

    use super::*;
    use crate::websocket::{FrameWriter, Role};

    #[tokio::test]
    async fn a_reader_keeps_what_came_with_the_request() {
        let mut frames = FrameWriter::new(|| [1, 2, 3, 4]);
        frames.text(Bytes::from_static(b"first"));
        frames.text(Bytes::from_static(b"second"));
        let mut slices = [std::io::IoSlice::new(&[])];
        assert_eq!(frames.slices(&mut slices), 1);
        let (early, late) = slices[0].split_at(15);
        let (mut client, server) = tokio::io::duplex(64);
        let decoder = Decoder::new(Role::Server, 1000, None);
        let mut reader = MessageReader::new(server, Bytes::copy_from_slice(early), decoder);
        assert!(matches!(reader.next().await, Incoming::Event(Event::Text(text)) if text == "first"));
        client.write_all(late).await.unwrap();
        assert!(matches!(reader.next().await, Incoming::Event(Event::Text(text)) if text == "second"));
        assert!(reader.rest.is_empty());
        assert_eq!(reader.received(), 8);
        drop(client);
        assert!(matches!(reader.next().await, Incoming::Lost(None)));
    }
}
