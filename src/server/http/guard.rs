//! What every request passes first: HTTP/1.1's rules, bodies, and who may ask. See `docs/security.md`.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, Response, StatusCode, Version, header};
use axum::middleware::Next;
use axum::response::IntoResponse;

use super::answer::Refusal;
use super::{Api, changes, header_text, is_api};
use crate::server::endpoint::is_for_websocket;

/// The largest body of a request, in bytes.
pub(super) const LARGEST_BODY: u64 = 64 << 10;

/// How long a browser may remember what it may ask, in seconds.
const PREFLIGHT_LASTS: HeaderValue = HeaderValue::from_static("600");

/// Answers what HTTP/1.1 or `docs/security.md` forbids; the rest goes on, and pages that may read the answer are told so.
pub(super) async fn guard(State(api): State<Arc<Api>>, request: Request, next: Next) -> Response<Body> {
    if let Err(refusal) = well_formed(&request) {
        let mut response = refusal.into_response();
        // what follows may be a body
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        return response;
    }
    if is_for_websocket(&request) {
        // it looks for itself, since a refused handshake is answered in its own form
        return next.run(request).await;
    }
    let allowed_origin = match admit(&api, &request) {
        Ok(origin) => origin,
        Err(reason) => {
            api.refusals.log(format_args!("{} {} refused", request.method(), request.uri().path()), &reason);
            return Refusal::new(StatusCode::FORBIDDEN, reason).into_response();
        }
    };
    let preflight = (request.method() == Method::OPTIONS).then(|| request.headers().clone());
    let mut response = match &preflight {
        Some(asked) if asked.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD) => {
            allow(asked, is_api(request.uri().path()))
        }
        _ => api.waiting.admit(next.run(request).await).await,
    };
    let headers = response.headers_mut();
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    if let Some(origin) = allowed_origin {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    }
    response
}

/// What HTTP/1.1 forbids (RFC 9112 sections 3.2 and 6.1), and bodies where none is taken. hyper drops a Content-Length beside a
/// Transfer-Encoding, so that both are refused by the latter.
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

/// Whether who asks may; then the origin that is told that it may read the answer, if a page asks. Err: why not.
fn admit(api: &Api, request: &Request) -> Result<Option<HeaderValue>, String> {
    let (headers, path) = (request.headers(), request.uri().path());
    let host = header_text(headers, header::HOST).unwrap_or_default();
    let origins = headers.get_all(header::ORIGIN).into_iter().map(|origin| origin.to_str().ok());
    let admitted = api.gate.admit(origins, host);
    let is_strict = changes(request.method()) || is_api(path);
    match admitted {
        Ok(()) => Ok(headers.get(header::ORIGIN).cloned()),
        // probes of whatever watches this computer
        Err(_) if path == "/healthz" => Ok(None),
        Err(reason) if is_strict => Err(reason),
        // the answer is not for the page that asks, which a browser sees to
        Err(_) => api.gate.admit_host(host).map(|()| None),
    }
}

/// Answers a browser that asks what a page may ask (the Fetch standard, "CORS-preflight request").
fn allow(asked: &HeaderMap, is_api: bool) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    let methods = if is_api { "GET, HEAD, POST" } else { "GET, HEAD" };
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(methods));
    let allowed = HeaderValue::from_static("Content-Type, Range, If-Range, If-None-Match");
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, allowed);
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, PREFLIGHT_LASTS);
    if asked.contains_key("access-control-request-private-network") {
        headers.insert("access-control-allow-private-network", HeaderValue::from_static("true"));
    }
    response
}
