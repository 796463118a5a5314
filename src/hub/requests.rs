//! What a client asks of the capabilities. Each request gets exactly one answer, whatever becomes of its provider. One that
//! panics is logged, and the client's connection goes on.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use bytes::Bytes;

use super::capability::playback::PlaybackRequest;
use super::capability::services::ServiceCall;
use super::capability::{Slots, graph};
use super::guard::call;
use super::outbox::ControlKind;
use super::responder::{NoAnswer, Responder};
use super::{Access, Client, Queue, State, lock};
use crate::protocol::{
    Capability, GetParameters, Parameter, ParameterValues, PlaybackControlRequest, PlaybackState,
    ServerMessage, ServiceCallFailure, ServiceCallRequest, ServiceCallResponse, SetParameters, Status,
};

/// Why what a client asks for is not done.
pub(super) const READ_ONLY: &str = "this server is read-only";

/// Nobody provides what is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unsupported(pub(crate) Capability);

/// A request of this client that is with a provider.
pub(super) struct Pending {
    queue: Weak<Queue>,
    count: Arc<AtomicUsize>,
}

impl Pending {
    fn send(self, message: &ServerMessage) {
        if let Some(queue) = self.queue.upgrade() {
            queue.control(ControlKind::Other, message.encode().into());
        }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Client {
    /// An error, for the answer, if there are too many already.
    pub(super) fn pending(&self) -> Result<Pending, String> {
        let pending = Pending { queue: Arc::downgrade(&self.queue), count: self.pending.clone() };
        // counted also if it is refused: dropping it takes it back
        let limit = self.limits().requests;
        if self.pending.fetch_add(1, Ordering::Relaxed) < limit {
            return Ok(pending);
        }
        Err(format!("{limit} requests of this client wait for an answer, and no more may; try again later"))
    }

    /// None, and a status about what was asked for, if there are too many already.
    fn pending_or_status(&self, request: &str) -> Option<Pending> {
        self.pending().map_err(|busy| self.status(Status::error(format!("{request}: {busy}")))).ok()
    }

    /// Whether this client may only look; if so, it is sent a status about what it asked for.
    pub(super) fn refuses(&self, request: impl fmt::Display) -> bool {
        let refuses = self.is_read_only();
        if refuses {
            self.status(Status::error(format!("{request}: {READ_ONLY}")));
        }
        refuses
    }

    fn is_read_only(&self) -> bool {
        self.hub.0.options.access == Access::ReadOnly
    }

    pub(super) fn status(&self, status: Status) {
        self.send(&ServerMessage::Status(status));
    }

    /// Who provides a capability; called without the hub's lock.
    pub(super) fn provider<T: Clone>(
        &self,
        capability: Capability,
        slot: impl FnOnce(&Slots) -> Option<&T>,
    ) -> Result<T, Unsupported> {
        slot(&lock(&self.hub.0.state).slots).cloned().ok_or(Unsupported(capability))
    }

    /// Passes a playback control request on. The answer is the state that the player publishes with the request's id, or a
    /// status if there is no player any more.
    pub(crate) fn control(&self, request: PlaybackControlRequest) -> Result<(), Unsupported> {
        let mut state = lock(&self.hub.0.state);
        let playback = state.slots.playback.as_ref().cloned();
        let playback = playback.ok_or(Unsupported(Capability::PlaybackControl))?;
        let what = format!("playback control request {:?}", request.request_id);
        if self.refuses(&what) {
            return Ok(());
        }
        if let Some(member) = state.members.get_mut(&self.id) {
            member.controls = true;
            lock(&member.queue.outbox).begin_sessions_at_once();
            member.queue.wake.notify_one();
        }
        drop(state);
        let Some(pending) = self.pending_or_status(&what) else { return Ok(()) };
        let request = PlaybackRequest::of_client(self.id, request);
        let answer = Responder::new(move |published: Result<PlaybackState, NoAnswer>| {
            if let Err(none) = published {
                pending.send(&ServerMessage::Status(Status::error(format!("{what}: {none}"))));
            }
        });
        call("playback control", || playback.request(request, answer));
        Ok(())
    }

    /// Answers a playback control request that can't be carried out: with the state as it is, to this client alone.
    pub(crate) fn refuse_control(&self, request: PlaybackControlRequest) -> Result<(), Unsupported> {
        let state = lock(&self.hub.0.state);
        if state.slots.playback.as_ref().is_none() {
            return Err(Unsupported(Capability::PlaybackControl));
        }
        let playback = state.playback.clone().filter(|_| !self.is_read_only());
        drop(state);
        if let Some(playback) = playback {
            let request_id = Some(request.request_id);
            self.send(&ServerMessage::PlaybackState(PlaybackState {
                did_seek: false,
                request_id,
                ..playback
            }));
        }
        Ok(())
    }

    pub(crate) fn get_parameters(&self, request: GetParameters) -> Result<(), Unsupported> {
        let parameters = self.provider(Capability::Parameters, |slots| slots.parameters.as_ref())?;
        let GetParameters { parameter_names, id } = request;
        let Some(pending) = self.pending_or_status("getParameters") else { return Ok(()) };
        let answer = answer_parameters(pending, id, Answered::Always);
        call("parameters", || parameters.get(parameter_names, answer));
        Ok(())
    }

    pub(crate) fn set_parameters(&self, request: SetParameters) -> Result<(), Unsupported> {
        let provider = self.provider(Capability::Parameters, |slots| slots.parameters.as_ref())?;
        let SetParameters { parameters, id } = request;
        let Some(pending) = self.pending_or_status("setParameters") else { return Ok(()) };
        if self.refuses("setParameters") {
            // a viewer shows what it has set until it is sent what holds
            let answer = answer_parameters(pending, id, Answered::Always);
            let names: Vec<String> = parameters.into_iter().map(|parameter| parameter.name).collect();
            if names.is_empty() {
                answer.respond(Vec::new());
            } else {
                call("parameters", || provider.get(names, answer));
            }
            return Ok(());
        }
        let answer = answer_parameters(pending, id, Answered::WithId);
        call("parameters", || provider.set(parameters, self.id, answer));
        Ok(())
    }

    pub(crate) fn follow_parameters(&self, names: Vec<String>) -> Result<(), Unsupported> {
        let mut state = lock(&self.hub.0.state);
        if state.slots.parameters.as_ref().is_none() {
            return Err(Unsupported(Capability::ParametersSubscribe));
        }
        let limit = self.limits().parameters;
        let added = state.members.get_mut(&self.id).is_none_or(|member| member.followed.add(names, limit));
        drop(state);
        if !added {
            self.status(Status::error(format!(
                "subscribeParameterUpdates: too many names: a client may follow {limit} at once"
            )));
        }
        Ok(())
    }

    pub(crate) fn unfollow_parameters(&self, names: &[String]) -> Result<(), Unsupported> {
        let mut state = lock(&self.hub.0.state);
        if state.slots.parameters.as_ref().is_none() {
            return Err(Unsupported(Capability::ParametersSubscribe));
        }
        if let Some(member) = state.members.get_mut(&self.id) {
            member.followed.remove(names);
        }
        Ok(())
    }

    pub(crate) fn follow_graph(&self) -> Result<(), Unsupported> {
        self.hub.refresh_connections();
        let mut state = lock(&self.hub.0.state);
        let State { slots, members, .. } = &mut *state;
        let graph = slots.graph.as_ref().ok_or(Unsupported(Capability::ConnectionGraph))?;
        let Some(member) = members.get_mut(&self.id) else { return Ok(()) };
        member.follows_graph = true;
        // whole also to one that follows it already: viewers ask for it again in each session
        member.queue.control(ControlKind::Other, graph::whole(graph));
        drop(state);
        self.hub.attend_connections();
        Ok(())
    }

    pub(crate) fn unfollow_graph(&self) -> Result<(), Unsupported> {
        let mut state = lock(&self.hub.0.state);
        if state.slots.graph.as_ref().is_none() {
            return Err(Unsupported(Capability::ConnectionGraph));
        }
        if let Some(member) = state.members.get_mut(&self.id) {
            member.follows_graph = false;
        }
        Ok(())
    }

    pub(crate) fn call_service(&self, request: ServiceCallRequest) {
        let ServiceCallRequest { service_id, call_id, encoding, payload } = request;
        let failure = move |message: String| {
            ServerMessage::ServiceCallFailure(ServiceCallFailure { service_id, call_id, message })
        };
        let state = lock(&self.hub.0.state);
        let service = match state.slots.services.as_ref() {
            None => Err("this server has no services".to_owned()),
            Some(_) if self.is_read_only() => Err(READ_ONLY.to_owned()),
            Some(services) => {
                services.find(service_id).ok_or_else(|| format!("there is no service {}", service_id.0))
            }
        };
        drop(state);
        let service = match service {
            Ok(service) => service,
            Err(message) => return self.send(&failure(message)),
        };
        let pending = match self.pending() {
            Ok(pending) => pending,
            Err(busy) => return self.send(&failure(busy)),
        };
        let request = ServiceCall { client: self.id, encoding: encoding.clone(), payload };
        let answer = Responder::new(move |answer: Result<Result<Bytes, String>, NoAnswer>| {
            let message = match answer.unwrap_or_else(|none| Err(none.to_string())) {
                Ok(payload) => ServerMessage::ServiceCallResponse(ServiceCallResponse {
                    service_id,
                    call_id,
                    encoding,
                    payload,
                }),
                Err(message) => failure(message),
            };
            pending.send(&message);
        });
        call("a service", || service.call(request, answer));
    }
}

/// Which requests about parameters are answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answered {
    Always,
    /// Those that have an id (`setParameters`).
    WithId,
}

fn answer_parameters(pending: Pending, id: Option<String>, answered: Answered) -> Responder<Vec<Parameter>> {
    Responder::new(move |answer: Result<Vec<Parameter>, NoAnswer>| match answer {
        Ok(mut parameters) if answered == Answered::Always || id.is_some() => {
            // who asks for one that does not exist is not shown it
            parameters.retain(|parameter| parameter.value.is_some());
            pending.send(&ServerMessage::ParameterValues(ParameterValues { parameters, id }));
        }
        Ok(_) => {}
        Err(none) => pending.send(&ServerMessage::Status(Status::error(format!("parameters: {none}")))),
    })
}
