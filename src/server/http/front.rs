//! What a browser that opens the port is shown where there is no page.

use axum::body::Body;
use axum::http::{Response, StatusCode};

use super::answer::whole;
use super::folders::VIEWER;
use super::{Http, Offered};

/// Says what this is, and which addresses to open.
pub(super) fn page(offered: &Offered, http: Http) -> Response<Body> {
    let mut text = "This is foxglove-bridge. It speaks the Foxglove WebSocket protocol:\n\
        open this address in Foxglove or Lichtblick with \"Open connection\", \"Foxglove WebSocket\".\n"
        .to_owned();
    for (index, address) in offered.about.addresses.iter().enumerate() {
        let from = if index == 0 { "" } else { " from other computers" };
        text.push_str(&format!("\n  {address}{from}"));
    }
    text.push('\n');
    let url = offered.about.addresses.first().and_then(|address| address.strip_prefix("ws://"));
    if let (Http::Full, Some(host)) = (http, url) {
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
