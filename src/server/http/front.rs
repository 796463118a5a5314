//! What a browser that opens the port is shown where there is no page.

use axum::body::Body;
use axum::http::{Response, StatusCode};

use super::answer::whole;
use crate::server::about::About;

/// Says what this is, and which addresses to open.
pub(super) fn page(about: &About) -> Response<Body> {
    let mut text = "This is foxglove-bridge. It speaks the Foxglove WebSocket protocol:\n\
        open this address in Foxglove or Lichtblick with \"Open connection\", \"Foxglove WebSocket\".\n"
        .to_owned();
    for (index, address) in about.addresses.iter().enumerate() {
        let from = if index == 0 { "" } else { " from other computers" };
        text.push_str(&format!("\n  {address}{from}"));
    }
    text.push('\n');
    whole(StatusCode::OK, "text/plain; charset=utf-8", text)
}
