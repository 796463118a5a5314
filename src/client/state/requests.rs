//! Requests and their answers: each gets exactly one, from the server, or because its time is over or the connection gone.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::super::error::RequestError;
use crate::protocol::{Parameter, PlaybackCommand, PlaybackState, ServiceId};
use crate::time::Timestamp;

/// Takes the one answer to a request. What drops it without calling it is the end of the client.
pub(crate) type Reply<T> = Box<dyn FnOnce(Result<T, RequestError>) + Send>;

/// The answer of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceResponse {
    /// Message encoding of the payload.
    pub encoding: String,
    /// The response.
    pub payload: Bytes,
}

/// How playback is to go on; what is None stays as it is.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct PlaybackChange {
    /// Whether time is to move.
    pub command: Option<PlaybackCommand>,
    /// Log time per wall time.
    pub speed: Option<f32>,
    /// Where to go first.
    pub seek: Option<Timestamp>,
}

/// What is asked of the server.
pub(crate) enum Request {
    GetParameters(Vec<String>, Reply<Vec<Parameter>>),
    SetParameters(Vec<Parameter>, Reply<Vec<Parameter>>),
    /// The name of a service, the encoding of the request (None: that of the service) and the request.
    Call(String, Option<String>, Bytes, Reply<ServiceResponse>),
    FetchAsset(String, Reply<Bytes>),
    Playback(PlaybackChange, Reply<PlaybackState>),
    /// What playback is doing, as the server has said last.
    PlaybackState(Reply<Option<PlaybackState>>),
}

impl Request {
    pub(super) fn fail(self, error: RequestError) {
        match self {
            Self::GetParameters(_, reply) | Self::SetParameters(_, reply) => reply(Err(error)),
            Self::Call(_, _, _, reply) => reply(Err(error)),
            Self::FetchAsset(_, reply) => reply(Err(error)),
            Self::Playback(_, reply) => reply(Err(error)),
            Self::PlaybackState(reply) => reply(Err(error)),
        }
    }
}

/// When a request has to be answered at the latest.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline {
    pub(crate) at: Instant,
    /// How long that was from its beginning.
    pub(crate) after: Duration,
}

/// What an answer has to fit to.
pub(super) enum Waiting {
    Parameters(Reply<Vec<Parameter>>),
    Call(ServiceId, Reply<ServiceResponse>),
    Asset(Reply<Bytes>),
    Playback(Reply<PlaybackState>),
}

impl Waiting {
    fn fail(self, error: RequestError) {
        match self {
            Self::Parameters(reply) => reply(Err(error)),
            Self::Call(_, reply) => reply(Err(error)),
            Self::Asset(reply) => reply(Err(error)),
            Self::Playback(reply) => reply(Err(error)),
        }
    }
}

/// A request that waits for something that the server says soon after the connection has begun.
pub(super) struct Parked {
    pub(super) request: Request,
    pub(super) deadline: Deadline,
}

/// Requests that have not been answered.
#[derive(Default)]
pub(super) struct Requests {
    sent: BTreeMap<u32, (Deadline, Waiting)>,
    due: BTreeSet<(Instant, u32)>,
    next: u32,
    pub(super) parked: Vec<Parked>,
}

impl Requests {
    /// Notes a request that is sent, under an id that is not in use.
    pub(super) fn add(&mut self, deadline: Deadline, waiting: Waiting) -> u32 {
        while self.sent.contains_key(&self.next) {
            self.next = self.next.wrapping_add(1);
        }
        let id = self.next;
        self.next = id.wrapping_add(1);
        self.sent.insert(id, (deadline, waiting));
        self.due.insert((deadline.at, id));
        id
    }

    /// Whether any answer is waited for.
    pub(super) fn are_waiting(&self) -> bool {
        !self.sent.is_empty()
    }

    /// Whether a request waits for such an answer.
    pub(super) fn waits(&self, id: u32, fits: impl FnOnce(&Waiting) -> bool) -> bool {
        self.sent.get(&id).is_some_and(|(_, waiting)| fits(waiting))
    }

    /// Takes the request that an answer fits to.
    pub(super) fn take(&mut self, id: u32, fits: impl FnOnce(&Waiting) -> bool) -> Option<Waiting> {
        if !self.waits(id, fits) {
            return None;
        }
        let (deadline, waiting) = self.sent.remove(&id)?;
        self.due.remove(&(deadline.at, id));
        Some(waiting)
    }

    /// When the next request runs out of time.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let parked = self.parked.iter().map(|parked| parked.deadline.at).min();
        [self.due.first().map(|(at, _)| *at), parked].into_iter().flatten().min()
    }

    /// Answers those whose time is over.
    pub(super) fn expire(&mut self, now: Instant) {
        while let Some((at, id)) = self.due.first().copied().filter(|(at, _)| *at <= now) {
            self.due.remove(&(at, id));
            if let Some((deadline, waiting)) = self.sent.remove(&id) {
                waiting.fail(RequestError::TimedOut(deadline.after));
            }
        }
        let over = self.parked.extract_if(.., |parked| parked.deadline.at <= now);
        for parked in over.collect::<Vec<_>>() {
            parked.request.fail(RequestError::TimedOut(parked.deadline.after));
        }
    }

    /// The connection is gone.
    pub(super) fn fail_all(&mut self) {
        self.due.clear();
        for (_, waiting) in std::mem::take(&mut self.sent).into_values() {
            waiting.fail(RequestError::Disconnected);
        }
        for parked in std::mem::take(&mut self.parked) {
            parked.request.fail(RequestError::Disconnected);
        }
    }
}
