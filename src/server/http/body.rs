//! Bodies of requests: JSON objects within a bound of bytes and time.

use std::time::Duration;

use axum::extract::Request;
use axum::http::{StatusCode, header};
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::answer::Refusal;
use crate::server::headers;

/// The largest body of a request, in bytes.
pub(super) const LARGEST_BODY: u64 = 64 << 10;

/// A body has come in full after this time.
const PATIENCE: Duration = Duration::from_secs(10);

/// The JSON object in the body of a request; no body is an empty one. `example`: one that says something.
pub(super) async fn json<T: DeserializeOwned>(request: Request, example: &str) -> Result<T, Refusal> {
    let kind = headers::text(request.headers(), header::CONTENT_TYPE).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/json") {
        let text = "the body must be JSON: send the header Content-Type: application/json";
        return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, text));
    }
    let limit = usize::try_from(LARGEST_BODY).unwrap_or(usize::MAX);
    let body = timeout(PATIENCE, axum::body::to_bytes(request.into_body(), limit)).await;
    let late = |_elapsed| Refusal::new(StatusCode::REQUEST_TIMEOUT, "the body has not come within 10 s");
    let body = body.map_err(late)?.map_err(|error| Refusal::bad_request(format!("the body: {error}")))?;
    let body = match body.trim_ascii() {
        b"" => b"{}",
        body => body,
    };
    // serde takes a list for an object, and names our type where it takes neither
    if !body.starts_with(b"{") {
        return Err(Refusal::bad_request(format!("the body: a JSON object is wanted, like {example}")));
    }
    serde_json::from_slice(body).map_err(|error| Refusal::bad_request(format!("the body: {error}")))
}
