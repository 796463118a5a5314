//! The port: axum routes and upgrades, one task for each client.
//!
//! [`Server::start`] serves a hub on threads of its own; [`Server::bind`] and [`Server::run`] do so on a Tokio runtime. Several
//! servers of one program have nothing in common, if each has its own hub. One that stops closes all clients of its hub.

use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::pin;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::hub::Hub;
use crate::protocol::{ServerMessage, Status};
use crate::websocket::Budget;

mod about;
mod accept;
mod compression;
mod computer;
mod endpoint;
mod headers;
mod http;
mod liveness;
mod metric;
mod origin;
mod outgoing;
mod outlet;
mod page;
mod places;
mod reading;
mod refusals;
mod running;
mod session;
mod socket;
mod validator;
mod writing;

pub use about::{About, Readiness, ServedSource, SourceKind};
#[doc(hidden)]
pub use computer::computer_name;
pub use http::Http;
use http::{Api, Offered};
#[doc(hidden)]
pub use http::{Layout, layouts};
pub use metric::{Metric, MetricKind};
use origin::Gate;
pub use origin::{AllowedOrigin, BadOrigin, Origins};
use places::Places;
pub use running::{RunningServer, StartError};

/// How long a client may take nothing and send nothing, unless [`Server::with_client_timeout`] sets another.
pub const CLIENT_TIMEOUT: Duration = Duration::from_secs(75);

/// How long a server that stops waits for clients to answer the close.
const STOP_TIMEOUT: Duration = Duration::from_millis(800);

/// The longest text that is taken from a client in bytes, unless [`Server::with_client_text`] sets another. Far above any
/// request of a viewer; what JSON becomes in memory is up to a hundred times larger.
pub const CLIENT_TEXT: usize = 1 << 20;

/// The largest message that is taken from a client in bytes, inflated and as it arrives, unless
/// [`Server::with_client_message`] sets another.
pub const CLIENT_MESSAGE: usize = 16 << 20;

/// How many clients may be connected at once, unless [`Server::with_max_clients`] sets another number.
pub const MAX_CLIENTS: usize = 10_000;

/// Bytes of messages that have not arrived in full, of all clients together.
pub const UNFINISHED: usize = 64 << 20;

/// Why a server can't listen.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Another program listens there.
    #[error("port {} is in use on {}", .0.port(), .0.ip())]
    InUse(SocketAddr),
    /// Anything else.
    #[error("can't listen on {0}: {1}")]
    Other(SocketAddr, #[source] std::io::Error),
}

/// How clients are served.
#[derive(Debug, Clone)]
struct Options {
    compression: bool,
    client_timeout: Duration,
    client_text: usize,
    client_message: usize,
    max_clients: usize,
    max_clients_of_address: usize,
    /// What messages that have not arrived in full may take.
    unfinished: Budget,
    http: Http,
}

/// A server that listens but does not serve yet: that is what [`Server::run`] does.
#[must_use = "it serves nobody before it runs"]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    options: Options,
    origins: Origins,
    offered: Offered,
    finished: CancellationToken,
}

/// Ends a [`Server`] once everything has been published; clones share it.
#[derive(Debug, Clone)]
pub struct Finisher(CancellationToken);

impl Finisher {
    /// What has been published is complete: clients get all of it, each within ten seconds, and are closed with code
    /// 1000; then [`Server::run`] returns.
    pub fn finish(&self) {
        self.0.cancel();
    }
}

impl Server {
    /// Listens on the address; port 0 is any free one (see [`Server::address`]). Needs a Tokio runtime with I/O and time,
    /// as [`Server::run`] does.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use foxglove_bridge::hub::{Hub, HubOptions};
    /// use foxglove_bridge::server::Server;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let hub = Hub::new("robot", HubOptions::default());
    /// let server = Server::bind("127.0.0.1:0".parse()?).await?;
    /// println!("ws://{}", server.address());
    /// // or until Ctrl-C: async { tokio::signal::ctrl_c().await.ok(); }
    /// let shutdown = tokio::time::sleep(Duration::from_millis(10));
    /// server.run(hub, shutdown).await;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn bind(address: SocketAddr) -> Result<Self, BindError> {
        let failed = |error: std::io::Error| match error.kind() {
            std::io::ErrorKind::AddrInUse => BindError::InUse(address),
            _ => BindError::Other(address, error),
        };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let options = Options {
            compression: false,
            client_timeout: CLIENT_TIMEOUT,
            client_text: CLIENT_TEXT,
            client_message: CLIENT_MESSAGE,
            max_clients: MAX_CLIENTS,
            max_clients_of_address: usize::MAX,
            unfinished: Budget::new(UNFINISHED),
            http: Http::Full,
        };
        let (origins, offered) = Default::default();
        Ok(Self { listener, address, options, origins, offered, finished: CancellationToken::new() })
    }

    /// Whether messages are compressed for clients that offer it (permessage-deflate); off unless set.
    pub fn with_compression(self, compression: bool) -> Self {
        Self { options: Options { compression, ..self.options }, ..self }
    }

    /// A client for which no write made progress and from which nothing was heard for this long is closed, idle or
    /// not, whatever happens to slow clients; one that takes bytes, however slowly, never is. Zero: no client is
    /// closed. [`CLIENT_TIMEOUT`] unless set. Pings go out often enough that an idle client that answers them stays.
    pub fn with_client_timeout(self, client_timeout: Duration) -> Self {
        Self { options: Options { client_timeout, ..self.options }, ..self }
    }

    /// The longest text that is taken from a client, in bytes, inflated if it was compressed. A longer one is not carried
    /// out; the client gets a status, and stays. [`CLIENT_TEXT`] unless set.
    pub fn with_client_text(self, client_text: usize) -> Self {
        Self { options: Options { client_text, ..self.options }, ..self }
    }

    /// The largest message that is taken from a client, in bytes, inflated and as it arrives. One that sends a larger one is
    /// closed with code 1009. [`CLIENT_MESSAGE`] unless set; more than [`UNFINISHED`] never arrives.
    pub fn with_client_message(self, client_message: usize) -> Self {
        Self { options: Options { client_message, ..self.options }, ..self }
    }

    /// How many clients may be connected at once; one more is refused with status 503. [`MAX_CLIENTS`] unless set.
    pub fn with_max_clients(self, max_clients: usize) -> Self {
        Self { options: Options { max_clients, ..self.options }, ..self }
    }

    /// How many clients may be connected at once from one IP address; one more is refused with status 503. As many as there
    /// may be at all, unless set: clients behind a proxy have one address.
    pub fn with_max_clients_of_address(self, max_clients_of_address: usize) -> Self {
        Self { options: Options { max_clients_of_address, ..self.options }, ..self }
    }

    /// Which pages may connect; see [`Origins`] for the default.
    pub fn with_origins(self, origins: Origins) -> Self {
        Self { origins, ..self }
    }

    /// What is offered over HTTP beside connections: [`Http::Full`] unless set.
    pub fn with_http(self, http: Http) -> Self {
        Self { options: Options { http, ..self.options }, ..self }
    }

    /// What is added to the answer to a request that [`Http::HealthOnly`] leaves out: the option that offers it, for example.
    pub fn with_http_hint(mut self, hint: impl Into<String>) -> Self {
        self.offered.http_hint = Some(hint.into());
        self
    }

    /// What is told of it over HTTP (`/api/status`).
    pub fn with_about(mut self, about: About) -> Self {
        self.offered.about = about;
        self
    }

    /// A folder of layouts, which viewers load as `/layouts/NAME.json`.
    pub fn with_layouts(mut self, folder: impl Into<PathBuf>) -> Self {
        self.offered.folders.layouts = Some(folder.into());
        self
    }

    /// The folder of a viewer that is a web page (the static build of Lichtblick, for example), which is offered under
    /// `/viewer/`. `/viewer` leads there, and has it connect.
    pub fn with_viewer(mut self, folder: impl Into<PathBuf>) -> Self {
        self.offered.folders.viewer = Some(folder.into());
        self
    }

    /// A figure more in `/metrics`.
    pub fn with_metric(mut self, metric: Metric) -> Self {
        self.offered.metrics.push(metric);
        self
    }

    /// Whether it can be used, as `/readyz` tells.
    pub fn readiness(&self) -> Readiness {
        self.offered.readiness.clone()
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends [`Server::run`] after everything that was published has been delivered.
    pub fn finisher(&self) -> Finisher {
        Finisher(self.finished.clone())
    }

    /// Serves clients until `shutdown` completes, then closes them with code 1001 and returns within a second; or
    /// until [`Finisher::finish`] was called and clients have got everything.
    ///
    /// Can't fail: a connection that can't be accepted or breaks is logged, and the others are served.
    pub async fn run(self, hub: Hub, shutdown: impl Future<Output = ()>) {
        let Self { listener, address, options, origins, mut offered, finished } = self;
        hub.reopen();
        offered.http = options.http;
        if offered.about.addresses.is_empty() {
            offered.about.addresses.push(format!("ws://{address}"));
        }
        let gate = Gate::new(origins, address.ip(), computer_name());
        let stopping = CancellationToken::new();
        let over = CancellationToken::new();
        let _at_the_end = (stopping.clone().drop_guard(), over.clone().drop_guard());
        let api = Api::new(hub.clone(), offered, stopping.clone(), gate);
        let places = Places::new(options.max_clients, options.max_clients_of_address);
        let router = endpoint::router(api, options.clone(), places.clone());
        // a client that has just had its handshake answered is not in the hub yet, and is closed in good order too
        let all_left = async || {
            hub.all_left().await;
            places.all_free().await;
        };
        let mut serving = pin!(accept::serve(listener, router, accept::Timeouts::default(), over));
        let mut shutdown = pin!(shutdown);
        tokio::select! {
            never = &mut serving => match never {},
            () = &mut shutdown => {}
            () = finished.cancelled() => {
                stopping.cancel();
                hub.close(1000, "everything was sent", true);
                tokio::select! {
                    never = serving => match never {},
                    _ = tokio::time::timeout(socket::DRAIN_TIMEOUT, all_left()) => {}
                    () = shutdown => {}
                }
            }
        }
        stopping.cancel();
        let status = Status { id: None, ..Status::info("the server stops".to_owned()) };
        hub.broadcast(&ServerMessage::Status(status));
        hub.close(1001, "the server stops", false);
        if tokio::time::timeout(STOP_TIMEOUT, all_left()).await.is_err() {
            tracing::debug!("some clients did not answer the close");
        }
    }
}
