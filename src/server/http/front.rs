//! What a browser that opens the port is shown where there is no page.

use axum::body::Body;
use axum::http::{Response, StatusCode};

use super::Offered;
use super::answer::whole;

/// Says what this is, and which addresses to open.
pub(super) fn page(offered: &Offered) -> Response<Body> {
    let mut text = "This is foxglove-bridge. It speaks the Foxglove WebSocket protocol:\n\
        open this address in Foxglove or Lichtblick with \"Open connection\", \"Foxglove WebSocket\".\n"
        .to_owned();
    for (index, address) in offered.about.addresses.iter().enumerate() {
        let from = if index == 0 { "" } else { " from other computers" };
        text.push_str(&format!("\n  {address}{from}"));
    }
    text.push('\n');
    if offered.folders.viewer.is_some() {
        text.push_str("\nThere is a viewer here: open /viewer of this address in a browser.\n");
    }
    whole(StatusCode::OK, "text/plain; charset=utf-8", text)
}
