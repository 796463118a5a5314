//! A viewer that notes what it is sent, and the hub that it joins.

use std::time::{Duration, Instant};

use crate::hub::outbox::{Encoded, Item};
use crate::hub::{Client, Hub, HubOptions, Latch, SlowClient};
use crate::model::{ChannelId, SubscriptionId};
use crate::protocol::{Offer, ServerMessage, Subscription};

/// What a client is sent.
#[derive(Debug, PartialEq)]
pub(super) enum Sent {
    /// Channel, and second of its log time.
    Message(u32, u64),
    Session,
    Advertised(Vec<u32>),
    Unadvertised(Vec<u32>),
}

pub(super) struct Viewer {
    pub(super) client: Client,
    pub(super) sent: Vec<Sent>,
    /// Topics, as they were advertised.
    pub(super) topics: Vec<String>,
}

impl Viewer {
    pub(super) fn join(hub: &Hub) -> Self {
        let client = hub.join(&Offer::parse(["foxglove.websocket.v1"].into_iter()));
        Self { client, sent: Vec::new(), topics: Vec::new() }
    }

    pub(super) fn subscribe(&self, channel: u32) {
        let subscription = Subscription { id: SubscriptionId(channel), channel_id: ChannelId(channel) };
        assert_eq!(self.client.subscribe(&[subscription], Instant::now()), []);
    }

    fn take(&mut self) {
        loop {
            let taken = self.client.take(true, Instant::now());
            if taken.control.is_empty() && taken.item.is_none() {
                return;
            }
            for control in taken.control {
                let Encoded::Text(text) = &control.frame else { continue };
                match ServerMessage::decode_text(std::str::from_utf8(text).unwrap()).unwrap() {
                    ServerMessage::ServerInfo(_) => self.sent.push(Sent::Session),
                    ServerMessage::Advertise(channels) => {
                        self.sent.push(Sent::Advertised(channels.iter().map(|c| c.id.0).collect()));
                        self.topics.extend(channels.into_iter().map(|channel| channel.topic));
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
    pub(super) async fn until(&mut self, wanted: Sent) {
        self.until_all(|sent| sent.contains(&wanted)).await;
    }

    /// Reads until what was sent is enough.
    pub(super) async fn until_all(&mut self, is_enough: impl Fn(&[Sent]) -> bool) {
        loop {
            self.take();
            if is_enough(&self.sent) {
                return;
            }
            self.client.wake().await;
        }
    }
}

pub(super) fn hub(on_slow_client: SlowClient) -> Hub {
    let latch = Latch::Topics(vec!["/map".parse().unwrap()]);
    let time_resolution = Duration::ZERO;
    Hub::new("test", HubOptions { client_buffer: 1 << 16, on_slow_client, latch, time_resolution })
}
