//! What a client knows of its server and wants of it: messages and requests in, messages and events out.
//!
//! No I/O and no clock. After each call [`State::next_output`] gives what is to be done, in order. What a server
//! sends never makes it panic, and takes no more memory than the limits here; what breaks the protocol is an event, and
//! what breaks a limit ends the connection.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::error::RequestError;
use super::event::{Event, Message, SMALLEST, Session, service_size};
use super::topics::Topics;
use crate::model::Channel;
use crate::protocol::{
    AssetRequestId, CallId, Capability, ClientMessage, ClientMessageData, DecodeError, FetchAsset,
    GetParameters, MESSAGE_DATA_HEADER, MessageData, PlaybackCommand, PlaybackControlRequest, PlaybackState,
    PlaybackStatus, ServerInfo, ServerMessage, Service, ServiceCallRequest, ServiceId, SetParameters,
    Subprotocol, Subscription,
};

mod channels;
mod requests;
mod standing;
mod wishes;

use channels::{Advertised, Channels};
pub(crate) use requests::{Deadline, Reply, Request};
use requests::{Parked, Requests, Waiting};
pub use requests::{PlaybackChange, ServiceResponse};
use standing::Standing;
pub(crate) use standing::{Change, Followed};
pub(crate) use wishes::TakerId;
use wishes::Wishes;

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
    wishes: Wishes,
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
            wishes: Wishes::default(),
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
        self.wishes.end_all();
        self.requests.fail_all();
        // what was to be sent can't be, and what was received counts
        self.outputs.retain(|output| !matches!(output, Output::Send(_) | Output::Fail(_)));
    }

    /// Somebody wants messages, from now on.
    pub(crate) fn subscribe(&mut self, taker: TakerId, topics: Topics) {
        let subscriptions = self.wishes.want(taker, topics, self.channels.all());
        self.send_subscribe(subscriptions);
    }

    /// Somebody wants no more messages.
    pub(crate) fn unsubscribe(&mut self, taker: TakerId) {
        let ended = self.wishes.forget(taker);
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

    /// The server sent what can't be read, in a frame of so many bytes.
    pub(crate) fn on_nonsense(&mut self, error: &DecodeError) {
        self.problem(error.to_string());
    }

    /// The server sent a text that is too long, of so many bytes.
    pub(crate) fn on_long_text(&mut self, bytes: usize) {
        self.problem(format!("a text message of {bytes} bytes is longer than this client takes"));
    }

    fn problem(&mut self, problem: String) {
        let bytes = problem.len();
        self.tell(Event::Problem(problem), bytes);
    }

    /// The server sent a message, in a frame of so many bytes.
    pub(crate) fn on_message(&mut self, message: ServerMessage, bytes: usize, now: Instant) {
        match message {
            ServerMessage::MessageData(data) => self.on_data(data, bytes),
            ServerMessage::Time(time) => self.tell(Event::Time(time), 0),
            ServerMessage::ServerInfo(info) => self.on_info(info, bytes, now),
            ServerMessage::Status(status) => self.tell(Event::Status(status), bytes),
            ServerMessage::RemoveStatus(ids) => self.tell(Event::StatusRemoved(ids), bytes),
            ServerMessage::Advertise(channels) => {
                let advertised = channels.iter().map(|channel| self.channels.add(channel)).collect();
                self.on_advertised(advertised);
            }
            ServerMessage::AdvertiseTable(table) => {
                let advertised = self.channels.add_table(table);
                self.on_advertised(advertised);
            }
            ServerMessage::Unadvertise(ids) => {
                for id in ids {
                    self.wishes.end(id);
                    match self.channels.remove(id) {
                        Some((channel, bytes)) => self.tell(Event::ChannelRemoved(channel), bytes),
                        None => {
                            self.problem(format!("channel {id} is unadvertised, which is not advertised"))
                        }
                    }
                }
            }
            ServerMessage::AdvertiseServices(services) => self.on_services(services, now),
            ServerMessage::UnadvertiseServices(ids) => {
                for id in ids {
                    if let Some(service) = self.services.remove(&id) {
                        let size = service_size(&service);
                        self.service_bytes = self.service_bytes.saturating_sub(size);
                        self.tell(Event::ServiceRemoved(service), size);
                    }
                }
            }
            ServerMessage::ConnectionGraphUpdate(update) => self.tell(Event::Graph(update), bytes),
            ServerMessage::ParameterValues(values) => {
                let id = values.id.as_deref().and_then(number);
                match id.and_then(|id| self.requests.take(id, |it| matches!(it, Waiting::Parameters(_)))) {
                    Some(Waiting::Parameters(reply)) => reply(Ok(values.parameters)),
                    Some(_) | None => self.tell(Event::Parameters(values.parameters), bytes),
                }
            }
            ServerMessage::ServiceCallResponse(answer) => {
                let response = ServiceResponse { encoding: answer.encoding, payload: answer.payload };
                self.on_called(answer.service_id, answer.call_id, Ok(response));
            }
            ServerMessage::ServiceCallFailure(failure) => {
                let error = RequestError::Failed(failure.message);
                self.on_called(failure.service_id, failure.call_id, Err(error));
            }
            ServerMessage::FetchAssetResponse(answer) => {
                match self.requests.take(answer.request_id.0, |it| matches!(it, Waiting::Asset(_))) {
                    Some(Waiting::Asset(reply)) => reply(answer.result.map_err(RequestError::Failed)),
                    Some(_) | None => self.unasked("an asset", answer.request_id.0),
                }
            }
            ServerMessage::PlaybackState(state) => self.on_playback(state, bytes, now),
        }
        if self.service_bytes > LARGEST_TABLES || self.channels.are_too_many() {
            self.outputs.push_back(Output::Fail("it advertises more than this client keeps"));
        }
    }

    /// Whether a message answers a request: it may go before messages that wait, so that one who takes messages can ask
    /// something.
    pub(crate) fn is_answer(&self, message: &ServerMessage) -> bool {
        let waits = |id: u32| self.requests.waits(id, |_| true);
        match message {
            ServerMessage::ParameterValues(values) => {
                values.id.as_deref().and_then(number).is_some_and(waits)
            }
            ServerMessage::ServiceCallResponse(answer) => waits(answer.call_id.0),
            ServerMessage::ServiceCallFailure(failure) => waits(failure.call_id.0),
            ServerMessage::FetchAssetResponse(answer) => waits(answer.request_id.0),
            ServerMessage::PlaybackState(state) => {
                state.request_id.as_deref().and_then(number).is_some_and(waits)
            }
            ServerMessage::ServerInfo(_)
            | ServerMessage::Status(_)
            | ServerMessage::RemoveStatus(_)
            | ServerMessage::Advertise(_)
            | ServerMessage::AdvertiseTable(_)
            | ServerMessage::Unadvertise(_)
            | ServerMessage::AdvertiseServices(_)
            | ServerMessage::UnadvertiseServices(_)
            | ServerMessage::ConnectionGraphUpdate(_)
            | ServerMessage::MessageData(_)
            | ServerMessage::Time(_) => false,
        }
    }

    fn on_data(&mut self, data: MessageData, frame: usize) {
        match self.wishes.takers(data.subscription_id) {
            Some((channel, takers)) => {
                let message =
                    Message { channel: channel.clone(), log_time: data.log_time, payload: data.payload };
                let length = frame.saturating_sub(MESSAGE_DATA_HEADER);
                self.outputs.push_back(Output::Deliver { takers: takers.clone(), message, length });
            }
            None if self.wishes.was(data.subscription_id) => {}
            None => {
                self.problem(format!(
                    "a message for subscription {}, which there never was",
                    data.subscription_id
                ));
            }
        }
    }

    fn on_info(&mut self, mut info: ServerInfo, bytes: usize, now: Instant) {
        let is_same = info.session_id.is_some() && info.session_id == self.session;
        let session = if is_same { Session::Same } else { Session::New };
        self.session.clone_from(&info.session_id);
        self.channels.forget_schemas();
        let (known, is_first) = match self.server.take() {
            Some(server) => (server.capabilities, false),
            None => (BTreeSet::new(), true),
        };
        let mut capabilities = known.clone();
        capabilities.extend(info.capabilities.iter().cloned());
        info.capabilities = capabilities.iter().cloned().collect();
        let info = Arc::new(info);
        let added: Vec<Capability> = capabilities.difference(&known).cloned().collect();
        self.server = Some(Server { info: info.clone(), capabilities, settled_at: now + SETTLING });
        if is_first {
            if session == Session::New {
                self.wishes.forget_ids();
            }
            self.tell(Event::Connected { info, session, subprotocol: self.subprotocol }, bytes);
        } else {
            self.tell(Event::NewInfo { info, session }, bytes);
        }
        for capability in added {
            for message in self.standing.messages(&capability) {
                self.send(message);
            }
        }
    }

    fn on_advertised(&mut self, advertised: Vec<Advertised>) {
        let mut subscriptions = Vec::new();
        for channel in advertised {
            match channel {
                Advertised::New(channel, bytes) => {
                    subscriptions.extend(self.wishes.settle(&channel));
                    self.tell(Event::ChannelAdded(channel), bytes);
                }
                Advertised::Known => {}
                Advertised::Bad(problem) => self.problem(problem),
            }
        }
        self.send_subscribe(subscriptions);
    }

    fn on_services(&mut self, services: Vec<Service>, now: Instant) {
        for service in services {
            let service = Arc::new(service);
            let size = service_size(&service);
            match self.services.insert(service.id, service.clone()) {
                Some(before) if before == service => {}
                before => {
                    let freed = before.as_deref().map_or(0, service_size);
                    self.service_bytes = (self.service_bytes + size).saturating_sub(freed);
                    self.tell(Event::ServiceAdded(service), size);
                }
            }
        }
        self.try_parked(now);
    }

    fn on_playback(&mut self, state: PlaybackState, bytes: usize, now: Instant) {
        self.playback = Some(state.clone());
        let id = state.request_id.as_deref().and_then(number);
        let asked = id.and_then(|id| self.requests.take(id, |it| matches!(it, Waiting::Playback(_))));
        if let Some(Waiting::Playback(reply)) = asked {
            reply(Ok(state.clone()));
        }
        self.tell(Event::Playback(state), bytes);
        self.try_parked(now);
    }

    fn on_called(&mut self, service: ServiceId, call: CallId, answer: Result<ServiceResponse, RequestError>) {
        let fits = |waiting: &Waiting| matches!(waiting, Waiting::Call(called, _) if *called == service);
        match self.requests.take(call.0, fits) {
            Some(Waiting::Call(_, reply)) => reply(answer),
            Some(_) | None => self.unasked("a service", call.0),
        }
    }

    /// An answer that nothing waits for; one to a request that ran out of time is such.
    fn unasked(&mut self, what: &str, id: u32) {
        tracing::debug!("an answer of {what} that nothing waits for, of request {id}");
    }

    /// Asks something of the server.
    pub(crate) fn request(&mut self, request: Request, deadline: Deadline, now: Instant) {
        if self.server.is_none() {
            return request.fail(RequestError::NotConnected);
        }
        let needed = match &request {
            Request::GetParameters(..) | Request::SetParameters(..) => Some(Capability::Parameters),
            Request::Call(..) => Some(Capability::Services),
            Request::FetchAsset(..) => Some(Capability::Assets),
            Request::Playback(..) => Some(Capability::PlaybackControl),
            Request::PlaybackState(_) => None,
        };
        match needed.filter(|capability| !self.offers(capability)) {
            Some(capability) => request.fail(RequestError::Unsupported(capability)),
            None => self.try_request(Parked { request, deadline }, now),
        }
    }

    fn try_parked(&mut self, now: Instant) {
        for parked in std::mem::take(&mut self.requests.parked) {
            self.try_request(parked, now);
        }
    }

    /// Sends a request, or parks it while what it needs may still come.
    fn try_request(&mut self, parked: Parked, now: Instant) {
        let may_come = self.server.as_ref().is_some_and(|server| now < server.settled_at);
        let Parked { request, deadline } = parked;
        match request {
            Request::GetParameters(parameter_names, reply) => {
                let id = Some(self.text_id(deadline, Waiting::Parameters(reply)));
                self.send(ClientMessage::GetParameters(GetParameters { parameter_names, id }));
            }
            Request::SetParameters(parameters, reply) => {
                let id = Some(self.text_id(deadline, Waiting::Parameters(reply)));
                self.send(ClientMessage::SetParameters(SetParameters { parameters, id }));
            }
            Request::FetchAsset(uri, reply) => {
                let request_id = AssetRequestId(self.requests.add(deadline, Waiting::Asset(reply)));
                self.send(ClientMessage::FetchAsset(FetchAsset { uri, request_id }));
            }
            Request::Call(name, encoding, payload, reply) => {
                let service = self.services.values().find(|service| service.name == name).cloned();
                match service {
                    Some(service) => {
                        let encoding = encoding.unwrap_or_else(|| self.request_encoding(&service));
                        let call_id = CallId(self.requests.add(deadline, Waiting::Call(service.id, reply)));
                        let call = ServiceCallRequest { service_id: service.id, call_id, encoding, payload };
                        self.send(ClientMessage::ServiceCallRequest(call));
                    }
                    None if may_come => {
                        let request = Request::Call(name, encoding, payload, reply);
                        self.requests.parked.push(Parked { request, deadline });
                    }
                    None => reply(Err(RequestError::NoSuchService(name))),
                }
            }
            Request::Playback(change, reply) => {
                let is_whole = change.command.is_some() && change.speed.is_some();
                if !is_whole && self.playback.is_none() && may_come {
                    let request = Request::Playback(change, reply);
                    return self.requests.parked.push(Parked { request, deadline });
                }
                let request_id = self.text_id(deadline, Waiting::Playback(reply));
                let request = self.playback_request(change, request_id);
                self.send(ClientMessage::PlaybackControlRequest(request));
            }
            Request::PlaybackState(reply) if self.playback.is_none() && may_come => {
                self.requests.parked.push(Parked { request: Request::PlaybackState(reply), deadline });
            }
            Request::PlaybackState(reply) => reply(Ok(self.playback.clone())),
        }
    }

    fn text_id(&mut self, deadline: Deadline, waiting: Waiting) -> String {
        format!("{REQUEST_ID}{}", self.requests.add(deadline, waiting))
    }

    /// The encoding of a service's requests: its own, else the server's first, else JSON.
    fn request_encoding(&self, service: &Service) -> String {
        let own = service.request.as_ref().map(|request| &request.encoding);
        let first = self.server.as_ref().and_then(|server| server.info.supported_encodings.first());
        own.or(first).map_or_else(|| "json".to_owned(), String::clone)
    }

    /// A request has a command and a speed in any case: those of now, where nothing else is asked for. A server that has
    /// not told its state is taken to be playing at speed 1.
    fn playback_request(&self, change: PlaybackChange, request_id: String) -> PlaybackControlRequest {
        let now = self.playback.as_ref();
        let command = match now.map(|state| state.status) {
            Some(PlaybackStatus::Paused) => PlaybackCommand::Pause,
            Some(PlaybackStatus::Playing | PlaybackStatus::Buffering | PlaybackStatus::Ended) | None => {
                PlaybackCommand::Play
            }
        };
        PlaybackControlRequest {
            command: change.command.unwrap_or(command),
            speed: change.speed.or(now.map(|state| state.speed)).unwrap_or(1.0),
            seek: change.seek,
            request_id,
        }
    }

    /// Whether the server takes what clients publish.
    pub(crate) fn can_publish(&self) -> bool {
        self.offers(&Capability::ClientPublish)
    }
}

/// The number in an id of ours.
fn number(id: &str) -> Option<u32> {
    id.strip_prefix(REQUEST_ID)?.parse().ok()
}

#[cfg(test)]
mod tests;
