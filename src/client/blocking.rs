//! The client for programs without async: each method waits until it is done.
//!
//! Not for use within a Tokio runtime, where waiting panics.
//!
//! ```no_run
//! use foxglove_bridge::client::blocking::Client;
//!
//! let client = Client::connect("ws://localhost:8765")?;
//! for message in client.subscribe("/imu") {
//!     println!("{} {} bytes", message.log_time.nanos(), message.payload.len());
//! }
//! # Ok::<(), foxglove_bridge::client::ConnectError>(())
//! ```
//!
//! A test that expects a message within a second:
//!
//! ```no_run
//! use std::time::Duration;
//! use foxglove_bridge::client::blocking::Client;
//!
//! let client = Client::connect("ws://localhost:8765")?;
//! let message = client.subscribe("/imu").recv_timeout(Duration::from_secs(1))?;
//! assert_eq!(message.channel.message_encoding, "json");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use bytes::Bytes;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::time::timeout;

use super::error::{ConnectError, Ended, RequestError};
use super::event::{Arrival, Event, Message};
use super::options::{ClientOptions, Queue};
use super::publication::ClientTopic;
use super::state::{PlaybackChange, ServiceResponse};
use super::topics::Topics;
use crate::model::Channel;
use crate::protocol::{Parameter, PlaybackState, ServerInfo, Service};

/// Runs the task of a client on a thread of its own, and waits for its end.
struct Background {
    runtime: Option<Runtime>,
    /// Without a handle, which would keep the connection open.
    end: Option<Pin<Box<dyn Future<Output = Ended> + Send + Sync>>>,
}

impl fmt::Debug for Background {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Background").finish_non_exhaustive()
    }
}

impl Background {
    fn start() -> Result<Self, ConnectError> {
        let runtime =
            Builder::new_multi_thread().worker_threads(1).thread_name("client").enable_all().build();
        let failed =
            |error| ConnectError::Options(format!("a thread for the client can't be started: {error}"));
        Ok(Self { runtime: Some(runtime.map_err(failed)?), end: None })
    }

    fn wait<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        self.runtime.as_ref().map(|runtime| runtime.block_on(work))
    }

    fn wait_within<T>(
        &self,
        within: Duration,
        next: impl Future<Output = Option<T>>,
    ) -> Result<T, RecvTimeoutError> {
        // a timer can only be made within the runtime
        let next = self.wait(async { timeout(within, next).await });
        match next {
            Some(Ok(Some(item))) => Ok(item),
            Some(Ok(None)) | None => Err(RecvTimeoutError::Disconnected),
            Some(Err(_elapsed)) => Err(RecvTimeoutError::Timeout),
        }
    }
}

impl Drop for Background {
    /// All handles are gone: the connection is closed in good order, which takes a few seconds at most.
    fn drop(&mut self) {
        let Some(runtime) = self.runtime.take() else { return };
        // None: there was no connection
        let end = self.end.take();
        let finish = move || {
            if let Some(end) = end {
                runtime.block_on(end);
            }
            runtime.shutdown_background();
        };
        if Handle::try_current().is_err() {
            finish();
        } else {
            // dropped within another runtime it must not wait
            std::thread::spawn(finish);
        }
    }
}

/// A connection to a server; see [`client::Client`](super::Client), whose methods these are. Where the last handle is dropped
/// what was published is sent first, for as long as the server takes of it.
#[derive(Debug, Clone)]
pub struct Client {
    inner: super::Client,
    background: Arc<Background>,
}

impl Client {
    /// Connects with [`ClientOptions::default`].
    pub fn connect(url: &str) -> Result<Self, ConnectError> {
        Self::connect_with(url, ClientOptions::default())
    }

    /// Connects to `ws://HOST:PORT` or `wss://HOST:PORT`.
    pub fn connect_with(url: &str, options: ClientOptions) -> Result<Self, ConnectError> {
        let mut background = Background::start()?;
        let connected = background.wait(super::Client::connect_with(url, options));
        let inner = connected.unwrap_or_else(|| Err(ConnectError::Ended(Ended::Closed.to_string())))?;
        background.end = Some(Box::pin(inner.end()));
        Ok(Self { inner, background: Arc::new(background) })
    }

    fn request<T>(&self, work: impl Future<Output = Result<T, RequestError>>) -> Result<T, RequestError> {
        self.background.wait(work).unwrap_or(Err(RequestError::Closed))
    }

    /// The same client, whose requests may take another time.
    #[must_use]
    pub fn with_timeout(&self, timeout: Duration) -> Self {
        Self { inner: self.inner.with_timeout(timeout), background: self.background.clone() }
    }

    /// Waits until the client has ended for good, and says why.
    pub fn ended(&self) -> Ended {
        self.background.wait(self.inner.ended()).unwrap_or(Ended::Closed)
    }

    /// Sends what waits to be sent, and closes the connection.
    pub fn close(&self) {
        self.background.wait(self.inner.close()).unwrap_or_default();
    }

    /// What the server is; None without a connection.
    pub fn server_info(&self) -> Option<Arc<ServerInfo>> {
        self.background.wait(self.inner.server_info()).flatten()
    }

    /// The channels that can be subscribed to now.
    pub fn channels(&self) -> Vec<Arc<Channel>> {
        self.background.wait(self.inner.channels()).unwrap_or_default()
    }

    /// The services that can be called now.
    pub fn services(&self) -> Vec<Arc<Service>> {
        self.background.wait(self.inner.services()).unwrap_or_default()
    }

    /// Takes the messages of channels.
    pub fn subscribe(&self, topics: impl Into<Topics>) -> Messages {
        self.subscribe_with(topics, Queue::default())
    }

    /// The same with a queue of one's own.
    pub fn subscribe_with(&self, topics: impl Into<Topics>, queue: Queue) -> Messages {
        let inner = self.inner.subscribe_with(topics, queue);
        Messages { inner, background: self.background.clone() }
    }

    /// Calls a function for each message as it arrives, on the thread of the connection, which waits for it.
    pub fn measure(
        &self,
        topics: impl Into<Topics>,
        meter: impl FnMut(Arrival<'_>) + Send + 'static,
    ) -> Measuring {
        Measuring { _inner: self.inner.measure(topics, meter), _background: self.background.clone() }
    }

    /// Takes what happens beside messages.
    pub fn events(&self) -> Events {
        Events { inner: self.inner.events(), background: self.background.clone() }
    }

    /// Values of parameters; no names: of all.
    pub fn get_parameters<N: Into<String>>(
        &self,
        names: impl IntoIterator<Item = N>,
    ) -> Result<Vec<Parameter>, RequestError> {
        self.request(self.inner.get_parameters(names))
    }

    /// Sets parameters, and removes those without a value.
    pub fn set_parameters(&self, parameters: Vec<Parameter>) -> Result<Vec<Parameter>, RequestError> {
        self.request(self.inner.set_parameters(parameters))
    }

    /// Asks to be told of parameters whenever they change; no names: of all.
    pub fn follow_parameters<N: Into<String>>(
        &self,
        names: impl IntoIterator<Item = N>,
    ) -> Result<(), RequestError> {
        self.request(self.inner.follow_parameters(names))
    }

    /// Ends [`Client::follow_parameters`] for some, or for all.
    pub fn unfollow_parameters<N: Into<String>>(
        &self,
        names: impl IntoIterator<Item = N>,
    ) -> Result<(), RequestError> {
        self.request(self.inner.unfollow_parameters(names))
    }

    /// Asks to be told of changes of the connection graph.
    pub fn follow_graph(&self) -> Result<(), RequestError> {
        self.request(self.inner.follow_graph())
    }

    /// Ends [`Client::follow_graph`].
    pub fn unfollow_graph(&self) -> Result<(), RequestError> {
        self.request(self.inner.unfollow_graph())
    }

    /// Calls a service with a request in the encoding that the service names.
    pub fn call(&self, service: &str, request: impl Into<Bytes>) -> Result<ServiceResponse, RequestError> {
        self.request(self.inner.call(service, request))
    }

    /// Calls a service with a request in this encoding, one that the server supports.
    pub fn call_as(
        &self,
        service: &str,
        encoding: &str,
        request: impl Into<Bytes>,
    ) -> Result<ServiceResponse, RequestError> {
        self.request(self.inner.call_as(service, encoding, request))
    }

    /// Fetches a file.
    pub fn fetch_asset(&self, uri: &str) -> Result<Bytes, RequestError> {
        self.request(self.inner.fetch_asset(uri))
    }

    /// Asks for playback to go on differently.
    pub fn control_playback(&self, change: PlaybackChange) -> Result<PlaybackState, RequestError> {
        self.request(self.inner.control_playback(change))
    }

    /// What playback is doing, as the server has said last.
    pub fn playback_state(&self) -> Result<Option<PlaybackState>, RequestError> {
        self.request(self.inner.playback_state())
    }

    /// Tells the server of a channel on which this client publishes.
    pub fn advertise(&self, topic: &ClientTopic) -> Result<Publication, RequestError> {
        let inner = self.request(self.inner.advertise(topic))?;
        Ok(Publication { inner, background: self.background.clone() })
    }
}

/// The messages of channels, in the order in which they came. It ends once the client has ended.
#[derive(Debug)]
pub struct Messages {
    inner: super::Messages,
    background: Arc<Background>,
}

impl Messages {
    /// The next message, if it comes within this time; else whether it may still come.
    pub fn recv_timeout(&mut self, within: Duration) -> Result<Message, RecvTimeoutError> {
        self.background.wait_within(within, self.inner.next())
    }

    /// The next message if one waits.
    pub fn try_next(&mut self) -> Option<Message> {
        self.inner.try_next()
    }

    /// How many messages were dropped so far.
    pub fn dropped(&self) -> u64 {
        self.inner.dropped()
    }
}

impl Iterator for Messages {
    type Item = Message;

    fn next(&mut self) -> Option<Message> {
        self.background.wait(self.inner.next()).flatten()
    }
}

/// See [`Client::measure`]. Dropped, it ends the subscription.
#[derive(Debug)]
pub struct Measuring {
    _inner: super::Measuring,
    /// The connection lasts as long as something is measured.
    _background: Arc<Background>,
}

/// What happens beside messages. It ends once the client has ended.
#[derive(Debug)]
pub struct Events {
    inner: super::Events,
    background: Arc<Background>,
}

impl Events {
    /// The next event, if it comes within this time; else whether it may still come.
    pub fn recv_timeout(&mut self, within: Duration) -> Result<Event, RecvTimeoutError> {
        self.background.wait_within(within, self.inner.next())
    }

    /// The next event if one waits.
    pub fn try_next(&mut self) -> Option<Event> {
        self.inner.try_next()
    }

    /// How many events were dropped so far.
    pub fn dropped(&self) -> u64 {
        self.inner.dropped()
    }
}

impl Iterator for Events {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        self.background.wait(self.inner.next()).flatten()
    }
}

/// A channel on which a client publishes. Dropped, it is taken back.
#[derive(Debug)]
pub struct Publication {
    inner: super::Publication,
    background: Arc<Background>,
}

impl Publication {
    /// Publishes a message; see [`client::Publication::publish`](super::Publication::publish).
    pub fn publish(&self, payload: impl Into<Bytes>) -> Result<(), RequestError> {
        self.background.wait(self.inner.publish(payload)).unwrap_or(Err(RequestError::Closed))
    }
}
