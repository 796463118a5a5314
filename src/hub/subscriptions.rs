//! Which channels one client wants, under which of its own ids.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{ChannelId, SubscriptionId};
use crate::payload::transforms::Transforms;

/// A set of the slots of channels, as bits. A channel that ended can share its slot with a later one, so that a set only
/// says which channels *may* be in it.
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

    /// Takes all channels of another set out.
    pub fn remove_all(&mut self, channels: &Self) {
        self.0.iter_mut().zip(&channels.0).for_each(|(word, others)| *word &= !others);
    }

    /// Whether a channel is in it.
    pub fn contains(&self, channel: ChannelId) -> bool {
        self.0.get(channel.slot() / 64).is_some_and(|word| word >> (channel.slot() % 64) & 1 == 1)
    }

    /// Whether both have a channel in common.
    pub fn intersects(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).any(|(a, b)| a & b != 0)
    }

    /// Takes all channels out.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

/// What of a channel counts besides its newest message: the last one of each child frame, and of each origin of a latched
/// channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Counts {
    pub(crate) transforms: Option<Transforms>,
    pub(crate) is_latched: bool,
}

/// One subscription: the channel, the client's id for it, the first queue item it applies to, and what of it counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Subscribed {
    channel: ChannelId,
    id: SubscriptionId,
    since: u64,
    counts: Counts,
}

// the table is looked up for each message
const _: () = assert!(size_of::<Option<Subscribed>>() == 24);

/// A subscription to a channel that was retired: it still applies to what was queued before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ended {
    subscribed: Subscribed,
    until: u64,
}

/// Why a subscription is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// The client uses this id for another subscription.
    IdInUse,
    /// The client has a subscription to this channel.
    AlreadySubscribed,
}

/// Subscriptions to retired channels that a client may leave for later to end.
const MAX_ORPHANS: usize = 1024;

/// The subscriptions of one client: a table from channel to subscription id.
#[derive(Debug, Clone, Default)]
pub struct Subscriptions {
    /// By slot.
    table: Vec<Option<Subscribed>>,
    channels: ChannelSet,
    ids: BTreeMap<SubscriptionId, ChannelId>,
    ended: Vec<Ended>,
    /// Ids whose channels were retired; the client is yet to end them.
    orphans: BTreeSet<SubscriptionId>,
}

impl Subscriptions {
    /// Adds a subscription that applies to queue items numbered `since` and later.
    pub fn insert(&mut self, id: SubscriptionId, channel: ChannelId, since: u64) -> Result<(), Refused> {
        if self.ids.contains_key(&id) {
            return Err(Refused::IdInUse);
        }
        if self.subscribed(channel).is_some() {
            return Err(Refused::AlreadySubscribed);
        }
        if channel.slot() >= self.table.len() {
            self.table.resize(channel.slot() + 1, None);
        }
        self.table[channel.slot()] = Some(Subscribed { channel, id, since, counts: Counts::default() });
        self.channels.insert(channel);
        self.ids.insert(id, channel);
        self.orphans.remove(&id);
        Ok(())
    }

    /// How many there are to channels that have not ended.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Says what counts of a channel that is subscribed to.
    pub(crate) fn set_counts(&mut self, channel: ChannelId, counts: Counts) {
        if let Some(Some(subscribed)) = self.table.get_mut(channel.slot())
            && subscribed.channel == channel
        {
            subscribed.counts = counts;
        }
    }

    /// What counts of a channel in queue item number `item`.
    pub(crate) fn counts(&self, channel: ChannelId, item: u64) -> Counts {
        let subscribed = self.subscribed(channel).or_else(|| self.ended(channel, item));
        subscribed.map(|subscribed| subscribed.counts).unwrap_or_default()
    }

    fn subscribed(&self, channel: ChannelId) -> Option<&Subscribed> {
        self.table.get(channel.slot())?.as_ref().filter(|subscribed| subscribed.channel == channel)
    }

    /// Ends the subscription to a channel that is retired: it applies to queue items before `until` only. False if there
    /// is none.
    pub fn retire(&mut self, channel: ChannelId, until: u64) -> bool {
        let Some(subscribed) = self.subscribed(channel).copied() else { return false };
        self.forget(subscribed);
        self.ended.push(Ended { subscribed, until });
        if self.orphans.len() >= MAX_ORPHANS {
            self.orphans.pop_first();
        }
        self.orphans.insert(subscribed.id);
        true
    }

    /// Ends a subscription. None if there is none with this id; else the channel, if that is still offered.
    pub fn remove(&mut self, id: SubscriptionId) -> Option<Option<ChannelId>> {
        let Some(channel) = self.ids.get(&id).copied() else {
            return self.orphans.remove(&id).then_some(None);
        };
        if let Some(subscribed) = self.subscribed(channel).copied() {
            self.forget(subscribed);
        }
        Some(Some(channel))
    }

    fn forget(&mut self, Subscribed { channel, id, .. }: Subscribed) {
        self.table[channel.slot()] = None;
        self.channels.remove(channel);
        self.ids.remove(&id);
    }

    /// Queue items before `number` have all been taken.
    pub fn forget_ended(&mut self, number: u64) {
        self.ended.retain(|ended| ended.until > number);
    }

    /// Whether there are subscriptions to retired channels that may apply to queued items.
    pub fn has_ended(&self) -> bool {
        !self.ended.is_empty()
    }

    /// The client's id for a message of this channel in queue item number `item`, if it wants it.
    #[inline]
    pub fn wanted(&self, channel: ChannelId, item: u64) -> Option<SubscriptionId> {
        match self.table.get(channel.slot()) {
            Some(Some(subscribed)) if subscribed.channel == channel => {
                (subscribed.since <= item).then_some(subscribed.id)
            }
            _ if self.ended.is_empty() => None,
            _ => self.wanted_before_its_end(channel, item),
        }
    }

    #[cold]
    fn wanted_before_its_end(&self, channel: ChannelId, item: u64) -> Option<SubscriptionId> {
        self.ended(channel, item).map(|subscribed| subscribed.id)
    }

    /// The subscription to a channel that was retired.
    fn ended(&self, channel: ChannelId, item: u64) -> Option<&Subscribed> {
        let applies = |ended: &&Ended| {
            ended.subscribed.channel == channel && (ended.subscribed.since..ended.until).contains(&item)
        };
        self.ended.iter().find(applies).map(|ended| &ended.subscribed)
    }

    /// The slots of channels that are subscribed to.
    pub fn channels(&self) -> &ChannelSet {
        &self.channels
    }

    /// The channels that are subscribed to, in the order of the client's ids.
    pub fn iter(&self) -> impl Iterator<Item = ChannelId> + '_ {
        self.ids.values().copied()
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
        assert_eq!(subscriptions.remove(SubscriptionId(7)), Some(Some(ChannelId(3))));
        assert_eq!(subscriptions.remove(SubscriptionId(7)), None);
        assert_eq!(subscriptions.insert(SubscriptionId(8), ChannelId(3), 0), Ok(()));
    }

    #[test]
    fn a_retired_channel_keeps_what_was_queued_before_and_the_client_may_still_unsubscribe() {
        let mut subscriptions = Subscriptions::default();
        subscriptions.insert(SubscriptionId(7), ChannelId(3), 2).unwrap();
        assert!(subscriptions.retire(ChannelId(3), 5));
        assert!(!subscriptions.retire(ChannelId(3), 6) && !subscriptions.retire(ChannelId(99), 6));
        let wanted: Vec<_> = (0..8).map(|item| subscriptions.wanted(ChannelId(3), item).is_some()).collect();
        assert_eq!(wanted, [false, false, true, true, true, false, false, false]);
        assert!(subscriptions.is_empty());
        assert_eq!(subscriptions.remove(SubscriptionId(7)), Some(None));
        assert_eq!(subscriptions.remove(SubscriptionId(7)), None);
        subscriptions.forget_ended(5);
        assert!(!subscriptions.has_ended());
        assert_eq!(subscriptions.wanted(ChannelId(3), 4), None);
    }

    #[test]
    fn a_channel_in_the_slot_of_an_earlier_one_is_another_channel() {
        let mut subscriptions = Subscriptions::default();
        let (old, new) = (ChannelId::new(3, 0).unwrap(), ChannelId::new(3, 1).unwrap());
        subscriptions.insert(SubscriptionId(1), old, 0).unwrap();
        assert_eq!(subscriptions.wanted(new, 0), None);
        subscriptions.retire(old, 4);
        subscriptions.insert(SubscriptionId(2), new, 4).unwrap();
        assert_eq!(subscriptions.wanted(old, 3), Some(SubscriptionId(1)));
        assert_eq!(subscriptions.wanted(old, 4), None);
        assert_eq!(subscriptions.wanted(new, 4), Some(SubscriptionId(2)));
        assert_eq!(subscriptions.iter().collect::<Vec<_>>(), [new]);
    }

    #[test]
    fn a_client_that_never_unsubscribes_costs_little() {
        let mut subscriptions = Subscriptions::default();
        for n in 0..10_000 {
            let channel = ChannelId::new(1 + n % 3, n / 3).unwrap();
            subscriptions.insert(SubscriptionId(n), channel, u64::from(n)).unwrap();
            subscriptions.retire(channel, u64::from(n));
            subscriptions.forget_ended(u64::from(n));
        }
        assert!(subscriptions.orphans.len() <= MAX_ORPHANS && !subscriptions.has_ended());
        assert!(subscriptions.table.len() <= 4);
    }

    #[test]
    fn a_subscription_applies_from_its_item_on() {
        let mut subscriptions = Subscriptions::default();
        subscriptions.insert(SubscriptionId(1), ChannelId(200), 5).unwrap();
        assert_eq!(subscriptions.wanted(ChannelId(200), 4), None);
        assert_eq!(subscriptions.wanted(ChannelId(200), 5), Some(SubscriptionId(1)));
        assert_eq!(subscriptions.wanted(ChannelId(1), 5), None);
        assert_eq!(subscriptions.wanted(ChannelId(9_999), 5), None);
    }

    #[test]
    fn sets_know_their_channels() {
        let (mut a, mut b) = (ChannelSet::default(), ChannelSet::default());
        a.insert(ChannelId(1));
        a.insert(ChannelId(130));
        b.insert(ChannelId(2));
        assert!(!a.intersects(&b));
        b.insert(ChannelId(130));
        assert!(a.intersects(&b) && a.contains(ChannelId(1)) && !a.contains(ChannelId(2)));
        a.remove(ChannelId(130));
        assert!(!a.intersects(&b));
    }
}
