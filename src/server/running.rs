//! A server on a thread of its own, for programs that have no runtime.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::thread::JoinHandle;

use tokio_util::sync::CancellationToken;

use super::{BindError, Finisher, Server};
use crate::hub::Hub;

/// Threads that serve clients. Two keep up with a hundred: what is published is encoded once for each client.
const THREADS: usize = 2;

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address is none.
    #[error("can't listen on that address: {0}")]
    Address(#[source] io::Error),
    /// It can't listen there.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The system gives no threads or no means to wait for sockets.
    #[error("can't start the threads of a server: {0}")]
    Threads(#[source] io::Error),
}

/// A server that runs on threads of its own, until it is stopped or this is dropped.
#[must_use = "the server stops when this is dropped"]
#[derive(Debug)]
pub struct RunningServer {
    address: SocketAddr,
    stop: CancellationToken,
    finisher: Finisher,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Serves a hub on threads of its own: one that accepts connections, and two for the clients. Port 0 is any free one,
    /// see [`RunningServer::address`].
    ///
    /// ```
    /// use foxglove_bridge::hub::{Hub, HubOptions};
    /// use foxglove_bridge::server::Server;
    ///
    /// let hub = Hub::new("robot", HubOptions::default());
    /// let server = Server::start("127.0.0.1:0", &hub)?;
    /// println!("ws://{}", server.address());
    /// server.stop();
    /// # Ok::<(), foxglove_bridge::server::StartError>(())
    /// ```
    pub fn start(address: impl ToSocketAddrs, hub: &Hub) -> Result<RunningServer, StartError> {
        Self::start_with(address, hub, |server| server)
    }

    /// The same with options: `|server| server.with_compression(true)`.
    pub fn start_with(
        address: impl ToSocketAddrs,
        hub: &Hub,
        options: impl FnOnce(Self) -> Self,
    ) -> Result<RunningServer, StartError> {
        let addresses: Vec<SocketAddr> = address.to_socket_addrs().map_err(StartError::Address)?.collect();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("foxglove-client")
            .enable_io()
            .enable_time()
            .build()
            .map_err(StartError::Threads)?;
        let server = options(runtime.block_on(Self::bind_first(&addresses))?);
        let (address, finisher) = (server.address(), server.finisher());
        let stop = CancellationToken::new();
        let (stopped, hub) = (stop.clone(), hub.clone());
        let thread = std::thread::Builder::new().name("foxglove-server".into()).spawn(move || {
            runtime.block_on(server.run(hub, stopped.cancelled_owned()));
            // what still waits for a client does not hold the program
            runtime.shutdown_background();
        });
        let thread = Some(thread.map_err(StartError::Threads)?);
        Ok(RunningServer { address, stop, finisher, thread })
    }

    /// Listens on the first of these addresses on which that is possible.
    async fn bind_first(addresses: &[SocketAddr]) -> Result<Self, StartError> {
        let none = io::Error::new(io::ErrorKind::InvalidInput, "there is no such address");
        let mut failed = StartError::Address(none);
        for address in addresses {
            match Self::bind(*address).await {
                Ok(server) => return Ok(server),
                Err(error) => failed = error.into(),
            }
        }
        Err(failed)
    }
}

impl RunningServer {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Closes the clients with code 1001, and returns within a second. The hub and its channels stay; they can be served
    /// again.
    pub fn stop(mut self) {
        self.stop.cancel();
        self.join();
    }

    /// Everything has been logged: clients get all of it, each within ten seconds, and are closed with code 1000. Returns
    /// after that.
    pub fn finish(mut self) {
        self.finisher.finish();
        self.join();
    }

    /// Blocks until the server ends: by a [`RunningServer::finisher`] that another thread has, or never.
    pub fn wait(mut self) {
        self.join();
    }

    /// What ends the server from another thread.
    pub fn finisher(&self) -> Finisher {
        self.finisher.clone()
    }

    fn join(&mut self) {
        if let Some(thread) = self.thread.take() {
            // a panic in there has been reported by then
            thread.join().ok();
        }
    }
}

impl Drop for RunningServer {
    /// As [`RunningServer::stop`].
    fn drop(&mut self) {
        self.stop.cancel();
        self.join();
    }
}
