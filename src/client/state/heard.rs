//! What the server says, and what follows from it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use super::super::error::RequestError;
use super::super::event::{Event, Message, Session, service_size};
use super::channels::Advertised;
use super::requests::{ServiceResponse, Waiting};
use super::{LARGEST_TABLES, Output, REQUEST_ID, SETTLING, Server, State};
use crate::protocol::{
    CallId, Capability, DecodeError, MESSAGE_DATA_HEADER, MessageData, PlaybackState, ServerInfo,
    ServerMessage, Service, ServiceId,
};

impl State {
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
                    self.subscriptions.end(id);
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
        match self.subscriptions.takers(data.subscription_id) {
            Some((channel, takers)) => {
                let message =
                    Message { channel: channel.clone(), log_time: data.log_time, payload: data.payload };
                let length = frame.saturating_sub(MESSAGE_DATA_HEADER);
                self.outputs.push_back(Output::Deliver { takers: takers.clone(), message, length });
            }
            None if self.subscriptions.was(data.subscription_id) => {}
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
                self.subscriptions.forget_ids();
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
                    subscriptions.extend(self.subscriptions.settle(&channel));
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
}

/// The number in an id of ours.
fn number(id: &str) -> Option<u32> {
    id.strip_prefix(REQUEST_ID)?.parse().ok()
}
