//! Plain HTTP on the port: what is served, as JSON, playback control, and what operators ask for. See `docs/http.md`.
//!
//! Requests pass the [`guard`] first, then the layer of [`cors`]. What can take long, a disk or a large message, is done on threads that may block.

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware;
use axum::routing::{get, post};
use tokio_util::sync::CancellationToken;
use tower_http::set_header::SetResponseHeaderLayer;

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
pub use folders::{Layout, layouts};
pub(super) use guard::malformed;
use latest::Messages;
use waiting::Waiting;

mod answer;
mod body;
mod clients;
mod cors;
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
    pub(super) http: Http,
    pub(super) about: About,
    pub(super) readiness: Readiness,
    pub(super) metrics: Vec<Metric>,
    pub(super) folders: Folders,
    /// How all of it is offered, where that is left out.
    pub(super) http_hint: Option<String>,
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

/// All routes of the port, but for WebSocket connections.
pub(super) fn router(api: Arc<Api>) -> Router {
    let health = Router::new()
        .route("/healthz", get(health::lives))
        .route("/readyz", get(health::is_ready))
        .route("/metrics", get(metrics::answer))
        .route("/ws", get(front::text));
    let pages = match api.offered.http {
        Http::HealthOnly => Router::new().route("/", get(front::text)),
        Http::Full => Router::new()
            .route("/", get(front::page))
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
    let asked = api.clone();
    let nothing = move |request: Request| async move { nothing_there(request.uri().path(), &asked.offered) };
    // unless an answer says otherwise, it is of this moment, and browsers take it for what it says it is and nothing else
    let by_default =
        |name, value| SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value));
    health
        .merge(pages)
        .with_state(api.clone())
        .fallback(nothing)
        .method_not_allowed_fallback(wrong_method)
        .layer(cors::layer(api.clone()))
        .layer(middleware::from_fn_with_state(api, guard::guard))
        .layer(by_default(header::CACHE_CONTROL, "no-store"))
        .layer(by_default(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
}

/// Why there is nothing at a path.
fn nothing_there(path: &str, offered: &Offered) -> Refusal {
    let topic = path.strip_prefix("/api/topics/").and_then(|rest| rest.strip_suffix("/latest"));
    let why = match (offered.http, topic) {
        (Http::HealthOnly, _) => {
            let hint = offered.http_hint.as_ref().map(|hint| format!("; {hint}")).unwrap_or_default();
            format!("this server answers /healthz, /readyz and /metrics alone{hint}")
        }
        (Http::Full, Some(topic)) => {
            let topic = topic.trim_start_matches('/').replace('/', "%2F");
            format!("write the slashes of a topic as %2F: /api/topics/%2F{topic}/latest")
        }
        (Http::Full, None) => "docs/http.md names what there is".to_owned(),
    };
    Refusal::not_found(format!("there is no {path}; {why}"))
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

#[cfg(test)]
mod tests;
