//! What a viewer sees of a source that is read once.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::{Batch, Channel, ChannelId};
use crate::source::{Recording, SourceError, Stream};

/// Something that a viewer sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Seen {
    /// Topic and name of the schema.
    Offered(String, String),
    Retired(String),
    /// Topic, log time, payload.
    Message(String, u64, Vec<u8>),
    /// Topic and log time of a message that only late subscribers get.
    Unsent(String, u64),
    Failed(String),
}

/// Takes batches and holds them to what viewers rely on.
#[derive(Default)]
pub(super) struct Viewer {
    channels: BTreeMap<ChannelId, Arc<Channel>>,
    pub(super) seen: Vec<Seen>,
    /// Messages of each batch that has any.
    pub(super) batches: Vec<usize>,
}

impl Viewer {
    /// All of a stream, until its end.
    pub(super) fn of(stream: &mut dyn Stream) -> Self {
        let mut viewer = Self::default();
        viewer.take(|| stream.next());
        viewer
    }

    /// All of a recording.
    pub(super) fn of_recording(recording: &mut dyn Recording) -> Self {
        let mut viewer = Self::default();
        for channel in &recording.info().channels {
            viewer.on_offer(channel);
        }
        viewer.take(|| recording.next());
        viewer
    }

    fn take(&mut self, mut next: impl FnMut() -> Result<Option<Batch>, SourceError>) {
        while let Some(seen) = next().transpose() {
            self.on(seen);
        }
        assert!(next().unwrap().is_none(), "the end is not the end");
    }

    fn on(&mut self, event: Result<Batch, SourceError>) {
        let batch = match event {
            Ok(batch) => batch,
            Err(error) => {
                assert!(self.seen.len() < 1_000_000, "the errors don't end");
                self.seen.push(Seen::Failed(error.to_string()));
                return;
            }
        };
        assert!(!batch.is_empty(), "a batch without anything");
        for id in &batch.retired {
            let channel = self.channels.remove(id).expect("a channel that was offered ends");
            self.seen.push(Seen::Retired(channel.topic.clone()));
        }
        for channel in &batch.announcements {
            self.on_offer(channel);
        }
        assert!(batch.entries.is_sorted_by_key(|entry| entry.log_time), "a batch is not in order");
        for (before, entry) in &batch.unsent {
            assert_eq!((*before, batch.payload(entry).is_empty()), (0, false));
            self.seen.push(Seen::Unsent(self.channels[&entry.channel].topic.clone(), entry.log_time.0));
        }
        for entry in &batch.entries {
            let channel = &self.channels[&entry.channel];
            let payload = batch.payload(entry).to_vec();
            self.seen.push(Seen::Message(channel.topic.clone(), entry.log_time.0, payload));
        }
        self.batches.extend(Some(batch.entries.len()).filter(|messages| *messages > 0));
    }

    fn on_offer(&mut self, channel: &Arc<Channel>) {
        let schema = channel.schema.as_ref().map_or(String::new(), |schema| schema.name.clone());
        self.seen.push(Seen::Offered(channel.topic.clone(), schema));
        let twin = self.channels.values().find(|other| other.topic == channel.topic);
        assert_eq!(twin, None, "a topic is offered twice");
        assert!(self.channels.insert(channel.id, channel.clone()).is_none(), "an id is used twice");
    }

    /// Topic and log time of the messages.
    pub(super) fn messages(&self) -> Vec<(&str, u64)> {
        let message = |seen: &'_ Seen| matches!(seen, Seen::Message(..));
        let messages = self.seen.iter().filter(|seen| message(seen));
        messages
            .filter_map(|seen| match seen {
                Seen::Message(topic, time, _) => Some((topic.as_str(), *time)),
                _ => None,
            })
            .collect()
    }

    pub(super) fn times(&self) -> Vec<u64> {
        self.messages().into_iter().map(|(_, time)| time).collect()
    }

    pub(super) fn errors(&self) -> Vec<&str> {
        self.seen
            .iter()
            .filter_map(|seen| match seen {
                Seen::Failed(error) => Some(error.as_str()),
                Seen::Offered(..) | Seen::Retired(_) | Seen::Message(..) | Seen::Unsent(..) => None,
            })
            .collect()
    }

    /// What was seen, in short: `+/a X` offered, `-/a` retired, `/a 5` a message, `(/a 5)` one that
    /// only late subscribers get, `!` an error.
    pub(super) fn story(&self) -> Vec<String> {
        let short = |seen: &Seen| match seen {
            Seen::Offered(topic, schema) => format!("+{topic} {schema}").trim_end().to_owned(),
            Seen::Retired(topic) => format!("-{topic}"),
            Seen::Message(topic, time, _) => format!("{topic} {time}"),
            Seen::Unsent(topic, time) => format!("({topic} {time})"),
            Seen::Failed(_) => "!".to_owned(),
        };
        self.seen.iter().map(short).collect()
    }
}
