//! The capability `clientPublish`: channels and messages that clients send.
//!
//! ```
//! use std::collections::HashMap;
//! use std::sync::{Arc, Mutex};
//!
//! use bytes::Bytes;
//! use foxglove_bridge::hub::capability::publish::ClientPublish;
//! use foxglove_bridge::hub::{ClientId, Hub, HubOptions};
//! use foxglove_bridge::protocol::{ClientChannel, ClientChannelId};
//!
//! /// Takes what viewers publish on `/cmd_vel`.
//! #[derive(Default)]
//! struct Commands {
//!     /// Ids are unique within one client.
//!     schemas: Mutex<HashMap<(ClientId, ClientChannelId), String>>,
//! }
//!
//! impl ClientPublish for Commands {
//!     fn encodings(&self) -> Vec<String> {
//!         vec!["json".to_owned()]
//!     }
//!
//!     fn advertise(&self, client: ClientId, channel: &ClientChannel) -> Result<(), String> {
//!         if channel.topic != "/cmd_vel" || channel.encoding != "json" {
//!             return Err("only JSON on /cmd_vel is taken".to_owned());
//!         }
//!         self.schemas.lock().unwrap().insert((client, channel.id), channel.schema_name.clone());
//!         Ok(())
//!     }
//!
//!     fn unadvertise(&self, client: ClientId, channel: ClientChannelId) {
//!         self.schemas.lock().unwrap().remove(&(client, channel));
//!     }
//!
//!     fn message(&self, client: ClientId, channel: ClientChannelId, payload: Bytes) {
//!         let schemas = self.schemas.lock().unwrap();
//!         if let Some(schema) = schemas.get(&(client, channel)) {
//!             println!("{schema}: {}", String::from_utf8_lossy(&payload));
//!         }
//!     }
//! }
//!
//! let hub = Hub::new("robot", HubOptions::default());
//! hub.provide_publish(Arc::new(Commands::default()))?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

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

    /// A client ends a channel that was taken.
    fn unadvertise(&self, client: ClientId, channel: ClientChannelId);

    /// A client has left, with these channels.
    fn left(&self, client: ClientId, channels: &[ClientChannelId]) {
        channels.iter().for_each(|channel| self.unadvertise(client, *channel));
    }

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
