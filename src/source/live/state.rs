//! What is known of the topics of lines: who declared them, their channels, and which inputs use those.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use super::schemas::Schemas;
use super::warnings::Warnings;
use super::{LiveChannel, SHOWN_NAME, TopicNotes, Traits};
use crate::model::ChannelId;
use crate::printable::printable;
use crate::registry::ChannelSpec;
use crate::time::Timestamp;

/// Changes of one topic that may follow each other at once, as when a program is started several times.
pub(super) const CHANGES_AT_ONCE: u32 = 10;

/// After those, the time for one more. Each costs every client two frames and the loss of its subscription.
pub(super) const CHANGE_INTERVAL: Duration = Duration::from_secs(1);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct InputId(pub(super) u64);

#[derive(Debug)]
pub(super) struct State {
    pub(super) schemas: Schemas,
    /// By the names that lines have: what `op:channel` said, and in which input, the last at the end.
    pub(super) declared: HashMap<String, Vec<(InputId, Declared)>>,
    /// Inputs that have not ended.
    pub(super) present: BTreeSet<InputId>,
    /// By the names that are offered, before the registry makes them unique.
    pub(super) live: HashMap<String, Topic>,
    /// Channels of all topics.
    pub(super) count: usize,
    pub(super) warnings: Warnings,
}

/// What lines of a topic need not say themselves.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Declared {
    pub(super) schema: Option<String>,
    pub(super) encoding: Option<String>,
    pub(super) traits: Traits,
}

#[derive(Debug)]
pub(super) struct Topic {
    pub(super) notes: Arc<TopicNotes>,
    pub(super) channels: Vec<Used>,
    /// Changes left at once, as of a time.
    pub(super) changes: (u32, Timestamp),
}

/// A channel of a topic, and the inputs that use it; at most one for each input.
#[derive(Debug)]
pub(super) struct Used {
    pub(super) live: Arc<LiveChannel>,
    /// What was claimed; the channel may have more metadata, and may be latched, by what others say of it.
    pub(super) spec: ChannelSpec,
    pub(super) by: BTreeSet<InputId>,
}

impl State {
    /// What an input has declared of a topic, or else what another one has.
    pub(super) fn declared(&self, input: InputId, topic: &str) -> Declared {
        let Some(declared) = self.declared.get(topic) else { return Declared::default() };
        let own = declared.iter().find(|(by, _)| *by == input).or(declared.last());
        own.map(|(_, declared)| declared.clone()).unwrap_or_default()
    }

    /// Takes note of a declaration; whether it says something new.
    pub(super) fn declare(&mut self, input: InputId, topic: &str, declaration: Declared) -> bool {
        let declared = self.declared.entry(topic.to_owned()).or_default();
        let before = declared.iter().position(|(by, _)| *by == input).map(|index| declared.remove(index).1);
        let is_new = before.as_ref() != Some(&declaration);
        declared.push((input, declaration));
        let last = declared.len() - 1;
        let mut index = 0;
        declared.retain(|(by, _)| {
            index += 1;
            index > last || self.present.contains(by)
        });
        is_new
    }

    pub(super) fn leave(&mut self, input: InputId) {
        self.live.values_mut().flat_map(|topic| &mut topic.channels).for_each(|channel| {
            channel.by.remove(&input);
        });
        // what it has declared goes with the next declaration: the last word holds for those who come later
        self.present.remove(&input);
    }
}

impl Topic {
    /// The channel that an input may replace: its own, or one that no input uses any more.
    pub(super) fn free_for(&self, input: InputId) -> Option<usize> {
        let is_own = |channel: &Used| channel.by.iter().eq([&input]);
        let own = self.channels.iter().position(is_own);
        own.or_else(|| self.channels.iter().position(|channel| channel.by.is_empty()))
    }

    /// An input uses this channel now, and none else. Returns the one that it has left, if nobody uses that any more.
    pub(super) fn leave(&mut self, input: InputId, now: ChannelId) -> Option<Used> {
        let left = self
            .channels
            .iter_mut()
            .position(|channel| channel.live.channel.id != now && channel.by.remove(&input))?;
        self.channels[left].by.is_empty().then(|| self.channels.remove(left))
    }
}

/// The changes that are left after one more; they grow back with time.
pub(super) fn one_change_less(
    (left, since): (u32, Timestamp),
    topic: &str,
    now: Timestamp,
) -> Result<(u32, Timestamp), String> {
    let grown = now.since(since).as_nanos() / CHANGE_INTERVAL.as_nanos();
    let left = left.saturating_add(u32::try_from(grown).unwrap_or(u32::MAX)).min(CHANGES_AT_ONCE);
    let left = left.checked_sub(1).ok_or_else(|| {
        let topic = printable(topic, SHOWN_NAME);
        format!("the schema or encoding of {topic} changes more than once per second; give each form a topic of its own")
    })?;
    Ok((left, if grown > 0 { now } else { since.min(now) }))
}
