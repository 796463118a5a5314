//! `/healthz` and `/readyz`: whether the process runs, and whether it can be used.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};

use super::Api;
use super::answer::whole;

/// The process runs.
pub(super) async fn lives() -> Response<Body> {
    text(StatusCode::OK, "ok\n".to_owned())
}

/// The server can be used, or why not.
pub(super) async fn is_ready(State(api): State<Arc<Api>>) -> Response<Body> {
    match api.not_ready() {
        None => text(StatusCode::OK, "ok\n".to_owned()),
        Some(reason) => text(StatusCode::SERVICE_UNAVAILABLE, reason + "\n"),
    }
}

impl Api {
    /// Why the server can't be used; None if it can.
    pub(super) fn not_ready(&self) -> Option<String> {
        let ends = || self.stopping.is_cancelled().then(|| "the server ends".to_owned());
        self.offered.readiness.reason().or_else(ends)
    }
}

fn text(status: StatusCode, text: String) -> Response<Body> {
    whole(status, "text/plain; charset=utf-8", text)
}
