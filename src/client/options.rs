//! How a client connects, and how much may wait for it.

use std::path::PathBuf;
use std::time::Duration;

/// The largest message that is taken from a server, inflated and as it arrives, unless
/// [`ClientOptions::largest_message`] sets another.
pub const LARGEST_MESSAGE: usize = 256 << 20;

/// The longest text that is taken from a server, in bytes: what JSON becomes in memory is up to a hundred times larger. Ten
/// thousand channels with their schemas take about this.
pub(super) const LARGEST_TEXT: usize = 32 << 20;

/// What may wait to be sent, of all handles of a client together.
pub(super) const OUTGOING: usize = 16 << 20;

/// How long connecting and a request may take, unless the options say otherwise.
pub const TIMEOUT: Duration = Duration::from_secs(10);

/// What a [`Messages`](super::Messages) holds, unless [`Queue`] says otherwise.
const QUEUE: usize = 16 << 20;

/// How a client connects.
#[derive(Debug, Clone)]
pub struct ClientOptions {
    /// Sent as `Authorization: Bearer …`; with `ws://` everybody on the way can read it.
    pub token: Option<String>,
    /// Which servers are believed with `wss://`.
    pub trust: Trust,
    /// What follows when a connection ends.
    pub reconnect: Reconnect,
    /// How long it may take until a connection is open and the server has said what it is.
    pub connect_timeout: Duration,
    /// How long a request may take; see [`Client::with_timeout`](super::Client::with_timeout).
    pub request_timeout: Duration,
    /// Bytes of the largest message that is taken; a larger one ends the connection.
    pub largest_message: usize,
    /// What becomes of the payloads of messages.
    pub payloads: Payloads,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            token: None,
            trust: Trust::System,
            reconnect: Reconnect::AfterLoss,
            connect_timeout: TIMEOUT,
            request_timeout: TIMEOUT,
            largest_message: LARGEST_MESSAGE,
            payloads: Payloads::Kept,
        }
    }
}

/// Whose certificates are believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// Those of authorities that this system believes, or that the environment variables `SSL_CERT_FILE` and `SSL_CERT_DIR`
    /// name.
    System,
    /// Those of the authorities in this file (PEM), and of no others.
    File(PathBuf),
    /// Everybody's: whoever sits in between can read and change everything. A warning is logged.
    Anybody,
}

/// What becomes of the payloads of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Payloads {
    /// They are handed on.
    Kept,
    /// They are passed over, and messages come without them: for [`Client::measure`](super::Client::measure). Answers to
    /// requests are not concerned.
    Skipped,
}

/// When a client connects again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reconnect {
    /// Never.
    Never,
    /// When the connection was lost, not when the server closed it with code 1000: it has sent everything then.
    AfterLoss,
    /// Whatever ended it.
    Always,
}

/// What happens to messages that come faster than they are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overflow {
    /// The connection is not read while the queue is full: the server holds its messages back, or drops them by its own rules,
    /// for all who take messages of this client. Pings and answers to requests are still read, up to a bound.
    Wait,
    /// The oldest that wait are dropped, and counted.
    DropOldest,
}

/// The queue of one who takes messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Queue {
    /// Bytes of payloads that may wait, and about 100 bytes more for each message. At least one message fits.
    pub bytes: usize,
    /// What happens beyond it.
    pub overflow: Overflow,
}

impl Default for Queue {
    fn default() -> Self {
        Self { bytes: QUEUE, overflow: Overflow::Wait }
    }
}
