//! Figures of topics.

use std::fmt;

use super::families::Families;
use crate::hub::TopicSnapshot;

/// Topics with series of their own: those that were offered first, so that a series goes on. The others are one, under an
/// empty name.
pub(super) const OWN_SERIES: usize = 200;

pub(super) fn encode(topics: &[TopicSnapshot], to: &mut Families<'_>) -> fmt::Result {
    // a topic without a name is one of the others, since a series may be there once
    let (mut own, mut others) = (Vec::new(), Vec::new());
    for topic in topics {
        let has_own = own.len() < OWN_SERIES && !topic.channel.topic.is_empty();
        if has_own { own.push(topic) } else { others.push(topic) }
    }
    type Figure = fn(&TopicSnapshot) -> u64;
    let figures: [(&str, &str, Figure); 3] = [
        ("topic_messages", "Messages published on a topic", |topic| topic.messages),
        ("topic_bytes", "Bytes of payload published on a topic", |topic| topic.bytes),
        ("topic_messages_dropped", "Messages of a topic that slow clients did not get", |topic| {
            topic.dropped
        }),
    ];
    figures.into_iter().try_for_each(|(name, help, figure)| {
        let of_others = (!others.is_empty()).then(|| ("", others.iter().map(|topic| figure(topic)).sum()));
        let series = own.iter().map(|topic| (topic.channel.topic.as_str(), figure(topic)));
        to.counters(name, help, "topic", series.chain(of_others))
    })
}
