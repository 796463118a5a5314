//! The Foxglove WebSocket protocol: messages as values, and the frames they travel in.
//!
//! One file holds one family of operations, with both of its directions and both of its verbs: `decode` takes what a
//! peer sent and never panics, `encode` gives what the reference implementations would have sent, byte for byte.
//! All subprotocols have one wire format, but for the server's `advertise` in `foxglove.sdk.v1.1` ([`AdvertiseTable`]).
//!
//! Pure: bytes are arguments, there is no I/O and no clock. Of decoded binary messages the payloads are shares of the
//! frame, not copies. Fields that are not known are ignored, as are bytes after the last field of a binary message.

mod asset;
mod binary;
mod channel;
mod client_message;
pub(crate) mod data;
mod graph;
mod handshake;
mod parameter;
mod playback;
mod schema;
mod schema_table;
mod server_info;
mod server_message;
mod service;
mod status;
mod text;
mod wire;

#[cfg(test)]
mod tests;

pub use asset::{AssetRequestId, FetchAsset, FetchAssetResponse};
pub use channel::{AdvertisedChannel, ClientChannel, ClientChannelId, NotAdvertisable, Subscription};
pub use client_message::ClientMessage;
pub use data::{ClientMessageData, MessageData};
pub(crate) use data::{MESSAGE_DATA_HEADER, SERVER_MESSAGE_DATA, message_data_header, time_frame};
pub use graph::{AdvertisedService, ConnectionGraphUpdate, PublishedTopic, SubscribedTopic};
pub use handshake::{Offer, Subprotocol};
pub use parameter::{
    GetParameters, Parameter, ParameterType, ParameterValue, ParameterValues, SetParameters,
};
pub use playback::{PlaybackCommand, PlaybackControlRequest, PlaybackState, PlaybackStatus};
pub use schema::BadSchema;
pub use schema_table::{AdvertiseTable, SchemaEntry, SchemaId, SchemaTable, TabledChannel, UnknownSchema};
pub use server_info::{Capability, ServerInfo};
pub use server_message::ServerMessage;
pub use service::{
    CallId, Service, ServiceCallFailure, ServiceCallRequest, ServiceCallResponse, ServiceId, ServiceMessage,
};
pub use status::{Level, Status};
pub use wire::{DecodeError, Frame};
