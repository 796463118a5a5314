//! The end of a connection.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{Instant, timeout, timeout_at};

use super::super::connection::{Connection, Incoming, Reading};
use super::super::error::Ended;
use super::{Command, Owner, Taker, UNWRITTEN};
use crate::websocket::Event as Received;

/// How long the server may take nothing of what waits, and how long the closing handshake may take.
const CLOSING: Duration = Duration::from_secs(3);

/// How long writing a close frame may take where the server is not waited for.
const LAST_WRITE: Duration = Duration::from_millis(200);

/// Writes a close frame, if there is one and the connection still takes it.
pub(super) async fn write_last(connection: &mut Connection) {
    if connection.unwritten() > 0 && timeout(LAST_WRITE, connection.next(Reading::Off)).await.is_err() {
        tracing::debug!("the server takes no close frame");
    }
}

/// Writes what waits, for as long as the server takes of it, and closes in good order, as far as the server takes part.
/// Whether everything was sent.
pub(super) async fn close(connection: &mut Connection) -> Sent {
    connection.close(1000, "");
    let (mut until, mut left) = (Instant::now() + CLOSING, connection.unwritten());
    loop {
        match timeout_at(until, connection.next(Reading::On)).await {
            Ok(Incoming::Lost(_) | Incoming::Violation(_) | Incoming::Event(Received::Close(_))) => break,
            Ok(Incoming::Written) => until = Instant::now() + CLOSING,
            Ok(Incoming::Event(_)) => {}
            Err(_) if connection.unwritten() < left => {
                (until, left) = (Instant::now() + CLOSING, connection.unwritten());
            }
            Err(_) => {
                tracing::debug!("the server did not answer the close");
                break;
            }
        }
    }
    if connection.unwritten() == 0 { Sent::All } else { Sent::Part }
}

/// What was sent of what a program wanted to send before it closed the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sent {
    All,
    Part,
}

impl Owner {
    /// The client has ended for good: everybody learns of it, also those whose commands were not carried out any more. What is
    /// asked is answered by the end of the channel.
    pub(super) fn end(&mut self, ended: Ended) {
        self.commands.close();
        while let Ok(command) = self.commands.try_recv() {
            match command {
                Command::Subscribe(_, _, Taker::Inbox(inbox)) => inbox.end(),
                Command::Listen(inbox) => inbox.end(),
                Command::Subscribe(_, _, Taker::Meter(_))
                | Command::Unsubscribe(_)
                | Command::Request(..)
                | Command::Change(..)
                | Command::Publish(..)
                | Command::Look(_)
                | Command::Close(_) => {}
            }
        }
        self.takers.end();
        self.shown.ended.send_if_modified(|known| {
            let is_news = known.is_none();
            known.get_or_insert(ended);
            is_news
        });
    }

    /// Whether the end is wanted and the server takes nothing of what has to be sent before it.
    pub(super) fn gives_up(&self, connection: &Connection) -> bool {
        let is_wanted = || self.shown.is_closing.load(Ordering::Relaxed) || self.commands.is_closed();
        connection.unwritten() >= UNWRITTEN && connection.untaken_for() >= CLOSING && is_wanted()
    }
}

/// Also where a function that is called with messages panics, or the runtime is shut down.
impl Drop for Owner {
    fn drop(&mut self) {
        self.end(Ended::Lost("the task of the client was ended".to_owned()));
    }
}
