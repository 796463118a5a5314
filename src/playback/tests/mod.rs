//! What tests of playback share: streams that yield what a test hands in, and viewers that note what they are sent.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::hub::outbox::{Encoded, Ordered, Progress};
use crate::hub::queue::Item;
use crate::hub::{Client, ClientInfo, Hub, HubOptions, Latch, SlowClient};
use crate::model::{Batch, Channel, ChannelId, Entry, SubscriptionId};
use crate::protocol::{Offer, ServerMessage, Subscription};
use crate::time::Timestamp;

mod streams;

fn announced(id: u32, topic: &str) -> Batch {
    let channel = Channel {
        id: ChannelId(id),
        topic: topic.into(),
        message_encoding: "json".into(),
        schema: None,
        metadata: BTreeMap::new(),
        latched: false,
    };
    Batch { announcements: vec![Arc::new(channel)], ..Batch::default() }
}

/// Messages of (channel, second), with the second as payload.
fn messages(messages: &[(u32, u64)]) -> Batch {
    let mut batch = Batch::default();
    for &(channel, second) in messages {
        let time = Timestamp(second * 1_000_000_000);
        let entry = Entry {
            log_time: time,
            publish_time: time,
            channel: ChannelId(channel),
            sequence: 0,
            buffer: 0,
            offset: 0,
            length: 8,
            origin: 0,
        };
        batch.push_copy(&entry, &second.to_le_bytes());
    }
    batch
}

/// What a client is sent.
#[derive(Debug, PartialEq)]
enum Sent {
    Message(u32, u64),
    Session,
    Advertised(Vec<u32>),
    Unadvertised(Vec<u32>),
}

struct Viewer {
    client: Client,
    sent: Vec<Sent>,
}

impl Viewer {
    fn join(hub: &Hub) -> Self {
        Self {
            client: hub.join(ClientInfo {
                offer: Offer::parse(["foxglove.websocket.v1"].into_iter()),
                ..ClientInfo::default()
            }),
            sent: Vec::new(),
        }
    }

    fn subscribe(&self, channel: u32) {
        let subscription = Subscription { id: SubscriptionId(channel), channel_id: ChannelId(channel) };
        assert_eq!(self.client.subscribe(&[subscription], Instant::now()), []);
    }

    /// Silences pass at once.
    fn take(&mut self) {
        let mut now = Instant::now();
        loop {
            let taken = self.client.take(Progress::Written, now);
            if taken.control.is_empty() && taken.item.is_none() {
                match taken.silent_until {
                    Some(until) => now = until,
                    None => return,
                }
            }
            let ordered = match &taken.item {
                Some(Item::Other(Ordered::Control(control))) => vec![control.frame.clone()],
                Some(Item::Other(Ordered::Session(session))) => session.frames.to_vec(),
                _ => Vec::new(),
            };
            for frame in taken.control.into_iter().map(|control| control.frame).chain(ordered) {
                let Encoded::Text(text) = &frame else { continue };
                match ServerMessage::decode_text(std::str::from_utf8(text).unwrap()).unwrap() {
                    ServerMessage::ServerInfo(_) => self.sent.push(Sent::Session),
                    ServerMessage::Advertise(channels) => {
                        self.sent.push(Sent::Advertised(channels.iter().map(|c| c.id.0).collect()));
                    }
                    ServerMessage::Unadvertise(ids) => {
                        self.sent.push(Sent::Unadvertised(ids.iter().map(|id| id.0).collect()));
                    }
                    _ => {}
                }
            }
            let Some(Item::Messages(part)) = taken.item else { continue };
            for entry in &part.batch.entries[part.range.clone()] {
                if taken.subscriptions.wanted(entry.channel, part.number).is_some() {
                    self.sent.push(Sent::Message(entry.channel.0, entry.log_time.0 / 1_000_000_000));
                }
            }
        }
    }

    /// Reads until something is there; a test that waits for ever is ended by its runner.
    async fn until(&mut self, wanted: Sent) {
        loop {
            self.take();
            if self.sent.contains(&wanted) {
                return;
            }
            self.client.wake().await;
        }
    }
}

fn hub(on_slow_client: SlowClient) -> Hub {
    let latch = Latch::Topics(vec!["/map".parse().unwrap()]);
    let time_resolution = Duration::ZERO;
    Hub::new("test", HubOptions { client_buffer: 1 << 16, on_slow_client, latch, time_resolution })
}
