//! The task that owns a client's connection: what handles ask for goes in as commands, what the server sends goes out into
//! inboxes.
//!
//! While an inbox that waits is full, messages are held here and not handed on; the connection is still read, for pings and
//! for answers to requests, until what is held has reached a bound.

use std::collections::VecDeque;
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until, timeout};

use super::backoff;
use super::connection::{Connection, Reading};
use super::error::{ConnectError, Ended};
use super::event::Event;
use super::inbox::Inbox;
use super::options::{ClientOptions, Reconnect};
use super::random::Random;
use super::state::{Change, Deadline, Reply, Request, State, TakerId};
use super::tls::Tls;
use super::topics::Topics;
use super::url::ServerUrl;
use crate::protocol::{ClientMessageData, ServerMessage, Subprotocol};
use closing::{Sent, close, write_last};
use silence::PING_AFTER;
pub(super) use takers::Taker;
use takers::Takers;

mod closing;
mod incoming;
mod silence;
mod takers;

/// What is held while an inbox is full, before the connection is no longer read.
const HELD: usize = 1 << 20;

/// The same while a request waits for its answer, which may come after many messages.
const HELD_FOR_ANSWERS: usize = 32 << 20;

/// Bytes that wait to be written, beyond which no more commands are taken.
const UNWRITTEN: usize = 256 << 10;

/// What a handle asks for.
pub(super) enum Command {
    Subscribe(TakerId, Topics, Taker),
    Unsubscribe(TakerId),
    Listen(Arc<Inbox<Event>>),
    Request(Request, Deadline),
    Change(Change, Reply<()>),
    /// The permit says how much may wait to be sent.
    Publish(ClientMessageData, OwnedSemaphorePermit),
    Look(Box<dyn FnOnce(&State) + Send>),
    Close(oneshot::Sender<()>),
}

/// What handles can see without asking.
pub(super) struct Shown {
    /// Whether there is a server that takes what clients publish.
    pub(super) can_publish: AtomicBool,
    /// Set by the handle that asks for the end: the task may not get to the command.
    pub(super) is_closing: AtomicBool,
    /// Set once, when the client has ended for good.
    pub(super) ended: watch::Sender<Option<Ended>>,
}

/// How to reach the server.
pub(super) struct Site {
    pub(super) url: ServerUrl,
    pub(super) options: ClientOptions,
    pub(super) tls: Option<Tls>,
}

impl Site {
    pub(super) async fn open(&self) -> Result<(Connection, Subprotocol), ConnectError> {
        let within = self.options.connect_timeout;
        match timeout(within, Connection::open(&self.url, &self.options, self.tls.as_ref())).await {
            Ok(opened) => opened,
            Err(_) => Err(ConnectError::TimedOut { what: "connection", within }),
        }
    }
}

/// Why a connection has ended.
enum End {
    /// This program wants it to.
    Wanted,
    /// The server closed it with code 1000.
    Finished,
    Lost(String),
}

pub(super) struct Owner {
    site: Site,
    commands: mpsc::UnboundedReceiver<Command>,
    shown: Arc<Shown>,
    state: State,
    takers: Takers,
    /// Messages that may not be handed on yet, and the bytes of their frames.
    held: VecDeque<(ServerMessage, usize)>,
    held_bytes: usize,
    random: Random,
    closers: Vec<oneshot::Sender<()>>,
}

impl Owner {
    pub(super) fn new(site: Site, commands: mpsc::UnboundedReceiver<Command>, shown: Arc<Shown>) -> Self {
        Self {
            site,
            commands,
            shown,
            state: State::new(),
            takers: Takers::default(),
            held: VecDeque::new(),
            held_bytes: 0,
            random: Random::new(),
            closers: Vec::new(),
        }
    }

    /// Serves the handles, from an open connection on, until it is closed or lost for good.
    pub(super) async fn run(mut self, connection: Connection, subprotocol: Subprotocol) {
        let ended = self.serve(connection, subprotocol).await;
        tracing::debug!("the client of {} has ended: {ended}", self.site.url);
        self.end(ended);
    }

    async fn serve(&mut self, mut connection: Connection, mut subprotocol: Subprotocol) -> Ended {
        let mut failures = 0;
        loop {
            let began = Instant::now();
            let end = self.converse(&mut connection, subprotocol).await;
            let was_ready = self.state.info().is_some();
            let closed = match end {
                End::Wanted => close(&mut connection).await,
                End::Finished | End::Lost(_) => {
                    write_last(&mut connection).await;
                    Sent::All
                }
            };
            self.disconnected();
            let reconnect = self.site.options.reconnect;
            let (reason, again) = match end {
                End::Wanted if closed == Sent::All => (Ended::Closed, false),
                End::Wanted => {
                    (Ended::Lost("the server did not take all that was to be sent".to_owned()), false)
                }
                End::Finished => (Ended::Finished, reconnect == Reconnect::Always),
                End::Lost(reason) => (Ended::Lost(reason), reconnect != Reconnect::Never),
            };
            if was_ready && began.elapsed() >= backoff::WORKED {
                failures = 0;
            }
            let is_first = !was_ready && failures == 0;
            if !again || is_first {
                self.takers.tell(Event::Disconnected { reason: reason.to_string(), retry_in: None }, 0);
                return reason;
            }
            match self.connect_again(reason.to_string(), &mut failures).await {
                Some(opened) => (connection, subprotocol) = opened,
                None => return Ended::Closed,
            }
        }
    }

    /// Tries until there is a connection; None: the client is closed.
    async fn connect_again(
        &mut self,
        mut reason: String,
        failures: &mut u32,
    ) -> Option<(Connection, Subprotocol)> {
        loop {
            *failures += 1;
            let pause = backoff::pause(*failures, u32::from_le_bytes(self.random.bytes()));
            tracing::debug!("{}: {reason}; next attempt in {pause:?}", self.site.url);
            let until = Instant::now() + pause;
            self.takers.tell(Event::Disconnected { reason, retry_in: Some(pause) }, 0);
            self.meanwhile(sleep_until(until)).await?;
            // the attempt borrows nothing of what commands change
            let site = Site {
                url: self.site.url.clone(),
                options: self.site.options.clone(),
                tls: self.site.tls.clone(),
            };
            match self.meanwhile(async move { site.open().await }).await? {
                Ok(opened) => return Some(opened),
                Err(error) => reason = error.to_string(),
            }
        }
    }

    /// Answers commands while there is no connection; None: the client is closed.
    async fn meanwhile<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        let mut work = std::pin::pin!(work);
        loop {
            self.takers.wake();
            tokio::select! {
                done = &mut work => return Some(done),
                command = self.commands.recv() => {
                    if !self.on_command(command) {
                        return None;
                    }
                    self.perform(None);
                }
            }
        }
    }

    /// Everything between the opening of a connection and its end.
    async fn converse(&mut self, connection: &mut Connection, subprotocol: Subprotocol) -> End {
        self.state.on_connected(subprotocol);
        let info_until = Instant::now() + self.site.options.connect_timeout;
        let mut pinged = false;
        loop {
            if let Some(reason) = self.perform(Some(connection)) {
                return self.refused(connection, reason);
            }
            self.takers.wake();
            let reading = self.reading();
            let now = Instant::now();
            if reading == Reading::Off {
                connection.listen_again();
            }
            if let Some(reason) = self.lost(connection, info_until) {
                return End::Lost(reason);
            } else if self.gives_up(connection) {
                return End::Wanted;
            }
            let silent = now.duration_since(connection.heard());
            if silent >= PING_AFTER && !pinged {
                connection.ping();
            }
            pinged = silent >= PING_AFTER;
            let wake = self.wake(connection, info_until, pinged);
            let full = self.takers.full().cloned();
            let room = async move {
                match full {
                    Some(inbox) => inbox.room().await,
                    None => pending().await,
                }
            };
            tokio::select! {
                incoming = connection.next(reading) => {
                    let mut incoming = Some(incoming);
                    while let Some(one) = incoming.take() {
                        if let Some(end) = self.on_incoming(one, connection) {
                            return end;
                        }
                        if self.reading() == Reading::On {
                            incoming = connection.decoded();
                        }
                    }
                }
                command = self.commands.recv(), if connection.unwritten() < UNWRITTEN => {
                    if !self.on_command(command) {
                        return End::Wanted;
                    }
                }
                () = room => {
                    if let Some(reason) = self.hand_on(connection) {
                        return self.refused(connection, reason);
                    }
                }
                () = sleep_until(wake) => self.state.on_time(Instant::now().into_std()),
            }
        }
    }

    fn reading(&self) -> Reading {
        let bound = if self.state.waits_for_answers() { HELD_FOR_ANSWERS } else { HELD };
        if self.takers.full().is_some() && self.held_bytes >= bound { Reading::Off } else { Reading::On }
    }
}
