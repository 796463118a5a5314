//! The channels of one connection, and the schemas that they share.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use super::super::event::channel_size;
use super::LARGEST_TABLES;
use crate::model::{Channel, ChannelId, Schema};
use crate::protocol::{AdvertiseTable, AdvertisedChannel, SchemaEntry, SchemaId, TabledChannel};

/// Channels by id, as the server has advertised them.
#[derive(Debug, Default)]
pub(super) struct Channels {
    channels: BTreeMap<ChannelId, Arc<Channel>>,
    /// Of `foxglove.sdk.v1.1`, since the last `serverInfo`.
    entries: BTreeMap<SchemaId, SchemaEntry>,
    /// What entries mean for a message encoding: channels share it.
    meant: BTreeMap<(SchemaId, String), Option<Arc<Schema>>>,
    /// Of the other subprotocols: equal schemas are one.
    shared: HashSet<Arc<Schema>>,
    /// About what channels take in bytes, without their schemas.
    channel_bytes: usize,
    /// About what schemas take in bytes.
    schema_bytes: usize,
}

/// What becomes of a channel that is advertised.
pub(super) enum Advertised {
    /// It is new, and has taken about so many bytes.
    New(Arc<Channel>, usize),
    /// It is known.
    Known,
    /// It can't be used; a text that says why.
    Bad(String),
}

impl Channels {
    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<Channel>> {
        self.channels.values()
    }

    /// Whether the server has advertised more than is kept.
    pub(super) fn are_too_many(&self) -> bool {
        self.channel_bytes + self.schema_bytes > LARGEST_TABLES
    }

    /// A `serverInfo` came: schemas are sent again with what is advertised after it.
    pub(super) fn forget_schemas(&mut self) {
        self.schema_bytes = 0;
        self.entries.clear();
        self.meant.clear();
        self.shared.clear();
    }

    /// A channel with its schema beside it.
    pub(super) fn add(&mut self, advertised: &AdvertisedChannel) -> Advertised {
        match advertised.to_channel() {
            Ok(mut channel) => {
                let before = self.schema_bytes;
                channel.schema = channel.schema.map(|schema| self.share(schema));
                self.insert(channel, before)
            }
            Err(error) => Advertised::Bad(format!("channel '{}': {error}", advertised.topic)),
        }
    }

    fn share(&mut self, schema: Arc<Schema>) -> Arc<Schema> {
        if let Some(known) = self.shared.get(&schema) {
            return known.clone();
        }
        self.schema_bytes += schema_size(&schema);
        self.shared.insert(schema.clone());
        schema
    }

    /// Channels with their schemas in a table.
    pub(super) fn add_table(&mut self, table: AdvertiseTable) -> Vec<Advertised> {
        for entry in table.schemas {
            // one that comes again counts again: ids are not given twice
            self.schema_bytes += entry.name.len() + entry.encoding.len() + entry.data.len() + 64;
            if let Some(before) = self.entries.insert(entry.id, entry) {
                self.meant.retain(|(id, _), _| *id != before.id);
            }
        }
        table.channels.into_iter().map(|channel| self.add_tabled(channel)).collect()
    }

    fn add_tabled(&mut self, channel: TabledChannel) -> Advertised {
        let TabledChannel { id, topic, encoding, schema_id, metadata } = channel;
        let before = self.schema_bytes;
        match self.meaning(schema_id, &encoding) {
            Ok(schema) => {
                let channel =
                    Channel { id, topic, message_encoding: encoding, schema, metadata, latched: false };
                self.insert(channel, before)
            }
            Err(problem) => Advertised::Bad(format!("channel '{topic}': {problem}")),
        }
    }

    /// The schema of an id, for messages of an encoding.
    fn meaning(&mut self, id: Option<SchemaId>, encoding: &str) -> Result<Option<Arc<Schema>>, String> {
        let Some(id) = id else { return Ok(None) };
        let key = (id, encoding.to_owned());
        if let Some(schema) = self.meant.get(&key) {
            return Ok(schema.clone());
        }
        let entry =
            self.entries.get(&id).ok_or(format!("it refers to schema {}, which was not sent", id.0))?;
        let alone = AdvertisedChannel {
            id: ChannelId(0),
            topic: String::new(),
            encoding: encoding.to_owned(),
            schema_name: entry.name.clone(),
            schema_encoding: Some(entry.encoding.clone()).filter(|encoding| !encoding.is_empty()),
            schema: entry.data.clone(),
            metadata: BTreeMap::new(),
        };
        let schema = alone.to_channel().map_err(|error| error.to_string())?.schema;
        self.schema_bytes += 64 + schema.as_deref().map_or(0, schema_size);
        self.meant.insert(key, schema.clone());
        Ok(schema)
    }

    /// `before`: bytes of schemas before that of the channel was added.
    fn insert(&mut self, channel: Channel, before: usize) -> Advertised {
        match self.channels.get(&channel.id) {
            Some(known) if **known == channel => Advertised::Known,
            Some(known) => Advertised::Bad(format!(
                "channel id {} is advertised again, for '{}' and as something else than before; '{}' stays",
                channel.id, channel.topic, known.topic
            )),
            None => {
                let channel = Arc::new(channel);
                let taken = channel_size(&channel);
                self.channel_bytes += taken;
                self.channels.insert(channel.id, channel.clone());
                Advertised::New(channel, taken + self.schema_bytes - before)
            }
        }
    }

    /// The channel that is gone, if it was there, and about how many bytes were freed with it.
    pub(super) fn remove(&mut self, id: ChannelId) -> Option<(Arc<Channel>, usize)> {
        let channel = self.channels.remove(&id)?;
        let mut freed = channel_size(&channel);
        self.channel_bytes = self.channel_bytes.saturating_sub(freed);
        if let Some(schema) = &channel.schema
            // that of the channel, and that of the set
            && Arc::strong_count(schema) <= 2
            && self.shared.remove(schema)
        {
            let size = schema_size(schema);
            self.schema_bytes = self.schema_bytes.saturating_sub(size);
            freed += size;
        }
        Some((channel, freed))
    }
}

fn schema_size(schema: &Schema) -> usize {
    schema.name.len() + schema.encoding.len() + schema.data.len() + 64
}
