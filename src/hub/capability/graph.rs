//! The capability `connectionGraph`: who publishes, subscribes and provides what.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use crate::hub::outbox::{ControlKind, Encoded};
use crate::hub::{AlreadyProvided, Hub, WeakHub, lock};
use crate::protocol::{
    AdvertisedService, ConnectionGraphUpdate, PublishedTopic, ServerMessage, SubscribedTopic,
};

/// Names, each with the ids of nodes.
type Edges = BTreeMap<String, BTreeSet<String>>;

/// Who publishes, subscribes and provides what: ids of nodes by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConnectionGraph {
    /// By topic: who publishes it.
    pub published: Edges,
    /// By topic: who subscribes to it.
    pub subscribed: Edges,
    /// By service: who provides it.
    pub services: Edges,
}

impl ConnectionGraph {
    /// What changed since `before`; None if nothing did. An edge whose last node went, of a name that is still used
    /// otherwise, is sent with no ids.
    fn since(&self, before: &Self) -> Option<ConnectionGraphUpdate> {
        let update = ConnectionGraphUpdate {
            published_topics: changed(&self.published, &before.published)
                .map(|(name, publisher_ids)| PublishedTopic { name, publisher_ids })
                .collect(),
            subscribed_topics: changed(&self.subscribed, &before.subscribed)
                .map(|(name, subscriber_ids)| SubscribedTopic { name, subscriber_ids })
                .collect(),
            advertised_services: changed(&self.services, &before.services)
                .filter(|(_, provider_ids)| !provider_ids.is_empty())
                .map(|(name, provider_ids)| AdvertisedService { name, provider_ids })
                .collect(),
            removed_topics: gone(&before.topics(), &self.topics()),
            removed_services: gone(&names(&before.services), &names(&self.services)),
        };
        let is_gone = |name: &String| update.removed_topics.contains(name);
        let update = ConnectionGraphUpdate {
            published_topics: update.published_topics.iter().filter(|t| !is_gone(&t.name)).cloned().collect(),
            subscribed_topics: update
                .subscribed_topics
                .iter()
                .filter(|t| !is_gone(&t.name))
                .cloned()
                .collect(),
            ..update
        };
        (self != before).then_some(update)
    }

    /// Topics that somebody publishes or subscribes to.
    fn topics(&self) -> BTreeSet<&String> {
        names(&self.published).union(&names(&self.subscribed)).copied().collect()
    }
}

/// Names that have nodes.
fn names(edges: &Edges) -> BTreeSet<&String> {
    edges.iter().filter(|(_, ids)| !ids.is_empty()).map(|(name, _)| name).collect()
}

fn changed(now: &Edges, before: &Edges) -> impl Iterator<Item = (String, Vec<String>)> {
    let all: BTreeSet<&String> = now.keys().chain(before.keys()).collect();
    let none = BTreeSet::new();
    let mut changed = Vec::new();
    for name in all {
        let (ids, old) = (now.get(name).unwrap_or(&none), before.get(name).unwrap_or(&none));
        if ids != old {
            changed.push((name.clone(), ids.iter().cloned().collect()));
        }
    }
    changed.into_iter()
}

fn gone(before: &BTreeSet<&String>, now: &BTreeSet<&String>) -> Vec<String> {
    before.difference(now).map(|name| (*name).clone()).collect()
}

/// Keeps the graph of a hub up to date.
///
/// ```
/// use foxglove_bridge::hub::{Hub, HubOptions};
///
/// let hub = Hub::new("robot", HubOptions::default());
/// let graph = hub.provide_graph()?;
/// graph.update(|graph| {
///     graph.published.entry("/imu".to_owned()).or_default().insert("imu_driver".to_owned());
/// });
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "without it the graph stays empty"]
pub struct GraphUpdater {
    hub: WeakHub,
    /// The graph of the hub's slot is a copy, so that it is changed without the hub's lock.
    graph: Mutex<ConnectionGraph>,
}

impl GraphUpdater {
    /// Changes the graph; what changed is sent to the clients that follow it. `change` may use the hub, but not this.
    pub fn update(&self, change: impl FnOnce(&mut ConnectionGraph)) {
        let mut graph = lock(&self.graph);
        // one that panics has changed nothing
        let mut changed = graph.clone();
        change(&mut changed);
        let Some(update) = changed.since(&graph) else { return };
        graph.clone_from(&changed);
        let frame = Encoded::from(ServerMessage::ConnectionGraphUpdate(update).encode());
        let Some(hub) = self.hub.upgrade() else { return };
        let mut state = lock(&hub.0.state);
        if let Some(shown) = state.slots.graph.as_mut() {
            *shown = changed;
        }
        for member in state.members.values().filter(|member| member.follows_graph) {
            member.queue.control(ControlKind::Other, frame.clone());
        }
    }
}

/// The whole graph, as a client that begins to follow it needs it.
pub(in crate::hub) fn whole(graph: &ConnectionGraph) -> Encoded {
    let update = graph.since(&ConnectionGraph::default()).unwrap_or_default();
    ServerMessage::ConnectionGraphUpdate(update).encode().into()
}

impl Hub {
    /// Declares that there is a graph, to clients that join from now on, and gives what keeps it up to date.
    pub fn provide_graph(&self) -> Result<GraphUpdater, AlreadyProvided> {
        let graph = ConnectionGraph::default();
        self.provide("connectionGraph", graph.clone(), |slots| &mut slots.graph, |_state| {})?;
        Ok(GraphUpdater { hub: self.downgrade(), graph: Mutex::new(graph) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(
        published: &[(&str, &[&str])],
        subscribed: &[(&str, &[&str])],
        services: &[(&str, &[&str])],
    ) -> ConnectionGraph {
        let edges = |list: &[(&str, &[&str])]| {
            list.iter()
                .map(|(name, ids)| ((*name).into(), ids.iter().map(|id| (*id).into()).collect()))
                .collect()
        };
        ConnectionGraph {
            published: edges(published),
            subscribed: edges(subscribed),
            services: edges(services),
        }
    }

    #[test]
    fn an_update_has_what_changed_and_nothing_else() {
        let before = graph(&[("/a", &["n1"]), ("/b", &["n1"])], &[("/a", &["c1"])], &[("/s", &["n1"])]);
        let now = graph(&[("/a", &["n1", "n2"])], &[("/a", &["c1"]), ("/c", &["c2"])], &[]);
        let update = now.since(&before).unwrap();
        let published = PublishedTopic { name: "/a".into(), publisher_ids: vec!["n1".into(), "n2".into()] };
        assert_eq!(update.published_topics, [published]);
        let subscribed = SubscribedTopic { name: "/c".into(), subscriber_ids: vec!["c2".into()] };
        assert_eq!(update.subscribed_topics, [subscribed]);
        assert!(update.advertised_services.is_empty());
        assert_eq!((update.removed_topics, update.removed_services), (vec!["/b".into()], vec!["/s".into()]));
    }

    #[test]
    fn a_topic_that_loses_its_publisher_but_has_subscribers_stays_without_ids() {
        let before = graph(&[("/a", &["n1"])], &[("/a", &["c1"])], &[]);
        let update = graph(&[], &[("/a", &["c1"])], &[]).since(&before).unwrap();
        assert_eq!(update.published_topics, [PublishedTopic { name: "/a".into(), publisher_ids: vec![] }]);
        assert!(update.removed_topics.is_empty());
    }

    #[test]
    fn no_change_is_no_update() {
        let same = graph(&[("/a", &["n1"])], &[], &[]);
        assert_eq!(same.since(&same.clone()), None);
    }
}
