//! The end of a connection.

use std::time::Duration;

use tokio::time::timeout;

use super::super::connection::{Connection, Incoming, Reading};
use crate::websocket::Event as Received;

/// How long writing what waits and the closing handshake may take.
const CLOSING: Duration = Duration::from_secs(3);

/// How long writing a close frame may take where the server is not waited for.
const LAST_WRITE: Duration = Duration::from_millis(200);

/// Writes a close frame, if there is one and the connection still takes it.
pub(super) async fn write_last(connection: &mut Connection) {
    if connection.unwritten() > 0 && timeout(LAST_WRITE, connection.next(Reading::Off)).await.is_err() {
        tracing::debug!("the server takes no close frame");
    }
}

/// Writes what waits, and closes in good order, as far as the server takes part.
pub(super) async fn close(connection: &mut Connection) {
    connection.close(1000, "");
    let closed = async {
        loop {
            match connection.next(Reading::On).await {
                Incoming::Lost(_) | Incoming::Violation(_) | Incoming::Event(Received::Close(_)) => return,
                Incoming::Written | Incoming::Event(_) => {}
            }
        }
    };
    if timeout(CLOSING, closed).await.is_err() {
        tracing::debug!("the server did not answer the close");
    }
}
