//! The way out of one connection, which two may use: the client's task, and whoever has just published something
//! small. A message that is due then costs one wake-up, the publisher's own, and not a second one of the client's task.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, TryLockError};
use std::task::{Poll, ready};
use std::time::{Duration, Instant};

use tokio::time::timeout;

use super::liveness::{Due, Liveness};
use super::outgoing::{Filled, Outgoing, write_ahead};
use super::writing::{Connection, poll_write, write_now};
use crate::hub::{Client, SendNow, lock};
use crate::websocket::FrameWriter;

/// How often who publishes looks for more; the rest is left to the client's task.
const ROUNDS: usize = 4;

/// See the module's documentation.
pub(super) struct Outlet<W> {
    client: Arc<Client>,
    sending: Mutex<Sending<W>>,
}

struct Sending<W> {
    connection: W,
    /// What is encoded and not written yet.
    frames: FrameWriter,
    outgoing: Outgoing,
    liveness: Liveness,
    /// Whether the system closes the connection after the same timeout; see [`Outlet::leave_to_system`].
    left_to_system: bool,
    /// A close frame is encoded: nothing may follow it.
    closed: bool,
}

impl<W: Connection> Outlet<W> {
    pub(super) fn new(client: Arc<Client>, connection: W, outgoing: Outgoing, liveness: Liveness) -> Self {
        let frames = FrameWriter::default();
        let (left_to_system, closed) = (false, false);
        let sending = Sending { connection, frames, outgoing, liveness, left_to_system, closed };
        Self { client, sending: Mutex::new(sending) }
    }

    /// Encodes what is queued, after `first` where there is room for that. Returns whether something is to be written,
    /// too.
    pub(super) fn fill(&self, first: impl FnOnce(&mut FrameWriter)) -> (Filled, bool) {
        let ahead = write_ahead(self.client.clients());
        let mut sending = lock(&self.sending);
        if sending.frames.len() < ahead {
            first(&mut sending.frames);
        }
        let filled = sending.fill(&self.client, ahead);
        (filled, !sending.frames.is_empty())
    }

    /// Writes once, as much as the socket takes, and waits until it takes some. Cancel safe.
    pub(super) async fn write(&self) -> io::Result<()> {
        poll_fn(|context| {
            let Sending { frames, connection, liveness, .. } = &mut *lock(&self.sending);
            if frames.is_empty() {
                return Poll::Ready(Ok(()));
            }
            let written = ready!(poll_write(frames, connection, context))?;
            liveness.written(written, Instant::now());
            Poll::Ready(Ok(()))
        })
        .await
    }

    /// Encodes a close frame, the last one, and writes all that has been encoded; false if that fails or takes too long.
    pub(super) async fn close(&self, patience: Duration, encode: impl FnOnce(&mut FrameWriter)) -> bool {
        {
            let mut sending = lock(&self.sending);
            sending.closed = true;
            encode(&mut sending.frames);
        }
        let finish = async {
            while !lock(&self.sending).frames.is_empty() {
                self.write().await?;
            }
            poll_fn(|context| Pin::new(&mut lock(&self.sending).connection).poll_flush(context)).await
        };
        matches!(timeout(patience, finish).await, Ok(Ok(())))
    }

    /// So many bytes have been received since the connection began.
    pub(super) fn received(&self, total: u64) {
        lock(&self.sending).liveness.received(total, Instant::now());
    }

    /// When to ask what is due.
    pub(super) fn next(&self) -> Instant {
        lock(&self.sending).liveness.next()
    }

    /// What is due at [`Outlet::next`]. A ping has been encoded then.
    pub(super) fn due(&self, now: Instant) -> io::Result<Due> {
        let sending = &mut *lock(&self.sending);
        if !sending.frames.is_empty() {
            sending.leave_to_system(false);
            let written = write_now(&mut sending.frames, &sending.connection)?;
            if written > 0 {
                sending.liveness.written(written, now);
            }
        }
        let due = sending.liveness.due(now);
        if due == Due::Ping {
            if sending.frames.is_empty() {
                sending.frames.shrink();
                sending.outgoing.shrink();
            }
            let start = sending.frames.len();
            sending.frames.ping();
            sending.liveness.pinged(start..sending.frames.len());
        }
        Ok(due)
    }

    /// Whether the system closes the connection after the same timeout. It is needed for a thin stream: the system
    /// takes its bytes long after a client has vanished. While data waits here it must not: it closes clients that
    /// take bytes very slowly, and [`Liveness`] sees those that take none. A client that has answered a ping has
    /// taken all that was sent before it.
    pub(super) fn leave_to_system(&self, left_to_system: bool) {
        lock(&self.sending).leave_to_system(left_to_system);
    }

    /// For how long the client has taken nothing, if the system gave it up now.
    pub(super) fn given_up(&self) -> Duration {
        lock(&self.sending).liveness.given_up(Instant::now())
    }

    /// Bytes that wait for the client, everywhere.
    pub(super) fn waiting_bytes(&self) -> usize {
        let sending = lock(&self.sending);
        sending.frames.len() + sending.outgoing.in_hand_bytes() + self.client.queued_bytes()
    }
}

impl<W: Connection> Sending<W> {
    fn fill(&mut self, client: &Client, ahead: usize) -> Filled {
        self.outgoing.fill(client, &mut self.frames, ahead)
    }

    fn leave_to_system(&mut self, left_to_system: bool) {
        if self.left_to_system != left_to_system {
            self.left_to_system = left_to_system;
            self.connection.give_up_after(self.liveness.timeout().filter(|_| left_to_system));
        }
    }
}

impl<W: Connection> SendNow for Outlet<W> {
    fn send_now(&self) -> bool {
        let sending = &mut *match self.sending.try_lock() {
            Ok(sending) => sending,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return false,
        };
        if sending.closed || !sending.frames.is_empty() {
            // once it has written them, the client's task looks at the queue again
            return true;
        }
        if sending.outgoing.compresses() {
            return false;
        }
        for _ in 0..ROUNDS {
            let filled = sending.fill(&self.client, write_ahead(self.client.clients()));
            if sending.frames.is_empty() {
                // the queue knows that all is written
                return matches!(filled, Filled::Enough);
            }
            match write_now(&mut sending.frames, &sending.connection) {
                Ok(written) if written > 0 => sending.liveness.written(written, Instant::now()),
                // the task waits until there is room, or finds the same error
                Ok(_) | Err(_) => return false,
            }
            if !sending.frames.is_empty() {
                return false;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests;
