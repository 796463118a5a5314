//! The reading side of a WebSocket: a library's, over a stream that keeps its answers for our writer.
//!
//! tungstenite reads, unmasks, joins fragments and enforces RFC 6455. What it would write in reply (pongs, the echo
//! of a close) lands in [`Replies`], which the session hands to [`super::frames::FrameWriter`] between its own frames.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use futures_util::StreamExt;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::CapacityError;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};

/// The largest message taken from a client: far above any request, below what would hurt.
const MAX_MESSAGE: usize = 16 << 20;

/// Answers that wait for the writer. Bound: the reader is not polled while they exceed [`MAX_REPLIES`].
pub(super) type Replies = Arc<Mutex<Vec<u8>>>;

/// A client that pings without reading the answers is not read from beyond this.
pub(super) const MAX_REPLIES: usize = 64 << 10;

/// Takes the answers that have piled up.
pub(super) fn take_replies(replies: &Replies) -> Vec<u8> {
    std::mem::take(&mut replies.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Bytes of answers that wait for the writer.
pub(super) fn waiting_replies(replies: &Replies) -> usize {
    replies.lock().unwrap_or_else(PoisonError::into_inner).len()
}

/// What a client sent.
#[derive(Debug)]
pub(super) enum Incoming {
    Message(Message),
    /// The client closed; the answer is among the replies.
    Closed,
    /// The connection is gone without a close frame.
    Lost,
    /// The client broke a rule: close with this code and reason.
    Violation(u16, String),
}

/// Reads messages from one half of a connection.
pub(super) struct MessageReader<R>(WebSocketStream<HalfDuplex<R>>);

impl<R: AsyncRead + Unpin> MessageReader<R> {
    /// `already_read`: bytes that came with the HTTP request.
    pub(super) async fn new(read: R, already_read: Vec<u8>) -> (Self, Replies) {
        let replies = Replies::default();
        let stream = HalfDuplex { read, replies: replies.clone() };
        let config = WebSocketConfig::default()
            .max_message_size(Some(MAX_MESSAGE))
            .max_frame_size(Some(MAX_MESSAGE))
            .read_buffer_size(8 << 10);
        let socket =
            WebSocketStream::from_partially_read(stream, already_read, Role::Server, Some(config)).await;
        (Self(socket), replies)
    }

    /// The next message. Cancel safe.
    pub(super) async fn next(&mut self) -> Incoming {
        match self.0.next().await {
            Some(Ok(Message::Close(_))) | None => Incoming::Closed,
            Some(Ok(message)) => Incoming::Message(message),
            Some(Err(error)) => match error {
                Error::ConnectionClosed | Error::AlreadyClosed => Incoming::Closed,
                Error::Io(_) => Incoming::Lost,
                Error::Capacity(CapacityError::MessageTooLong { .. }) => {
                    Incoming::Violation(1009, format!("messages are limited to {MAX_MESSAGE} bytes"))
                }
                Error::Utf8(_) => Incoming::Violation(1007, "text is not UTF-8".into()),
                Error::Protocol(
                    tokio_tungstenite::tungstenite::error::ProtocolError::ResetWithoutClosingHandshake,
                ) => Incoming::Lost,
                other => Incoming::Violation(1002, other.to_string()),
            },
        }
    }
}

struct HalfDuplex<R> {
    read: R,
    replies: Replies,
}

impl<R: AsyncRead + Unpin> AsyncRead for HalfDuplex<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.read).poll_read(cx, buf)
    }
}

impl<R: Unpin> AsyncWrite for HalfDuplex<R> {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.replies.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
