//! `/metrics`: figures for Prometheus. Counters count from the start of the server.
//!
//! Bound: [`TOPICS`] topics have series of their own; the others are one, under an empty name.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};

use super::Api;
use super::answer::whole;
use crate::hub::{HubSnapshot, LagSnapshot, TopicSnapshot};
use crate::server::metric::MetricKind;
use text::Text;

mod text;

/// Topics with series of their own: those that were offered first, so that a series goes on.
const TOPICS: usize = 200;

pub(super) async fn answer(State(api): State<Arc<Api>>) -> Response<Body> {
    let mut text = Text::default();
    let snapshot = api.hub.snapshot();
    build(&mut text);
    clients(&mut text, &snapshot);
    topics(&mut text, &snapshot.topics);
    lag(&mut text, &api.hub.lag());
    api_itself(&mut text, &api);
    for metric in &api.offered.metrics {
        text.family(&metric.name, metric.kind, &metric.help);
        text.sample(&[], metric.read());
    }
    whole(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", text.into_string())
}

fn build(text: &mut Text) {
    text.family("foxglove_bridge_build_info", MetricKind::Gauge, "The version of the program, as a label");
    text.sample(&[("version", env!("CARGO_PKG_VERSION"))], 1.0);
}

fn clients(text: &mut Text, snapshot: &HubSnapshot) {
    let queued = || snapshot.clients.iter().map(|client| client.bytes_queued);
    for (name, kind, help, value) in [
        ("clients", MetricKind::Gauge, "Clients that are connected", snapshot.clients.len() as f64),
        (
            "messages_sent_total",
            MetricKind::Counter,
            "Messages written to clients, each client counted",
            snapshot.messages_sent as f64,
        ),
        (
            "bytes_sent_total",
            MetricKind::Counter,
            "Bytes of payload written to clients",
            snapshot.bytes_sent as f64,
        ),
        (
            "messages_dropped_total",
            MetricKind::Counter,
            "Messages that slow clients did not get",
            snapshot.messages_dropped as f64,
        ),
        ("queue_bytes", MetricKind::Gauge, "Bytes that wait for all clients", queued().sum::<usize>() as f64),
        (
            "largest_queue_bytes",
            MetricKind::Gauge,
            "Bytes that wait for the client for which most do",
            queued().max().unwrap_or(0) as f64,
        ),
        ("topics", MetricKind::Gauge, "Topics that are offered", snapshot.topics.len() as f64),
        (
            "subscriptions",
            MetricKind::Gauge,
            "Subscriptions of all clients",
            snapshot.topics.iter().map(|topic| topic.subscribers).sum::<usize>() as f64,
        ),
    ] {
        text.family(&format!("foxglove_bridge_{name}"), kind, help);
        text.sample(&[], value);
    }
}

fn topics(text: &mut Text, topics: &[TopicSnapshot]) {
    type Figure = fn(&TopicSnapshot) -> u64;
    // a topic without a name is one of the others, since a series may be there once
    let (mut own, mut others) = (Vec::new(), Vec::new());
    for topic in topics {
        let has_own = own.len() < TOPICS && !topic.channel.topic.is_empty();
        if has_own { own.push(topic) } else { others.push(topic) }
    }
    let figures: [(&str, &str, Figure); 3] = [
        ("topic_messages_total", "Messages published on a topic", |topic| topic.messages),
        ("topic_bytes_total", "Bytes of payload published on a topic", |topic| topic.bytes),
        ("topic_messages_dropped_total", "Messages of a topic that slow clients did not get", |topic| {
            topic.dropped
        }),
    ];
    for (name, help, figure) in figures {
        text.family(&format!("foxglove_bridge_{name}"), MetricKind::Counter, help);
        for topic in &own {
            text.sample(&[("topic", &topic.channel.topic)], figure(topic) as f64);
        }
        if !others.is_empty() {
            text.sample(&[("topic", "")], others.iter().map(|topic| figure(topic)).sum::<u64>() as f64);
        }
    }
}

fn lag(text: &mut Text, lag: &LagSnapshot) {
    let help = "How late messages of a recording are handed out, after they were due";
    text.histogram("foxglove_bridge_playback_lag_seconds", help, &lag.at_most, lag.sum);
}

fn api_itself(text: &mut Text, api: &Api) {
    text.family("foxglove_bridge_ready", MetricKind::Gauge, "1 if /readyz says that the server can be used");
    text.sample(&[], f64::from(u8::from(api.not_ready().is_none())));
    text.family("foxglove_bridge_event_listeners", MetricKind::Gauge, "Who listens to /api/events");
    text.sample(&[], api.events.listeners() as f64);
    text.family(
        "foxglove_bridge_decode_errors_total",
        MetricKind::Counter,
        "Messages that could not be shown over HTTP as JSON",
    );
    text.sample(&[], api.messages.decode_errors() as f64);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Channel, ChannelId};

    fn topic(number: u32) -> TopicSnapshot {
        named(number, format!("/\"{number}\""))
    }

    fn named(number: u32, topic: String) -> TopicSnapshot {
        let channel = Channel {
            id: ChannelId(number),
            topic,
            message_encoding: "json".into(),
            schema: None,
            metadata: Default::default(),
            latched: false,
        };
        TopicSnapshot {
            channel: Arc::new(channel),
            subscribers: 0,
            from_client: false,
            latched: false,
            messages: 2,
            bytes: 10,
            hertz: 0.0,
            bytes_per_second: 0.0,
            dropped: 1,
        }
    }

    #[test]
    fn ten_thousand_topics_have_a_bounded_number_of_series() {
        let mut text = Text::default();
        let all: Vec<_> = (0..10_000).map(topic).collect();
        topics(&mut text, &all);
        let text = text.into_string();
        assert_eq!(text.lines().filter(|line| !line.starts_with('#')).count(), 3 * (TOPICS + 1));
        assert!(text.contains("foxglove_bridge_topic_messages_total{topic=\"\"} 19600\n"), "{text}");
        assert!(text.contains("foxglove_bridge_topic_bytes_total{topic=\"/\\\"7\\\"\"} 10\n"));
    }

    #[test]
    fn a_topic_without_a_name_counts_among_the_others() {
        let mut text = Text::default();
        let all: Vec<_> = [named(0, String::new())].into_iter().chain((1..300).map(topic)).collect();
        topics(&mut text, &all);
        let text = text.into_string();
        let total = "foxglove_bridge_topic_messages_total{topic=\"\"} ";
        assert_eq!(
            text.lines().filter(|line| line.starts_with(total)).collect::<Vec<_>>(),
            [format!("{total}200")]
        );
    }
}
