//! One client's task: reads what it sends, writes what its queue holds.

use std::fmt;
use std::future::ready;
use std::io;
use std::pin::pin;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::io::AsyncRead;
use tokio::task::yield_now;
use tokio::time::{sleep_until, timeout};

use super::Options;
use super::compression::Compression;
use super::liveness::{Due, Liveness};
use super::outgoing::{Filled, Outgoing};
use super::outlet::Outlet;
use super::reading::{Incoming, MessageReader};
use super::session::Session;
use super::writing::{Connection, is_timeout};
use crate::hub::SendNow;
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

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ClientLeft => f.write_str("it closed the connection"),
            Self::Lost => f.write_str("the connection broke"),
            Self::TimedOut(_) => f.write_str("it took nothing and sent nothing"),
            Self::Closed { code, reason: "", .. } => write!(f, "closed with code {code}"),
            Self::Closed { code, reason, .. } => write!(f, "closed with code {code}, {reason}"),
        }
    }
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
    let decoder = Decoder::new(Role::Server, options.client_message, agreement)
        .with_max_text(options.client_text)
        .with_budget(&options.unfinished);
    let reader = MessageReader::new(read, already_read, decoder);
    let client = session.client();
    let outgoing = Outgoing::new(client.time_resolution(), agreement.map(Compression::new));
    let liveness = Liveness::new(options.client_timeout, Instant::now());
    let outlet = Arc::new(Outlet::new(client.clone(), write, outgoing, liveness));
    let direct: Weak<dyn SendNow> = Arc::<Outlet<W>>::downgrade(&outlet);
    client.send_through(direct);
    let (pongs, client_text) = (Pongs::default(), options.client_text);
    let mut socket = Socket { reader, outlet, pongs, client_text, session };
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
    outlet: Arc<Outlet<W>>,
    pongs: Pongs,
    /// The longest text that the client may send, in bytes.
    client_text: usize,
    session: Session,
}

impl<R: AsyncRead + Unpin, W: Connection> Socket<R, W> {
    async fn serve(&mut self) -> End {
        self.outlet.leave_to_system(true);
        let mut timer = pin!(sleep_until(self.outlet.next().into()));
        loop {
            let (filled, to_write) = self.outlet.fill(|frames| self.pongs.write(frames));
            match filled {
                Filled::Close(Closing { code, reason, drain }) => return End::Closed { code, reason, drain },
                // there is more to compress: other tasks run first
                Filled::Yield => yield_now().await,
                Filled::Enough | Filled::Silent(_) => {}
            }
            tokio::select! {
                incoming = self.reader.next(), if self.pongs.bytes < MAX_PONGS => match incoming {
                    Incoming::Event(event) => {
                        self.outlet.received(self.reader.received());
                        match event {
                            Event::Text(text) => self.session.on_text(&text),
                            Event::LongText(length) => self.session.on_long_text(length, self.client_text),
                            // it is never asked for heads alone
                            Event::Binary(bytes) | Event::Head { head: bytes, .. } => {
                                self.session.on_binary(bytes);
                            }
                            Event::Ping(payload) => self.pongs.push(payload),
                            Event::Pong => self.outlet.leave_to_system(true),
                            Event::Close(code) => {
                                let answer = |frames: &mut FrameWriter| {
                                    self.pongs.write(frames);
                                    frames.close_answer(code);
                                };
                                self.outlet.close(CLOSE_TIMEOUT, answer).await;
                                return End::ClientLeft;
                            }
                        }
                    }
                    Incoming::Lost(error) => return self.lost(error.as_ref()),
                    Incoming::Violation(Violation { code, reason }) => {
                        return End::Closed { code, reason, drain: false };
                    }
                },
                written = self.outlet.write(), if to_write => if let Err(error) = written {
                    return self.lost(Some(&error));
                },
                () = ready(()), if matches!(filled, Filled::Yield) => {}
                () = self.session.client().wake(), if !to_write => {}
                () = end_of_silence(&filled), if matches!(filled, Filled::Silent(_)) => {}
                () = &mut timer => {
                    self.outlet.received(self.reader.received());
                    match self.outlet.due(Instant::now()) {
                        Ok(Due::Nothing | Due::Ping) => {}
                        Ok(Due::Close(silent)) => return End::TimedOut(silent),
                        Err(error) => return self.lost(Some(&error)),
                    }
                    timer.as_mut().reset(self.outlet.next().into());
                }
            }
        }
    }

    /// The end that an error of the connection means; a timeout of the system is ours.
    fn lost(&self, error: Option<&io::Error>) -> End {
        if error.is_some_and(is_timeout) { End::TimedOut(self.outlet.given_up()) } else { End::Lost }
    }

    fn log_timeout(&self, silent: Duration) {
        tracing::info!(
            "client {} closed: it took nothing and sent nothing for {:.1} s; {} bytes were queued for it",
            self.session.client().id(),
            silent.as_secs_f64(),
            self.outlet.waiting_bytes()
        );
    }

    async fn close(&mut self, code: u16, reason: &str, drain: bool) {
        let patience = if drain { DRAIN_TIMEOUT } else { CLOSE_TIMEOUT };
        if self.outlet.close(patience, |frames| frames.close(code, reason)).await {
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
