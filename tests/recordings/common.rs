//! Messages of a recording, taken out of its batches for comparison.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use foxglove_bridge::model::{Batch, ChannelId};
use foxglove_bridge::registry::Registry;
use foxglove_bridge::source::{Recording, RecordingOptions, SourceError, open};
use foxglove_bridge::time::Timestamp;

/// A message with everything that other programs see of it too.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Message {
    /// On the timeline that is played.
    pub(crate) time: u64,
    pub(crate) publish_time: u64,
    pub(crate) sequence: u32,
    pub(crate) channel: u32,
    pub(crate) payload: Bytes,
}

/// A recording that is being played to the end.
pub(crate) struct Player {
    pub(crate) source: Box<dyn Recording>,
    /// What could not be read on the way.
    pub(crate) errors: Vec<SourceError>,
}

impl Player {
    pub(crate) fn open(path: &Path, options: &RecordingOptions) -> Result<Self, SourceError> {
        Self::open_all(&[path], options)
    }

    /// Several recordings as one timeline.
    pub(crate) fn open_all(
        paths: &[impl AsRef<Path>],
        options: &RecordingOptions,
    ) -> Result<Self, SourceError> {
        let specs: Vec<_> = paths.iter().map(|path| path.as_ref().to_str().unwrap().to_owned()).collect();
        let source = open(&specs, options, &Registry::default(), &mut |_| {})?;
        Ok(Self { source, errors: Vec::new() })
    }

    /// A recording that opens, with default options.
    pub(crate) fn of(path: &Path) -> Self {
        Self::open(path, &RecordingOptions::default()).unwrap()
    }

    /// At least `enough` messages from here on, if there are as many. Fails if an end does not come.
    pub(crate) fn take(&mut self, enough: usize) -> Vec<Message> {
        const ERRORS: usize = 10_000;
        let mut messages = Vec::new();
        while messages.len() < enough {
            match self.source.next() {
                Ok(Some(batch)) => {
                    assert!(!batch.entries.is_empty(), "a batch without messages");
                    messages.extend(messages_of(&batch));
                }
                Ok(None) => break,
                Err(error) => {
                    assert!(!error.to_string().contains("fault of the program"), "{error}");
                    self.errors.push(error);
                    assert!(self.errors.len() < ERRORS, "the errors don't end");
                }
            }
        }
        messages
    }

    /// All messages from here on, which must come in order.
    pub(crate) fn rest(&mut self) -> Vec<Message> {
        let messages = self.take(usize::MAX);
        assert!(messages.is_sorted_by_key(|message| message.time), "the messages are not in order");
        messages
    }

    pub(crate) fn topics(&self) -> BTreeMap<u32, String> {
        let channels = &self.source.info().channels;
        channels.iter().map(|channel| (channel.id.0, channel.topic.clone())).collect()
    }

    pub(crate) fn channels(&self) -> Vec<ChannelId> {
        self.source.info().channels.iter().map(|channel| channel.id).collect()
    }
}

/// All messages of a recording without damage.
pub(crate) fn messages(path: &Path, options: &RecordingOptions) -> Vec<Message> {
    let mut player = Player::open(path, options).unwrap();
    let messages = player.rest();
    assert!(player.errors.is_empty(), "{:?}", player.errors);
    messages
}

pub(crate) fn messages_of(batch: &Batch) -> Vec<Message> {
    let message = |entry: &foxglove_bridge::model::Entry| Message {
        time: entry.log_time.0,
        publish_time: entry.publish_time.0,
        sequence: entry.sequence,
        channel: entry.channel.0,
        payload: batch.payload_bytes(entry),
    };
    batch.entries.iter().map(message).collect()
}

/// Fails with the first difference only: the messages of a recording are too many to print.
#[track_caller]
pub(crate) fn assert_same(what: &str, got: &[Message], wanted: &[Message]) {
    if let Some(at) = (0..got.len().max(wanted.len())).find(|&at| got.get(at) != wanted.get(at)) {
        let brief = |message: Option<&Message>| {
            message.map(|m| (m.time, m.publish_time, m.sequence, m.channel, m.payload.len()))
        };
        panic!(
            "{what}: {} messages instead of {}; number {at} is {:?} instead of {:?}",
            got.len(),
            wanted.len(),
            brief(got.get(at)),
            brief(wanted.get(at))
        );
    }
}

/// Times at which something can go wrong: up to `samples` of the messages' times, the instants beside them, the ends.
pub(crate) fn times_to_try(messages: &[Message], samples: usize) -> Vec<Timestamp> {
    let mut times: Vec<u64> = messages.iter().map(|message| message.time).collect();
    times.dedup();
    let step = times.len().div_ceil(samples).max(1);
    let mut tried = vec![0, 1, u64::MAX];
    for &time in times.iter().step_by(step).chain(times.last()) {
        tried.extend([time.saturating_sub(1), time, time.saturating_add(1)]);
    }
    tried.sort_unstable();
    tried.dedup();
    // not in order: an earlier time after a later one and the other way round
    let half = tried.len() / 2;
    (0..half).flat_map(|at| [at, at + half]).chain([tried.len() - 1]).map(|at| Timestamp(tried[at])).collect()
}

/// A file of the given content in a folder that goes away with the first value.
pub(crate) fn temporary(name: &str, content: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, content).unwrap();
    (folder, path)
}
