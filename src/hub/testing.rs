//! A viewer for tests: a client without a socket that reads what its queue holds.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::outbox::{Encoded, Ordered, Progress};
use super::queue::Item;
use super::{Client, ClientInfo, Hub, HubOptions, Latch, SlowClient};
use crate::model::{Batch, Channel, ChannelId, Entry, SubscriptionId};
use crate::protocol::{Offer, PlaybackState, ServerInfo, ServerMessage, Status, Subscription};
use crate::registry::{ChannelSpec, Registry};
use crate::time::Timestamp;

/// Something that was sent.
enum Piece<'a> {
    Frame(&'a Encoded),
    /// A message: its subscription, and its time.
    Message(SubscriptionId, Timestamp),
    Time(Timestamp),
}

/// What a viewer was sent.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Sent {
    /// A message: its subscription, which is the channel's id, and its time in seconds.
    Message(u32, u64),
    Session(ServerInfo),
    Advertised(Vec<u32>),
    Unadvertised(Vec<u32>),
    /// In seconds.
    Time(u64),
    State(PlaybackState),
    Status(Status),
    Other(ServerMessage),
}

pub(crate) struct Viewer {
    pub(crate) client: Client,
    pub(crate) sent: Vec<Sent>,
}

impl Viewer {
    /// A viewer that knows no playback states.
    pub(crate) fn join(hub: &Hub) -> Self {
        Self::offering(hub, "foxglove.websocket.v1")
    }

    /// A viewer that knows playback states.
    pub(crate) fn join_sdk(hub: &Hub) -> Self {
        Self::offering(hub, "foxglove.sdk.v1")
    }

    /// A viewer that offers these subprotocols.
    pub(crate) fn offering(hub: &Hub, offer: &str) -> Self {
        let info = ClientInfo { offer: Offer::parse([offer].into_iter()), ..ClientInfo::default() };
        Self { client: hub.join(info), sent: Vec::new() }
    }

    /// Subscribes to a channel under the channel's own id.
    pub(crate) fn subscribe(&self, channel: ChannelId) -> Vec<Status> {
        let subscription = Subscription { id: SubscriptionId(channel.0), channel_id: channel };
        self.client.subscribe(&[subscription], Instant::now())
    }

    /// What was sent since this was last asked.
    pub(crate) fn news(&mut self) -> Vec<Sent> {
        read(&self.client, &mut self.sent);
        std::mem::take(&mut self.sent)
    }

    /// The messages of that: channel and time.
    pub(crate) fn messages(&mut self) -> Vec<(u32, u64)> {
        let message =
            |sent| if let Sent::Message(channel, time) = sent { Some((channel, time)) } else { None };
        self.news().into_iter().filter_map(message).collect()
    }

    /// Reads until something was sent; a test that waits for ever is ended by its runner.
    pub(crate) async fn until(&mut self, is_wanted: impl Fn(&Sent) -> bool) {
        loop {
            read(&self.client, &mut self.sent);
            if self.sent.iter().any(&is_wanted) {
                return;
            }
            self.client.wake().await;
        }
    }

    /// Reads until a message of a channel was sent that has this time in seconds.
    pub(crate) async fn until_message(&mut self, channel: u32, time: u64) {
        self.until(|sent| *sent == Sent::Message(channel, time)).await;
    }
}

/// Reads everything that a client's queue holds, as if silences passed at once.
pub(crate) fn read(client: &Client, sent: &mut Vec<Sent>) {
    for_each(client, |piece| {
        sent.push(match piece {
            Piece::Frame(frame) => Sent::from(decode(frame)),
            Piece::Message(subscription, time) => Sent::Message(subscription.0, time.0 / 1_000_000_000),
            Piece::Time(time) => Sent::Time(time.0 / 1_000_000_000),
        });
    });
}

/// The same, but for messages and time: the frames as they were sent.
pub(crate) fn frames(client: &Client) -> Vec<ServerMessage> {
    let mut frames = Vec::new();
    for_each(client, |piece| {
        if let Piece::Frame(frame) = piece {
            frames.push(decode(frame));
        }
    });
    frames
}

fn for_each(client: &Client, mut sent: impl FnMut(Piece<'_>)) {
    let mut now = Instant::now();
    loop {
        let taken = client.take(Progress::Written, now);
        if taken.control.is_empty() && taken.item.is_none() {
            match taken.silent_until {
                Some(until) => now = until,
                None => return,
            }
        }
        taken.control.iter().for_each(|control| sent(Piece::Frame(&control.frame)));
        match taken.item {
            Some(Item::Messages(part)) => {
                for entry in &part.batch.entries[part.range.clone()] {
                    if let Some(subscription) = taken.subscriptions.wanted(entry.channel, part.number) {
                        sent(Piece::Message(subscription, entry.log_time));
                    }
                }
            }
            Some(Item::Other(Ordered::Control(control))) => sent(Piece::Frame(&control.frame)),
            Some(Item::Other(Ordered::Session(session))) => {
                session.frames.iter().for_each(|frame| sent(Piece::Frame(frame)));
            }
            Some(Item::Other(Ordered::Time(time))) => sent(Piece::Time(time)),
            None => {}
        }
    }
}

fn decode(frame: &Encoded) -> ServerMessage {
    match frame {
        Encoded::Text(text) => ServerMessage::decode_text(std::str::from_utf8(text).unwrap()).unwrap(),
        Encoded::Binary(bytes) | Encoded::Large(bytes) => {
            ServerMessage::decode_binary(bytes.clone()).unwrap()
        }
    }
}

impl From<ServerMessage> for Sent {
    fn from(message: ServerMessage) -> Self {
        match message {
            ServerMessage::ServerInfo(info) => Self::Session(info),
            ServerMessage::Advertise(channels) => {
                Self::Advertised(channels.iter().map(|channel| channel.id.0).collect())
            }
            ServerMessage::Unadvertise(ids) => Self::Unadvertised(ids.iter().map(|id| id.0).collect()),
            ServerMessage::Time(time) => Self::Time(time.0 / 1_000_000_000),
            ServerMessage::PlaybackState(state) => Self::State(state),
            ServerMessage::Status(status) => Self::Status(status),
            other => Self::Other(other),
        }
    }
}

/// A hub that latches `/map`, with queues of 64 KiB.
pub(crate) fn hub(on_slow_client: SlowClient) -> Hub {
    let latch = Latch::Topics(vec!["/map".parse().unwrap()]);
    let time_resolution = Duration::ZERO;
    let options = HubOptions::default();
    Hub::new("test", HubOptions { client_buffer: 1 << 16, on_slow_client, latch, time_resolution, ..options })
}

/// A JSON channel on a topic.
pub(crate) fn channel(registry: &Registry, topic: &str) -> Arc<Channel> {
    registry.claim(ChannelSpec::json(topic)).unwrap().channel
}

/// Messages at times in seconds, each of `length` bytes.
pub(crate) fn messages(list: &[(ChannelId, u64)], length: usize) -> Batch {
    let mut batch = Batch::default();
    for &(channel, seconds) in list {
        let entry = Entry::at(channel, Timestamp(seconds * 1_000_000_000));
        batch.push_copy(&entry, &vec![b' '; length]);
    }
    batch
}
