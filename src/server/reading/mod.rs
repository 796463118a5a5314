//! The reading side of a WebSocket: bytes of a connection in, messages out.
//!
//! What is not decoded yet is never more than one read; a message in the making is bounded by the decoder.

use std::future::poll_fn;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, ReadBuf};

use self::decoder::{Decoder, Event};
use self::head::Violation;

pub(super) mod decoder;
pub(super) mod head;

/// Bytes taken from the connection at a time. They are read onto the stack: a client that says nothing has no buffer.
const READ: usize = 8 << 10;

/// What a client sent.
#[derive(Debug)]
pub(super) enum Incoming {
    Event(Event),
    /// The connection is gone without a close frame.
    Lost,
    /// The client broke a rule: close with this code and reason.
    Violation(Violation),
}

/// Reads messages from one half of a connection.
pub(super) struct MessageReader<R> {
    read: R,
    decoder: Decoder,
    /// Read and not decoded yet.
    rest: Bytes,
}

impl<R: AsyncRead + Unpin> MessageReader<R> {
    /// `already_read`: bytes that came with the HTTP request.
    pub(super) fn new(read: R, already_read: Bytes, decoder: Decoder) -> Self {
        Self { read, decoder, rest: already_read }
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
                Ok(()) if !buffer.filled().is_empty() => self.rest = Bytes::copy_from_slice(buffer.filled()),
                Ok(()) | Err(_) => return Poll::Ready(Incoming::Lost),
            }
        }
    }
}

#[cfg(test)]
mod tests;
