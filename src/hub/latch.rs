//! Latched channels: their last message is kept for clients that subscribe later.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use super::Latch;
use super::subscriptions::ChannelSet;
use crate::model::{Batch, Channel, ChannelId};

/// Whether a channel is latched, by what its recorder noted or by what the user asked for.
pub(crate) fn is_latched(channel: &Channel, latch: &Latch) -> bool {
    match latch {
        Latch::Off => false,
        Latch::Auto => recorded_as_latched(&channel.metadata),
        Latch::Topics(patterns) => {
            recorded_as_latched(&channel.metadata)
                || patterns.iter().any(|pattern| pattern.matches(&channel.topic))
        }
    }
}

/// Whether a channel was latched when it was recorded, by its metadata.
///
/// ROS 1: metadata `latching` is `true` or `1`. ROS 2: a profile in `offered_qos_profiles` (YAML, in the layout of
/// rosbag2) has transient local durability, by name or as `1` (`rmw_qos_durability_policy_t`).
pub fn recorded_as_latched(metadata: &BTreeMap<String, String>) -> bool {
    if let Some(latching) = metadata.get("latching") {
        return matches!(latching.trim(), "true" | "True" | "1");
    }
    let profiles = metadata.get("offered_qos_profiles").map(String::as_str).unwrap_or_default();
    profiles.lines().any(|line| {
        let line = line.trim_start_matches(['-', ' ', '\t']);
        line.strip_prefix("durability:")
            .is_some_and(|value| matches!(value.trim().trim_matches(['"', '\'']), "transient_local" | "1"))
    })
}

/// The last message of each latched channel, copied out of its chunk.
///
/// Bound: one message for each latched channel.
#[derive(Debug, Default)]
pub(crate) struct LatchStore {
    channels: ChannelSet,
    messages: BTreeMap<ChannelId, Arc<Batch>>,
}

impl LatchStore {
    /// Declares a channel as latched.
    pub(crate) fn add_channel(&mut self, channel: ChannelId) {
        self.channels.insert(channel);
    }

    /// Forgets a channel and its message.
    pub(crate) fn remove_channel(&mut self, channel: ChannelId) {
        self.channels.remove(channel);
        self.messages.remove(&channel);
    }

    /// The channels that are latched.
    pub(crate) fn channels(&self) -> &ChannelSet {
        &self.channels
    }

    /// Keeps the newest latched messages of a part of a batch; `channels` are those that occur in it.
    pub(crate) fn keep(&mut self, batch: &Batch, range: Range<usize>, channels: &ChannelSet) {
        if !self.channels.intersects(channels) {
            return;
        }
        let mut seen = ChannelSet::default();
        for entry in batch.entries[range].iter().rev() {
            if self.channels.contains(entry.channel) && !seen.contains(entry.channel) {
                seen.insert(entry.channel);
                let mut copy = Batch::default();
                copy.push_copy(entry, batch.payload(entry));
                self.messages.insert(entry.channel, Arc::new(copy));
            }
        }
    }

    /// The last message of a latched channel, alone in a batch.
    pub(crate) fn last(&self, channel: ChannelId) -> Option<&Arc<Batch>> {
        self.messages.get(&channel)
    }

    /// The last message of every latched channel, each alone in a batch.
    pub(crate) fn messages(&self) -> impl Iterator<Item = &Arc<Batch>> {
        self.messages.values()
    }

    /// Forgets the messages: time has jumped.
    pub(crate) fn clear(&mut self) {
        self.messages.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn channel(metadata: &[(&str, &str)]) -> Channel {
        Channel {
            id: ChannelId(1),
            topic: "/map".into(),
            message_encoding: "cdr".into(),
            schema: None,
            metadata: metadata.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect(),
        }
    }

    #[test]
    fn ros_2_profiles_are_read_in_both_notations() {
        let old = "- history: 3\n  depth: 0\n  reliability: 1\n  durability: 1\n  deadline:\n    sec: 1\n";
        let new =
            "- history: keep_last\n  depth: 1\n  reliability: reliable\n  durability: transient_local\n";
        let volatile = "- history: 3\n  depth: 1\n  durability: 2\n- durability: volatile\n";
        assert!(is_latched(&channel(&[("offered_qos_profiles", old)]), &Latch::Auto));
        assert!(is_latched(&channel(&[("offered_qos_profiles", new)]), &Latch::Auto));
        assert!(is_latched(
            &channel(&[("offered_qos_profiles", "- durability: 'transient_local'")]),
            &Latch::Auto
        ));
        assert!(!is_latched(&channel(&[("offered_qos_profiles", volatile)]), &Latch::Auto));
        assert!(!is_latched(&channel(&[("offered_qos_profiles", "")]), &Latch::Auto));
        assert!(!is_latched(&channel(&[]), &Latch::Auto));
    }

    #[test]
    fn ros_1_latching_is_read() {
        assert!(is_latched(&channel(&[("latching", "1")]), &Latch::Auto));
        assert!(is_latched(&channel(&[("latching", "true")]), &Latch::Auto));
        assert!(!is_latched(&channel(&[("latching", "0")]), &Latch::Auto));
        assert!(!is_latched(&channel(&[("latching", "1")]), &Latch::Off));
    }

    #[test]
    fn patterns_latch_what_the_recorder_did_not() {
        let latch = Latch::Topics(vec!["/ma*".parse().unwrap()]);
        assert!(is_latched(&channel(&[]), &latch));
        assert!(!is_latched(&channel(&[]), &Latch::Topics(vec!["/tf".parse().unwrap()])));
    }
}
