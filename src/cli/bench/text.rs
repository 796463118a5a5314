//! The report as text and as JSON.

use std::time::Duration;

use serde_json::{Value, json};

use super::Outcome;
use super::histogram::Percentiles;
use super::report::{Spread, Timing, Topic};
use super::tally::WARM_UP;
use crate::cli::figures;
use crate::cli::table::{Align, row, section, table};

/// A duration with a unit that fits: `12.3 µs`, `4.5 ms`.
fn span(duration: Duration) -> String {
    let micros = duration.as_secs_f64() * 1e6;
    match micros {
        ..1000.0 => format!("{micros:.1} µs"),
        ..1e6 => format!("{:.1} ms", micros / 1e3),
        _ => format!("{:.2} s", micros / 1e6),
    }
}

fn spread<T: Copy>(spread: Option<Spread<T>>, text: impl Fn(T) -> String) -> String {
    match spread {
        Some(spread) => {
            format!("min {}  median {}  max {}", text(spread.min), text(spread.median), text(spread.max))
        }
        None => "-".to_owned(),
    }
}

fn percentiles(percentiles: &Percentiles) -> String {
    let Percentiles { p50, p90, p99, max } = *percentiles;
    format!("p50 {}  p90 {}  p99 {}  max {}", span(p50), span(p90), span(p99), span(max))
}

pub(super) fn text(outcome: &Outcome, with_topics: bool) -> String {
    let counts = &outcome.counts;
    let seconds = counts.measured.as_secs_f64().max(0.001);
    let rate = |count: u64| count as f64 / seconds;
    let (asked, connected) = (outcome.asked, outcome.connected.len());
    let clients = if outcome.lost.is_empty() {
        format!("{connected} of {asked}")
    } else {
        format!("{connected} of {asked}, {} lost", outcome.lost.len())
    };
    let time = match outcome.is_over {
        true => format!("{:.2} s, until the server closed", counts.measured.as_secs_f64()),
        false => format!("{:.2} s", counts.measured.as_secs_f64()),
    };
    let mut rows = vec![
        row(["server:", &format!("{} ({})", outcome.url, outcome.name)]),
        row(["clients:", &clients]),
        row(["connecting:", &spread(Spread::of(outcome.connected.clone()), span)]),
        row(["measured:", &time]),
        row(["messages:", &format!("{}  {:.1}/s", counts.messages, rate(counts.messages))]),
        row(["bytes:", &format!("{}  {}", figures::bytes(counts.bytes), figures::rate(rate(counts.bytes)))]),
    ];
    if connected > 1 {
        rows.push(row(["per client:", &spread(counts.messages_per_second, |rate| format!("{rate:.1}/s"))]));
        rows.push(row(["", &spread(counts.bytes_per_second, figures::rate)]));
    }
    let missed = match counts.missed {
        Some(0) => "nothing that another client got".to_owned(),
        Some(missed) => format!("{missed} messages that another client got"),
        None if connected > 1 => "too many messages to compare".to_owned(),
        None => "- (one client alone can't tell)".to_owned(),
    };
    rows.push(row(["missed:", &missed]));
    match &counts.timing {
        Timing::Latency { percentiles: of, ahead } => {
            rows.push(row(["latency:", &percentiles(of)]));
            rows.push(row(["", "from log times to arrival, by this computer's clock"]));
            if !ahead.is_zero() {
                rows.push(row([
                    "",
                    &format!("the clocks differ: log times are up to {} ahead", span(*ahead)),
                ]));
            }
        }
        Timing::Jitter(of) => {
            rows.push(row(["jitter:", &percentiles(of)]));
            rows.push(row([
                "",
                "of the time between messages, against log times and speed: these are of another clock",
            ]));
        }
        Timing::Nothing => {
            let why = format!("- (no messages at a set speed after the first {} s)", WARM_UP.as_secs());
            rows.push(row(["jitter:", &why]));
        }
    }
    for (status, count) in &outcome.statuses {
        rows.push(row(["status:", &format!("{status} ({count} times)")]));
    }
    let mut text = table(&rows, &[]);
    if with_topics {
        let mut rows = vec![row(["topic", "messages", "per second", "bytes/s", "mean size", "missed"])];
        rows.extend(counts.topics.iter().map(|(name, topic)| {
            let Topic { messages, bytes: size, missed } = topic;
            row([
                name,
                &messages.to_string(),
                &format!("{:.1}", rate(*messages)),
                &figures::rate(rate(*size)),
                &figures::bytes(size / messages.max(&1)),
                &missed.map_or_else(|| "-".to_owned(), |missed| missed.to_string()),
            ])
        }));
        text.push_str(&section(
            &rows,
            &[Align::Left, Align::Right, Align::Right, Align::Right, Align::Right, Align::Right],
        ));
    }
    text
}

pub(super) fn json(outcome: &Outcome, with_topics: bool) -> Value {
    let counts = &outcome.counts;
    let seconds = counts.measured.as_secs_f64().max(0.001);
    let rate = |count: u64| count as f64 / seconds;
    let times = |of: &Percentiles| {
        json!({
            "p50": of.p50.as_secs_f64(), "p90": of.p90.as_secs_f64(), "p99": of.p99.as_secs_f64(),
            "max": of.max.as_secs_f64(),
        })
    };
    let rates = |spread: Option<Spread<f64>>| {
        spread.map(|it| json!({ "min": it.min, "median": it.median, "max": it.max }))
    };
    let connecting: Vec<f64> = outcome.connected.iter().map(Duration::as_secs_f64).collect();
    let (latency, ahead, jitter) = match &counts.timing {
        Timing::Latency { percentiles, ahead } => (Some(times(percentiles)), Some(ahead.as_secs_f64()), None),
        Timing::Jitter(percentiles) => (None, None, Some(times(percentiles))),
        Timing::Nothing => (None, None, None),
    };
    let mut report = json!({
        "url": outcome.url,
        "name": outcome.name,
        "clients": { "asked": outcome.asked, "connected": outcome.connected.len(), "lost": outcome.lost.len() },
        "connect_seconds": rates(Spread::of(connecting)),
        "seconds": counts.measured.as_secs_f64(),
        "closed_by_server": outcome.is_over,
        "messages": counts.messages,
        "bytes": counts.bytes,
        "messages_per_second": rate(counts.messages),
        "bytes_per_second": rate(counts.bytes),
        "per_client": {
            "messages_per_second": rates(counts.messages_per_second),
            "bytes_per_second": rates(counts.bytes_per_second),
        },
        "missed": counts.missed,
        "latency": latency,
        "log_times_ahead": ahead,
        "jitter": jitter,
        "statuses": outcome.statuses.iter().map(|(message, count)| json!({ "message": message, "count": count }))
            .collect::<Vec<_>>(),
    });
    if with_topics {
        let topic = |(name, topic): (&String, &Topic)| {
            json!({
                "topic": name, "messages": topic.messages, "bytes": topic.bytes,
                "messages_per_second": rate(topic.messages), "bytes_per_second": rate(topic.bytes),
                "missed": topic.missed,
            })
        };
        report["topics"] = counts.topics.iter().map(topic).collect();
    }
    report
}
