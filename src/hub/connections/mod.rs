//! The connection graph that a hub keeps by itself: inputs and clients that publish, clients that subscribe, services.
//!
//! Who publishes says so by a [`PublisherNode`]; the rest the hub knows. While a client follows the graph a thread looks
//! every [`INTERVAL`] whether something has changed, and sends what did: a client that subscribes to 600 topics in as many
//! messages is a few updates. Bound: [`MAX_IDS`] nodes for each topic.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use super::capability::graph::{ConnectionGraph, GraphUpdater};
use super::{AlreadyProvided, ClientId, Hub, State, WeakHub, lock};
use crate::model::{Channel, ChannelId};

mod names;
#[cfg(test)]
mod tests;

/// Changes within this time are one update.
const INTERVAL: Duration = Duration::from_millis(100);

/// A thread that nobody needs any more notices it within this time.
const PATIENCE: Duration = Duration::from_secs(1);

/// Nodes that are shown of those that publish one topic, or subscribe to it: more make no picture.
const MAX_IDS: usize = 100;

/// Who publishes.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Who {
    Input(Arc<str>),
    Client(ClientId),
}

/// All who publish, by number.
#[derive(Debug, Default)]
pub(super) struct Nodes {
    last: u64,
    by_number: BTreeMap<u64, (Who, BTreeSet<ChannelId>)>,
}

impl Nodes {
    /// Channels have ended.
    pub(super) fn retire(&mut self, channels: &[ChannelId]) {
        for (_, published) in self.by_number.values_mut() {
            for channel in channels {
                published.remove(channel);
            }
        }
    }
}

/// Somebody who publishes, as the connection graph shows it. Shown until it is dropped.
#[derive(Debug)]
#[must_use = "the node is shown until it is dropped"]
pub struct PublisherNode {
    hub: WeakHub,
    number: u64,
}

impl PublisherNode {
    /// It publishes these channels from now on, once they are announced.
    pub fn publishes(&self, channels: &[Arc<Channel>]) {
        if channels.is_empty() {
            return;
        }
        self.change(|published| published.extend(channels.iter().map(|channel| channel.id)));
    }

    /// It publishes these channels no more.
    pub fn stops(&self, channels: &[ChannelId]) {
        if channels.is_empty() {
            return;
        }
        self.change(|published| {
            for channel in channels {
                published.remove(channel);
            }
        });
    }

    fn change(&self, change: impl FnOnce(&mut BTreeSet<ChannelId>)) {
        let Some(hub) = self.hub.upgrade() else { return };
        if let Some((_, published)) = lock(&hub.0.state).nodes.by_number.get_mut(&self.number) {
            change(published);
        }
        hub.connections_changed();
    }
}

impl Drop for PublisherNode {
    fn drop(&mut self) {
        let Some(hub) = self.hub.upgrade() else { return };
        lock(&hub.0.state).nodes.by_number.remove(&self.number);
        hub.connections_changed();
    }
}

/// Keeps the graph up to date while somebody follows it.
pub(super) struct Keeper {
    hub: WeakHub,
    updater: GraphUpdater,
    is_stale: AtomicBool,
    /// Held from a look to the update: a later look must not be shown before an earlier one.
    refreshing: Mutex<()>,
    /// There is a thread.
    is_attended: Mutex<bool>,
    changed: Condvar,
}

impl Hub {
    /// Declares the connection graph to clients that join from now on, and keeps it by itself.
    pub fn provide_connections(&self) -> Result<(), AlreadyProvided> {
        let keeper = Arc::new(Keeper {
            hub: self.downgrade(),
            updater: self.provide_graph()?,
            is_stale: AtomicBool::new(true),
            refreshing: Mutex::default(),
            is_attended: Mutex::new(false),
            changed: Condvar::new(),
        });
        let of_demand = keeper.clone();
        self.on_demand(move |_change| of_demand.touch());
        self.0.connections.get_or_init(|| keeper);
        Ok(())
    }

    /// A node of the connection graph that publishes, by the name that people know it by.
    pub fn publisher_node(&self, name: &str) -> PublisherNode {
        self.node(Who::Input(names::shown(name).into()))
    }

    /// The same for a client.
    pub(crate) fn client_node(&self, client: ClientId) -> PublisherNode {
        self.node(Who::Client(client))
    }

    fn node(&self, who: Who) -> PublisherNode {
        let nodes = &mut lock(&self.0.state).nodes;
        nodes.last += 1;
        nodes.by_number.insert(nodes.last, (who, BTreeSet::new()));
        PublisherNode { hub: self.downgrade(), number: nodes.last }
    }

    /// Something that the graph shows has changed.
    pub(super) fn connections_changed(&self) {
        self.0.connections_changed();
    }

    /// A client is about to follow the graph: it is brought up to date.
    pub(super) fn refresh_connections(&self) {
        if let Some(keeper) = self.0.connections.get() {
            keeper.refresh(self);
        }
    }

    /// A client follows the graph from now on.
    pub(super) fn attend_connections(&self) {
        if let Some(keeper) = self.0.connections.get() {
            keeper.attend();
        }
    }

    fn graph_is_followed(&self) -> bool {
        lock(&self.0.state).members.values().any(|member| member.follows_graph)
    }
}

impl super::Shared {
    pub(super) fn connections_changed(&self) {
        if let Some(keeper) = self.connections.get() {
            keeper.touch();
        }
    }
}

impl Keeper {
    /// May be called under the hub's lock.
    fn touch(&self) {
        if !self.is_stale.swap(true, Ordering::SeqCst) {
            drop(lock(&self.is_attended));
            self.changed.notify_all();
        }
    }

    fn refresh(&self, hub: &Hub) {
        let _one_at_a_time = lock(&self.refreshing);
        if self.is_stale.swap(false, Ordering::SeqCst) {
            let look = lock(&hub.0.state).look();
            let graph = look.graph(&hub.0.name);
            self.updater.update(|shown| *shown = graph);
        }
    }

    /// Starts the thread, if there is none.
    fn attend(self: &Arc<Self>) {
        let mut is_attended = lock(&self.is_attended);
        if !*is_attended {
            let own = self.clone();
            let spawned = std::thread::Builder::new().name("graph".into()).spawn(move || own.run());
            *is_attended = spawned.is_ok();
        }
    }

    fn run(&self) {
        loop {
            let is_attended = lock(&self.is_attended);
            let is_fresh = |_: &mut bool| !self.is_stale.load(Ordering::SeqCst);
            let waited = self.changed.wait_timeout_while(is_attended, PATIENCE, is_fresh);
            drop(waited.unwrap_or_else(PoisonError::into_inner));
            let Some(hub) = self.hub.upgrade() else { return };
            if !hub.graph_is_followed() {
                *lock(&self.is_attended) = false;
                // somebody may have begun to follow it before that, and relied on this thread
                if !hub.graph_is_followed() || std::mem::replace(&mut *lock(&self.is_attended), true) {
                    return;
                }
            }
            if self.is_stale.load(Ordering::SeqCst) {
                std::thread::sleep(INTERVAL);
                self.refresh(&hub);
            }
        }
    }
}

/// What a graph is made of, copied under the hub's lock.
struct Look {
    topics: BTreeMap<ChannelId, Arc<Channel>>,
    published: Vec<(Who, BTreeSet<ChannelId>)>,
    subscribed: BTreeMap<ClientId, (String, Vec<ChannelId>)>,
    services: Vec<String>,
}

impl State {
    fn look(&self) -> Look {
        let subscribed = self.members.iter().map(|(id, member)| {
            let channels = lock(&member.queue.outbox).subscriptions().iter().collect();
            (*id, (names::client(*id, &member.info), channels))
        });
        Look {
            topics: self.channels.known().map(|channel| (channel.id, channel.clone())).collect(),
            published: self.nodes.by_number.values().cloned().collect(),
            subscribed: subscribed.collect(),
            services: self.slots.services.as_ref().map(|services| services.names()).unwrap_or_default(),
        }
    }
}

impl Look {
    fn graph(self, server: &str) -> ConnectionGraph {
        let mut graph = ConnectionGraph::default();
        let topic = |id: &ChannelId| self.topics.get(id).map(|channel| channel.topic.as_str());
        for (who, channels) in &self.published {
            let name = match who {
                Who::Input(name) => name,
                Who::Client(client) => match self.subscribed.get(client) {
                    Some((name, _)) => name.as_str(),
                    // it has left just now
                    None => continue,
                },
            };
            channels.iter().filter_map(topic).for_each(|topic| add(&mut graph.published, topic, name));
        }
        for (name, channels) in self.subscribed.values() {
            channels.iter().filter_map(topic).for_each(|topic| add(&mut graph.subscribed, topic, name));
        }
        for service in &self.services {
            add(&mut graph.services, service, &names::shown(server));
        }
        graph
    }
}

fn add(edges: &mut BTreeMap<String, BTreeSet<String>>, name: &str, node: &str) {
    let nodes = match edges.get_mut(name) {
        Some(nodes) => nodes,
        None => edges.entry(name.to_owned()).or_default(),
    };
    if nodes.len() < MAX_IDS {
        nodes.insert(node.to_owned());
    }
}
