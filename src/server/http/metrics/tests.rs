use std::collections::BTreeSet;

use axum::http::HeaderValue;

use super::*;
use crate::hub::TopicSnapshot;
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
        subscribers: 1,
        from_client: false,
        latched: false,
        messages: 2,
        bytes: 10,
        hertz: 0.0,
        bytes_per_second: 0.0,
        dropped: 1,
    }
}

fn registry(topics: Vec<TopicSnapshot>) -> Registry {
    let hub = HubSnapshot { topics, messages_sent: 7, ..HubSnapshot::default() };
    let lag = LagSnapshot { buckets: vec![(0.001, 1), (f64::INFINITY, 3)], sum: 2.5 };
    let figures = Figures { hub, lag, is_ready: true, listeners: 4, decode_errors: 5 };
    let mut registry = Registry::default();
    registry.sub_registry_with_prefix("foxglove_bridge").register_collector(Box::new(figures));
    registry
}

fn lines(text: &str) -> BTreeSet<&str> {
    text.lines().collect()
}

#[test]
fn both_texts_have_the_same_figures() {
    let registry = registry(vec![topic(1)]);
    let prometheus = Format::Prometheus.write(&registry).unwrap();
    let openmetrics = Format::OpenMetrics.write(&registry).unwrap();
    for text in [&prometheus, &openmetrics] {
        for expected in [
            concat!("foxglove_bridge_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1"),
            "foxglove_bridge_clients 0",
            "foxglove_bridge_messages_sent_total 7",
            "foxglove_bridge_subscriptions 1",
            "foxglove_bridge_topic_messages_dropped_total{topic=\"/\\\"1\\\"\"} 1",
            "# TYPE foxglove_bridge_playback_lag_seconds histogram",
            "foxglove_bridge_playback_lag_seconds_bucket{le=\"0.001\"} 1",
            "foxglove_bridge_playback_lag_seconds_bucket{le=\"+Inf\"} 4",
            "foxglove_bridge_playback_lag_seconds_sum 2.5",
            "foxglove_bridge_playback_lag_seconds_count 4",
            "foxglove_bridge_ready 1",
            "foxglove_bridge_event_listeners 4",
            "foxglove_bridge_decode_errors_total 5",
        ] {
            assert!(lines(text).contains(expected), "{expected} is not in {text}");
        }
    }
    assert!(lines(&prometheus).contains("# TYPE foxglove_bridge_messages_sent_total counter"));
    assert!(lines(&openmetrics).contains("# TYPE foxglove_bridge_messages_sent counter"));
    assert!(openmetrics.ends_with("\n# EOF\n") && !prometheus.contains("# EOF"));
}

#[test]
fn figures_of_an_embedder_have_their_own_names_and_one_line_of_help() {
    let counter = |name| Metric::new(name, MetricKind::Counter, "Frames\nof the camera", || 3.5);
    let gauge = Metric::new("temperature_total", MetricKind::Gauge, "Of the camera", || -1.0);
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Added(vec![counter("frames_total"), counter("bytes"), gauge])));
    assert_eq!(
        Format::Prometheus.write(&registry).unwrap(),
        "# HELP frames_total Frames of the camera\n\
         # TYPE frames_total counter\n\
         frames_total 3.5\n\
         # HELP bytes_total Frames of the camera\n\
         # TYPE bytes_total counter\n\
         bytes_total 3.5\n\
         # HELP temperature_total Of the camera\n\
         # TYPE temperature_total gauge\n\
         temperature_total -1.0\n"
    );
}

#[test]
#[should_panic(expected = "'_total' is no name of a metric")]
fn a_counter_has_a_name_before_its_ending() {
    Metric::new("_total", MetricKind::Counter, "", || 1.0);
}

#[test]
fn who_asks_for_openmetrics_gets_it() {
    for (accepted, expected) in [
        (None, Format::Prometheus),
        (Some("*/*"), Format::Prometheus),
        (Some("text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"), Format::Prometheus),
        (Some("text/plain;version=0.0.4"), Format::Prometheus),
        (Some("application/openmetrics-text;version=1.0.0;q=0"), Format::Prometheus),
        (Some("application/openmetrics-text"), Format::OpenMetrics),
        // Prometheus 3
        (
            Some(
                "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
                 application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;q=0.3,*/*;q=0.1",
            ),
            Format::OpenMetrics,
        ),
    ] {
        let headers = accepted.map(|accepted| (header::ACCEPT, HeaderValue::from_static(accepted)));
        assert_eq!(Format::asked(&headers.into_iter().collect()), expected, "{accepted:?}");
    }
}

#[test]
fn ten_thousand_topics_have_a_bounded_number_of_series() {
    let text = Format::OpenMetrics.write(&registry((0..10_000).map(topic).collect())).unwrap();
    let series = text.lines().filter(|line| line.starts_with("foxglove_bridge_topic_"));
    assert_eq!(series.count(), 3 * (topics::OWN_SERIES + 1));
    assert!(lines(&text).contains("foxglove_bridge_topic_messages_total{topic=\"\"} 19600"), "{text}");
    assert!(lines(&text).contains("foxglove_bridge_topic_bytes_total{topic=\"/\\\"7\\\"\"} 10"));
}

#[test]
fn a_topic_without_a_name_counts_among_the_others() {
    let all = [named(0, String::new())].into_iter().chain((1..300).map(topic)).collect();
    let text = Format::OpenMetrics.write(&registry(all)).unwrap();
    let total = "foxglove_bridge_topic_messages_total{topic=\"\"} ";
    let found: Vec<_> = text.lines().filter(|line| line.starts_with(total)).collect();
    assert_eq!(found, [format!("{total}200")]);
}
