//! What is going on in the hub, at one moment.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::outbox::Outbox;
use super::{ClientId, ClientInfo, Hub, State, lock};
use crate::model::Channel;

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
}

/// One client at one moment.
#[derive(Debug, Clone)]
pub struct ClientSnapshot {
    /// Its connection.
    pub id: ClientId,
    /// Who it is.
    pub info: ClientInfo,
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
}

/// One topic at one moment.
#[derive(Debug, Clone)]
pub struct TopicSnapshot {
    /// The channel.
    pub channel: Arc<Channel>,
    /// Clients that subscribe to it.
    pub subscribers: usize,
    /// Whether its last message is kept for clients that subscribe later.
    pub latched: bool,
}

impl Hub {
    /// What is going on. Costs a moment under the hub's lock for each client and topic: ask a few times a second.
    pub fn snapshot(&self) -> HubSnapshot {
        let state = lock(&self.0.state);
        let clients = state.members.iter().map(|(id, member)| {
            let outbox = lock(&member.queue.outbox);
            let topic = |id| state.channels.advertised(id).map(|channel| channel.topic.clone());
            ClientSnapshot {
                id: *id,
                info: member.info.clone(),
                topics: outbox.subscriptions().iter().filter_map(topic).collect(),
                bytes_queued: outbox.queued_bytes(),
                messages_sent: member.queue.messages.load(Ordering::Relaxed),
                bytes_sent: member.queue.bytes.load(Ordering::Relaxed),
                dropped: state.dropped(&outbox),
            }
        });
        let clients = clients.collect();
        let topics = state.channels.known().map(|channel| TopicSnapshot {
            channel: channel.clone(),
            subscribers: self.subscriptions(channel.id),
            latched: state.latch.contains(channel.id),
        });
        HubSnapshot {
            clients,
            topics: topics.collect(),
            messages_sent: self.0.counters.messages.load(Ordering::Relaxed),
            bytes_sent: self.0.counters.bytes.load(Ordering::Relaxed),
            messages_dropped: self.0.counters.dropped.load(Ordering::Relaxed),
        }
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
