//! The WebSocket upgrade at `/` and `/ws`.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, Response, StatusCode, Version, header};
use axum::middleware::{self, Next};
use bytes::Bytes;
use hyper::upgrade::Parts;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::Options;
use super::headers;
use super::http::{self, Api};
use super::places::Places;
use super::session::Session;
use super::socket;
use crate::hub::ClientInfo;
use crate::printable::{SHORT, printable};
use crate::protocol::{Offer, Subprotocol};
use crate::websocket::handshake::{self, VERSION, accept_key, is_request_key};
use crate::websocket::negotiation::negotiate;

/// All that the port answers: WebSocket handshakes, and what is asked over HTTP.
pub(super) fn router(api: Arc<Api>, options: Options, places: Arc<Places>) -> Router {
    let http = http::router(api.clone());
    let endpoint = Endpoint { api, options, places };
    http.layer(middleware::from_fn_with_state(endpoint, answer))
}

/// Whether a request begins a WebSocket connection, or tries to.
fn is_for_websocket(request: &Request) -> bool {
    matches!(request.uri().path(), "/" | "/ws")
        && matches!(*request.method(), Method::GET | Method::HEAD)
        && handshake::has_token(headers::texts(request.headers(), header::UPGRADE), "websocket")
}

/// What a connection is served with.
#[derive(Clone)]
struct Endpoint {
    api: Arc<Api>,
    options: Options,
    places: Arc<Places>,
}

/// A handshake is answered here, since a refused one has its own form; all else goes on.
async fn answer(State(endpoint): State<Endpoint>, request: Request, next: Next) -> Response<Body> {
    if !is_for_websocket(&request) {
        return next.run(request).await;
    }
    if let Some(refusal) = http::malformed(&request) {
        return refusal;
    }
    let api = endpoint.api.clone();
    match upgrade(endpoint, request) {
        Ok(response) => response,
        Err(Refused(status, reason)) => {
            api.refusals.log(format_args!("WebSocket handshake refused"), &reason);
            let mut response = text(status, reason + "\n");
            if status == StatusCode::UPGRADE_REQUIRED {
                response
                    .headers_mut()
                    .insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static(VERSION));
            }
            response
        }
    }
}

/// What a client was too slow for, by topic: the topic of which most is missing, and the others together.
fn lost(dropped: &[(String, u64)]) -> Option<String> {
    let (topic, messages) = dropped.iter().max_by_key(|(_, messages)| messages)?;
    let most = format!("{messages} messages of {}", printable(topic, SHORT));
    let others = dropped.iter().map(|(_, messages)| messages).sum::<u64>() - messages;
    Some(match dropped.len() - 1 {
        0 => most,
        1 => format!("{most} and {others} of another topic"),
        topics => format!("{most} and {others} of {topics} other topics"),
    })
}

fn text(status: StatusCode, body: String) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

/// The value of a header that must be there once.
fn one(headers: &HeaderMap, name: header::HeaderName) -> Result<&HeaderValue, Refused> {
    let mut values = headers.get_all(&name).into_iter();
    match (values.next(), values.next()) {
        (Some(value), None) => Ok(value),
        (None, _) => Err(Refused(StatusCode::BAD_REQUEST, format!("missing header {}", named(&name)))),
        (Some(_), Some(_)) => {
            Err(Refused(StatusCode::BAD_REQUEST, format!("more than one header {}", named(&name))))
        }
    }
}

/// A header as it is written.
fn named(name: &header::HeaderName) -> &str {
    match name.as_str() {
        "sec-websocket-key" => "Sec-WebSocket-Key",
        "sec-websocket-version" => "Sec-WebSocket-Version",
        other => other,
    }
}

/// Why an upgrade is refused.
struct Refused(StatusCode, String);

impl From<&str> for Refused {
    fn from(reason: &str) -> Self {
        Self(StatusCode::BAD_REQUEST, reason.to_owned())
    }
}

/// Answers the opening handshake (RFC 6455 section 4.2), and starts the client's task.
fn upgrade(endpoint: Endpoint, mut request: Request) -> Result<Response<Body>, Refused> {
    let headers = request.headers();
    if request.method() != Method::GET
        || request.version() != Version::HTTP_11
        || !handshake::has_token(headers::texts(headers, header::CONNECTION), "upgrade")
    {
        return Err(
            "a WebSocket handshake is an HTTP/1.1 GET request with the header 'Connection: Upgrade'".into()
        );
    }
    if one(headers, header::SEC_WEBSOCKET_VERSION)? != VERSION {
        return Err(Refused(
            StatusCode::UPGRADE_REQUIRED,
            format!("unsupported WebSocket version: Sec-WebSocket-Version must be {VERSION}"),
        ));
    }
    let key = one(headers, header::SEC_WEBSOCKET_KEY)?;
    if !is_request_key(key.as_bytes()) {
        return Err("invalid header Sec-WebSocket-Key: it must be 16 bytes in base64".into());
    }
    let accept = accept_key(key.as_bytes());
    let origins = headers.get_all(header::ORIGIN).into_iter().map(|origin| origin.to_str().ok());
    let host = headers::text(headers, header::HOST).unwrap_or_default();
    endpoint.api.gate.admit(origins, host).map_err(|reason| Refused(StatusCode::FORBIDDEN, reason))?;
    let offer = Offer::parse(headers::texts(headers, header::SEC_WEBSOCKET_PROTOCOL));
    let Some(protocol) = offer.choose() else {
        return Err(Refused(
            StatusCode::BAD_REQUEST,
            format!(
                "no common subprotocol: this server supports {}, the client offered {}",
                Subprotocol::ALL.map(Subprotocol::as_str).join(", "),
                printable(&offer.to_string(), SHORT)
            ),
        ));
    };
    let peer = request.extensions().get().map(SocketAddr::ip);
    let place = endpoint.places.take(peer);
    let place = place.map_err(|full| Refused(StatusCode::SERVICE_UNAVAILABLE, full.to_string()))?;
    let extensions = headers::texts(headers, header::SEC_WEBSOCKET_EXTENSIONS);
    let agreement = endpoint.options.compression.then(|| negotiate(extensions)).flatten();
    let agent = headers::text(headers, header::USER_AGENT).unwrap_or("-");
    let agent = printable(agent, SHORT).to_string();
    let info = ClientInfo { address: None, agent: agent.clone(), offer };
    let upgraded = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let _place = place;
        let upgraded = match upgraded.await {
            Ok(upgraded) => upgraded,
            Err(error) => return tracing::debug!("WebSocket upgrade failed: {error}"),
        };
        let options = &endpoint.options;
        let join = |address: Option<SocketAddr>| {
            let session = Session::new(endpoint.api.hub.join(ClientInfo { address, ..info }));
            let peer = address.map_or_else(String::new, |address| format!(" from {address}"));
            let (id, protocol) = (session.client().id(), protocol.as_str());
            tracing::debug!("client {id} connected{peer}, {protocol}, {agent}");
            session
        };
        let (end, session) = match upgraded.downcast::<TokioIo<TcpStream>>() {
            Ok(Parts { io, read_buf, .. }) => {
                let stream = io.into_inner();
                let session = join(stream.peer_addr().ok());
                let (read, write) = stream.into_split();
                socket::run(read, write, read_buf, agreement, options, session).await
            }
            Err(upgraded) => {
                let session = join(None);
                let (read, write) = tokio::io::split(TokioIo::new(upgraded));
                socket::run(read, write, Bytes::new(), agreement, options, session).await
            }
        };
        let id = session.client().id();
        tracing::debug!("client {id} disconnected: {end}");
        session.client().leaves(end.to_string());
        if let Some(lost) = lost(&session.client().dropped()) {
            tracing::info!("client {id} was too slow for {lost}");
        }
    });
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(protocol.as_str()));
    let accept = HeaderValue::from_str(&accept)
        .map_err(|error| Refused(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    if let Some(extensions) =
        agreement.and_then(|agreement| HeaderValue::from_str(&agreement.to_string()).ok())
    {
        headers.insert(header::SEC_WEBSOCKET_EXTENSIONS, extensions);
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_client_has_lost_is_one_line() {
        let lost = |dropped: &[(&str, u64)]| {
            lost(
                &dropped.iter().map(|(topic, messages)| ((*topic).to_owned(), *messages)).collect::<Vec<_>>(),
            )
        };
        assert_eq!(lost(&[]), None);
        assert_eq!(lost(&[("/a", 3)]).unwrap(), "3 messages of /a");
        assert_eq!(lost(&[("/a", 3), ("/b", 4)]).unwrap(), "4 messages of /b and 3 of another topic");
        let many = [("/a", 3), ("/\n", 40), ("/c", 5)];
        assert_eq!(lost(&many).unwrap(), "40 messages of /\\n and 8 of 2 other topics");
    }
}
