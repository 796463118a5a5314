//! Channels of a program's own: a line for each channel, and a line for each message.
//!
//! ```
//! use foxglove_bridge::hub::{Hub, HubOptions};
//!
//! #[derive(serde::Serialize)]
//! struct Imu {
//!     ax: f64,
//! }
//!
//! let hub = Hub::new("robot", HubOptions::default());
//! let imu = hub.channel("/imu").json()?;
//! imu.log(&Imu { ax: 0.1 });
//! # Ok::<(), foxglove_bridge::hub::handles::ChannelError>(())
//! ```
//!
//! | messages | made by | take |
//! | --- | --- | --- |
//! | JSON | [`json`](ChannelBuilder::json), [`json_schema`](ChannelBuilder::json_schema) | what implements `serde::Serialize` |
//! | the schemas `foxglove.*`, sent as protobuf | [`builtin`](ChannelBuilder::builtin) | what implements `serde::Serialize` |
//! | protobuf | [`protobuf`](ChannelBuilder::protobuf), [`protobuf_in`](ChannelBuilder::protobuf_in), [`dynamic`](ChannelBuilder::dynamic) | what implements `prost::Message` |
//! | anything else | [`raw`](ChannelBuilder::raw) | bytes |
//!
//! Handles are cheap to clone and to send to other threads. Logging never waits for a client: one that is too slow gets
//! the newest message of each channel instead of its backlog. While nobody wants a channel, [`log`](ChannelHandle::log)
//! costs a few nanoseconds, and nothing is encoded.

use std::marker::PhantomData;
use std::sync::Arc;

use serde::Serialize;

use super::Hub;
use crate::model::{Channel, Schema};
use crate::payload::{MessageType, TypeOptions, Types, TypesError};
use crate::protocol::{AdvertisedChannel, NotAdvertisable};
use crate::registry::{ChannelSpec, NoMoreIds};

mod encode;
mod handle;
mod protobuf;
#[cfg(test)]
mod tests;

pub use encode::{Builtin, Encode, Json, Raw};
pub use handle::{ChannelHandle, LogError};
pub use protobuf::Protobuf;

/// A channel of JSON messages of one type.
pub type JsonChannel<T> = ChannelHandle<Json<T>>;

/// A channel of one of the schemas `foxglove.*`.
pub type BuiltinChannel<T> = ChannelHandle<Builtin<T>>;

/// A channel of protobuf messages of one type.
pub type ProtobufChannel<T> = ChannelHandle<Protobuf<T>>;

/// A channel of payloads that the program encodes itself.
pub type RawChannel = ChannelHandle<Raw>;

/// Why there is no channel.
#[derive(Debug, thiserror::Error)]
pub enum ChannelError {
    /// There are too many.
    #[error(transparent)]
    NoMoreIds(#[from] NoMoreIds),
    /// Viewers could not take it.
    #[error(transparent)]
    NotAdvertisable(#[from] NotAdvertisable),
    /// No built-in schema has this name.
    #[error("there is no schema '{name}'{}", .nearest.as_ref().map(|nearest| format!("; there is '{nearest}'")).unwrap_or_default())]
    NoSuchSchema {
        /// The name.
        name: String,
        /// The nearest one.
        nearest: Option<String>,
    },
    /// The built-in schemas can't be read.
    #[error(transparent)]
    Types(#[from] TypesError),
    /// Definitions of protobuf types can't be used.
    #[error("the definition of {name} can't be used: {reason}")]
    Definition {
        /// The type.
        name: String,
        /// Why not.
        reason: String,
    },
}

/// What a channel is to be; made by [`Hub::channel`].
///
/// ```
/// use foxglove_bridge::hub::{Hub, HubOptions};
/// use serde_json::json;
///
/// let hub = Hub::new("robot", HubOptions::default());
/// let map = hub.channel("/map").latched().metadata("frame", "world").json()?;
/// map.log(&json!({ "cells": [0, 1] }));
/// let log = hub.channel("/log").builtin("foxglove.Log")?;
/// log.log(&json!({ "level": "WARNING", "message": "low battery" }));
/// # Ok::<(), foxglove_bridge::hub::handles::ChannelError>(())
/// ```
#[must_use = "there is no channel before it is known what its messages are"]
pub struct ChannelBuilder {
    hub: Hub,
    spec: ChannelSpec,
}

impl Hub {
    /// Begins a channel of this topic. What its messages are ends it, for example [`ChannelBuilder::json`]; viewers see it
    /// from then on. See [`handles`](self).
    pub fn channel(&self, topic: impl Into<String>) -> ChannelBuilder {
        ChannelBuilder { hub: self.clone(), spec: ChannelSpec::json(topic) }
    }

    fn builtin_type(&self, name: &str) -> Result<Arc<MessageType>, ChannelError> {
        if self.0.builtin_types.get().is_none() {
            let types = Types::load(&TypeOptions::default())?;
            self.0.builtin_types.get_or_init(|| types);
        }
        let found = self.0.builtin_types.get().and_then(|types| types.find(name));
        found.ok_or_else(|| ChannelError::NoSuchSchema {
            name: name.to_owned(),
            nearest: self.0.builtin_types.get().and_then(|types| types.suggestion(name)),
        })
    }
}

impl ChannelBuilder {
    /// Clients that subscribe late get the last message: for what is logged seldom, a map for example. Its messages are
    /// kept, so it is always wanted.
    pub fn latched(mut self) -> Self {
        self.spec.latched = true;
        self
    }

    /// A note about the channel for viewers and recordings.
    pub fn metadata(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.spec.metadata.insert(key.into(), value.into());
        self
    }

    /// JSON without a schema: viewers see the fields of each message.
    pub fn json<T: Serialize + ?Sized>(self) -> Result<JsonChannel<T>, ChannelError> {
        self.open("json", None, Json(PhantomData))
    }

    /// JSON with a JSON Schema, of which viewers know fields before the first message.
    pub fn json_schema<T: Serialize + ?Sized>(
        self,
        name: impl Into<String>,
        schema: impl Into<String>,
    ) -> Result<JsonChannel<T>, ChannelError> {
        let (encoding, data) = ("jsonschema".to_owned(), schema.into().into_bytes().into());
        self.open("json", Some(Schema { name: name.into(), encoding, data }), Json(PhantomData))
    }

    /// One of the schemas that viewers draw, for example `foxglove.Log` or `foxglove.PointCloud`.
    ///
    /// Messages are what `serde` writes as the [JSON mapping of protobuf](crate::payload): fields in camel or snake case,
    /// times as `{"sec","nsec"}` or RFC 3339, bytes as base64, enums by name or number. They are sent as protobuf.
    pub fn builtin<T: Serialize + ?Sized>(self, name: &str) -> Result<BuiltinChannel<T>, ChannelError> {
        let message = self.hub.builtin_type(name)?;
        let (encoding, schema) = (message.message_encoding(), Schema::clone(message.schema()));
        self.open(encoding, Some(schema), Builtin { message, of: PhantomData })
    }

    /// Payloads that the program encodes itself: `encoding` is that of messages, for example `cdr`, `ros1`, `cbor`.
    pub fn raw(
        self,
        encoding: impl Into<String>,
        schema: Option<Schema>,
    ) -> Result<RawChannel, ChannelError> {
        self.open(encoding, schema, Raw)
    }

    fn open<E: Encode>(
        self,
        encoding: impl Into<String>,
        schema: Option<Schema>,
        encode: E,
    ) -> Result<ChannelHandle<E>, ChannelError> {
        let Self { hub, spec } = self;
        let spec = ChannelSpec { message_encoding: encoding.into(), schema: schema.map(Arc::new), ..spec };
        AdvertisedChannel::from_channel(&Channel {
            id: crate::model::ChannelId(0),
            topic: spec.topic.clone(),
            message_encoding: spec.message_encoding.clone(),
            schema: spec.schema.clone(),
            metadata: spec.metadata.clone(),
            latched: spec.latched,
        })?;
        let claim = hub.registry().claim(spec)?;
        if let Some(warning) = claim.warning() {
            tracing::warn!("{warning}");
        }
        Ok(ChannelHandle::new(hub, claim.channel, encode))
    }
}
