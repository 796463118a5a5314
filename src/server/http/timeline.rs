//! `/api/timeline`: how many messages there are when.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use serde::Serialize;
use tokio::sync::Semaphore;

use super::Api;
use super::answer::{Json, Refusal, nanos};
use crate::folder::names::decoded;
use crate::hub::Hub;
use crate::hub::capability::recording::Timeline;
use crate::time::{ParseTimeError, TimeRange, TimeSpec, Timestamp};

/// Timelines that are made at once; further requests wait.
const AT_ONCE: usize = 2;

/// Parts of the range, unless another number is asked for, and the most that can be.
const BINS: usize = 300;
const MOST_BINS: usize = 4000;

/// Turns of those who ask.
pub(super) struct Turns(Arc<Semaphore>);

impl Default for Turns {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(AT_ONCE)))
    }
}

#[derive(Debug, Serialize)]
pub(super) struct Answer {
    start_ns: Option<String>,
    end_ns: Option<String>,
    duration_s: f64,
    bins: usize,
    topics: Vec<Topic>,
    gaps: Vec<Gap>,
    damaged: Vec<Damaged>,
}

#[derive(Debug, Serialize)]
struct Topic {
    topic: String,
    channel: u32,
    counts: Vec<f32>,
    estimated: bool,
}

#[derive(Debug, Serialize)]
struct Gap {
    start_s: f64,
    end_s: f64,
}

#[derive(Debug, Serialize)]
struct Damaged {
    start_s: f64,
    end_s: f64,
    text: String,
}

impl Answer {
    fn of(timeline: Timeline, bins: usize, hub: &Hub) -> Self {
        let Timeline { range, topics, gaps, damaged } = timeline;
        let range = range.unwrap_or(TimeRange { start: Timestamp::MIN, end: Timestamp::MIN });
        // in seconds after the start; what is damaged may have begun before
        let offset = |time: Timestamp| (time.0.max(range.start.0) - range.start.0) as f64 / 1e9;
        let bins = topics.first().map_or(bins, |topic| topic.counts.len());
        let topics = topics.into_iter().filter_map(|topic| {
            let channel = hub.registry().channel(topic.channel)?;
            let counts = topic.counts.into_iter().map(rounded).collect();
            let (topic, estimated) = (channel.topic.clone(), topic.estimated);
            Some(Topic { topic, channel: channel.id.0, counts, estimated })
        });
        let mut topics: Vec<_> = topics.collect();
        topics.sort_by(|one, other| one.topic.cmp(&other.topic));
        Self {
            start_ns: timeline.range.map(|range| nanos(range.start)),
            end_ns: timeline.range.map(|range| nanos(range.end)),
            duration_s: offset(range.end),
            bins,
            topics,
            gaps: gaps.iter().map(|gap| Gap { start_s: offset(gap.start), end_s: offset(gap.end) }).collect(),
            damaged: damaged
                .into_iter()
                .map(|part| Damaged {
                    start_s: offset(part.range.start),
                    end_s: offset(part.range.end),
                    text: part.text,
                })
                .collect(),
        }
    }
}

/// To hundredths.
fn rounded(count: f32) -> f32 {
    (count * 100.0).round() / 100.0
}

/// What a query has for a key, the last if it has several.
fn value<'a>(query: &'a str, key: &str) -> Option<&'a str> {
    query.split('&').filter_map(|pair| pair.strip_prefix(key)?.strip_prefix('=')).next_back()
}

/// The number of parts that a query asks for.
fn bins(query: &str) -> Result<usize, Refusal> {
    let Some(asked) = value(query, "bins") else { return Ok(BINS) };
    let number = asked.parse().ok().filter(|bins| (1..=MOST_BINS).contains(bins));
    number.ok_or_else(|| Refusal::bad_request(format!("bins must be a number from 1 to {MOST_BINS}")))
}

/// The time that a query has for a key. A `+` is one, and no space.
fn time(query: &str, key: &str) -> Result<Option<TimeSpec>, Refusal> {
    let Some(asked) = value(query, key) else { return Ok(None) };
    let wrong = |reason: String| Refusal::bad_request(format!("{key}: {reason}"));
    let text = decoded(asked).map_err(|reason| wrong(reason.to_owned()))?;
    text.parse().map(Some).map_err(|error: ParseTimeError| wrong(error.to_string()))
}

impl Api {
    /// The range that a query asks for: all, without `start` and `end`.
    async fn asked_range(&self, query: &str) -> Result<TimeRange, Refusal> {
        let (start, end) = (time(query, "start")?, time(query, "end")?);
        if start.is_none() && end.is_none() {
            return Ok(TimeRange::ALL);
        }
        let first = self.look().await.and_then(|now| now.range).map_or(Timestamp::MIN, |range| range.start);
        let range = TimeRange {
            start: start.map_or(Timestamp::MIN, |start| start.resolve(first)),
            end: end.map_or(Timestamp::MAX, |end| end.resolve(first)),
        };
        if range.start > range.end {
            return Err(Refusal::bad_request("end must not be before start".to_owned()));
        }
        Ok(range)
    }
}

pub(super) async fn answer(
    State(api): State<Arc<Api>>,
    RawQuery(query): RawQuery,
) -> Result<Json<Answer>, Refusal> {
    let query = query.as_deref().unwrap_or_default();
    let bins = bins(query)?;
    let none = || Refusal::not_found("no recording is played: live topics have no timeline");
    let recordings = api.hub.recordings().ok_or_else(none)?;
    let within = api.asked_range(query).await?;
    let failed = |reason: String| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, reason);
    let turn = api.timelines.0.clone().acquire_owned().await.map_err(|closed| failed(closed.to_string()))?;
    // it goes on if who asked leaves, and so does its turn
    let made = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        recordings.timeline(within, bins)
    });
    let made = made.await;
    let timeline = made.map_err(|panicked| failed(panicked.to_string()))?.map_err(failed)?;
    Ok(Json(Answer::of(timeline, bins, &api.hub)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_parts_is_bounded() {
        for (query, expected) in [("", 300), ("bins=1", 1), ("x=5&bins=4000", 4000), ("bins=7&bins=8", 8)] {
            assert_eq!(bins(query).unwrap(), expected, "{query}");
        }
        for query in ["bins=0", "bins=4001", "bins=", "bins=-1", "bins=1e3", "bins=99999999999999999999"] {
            let refusal = bins(query).unwrap_err();
            assert_eq!(refusal.text, "bins must be a number from 1 to 4000", "{query}");
        }
    }

    #[test]
    fn times_are_those_of_a_seek() {
        let start = |query| time(query, "start").map_err(|refusal| refusal.text);
        let offset = TimeSpec::FromStart(std::time::Duration::from_millis(12_500));
        for query in ["start=%2B12.5s", "bins=7&start=+12.5s&end=5", "start=3&start=+12.5s"] {
            assert_eq!(start(query), Ok(Some(offset)), "{query}");
        }
        assert_eq!(start("start=17"), Ok(Some(TimeSpec::At(Timestamp(17)))));
        assert_eq!(start("started=17&bins=4"), Ok(None));
        for query in ["start=", "start=soon", "start=%ZZ"] {
            assert!(start(query).unwrap_err().starts_with("start: "), "{query}");
        }
    }
}
