//! Plain HTTP on the port: what is served, as JSON, playback control, and what operators ask for. See `docs/http.md`.
//!
//! Requests pass the [`guard`] first. What can take long, a disk or a large message, is done on threads that may block.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, Method, Response, StatusCode};
use axum::middleware;
use axum::routing::{get, post};
use tokio_util::sync::CancellationToken;

use super::about::{About, Readiness};
use super::metric::Metric;
use super::origin::Gate;
use super::page;
use super::refusals::Refusals;
use crate::hub::Hub;
use answer::Refusal;
use counts::Counts;
use events::Events;
pub(super) use folders::Folders;
use latest::Messages;
use waiting::Waiting;

mod answer;
mod clients;
mod counts;
mod events;
mod file_body;
mod files;
mod folders;
mod front;
mod guard;
mod health;
mod latest;
mod metrics;
mod playback;
mod save;
mod status;
mod timeline;
mod topics;
mod waiting;

/// What is offered over HTTP, beside WebSocket connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Http {
    /// Everything that `docs/http.md` names.
    #[default]
    Full,
    /// `/healthz`, `/readyz` and `/metrics` alone.
    HealthOnly,
}

/// What requests are answered from.
pub(super) struct Api {
    pub(super) hub: Hub,
    offered: Offered,
    /// The server ends: answers that go on for ever end too.
    stopping: CancellationToken,
    pub(super) gate: Gate,
    pub(super) refusals: Refusals,
    counts: Arc<Counts>,
    events: Events,
    messages: Messages,
    downloads: files::Downloads,
    timelines: timeline::Turns,
    waiting: Waiting,
}

/// What a server is told to offer.
#[derive(Default)]
pub(super) struct Offered {
    pub(super) about: About,
    pub(super) readiness: Readiness,
    pub(super) metrics: Vec<Metric>,
    pub(super) folders: Folders,
}

impl Api {
    pub(super) fn new(hub: Hub, offered: Offered, stopping: CancellationToken, gate: Gate) -> Arc<Self> {
        let (refusals, counts, events, messages) = Default::default();
        let (downloads, timelines, waiting) = Default::default();
        Arc::new(Self {
            hub,
            offered,
            gate,
            stopping,
            refusals,
            counts,
            events,
            messages,
            downloads,
            timelines,
            waiting,
        })
    }
}

/// All routes of the port: `sockets` are those of WebSocket connections.
pub(super) fn router(api: Arc<Api>, http: Http, sockets: Router) -> Router {
    let health = Router::new()
        .route("/healthz", get(health::lives))
        .route("/readyz", get(health::is_ready))
        .route("/metrics", get(metrics::answer));
    let pages = match http {
        Http::HealthOnly => Router::new(),
        Http::Full => Router::new()
            .route("/api/status", get(status::answer))
            .route("/api/topics", get(topics::answer))
            .route("/api/topics/{topic}/latest", get(latest::answer))
            .route("/api/clients", get(clients::answer))
            .route("/api/playback", get(playback::answer).post(playback::control))
            .route("/api/events", get(events::answer))
            .route("/api/save", post(save::answer))
            .route("/api/timeline", get(timeline::answer))
            .route("/files/", get(files::list))
            .route("/files/{name}", get(files::send))
            .route("/layouts/{*name}", get(folders::layout))
            .route("/viewer", get(folders::to_viewer))
            .route("/viewer/", get(folders::viewer))
            .route("/viewer/{*path}", get(folders::viewer))
            .merge(page::routes()),
    };
    health
        .merge(pages)
        .with_state(api.clone())
        .merge(sockets)
        .fallback(nothing_there)
        .method_not_allowed_fallback(wrong_method)
        .layer(middleware::from_fn_with_state(api, guard::guard))
}

/// What who opens the port is shown, where that is no browser or there is no page.
pub(super) fn front(api: &Api) -> Response<Body> {
    front::page(&api.offered)
}

async fn nothing_there(request: Request) -> Refusal {
    Refusal::new(
        StatusCode::NOT_FOUND,
        format!("there is no {}; docs/http.md names what there is", request.uri().path()),
    )
}

async fn wrong_method(request: Request) -> Refusal {
    let (method, path) = (request.method(), request.uri().path());
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, format!("{path} can't be asked with {method}"))
}

/// Whether a request changes something.
fn changes(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// Whether a path is part of the API.
fn is_api(path: &str) -> bool {
    path.starts_with("/api/")
}

/// The value of a header, if it is text.
fn header_text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests;
