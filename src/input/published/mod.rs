//! What clients publish, offered to all clients: the capability `clientPublish` of a server.
//!
//! A channel that a client advertises is a channel of the server. If the server has one on the topic with the same
//! encoding and schema it is that one, else a new one beside it, `/topic#2`. Others see what is published, a recorder
//! records it, and the client itself is not sent its own messages. Their log time is that of what viewers see, whatever
//! that is (see `hub/client_time.rs`).
//!
//! A channel goes [`UNADVERTISED`] after its last client has taken it back, and [`LEFT`] after that has left, so that one
//! that comes back within that time has its old id: Lichtblick takes a channel back and advertises it again when it has
//! learned schemas, and a viewer that lost its connection comes back after three seconds. Bounds: [`MAX_CHANNELS`] and
//! [`MAX_BYTES`] for all clients together, beside those of the hub for each.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::hub::capability::publish::ClientPublish;
use crate::hub::{AlreadyProvided, ClientId, Hub, Known, PublisherNode, WeakHub, lock};
use crate::model::Channel;
use crate::protocol::{ClientChannel, ClientChannelId, Status};
use crate::registry::Registry;
use crate::time::Timestamp;

mod lingering;
mod schemas;
#[cfg(test)]
mod tests;

use lingering::Lingering;
use schemas::{Meant, Schemas};

/// Message encodings that are taken. JSON first: viewers use the first that they know, and for others they need definitions
/// that they may not have.
const ENCODINGS: [&str; 5] = ["json", "protobuf", "ros1", "cdr", "flatbuffer"];

/// How long a channel stays that its last client has taken back.
const UNADVERTISED: Duration = Duration::from_secs(2);

/// How long a channel stays whose last client has left: viewers connect again after three seconds.
const LEFT: Duration = Duration::from_secs(5);

/// Channels of all clients.
const MAX_CHANNELS: usize = 10_000;

/// Bytes of their topics and schemas.
const MAX_BYTES: usize = 64 << 20;

/// Bytes of a topic, and of the name of a schema.
const MAX_NAME: usize = 1024;

/// A message that a client has published.
#[derive(Debug, Clone, Copy)]
pub struct FromClient<'a> {
    /// Who has published it.
    pub client: ClientId,
    /// The channel on which others get it.
    pub channel: &'a Channel,
    /// Its log time.
    pub time: Timestamp,
    /// The message, in the encoding of the channel.
    pub payload: &'a Bytes,
}

/// Is called with each message, on the thread that serves the client, after it was published. Must not wait.
pub type Observer = Arc<dyn Fn(&FromClient<'_>) + Send + Sync>;

/// See the module's documentation.
pub struct Published {
    hub: WeakHub,
    registry: Registry,
    observer: Option<Observer>,
    schemas: Schemas,
    state: Mutex<State>,
    lingering: Arc<Lingering>,
}

#[derive(Default)]
struct State {
    channels: BTreeMap<(ClientId, ClientChannelId), Taken>,
    bytes: usize,
}

/// A channel of a client.
struct Taken {
    channel: Arc<Channel>,
    bytes: usize,
    /// Shows the client as one that publishes it.
    _node: PublisherNode,
}

impl Published {
    /// Offers what clients publish in a hub to all its clients.
    ///
    /// # Errors
    ///
    /// Somebody takes what clients publish already.
    pub fn provide(hub: &Hub, observer: Option<Observer>) -> Result<(), AlreadyProvided> {
        let registry = hub.registry();
        let published = Self {
            hub: hub.downgrade(),
            registry: registry.clone(),
            observer,
            schemas: Schemas::default(),
            state: Mutex::default(),
            lingering: Arc::new(Lingering::new(hub.downgrade(), registry.clone())),
        };
        hub.provide_publish(Arc::new(published))
    }

    /// The server's channel for one of a client, claimed. It may still have to be announced.
    fn claim(&self, hub: &Hub, channel: &ClientChannel) -> Result<Arc<Channel>, String> {
        let meant = Meant::by(channel)?;
        if let Some(known) = self.registry.claim_offered(&channel.topic, |known| meant.is(known)) {
            return Ok(known);
        }
        let spec = meant.spec(channel, |name| {
            match hub.schema_named(name, &channel.encoding, &channel.topic) {
                Known::As(schema) => Some(schema),
                // viewers complain if one name has two definitions
                Known::Otherwise => None,
                Known::Not => self.schemas.builtin(&channel.encoding, name),
            }
        });
        self.registry.claim(spec).map(|claim| claim.channel).map_err(|error| error.to_string())
    }

    fn give_back(&self, taken: &Taken, stays: Duration) {
        self.lingering.add(taken.channel.id, Instant::now() + stays);
    }
}

impl ClientPublish for Published {
    fn encodings(&self) -> Vec<String> {
        ENCODINGS.map(str::to_owned).to_vec()
    }

    fn advertise(&self, client: ClientId, channel: &ClientChannel) -> Result<(), String> {
        check(channel)?;
        let hub = self.hub.upgrade().ok_or("the server ends")?;
        let bytes =
            channel.topic.len() + channel.schema_name.len() + channel.schema.as_ref().map_or(0, String::len);
        let mut state = lock(&self.state);
        if state.channels.len() >= MAX_CHANNELS {
            return Err(format!("all clients together publish on {MAX_CHANNELS} channels at most"));
        }
        if state.bytes + bytes > MAX_BYTES {
            return Err(format!("the schemas of all clients together have {} MiB at most", MAX_BYTES >> 20));
        }
        let offered = self.claim(&hub, channel)?;
        let topic = offered.topic.clone();
        hub.publisher().announce(std::slice::from_ref(&offered));
        state.bytes += bytes;
        let node = hub.client_node(client);
        node.publishes(std::slice::from_ref(&offered));
        state.channels.insert((client, channel.id), Taken { channel: offered, bytes, _node: node });
        drop(state);
        if topic != channel.topic {
            let text = format!(
                "{} has another encoding or schema on this server: what is published is offered as {topic}",
                channel.topic
            );
            hub.status_to(client, Status::info(text));
        }
        Ok(())
    }

    fn unadvertise(&self, client: ClientId, channel: ClientChannelId) {
        let taken = lock(&self.state).take(client, channel);
        if let Some(taken) = taken {
            self.give_back(&taken, UNADVERTISED);
        }
    }

    fn left(&self, client: ClientId, channels: &[ClientChannelId]) {
        let mut state = lock(&self.state);
        let taken: Vec<_> = channels.iter().filter_map(|channel| state.take(client, *channel)).collect();
        drop(state);
        taken.iter().for_each(|taken| self.give_back(taken, LEFT));
    }

    fn message(&self, client: ClientId, channel: ClientChannelId, payload: Bytes) {
        let Some(hub) = self.hub.upgrade() else { return };
        let known = lock(&self.state).channels.get(&(client, channel)).map(|taken| taken.channel.clone());
        let Some(channel) = known else { return };
        let (wall, now) = (Timestamp::now(), Instant::now());
        let time = hub.publish_of_client(client, channel.id, payload.clone(), wall, now);
        if let (Some(time), Some(observer)) = (time, &self.observer) {
            observer(&FromClient { client, channel: &channel, time, payload: &payload });
        }
    }
}

impl State {
    fn take(&mut self, client: ClientId, channel: ClientChannelId) -> Option<Taken> {
        let taken = self.channels.remove(&(client, channel))?;
        self.bytes -= taken.bytes;
        Some(taken)
    }
}

impl fmt::Debug for Published {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Published")
    }
}

/// Refuses what can't be offered.
fn check(channel: &ClientChannel) -> Result<(), String> {
    for (what, name) in [("the topic", &channel.topic), ("the name of the schema", &channel.schema_name)] {
        if name.len() > MAX_NAME {
            return Err(format!("{what} has {} bytes, {MAX_NAME} are allowed", name.len()));
        }
    }
    if channel.topic.is_empty() {
        return Err("the topic is empty".to_owned());
    }
    if !ENCODINGS.contains(&channel.encoding.as_str()) {
        let encoding: String = channel.encoding.chars().take(80).collect();
        return Err(format!("the encoding '{encoding}' is not taken; there are: {}", ENCODINGS.join(", ")));
    }
    Ok(())
}
