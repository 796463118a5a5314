//! What is going on in the hub, at one moment.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::outbox::Outbox;
use super::subscriptions::Subscriptions;
use super::{ClientId, ClientInfo, Hub, LagSnapshot, State, lock};
use crate::model::{Channel, ChannelId};
use crate::time::Timestamp;

/// The whole hub at one moment. Counters count from the start of the server.
#[derive(Debug, Clone, Default)]
pub struct HubSnapshot {
    /// Clients that are connected, in the order in which they came.
    pub clients: Vec<ClientSnapshot>,
    /// Channels that are offered, by id.
    pub topics: Vec<TopicSnapshot>,
    /// Messages written to clients, each client counted.
    pub messages_sent: u64,
    /// Bytes of payload in them.
    pub bytes_sent: u64,
    /// Messages that slow clients did not get.
    pub messages_dropped: u64,
    /// What every client is shown, now and when it joins: damage, and conditions while they hold.
    pub notices: Vec<String>,
}

/// One client at one moment.
#[derive(Debug, Clone)]
pub struct ClientSnapshot {
    /// Its connection.
    pub id: ClientId,
    /// Who it is.
    pub info: ClientInfo,
    /// When it joined.
    pub since: Timestamp,
    /// Topics that it subscribes to.
    pub topics: Vec<String>,
    /// Bytes of payload that wait for it.
    pub bytes_queued: usize,
    /// Messages written to it.
    pub messages_sent: u64,
    /// Bytes of payload in them.
    pub bytes_sent: u64,
    /// Messages that it did not get because it is slow, by topic; those of topics that are gone under an empty name.
    pub dropped: Vec<(String, u64)>,
    /// The topic that takes most of what waits for it, if much does: why it is slow.
    pub slow_because: Option<String>,
}

/// One topic at one moment.
#[derive(Debug, Clone)]
pub struct TopicSnapshot {
    /// The channel.
    pub channel: Arc<Channel>,
    /// Clients that subscribe to it.
    pub subscribers: usize,
    /// Whether clients publish it, and nobody else: the channel was advertised by a client.
    pub from_client: bool,
    /// Whether its last message is kept for clients that subscribe later.
    pub latched: bool,
    /// Messages published on it.
    pub messages: u64,
    /// Bytes of payload in them.
    pub bytes: u64,
    /// Messages a second, on average over the last five.
    pub hertz: f64,
    /// Bytes of payload a second, likewise.
    pub bytes_per_second: f64,
    /// Messages that slow clients did not get, each client counted.
    pub dropped: u64,
}

/// A client whose topics are yet to be named. With many clients and topics that takes long, and the hub's lock is not held
/// for it.
struct Seen {
    client: ClientSnapshot,
    subscriptions: Arc<Subscriptions>,
    filled_by: Option<ChannelId>,
}

impl Seen {
    /// `topics`: by id.
    fn named(self, topics: &[TopicSnapshot]) -> ClientSnapshot {
        let topic = |id: ChannelId| {
            let place = topics.binary_search_by_key(&id, |topic| topic.channel.id).ok()?;
            Some(topics[place].channel.topic.clone())
        };
        let Self { client, subscriptions, filled_by } = self;
        let topics = subscriptions.iter().filter_map(topic).collect();
        ClientSnapshot { topics, slow_because: filled_by.and_then(topic), ..client }
    }
}

impl Hub {
    /// What is going on. Costs a moment under the hub's lock for each client and topic: ask a few times a second.
    pub fn snapshot(&self) -> HubSnapshot {
        let (state, now) = (lock(&self.0.state), Instant::now());
        let mut dropped: BTreeMap<ChannelId, u64> = BTreeMap::new();
        let clients = state.members.iter().map(|(id, member)| {
            let outbox = lock(&member.queue.outbox);
            for (channel, messages) in outbox.dropped().0 {
                *dropped.entry(*channel).or_default() += messages;
            }
            let client = ClientSnapshot {
                id: *id,
                info: member.info.clone(),
                since: member.since,
                topics: Vec::new(),
                bytes_queued: outbox.queued_bytes(),
                messages_sent: member.queue.messages.load(Ordering::Relaxed),
                bytes_sent: member.queue.bytes.load(Ordering::Relaxed),
                dropped: state.dropped(&outbox),
                slow_because: None,
            };
            Seen { client, subscriptions: outbox.subscriptions().clone(), filled_by: outbox.filled_by() }
        });
        let clients: Vec<_> = clients.collect();
        let topics = state.channels.known().map(|channel| {
            let (published, rate) =
                (state.traffic.published(channel.id), state.traffic.rate(channel.id, now));
            TopicSnapshot {
                channel: channel.clone(),
                subscribers: self.subscriptions(channel.id),
                from_client: state.nodes.is_of_clients(channel.id),
                latched: state.latch.contains(channel.id),
                messages: published.messages,
                bytes: published.bytes,
                hertz: rate.hertz,
                bytes_per_second: rate.bytes_per_second,
                dropped: state.traffic.dropped(channel.id) + dropped.get(&channel.id).copied().unwrap_or(0),
            }
        });
        let topics: Vec<_> = topics.collect();
        let notices = state.notices.texts().map(str::to_owned).collect();
        drop(state);
        HubSnapshot {
            clients: clients.into_iter().map(|client| client.named(&topics)).collect(),
            topics,
            messages_sent: self.0.counters.messages.load(Ordering::Relaxed),
            bytes_sent: self.0.counters.bytes.load(Ordering::Relaxed),
            messages_dropped: self.0.counters.dropped.load(Ordering::Relaxed),
            notices,
        }
    }

    /// How late messages of recordings were handed out.
    pub(crate) fn lag(&self) -> LagSnapshot {
        self.0.counters.lag.snapshot()
    }

    /// Adds the hub's totals to a snapshot of playback.
    pub fn fill(&self, snapshot: &mut super::stats::Snapshot) {
        snapshot.clients = lock(&self.0.state).members.len();
        snapshot.messages_sent = self.0.counters.messages.load(Ordering::Relaxed);
        snapshot.bytes_sent = self.0.counters.bytes.load(Ordering::Relaxed);
        snapshot.messages_dropped = self.0.counters.dropped.load(Ordering::Relaxed);
        snapshot.bytes_recorded = self.0.counters.recorded.load(Ordering::Relaxed);
    }
}

impl State {
    /// Messages that a client did not get, by topic.
    pub(super) fn dropped(&self, outbox: &Outbox) -> Vec<(String, u64)> {
        let (by_channel, elsewhere) = outbox.dropped();
        let topic = |id| self.channels.advertised(id).map(|channel| channel.topic.clone());
        let mut dropped: Vec<_> =
            by_channel.iter().map(|(id, count)| (topic(*id).unwrap_or_default(), *count)).collect();
        if elsewhere > 0 {
            dropped.push((String::new(), elsewhere));
        }
        dropped
    }
}
