//! Answers: JSON, or why there is none.

use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::http::{HeaderValue, Response, StatusCode, header};
use axum::response::IntoResponse;
use serde::Serialize;

use crate::time::Timestamp;

/// An answer in JSON, which is of this moment.
pub(super) struct Json<T>(pub(super) T);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response<Body> {
        match serde_json::to_vec(&self.0) {
            Ok(mut json) => {
                json.push(b'\n');
                whole(StatusCode::OK, "application/json", json)
            }
            Err(error) => Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
        }
    }
}

/// Why a request is not carried out, and the way out: `{"error": …}`.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    pub(super) text: String,
    retry: Retry,
}

/// Whether who asks is told to try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Retry {
    Later,
    Unsaid,
}

/// Seconds after which to try again.
const LATER: HeaderValue = HeaderValue::from_static("5");

impl Refusal {
    pub(super) fn new(status: StatusCode, text: impl Into<String>) -> Self {
        Self { status, text: text.into(), retry: Retry::Unsaid }
    }

    /// There is no room now, but soon.
    pub(super) fn later(text: impl Into<String>) -> Self {
        Self { retry: Retry::Later, ..Self::new(StatusCode::SERVICE_UNAVAILABLE, text) }
    }

    pub(super) fn not_found(text: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, text)
    }

    pub(super) fn bad_request(text: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, text)
    }
}

impl From<PathRejection> for Refusal {
    /// A path whose escapes are no text.
    fn from(rejection: PathRejection) -> Self {
        Self::bad_request(rejection.body_text())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response<Body> {
        let mut json = serde_json::json!({ "error": self.text }).to_string();
        json.push('\n');
        let mut response = whole(self.status, "application/json", json);
        if self.retry == Retry::Later {
            response.headers_mut().insert(header::RETRY_AFTER, LATER);
        }
        response
    }
}

/// Marks an answer of which all is in memory until it has been written.
#[derive(Debug, Clone, Copy)]
pub(super) struct InMemory;

/// A complete answer.
pub(super) fn whole(status: StatusCode, kind: &'static str, body: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response.extensions_mut().insert(InMemory);
    response
}

/// A time as it is written in JSON: beyond the numbers that JavaScript has.
pub(super) fn nanos(time: Timestamp) -> String {
    time.nanos().to_string()
}
