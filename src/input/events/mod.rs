//! What happens in a hub, as lines of JSON: clients, what they subscribe to, publish and set, and playback.
//!
//! Every line has an `op`, but for messages that clients publish: those are lines as [`json_lines`](crate::source::json_lines)
//! reads them, with a `client` more. Nothing waits for who reads the lines; see [`Printer`].

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use serde_json::value::RawValue;

use super::printer::Printer;
use crate::hub::capability::parameters::ParameterStore;
use crate::hub::{ClientId, Hub, HubEvent, lock};
use crate::model::{Channel, ChannelId, Schema};
use crate::payload::{Decoders, JsonOptions};
use crate::protocol::{PlaybackState, PlaybackStatus};
use crate::time::Timestamp;

mod lines;

/// Schemas that count as printed; with one more all are printed again.
const MAX_SCHEMAS: usize = 1000;

/// Bytes of the largest payload that is also shown as JSON: as text it can be many times larger.
const LARGEST_DECODED: usize = 64 << 10;

/// Decoders that are kept for that.
const MAX_DECODERS: usize = 64;

/// Prints what happens; clones share it.
///
/// ```
/// use std::io::{BufRead, BufReader};
///
/// use foxglove_bridge::hub::{Hub, HubOptions};
/// use foxglove_bridge::input::{Events, Printer};
///
/// let hub = Hub::new("robot", HubOptions::default());
/// let (reader, writer) = std::io::pipe()?;
/// let events = Events::of(&hub, Printer::new("a pipe", writer));
/// events.listening("ws://localhost:8765");
/// let mut line = String::new();
/// BufReader::new(reader).read_line(&mut line)?;
/// assert_eq!(line, "{\"op\":\"listening\",\"url\":\"ws://localhost:8765\"}\n");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Events {
    printer: Printer,
    /// Those that lines have declared, by name.
    schemas: Arc<Mutex<BTreeMap<String, Arc<Schema>>>>,
    decoders: Arc<Mutex<Decoders>>,
}

impl Events {
    /// Prints what happens in the hub from now on.
    pub fn of(hub: &Hub, printer: Printer) -> Self {
        let seen = Mutex::new(Seen::default());
        let to = printer.clone();
        hub.observe(move |event| lock(&seen).on_event(event, &to));
        Self {
            printer,
            schemas: Arc::default(),
            decoders: Arc::new(Mutex::new(Decoders::keeping(MAX_DECODERS))),
        }
    }

    /// Prints also what clients make of parameters.
    pub fn with_parameters(self, store: &ParameterStore) -> Self {
        let to = self.printer.clone();
        store.on_change(move |change| {
            if let Some(line) = super::commands::change_line(change) {
                to.print(line);
            }
        });
        self
    }

    /// The server listens, at this URL.
    pub fn listening(&self, url: &str) {
        self.printer.print(lines::listening(url));
    }

    /// A client has published a message. `channel`: as it is offered to others.
    pub fn message(&self, client: ClientId, channel: &Channel, log_time: Timestamp, payload: &Bytes) {
        let mut schemas = lock(&self.schemas);
        if let Some(schema) = channel.schema.as_ref().filter(|schema| !schema.data.is_empty())
            && schemas.get(&schema.name) != Some(schema)
            && self.printer.offer(lines::schema(schema)).is_ok()
        {
            if schemas.len() >= MAX_SCHEMAS {
                schemas.clear();
            }
            schemas.insert(schema.name.clone(), schema.clone());
        }
        let decoded = self.decoded(channel, payload);
        self.printer.print(lines::message(client, channel, log_time, payload, decoded.as_deref()));
    }

    /// The payload as JSON, if it is something else and can be decoded.
    fn decoded(&self, channel: &Channel, payload: &Bytes) -> Option<Box<RawValue>> {
        if channel.message_encoding == "json" || payload.len() > LARGEST_DECODED {
            return None;
        }
        let decoder = lock(&self.decoders).of(channel).ok().filter(|decoder| !decoder.is_base64())?;
        let mut json = Vec::new();
        decoder.to_json(payload, &JsonOptions::default(), &mut json).ok()?;
        RawValue::from_string(String::from_utf8(json).ok()?).ok()
    }
}

/// What has to be known of earlier events.
#[derive(Default)]
struct Seen {
    /// Topics of channels that are subscribed to, and by how many clients.
    topics: BTreeMap<ChannelId, (String, usize)>,
    playback: Option<(PlaybackStatus, f32)>,
}

impl Seen {
    fn on_event(&mut self, event: &HubEvent<'_>, to: &Printer) {
        match *event {
            HubEvent::Joined { client, info } => to.print(lines::connect(client, info)),
            HubEvent::Subscribed { client, channels } => {
                for channel in channels {
                    self.subscribed(channel);
                    to.print(lines::subscription("subscribe", client, &channel.topic));
                }
            }
            HubEvent::Unsubscribed { client, channels } => {
                for channel in channels {
                    if let Some(topic) = self.unsubscribed(*channel) {
                        to.print(lines::subscription("unsubscribe", client, &topic));
                    }
                }
            }
            HubEvent::Left { .. } => to.print(lines::disconnect(event)),
            HubEvent::Playback(state) => {
                if self.is_news(state) {
                    to.print(lines::playback(state));
                }
            }
        }
    }

    fn subscribed(&mut self, channel: &Arc<Channel>) {
        self.topics.entry(channel.id).or_insert_with(|| (channel.topic.clone(), 0)).1 += 1;
    }

    /// The topic of a channel that a client wants no longer.
    fn unsubscribed(&mut self, channel: ChannelId) -> Option<String> {
        let (topic, clients) = self.topics.get_mut(&channel)?;
        *clients -= 1;
        if *clients > 0 {
            return Some(topic.clone());
        }
        self.topics.remove(&channel).map(|(topic, _)| topic)
    }

    /// Whether a state is not that of before somewhere else in time: each request is answered by one.
    fn is_news(&mut self, state: &PlaybackState) -> bool {
        let playback = Some((state.status, state.speed));
        let before = std::mem::replace(&mut self.playback, playback);
        state.did_seek || before != playback
    }
}

#[cfg(test)]
mod tests;
