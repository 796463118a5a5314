//! How many messages and bytes come in a second, and how old they are: a line for each topic, once a second.

use std::collections::BTreeMap;
use std::time::Duration;

use foxglove_bridge::client::{Message, Messages};
use foxglove_bridge::internals::{SHORT, printable};
use foxglove_bridge::time::Timestamp;
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
}

pub(super) struct Rates {
    figure: Figure,
    reports_left: Option<u64>,
    topics: BTreeMap<String, Seen>,
}

impl Rates {
    pub(super) fn new(figure: Figure, reports: Option<u64>) -> Self {
        Self { figure, reports_left: reports, topics: BTreeMap::new() }
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

    /// What came since the last report, and begins anew. Topics stay, so that silence is seen.
    fn report(&mut self, over: Duration) -> String {
        if self.topics.is_empty() {
            return "no messages\n".to_owned();
        }
        let seconds = over.as_secs_f64().max(0.001);
        let mut text = String::new();
        for (topic, seen) in &mut self.topics {
            let now = std::mem::replace(seen, Seen { last: seen.last, ..Seen::default() });
            let figures = match self.figure {
                Figure::Frequency => {
                    format!("{:.2} Hz  between: {}", now.messages as f64 / seconds, now.gaps.text())
                }
                Figure::Bandwidth => {
                    let mean = now.bytes.checked_div(now.messages).unwrap_or(0);
                    let nanos = over.as_nanos().max(1);
                    let rate = u128::from(now.bytes) * 1_000_000_000 / nanos;
                    let rate = figures::bytes(u64::try_from(rate).unwrap_or(u64::MAX));
                    format!(
                        "{rate}/s  {:.2} messages/s of {}",
                        now.messages as f64 / seconds,
                        figures::bytes(mean)
                    )
                }
                Figure::Delay => now.delays.text(),
            };
            text.push_str(&format!("{}  {figures}\n", printable(topic, SHORT)));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::super::lines::tests::message;
    use super::*;

    #[test]
    fn a_report_has_what_came_since_the_last_one() {
        let start = Instant::now();
        let message = message("json", None, b"{\"x\":1}");
        let report = |figure| {
            let mut rates = Rates::new(figure, None);
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
        assert_eq!(Rates::new(Figure::Delay, None).report(INTERVAL), "no messages\n");
    }
}
