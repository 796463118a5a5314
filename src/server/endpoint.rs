//! HTTP: the WebSocket upgrade at `/` and `/ws`, and `/healthz`.

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use axum::routing::get;
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto::upgrade::{Parts, downcast};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::session::Session;
use super::socket;
use crate::hub::Hub;
use crate::protocol::Offer;

/// What a browser is told that opens the port.
const ABOUT: &str = "This is foxglove-bridge. It speaks the Foxglove WebSocket protocol:\n\
    open this address in Foxglove or Lichtblick with \"Open connection\", \"Foxglove WebSocket\".\n";

/// Everything that the port answers.
pub(super) fn router(hub: Hub) -> Router {
    Router::new()
        .route("/", get(root))
        .route("/ws", get(root))
        .route("/healthz", get(|| async { "ok\n" }))
        .with_state(hub)
}

async fn root(State(hub): State<Hub>, request: Request) -> Response<Body> {
    if !wants_upgrade(request.headers()) {
        return text(StatusCode::OK, ABOUT.to_owned());
    }
    match upgrade(hub, request) {
        Ok(response) => response,
        Err(reason) => {
            tracing::info!("connection refused: {reason}");
            text(StatusCode::BAD_REQUEST, reason + "\n")
        }
    }
}

fn text(status: StatusCode, body: String) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

fn has_token(headers: &HeaderMap, name: header::HeaderName, token: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|value| value.trim().eq_ignore_ascii_case(token))
}

fn wants_upgrade(headers: &HeaderMap) -> bool {
    has_token(headers, header::UPGRADE, "websocket")
}

/// Answers the opening handshake (RFC 6455 section 4.2) and starts the client's task; Err is what is wrong with it.
fn upgrade(hub: Hub, mut request: Request) -> Result<Response<Body>, String> {
    let headers = request.headers();
    if request.method() != Method::GET || !has_token(headers, header::CONNECTION, "upgrade") {
        return Err("a WebSocket upgrade is a GET request with 'Connection: Upgrade'".into());
    }
    if headers.get(header::SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
        return Err("the WebSocket version must be 13".into());
    }
    let key = headers.get(header::SEC_WEBSOCKET_KEY).ok_or("the header Sec-WebSocket-Key is missing")?;
    let accept = derive_accept_key(key.as_bytes());
    let offered =
        headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter().filter_map(|value| value.to_str().ok());
    let offer = Offer::parse(offered);
    let Some(protocol) = offer.choose() else {
        return Err(format!(
            "no common subprotocol: this server speaks foxglove.websocket.v1 and foxglove.sdk.v1, the client offered {offer}"
        ));
    };
    let agent =
        headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or("-").to_owned();
    let upgraded = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let upgraded = match upgraded.await {
            Ok(upgraded) => upgraded,
            Err(error) => return tracing::debug!("upgrade failed: {error}"),
        };
        let session = Session::new(hub.join(&offer));
        let id = session.client().id();
        let (end, session) = match downcast::<TokioIo<TcpStream>>(upgraded) {
            Ok(Parts { io, read_buf, .. }) => {
                let stream = io.into_inner();
                let peer = stream.peer_addr().map_or_else(|_| "?".to_owned(), |peer| peer.to_string());
                tracing::debug!("client {id} connected from {peer}, {}, {agent}", protocol.as_str());
                let (read, write) = stream.into_split();
                socket::run(read, write, read_buf.to_vec(), session).await
            }
            Err(upgraded) => {
                tracing::debug!("client {id} connected, {}, {agent}", protocol.as_str());
                let (read, write) = tokio::io::split(TokioIo::new(upgraded));
                socket::run(read, write, Vec::new(), session).await
            }
        };
        tracing::debug!("client {id} disconnected: {end:?}");
        for (topic, messages) in session.client().dropped() {
            tracing::info!("client {id} was too slow for {messages} messages of {topic}");
        }
    });
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(protocol.as_str()));
    let accept = HeaderValue::from_str(&accept).map_err(|error| error.to_string())?;
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    Ok(response)
}
