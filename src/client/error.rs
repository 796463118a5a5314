//! What can go wrong between a client and its server.

use std::io;
use std::time::Duration;

use super::url::UrlError;
use crate::protocol::Capability;

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The address can't be read.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// An option can't be used.
    #[error("{0}")]
    Options(String),
    /// Nobody answers there.
    #[error("can't reach {address}: {error}")]
    Unreachable {
        /// Host and port.
        address: String,
        /// What the system says.
        error: io::Error,
    },
    /// There is no encrypted connection.
    #[error("TLS with {host} failed: {error}")]
    Tls {
        /// The name that the certificate has to be for.
        host: String,
        /// What is wrong.
        error: io::Error,
    },
    /// What answers a `wss://` address does not encrypt.
    #[error("{0} speaks no TLS there; try ws://")]
    NoTls(String),
    /// The server answers with an HTTP error.
    #[error("the server refuses: HTTP {status}: {text}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The beginning of its text, of the server's choice.
        text: String,
    },
    /// What answers is not a WebSocket server.
    #[error("what answers is not a WebSocket server: {0}")]
    NotWebSocket(String),
    /// A WebSocket server that does not speak the Foxglove protocol; what it chose.
    #[error(
        "the server speaks none of our subprotocols (it chose '{0}'): it is not one of Foxglove's protocol"
    )]
    Subprotocol(String),
    /// The connection ended before `serverInfo` came.
    #[error("the connection ended before serverInfo: {0}")]
    Ended(String),
    /// Not everything up to `serverInfo` came in time.
    #[error("no {what} within {} s", .within.as_secs_f32())]
    TimedOut {
        /// What was waited for.
        what: &'static str,
        /// How long, all in all.
        within: Duration,
    },
}

/// Why a request has no good answer. Each request gets exactly one answer, also when the connection ends.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// There is no connection at the moment.
    #[error("there is no connection to the server")]
    NotConnected,
    /// The connection ended before the answer came; whether the request was carried out is not known.
    #[error("the connection ended before the answer came")]
    Disconnected,
    /// No answer came in time.
    #[error("no answer within {} s", .0.as_secs_f32())]
    TimedOut(Duration),
    /// The server has not declared the capability.
    #[error("the server does not offer {0}")]
    Unsupported(Capability),
    /// The server offers no service of this name.
    #[error("the server has no service '{0}'")]
    NoSuchService(String),
    /// The server answered that it failed, with a text of its own.
    #[error("{0}")]
    Failed(String),
    /// The request has more bytes than may wait to be sent.
    #[error("a request of {0} bytes is too large")]
    TooLarge(usize),
    /// The client has been closed.
    #[error("the client has been closed")]
    Closed,
}

/// Why a client has ended for good.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Ended {
    /// It was closed by its own program.
    #[error("closed by this program")]
    Closed,
    /// The server closed the connection with code 1000: it has sent everything.
    #[error("the server has sent everything")]
    Finished,
    /// The connection was lost, and is not to be opened again.
    #[error("{0}")]
    Lost(String),
}
