//! How many messages and bytes come in a second, and how old they are: a line for each topic, once a second.

use std::collections::BTreeMap;
use std::time::Duration;

use foxglove_bridge::client::{Message, Messages};
use foxglove_bridge::internals::{SHORT, printable};
use foxglove_bridge::time::Timestamp;
use serde_json::{Value, json};
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::Done;
use crate::cli::figures;
use crate::cli::{Failure, Reader, print};

const INTERVAL: Duration = Duration::from_secs(1);

/// Topics that are counted; what comes on others is left out.
const MOST_TOPICS: usize = 10_000;

/// What is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Figure {
    Frequency,
    Bandwidth,
    Delay,
}

/// How a report is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// A line for each topic.
    Text,
    /// One JSON object.
    Json,
}

/// What has come on a topic in an interval.
#[derive(Debug, Default)]
struct Seen {
    messages: u64,
    bytes: u64,
    last: Option<Instant>,
    /// Seconds between messages.
    gaps: Spread,
    /// Seconds between the log time and the arrival.
    delays: Spread,
}

/// Smallest, largest and mean of numbers.
#[derive(Debug, Default, Clone, Copy)]
struct Spread {
    count: u64,
    sum: f64,
    smallest: f64,
    largest: f64,
}

impl Spread {
    fn add(&mut self, value: f64) {
        let is_first = self.count == 0;
        self.smallest = if is_first { value } else { self.smallest.min(value) };
        self.largest = if is_first { value } else { self.largest.max(value) };
        self.count += 1;
        self.sum += value;
    }

    fn text(&self) -> String {
        if self.count == 0 {
            return "-".to_owned();
        }
        let mean = self.sum / self.count as f64;
        format!("mean {mean:.4} s  min {:.4} s  max {:.4} s", self.smallest, self.largest)
    }

    fn json(&self) -> Option<Value> {
        let mean = self.sum / self.count as f64;
        (self.count > 0).then(|| json!({ "mean": mean, "min": self.smallest, "max": self.largest }))
    }
}

pub(super) struct Rates {
    figure: Figure,
    shape: Shape,
    reports_left: Option<u64>,
    topics: BTreeMap<String, Seen>,
}

impl Rates {
    pub(super) fn new(figure: Figure, shape: Shape, reports: Option<u64>) -> Self {
        Self { figure, shape, reports_left: reports, topics: BTreeMap::new() }
    }

    pub(super) async fn print(mut self, messages: &mut Messages) -> Result<Done, Failure> {
        let mut ticks = interval_at(Instant::now() + INTERVAL, INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut since = Instant::now();
        loop {
            tokio::select! {
                message = messages.next() => match message {
                    Some(message) => self.add(&message, Instant::now(), Timestamp::now()),
                    None => return Ok(Done::Ended),
                },
                now = ticks.tick() => {
                    let text = self.report(now.duration_since(since));
                    since = now;
                    if print(&text)? == Reader::Gone {
                        return Ok(Done::Enough);
                    }
                    if let Some(left) = &mut self.reports_left {
                        *left -= 1;
                        if *left == 0 {
                            return Ok(Done::Enough);
                        }
                    }
                }
            }
        }
    }

    fn add(&mut self, message: &Message, now: Instant, clock: Timestamp) {
        if self.topics.len() >= MOST_TOPICS && !self.topics.contains_key(&message.channel.topic) {
            return;
        }
        let seen = self.topics.entry(message.channel.topic.clone()).or_default();
        seen.messages += 1;
        seen.bytes += message.payload.len() as u64;
        if let Some(last) = seen.last.replace(now) {
            seen.gaps.add(now.duration_since(last).as_secs_f64());
        }
        let later = clock.since(message.log_time).as_secs_f64();
        let earlier = message.log_time.since(clock).as_secs_f64();
        seen.delays.add(later - earlier);
    }

    /// What came since the last report, and begins again. Topics stay, so that silence is seen.
    fn report(&mut self, over: Duration) -> String {
        let seconds = over.as_secs_f64().max(0.001);
        let begin = |seen: &mut Seen| std::mem::replace(seen, Seen { last: seen.last, ..Seen::default() });
        let figure = self.figure;
        let topics = self.topics.iter_mut().map(|(topic, seen)| (topic, begin(seen)));
        if self.shape == Shape::Json {
            let topics: Vec<Value> = topics.map(|(topic, seen)| seen.json(topic, figure, seconds)).collect();
            return format!("{}\n", json!({ "seconds": seconds, "topics": topics }));
        }
        let text: String = topics
            .map(|(topic, seen)| format!("{}  {}\n", printable(topic, SHORT), seen.text(figure, seconds)))
            .collect();
        if text.is_empty() { "no messages\n".to_owned() } else { text }
    }
}

impl Seen {
    fn text(&self, figure: Figure, seconds: f64) -> String {
        let rate = self.messages as f64 / seconds;
        match figure {
            Figure::Frequency => format!("{rate:.2} Hz  between: {}", self.gaps.text()),
            Figure::Bandwidth => {
                let mean = self.bytes.checked_div(self.messages).unwrap_or(0);
                let bytes = figures::rate(self.bytes as f64 / seconds);
                format!("{bytes}  {rate:.2} messages/s of {}", figures::bytes(mean))
            }
            Figure::Delay => self.delays.text(),
        }
    }

    fn json(&self, topic: &str, figure: Figure, seconds: f64) -> Value {
        let rate = self.messages as f64 / seconds;
        match figure {
            Figure::Frequency => json!({ "topic": topic, "hz": rate, "between": self.gaps.json() }),
            Figure::Bandwidth => json!({
                "topic": topic,
                "bytes_per_second": self.bytes as f64 / seconds,
                "hz": rate,
                "mean_bytes": self.bytes.checked_div(self.messages),
            }),
            Figure::Delay => json!({ "topic": topic, "delay": self.delays.json() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::lines::tests::message;
    use super::*;

    #[test]
    fn a_report_can_be_an_object() {
        let message = message("json", None, b"{\"x\":1}");
        let mut rates = Rates::new(Figure::Bandwidth, Shape::Json, None);
        rates.add(&message, Instant::now(), message.log_time);
        let expected = json!({ "seconds": 2.0, "topics": [
            { "topic": "/a", "bytes_per_second": 3.5, "hz": 0.5, "mean_bytes": 7 },
        ] });
        assert_eq!(rates.report(Duration::from_secs(2)), format!("{expected}\n"));
        rates.figure = Figure::Frequency;
        let silent = json!({ "seconds": 1.0, "topics": [{ "topic": "/a", "hz": 0.0, "between": null }] });
        assert_eq!(rates.report(INTERVAL), format!("{silent}\n"));
        rates.figure = Figure::Delay;
        rates.add(&message, Instant::now(), message.log_time.saturating_add(Duration::from_millis(500)));
        assert!(rates.report(INTERVAL).contains(r#""delay":{"max":0.5,"mean":0.5,"min":0.5}"#));
    }

    #[test]
    fn a_report_has_what_came_since_the_last_one() {
        let start = Instant::now();
        let message = message("json", None, b"{\"x\":1}");
        let report = |figure| {
            let mut rates = Rates::new(figure, Shape::Text, None);
            for at in 0..4 {
                let clock = message.log_time.saturating_add(Duration::from_millis(250));
                rates.add(&message, start + Duration::from_millis(100 * at), clock);
            }
            (rates.report(Duration::from_secs(2)), rates.report(Duration::from_secs(1)))
        };
        let (first, second) = report(Figure::Frequency);
        assert_eq!(first, "/a  2.00 Hz  between: mean 0.1000 s  min 0.1000 s  max 0.1000 s\n");
        assert_eq!(second, "/a  0.00 Hz  between: -\n");
        assert_eq!(report(Figure::Bandwidth).0, "/a  14 B/s  2.00 messages/s of 7 B\n");
        assert_eq!(report(Figure::Delay).0, "/a  mean 0.2500 s  min 0.2500 s  max 0.2500 s\n");
        assert_eq!(Rates::new(Figure::Delay, Shape::Text, None).report(INTERVAL), "no messages\n");
    }
}
