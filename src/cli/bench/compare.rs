//! What one client got and another did not.
//!
//! Messages have no numbers on the wire. So for each topic and each second of log times the clients are compared: what one
//! got fewer than another has been missed. Seconds in which a client began or ended are left out. What no client got is not
//! seen.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use super::tally::Tally;

/// Messages in each second of log times.
type Seconds = BTreeMap<u64, u64>;

/// A topic, as the clients have seen it.
#[derive(Default)]
struct Compared {
    by_client: BTreeMap<usize, Seconds>,
    /// The seconds in which clients have begun.
    begins: Option<RangeInclusive<u64>>,
    ends: Option<RangeInclusive<u64>>,
}

/// Messages that clients missed, of each topic; None if there is nothing to compare.
pub(super) fn missed(tallies: &[Tally]) -> Option<BTreeMap<&str, u64>> {
    if tallies.len() < 2 || tallies.iter().any(|tally| tally.is_cut) {
        return None;
    }
    let mut topics: BTreeMap<&str, Compared> = BTreeMap::new();
    for (client, counted) in tallies
        .iter()
        .enumerate()
        .flat_map(|(client, tally)| tally.channels().map(move |counted| (client, counted)))
    {
        let (Some((first, _)), Some((last, _))) = (counted.seconds.first(), counted.seconds.last()) else {
            continue;
        };
        let topic = topics.entry(&counted.channel.topic).or_default();
        topic.begins = Some(widened(topic.begins.take(), *first));
        topic.ends = Some(widened(topic.ends.take(), *last));
        let seconds = topic.by_client.entry(client).or_default();
        for (second, count) in &counted.seconds {
            *seconds.entry(*second).or_default() += count;
        }
    }
    Some(topics.into_iter().map(|(topic, compared)| (topic, compared.missed(tallies.len()))).collect())
}

fn widened(range: Option<RangeInclusive<u64>>, second: u64) -> RangeInclusive<u64> {
    match range {
        Some(range) => second.min(*range.start())..=second.max(*range.end()),
        None => second..=second,
    }
}

impl Compared {
    fn missed(&self, clients: usize) -> u64 {
        let is_whole = |second: &u64| {
            ![&self.begins, &self.ends].into_iter().flatten().any(|edge| edge.contains(second))
        };
        let mut seconds: BTreeMap<u64, (u64, u64)> = BTreeMap::new();
        for (second, count) in self.by_client.values().flatten().filter(|(second, _)| is_whole(second)) {
            let (most, sum) = seconds.entry(*second).or_default();
            *most = (*most).max(*count);
            *sum += count;
        }
        seconds.values().map(|(most, sum)| most * clients as u64 - sum).sum()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use foxglove_bridge::client::Arrival;
    use foxglove_bridge::time::Timestamp;

    use super::super::tally::{Conditions, WARM_UP};
    use super::super::testing::channel;
    use super::*;

    /// A client with messages of these log times in tenths of a second.
    fn client(messages: &[(&str, u64)]) -> Tally {
        let conditions = Arc::new(Conditions::new());
        let mut tally = Tally::new(conditions.clone());
        let channels = ["/a", "/b"].map(channel);
        for (topic, tenths) in messages {
            let channel = channels.iter().find(|channel| channel.topic == *topic).unwrap();
            let at = conditions.began + WARM_UP + Duration::from_millis(1);
            tally.add(Arrival { channel, log_time: Timestamp(tenths * 100_000_000), length: 1, at });
        }
        tally
    }

    fn every(topic: &'static str, tenths: std::ops::Range<u64>) -> Vec<(&'static str, u64)> {
        tenths.map(|tenth| (topic, tenth)).collect()
    }

    #[test]
    fn what_another_client_got_was_missed_but_for_the_edges() {
        let whole = every("/a", 3..58);
        let mut less = every("/a", 6..55);
        // two within, one in the second in which it began
        less.retain(|(_, tenth)| ![8, 20, 47].contains(tenth));
        let others = [whole.clone(), every("/b", 10..50)].concat();
        let tallies = [client(&whole), client(&less), client(&others)];
        let missed = missed(&tallies).unwrap();
        assert_eq!(missed["/a"], 2);
        // two clients got nothing of the seconds 2 and 3
        assert_eq!(missed["/b"], 2 * 20);
    }

    #[test]
    fn one_client_has_missed_nothing_that_can_be_seen() {
        assert!(missed(&[client(&every("/a", 0..50))]).is_none());
        let laps = [every("/a", 30..60), every("/a", 0..45)].concat();
        assert_eq!(missed(&[client(&laps), client(&laps)]).unwrap()["/a"], 0);
    }
}
