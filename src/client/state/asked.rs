//! What is asked of the server.

use std::time::Instant;

use super::super::error::RequestError;
use super::requests::{Deadline, Parked, PlaybackChange, Request, Waiting};
use super::{REQUEST_ID, State};
use crate::protocol::{
    AssetRequestId, CallId, Capability, ClientMessage, FetchAsset, GetParameters, PlaybackCommand,
    PlaybackControlRequest, PlaybackStatus, Service, ServiceCallRequest, SetParameters,
};

impl State {
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

    pub(super) fn try_parked(&mut self, now: Instant) {
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
}
