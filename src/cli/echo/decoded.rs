//! Payloads as JSON, with a decoder kept for each channel.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use foxglove_bridge::client::Message;
use foxglove_bridge::internals::{SHORT, printable};
use foxglove_bridge::model::Channel;
use foxglove_bridge::payload::{Decoder, Decoders, JsonOptions};

/// Channels whose decoders are kept, and topics of which it is known that they were warned of.
const MOST: usize = 4096;

/// What was appended for a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Appended {
    Json,
    /// A string of base64, since it can't be decoded.
    Base64,
}

pub(super) struct Payloads {
    options: JsonOptions,
    decoders: Decoders,
    /// By the address of the channel, which is held here.
    of_channel: HashMap<usize, (Arc<Channel>, Arc<Decoder>)>,
    warned: HashSet<String>,
}

impl Payloads {
    pub(super) fn new(options: JsonOptions) -> Self {
        Self { options, decoders: Decoders::default(), of_channel: HashMap::new(), warned: HashSet::new() }
    }

    /// Appends the payload as JSON, without a line break.
    pub(super) fn append(&mut self, message: &Message, out: &mut Vec<u8>) -> Appended {
        let decoder = self.decoder(&message.channel);
        if !decoder.is_base64() {
            match decoder.to_json(&message.payload, &self.options, out) {
                Ok(_left) => return Appended::Json,
                Err(error) => self.warn(&message.channel, &error.to_string()),
            }
        }
        // it takes any payload
        if let Err(error) = Decoder::base64().to_json(&message.payload, &self.options, out) {
            self.warn(&message.channel, &error.to_string());
            out.extend_from_slice(b"\"\"");
        }
        Appended::Base64
    }

    /// The payload as JSON, for which `space` is used; None if it can't be decoded, which was warned of.
    pub(super) fn json<'a>(&mut self, message: &Message, space: &'a mut Vec<u8>) -> Option<&'a str> {
        space.clear();
        let Appended::Json = self.append(message, space) else { return None };
        std::str::from_utf8(space).ok()
    }

    fn decoder(&mut self, channel: &Arc<Channel>) -> Arc<Decoder> {
        let key = Arc::as_ptr(channel) as usize;
        if let Some((_, decoder)) = self.of_channel.get(&key) {
            return decoder.clone();
        }
        let decoder = self.decoders.of(channel).unwrap_or_else(|error| {
            self.warn(channel, &format!("its schema {error}"));
            Arc::new(Decoder::base64())
        });
        if self.of_channel.len() >= MOST {
            self.of_channel.clear();
        }
        self.of_channel.insert(key, (channel.clone(), decoder.clone()));
        decoder
    }

    /// Once a topic.
    fn warn(&mut self, channel: &Channel, why: &str) {
        if self.warned.len() < MOST && self.warned.insert(channel.topic.clone()) {
            tracing::warn!(
                "{}: its messages come as base64, since they can't be decoded: {}",
                printable(&channel.topic, SHORT),
                printable(why, 300)
            );
        }
    }
}
