//! What clients want together: the union of their subscriptions.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use super::guard::call;
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
    /// Somebody looks at channels without a subscription, for a while: over HTTP.
    Watched {
        /// Those that were not looked at before.
        channels: &'a [ChannelId],
    },
    /// Nobody looks at channels any more, or they were retired.
    Unwatched {
        /// Which ones.
        channels: &'a [ChannelId],
    },
}

type OnChange = Box<dyn Fn(&DemandChange<'_>) + Send + Sync>;

/// Whether messages of one channel are wanted by anybody: a client, a recorder, or late subscribers. Read without a lock.
#[derive(Debug, Clone, Default)]
pub(super) struct Wanted(Arc<AtomicBool>);

impl Wanted {
    pub(super) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Subscriptions by channel, and who is called when they change.
#[derive(Default)]
pub(super) struct Demand {
    table: Mutex<Table>,
    listeners: Mutex<Vec<OnChange>>,
}

#[derive(Debug, Default)]
struct Table {
    subscriptions: BTreeMap<ChannelId, usize>,
    /// Those that somebody looks at without a subscription.
    looked_at: BTreeSet<ChannelId>,
    watched: BTreeMap<ChannelId, Vec<Watch>>,
    /// Those who take everything.
    taps: usize,
}

#[derive(Debug)]
struct Watch {
    wanted: Wanted,
    is_latched: bool,
}

impl Table {
    fn refresh(&self, channel: ChannelId) {
        let is_taken =
            self.taps > 0 || self.subscriptions.contains_key(&channel) || self.looked_at.contains(&channel);
        for watch in self.watched.get(&channel).into_iter().flatten() {
            watch.wanted.0.store(is_taken || watch.is_latched, Ordering::Relaxed);
        }
    }
}

impl fmt::Debug for Demand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Demand").field("table", &self.table).finish_non_exhaustive()
    }
}

impl Demand {
    pub(super) fn change(&self, change: &DemandChange<'_>) {
        let mut table = lock(&self.table);
        match change {
            DemandChange::Subscribed { channels, .. } => {
                for channel in *channels {
                    *table.subscriptions.entry(*channel).or_default() += 1;
                    table.refresh(*channel);
                }
            }
            DemandChange::Unsubscribed { channels, .. } => {
                for channel in *channels {
                    if let Some(count) = table.subscriptions.get_mut(channel) {
                        *count -= 1;
                        if *count == 0 {
                            table.subscriptions.remove(channel);
                            table.refresh(*channel);
                        }
                    }
                }
            }
            DemandChange::Watched { channels } => {
                for channel in *channels {
                    table.looked_at.insert(*channel);
                    table.refresh(*channel);
                }
            }
            DemandChange::Unwatched { channels } => {
                for channel in *channels {
                    table.looked_at.remove(channel);
                    table.refresh(*channel);
                }
            }
        }
        drop(table);
        for listener in lock(&self.listeners).iter() {
            call("what is wanted", || listener(change));
        }
    }

    /// So many take everything now.
    pub(super) fn set_taps(&self, taps: usize) {
        let mut table = lock(&self.table);
        table.taps = taps;
        table.watched.keys().for_each(|channel| table.refresh(*channel));
    }

    /// Keeps up whether a channel is wanted, until [`Demand::unwatch`].
    pub(super) fn watch(&self, channel: ChannelId, is_latched: bool) -> Wanted {
        let wanted = Wanted::default();
        let mut table = lock(&self.table);
        table.watched.entry(channel).or_default().push(Watch { wanted: wanted.clone(), is_latched });
        table.refresh(channel);
        wanted
    }

    /// Nobody asks any more: it says that the channel is not wanted, from now on.
    pub(super) fn unwatch(&self, channel: ChannelId, wanted: &Wanted) {
        let mut table = lock(&self.table);
        if let Some(watches) = table.watched.get_mut(&channel) {
            watches.retain(|watch| !Arc::ptr_eq(&watch.wanted.0, &wanted.0));
            if watches.is_empty() {
                table.watched.remove(&channel);
            }
        }
        wanted.0.store(false, Ordering::Relaxed);
    }
}

impl Hub {
    /// Calls `call` with every change of what clients want. It must not block, nor use the hub.
    pub fn on_demand(&self, call: impl Fn(&DemandChange<'_>) + Send + Sync + 'static) {
        lock(&self.0.demand.listeners).push(Box::new(call));
    }

    /// How many clients subscribe to a channel.
    pub fn subscriptions(&self, channel: ChannelId) -> usize {
        lock(&self.0.demand.table).subscriptions.get(&channel).copied().unwrap_or(0)
    }

    /// The channels that somebody subscribes to, and those that are latched.
    pub fn wanted_channels(&self) -> Vec<ChannelId> {
        let state = lock(&self.0.state);
        let mut wanted: Vec<ChannelId> = lock(&self.0.demand.table).subscriptions.keys().copied().collect();
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
