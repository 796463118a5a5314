use std::net::IpAddr;

use axum::http::{HeaderMap, HeaderValue};
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;
use tempfile::TempDir;

use super::*;
use crate::hub::capability::playback::PlaybackRequest;
use crate::hub::responder::Responder;
use crate::hub::{Access, HubOptions};
use crate::protocol::{PlaybackState, PlaybackStatus};
use crate::server::origin::Origins;
use crate::time::{TimeRange, Timestamp};

mod downloads;
mod providers;

/// A server without a socket.
struct Port {
    router: Router,
    _layouts: TempDir,
}

/// What was answered.
struct Answered {
    status: u16,
    headers: HeaderMap,
    body: String,
}

impl Answered {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    fn varies_with_origin(&self) -> bool {
        self.headers.get_all("vary").iter().any(|name| name == "origin")
    }
}

/// A hub with a playback that does nothing.
fn hub(options: HubOptions) -> Hub {
    let hub = Hub::new("test", options);
    let range = TimeRange { start: Timestamp(5_000_000_000), end: Timestamp(15_000_000_000) };
    let handler = move |_request: PlaybackRequest, answer: Responder<PlaybackState>| {
        answer.respond(PlaybackState {
            status: PlaybackStatus::Paused,
            current_time: range.start,
            speed: 1.0,
            did_seek: false,
            request_id: None,
        });
    };
    hub.on_playback_control(range, handler).unwrap();
    hub
}

impl Port {
    fn new(hub: Hub, listens_on: &str, allowed: &str, http: Http) -> Self {
        let origins = match allowed {
            "" => Origins::default(),
            allowed => Origins::default().and(allowed.parse().unwrap()),
        };
        let gate = Gate::new(origins, listens_on.parse::<IpAddr>().unwrap(), Some("robot".to_owned()));
        let layouts = tempfile::tempdir().unwrap();
        std::fs::write(layouts.path().join("a.json"), "{}").unwrap();
        let folders = Folders { layouts: Some(layouts.path().to_owned()), viewer: None };
        let offered = Offered { http, folders, ..Offered::default() };
        let api = Api::new(hub, offered, CancellationToken::new(), gate);
        Self { router: router(api), _layouts: layouts }
    }

    fn local() -> Self {
        Self::new(hub(HubOptions::default()), "127.0.0.1", "", Http::Full)
    }

    async fn ask(&self, request: Request) -> Answered {
        let response = TowerToHyperService::new(self.router.clone()).call(request).await.unwrap();
        let (head, body) = response.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        Answered {
            status: head.status.as_u16(),
            headers: head.headers,
            body: String::from_utf8(body.to_vec()).unwrap(),
        }
    }

    /// Sends JSON by POST, and whatever else without a body.
    async fn send(&self, method: &str, path: &str, body: &str) -> Answered {
        self.ask(request(method, path, "localhost", "", body)).await
    }
}

fn request(method: &str, path: &str, host: &str, origin: &str, body: &str) -> Request {
    let mut request = Request::builder().method(method).uri(path).header("host", host);
    if !origin.is_empty() {
        request = request.header("origin", origin);
    }
    if method == "OPTIONS" {
        request = request.header("access-control-request-method", "POST");
    }
    if method == "POST" {
        request = request.header("content-type", "application/json").header("content-length", body.len());
    }
    request.body(body.to_owned().into()).unwrap()
}

#[tokio::test]
async fn each_row_of_the_page_about_security_holds() {
    let mut rows = 0;
    for line in include_str!("../../../../docs/security.md").lines() {
        let cells: Vec<&str> =
            line.trim_matches('|').split('|').map(|cell| cell.trim().trim_matches('`')).collect();
        let [listens_on, allowed, asked, host, origin, status, reads] = cells[..] else { continue };
        let Ok(status) = status.parse::<u16>() else { continue };
        let port = Port::new(hub(HubOptions::default()), listens_on, allowed, Http::Full);
        let (method, path) = asked.split_once(' ').unwrap();
        let body = if method == "POST" { r#"{"command":"pause"}"# } else { "" };
        let answered = port.ask(request(method, path, host, origin, body)).await;
        assert_eq!(answered.status, status, "{line}: {}", answered.body);
        let allowed = answered.header("access-control-allow-origin");
        assert_eq!(allowed, if reads == "yes" { origin } else { "" }, "{line}");
        assert!(status == 403 || answered.varies_with_origin(), "{line}");
        rows += 1;
    }
    assert!(rows > 30, "{rows} rows");
}

#[tokio::test]
async fn a_page_is_told_what_it_may_ask_also_of_a_private_network() {
    let port = Port::local();
    let mut asked = request("OPTIONS", "/api/playback", "localhost", "https://app.foxglove.dev", "");
    let answered =
        port.ask(request("OPTIONS", "/api/playback", "localhost", "https://app.foxglove.dev", "")).await;
    assert_eq!(answered.header("access-control-allow-methods"), "GET,HEAD,POST");
    assert!(answered.header("access-control-allow-headers").contains("content-type"));
    assert_eq!(answered.header("access-control-max-age"), "600");
    assert_eq!(answered.header("access-control-allow-private-network"), "");
    asked.headers_mut().insert("access-control-request-private-network", HeaderValue::from_static("true"));
    let answered = port.ask(asked).await;
    assert_eq!(answered.header("access-control-allow-private-network"), "true");
    let metrics = port.ask(request("GET", "/metrics", "localhost", "https://app.foxglove.dev", "")).await;
    assert!(metrics.header("access-control-expose-headers").contains("content-range"));
}

#[tokio::test]
async fn what_is_wrong_is_said_as_json_with_a_fitting_status() {
    let port = Port::local();
    for (method, path, body, status, error) in [
        ("GET", "/nothing", "", 404, "there is no /nothing"),
        ("GET", "/api/nothing", "", 404, "there is no /api/nothing"),
        ("DELETE", "/api/playback", "", 405, "/api/playback can't be asked with DELETE"),
        ("POST", "/api/status", "{}", 405, "/api/status can't be asked with POST"),
        ("GET", "/api/save", "", 405, "/api/save can't be asked with GET"),
        ("POST", "/api/save", "{}", 404, "nothing is kept"),
        ("POST", "/api/playback", "{", 400, "the body: EOF while parsing"),
        ("POST", "/api/playback", r#"{"speed":2}"#, 400, "unknown field `speed`"),
        ("POST", "/api/playback", "", 400, "nothing is asked for"),
        ("POST", "/api/playback", "[]", 400, r#"a JSON object is wanted, like {"command":"pause"}"#),
        ("POST", "/api/playback", "null", 400, r#"a JSON object is wanted, like {"command":"pause"}"#),
        ("POST", "/api/playback", " 5", 400, r#"a JSON object is wanted, like {"command":"pause"}"#),
        ("POST", "/api/save", "[]", 400, "a JSON object is wanted, like {}"),
        ("POST", "/api/playback", r#"{"step":1,"topic":"/a"}"#, 400, "topic: there is no topic /a"),
        ("GET", "/api/topics/%2Fa/latest", "", 404, "there is no topic /a"),
        ("GET", "/api/topics/%ff/latest", "", 400, "Invalid UTF-8"),
        ("GET", "/api/topics//gps/fix/latest", "", 404, "as %2F: /api/topics/%2Fgps%2Ffix/latest"),
        ("GET", "/api/topics/gps/fix/latest", "", 404, "as %2F: /api/topics/%2Fgps%2Ffix/latest"),
        ("GET", "/layouts/b.json", "", 404, "/layouts/b.json: there is no such file"),
        ("GET", "/layouts/%2e%2e/a.json", "", 404, "/layouts/%2e%2e/a.json: leads out of its folder"),
        ("GET", "/layouts/a.txt", "", 404, "is no layout"),
        ("GET", "/viewer/", "", 404, "--ui DIR"),
        ("GET", "/viewer", "", 404, "--ui DIR"),
    ] {
        let answered = port.send(method, path, body).await;
        assert_eq!(answered.status, status, "{method} {path}: {}", answered.body);
        let json: serde_json::Value = serde_json::from_str(&answered.body).unwrap();
        let said = json["error"].as_str().unwrap();
        assert!(said.contains(error), "{method} {path}: {said}");
    }
    assert_eq!(port.send("DELETE", "/api/playback", "").await.header("allow"), "GET,HEAD,POST");
}

#[tokio::test]
async fn bodies_are_taken_where_they_mean_something_and_within_their_bound() {
    let port = Port::local();
    let with = |method, path, name: &'static str, value: &str| {
        let mut asked = request(method, path, "localhost", "", "{}");
        asked.headers_mut().insert(name, HeaderValue::from_str(value).unwrap());
        asked
    };
    for (asked, status) in [
        (with("GET", "/api/status", "content-length", "2"), 400),
        (with("POST", "/", "content-length", "2"), 400),
        (with("POST", "/api/playback", "content-length", "65537"), 413),
        (with("POST", "/api/playback", "content-length", "99999999999999999999"), 413),
        (with("POST", "/api/playback", "transfer-encoding", "chunked"), 411),
        (with("GET", "/api/status", "transfer-encoding", "chunked"), 400),
        (with("POST", "/api/playback", "content-type", "text/plain"), 415),
        (with("POST", "/api/playback", "content-type", "application/x-www-form-urlencoded"), 415),
        (with("POST", "/api/playback", "content-type", "application/json; charset=utf-8"), 400),
    ] {
        assert_eq!(port.ask(asked).await.status, status);
    }
    let refused = port.ask(with("POST", "/api/playback", "content-length", "65537")).await;
    assert_eq!(refused.header("connection"), "close");
}

#[tokio::test]
async fn a_read_only_server_shows_everything_and_changes_nothing() {
    let options = HubOptions { access: Access::ReadOnly, ..HubOptions::default() };
    let port = Port::new(hub(options), "127.0.0.1", "", Http::Full);
    assert_eq!(port.send("GET", "/api/playback", "").await.status, 200);
    for path in ["/api/playback", "/api/save"] {
        let answered = port.send("POST", path, r#"{"command":"play"}"#).await;
        assert_eq!((answered.status, answered.body.contains("read-only")), (403, true));
    }
    assert!(port.send("GET", "/api/status", "").await.body.contains(r#""read_only":true"#));
}

#[tokio::test]
async fn files_of_the_page_are_kept_and_asked_for_again() {
    let port = Port::local();
    let script = port.send("GET", "/page/page.js", "").await;
    assert_eq!(script.header("x-content-type-options"), "nosniff");
    assert_eq!(script.header("cache-control"), "no-cache");
    for (name, tag, status) in [
        ("if-none-match", script.header("etag"), 304),
        ("if-none-match", "\"other\"", 200),
        ("if-match", "\"other\"", 412),
    ] {
        let mut again = request("GET", "/page/page.js", "localhost", "", "");
        again.headers_mut().insert(name, tag.parse().unwrap());
        let again = port.ask(again).await;
        assert_eq!((again.status, again.header("etag")), (status, script.header("etag")), "{name}: {tag}");
        assert_eq!(again.body.is_empty(), status != 200);
    }
}

#[tokio::test]
async fn without_the_page_health_and_metrics_stay() {
    let port = Port::new(hub(HubOptions::default()), "127.0.0.1", "", Http::HealthOnly);
    let status = port.send("GET", "/api/status", "").await.body;
    assert!(status.contains("this server answers /healthz, /readyz and /metrics alone"), "{status}");
    for (path, status) in [
        ("/healthz", 200),
        ("/readyz", 200),
        ("/metrics", 200),
        ("/api/status", 404),
        ("/layouts/a.json", 404),
    ] {
        assert_eq!(port.send("GET", path, "").await.status, status, "{path}");
    }
}

#[tokio::test]
async fn what_an_embedder_plays_is_told_by_its_published_state() {
    let port = Port::local();
    let answered = port.send("POST", "/api/playback", r#"{"command":"pause"}"#).await;
    let expected = r#"{"state":"paused","position_ns":"5000000000","start_ns":"5000000000","end_ns":"15000000000","position_s":0.0,"duration_s":10.0,"range":null,"rate":1.0,"loop":false,"seekable":true}"#;
    assert_eq!((answered.status, answered.body), (200, format!("{expected}\n")));
}

#[tokio::test]
async fn a_server_that_is_not_ready_says_why() {
    let readiness = Readiness::default();
    let offered = Offered { readiness: readiness.clone(), ..Offered::default() };
    let gate = Gate::new(Origins::default(), [127, 0, 0, 1].into(), None);
    let stopping = CancellationToken::new();
    let api = Api::new(hub(HubOptions::default()), offered, stopping.clone(), gate);
    let port = Port { router: router(api), _layouts: tempfile::tempdir().unwrap() };
    assert_eq!(port.send("GET", "/readyz", "").await.status, 200);
    readiness.not_ready("the camera is not connected");
    let answered = port.send("GET", "/readyz", "").await;
    assert_eq!((answered.status, answered.body.as_str()), (503, "the camera is not connected\n"));
    readiness.ready();
    stopping.cancel();
    let answered = port.send("GET", "/readyz", "").await;
    assert_eq!((answered.status, answered.body.as_str()), (503, "the server ends\n"));
    assert_eq!(port.send("GET", "/healthz", "").await.status, 200);
}
