//! The port: axum routes and upgrades, one task for each client.

use std::net::SocketAddr;
use std::time::Duration;

use axum::serve::ListenerExt;
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use crate::hub::Hub;
use crate::protocol::{ServerMessage, Status};

mod compression;
mod endpoint;
mod outgoing;
mod reading;
mod session;
mod socket;
mod writing;

/// After this long a stop no longer waits for clients to answer the close.
const STOP_TIMEOUT: Duration = Duration::from_millis(800);

/// Bytes in the system's buffer for a client that are not on their way yet. Beyond it data waits in our queues, where
/// what is stale can be dropped. (With half of it large messages cost a seventh more; with more nothing is gained.)
#[cfg(any(target_os = "linux", target_os = "android"))]
const UNSENT: u32 = 256 << 10;

/// A port that can't be had.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Another program listens there.
    #[error("port {} is in use on {}; choose another with --port, or --port 0 for any free one", .0.port(), .0.ip())]
    InUse(SocketAddr),
    /// Anything else.
    #[error("can't listen on {0}: {1}")]
    Other(SocketAddr, #[source] std::io::Error),
}

/// A server that listens but does not serve yet.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    compression: bool,
}

impl Server {
    /// Takes the port; 0 is any free one (see [`Server::address`]).
    pub async fn bind(address: SocketAddr) -> Result<Self, BindError> {
        let failed = |error: std::io::Error| match error.kind() {
            std::io::ErrorKind::AddrInUse => BindError::InUse(address),
            _ => BindError::Other(address, error),
        };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, address, compression: false })
    }

    /// Whether messages are compressed for clients that offer it (permessage-deflate); off unless set.
    #[must_use]
    pub fn with_compression(self, compression: bool) -> Self {
        Self { compression, ..self }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves clients until `stop`; then tells them (close 1001) and returns within a second.
    ///
    /// `finished`: what is published is complete; clients get all of it, then close 1000.
    pub async fn run(
        self,
        hub: Hub,
        stop: CancellationToken,
        finished: CancellationToken,
    ) -> std::io::Result<()> {
        let listener = self.listener.tap_io(|stream| {
            if let Err(error) = stream.set_nodelay(true).and_then(|()| keep_backlog_short(stream)) {
                tracing::debug!("a socket option: {error}");
            }
        });
        let serving = axum::serve(listener, endpoint::router(hub.clone(), self.compression));
        tokio::select! {
            served = async { serving.await } => served?,
            () = stop.cancelled() => {}
            () = finished.cancelled() => {
                hub.close(1000, "end of the recording", true);
                tokio::select! {
                    _ = tokio::time::timeout(socket::DRAIN_TIMEOUT, hub.all_left()) => {}
                    () = stop.cancelled() => {}
                }
            }
        }
        let status = Status { id: None, ..Status::info("the server stops".to_owned()) };
        hub.broadcast(&ServerMessage::Status(status));
        hub.close(1001, "the server stops", false);
        if tokio::time::timeout(STOP_TIMEOUT, hub.all_left()).await.is_err() {
            tracing::debug!("some clients did not answer the close");
        }
        Ok(())
    }
}

/// Has the system take no more than [`UNSENT`] bytes that it can't send yet.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn keep_backlog_short(stream: &TcpStream) -> std::io::Result<()> {
    SockRef::from(stream).set_tcp_notsent_lowat(UNSENT)
}

/// Elsewhere the system decides.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn keep_backlog_short(_stream: &TcpStream) -> std::io::Result<()> {
    Ok(())
}
