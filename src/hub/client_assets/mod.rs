//! The assets that one client fetches.
//!
//! They may be large, and a client may ask for many at once and read slowly. So its requests wait here: [`AT_ONCE`] of
//! them are with the provider, and while [`IN_FLIGHT`] bytes of answers are not written yet, none is. An answer counts
//! until the last byte of it is written.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, Weak};

use bytes::Bytes;

use super::guard::call;
use super::outbox::{ControlKind, Encoded};
use super::requests::Pending;
use super::responder::{NoAnswer, Responder};
use super::{Client, Hub, Queue, WeakHub, lock};
use crate::protocol::{AssetRequestId, FetchAsset, FetchAssetResponse, ServerMessage};

/// Requests of a client that the provider has at once.
const AT_ONCE: usize = 4;

/// Bytes of answers on their way to a client, beyond which no further asset is asked for.
const IN_FLIGHT: usize = 16 << 20;

/// What a client has asked for, and what is on its way.
pub(super) struct AssetRequests {
    hub: WeakHub,
    queue: Weak<Queue>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<(FetchAsset, Pending)>,
    /// Requests that the provider has.
    asked: usize,
    /// Bytes of answers that are not written yet.
    bytes: usize,
    /// A thread passes requests on.
    is_passing: bool,
    has_left: bool,
}

impl State {
    fn next(&mut self) -> Option<(FetchAsset, Pending)> {
        if self.has_left || self.asked >= AT_ONCE || self.bytes >= IN_FLIGHT {
            return None;
        }
        let next = self.waiting.pop_front()?;
        self.asked += 1;
        Some(next)
    }
}

impl AssetRequests {
    pub(super) fn new(hub: &Hub, queue: &Arc<Queue>) -> Arc<Self> {
        Arc::new(Self { hub: hub.downgrade(), queue: Arc::downgrade(queue), state: Mutex::default() })
    }

    /// The client has left: what waits is of no use.
    pub(super) fn leave(&self) {
        let mut state = lock(&self.state);
        state.has_left = true;
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        drop(waiting);
    }

    /// Passes requests on, as far as there is room. One thread does it: a provider that answers at once calls this again.
    fn pass_on(self: &Arc<Self>) {
        let mut state = lock(&self.state);
        if std::mem::replace(&mut state.is_passing, true) {
            return;
        }
        while let Some((request, pending)) = state.next() {
            drop(state);
            self.ask(request, pending);
            state = lock(&self.state);
        }
        state.is_passing = false;
    }

    fn ask(self: &Arc<Self>, request: FetchAsset, pending: Pending) {
        let FetchAsset { uri, request_id } = request;
        let own = self.clone();
        let answer = Responder::new(move |answer: Result<Result<Bytes, String>, NoAnswer>| {
            own.answer(request_id, answer.unwrap_or_else(|none| Err(none.to_string())), pending);
        });
        let hub = self.hub.upgrade();
        let assets = hub.and_then(|hub| lock(&hub.0.state).slots.assets.as_ref().cloned());
        match assets {
            Some(assets) => drop(call("assets", || assets.fetch(uri, answer))),
            // its slot is never emptied
            None => drop(answer),
        }
    }

    fn answer(self: &Arc<Self>, request_id: AssetRequestId, result: Result<Bytes, String>, pending: Pending) {
        let frame = ServerMessage::FetchAssetResponse(FetchAssetResponse { request_id, result }).encode();
        let mut state = lock(&self.state);
        state.asked -= 1;
        let queue = self.queue.upgrade().filter(|_| !state.has_left);
        if let (Encoded::Binary(frame), Some(queue)) = (Encoded::from(frame), queue) {
            state.bytes += frame.len();
            drop(state);
            let on_its_way = OnItsWay { frame, requests: self.clone() };
            queue.control(ControlKind::Other, Encoded::Large(Bytes::from_owner(on_its_way)));
        } else {
            drop(state);
        }
        drop(pending);
        self.pass_on();
    }
}

/// An answer that is not written yet.
struct OnItsWay {
    frame: Bytes,
    requests: Arc<AssetRequests>,
}

impl AsRef<[u8]> for OnItsWay {
    fn as_ref(&self) -> &[u8] {
        &self.frame
    }
}

impl Drop for OnItsWay {
    fn drop(&mut self) {
        let requests = self.requests.clone();
        let mut state = lock(&requests.state);
        state.bytes -= self.frame.len();
        let goes_on = !(state.waiting.is_empty() || state.has_left) && state.bytes < IN_FLIGHT;
        drop(state);
        if !goes_on {
            return;
        }
        // whoever writes or drops it may hold locks that a provider needs
        let Some(hub) = requests.hub.upgrade() else { return };
        let run = requests.clone();
        if let Err(error) = hub.workers().run(Box::new(move || run.pass_on())) {
            tracing::debug!("assets: {error}");
            // all threads are taken: a thread for this alone
            let thread = std::thread::Builder::new().name("assets".into());
            if let Err(error) = thread.spawn(move || requests.pass_on()) {
                tracing::warn!("assets of a client are not asked for before it asks again: {error}");
            }
        }
    }
}

impl Client {
    /// Fetches an asset. It is answered once, also if there is none.
    pub(crate) fn fetch_asset(&self, request: FetchAsset) {
        let request_id = request.request_id;
        let refuse = |reason: &str| {
            let result = Err(reason.to_owned());
            self.send(&ServerMessage::FetchAssetResponse(FetchAssetResponse { request_id, result }));
        };
        if lock(&self.hub.0.state).slots.assets.as_ref().is_none() {
            return refuse("this server has no assets");
        }
        let pending = match self.pending() {
            Ok(pending) => pending,
            Err(busy) => return refuse(&busy),
        };
        lock(&self.assets.state).waiting.push_back((request, pending));
        self.assets.pass_on();
    }
}

#[cfg(test)]
mod tests;
