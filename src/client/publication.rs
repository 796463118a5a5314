//! Publishing as a client.

use std::sync::Arc;

use bytes::Bytes;

use super::error::RequestError;
use super::link::Link;
use super::owner::Command;
use super::state::Change;
use crate::model::{Channel, ChannelId, Schema};
use crate::protocol::{AdvertisedChannel, ClientChannel, ClientChannelId, NotAdvertisable};

/// What a client publishes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientTopic {
    /// Any topic; several clients may publish on one.
    pub topic: String,
    /// Message encoding, one of the server's [`supported_encodings`](crate::protocol::ServerInfo::supported_encodings).
    pub message_encoding: String,
    /// Describes the messages; None for JSON that needs no description.
    pub schema: Option<Arc<Schema>>,
}

impl ClientTopic {
    /// JSON without a schema.
    pub fn json(topic: impl Into<String>) -> Self {
        Self { topic: topic.into(), message_encoding: "json".to_owned(), schema: None }
    }

    /// As the server is told of it.
    pub(super) fn to_channel(&self, id: ClientChannelId) -> Result<ClientChannel, NotAdvertisable> {
        let channel = AdvertisedChannel::from_channel(&Channel {
            id: ChannelId(id.0),
            topic: self.topic.clone(),
            message_encoding: self.message_encoding.clone(),
            schema: self.schema.clone(),
            metadata: Default::default(),
            latched: false,
        })?;
        let described = self.schema.is_some();
        Ok(ClientChannel {
            id,
            topic: channel.topic,
            encoding: channel.encoding,
            schema_name: channel.schema_name,
            schema_encoding: channel.schema_encoding.filter(|_| described),
            schema: described.then_some(channel.schema),
        })
    }
}

/// A channel on which a client publishes, advertised again whenever the client connects again. Dropped, it is taken back.
#[derive(Debug)]
pub struct Publication {
    pub(super) id: ClientChannelId,
    pub(super) link: Arc<Link>,
}

impl Publication {
    /// Publishes a message. Waits while 16 MiB of what this client publishes and asks have not been sent.
    ///
    /// Servers don't acknowledge messages: what was handed over just before a connection ended is lost. An error says that
    /// nothing was handed over.
    pub async fn publish(&self, payload: impl Into<Bytes>) -> Result<(), RequestError> {
        self.link.publish(self.id, payload.into()).await
    }
}

impl Drop for Publication {
    fn drop(&mut self) {
        self.link.command(Command::Change(Change::Unadvertise(self.id), Box::new(drop)));
    }
}
