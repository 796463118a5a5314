//! What every request passes first: HTTP/1.1's rules, bodies, and who may ask. See `docs/security.md`.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, Response, StatusCode, Version, header};
use axum::middleware::Next;
use axum::response::IntoResponse;

use super::answer::Refusal;
use super::body::LARGEST_BODY;
use super::{Api, changes, is_api};
use crate::server::headers;

/// Answers what HTTP/1.1 or `docs/security.md` forbids; the rest goes on.
pub(super) async fn guard(State(api): State<Arc<Api>>, request: Request, next: Next) -> Response<Body> {
    if let Some(refusal) = malformed(&request) {
        return refusal;
    }
    if let Err(reason) = admit(&api, &request) {
        api.refusals.log(format_args!("{} {} refused", request.method(), request.uri().path()), &reason);
        return Refusal::new(StatusCode::FORBIDDEN, reason).into_response();
    }
    let is_preflight = request.method() == Method::OPTIONS;
    let mut response = api.waiting.admit(next.run(request).await).await;
    if is_preflight {
        // it has no content, though the layer of `cors.rs` says 200
        *response.status_mut() = StatusCode::NO_CONTENT;
    }
    response
}

/// The answer to what HTTP/1.1 forbids, after which the connection ends, since what follows may be a body.
pub(in crate::server) fn malformed(request: &Request) -> Option<Response<Body>> {
    let mut response = well_formed(request).err()?.into_response();
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    Some(response)
}

/// RFC 9112 sections 3.2 and 6.1, and bodies where none is taken. hyper drops a Content-Length beside a Transfer-Encoding, so
/// that both are refused by the latter.
fn well_formed(request: &Request) -> Result<(), Refusal> {
    let headers = request.headers();
    let hosts = headers.get_all(header::HOST).iter().count();
    if hosts > 1 || (hosts == 0 && request.version() == Version::HTTP_11) {
        return Err(Refusal::bad_request("a request must have one header Host"));
    }
    let takes_body = changes(request.method()) && is_api(request.uri().path());
    if headers.contains_key(header::TRANSFER_ENCODING) {
        return Err(match takes_body {
            true => Refusal::new(
                StatusCode::LENGTH_REQUIRED,
                "the length of a body must be known: Content-Length",
            ),
            false => Refusal::bad_request("a request must not have a body"),
        });
    }
    let lengths = headers.get_all(header::CONTENT_LENGTH).iter();
    let mut lengths = lengths.filter(|length| *length != "0");
    let Some(length) = lengths.next() else { return Ok(()) };
    if !takes_body {
        return Err(Refusal::bad_request("a request must not have a body"));
    }
    let length = length.to_str().ok().and_then(|length| length.parse::<u64>().ok());
    if length.is_none_or(|length| length > LARGEST_BODY) {
        let text = format!("the body of a request may have {LARGEST_BODY} bytes at most");
        return Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, text));
    }
    Ok(())
}

/// Whether who asks may; else why not.
fn admit(api: &Api, request: &Request) -> Result<(), String> {
    let (headers, path) = (request.headers(), request.uri().path());
    match admit_page(api, headers) {
        Ok(()) => Ok(()),
        // probes of whatever watches this computer
        Err(_) if path == "/healthz" => Ok(()),
        Err(reason) if changes(request.method()) || is_api(path) => Err(reason),
        // the answer is not for the page that asks, which a browser sees to
        Err(_) => api.gate.admit_host(host(headers)),
    }
}

/// Whether the page that asks, if one does, may read the answer; else why not.
pub(super) fn admit_page(api: &Api, headers: &HeaderMap) -> Result<(), String> {
    let origins = headers.get_all(header::ORIGIN).into_iter().map(|origin| origin.to_str().ok());
    api.gate.admit(origins, host(headers))
}

fn host(headers: &HeaderMap) -> &str {
    headers::text(headers, header::HOST).unwrap_or_default()
}
