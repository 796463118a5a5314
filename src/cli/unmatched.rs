//! Topics that were asked for and that a server or a recording does not have: mistyped, or not there yet.

use std::collections::BTreeSet;
use std::time::Duration;

use foxglove_bridge::client::{Client, Event};
use foxglove_bridge::internals::{SHORT, nearest, printable};
use foxglove_bridge::pattern::TopicPattern;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

/// Channels come with the connection: what is not there after so long may be mistyped.
const PATIENCE: Duration = Duration::from_secs(1);

/// Topics of the server that a warning lists.
const MOST: usize = 6;

/// Warns once of each pattern that matched no topic: a second from now, or sooner where nobody waits so long or the client
/// ends before that.
pub(super) fn watch(
    client: &Client,
    patterns: Vec<TopicPattern>,
    longest: Option<Duration>,
) -> JoinHandle<()> {
    let end = Instant::now() + longest.map_or(PATIENCE, |longest| PATIENCE.min(longest / 2));
    let events = (!patterns.is_empty()).then(|| client.events());
    tokio::spawn(async move {
        let Some(mut events) = events else { return };
        let mut topics = BTreeSet::new();
        while let Ok(Some(event)) = timeout_at(end, events.next()).await {
            if let Event::ChannelAdded(channel) = event {
                topics.insert(channel.topic.clone());
            }
        }
        drop(events);
        warn(&patterns, &Vec::from_iter(topics), Where::Server);
    })
}

/// Where topics were looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Where {
    Server,
    Recording,
}

/// Warns of each pattern that matches none of all topics.
pub(super) fn warn(patterns: &[TopicPattern], topics: &[String], place: Where) {
    for warning in warnings(patterns, topics, place) {
        tracing::warn!("{warning}");
    }
}

fn warnings(patterns: &[TopicPattern], topics: &[String], place: Where) -> Vec<String> {
    let unmatched = |pattern: &&TopicPattern| !topics.iter().any(|topic| pattern.matches(topic));
    patterns.iter().filter(unmatched).map(|pattern| warning(&pattern.to_string(), topics, place)).collect()
}

fn warning(pattern: &str, topics: &[String], place: Where) -> String {
    let mut text = format!("no topic matches {}; ", printable(pattern, SHORT));
    let place = match place {
        Where::Server if topics.is_empty() => return text + "the server has none so far",
        Where::Server => "server",
        Where::Recording => "recording",
    };
    let shown: Vec<String> =
        topics.iter().take(MOST).map(|topic| printable(topic, SHORT).to_string()).collect();
    text.push_str(&format!("the {place} has {}", shown.join(", ")));
    if topics.len() > MOST {
        text.push_str(&format!(" and {} more", topics.len() - MOST));
    }
    if let Some(meant) = nearest(pattern, topics.iter().map(String::as_str)) {
        text.push_str(&format!("; did you mean {}?", printable(meant, SHORT)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_that_is_not_there_is_answered_with_the_likely_one() {
        let topics: Vec<String> = ["/imu", "/tf", "/vehicle/state"].map(str::to_owned).into();
        let patterns = ["/vehicle/stat", "/t*"].map(|text| text.parse().unwrap());
        assert_eq!(
            warnings(&patterns, &topics, Where::Server),
            [
                "no topic matches /vehicle/stat; the server has /imu, /tf, /vehicle/state; did you mean /vehicle/state?"
            ]
        );
    }

    #[test]
    fn few_of_many_topics_are_listed() {
        let topics: Vec<String> = (0..10).map(|number| format!("/topic{number}")).collect();
        let text = warning("/q", &topics, Where::Recording);
        assert!(text.contains("; the recording has /topic0, "), "{text}");
        assert!(text.ends_with("/topic5 and 4 more"), "{text}");
        assert!(warning("/q", &[], Where::Server).contains("none so far"));
    }
}
