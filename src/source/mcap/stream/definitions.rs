//! Channels of recordings that are read once, as they are defined: what an id means from here on.
//!
//! A recorder defines a channel before its first message and may define it again. Ids of another recording in the same
//! stream mean something else; channels equal to earlier ones stay the same to viewers. A topic whose schema changes
//! gets a new channel in place of the old one, unless the old one is still defined under another id: then both are
//! offered, one of them as `/topic#2`.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use crate::model::{Channel, ChannelId, Schema};
use crate::registry::{ChannelSpec, Registry};
use crate::source::mcap::channels::{IdMeaning, reused_warning};
use crate::source::mcap::fields::{ChannelRecord, Definition, replaced_warning};
use crate::source::mcap::records::MAX_DEFINITIONS;
use crate::source::{TopicRules, recorded_as_latched};

/// What a definition changes for viewers.
#[derive(Debug, Default)]
pub(super) struct Change {
    /// Channels that end here.
    pub(super) retired: Vec<ChannelId>,
    pub(super) announced: Option<Arc<Channel>>,
}

/// What an id of the recording stands for.
#[derive(Debug)]
struct Known {
    raw: ChannelSpec,
    /// None for channels that the user left out.
    offered: Option<ChannelId>,
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Definitions {
    rules: TopicRules,
    registry: Registry,
    /// The channels that are claimed, by the topics that they were asked for under.
    claimed: HashMap<String, Vec<Arc<Channel>>>,
    schemas: BTreeMap<u16, Arc<Schema>>,
    channels: BTreeMap<u16, Known>,
    /// Every schema once, however often it is defined, with their bytes.
    distinct: HashSet<Arc<Schema>>,
    schema_bytes: usize,
    /// By claimed channel, with their sum.
    offered_bytes: BTreeMap<ChannelId, usize>,
    channel_bytes: usize,
    /// [`MAX_DEFINITIONS`].
    limit: usize,
    warnings: Vec<String>,
    warned_of: WarnedOf,
}

/// What is warned of once in a stream.
#[derive(Debug, Default)]
struct WarnedOf {
    replaced: Once,
    reused: Once,
}

#[derive(Debug, Default)]
struct Once(bool);

impl Once {
    /// True the first time.
    fn is_new(&mut self) -> bool {
        !std::mem::replace(&mut self.0, true)
    }
}

impl Definitions {
    pub(super) fn new(rules: TopicRules, registry: Registry) -> Self {
        Self {
            rules,
            registry,
            claimed: HashMap::new(),
            schemas: BTreeMap::new(),
            channels: BTreeMap::new(),
            distinct: HashSet::new(),
            schema_bytes: 0,
            offered_bytes: BTreeMap::new(),
            channel_bytes: 0,
            limit: MAX_DEFINITIONS,
            warnings: Vec::new(),
            warned_of: WarnedOf::default(),
        }
    }

    /// Another recording begins. Its channels that are equal to earlier ones keep their ids here.
    pub(super) fn begin_recording(&mut self) {
        self.schemas.clear();
        self.channels.clear();
        self.forget_unused();
    }

    /// What the id of a message means.
    pub(super) fn meaning(&self, id: u16) -> IdMeaning {
        match self.channels.get(&id) {
            Some(Known { offered: Some(channel), .. }) => IdMeaning::Played(*channel),
            Some(Known { offered: None, .. }) => IdMeaning::LeftOut,
            None => IdMeaning::Undefined,
        }
    }

    /// The topics, in order, if there are some and the user has chosen none.
    pub(super) fn all_left_out(&self) -> Option<Vec<String>> {
        if self.channels.is_empty() || !self.claimed.is_empty() {
            return None;
        }
        let topics: BTreeSet<_> = self.channels.values().map(|known| known.raw.topic.clone()).collect();
        Some(topics.into_iter().collect())
    }

    /// The channel that an id stands for, if it is offered.
    pub(super) fn channel(&self, id: u16) -> Option<Arc<Channel>> {
        self.registry.channel(self.channels.get(&id)?.offered?)
    }

    /// What the user should know of the definitions since this was last asked.
    pub(super) fn take_warnings(&mut self) -> Vec<String> {
        std::mem::take(&mut self.warnings)
    }

    /// Takes a schema or a channel; the error says why it is refused.
    pub(super) fn on_definition(&mut self, definition: Definition) -> Result<Change, String> {
        if let Some(what) = definition.replaced()
            && self.warned_of.replaced.is_new()
        {
            self.warnings.push(replaced_warning(&what));
        }
        match definition {
            Definition::Schema(record) if record.id != 0 => {
                if self.schemas.get(&record.id).is_some_and(|schema| **schema == record.schema) {
                    return Ok(Change::default());
                }
                self.schemas.remove(&record.id);
                let schema = self.distinct(record.schema)?;
                self.schemas.insert(record.id, schema);
                Ok(Change::default())
            }
            Definition::Channel(channel) => self.on_channel(channel),
            Definition::Schema(_) => Ok(Change::default()),
        }
    }

    /// Takes what a summary repeats: only what was not defined before is new.
    pub(super) fn on_repeat(&mut self, definition: Definition) -> Result<Change, String> {
        let known = match &definition {
            Definition::Schema(schema) => self.schemas.contains_key(&schema.id),
            Definition::Channel(channel) => self.channels.contains_key(&channel.id),
        };
        if known { Ok(Change::default()) } else { self.on_definition(definition) }
    }

    fn on_channel(&mut self, channel: ChannelRecord) -> Result<Change, String> {
        let schema = self.schemas.get(&channel.schema_id).cloned();
        let missing = schema.is_none() && channel.schema_id != 0;
        let raw = ChannelSpec {
            topic: channel.topic,
            message_encoding: channel.message_encoding,
            schema,
            latched: recorded_as_latched(&channel.metadata),
            metadata: channel.metadata,
        };
        if self.channels.get(&channel.id).is_some_and(|known| known.raw == raw) {
            return Ok(Change::default());
        }
        if let Some(before) = self.channels.remove(&channel.id)
            && before.raw.topic != raw.topic
            && self.warned_of.reused.is_new()
        {
            self.warnings.push(reused_warning(channel.id, &before.raw.topic, &raw.topic));
        }
        let Some(topic) = self.rules.offered(&raw.topic).map(|topic| topic.into_owned()) else {
            self.channels.insert(channel.id, Known { raw, offered: None });
            return Ok(Change::default());
        };
        if missing {
            self.warnings
                .push(format!("topic {}: its schema {} is not defined", raw.topic, channel.schema_id));
        }
        let offered = ChannelSpec { topic, ..raw.clone() };
        let mut change = Change::default();
        let id = match self.find(&offered) {
            Some(id) => id,
            None => self.offer(offered, &mut change)?,
        };
        self.channels.insert(channel.id, Known { raw, offered: Some(id) });
        Ok(change)
    }

    /// The channel that is claimed already with equal topic, encoding and schema.
    fn find(&self, wanted: &ChannelSpec) -> Option<ChannelId> {
        let same = |channel: &&Arc<Channel>| {
            channel.message_encoding == wanted.message_encoding && channel.schema == wanted.schema
        };
        Some(self.claimed.get(&wanted.topic)?.iter().find(same)?.id)
    }

    /// Claims a channel, in place of those on its topic that are no longer defined.
    fn offer(&mut self, wanted: ChannelSpec, change: &mut Change) -> Result<ChannelId, String> {
        let bytes = size(&wanted);
        self.check_room(bytes)?;
        let topic = wanted.topic.clone();
        let on_topic = self.claimed.remove(&topic).unwrap_or_default();
        let (mut kept, gone): (Vec<_>, Vec<_>) = on_topic
            .into_iter()
            .partition(|old| self.channels.values().any(|known| known.offered == Some(old.id)));
        for old in gone {
            self.channel_bytes -= self.offered_bytes.remove(&old.id).unwrap_or(0);
            // others may have the same channel
            if self.registry.release(old.id) {
                change.retired.push(old.id);
            }
        }
        let claim = self.registry.claim(wanted);
        if let Ok(claim) = &claim {
            kept.push(claim.channel.clone());
        }
        self.claimed.insert(topic, kept);
        let claim = claim.map_err(|error| error.to_string())?;
        self.warnings.extend(claim.warning());
        let id = claim.channel.id;
        self.channel_bytes += bytes;
        self.offered_bytes.insert(id, bytes);
        change.announced = Some(claim.channel);
        Ok(id)
    }

    /// A share of the one schema like this.
    fn distinct(&mut self, schema: Schema) -> Result<Arc<Schema>, String> {
        if let Some(known) = self.distinct.get(&schema) {
            return Ok(known.clone());
        }
        self.check_room(weight(&schema))?;
        self.schema_bytes += weight(&schema);
        let schema = Arc::new(schema);
        self.distinct.insert(schema.clone());
        Ok(schema)
    }

    fn check_room(&mut self, bytes: usize) -> Result<(), String> {
        if self.held().saturating_add(bytes) > self.limit {
            self.forget_unused();
        }
        if self.held().saturating_add(bytes) > self.limit {
            return Err(format!("its channels and schemas are larger than {} MiB", self.limit >> 20));
        }
        Ok(())
    }

    fn held(&self) -> usize {
        self.schema_bytes + self.channel_bytes
    }

    fn forget_unused(&mut self) {
        self.distinct.retain(|schema| Arc::strong_count(schema) > 1);
        self.schema_bytes = self.distinct.iter().map(|schema| weight(schema)).sum();
    }
}

/// Bytes of a schema in memory, about.
fn weight(schema: &Schema) -> usize {
    size_of::<Schema>() + schema.name.len() + schema.encoding.len() + schema.data.len()
}

/// Bytes of a channel in memory, about, as it stands here and under its id.
fn size(channel: &ChannelSpec) -> usize {
    let metadata: usize = channel.metadata.iter().map(|(key, value)| key.len() + value.len()).sum();
    2 * (size_of::<Channel>() + channel.topic.len() + channel.message_encoding.len() + metadata)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::mcap::fields::{SchemaRecord, Text};

    fn schema(id: u16, data: &str) -> Definition {
        let data = data.to_owned().into();
        let schema = Schema { name: "X".into(), encoding: "jsonschema".into(), data };
        Definition::Schema(SchemaRecord { id, schema, text: Text::Utf8 })
    }

    fn channel(id: u16, schema_id: u16, topic: &str) -> Definition {
        let (topic, message_encoding) = (topic.into(), "json".into());
        Definition::Channel(ChannelRecord { id, schema_id, topic, message_encoding, ..Default::default() })
    }

    fn definitions() -> Definitions {
        Definitions::new(TopicRules::default(), Registry::default())
    }

    #[test]
    fn definitions_have_a_bound() {
        let mut definitions = Definitions { limit: 3 << 20, ..definitions() };
        let large = |number: usize| format!("{number}{}", "x".repeat(1 << 20));
        assert!(definitions.on_definition(schema(1, &large(1))).is_ok());
        assert!(definitions.on_definition(channel(1, 1, "/a")).unwrap().announced.is_some());
        assert!(definitions.on_definition(schema(2, &large(2))).is_ok());
        let refused = definitions.on_definition(schema(3, &large(3))).unwrap_err();
        assert!(refused.contains("larger than 3 MiB"), "{refused}");
        // one that is like another takes no room
        assert!(definitions.on_definition(schema(3, &large(1))).is_ok());
        // nor do those that are redefined, or of earlier recordings, unless they are offered
        assert!(definitions.on_definition(schema(2, &large(4))).is_ok());
        definitions.begin_recording();
        assert!(definitions.on_definition(schema(1, &large(5))).is_ok());
        assert!(definitions.on_definition(schema(2, &large(6))).is_err());
        assert!(definitions.held() < 3 << 20);
        assert_eq!(definitions.claimed.len(), 1);
    }

    #[test]
    fn a_missing_schema_is_warned_of_and_the_channel_is_offered_without() {
        let mut definitions = definitions();
        let change = definitions.on_definition(channel(1, 7, "/a")).unwrap();
        assert_eq!(change.announced.unwrap().schema, None);
        assert!(definitions.take_warnings()[0].contains("schema 7 is not defined"));
        // it is defined later
        assert!(definitions.on_definition(schema(7, "{}")).unwrap().announced.is_none());
        let change = definitions.on_definition(channel(1, 7, "/a")).unwrap();
        assert_eq!(change.retired, [ChannelId(1)]);
        assert!(change.announced.unwrap().schema.is_some());
    }

    #[test]
    fn what_is_defined_again_changes_nothing() {
        let mut definitions = definitions();
        for round in 0..3 {
            definitions.on_definition(schema(1, "{}")).unwrap();
            let change = definitions.on_definition(channel(4, 1, "/a")).unwrap();
            assert_eq!(change.announced.is_some(), round == 0);
            assert!(change.retired.is_empty());
            assert_eq!(definitions.meaning(4), IdMeaning::Played(ChannelId(1)));
            if round == 1 {
                definitions.begin_recording();
                assert_eq!(definitions.meaning(4), IdMeaning::Undefined);
            }
        }
        assert!(definitions.take_warnings().is_empty());
    }
}
