//! One connection to a server: opening it, and messages over it in both directions.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use super::error::ConnectError;
use super::options::{ClientOptions, LARGEST_TEXT, Payloads};
use super::random::Random;
use super::tls::Tls;
use super::upgrade::{self, Upgrade};
use super::url::{Scheme, ServerUrl};
use crate::protocol::{Frame, MESSAGE_DATA_HEADER, SERVER_MESSAGE_DATA, Subprotocol};
use crate::websocket::{Decoder, Event, FrameWriter, Role, Violation, handshake};

/// Bytes that are read at a time.
const READ: usize = 64 << 10;

/// Bytes of a refusal's text that are read, and how long they are waited for.
const REFUSAL: usize = 1000;
const REFUSAL_TIME: Duration = Duration::from_millis(300);

/// While so much waits to be written, a ping is answered later, and of several only the last (RFC 6455 section 5.5.3).
const PONGS_LATER: usize = 64 << 10;

/// Frames that are written in one go.
const SLICES: usize = 16;

trait Io: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Io for T {}

/// Whether a connection is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    On,
    /// Frames are written alone.
    Off,
}

/// What comes of a connection.
#[derive(Debug)]
pub(super) enum Incoming {
    Event(Event),
    /// All that waited has been written.
    Written,
    /// It ended without a close frame: why.
    Lost(String),
    /// The server broke a rule: close with this code and reason.
    Violation(Violation),
}

/// An open connection.
pub(super) struct Connection {
    io: Box<dyn Io>,
    decoder: Decoder,
    /// What was read.
    space: Box<[u8]>,
    /// The part of it that is not decoded yet.
    left: std::ops::Range<usize>,
    frames: FrameWriter<Random>,
    must_flush: bool,
    /// The payload of a ping that is to be answered.
    owed_pong: Option<Bytes>,
    heard: Instant,
    /// When the server took something last of what waited, or something began to wait.
    took: Instant,
}

impl Connection {
    /// Connects, with TLS if the URL says so, and agrees on a subprotocol.
    pub(super) async fn open(
        url: &ServerUrl,
        options: &ClientOptions,
        tls: Option<&Tls>,
    ) -> Result<(Self, Subprotocol), ConnectError> {
        let tcp = TcpStream::connect((url.host.as_str(), url.port)).await;
        let tcp = tcp.and_then(|tcp| tcp.set_nodelay(true).map(|()| tcp));
        let tcp = tcp.map_err(|error| ConnectError::Unreachable {
            address: format!("{} (port {})", url.host, url.port),
            error,
        })?;
        let mut io: Box<dyn Io> = match (url.scheme, tls) {
            (Scheme::Tls, Some(tls)) => Box::new(tls.connect(&url.host, tcp).await?),
            (Scheme::Plain, _) | (Scheme::Tls, None) => Box::new(tcp),
        };
        let mut random = Random::new();
        let key = handshake::request_key(random.bytes());
        let user_agent = concat!("foxglove-bridge/", env!("CARGO_PKG_VERSION"));
        let upgrade = Upgrade { url, key: &key, token: options.token.as_deref(), user_agent };
        let lost = |error: io::Error| ConnectError::Ended(error.to_string());
        io.write_all(upgrade.request().as_bytes()).await.map_err(lost)?;
        io.flush().await.map_err(lost)?;
        let (head, mut rest) = read_head(&mut *io).await?;
        if !head.starts_with(b"HTTP/1.1 101") {
            let more = timeout(REFUSAL_TIME, (&mut *io).take(REFUSAL as u64).read_to_end(&mut rest)).await;
            tracing::trace!("the text of a refusal: {more:?}");
            rest.truncate(REFUSAL);
        }
        let opened = upgrade.answered(&head, &rest)?;
        let decoder = Decoder::new(Role::Client, options.largest_message, opened.compression)
            .with_max_text(LARGEST_TEXT.min(options.largest_message));
        let decoder = match options.payloads {
            Payloads::Kept => decoder,
            Payloads::Skipped => decoder.with_heads(SERVER_MESSAGE_DATA, MESSAGE_DATA_HEADER),
        };
        Ok((Self::new(io, decoder, rest, random), opened.subprotocol))
    }

    /// `read`: what came with the answer to the handshake.
    fn new(io: Box<dyn Io>, decoder: Decoder, mut read: Vec<u8>, random: Random) -> Self {
        let left = 0..read.len();
        read.resize(read.len().max(READ), 0);
        Self {
            io,
            decoder,
            space: read.into_boxed_slice(),
            left,
            frames: FrameWriter::new(random),
            must_flush: false,
            owed_pong: None,
            heard: Instant::now(),
            took: Instant::now(),
        }
    }

    /// Puts a message where it waits to be written.
    pub(super) fn send(&mut self, frame: Frame) {
        if self.frames.is_empty() {
            self.took = Instant::now();
        }
        match frame {
            Frame::Text(text) => self.frames.text(text.into()),
            Frame::Binary(bytes) => self.frames.binary(bytes.into()),
        }
    }

    pub(super) fn ping(&mut self) {
        self.frames.ping();
    }

    pub(super) fn pong(&mut self, payload: Bytes) {
        if self.frames.len() < PONGS_LATER {
            self.frames.pong(&payload);
        } else {
            self.owed_pong = Some(payload);
        }
    }

    pub(super) fn close(&mut self, code: u16, reason: &str) {
        self.frames.close(code, reason);
    }

    pub(super) fn close_answer(&mut self, code: Option<u16>) {
        self.frames.close_answer(code);
    }

    /// Bytes that wait to be written.
    pub(super) fn unwritten(&self) -> usize {
        self.frames.len()
    }

    /// For how long the server has taken nothing of what waits.
    pub(super) fn untaken_for(&self) -> Duration {
        if self.frames.is_empty() { Duration::ZERO } else { self.took.elapsed() }
    }

    /// When something was heard from the server last.
    pub(super) fn heard(&self) -> Instant {
        self.heard
    }

    /// Silence counts from now on: the connection was not read.
    pub(super) fn listen_again(&mut self) {
        self.heard = Instant::now();
    }

    /// Writes what waits, and reads the next message. Cancel safe.
    pub(super) async fn next(&mut self, reading: Reading) -> Incoming {
        poll_fn(|cx| self.poll_next(cx, reading)).await
    }

    /// The next message of what has been read.
    pub(super) fn decoded(&mut self) -> Option<Incoming> {
        let before = &self.space[self.left.clone()];
        let mut input = before;
        let decoded = self.decoder.decode(&mut input);
        self.left.start = self.left.end - input.len();
        incoming(decoded)
    }

    /// Reads what is there: to where it belongs, or what is to be decoded. How many bytes, and what they complete.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(usize, Option<Incoming>)>> {
        if let Some(mut space) = self.decoder.space() {
            let count = ready!(pin!(self.io.read_buf(&mut space)).poll(cx))?;
            return Poll::Ready(Ok((count, incoming(self.decoder.filled(count)))));
        }
        let mut buffer = ReadBuf::new(&mut self.space);
        ready!(Pin::new(&mut self.io).poll_read(cx, &mut buffer))?;
        self.left = 0..buffer.filled().len();
        Poll::Ready(Ok((self.left.len(), None)))
    }

    fn poll_next(&mut self, cx: &mut Context<'_>, reading: Reading) -> Poll<Incoming> {
        match self.poll_write(cx) {
            Poll::Ready(Ok(true)) => return Poll::Ready(Incoming::Written),
            Poll::Ready(Ok(false)) | Poll::Pending => {}
            Poll::Ready(Err(error)) => return Poll::Ready(Incoming::Lost(error.to_string())),
        }
        if reading == Reading::Off {
            return Poll::Pending;
        }
        loop {
            if let Some(incoming) = self.decoded() {
                return Poll::Ready(incoming);
            }
            match ready!(self.poll_read(cx)) {
                Err(error) => return Poll::Ready(Incoming::Lost(error.to_string())),
                Ok((0, _)) => {
                    let text = "the server ended the connection without closing it";
                    return Poll::Ready(Incoming::Lost(text.to_owned()));
                }
                Ok((_, completed)) => {
                    self.heard = Instant::now();
                    if let Some(completed) = completed {
                        return Poll::Ready(completed);
                    }
                }
            }
        }
    }

    /// Writes as much as the connection takes; true: something was written, and nothing is left.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        while !self.frames.is_empty() {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let used = self.frames.slices(&mut slices);
            let written = match Pin::new(&mut self.io).poll_write_vectored(cx, &slices[..used]) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(written)) => written,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
            };
            self.frames.advance(written);
            self.took = Instant::now();
            self.must_flush = true;
            if self.frames.is_empty()
                && let Some(payload) = self.owed_pong.take()
            {
                self.frames.pong(&payload);
            }
        }
        if !self.must_flush {
            return Poll::Ready(Ok(false));
        }
        let flushed = Pin::new(&mut self.io).poll_flush(cx);
        self.must_flush = flushed.is_pending();
        flushed.map_ok(|()| true)
    }
}

/// What was decoded.
fn incoming(decoded: Result<Option<Event>, Violation>) -> Option<Incoming> {
    match decoded {
        Ok(event) => event.map(Incoming::Event),
        Err(violation) => Some(Incoming::Violation(violation)),
    }
}

/// Reads the head of the server's answer, and what came with it.
async fn read_head(io: &mut dyn Io) -> Result<(Vec<u8>, Vec<u8>), ConnectError> {
    let mut bytes = Vec::with_capacity(1024);
    loop {
        let count = io.read_buf(&mut bytes).await.map_err(|error| ConnectError::Ended(error.to_string()))?;
        if let Some(length) = upgrade::head_length(&bytes) {
            let rest = bytes.split_off(length);
            return Ok((bytes, rest));
        }
        if count == 0 {
            let text = if bytes.is_empty() { "it says nothing" } else { "its answer is cut short" };
            return Err(ConnectError::NotWebSocket(text.to_owned()));
        }
        if bytes.len() > upgrade::LARGEST_HEAD {
            return Err(ConnectError::NotWebSocket("the head of its answer is too large".to_owned()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn pings_that_come_faster_than_answers_go_are_answered_by_the_last() {
        let (client, mut server) = tokio::io::duplex(64);
        let decoder = Decoder::new(Role::Client, 1000, None);
        let mut connection = Connection::new(Box::new(client), decoder, Vec::new(), Random::new());
        for number in 0..100_000u32 {
            connection.pong(Bytes::copy_from_slice(&number.to_be_bytes()));
        }
        assert!(connection.unwritten() < 2 * PONGS_LATER);
        let mut written = Vec::new();
        loop {
            tokio::select! {
                read = server.read_buf(&mut written) => assert_ne!(read.unwrap(), 0),
                incoming = connection.next(Reading::Off) => {
                    assert!(matches!(incoming, Incoming::Written));
                    break;
                }
            }
        }
        drop(connection);
        server.read_to_end(&mut written).await.unwrap();
        let frame = written.last_chunk::<10>().unwrap();
        let (mask, payload) = (&frame[2..6], &frame[6..]);
        let unmasked: Vec<u8> = payload.iter().zip(mask).map(|(byte, mask)| byte ^ mask).collect();
        assert_eq!((&frame[..2], unmasked), (&[0x8A, 0x84][..], 99_999u32.to_be_bytes().to_vec()));
    }
}
