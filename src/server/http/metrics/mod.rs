//! `/metrics`: figures for Prometheus. Counters count from the start of the server.
//!
//! The hub keeps the figures; they are read when somebody asks. Bound: [`topics::OWN_SERIES`].

use std::fmt;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Response, StatusCode, header};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, prometheus_text, text};
use prometheus_client::registry::Registry;

use super::Api;
use super::answer::{Refusal, whole};
use crate::hub::{HubSnapshot, LagSnapshot};
use crate::server::headers;
use crate::server::metric::{Metric, MetricKind};
use families::Families;

mod families;
mod topics;

/// The texts in which figures are given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    /// OpenMetrics 1.0, for who names it.
    OpenMetrics,
    /// That of Prometheus, version 0.0.4.
    Prometheus,
}

impl Format {
    /// What Prometheus asks for begins with the formats that it likes best; others name none.
    fn asked(headers: &HeaderMap) -> Self {
        match headers::texts(headers, header::ACCEPT).flat_map(|value| value.split(',')).any(is_openmetrics) {
            true => Self::OpenMetrics,
            false => Self::Prometheus,
        }
    }

    fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Prometheus => prometheus_text::CONTENT_TYPE,
        }
    }

    fn write(self, registry: &Registry) -> Result<String, fmt::Error> {
        let mut out = String::new();
        match self {
            Self::OpenMetrics => text::encode(&mut out, registry)?,
            Self::Prometheus => prometheus_text::encode(&mut out, registry)?,
        }
        Ok(out)
    }
}

/// Whether an element of a header `Accept` names OpenMetrics, and does not exclude it.
fn is_openmetrics(kind: &str) -> bool {
    let mut parts = kind.split(';').map(str::trim);
    parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case("application/openmetrics-text"))
        && !parts.any(|parameter| matches!(parameter, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
}

pub(super) async fn answer(
    State(api): State<Arc<Api>>,
    headers: HeaderMap,
) -> Result<Response<Body>, Refusal> {
    let format = Format::asked(&headers);
    let mut registry = Registry::default();
    registry.sub_registry_with_prefix("foxglove_bridge").register_collector(Box::new(Figures::of(&api)));
    registry.register_collector(Box::new(Added(api.offered.metrics.clone())));
    let text = format
        .write(&registry)
        .map_err(|error| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
    Ok(whole(StatusCode::OK, format.content_type(), text))
}

/// What the server knows at the moment.
#[derive(Debug)]
struct Figures {
    hub: HubSnapshot,
    lag: LagSnapshot,
    is_ready: bool,
    listeners: usize,
    decode_errors: u64,
}

impl Figures {
    fn of(api: &Api) -> Self {
        Self {
            hub: api.hub.snapshot(),
            lag: api.hub.lag(),
            is_ready: api.not_ready().is_none(),
            listeners: api.events.listeners(),
            decode_errors: api.messages.decode_errors(),
        }
    }
}

impl Collector for Figures {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let (to, hub) = (&mut Families(encoder), &self.hub);
        let queues = || hub.clients.iter().map(|client| client.bytes_queued as u64);
        let (queued, most): (u64, _) = (queues().sum(), queues().max().unwrap_or_default());
        let subscriptions: usize = hub.topics.iter().map(|topic| topic.subscribers).sum();
        to.info(
            "build",
            "The version of the program, as a label",
            &[("version", env!("CARGO_PKG_VERSION"))],
        )?;
        to.gauge("clients", "Clients that are connected", hub.clients.len() as u64)?;
        to.counter("messages_sent", "Messages written to clients, each client counted", hub.messages_sent)?;
        to.counter("bytes_sent", "Bytes of payload written to clients", hub.bytes_sent)?;
        to.counter("messages_dropped", "Messages that slow clients did not get", hub.messages_dropped)?;
        to.gauge("queue_bytes", "Bytes that wait for all clients", queued)?;
        to.gauge("largest_queue_bytes", "Bytes that wait for the client for which most do", most)?;
        to.gauge("topics", "Topics that are offered", hub.topics.len() as u64)?;
        to.gauge("subscriptions", "Subscriptions of all clients", subscriptions as u64)?;
        topics::encode(&hub.topics, to)?;
        let help = "How late messages of a recording are handed out, after they were due";
        to.histogram("playback_lag_seconds", help, &self.lag)?;
        to.gauge("ready", "1 if /readyz says that the server can be used", u64::from(self.is_ready))?;
        to.gauge("event_listeners", "Who listens to /api/events", self.listeners as u64)?;
        let help = "Messages that could not be shown over HTTP as JSON";
        to.counter("decode_errors", help, self.decode_errors)
    }
}

/// Figures of the program that embeds the server.
#[derive(Debug)]
struct Added(Vec<Metric>);

impl Collector for Added {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut to = Families(encoder);
        self.0.iter().try_for_each(|metric| match metric.kind {
            MetricKind::Counter => to.counter(&metric.family, &metric.help, metric.read()),
            MetricKind::Gauge => to.gauge(&metric.family, &metric.help, metric.read()),
        })
    }
}

#[cfg(test)]
mod tests;
