//! What a client is told beside messages.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::model::Channel;
use crate::protocol::{
    ConnectionGraphUpdate, Parameter, PlaybackState, ServerInfo, Service, Status, Subprotocol,
};
use crate::time::Timestamp;

/// A message on a channel that was subscribed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// With its topic and schema; its id is the server's.
    pub channel: Arc<Channel>,
    /// When the message was logged, by the server's clock.
    pub log_time: Timestamp,
    /// In the channel's message encoding.
    pub payload: Bytes,
}

/// A message as it arrives, for [`Client::measure`](super::Client::measure).
#[derive(Debug, Clone, Copy)]
pub struct Arrival<'a> {
    /// With its topic and schema; its id is the server's.
    pub channel: &'a Arc<Channel>,
    /// When the message was logged, by the server's clock.
    pub log_time: Timestamp,
    /// Bytes of its payload.
    pub length: usize,
    /// When it was read from the connection.
    pub at: Instant,
}

/// Whether a connection goes on with the session of the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Session {
    /// The first connection, another `sessionId` or none: channel ids and what was received count no more.
    New,
    /// The same `sessionId`: channel ids are still good.
    Same,
}

/// What happened, in the order in which it did.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// There is a connection, and the server has said what it is. Channels and services follow.
    Connected {
        /// What the server is.
        info: Arc<ServerInfo>,
        /// Whether the session is one that is known.
        session: Session,
        /// What is spoken.
        subprotocol: Subprotocol,
    },
    /// Another `serverInfo` on the same connection: another session (a lap of a recording, say), or a change of what the
    /// server offers. Channels stay; capabilities that it leaves out stay as well.
    NewInfo {
        /// What the server is now.
        info: Arc<ServerInfo>,
        /// Whether the session is the one before.
        session: Session,
    },
    /// The connection is gone, and with it all channels and services.
    Disconnected {
        /// Why.
        reason: String,
        /// When the next attempt is made; None: this was the last connection.
        retry_in: Option<Duration>,
    },
    /// A channel can be subscribed to.
    ChannelAdded(Arc<Channel>),
    /// A channel is gone.
    ChannelRemoved(Arc<Channel>),
    /// A service can be called.
    ServiceAdded(Arc<Service>),
    /// A service is gone.
    ServiceRemoved(Arc<Service>),
    /// Values of parameters that are followed.
    Parameters(Vec<Parameter>),
    /// What changed in the connection graph.
    Graph(ConnectionGraphUpdate),
    /// What playback is doing.
    Playback(PlaybackState),
    /// The server's time. Of several in a row the last one counts.
    Time(Timestamp),
    /// The server has something to say to its user.
    Status(Status),
    /// Statuses of these ids are taken back.
    StatusRemoved(Vec<String>),
    /// The server sent something that is not of the protocol, and that was ignored: what, and where.
    Problem(String),
}

/// What a channel, a service or an event that waits takes at least, in bytes.
pub(super) const SMALLEST: usize = 200;

/// About what a channel takes in bytes, without its schema.
pub(super) fn channel_size(channel: &Channel) -> usize {
    let metadata: usize = channel.metadata.iter().map(|(key, value)| key.len() + value.len() + 64).sum();
    SMALLEST + channel.topic.len() + channel.message_encoding.len() + metadata
}

/// About what a service takes in bytes.
pub(super) fn service_size(service: &Service) -> usize {
    let described = [&service.request, &service.response].into_iter().flatten();
    let described: usize =
        described.map(|it| it.schema.len() + it.schema_name.len() + it.encoding.len()).sum();
    let older = [&service.request_schema, &service.response_schema].into_iter().flatten();
    let older: usize = older.map(String::len).sum();
    SMALLEST + service.name.len() + service.service_type.len() + described + older
}
