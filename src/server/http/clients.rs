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
            dropped_by_topic: client.dropped.iter().cloned().collect(),
            slow_because: client.slow_because.clone(),
        }
    }
}

pub(super) async fn answer(State(api): State<Arc<Api>>) -> Json<Clients> {
    Json(Clients::of(&api.hub.snapshot()))
}
