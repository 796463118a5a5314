//! What clients want together: the union of their subscriptions.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Mutex;

use super::{ClientId, Hub, lock};
use crate::model::ChannelId;

/// A change of what clients want.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DemandChange<'a> {
    /// A client subscribed.
    Subscribed {
        /// Which one.
        client: ClientId,
        /// The channels of its new subscriptions.
        channels: &'a [ChannelId],
        /// Those of them for which it did not get a latched message.
        without_message: &'a [ChannelId],
    },
    /// A client unsubscribed or left, or channels that it wanted were retired.
    Unsubscribed {
        /// Which one.
        client: ClientId,
        /// Channels that it does not want any more.
        channels: &'a [ChannelId],
    },
}

type OnChange = Box<dyn Fn(&DemandChange<'_>) + Send + Sync>;

/// Subscriptions by channel, and who is called when they change.
#[derive(Default)]
pub(super) struct Demand {
    subscriptions: Mutex<BTreeMap<ChannelId, usize>>,
    listeners: Mutex<Vec<OnChange>>,
}

impl fmt::Debug for Demand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Demand").field("subscriptions", &self.subscriptions).finish_non_exhaustive()
    }
}

impl Demand {
    pub(super) fn change(&self, change: &DemandChange<'_>) {
        let mut subscriptions = lock(&self.subscriptions);
        match change {
            DemandChange::Subscribed { channels, .. } => {
                for channel in *channels {
                    *subscriptions.entry(*channel).or_default() += 1;
                }
            }
            DemandChange::Unsubscribed { channels, .. } => {
                for channel in *channels {
                    if let Some(count) = subscriptions.get_mut(channel) {
                        *count -= 1;
                        if *count == 0 {
                            subscriptions.remove(channel);
                        }
                    }
                }
            }
        }
        drop(subscriptions);
        lock(&self.listeners).iter().for_each(|listener| listener(change));
    }
}

impl Hub {
    /// Calls `call` with every change of what clients want. It must not block, nor use the hub.
    pub fn on_demand(&self, call: impl Fn(&DemandChange<'_>) + Send + Sync + 'static) {
        lock(&self.0.demand.listeners).push(Box::new(call));
    }

    /// How many clients subscribe to a channel.
    pub fn subscriptions(&self, channel: ChannelId) -> usize {
        lock(&self.0.demand.subscriptions).get(&channel).copied().unwrap_or(0)
    }

    /// The channels that somebody subscribes to, and those that are latched.
    pub fn wanted_channels(&self) -> Vec<ChannelId> {
        let state = lock(&self.0.state);
        let mut wanted: Vec<ChannelId> = lock(&self.0.demand.subscriptions).keys().copied().collect();
        wanted.extend(state.latch.channels());
        wanted.sort_unstable();
        wanted.dedup();
        wanted
    }

    /// The channels that are latched.
    pub(crate) fn latched_channels(&self) -> Vec<ChannelId> {
        lock(&self.0.state).latch.channels().collect()
    }

    /// Clients with at least one subscription.
    pub fn subscribers(&self) -> usize {
        let state = lock(&self.0.state);
        state.members.values().filter(|member| !lock(&member.queue.outbox).subscriptions().is_empty()).count()
    }
}
