//! The capability `clientPublish`: channels and messages that clients send.

use std::sync::Arc;

use bytes::Bytes;

use crate::hub::{AlreadyProvided, ClientId, Hub, lock};
use crate::protocol::{ClientChannel, ClientChannelId};

/// Takes what clients publish.
pub trait ClientPublish: Send + Sync {
    /// Message encodings that are taken, the preferred one first: viewers use the first that they know.
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
        lock(&self.0.state).slots.publish.fill("clientPublish", publish)
    }
}
