//! Channels and what ids stand for, as they are found in a file from front to back.
//!
//! A definition counts from where it stands, and also for what came before it in its recording, where the id was not
//! defined: the file is known as a whole before it plays. (A stream can't know: there such messages are left out.)

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use crate::model::Schema;
use crate::registry::ChannelSpec;
use crate::source::mcap::channels::Offset;
use crate::source::mcap::channels::reused_warning;
use crate::source::mcap::fields::{ChannelRecord, Definition};
use crate::source::mcap::records::MAX_DEFINITIONS;
use crate::source::recorded_as_latched;

/// Entries in the tables of all parts: at most some 500 MiB, if each has one. Files with more are not from recorders.
const MAX_ENTRIES: usize = 2 << 20;

/// A channel of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileChannel {
    pub(crate) id: u16,
    /// 0: none.
    schema_id: u16,
    pub(crate) channel: ChannelSpec,
}

impl FileChannel {
    pub(super) fn new(channel: ChannelRecord, schema: Option<Arc<Schema>>) -> Self {
        Self {
            id: channel.id,
            schema_id: channel.schema_id,
            channel: ChannelSpec {
                topic: channel.topic,
                message_encoding: channel.message_encoding,
                schema,
                latched: recorded_as_latched(&channel.metadata),
                metadata: channel.metadata,
            },
        }
    }

    /// Whether its schema is not defined, so far.
    pub(super) fn lacks_schema(&self) -> bool {
        self.schema_id != 0 && self.channel.schema.is_none()
    }

    /// What is wrong with it.
    pub(crate) fn problem(&self) -> Option<String> {
        let Self { schema_id, channel, .. } = self;
        let problem = || format!("topic {}: its schema {schema_id} is not in the file", channel.topic);
        self.lacks_schema().then(problem)
    }
}

/// A part of a file in which no id changes its meaning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FilePart {
    pub(crate) from: Offset,
    /// By id: its place in [`super::Survey::channels`].
    pub(crate) channels: BTreeMap<u16, usize>,
}

/// Where a definition stands. A summary repeats: of it only what was not defined before counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Section {
    Data,
    Summary,
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Ids {
    pub(super) channels: Vec<FileChannel>,
    pub(super) parts: Vec<FilePart>,
    pub(super) recordings: u32,
    /// Of this recording.
    schemas: BTreeMap<u16, Arc<Schema>>,
    /// The first part of this recording.
    first_part: usize,
    /// For each channel the last recording that defines it.
    defined_in: Vec<u32>,
    /// Channels of this recording whose schema is not defined, so far.
    without_schema: Vec<usize>,
    by_topic: HashMap<String, Vec<usize>>,
    pub(super) distinct_schemas: HashSet<Arc<Schema>>,
    bytes: usize,
    entries: usize,
    /// The first thing whose text is not UTF-8.
    pub(super) replaced: Option<String>,
    /// A warning of the first id that was given again for another topic.
    pub(super) reused: Option<String>,
}

impl Ids {
    pub(super) fn new() -> Self {
        Self {
            channels: Vec::new(),
            parts: vec![FilePart { from: (0, 0), channels: BTreeMap::new() }],
            recordings: 0,
            schemas: BTreeMap::new(),
            first_part: 0,
            defined_in: Vec::new(),
            without_schema: Vec::new(),
            by_topic: HashMap::new(),
            distinct_schemas: HashSet::new(),
            bytes: 0,
            entries: 0,
            replaced: None,
            reused: None,
        }
    }

    /// The number of the part that is being read.
    pub(super) fn part(&self) -> u32 {
        u32::try_from(self.parts.len() - 1).unwrap_or(u32::MAX)
    }

    /// A recording begins; ids have no meaning from before. `part_has_messages`: whether the part before it has any; one
    /// without messages and definitions is not kept.
    pub(super) fn begin_recording(&mut self, offset: u64, part_has_messages: bool) {
        self.end_recording();
        self.recordings = self.recordings.saturating_add(1);
        let last = self.parts.len() - 1;
        if !part_has_messages && self.parts[last].channels.is_empty() {
            self.parts.truncate(last);
        }
        self.first_part = self.parts.len();
        self.parts.push(FilePart { from: (offset, 0), channels: BTreeMap::new() });
    }

    /// Channels whose schema was defined only after them get it.
    pub(super) fn end_recording(&mut self) {
        let schemas = std::mem::take(&mut self.schemas);
        for number in self.without_schema.drain(..) {
            let channel = &mut self.channels[number];
            channel.channel.schema = schemas.get(&channel.schema_id).cloned();
        }
    }

    /// Takes a schema or a channel; the error says why it is refused.
    pub(super) fn on_definition(
        &mut self,
        definition: Definition,
        at: Offset,
        section: Section,
    ) -> Result<(), String> {
        if let Some(what) = definition.replaced() {
            self.replaced.get_or_insert(what);
        }
        match definition {
            Definition::Schema(record) if record.id != 0 => {
                if section == Section::Summary && self.schemas.contains_key(&record.id) {
                    return Ok(());
                }
                self.schemas.remove(&record.id);
                let schema = self.distinct(record.schema)?;
                self.schemas.insert(record.id, schema);
                Ok(())
            }
            Definition::Channel(channel) => self.on_channel(channel, at, section),
            Definition::Schema(_) => Ok(()),
        }
    }

    fn on_channel(&mut self, channel: ChannelRecord, at: Offset, section: Section) -> Result<(), String> {
        let id = channel.id;
        let part = self.parts.len() - 1;
        let before = self.parts[part].channels.get(&id).copied();
        let schema = self.schemas.get(&channel.schema_id).cloned();
        let channel = FileChannel::new(channel, schema);
        match before {
            Some(_) if section == Section::Summary => return Ok(()),
            Some(before) if self.channels[before].channel == channel.channel => return Ok(()),
            // in place of another, from here on
            Some(before) => {
                let (old, new) = (&self.channels[before].channel.topic, &channel.channel.topic);
                if self.reused.is_none() && old != new {
                    self.reused = Some(reused_warning(id, old, new));
                }
                self.check_entries(self.parts[part].channels.len())?;
                let number = self.number(channel)?;
                let mut channels = self.parts[part].channels.clone();
                channels.insert(id, number);
                self.parts.push(FilePart { from: at, channels });
            }
            // for what came before as well
            None => {
                self.check_entries(self.parts.len() - self.first_part)?;
                let number = self.number(channel)?;
                for part in &mut self.parts[self.first_part..] {
                    part.channels.insert(id, number);
                }
            }
        }
        Ok(())
    }

    /// The place of a channel among all: that of an equal one in another recording, or earlier under the same id.
    fn number(&mut self, channel: FileChannel) -> Result<usize, String> {
        let alike = self.by_topic.get(&channel.channel.topic).into_iter().flatten().copied().find(|number| {
            let other = &self.channels[*number];
            other.channel == channel.channel
                && (other.id == channel.id || self.defined_in[*number] != self.recordings)
        });
        if let Some(number) = alike {
            self.defined_in[number] = self.recordings;
            self.note_schema(number);
            return Ok(number);
        }
        let ChannelSpec { topic, message_encoding, metadata, .. } = &channel.channel;
        let metadata: usize = metadata.iter().map(|(key, value)| key.len() + value.len()).sum();
        self.take_bytes(size_of::<FileChannel>() + 2 * topic.len() + message_encoding.len() + metadata)?;
        let number = self.channels.len();
        self.by_topic.entry(topic.clone()).or_default().push(number);
        self.channels.push(channel);
        self.defined_in.push(self.recordings);
        self.note_schema(number);
        Ok(number)
    }

    fn note_schema(&mut self, number: usize) {
        if self.channels[number].lacks_schema() {
            self.without_schema.push(number);
        }
    }

    /// A share of the one schema like this.
    fn distinct(&mut self, schema: Schema) -> Result<Arc<Schema>, String> {
        if let Some(known) = self.distinct_schemas.get(&schema) {
            return Ok(known.clone());
        }
        self.take_bytes(size_of::<Schema>() + schema.name.len() + schema.encoding.len() + schema.data.len())?;
        let schema = Arc::new(schema);
        self.distinct_schemas.insert(schema.clone());
        Ok(schema)
    }

    fn take_bytes(&mut self, bytes: usize) -> Result<(), String> {
        if self.bytes.saturating_add(bytes) > MAX_DEFINITIONS {
            return Err(format!("its channels and schemas are larger than {} MiB", MAX_DEFINITIONS >> 20));
        }
        self.bytes += bytes;
        Ok(())
    }

    fn check_entries(&mut self, more: usize) -> Result<(), String> {
        if self.entries + more > MAX_ENTRIES {
            return Err("its channel ids change their meaning too often".into());
        }
        self.entries += more.max(1);
        Ok(())
    }
}

/// Puts channels into the order of their ids; also returns the places that they had.
pub(super) fn by_id(channels: Vec<FileChannel>, parts: &mut [FilePart]) -> (Vec<FileChannel>, Vec<usize>) {
    let mut order: Vec<usize> = (0..channels.len()).collect();
    order.sort_by_key(|number| channels[*number].id);
    let mut places = vec![0; channels.len()];
    for (place, number) in order.iter().enumerate() {
        places[*number] = place;
    }
    for part in parts {
        for number in part.channels.values_mut() {
            *number = places[*number];
        }
    }
    let mut sorted: Vec<_> = channels.into_iter().zip(places).collect();
    sorted.sort_by_key(|(_, place)| *place);
    (sorted.into_iter().map(|(channel, _)| channel).collect(), order)
}
