//! One client's task: reads what it says, writes what its queue holds.

use std::future::ready;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::task::yield_now;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::compression::Compression;
use super::outgoing::{Filled, Outgoing, WRITE_AHEAD};
use super::reading::{Incoming, MessageReader};
use super::session::Session;
use super::writing::write;
use crate::hub::outbox::Closing;
use crate::websocket::negotiation::Agreement;
use crate::websocket::{Decoder, Event, FrameWriter, Role, Violation};

/// The largest message taken from a client: far above any request, below what would hurt.
const MAX_MESSAGE: usize = 16 << 20;

/// A ping goes out this often.
const PING_INTERVAL: Duration = Duration::from_secs(15);

/// A client that has read a ping and says nothing for this long is gone. (One that reads nothing is only slow.)
const DEAD_AFTER: Duration = Duration::from_secs(45);

/// Pings that wait to be answered, in bytes: a client that pings without reading the answers is not read from beyond
/// this.
const MAX_PONGS: usize = 64 << 10;

/// The close handshake may take this long …
const CLOSE_TIMEOUT: Duration = Duration::from_millis(500);

/// … and this long where what is queued before it must arrive.
pub(super) const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);

/// Why a session ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum End {
    /// The client closed the connection.
    ClientLeft,
    /// The connection broke.
    Lost,
    /// The client did not answer pings.
    Unresponsive,
    /// We closed; `drain`: what was queued before is to arrive.
    Closed { code: u16, reason: &'static str, drain: bool },
}

/// Serves one client over the halves of its connection until it ends.
pub(super) async fn run<R, W>(
    read: R,
    write: W,
    already_read: Bytes,
    agreement: Option<Agreement>,
    session: Session,
) -> (End, Session)
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let reader = MessageReader::new(read, already_read, Decoder::new(Role::Server, MAX_MESSAGE, agreement));
    let compression = agreement.map(Compression::new);
    let outgoing = Outgoing::new(session.client().time_resolution(), compression);
    let pongs = Pongs::default();
    let mut socket = Socket { reader, write, pongs, writer: FrameWriter::default(), outgoing, session };
    let end = socket.serve().await;
    if let End::Closed { code, reason, drain } = &end {
        socket.close(*code, reason, *drain).await;
    }
    (end, socket.session)
}

struct Socket<R, W> {
    reader: MessageReader<R>,
    write: W,
    pongs: Pongs,
    writer: FrameWriter,
    outgoing: Outgoing,
    session: Session,
}

impl<R: AsyncRead + Unpin, W: AsyncWrite + Unpin> Socket<R, W> {
    async fn serve(&mut self) -> End {
        let mut pings = interval(PING_INTERVAL);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        pings.reset();
        let mut liveness = Liveness::default();
        loop {
            if self.writer.len() < WRITE_AHEAD {
                self.pongs.write(&mut self.writer);
            }
            let filled = self.outgoing.fill(self.session.client(), &mut self.writer);
            match filled {
                Filled::Close(Closing { code, reason, drain }) => return End::Closed { code, reason, drain },
                // what is left is work, not waiting: others come first
                Filled::Tired => yield_now().await,
                Filled::Enough => {}
            }
            if self.writer.is_empty() {
                liveness.all_written();
            }
            tokio::select! {
                incoming = self.reader.next(), if self.pongs.bytes < MAX_PONGS => match incoming {
                    Incoming::Event(event) => {
                        liveness.heard();
                        match event {
                            Event::Text(text) => self.session.on_text(&text),
                            Event::Binary(bytes) => self.session.on_binary(bytes),
                            Event::Ping(payload) => self.pongs.push(payload),
                            Event::Pong => {}
                            Event::Close(code) => {
                                self.pongs.write(&mut self.writer);
                                self.writer.close_answer(code);
                                self.finish_writing(CLOSE_TIMEOUT).await;
                                return End::ClientLeft;
                            }
                        }
                    }
                    Incoming::Lost => return End::Lost,
                    Incoming::Violation(Violation { code, reason }) => {
                        return End::Closed { code, reason, drain: false };
                    }
                },
                written = write(&mut self.writer, &mut self.write), if !self.writer.is_empty() => {
                    if written.is_err() {
                        return End::Lost;
                    }
                }
                () = ready(()), if matches!(filled, Filled::Tired) => {}
                () = self.session.client().wake(), if self.writer.is_empty() => {}
                _ = pings.tick() => {
                    if liveness.is_dead() {
                        return End::Unresponsive;
                    }
                    if self.writer.is_empty() {
                        self.writer.shrink();
                        self.outgoing.rest();
                    }
                    self.writer.ping();
                    liveness.pinged();
                }
            }
        }
    }

    async fn close(&mut self, code: u16, reason: &str, drain: bool) {
        self.writer.close(code, reason);
        let patience = if drain { DRAIN_TIMEOUT } else { CLOSE_TIMEOUT };
        if self.finish_writing(patience).await {
            // wait for the client's side of the close: whatever it says once the socket is gone, a pong for example, makes
            // the system reset the connection, and what the client has not read yet is lost
            let answered = async {
                while !matches!(
                    self.reader.next().await,
                    Incoming::Event(Event::Close(_)) | Incoming::Lost | Incoming::Violation(_)
                ) {}
            };
            if timeout(patience, answered).await.is_err() {
                tracing::debug!("client {} did not answer the close", self.session.client().id());
            }
        }
    }

    /// Writes what has been encoded; false if that fails or takes too long.
    async fn finish_writing(&mut self, patience: Duration) -> bool {
        let finish = async {
            while !self.writer.is_empty() {
                write(&mut self.writer, &mut self.write).await?;
            }
            self.write.flush().await
        };
        matches!(timeout(patience, finish).await, Ok(Ok(())))
    }
}

/// Pings that wait to be answered.
#[derive(Debug, Default)]
struct Pongs {
    payloads: Vec<Bytes>,
    bytes: usize,
}

impl Pongs {
    fn push(&mut self, payload: Bytes) {
        self.bytes += size_of::<Bytes>() + payload.len();
        self.payloads.push(payload);
    }

    fn write(&mut self, writer: &mut FrameWriter) {
        for payload in std::mem::take(self).payloads {
            writer.pong(&payload);
        }
    }
}

/// Whether a client is still there, by what it answered to pings that reached it.
#[derive(Debug)]
struct Liveness {
    heard: Instant,
    /// A ping is encoded but may still wait for the socket.
    ping_waits: bool,
    /// A ping has been written.
    ping_written: Option<Instant>,
}

impl Default for Liveness {
    fn default() -> Self {
        Self { heard: Instant::now(), ping_waits: false, ping_written: None }
    }
}

impl Liveness {
    fn heard(&mut self) {
        self.heard = Instant::now();
        self.ping_written = None;
    }

    fn pinged(&mut self) {
        self.ping_waits = true;
    }

    fn all_written(&mut self) {
        if std::mem::take(&mut self.ping_waits) {
            self.ping_written.get_or_insert_with(Instant::now);
        }
    }

    fn is_dead(&self) -> bool {
        self.ping_written.is_some_and(|written| written.elapsed() >= DEAD_AFTER)
            && self.heard.elapsed() >= DEAD_AFTER
    }
}
