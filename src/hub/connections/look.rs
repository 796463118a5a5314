//! What a graph is made of, copied under the hub's lock.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Who, names};
use crate::hub::capability::graph::ConnectionGraph;
use crate::hub::{ClientId, State, lock};
use crate::model::{Channel, ChannelId};

/// Nodes that are shown of those that publish one topic, or subscribe to it: more make no picture.
pub(super) const MAX_IDS: usize = 100;

/// See the module's documentation.
pub(super) struct Look {
    topics: BTreeMap<ChannelId, Arc<Channel>>,
    published: Vec<(Who, BTreeSet<ChannelId>)>,
    subscribed: BTreeMap<ClientId, (String, Vec<ChannelId>)>,
    services: Vec<String>,
}

impl State {
    pub(super) fn look(&self) -> Look {
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
    pub(super) fn graph(self, server: &str) -> ConnectionGraph {
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
