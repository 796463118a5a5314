//! One client's task: reads what it sends, writes what its queue holds.

use std::future::ready;
use std::io;
use std::pin::pin;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWriteExt};
use tokio::task::yield_now;
use tokio::time::{sleep_until, timeout};

use super::compression::Compression;
use super::liveness::{Due, Liveness};
use super::outgoing::{Filled, Outgoing, write_ahead};
use super::reading::{Incoming, MessageReader};
use super::session::Session;
use super::writing::{Connection, is_timeout, write, write_now};
use super::{LARGEST_MESSAGE, Options};
use crate::hub::outbox::Closing;
use crate::websocket::negotiation::Agreement;
use crate::websocket::{Decoder, Event, FrameWriter, Role, Violation};

/// Bytes of pings that wait to be answered. Over it nothing is read from the client: it pings, and does not read the
/// answers.
const MAX_PONGS: usize = 64 << 10;

/// The close handshake may take this long …
const CLOSE_TIMEOUT: Duration = Duration::from_millis(500);

/// … and this long if what is queued is delivered first.
pub(super) const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);

/// Why a session ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum End {
    /// The client closed the connection.
    ClientLeft,
    /// The connection broke.
    Lost,
    /// The client took nothing and sent nothing for this long.
    TimedOut(Duration),
    /// We close the connection; `drain`: after all that is queued has been delivered.
    Closed { code: u16, reason: &'static str, drain: bool },
}

/// Serves one client over the halves of its connection until it ends.
pub(super) async fn run<R, W>(
    read: R,
    write: W,
    already_read: Bytes,
    agreement: Option<Agreement>,
    options: &Options,
    session: Session,
) -> (End, Session)
where
    R: AsyncRead + Unpin,
    W: Connection,
{
    let decoder = Decoder::new(Role::Server, LARGEST_MESSAGE, agreement)
        .with_max_text(options.client_text)
        .with_budget(&options.unfinished);
    let reader = MessageReader::new(read, already_read, decoder);
    let compression = agreement.map(Compression::new);
    let outgoing = Outgoing::new(session.client().time_resolution(), compression);
    let liveness = Liveness::new(options.client_timeout, Instant::now());
    let (pongs, writer) = (Pongs::default(), FrameWriter::default());
    let client_text = options.client_text;
    let left_to_system = false;
    let mut socket =
        Socket { reader, write, pongs, writer, outgoing, liveness, client_text, left_to_system, session };
    let end = socket.serve().await;
    match &end {
        End::Closed { code, reason, drain } => socket.close(*code, reason, *drain).await,
        End::TimedOut(silent) => socket.log_timeout(*silent),
        End::ClientLeft | End::Lost => {}
    }
    (end, socket.session)
}

struct Socket<R, W> {
    reader: MessageReader<R>,
    write: W,
    pongs: Pongs,
    writer: FrameWriter,
    outgoing: Outgoing,
    liveness: Liveness,
    /// The longest text that the client may send, in bytes.
    client_text: usize,
    /// Whether the system closes the connection after the same timeout; see [`Socket::leave_to_system`].
    left_to_system: bool,
    session: Session,
}

impl<R: AsyncRead + Unpin, W: Connection> Socket<R, W> {
    async fn serve(&mut self) -> End {
        self.leave_to_system(true);
        let mut timer = pin!(sleep_until(self.liveness.next().into()));
        loop {
            let ahead = write_ahead(self.session.client().clients());
            if self.writer.len() < ahead {
                self.pongs.write(&mut self.writer);
            }
            let filled = self.outgoing.fill(self.session.client(), &mut self.writer, ahead);
            match filled {
                Filled::Close(Closing { code, reason, drain }) => return End::Closed { code, reason, drain },
                // there is more to compress: other tasks run first
                Filled::Yield => yield_now().await,
                Filled::Enough | Filled::Silent(_) => {}
            }
            tokio::select! {
                incoming = self.reader.next(), if self.pongs.bytes < MAX_PONGS => match incoming {
                    Incoming::Event(event) => {
                        self.liveness.received(self.reader.received(), Instant::now());
                        match event {
                            Event::Text(text) => self.session.on_text(&text),
                            Event::LongText(length) => self.session.on_long_text(length, self.client_text),
                            Event::Binary(bytes) => self.session.on_binary(bytes),
                            Event::Ping(payload) => self.pongs.push(payload),
                            Event::Pong => self.leave_to_system(true),
                            Event::Close(code) => {
                                self.pongs.write(&mut self.writer);
                                self.writer.close_answer(code);
                                self.finish_writing(CLOSE_TIMEOUT).await;
                                return End::ClientLeft;
                            }
                        }
                    }
                    Incoming::Lost(error) => return self.lost(error.as_ref()),
                    Incoming::Violation(Violation { code, reason }) => {
                        return End::Closed { code, reason, drain: false };
                    }
                },
                written = write(&mut self.writer, &mut self.write), if !self.writer.is_empty() => match written {
                    Ok(bytes) => self.liveness.written(bytes, Instant::now()),
                    Err(error) => return self.lost(Some(&error)),
                },
                () = ready(()), if matches!(filled, Filled::Yield) => {}
                () = self.session.client().wake(), if self.writer.is_empty() => {}
                () = end_of_silence(&filled), if matches!(filled, Filled::Silent(_)) => {}
                () = &mut timer => {
                    if let Some(end) = self.on_timer(Instant::now()) {
                        return end;
                    }
                    timer.as_mut().reset(self.liveness.next().into());
                }
            }
        }
    }

    /// Looks for a sign of life, and sends a ping if one is due.
    fn on_timer(&mut self, now: Instant) -> Option<End> {
        self.liveness.received(self.reader.received(), now);
        if !self.writer.is_empty() {
            self.leave_to_system(false);
            match write_now(&mut self.writer, &self.write) {
                Ok(0) => {}
                Ok(bytes) => self.liveness.written(bytes, now),
                Err(error) => return Some(self.lost(Some(&error))),
            }
        }
        match self.liveness.due(now) {
            Due::Nothing => {}
            Due::Ping => {
                if self.writer.is_empty() {
                    self.writer.shrink();
                    self.outgoing.shrink();
                }
                let start = self.writer.len();
                self.writer.ping();
                self.liveness.pinged(start..self.writer.len());
            }
            Due::Close(silent) => return Some(End::TimedOut(silent)),
        }
        None
    }

    /// Whether the system closes the connection after the same timeout. It is needed for a thin stream: the system
    /// takes its bytes long after a client has vanished. While data waits here it must not: it closes clients that
    /// take bytes very slowly, and [`Liveness`] sees those that take none. A client that has answered a ping has
    /// taken all that was sent before it.
    fn leave_to_system(&mut self, left_to_system: bool) {
        if self.left_to_system != left_to_system {
            self.left_to_system = left_to_system;
            self.write.give_up_after(self.liveness.timeout().filter(|_| left_to_system));
        }
    }

    /// The end that an error of the connection means; a timeout of the system is ours.
    fn lost(&self, error: Option<&io::Error>) -> End {
        if error.is_some_and(is_timeout) {
            End::TimedOut(self.liveness.given_up(Instant::now()))
        } else {
            End::Lost
        }
    }

    fn log_timeout(&self, silent: Duration) {
        let client = self.session.client();
        let queued = self.writer.len() + self.outgoing.in_hand_bytes() + client.queued_bytes();
        tracing::info!(
            "client {} closed: it took nothing and sent nothing for {:.1} s; {queued} bytes were queued for it",
            client.id(),
            silent.as_secs_f64()
        );
    }

    async fn close(&mut self, code: u16, reason: &str, drain: bool) {
        self.writer.close(code, reason);
        let patience = if drain { DRAIN_TIMEOUT } else { CLOSE_TIMEOUT };
        if self.finish_writing(patience).await {
            // wait for the client's close frame: whatever it sends once the socket is gone, a pong for example, makes
            // the system reset the connection, and what the client has not read yet is lost
            let answered = async {
                while !matches!(
                    self.reader.next().await,
                    Incoming::Event(Event::Close(_)) | Incoming::Lost(_) | Incoming::Violation(_)
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

/// Waits until there is more to send, if that is not to be sent before some time.
async fn end_of_silence(filled: &Filled) {
    if let Filled::Silent(until) = filled {
        sleep_until((*until).into()).await;
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
