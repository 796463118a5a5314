//! Which channels one client wants, under which of its own ids.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{ChannelId, SubscriptionId};

/// A set of channels, as bits: ids are small and dense.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChannelSet(Vec<u64>);

impl ChannelSet {
    /// Adds a channel.
    pub fn insert(&mut self, channel: ChannelId) {
        let word = channel.slot() / 64;
        if word >= self.0.len() {
            self.0.resize(word + 1, 0);
        }
        self.0[word] |= 1 << (channel.slot() % 64);
    }

    /// Takes a channel out.
    pub fn remove(&mut self, channel: ChannelId) {
        if let Some(word) = self.0.get_mut(channel.slot() / 64) {
            *word &= !(1 << (channel.slot() % 64));
        }
    }

    /// Whether a channel is in it.
    pub fn contains(&self, channel: ChannelId) -> bool {
        self.0.get(channel.slot() / 64).is_some_and(|word| word >> (channel.slot() % 64) & 1 == 1)
    }

    /// Whether both have a channel in common.
    pub fn intersects(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).any(|(a, b)| a & b != 0)
    }

    /// Adds the channels of another set.
    pub fn union_with(&mut self, other: &Self) {
        if other.0.len() > self.0.len() {
            self.0.resize(other.0.len(), 0);
        }
        for (a, b) in self.0.iter_mut().zip(&other.0) {
            *a |= b;
        }
    }

    /// Takes all channels out.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// The channels, in order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = ChannelId> + '_ {
        (0u32..).zip(&self.0).flat_map(|(word, bits)| {
            (0..64).filter(move |bit| bits >> bit & 1 == 1).map(move |bit| ChannelId(word * 64 + bit))
        })
    }
}

/// One subscription: the client's id for it, and the first queue item it applies to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Subscribed {
    id: SubscriptionId,
    since: u64,
}

/// Why a subscription is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// The client uses this id for another subscription.
    IdInUse,
    /// The client has a subscription to this channel.
    AlreadySubscribed,
}

/// The subscriptions of one client: a table from channel to subscription id.
#[derive(Debug, Clone, Default)]
pub struct Subscriptions {
    table: Vec<Option<Subscribed>>,
    channels: ChannelSet,
    ids: BTreeMap<SubscriptionId, ChannelId>,
    /// Subscriptions to channels that were taken back; the client is yet to end them.
    orphaned: BTreeSet<SubscriptionId>,
}

impl Subscriptions {
    /// Adds a subscription that applies to queue items numbered `since` and later.
    pub fn insert(&mut self, id: SubscriptionId, channel: ChannelId, since: u64) -> Result<(), Refused> {
        if self.ids.contains_key(&id) {
            return Err(Refused::IdInUse);
        }
        if self.channels.contains(channel) {
            return Err(Refused::AlreadySubscribed);
        }
        if channel.slot() >= self.table.len() {
            self.table.resize(channel.slot() + 1, None);
        }
        self.table[channel.slot()] = Some(Subscribed { id, since });
        self.channels.insert(channel);
        self.ids.insert(id, channel);
        self.orphaned.remove(&id);
        Ok(())
    }

    /// Ends the subscription to a channel that is taken back.
    pub fn orphan(&mut self, channel: ChannelId) {
        if let Some(subscribed) = self.table.get_mut(channel.slot()).and_then(Option::take) {
            self.channels.remove(channel);
            self.ids.remove(&subscribed.id);
            self.orphaned.insert(subscribed.id);
        }
    }

    /// Ends a subscription; false if there is none with this id.
    pub fn remove(&mut self, id: SubscriptionId) -> bool {
        let Some(channel) = self.ids.remove(&id) else { return self.orphaned.remove(&id) };
        self.table[channel.slot()] = None;
        self.channels.remove(channel);
        true
    }

    /// The client's id for a message of this channel in queue item number `item`, if it wants it.
    pub fn wanted(&self, channel: ChannelId, item: u64) -> Option<SubscriptionId> {
        match self.table.get(channel.slot()) {
            Some(Some(subscribed)) if subscribed.since <= item => Some(subscribed.id),
            _ => None,
        }
    }

    /// The channels that are subscribed to.
    pub fn channels(&self) -> &ChannelSet {
        &self.channels
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_takes_one_subscription_and_an_id_serves_one_channel() {
        let mut subscriptions = Subscriptions::default();
        assert_eq!(subscriptions.insert(SubscriptionId(7), ChannelId(3), 0), Ok(()));
        assert_eq!(subscriptions.insert(SubscriptionId(7), ChannelId(4), 0), Err(Refused::IdInUse));
        assert_eq!(subscriptions.insert(SubscriptionId(8), ChannelId(3), 0), Err(Refused::AlreadySubscribed));
        assert!(subscriptions.remove(SubscriptionId(7)));
        assert!(!subscriptions.remove(SubscriptionId(7)));
        assert_eq!(subscriptions.insert(SubscriptionId(8), ChannelId(3), 0), Ok(()));
    }

    #[test]
    fn a_subscription_to_a_channel_taken_back_can_be_ended_once() {
        let mut subscriptions = Subscriptions::default();
        assert_eq!(subscriptions.insert(SubscriptionId(7), ChannelId(3), 0), Ok(()));
        subscriptions.orphan(ChannelId(3));
        subscriptions.orphan(ChannelId(99));
        assert_eq!(subscriptions.wanted(ChannelId(3), 9), None);
        assert!(subscriptions.is_empty());
        assert!(subscriptions.remove(SubscriptionId(7)));
        assert!(!subscriptions.remove(SubscriptionId(7)));
    }

    #[test]
    fn a_subscription_does_not_reach_back_into_the_queue() {
        let mut subscriptions = Subscriptions::default();
        subscriptions.insert(SubscriptionId(1), ChannelId(200), 5).unwrap();
        assert_eq!(subscriptions.wanted(ChannelId(200), 4), None);
        assert_eq!(subscriptions.wanted(ChannelId(200), 5), Some(SubscriptionId(1)));
        assert_eq!(subscriptions.wanted(ChannelId(1), 5), None);
        assert_eq!(subscriptions.wanted(ChannelId(9_999), 5), None);
    }

    #[test]
    fn sets_know_what_they_hold() {
        let (mut a, mut b) = (ChannelSet::default(), ChannelSet::default());
        a.insert(ChannelId(1));
        a.insert(ChannelId(130));
        b.insert(ChannelId(2));
        assert!(!a.intersects(&b));
        b.insert(ChannelId(130));
        assert!(a.intersects(&b));
        b.union_with(&a);
        assert_eq!(b.iter().collect::<Vec<_>>(), [ChannelId(1), ChannelId(2), ChannelId(130)]);
        b.remove(ChannelId(130));
        assert!(!b.contains(ChannelId(130)) && b.contains(ChannelId(1)));
    }
}
