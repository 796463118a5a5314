//! What a client knows of its server and wants of it: messages and requests in, messages and events out.
//!
//! No I/O and no clock. After each call [`State::next_output`] gives what is to be done, in order. What a server
//! sends never makes it panic, and takes no more memory than the limits here; what breaks the protocol is an event, and
//! what breaks a limit ends the connection.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::error::RequestError;
use super::event::{Event, Message, SMALLEST, Session};
use super::topics::Topics;
use crate::model::Channel;
use crate::protocol::{
    Capability, ClientMessage, ClientMessageData, PlaybackState, ServerInfo, Service, ServiceId, Subprotocol,
    Subscription,
};

mod asked;
mod channels;
mod heard;
mod requests;
mod standing;
mod subscriptions;

use channels::Channels;
use requests::Requests;
pub(crate) use requests::{Deadline, Reply, Request};
pub use requests::{PlaybackChange, ServiceResponse};
use standing::Standing;
pub(crate) use standing::{Change, Followed};
use subscriptions::Subscriptions;
pub(crate) use subscriptions::TakerId;

/// What the channels, schemas and services of a server may take in memory, in bytes: a server with ten thousand channels
/// takes a few MB.
const LARGEST_TABLES: usize = 256 << 20;

/// How long after `serverInfo` a service or the state of playback may come that was asked for: servers send them at once.
const SETTLING: Duration = Duration::from_secs(1);

/// Ids of requests that are texts on the wire are numbers after this.
const REQUEST_ID: &str = "fb-";

/// What is to be done.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Output {
    /// Send this to the server.
    Send(ClientMessage),
    /// Hand a message to those who take it.
    Deliver {
        takers: Arc<[TakerId]>,
        message: Message,
        /// Bytes of its payload, whether or not it was kept.
        length: usize,
    },
    /// Tell what happened; the number is the bytes that count for it while it waits.
    Tell(Event, usize),
    /// End the connection: the server has sent more than is kept.
    Fail(&'static str),
}

/// What is known of a server since a connection began.
struct Server {
    info: Arc<ServerInfo>,
    /// All that were declared since: a later `serverInfo` takes none back.
    capabilities: BTreeSet<Capability>,
    /// Until when what belongs to the beginning may still come.
    settled_at: Instant,
}

/// See the [module](self).
pub(crate) struct State {
    subscriptions: Subscriptions,
    standing: Standing,
    requests: Requests,
    /// Of the last `serverInfo`, of whatever connection.
    session: Option<String>,
    subprotocol: Subprotocol,
    /// None until the first `serverInfo` of a connection.
    server: Option<Server>,
    channels: Channels,
    services: BTreeMap<ServiceId, Arc<Service>>,
    service_bytes: usize,
    playback: Option<PlaybackState>,
    outputs: VecDeque<Output>,
}

impl State {
    pub(crate) fn new() -> Self {
        Self {
            subscriptions: Subscriptions::default(),
            standing: Standing::default(),
            requests: Requests::default(),
            session: None,
            subprotocol: Subprotocol::WebsocketV1,
            server: None,
            channels: Channels::default(),
            services: BTreeMap::new(),
            service_bytes: 0,
            playback: None,
            outputs: VecDeque::new(),
        }
    }

    /// What is to be done next.
    pub(crate) fn next_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// What the server is, once it has said so on this connection.
    pub(crate) fn info(&self) -> Option<&Arc<ServerInfo>> {
        self.server.as_ref().map(|server| &server.info)
    }

    /// The channels that can be subscribed to.
    pub(crate) fn channels(&self) -> impl Iterator<Item = &Arc<Channel>> {
        self.channels.all()
    }

    /// The services that can be called.
    pub(crate) fn services(&self) -> impl Iterator<Item = &Arc<Service>> {
        self.services.values()
    }

    /// Whether an answer is waited for.
    pub(crate) fn waits_for_answers(&self) -> bool {
        self.requests.are_waiting()
    }

    /// What is, as the events that would tell it: for who begins to listen.
    pub(crate) fn now(&self) -> Vec<Event> {
        let Some(server) = &self.server else { return Vec::new() };
        let (info, subprotocol) = (server.info.clone(), self.subprotocol);
        let mut events = vec![Event::Connected { info, session: Session::New, subprotocol }];
        events.extend(self.channels.all().cloned().map(Event::ChannelAdded));
        events.extend(self.services.values().cloned().map(Event::ServiceAdded));
        events.extend(self.playback.clone().map(Event::Playback));
        events
    }

    /// When [`State::on_time`] has to be called next.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        let settled = self.server.as_ref().map(|server| server.settled_at);
        let settled = settled.filter(|_| !self.requests.parked.is_empty());
        [self.requests.next_deadline(), settled].into_iter().flatten().min()
    }

    /// Time has passed.
    pub(crate) fn on_time(&mut self, now: Instant) {
        self.requests.expire(now);
        if self.server.as_ref().is_some_and(|server| server.settled_at <= now) {
            self.try_parked(now);
        }
    }

    /// A connection is open.
    pub(crate) fn on_connected(&mut self, subprotocol: Subprotocol) {
        self.subprotocol = subprotocol;
    }

    /// The connection is gone: all channels and services are, and requests are answered.
    pub(crate) fn on_disconnected(&mut self) {
        self.server = None;
        self.channels = Channels::default();
        self.services.clear();
        self.service_bytes = 0;
        self.playback = None;
        self.subscriptions.end_all();
        self.requests.fail_all();
        // what was to be sent can't be, and what was received counts
        self.outputs.retain(|output| !matches!(output, Output::Send(_) | Output::Fail(_)));
    }

    /// Somebody wants messages, from now on.
    pub(crate) fn subscribe(&mut self, taker: TakerId, topics: Topics) {
        let subscriptions = self.subscriptions.want(taker, topics, self.channels.all());
        self.send_subscribe(subscriptions);
    }

    /// Somebody wants no more messages.
    pub(crate) fn unsubscribe(&mut self, taker: TakerId) {
        let ended = self.subscriptions.forget(taker);
        if !ended.is_empty() {
            self.send(ClientMessage::Unsubscribe(ended));
        }
    }

    fn send_subscribe(&mut self, subscriptions: Vec<Subscription>) {
        if !subscriptions.is_empty() {
            self.send(ClientMessage::Subscribe(subscriptions));
        }
    }

    /// The client does something until further notice. Without a connection it is done as soon as there is one.
    pub(crate) fn change(&mut self, change: Change) -> Result<(), RequestError> {
        let is_end = matches!(change, Change::Unadvertise(_) | Change::Unfollow(_) | Change::UnfollowGraph);
        let needed = change.clone().message().required_capability();
        let offered = needed.as_ref().is_none_or(|capability| self.offers(capability));
        if let (Some(_), false, false, Some(capability)) = (&self.server, offered, is_end, &needed) {
            return Err(RequestError::Unsupported(capability.clone()));
        }
        if self.standing.note(&change) && offered && self.server.is_some() {
            self.send(change.message());
        }
        Ok(())
    }

    /// The client publishes; false if it can't at the moment.
    pub(crate) fn publish(&mut self, data: ClientMessageData) -> bool {
        let can = self.offers(&Capability::ClientPublish);
        if can {
            self.send(ClientMessage::MessageData(data));
        }
        can
    }

    fn offers(&self, capability: &Capability) -> bool {
        self.server.as_ref().is_some_and(|server| server.capabilities.contains(capability))
    }

    fn send(&mut self, message: ClientMessage) {
        self.outputs.push_back(Output::Send(message));
    }

    fn tell(&mut self, event: Event, bytes: usize) {
        self.outputs.push_back(Output::Tell(event, SMALLEST + bytes));
    }

    /// Whether the server takes what clients publish.
    pub(crate) fn can_publish(&self) -> bool {
        self.offers(&Capability::ClientPublish)
    }
}

#[cfg(test)]
mod tests;
