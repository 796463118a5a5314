//! `/`: the page for browsers, and text for others, and where there is no page.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Response, StatusCode};

use super::answer::whole;
use super::folders::VIEWER;
use super::{Api, Http, Offered};
use crate::server::page;

pub(super) async fn page(State(api): State<Arc<Api>>, headers: HeaderMap) -> Response<Body> {
    page::front(&headers, || about(&api.offered))
}

pub(super) async fn text(State(api): State<Arc<Api>>) -> Response<Body> {
    about(&api.offered)
}

/// Says what this is, and which addresses to open.
fn about(offered: &Offered) -> Response<Body> {
    let mut text = "This is foxglove-bridge. It speaks the Foxglove WebSocket protocol:\n\
        open this address in Foxglove or Lichtblick with \"Open connection\", \"Foxglove WebSocket\".\n"
        .to_owned();
    for (index, address) in offered.about.addresses.iter().enumerate() {
        let from = if index == 0 { "" } else { " from other computers" };
        text.push_str(&format!("\n  {address}{from}"));
    }
    text.push('\n');
    let url = offered.about.addresses.first().and_then(|address| address.strip_prefix("ws://"));
    if let (Http::Full, Some(host)) = (offered.http, url) {
        let viewer = offered.folders.viewer.as_ref().map(|_folder| (VIEWER, "a viewer"));
        let own = [
            ("/", "a page, in a browser"),
            ("/api/status", "what is served, as JSON"),
            ("/files/", "recordings"),
        ];
        text.push_str("\nMore is answered over HTTP (docs/http.md):\n\n");
        for (path, what) in own.into_iter().chain(viewer) {
            text.push_str(&format!("  http://{host}{path}  {what}\n"));
        }
    }
    whole(StatusCode::OK, "text/plain; charset=utf-8", text)
}
