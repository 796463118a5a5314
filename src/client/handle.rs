//! The handle of a client.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};
use tokio::time::{Instant, timeout, timeout_at};

use super::error::{ConnectError, Ended, RequestError};
use super::event::{Arrival, Event};
use super::inbox::Inbox;
use super::messages::{Events, Measuring, Messages};
use super::options::{ClientOptions, OUTGOING, Overflow, Queue, Trust};
use super::owner::{Command, Owner, Shown, Site, Taker};
use super::publication::{ClientTopic, Publication};
use super::state::{
    Change, Deadline, Followed, PlaybackChange, Reply, Request, ServiceResponse, State, TakerId,
};
use super::tls::Tls;
use super::topics::Topics;
use super::url::Scheme;
use crate::model::Channel;
use crate::protocol::{
    Capability, ClientChannelId, ClientMessageData, Parameter, PlaybackState, ServerInfo, Service,
};

/// What events may take while they wait: a server that tells of all its channels and schemas at once has some MB of them.
const EVENTS: Queue = Queue { bytes: 16 << 20, overflow: Overflow::DropOldest };

/// What a request or a message takes beside its bytes while it waits to be sent.
const PER_REQUEST: usize = 256;

/// A connection to a server, kept up as the options say. Clones are the same connection; it is closed when it is told to, or
/// when the last of them, of its [`Messages`], [`Events`] and [`Publication`]s is dropped.
///
/// All methods can be called on any thread, and all futures can be dropped at any time: a request that was sent is carried
/// out even so, and a channel whose [`Client::advertise`] was dropped is taken back. While a server takes nothing of what is
/// sent, requests and changes wait for as long as their time-out, all else for a minute at most: the connection is lost then.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
    timeout: Duration,
}

struct Shared {
    commands: mpsc::UnboundedSender<Command>,
    shown: Arc<Shown>,
    ended: watch::Receiver<Option<Ended>>,
    /// Bytes that may wait to be sent.
    outgoing: Arc<Semaphore>,
    next_taker: AtomicU64,
    next_channel: AtomicU32,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("ended", &*self.shared.ended.borrow()).finish_non_exhaustive()
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
        let shared = Shared {
            commands,
            shown,
            ended,
            outgoing: Arc::new(Semaphore::new(OUTGOING)),
            next_taker: AtomicU64::new(0),
            next_channel: AtomicU32::new(1),
        };
        let client = Self { shared: Arc::new(shared), timeout: request_timeout };
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
        Self { shared: self.shared.clone(), timeout }
    }

    /// Waits until the client has ended for good, and says why. Cancel safe.
    pub async fn ended(&self) -> Ended {
        self.end().await
    }

    /// The same without a handle, which would keep the connection open.
    pub(super) fn end(&self) -> impl Future<Output = Ended> + Send + use<> {
        let mut ended = self.shared.ended.clone();
        async move {
            match ended.wait_for(Option::is_some).await {
                Ok(ended) => ended.clone().unwrap_or(Ended::Closed),
                Err(_) => Ended::Closed,
            }
        }
    }

    /// Sends what waits to be sent, for as long as the server takes of it, and closes the connection, for all clones. Takes at
    /// most a few seconds once the server takes nothing more; [`Client::ended`] says [`Ended::Lost`] then.
    pub async fn close(&self) {
        self.shared.shown.is_closing.store(true, Ordering::Relaxed);
        let (done, closed) = oneshot::channel();
        self.command(Command::Close(done));
        // either way it is closed: the other end goes with the task
        closed.await.unwrap_or_default();
    }

    /// What the server is, with all capabilities that it has declared on this connection; None without a connection.
    pub async fn server_info(&self) -> Option<Arc<ServerInfo>> {
        self.look(|state| state.info().cloned()).await.flatten()
    }

    /// The channels that can be subscribed to now.
    pub async fn channels(&self) -> Vec<Arc<Channel>> {
        self.look(|state| state.channels().cloned().collect()).await.unwrap_or_default()
    }

    /// The services that can be called now.
    pub async fn services(&self) -> Vec<Arc<Service>> {
        self.look(|state| state.services().cloned().collect()).await.unwrap_or_default()
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
        let taker = self.next_taker();
        let inbox = Arc::new(Inbox::new(queue));
        if !self.command(Command::Subscribe(taker, topics.into(), Taker::Inbox(inbox.clone()))) {
            inbox.end();
        }
        Messages::new(taker, inbox, self.clone())
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
        let taker = self.next_taker();
        self.command(Command::Subscribe(taker, topics.into(), Taker::Meter(Box::new(meter))));
        Measuring { taker, client: self.clone() }
    }

    fn next_taker(&self) -> TakerId {
        TakerId(self.shared.next_taker.fetch_add(1, Ordering::Relaxed))
    }

    /// Takes what happens beside messages. What there is already comes first: the connection, channels, services and the
    /// state of playback.
    pub fn events(&self) -> Events {
        let inbox = Arc::new(Inbox::new(EVENTS));
        if !self.command(Command::Listen(inbox.clone())) {
            inbox.end();
        }
        Events::new(inbox, self.clone())
    }

    /// Values of parameters; no names: of all. Parameters that are not set are not in the answer.
    pub async fn get_parameters<N: Into<String>>(
        &self,
        names: impl IntoIterator<Item = N>,
    ) -> Result<Vec<Parameter>, RequestError> {
        let names: Vec<String> = names.into_iter().map(Into::into).collect();
        let bytes = names.iter().map(String::len).sum();
        self.request(bytes, |reply| Request::GetParameters(names, reply)).await
    }

    /// Sets parameters, and removes those without a value. The answer has the values that the server has now, which need not
    /// be those that were asked for.
    pub async fn set_parameters(&self, parameters: Vec<Parameter>) -> Result<Vec<Parameter>, RequestError> {
        let bytes = serde_json::to_vec(&parameters).map_or(0, |json| json.len());
        self.request(bytes, |reply| Request::SetParameters(parameters, reply)).await
    }

    /// Asks to be told of parameters whenever they change, by [`Event::Parameters`](super::Event::Parameters), also after the
    /// client has connected again; no names: of all.
    pub async fn follow_parameters<N: Into<String>>(
        &self,
        names: impl IntoIterator<Item = N>,
    ) -> Result<(), RequestError> {
        let names = names.into_iter().map(Into::into).collect();
        self.change(Change::Follow(Followed::from_names(names))).await
    }

    /// Ends [`Client::follow_parameters`] for some, or for all.
    pub async fn unfollow_parameters<N: Into<String>>(
        &self,
        names: impl IntoIterator<Item = N>,
    ) -> Result<(), RequestError> {
        let names = names.into_iter().map(Into::into).collect();
        self.change(Change::Unfollow(Followed::from_names(names))).await
    }

    /// Asks to be told of changes of the connection graph, by [`Event::Graph`](super::Event::Graph), from all that there is on.
    pub async fn follow_graph(&self) -> Result<(), RequestError> {
        self.change(Change::FollowGraph).await
    }

    /// Ends [`Client::follow_graph`].
    pub async fn unfollow_graph(&self) -> Result<(), RequestError> {
        self.change(Change::UnfollowGraph).await
    }

    /// Calls a service with a request in the encoding that the service names.
    pub async fn call(
        &self,
        service: &str,
        request: impl Into<Bytes>,
    ) -> Result<ServiceResponse, RequestError> {
        self.call_in(service, None, request.into()).await
    }

    /// Calls a service with a request in this encoding, one that the server supports.
    pub async fn call_as(
        &self,
        service: &str,
        encoding: &str,
        request: impl Into<Bytes>,
    ) -> Result<ServiceResponse, RequestError> {
        self.call_in(service, Some(encoding.to_owned()), request.into()).await
    }

    async fn call_in(
        &self,
        service: &str,
        encoding: Option<String>,
        request: Bytes,
    ) -> Result<ServiceResponse, RequestError> {
        let name = service.to_owned();
        self.request(request.len(), |reply| Request::Call(name, encoding, request, reply)).await
    }

    /// Fetches a file, for example `package://robot/meshes/arm.stl`.
    pub async fn fetch_asset(&self, uri: &str) -> Result<Bytes, RequestError> {
        let uri = uri.to_owned();
        self.request(uri.len(), |reply| Request::FetchAsset(uri, reply)).await
    }

    /// Asks for playback to go on differently. The answer is its state after that.
    pub async fn control_playback(&self, change: PlaybackChange) -> Result<PlaybackState, RequestError> {
        self.request(0, |reply| Request::Playback(change, reply)).await
    }

    /// What playback is doing, as the server has said last; None if it has said nothing a second after it was connected to.
    pub async fn playback_state(&self) -> Result<Option<PlaybackState>, RequestError> {
        self.request(0, Request::PlaybackState).await
    }

    /// Tells the server of a channel on which this client publishes.
    pub async fn advertise(&self, topic: &ClientTopic) -> Result<Publication, RequestError> {
        let id = ClientChannelId(self.shared.next_channel.fetch_add(1, Ordering::Relaxed));
        let channel = topic.to_channel(id).map_err(|error| RequestError::Failed(error.to_string()))?;
        // made first: if this call is dropped or runs out of time, the channel is taken back
        let publication = Publication { id, client: self.clone() };
        self.change(Change::Advertise(channel)).await?;
        Ok(publication)
    }

    pub(super) async fn publish(&self, id: ClientChannelId, payload: Bytes) -> Result<(), RequestError> {
        let permit = self.permit(payload.len()).await?;
        if !self.shared.shown.can_publish.load(Ordering::Relaxed) {
            return Err(match self.server_info().await {
                Some(_) => RequestError::Unsupported(Capability::ClientPublish),
                None => RequestError::NotConnected,
            });
        }
        let data = ClientMessageData { channel_id: id, payload };
        if self.command(Command::Publish(data, permit)) { Ok(()) } else { Err(RequestError::Closed) }
    }

    /// Room for what is to be sent; waits for it.
    async fn permit(&self, bytes: usize) -> Result<OwnedSemaphorePermit, RequestError> {
        let needed = bytes.saturating_add(PER_REQUEST);
        let needed = u32::try_from(needed).ok().filter(|_| needed <= OUTGOING);
        let needed = needed.ok_or(RequestError::TooLarge(bytes))?;
        self.shared.outgoing.clone().acquire_many_owned(needed).await.map_err(|_closed| RequestError::Closed)
    }

    /// Hands a command to the task; false: there is none any more.
    pub(super) fn command(&self, command: Command) -> bool {
        self.shared.commands.send(command).is_ok()
    }

    async fn look<T: Send + 'static>(&self, look: impl FnOnce(&State) -> T + Send + 'static) -> Option<T> {
        let (sender, seen) = oneshot::channel();
        // nobody may wait for it any more
        self.command(Command::Look(Box::new(move |state| drop(sender.send(look(state))))));
        seen.await.ok()
    }

    async fn change(&self, change: Change) -> Result<(), RequestError> {
        let (sender, answer) = oneshot::channel();
        // nobody may wait for it any more
        self.command(Command::Change(change, Box::new(move |changed| drop(sender.send(changed)))));
        // the task may not get to it, since the connection takes nothing
        match timeout(self.timeout, answer).await {
            Ok(answered) => answered.unwrap_or(Err(RequestError::Closed)),
            Err(_) => Err(RequestError::TimedOut(self.timeout)),
        }
    }

    async fn request<T: Send + 'static>(
        &self,
        bytes: usize,
        request: impl FnOnce(Reply<T>) -> Request,
    ) -> Result<T, RequestError> {
        let deadline = Deadline { at: (Instant::now() + self.timeout).into_std(), after: self.timeout };
        let timed_out = || RequestError::TimedOut(self.timeout);
        let permit = timeout(self.timeout, self.permit(bytes)).await.map_err(|_elapsed| timed_out())??;
        let (sender, answer) = oneshot::channel();
        // given back with the answer, also if nobody waits for it any more: so many requests at once are bounded
        let reply = Box::new(move |answer| {
            drop(permit);
            drop(sender.send(answer));
        });
        self.command(Command::Request(request(reply), deadline));
        // also where the task does not get to it, since the connection takes nothing
        match timeout_at(deadline.at.into(), answer).await {
            Ok(answered) => answered.unwrap_or(Err(RequestError::Closed)),
            Err(_) => Err(timed_out()),
        }
    }
}
