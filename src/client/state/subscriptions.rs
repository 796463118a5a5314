//! Who wants which channels, and the subscriptions that follow from it: one a channel, whoever wants it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::topics::Topics;
use crate::model::{Channel, ChannelId, SubscriptionId};
use crate::protocol::Subscription;

/// Identifies who takes messages; unique within a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct TakerId(pub(crate) u64);

/// A channel that is subscribed to.
#[derive(Debug)]
struct Subscribed {
    channel: Arc<Channel>,
    takers: Arc<[TakerId]>,
}

#[derive(Debug, Default)]
pub(super) struct Subscriptions {
    wanted: BTreeMap<TakerId, Topics>,
    /// The topics of channels that were wanted by their ids, for when the ids mean nothing any more.
    topics: BTreeMap<ChannelId, String>,
    subscribed: BTreeMap<SubscriptionId, Subscribed>,
    by_channel: BTreeMap<ChannelId, SubscriptionId>,
    /// Of the next subscription. Not begun again with a connection, so that what comes late is not taken for something else.
    next: u32,
}

impl Subscriptions {
    /// Somebody wants channels: those that have to be subscribed to for it.
    pub(super) fn want<'a>(
        &mut self,
        taker: TakerId,
        topics: Topics,
        channels: impl Iterator<Item = &'a Arc<Channel>>,
    ) -> Vec<Subscription> {
        self.wanted.insert(taker, topics);
        channels.filter_map(|channel| self.settle(channel)).collect()
    }

    /// Somebody wants no more: the subscriptions that have to be ended for it.
    pub(super) fn forget(&mut self, taker: TakerId) -> Vec<SubscriptionId> {
        if self.wanted.remove(&taker).is_none() {
            return Vec::new();
        }
        let mut ended = Vec::new();
        for (id, subscribed) in &mut self.subscribed {
            if subscribed.takers.contains(&taker) {
                let left = subscribed.takers.iter().copied().filter(|other| *other != taker);
                subscribed.takers = left.collect();
                if subscribed.takers.is_empty() {
                    ended.push(*id);
                }
            }
        }
        for id in &ended {
            if let Some(subscribed) = self.subscribed.remove(id) {
                self.by_channel.remove(&subscribed.channel.id);
            }
        }
        ended
    }

    /// Sees to it that all who want a channel get it; a subscription if that needs one.
    pub(super) fn settle(&mut self, channel: &Arc<Channel>) -> Option<Subscription> {
        let wanted = self.wanted.iter().filter(|(_, topics)| topics.choose(channel));
        let takers: Arc<[TakerId]> = wanted.map(|(taker, _)| *taker).collect();
        if takers.is_empty() {
            return None;
        }
        if self.wanted.values().any(|topics| topics.names(channel.id)) {
            self.topics.insert(channel.id, channel.topic.clone());
        }
        let known = self.by_channel.get(&channel.id).and_then(|id| self.subscribed.get_mut(id));
        if let Some(subscribed) = known {
            subscribed.takers = takers;
            return None;
        }
        let id = SubscriptionId(self.next);
        self.next = self.next.wrapping_add(1);
        self.subscribed.insert(id, Subscribed { channel: channel.clone(), takers });
        self.by_channel.insert(channel.id, id);
        Some(Subscription { id, channel_id: channel.id })
    }

    /// A channel is gone, and with it its subscription.
    pub(super) fn end(&mut self, channel: ChannelId) {
        if let Some(id) = self.by_channel.remove(&channel) {
            self.subscribed.remove(&id);
        }
    }

    /// The connection is gone, and with it all subscriptions; what is wanted stays.
    pub(super) fn end_all(&mut self) {
        self.subscribed.clear();
        self.by_channel.clear();
    }

    /// A new session begins, in which ids mean other channels.
    pub(super) fn forget_ids(&mut self) {
        let known = std::mem::take(&mut self.topics);
        for topics in self.wanted.values_mut() {
            topics.forget_ids(&|id| known.get(&id).cloned());
        }
    }

    /// The channel of a subscription, and who takes its messages.
    pub(super) fn takers(&self, id: SubscriptionId) -> Option<(&Arc<Channel>, &Arc<[TakerId]>)> {
        self.subscribed.get(&id).map(|subscribed| (&subscribed.channel, &subscribed.takers))
    }

    /// Whether there was a subscription of this id: what was sent before its end was noticed can come after it.
    pub(super) fn was(&self, id: SubscriptionId) -> bool {
        id.0 < self.next
    }
}
