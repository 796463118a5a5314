//! The connection graph that a hub keeps by itself: inputs and clients that publish, clients that subscribe, services.
//!
//! Who publishes says so by a [`PublisherNode`]; the rest the hub knows. While a client follows the graph a thread looks
//! every 100 ms whether something has changed, and sends what did: a client that subscribes to 600 topics in as many
//! messages is a few updates. Bound: 100 nodes for each topic.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{AlreadyProvided, ClientId, Hub, Shared, WeakHub, lock};
use crate::model::{Channel, ChannelId};

mod keeper;
mod look;
mod names;
#[cfg(test)]
mod tests;

pub(super) use keeper::Keeper;

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
    /// Whether clients publish a channel, and no input does.
    pub(super) fn is_of_clients(&self, channel: ChannelId) -> bool {
        let publishes = |(_, channels): &&(Who, BTreeSet<ChannelId>)| channels.contains(&channel);
        let mut who = self.by_number.values().filter(publishes).map(|(who, _)| who).peekable();
        who.peek().is_some() && who.all(|who| matches!(who, Who::Client(_)))
    }

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

impl Hub {
    /// Declares the connection graph to clients that join from now on, and keeps it by itself.
    pub fn provide_connections(&self) -> Result<(), AlreadyProvided> {
        let keeper = Keeper::new(self)?;
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

impl Shared {
    pub(super) fn connections_changed(&self) {
        if let Some(keeper) = self.connections.get() {
            keeper.touch();
        }
    }
}
