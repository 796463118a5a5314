//! `/api/topics`: what is offered, and how fast it is published.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use serde::Serialize;

use super::Api;
use super::answer::Json;
use crate::hub::{HubSnapshot, TopicSnapshot};
use crate::model::ChannelId;

/// All topics, by name.
#[derive(Debug, Serialize)]
pub(super) struct Topics {
    topics: Vec<Topic>,
}

#[derive(Debug, Serialize)]
struct Topic {
    topic: String,
    channel: u32,
    schema_name: Option<String>,
    schema_encoding: Option<String>,
    encoding: String,
    /// Messages in the recording.
    count: Option<u64>,
    messages: u64,
    bytes: u64,
    hz: f64,
    bytes_per_s: f64,
    subscribers: usize,
    from_client: bool,
    latched: bool,
    dropped: u64,
}

impl Topics {
    pub(super) fn of(snapshot: &HubSnapshot, counts: Option<&BTreeMap<ChannelId, u64>>) -> Self {
        let mut topics: Vec<_> = snapshot.topics.iter().map(|topic| Topic::of(topic, counts)).collect();
        topics.sort_by(|one, other| one.topic.cmp(&other.topic));
        Self { topics }
    }
}

impl Topic {
    fn of(topic: &TopicSnapshot, counts: Option<&BTreeMap<ChannelId, u64>>) -> Self {
        let channel = &topic.channel;
        let schema = channel.schema.as_ref();
        Self {
            topic: channel.topic.clone(),
            channel: channel.id.0,
            schema_name: schema.map(|schema| schema.name.clone()),
            schema_encoding: schema.map(|schema| schema.encoding.clone()),
            encoding: channel.message_encoding.clone(),
            count: counts.and_then(|counts| counts.get(&channel.id)).copied(),
            messages: topic.messages,
            bytes: topic.bytes,
            hz: rounded(topic.hertz),
            bytes_per_s: rounded(topic.bytes_per_second),
            subscribers: topic.subscribers,
            from_client: topic.from_client,
            latched: topic.latched,
            dropped: topic.dropped,
        }
    }
}

/// To thousandths.
fn rounded(rate: f64) -> f64 {
    (rate * 1000.0).round() / 1000.0
}

pub(super) async fn answer(State(api): State<Arc<Api>>) -> Json<Topics> {
    let counts = api.counts.get(&api.hub).await;
    Json(Topics::of(&api.hub.snapshot(), counts.as_deref()))
}
