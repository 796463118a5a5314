//! The capability `clientPublish`: channels and messages that clients send.

use std::sync::Arc;

use bytes::Bytes;

use crate::hub::{AlreadyProvided, ClientId, Hub};
use crate::protocol::{ClientChannel, ClientChannelId};

/// Takes what clients publish.
pub trait ClientPublish: Send + Sync {
    /// Message encodings that are taken, the preferred one first: viewers use the first that they know. Asked for once, by
    /// [`Hub::provide_publish`].
    fn encodings(&self) -> Vec<String>;

    /// A client is about to publish on a channel. The error says why it may not.
    fn advertise(&self, client: ClientId, channel: &ClientChannel) -> Result<(), String>;

    /// A client ends a channel that was taken, or has left.
    fn unadvertise(&self, client: ClientId, channel: ClientChannelId);

    /// A message on a channel that was taken. Must not wait.
    fn message(&self, client: ClientId, channel: ClientChannelId, payload: Bytes);
}

impl Hub {
    /// Registers who takes what clients publish; clients that join from now on know that they may.
    pub fn provide_publish(&self, publish: Arc<dyn ClientPublish>) -> Result<(), AlreadyProvided> {
        let encodings = publish.encodings();
        self.provide(
            "clientPublish",
            publish,
            |slots| &mut slots.publish,
            |state| state.slots.publish_encodings = encodings,
        )
    }
}
