//! `/api/events`: the state whenever it changes, as server-sent events (the HTML standard, section 9.2).
//!
//! One task makes the events for all listeners, while there are any. It puts the newest of each kind on a [`board`], from
//! which each listener takes what it has not sent: one that reads slowly misses states that are out of date, and costs
//! nothing. Bound: [`LISTENERS`].

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, Response, StatusCode, header};
use bytes::Bytes;
use hyper::body::Frame;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_util::sync::CancellationToken;

use super::Api;
use super::answer::{Refusal, whole};
use crate::hub::lock;
use board::{Board, Kind, event};

mod board;
mod producer;

/// Listeners at once.
const LISTENERS: usize = 100;

/// A listener is sent a comment if there was nothing else for this long, so that proxies keep the connection.
const COMMENT_AFTER: Duration = Duration::from_secs(15);

/// Who makes events, and for whom.
pub(super) struct Events {
    board: watch::Sender<Board>,
    /// A task makes events.
    is_producing: Mutex<bool>,
    places: Arc<Semaphore>,
}

impl Default for Events {
    fn default() -> Self {
        Self {
            board: watch::Sender::new(Board::default()),
            is_producing: Mutex::new(false),
            places: Arc::new(Semaphore::new(LISTENERS)),
        }
    }
}

impl Events {
    /// A listener, for whom a task makes events.
    fn listen(api: &Arc<Api>) -> watch::Receiver<Board> {
        let events = &api.events;
        let mut is_producing = lock(&events.is_producing);
        let listener = events.board.subscribe();
        if !std::mem::replace(&mut is_producing, true) {
            tokio::spawn(producer::run(api.clone()));
        }
        listener
    }

    /// How many listen.
    pub(super) fn listeners(&self) -> usize {
        LISTENERS - self.places.available_permits()
    }

    /// Whether the task that makes events may end, since nobody listens.
    fn may_end(&self) -> bool {
        let mut is_producing = lock(&self.is_producing);
        *is_producing = self.board.receiver_count() > 0;
        !*is_producing
    }
}

pub(super) async fn answer(State(api): State<Arc<Api>>) -> Result<Response<Body>, Refusal> {
    let full = |_none_left| {
        let text = format!("{LISTENERS} listen to events, and no more may; try again later");
        Refusal::later(text)
    };
    let place = api.events.places.clone().try_acquire_owned().map_err(full)?;
    let mut board = Events::listen(&api);
    // what is newer than the state that comes first
    let seen = board.borrow_and_update().newest();
    let first = whole_state(&api).await;
    let listener = Listener { board, seen, stopping: api.stopping.clone() };
    let body = Stream { _place: place, first: Some(first), next: Box::pin(listener.next()) };
    let mut response = whole(StatusCode::OK, "text/event-stream", Body::new(body));
    // nginx gathers answers otherwise
    response.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream; charset=utf-8"));
    Ok(response)
}

/// What a listener begins with.
async fn whole_state(api: &Arc<Api>) -> Bytes {
    let snapshot = api.hub.snapshot();
    let status = api.status(&snapshot).await;
    let counts = api.counts.get(&api.hub).await;
    let mut events = event(Kind::Status, &status);
    if let Some(playback) = &status.playback {
        events.extend_from_slice(&event(Kind::Playback, playback));
    }
    events.extend_from_slice(&event(Kind::Topics, &super::topics::Topics::of(&snapshot, counts.as_deref())));
    events.extend_from_slice(&event(Kind::Clients, &super::clients::Clients::of(&snapshot)));
    events.into()
}

/// One who listens.
struct Listener {
    board: watch::Receiver<Board>,
    /// The newest event that it was sent.
    seen: u64,
    stopping: CancellationToken,
}

impl Listener {
    /// What is to be sent next, and the listener for what comes then; None at the end.
    async fn next(mut self) -> Option<(Bytes, Self)> {
        let changed = tokio::select! {
            () = self.stopping.cancelled() => return None,
            changed = tokio::time::timeout(COMMENT_AFTER, self.board.changed()) => changed,
        };
        let bytes = match changed {
            Err(_elapsed) => Bytes::from_static(b":\n\n"),
            Ok(Err(_gone)) => return None,
            Ok(Ok(())) => {
                let board = self.board.borrow_and_update();
                let events = board.since(self.seen);
                self.seen = board.newest();
                events
            }
        };
        Some((bytes, self))
    }
}

type Next = Pin<Box<dyn Future<Output = Option<(Bytes, Listener)>> + Send>>;

/// The body of the answer.
struct Stream {
    _place: OwnedSemaphorePermit,
    first: Option<Bytes>,
    next: Next,
}

impl hyper::body::Body for Stream {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        let Some((bytes, listener)) = ready!(self.next.as_mut().poll(context)) else {
            return Poll::Ready(None);
        };
        self.next = Box::pin(listener.next());
        Poll::Ready(Some(Ok(Frame::data(bytes))))
    }
}
