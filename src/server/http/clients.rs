//! `/api/clients`: who is connected.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use serde::Serialize;

use super::Api;
use super::answer::{Json, nanos};
use crate::hub::{ClientSnapshot, HubSnapshot};

/// All clients.
#[derive(Debug, Serialize)]
pub(super) struct Clients {
    clients: Vec<Client>,
}

#[derive(Debug, Serialize)]
struct Client {
    id: u64,
    address: Option<String>,
    agent: String,
    subprotocol: Option<&'static str>,
    since_ns: String,
    subscriptions: Vec<String>,
    queue_bytes: usize,
    messages_sent: u64,
    bytes_sent: u64,
    dropped: u64,
    dropped_by_topic: BTreeMap<String, u64>,
    slow_because: Option<String>,
}

impl Clients {
    pub(super) fn of(snapshot: &HubSnapshot) -> Self {
        Self { clients: snapshot.clients.iter().map(Client::of).collect() }
    }
}

impl Client {
    fn of(client: &ClientSnapshot) -> Self {
        let mut dropped_by_topic = BTreeMap::new();
        for (topic, messages) in &client.dropped {
            // topics that are gone have no name any more
            *dropped_by_topic.entry(topic.clone()).or_default() += messages;
        }
        Self {
            id: client.id.token(),
            address: client.info.address.map(|address| address.to_string()),
            agent: client.info.agent.clone(),
            subprotocol: client.info.offer.choose().map(|chosen| chosen.as_str()),
            since_ns: nanos(client.since),
            subscriptions: client.topics.clone(),
            queue_bytes: client.bytes_queued,
            messages_sent: client.messages_sent,
            bytes_sent: client.bytes_sent,
            dropped: client.dropped.iter().map(|(_topic, messages)| messages).sum(),
            dropped_by_topic,
            slow_because: client.slow_because.clone(),
        }
    }
}

pub(super) async fn answer(State(api): State<Arc<Api>>) -> Json<Clients> {
    Json(Clients::of(&api.hub.snapshot()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::SlowClient;
    use crate::hub::testing::{Viewer, hub};

    #[test]
    fn what_is_missing_of_topics_without_a_name_is_added_up() {
        let hub = hub(SlowClient::Drop);
        let _viewer = Viewer::join(&hub);
        let mut snapshot = hub.snapshot();
        snapshot.clients[0].dropped =
            [("", 2), ("/a", 1), ("", 3)].map(|(topic, n)| (topic.into(), n)).into();
        let client = &Clients::of(&snapshot).clients[0];
        assert_eq!((client.dropped, client.dropped_by_topic[""]), (6, 5));
    }
}
