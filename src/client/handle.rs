//! The handle of a client: connecting, what the server has, and what is taken from it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout_at};

use super::error::{ConnectError, Ended};
use super::event::{Arrival, Event};
use super::inbox::Inbox;
use super::link::Link;
use super::messages::{Events, Measuring, Messages};
use super::options::{ClientOptions, Overflow, Queue, Trust};
use super::owner::{Command, Owner, Shown, Site, Taker};
use super::tls::Tls;
use super::topics::Topics;
use super::url::Scheme;
use crate::model::Channel;
use crate::protocol::{ServerInfo, Service};

/// What events may take while they wait: a server that tells of all its channels and schemas at once has some MB of them.
const EVENTS: Queue = Queue { bytes: 16 << 20, overflow: Overflow::DropOldest };

/// A connection to a server, kept up as the options say. Clones are the same connection; it is closed when it is told to, or
/// when the last of them, of its [`Messages`], [`Events`] and [`Publication`](super::Publication)s is dropped.
///
/// All methods can be called on any thread, and all futures can be dropped at any time: a request that was sent is carried
/// out even so, and a channel whose [`Client::advertise`] was dropped is taken back. While a server takes nothing of what is
/// sent, requests and changes wait for as long as their time-out, all else for a minute at most: the connection is lost then.
#[derive(Clone)]
pub struct Client {
    pub(super) link: Arc<Link>,
    /// Of its requests.
    pub(super) timeout: Duration,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("link", &self.link).finish_non_exhaustive()
    }
}

impl Client {
    /// Connects with [`ClientOptions::default`]; see [`Client::connect_with`].
    pub async fn connect(url: &str) -> Result<Self, ConnectError> {
        Self::connect_with(url, ClientOptions::default()).await
    }

    /// Connects to `ws://HOST:PORT` or `wss://HOST:PORT`. There is a client once the server has said what it is; an error
    /// on the way is not followed by another attempt.
    ///
    /// Needs a Tokio runtime with I/O and time, on which its task runs.
    pub async fn connect_with(url: &str, options: ClientOptions) -> Result<Self, ConnectError> {
        let url: super::ServerUrl = url.parse()?;
        if let Some(token) = &options.token
            && !token.bytes().all(|byte| byte.is_ascii_graphic())
        {
            return Err(ConnectError::Options(
                "a token has letters, digits and signs of ASCII only".to_owned(),
            ));
        }
        let tls = match url.scheme {
            Scheme::Tls => Some(Tls::new(&options.trust)?),
            Scheme::Plain if options.trust != Trust::System => {
                return Err(ConnectError::Options(format!(
                    "{url} is not encrypted: certificates need wss://"
                )));
            }
            Scheme::Plain => None,
        };
        let (within, request_timeout) = (options.connect_timeout, options.request_timeout);
        let site = Site { url, options, tls };
        let until = Instant::now() + within;
        let (connection, subprotocol) = site.open().await?;
        let (commands, received) = mpsc::unbounded_channel();
        let (ended_sender, ended) = watch::channel(None);
        let shown = Arc::new(Shown {
            can_publish: AtomicBool::new(false),
            is_closing: AtomicBool::new(false),
            ended: ended_sender,
        });
        tokio::spawn(Owner::new(site, received, shown.clone()).run(connection, subprotocol));
        let link = Arc::new(Link::new(commands, shown, ended));
        let client = Self { link, timeout: request_timeout };
        let mut events = client.events();
        let timed_out = || ConnectError::TimedOut { what: "serverInfo", within };
        let ready = async {
            while let Some(event) = events.next().await {
                if matches!(event, Event::Connected { .. }) {
                    return Ok(());
                }
            }
            let ended = client.ended().await.to_string();
            // the task gives up waiting at about the same time
            Err(if Instant::now() < until { ConnectError::Ended(ended) } else { timed_out() })
        };
        timeout_at(until, ready).await.map_err(|_elapsed| timed_out())??;
        Ok(client)
    }

    /// The same client, whose requests may take another time.
    #[must_use]
    pub fn with_timeout(&self, timeout: Duration) -> Self {
        Self { link: self.link.clone(), timeout }
    }

    /// Waits until the client has ended for good, and says why. Cancel safe.
    pub async fn ended(&self) -> Ended {
        self.end().await
    }

    /// The same without a handle, which would keep the connection open.
    pub(super) fn end(&self) -> impl Future<Output = Ended> + Send + use<> {
        self.link.end()
    }

    /// Sends what waits to be sent, for as long as the server takes of it, and closes the connection, for all clones. Takes at
    /// most a few seconds once the server takes nothing more; [`Client::ended`] says [`Ended::Lost`] then.
    pub async fn close(&self) {
        self.link.close().await;
    }

    /// What the server is, with all capabilities that it has declared on this connection; None without a connection.
    pub async fn server_info(&self) -> Option<Arc<ServerInfo>> {
        self.link.server_info().await
    }

    /// The channels that can be subscribed to now.
    pub async fn channels(&self) -> Vec<Arc<Channel>> {
        self.link.look(|state| state.channels().cloned().collect()).await.unwrap_or_default()
    }

    /// The services that can be called now.
    pub async fn services(&self) -> Vec<Arc<Service>> {
        self.link.look(|state| state.services().cloned().collect()).await.unwrap_or_default()
    }

    /// Takes the messages of channels, of those that are there and of those that come later, also after the client has
    /// connected again: 16 MiB of them may wait, after that the connection is not read ([`Overflow::Wait`]).
    pub fn subscribe(&self, topics: impl Into<Topics>) -> Messages {
        self.subscribe_with(topics, Queue::default())
    }

    /// The same with a queue of one's own.
    ///
    /// A channel that this client has subscribed to already is not subscribed to again: what its server keeps for late
    /// subscribers (latched messages) came to the first one.
    pub fn subscribe_with(&self, topics: impl Into<Topics>, queue: Queue) -> Messages {
        let taker = self.link.next_taker();
        let inbox = Arc::new(Inbox::new(queue));
        if !self.link.command(Command::Subscribe(taker, topics.into(), Taker::Inbox(inbox.clone()))) {
            inbox.end();
        }
        Messages::new(taker, inbox, self.link.clone())
    }

    /// Calls a function for each message as it arrives, on the task of the connection, which waits for it: to count
    /// messages, and to time them. With [`Payloads::Skipped`](super::Payloads::Skipped) payloads cost nothing.
    ///
    /// ```no_run
    /// # async fn f() -> Result<(), foxglove_bridge::client::ConnectError> {
    /// use std::sync::Arc;
    /// use std::sync::atomic::{AtomicUsize, Ordering};
    /// use foxglove_bridge::client::{Client, ClientOptions, Payloads, Topics};
    ///
    /// let options = ClientOptions { payloads: Payloads::Skipped, ..ClientOptions::default() };
    /// let client = Client::connect_with("ws://localhost:8765", options).await?;
    /// let bytes = Arc::new(AtomicUsize::new(0));
    /// let total = bytes.clone();
    /// let _measuring = client.measure(Topics::All, move |arrival| {
    ///     total.fetch_add(arrival.length, Ordering::Relaxed);
    /// });
    /// client.ended().await;
    /// println!("{} bytes", bytes.load(Ordering::Relaxed));
    /// # Ok(())
    /// # }
    /// ```
    pub fn measure(
        &self,
        topics: impl Into<Topics>,
        meter: impl FnMut(Arrival<'_>) + Send + 'static,
    ) -> Measuring {
        let taker = self.link.next_taker();
        self.link.command(Command::Subscribe(taker, topics.into(), Taker::Meter(Box::new(meter))));
        Measuring { taker, link: self.link.clone() }
    }

    /// Takes what happens beside messages. What there is already comes first: the connection, channels, services and the
    /// state of playback.
    pub fn events(&self) -> Events {
        let inbox = Arc::new(Inbox::new(EVENTS));
        if !self.link.command(Command::Listen(inbox.clone())) {
            inbox.end();
        }
        Events::new(inbox, self.link.clone())
    }
}
