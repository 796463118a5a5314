//! The channels of one connection, and the schemas that they share.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};
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
    /// How many channels and meanings use a schema, by its address: to hash it takes time.
    uses: HashMap<usize, (Arc<Schema>, usize)>,
    /// About what channels take in bytes, without their schemas.
    channel_bytes: usize,
    /// About what entries take in bytes, and what they mean, without the schemas that are meant.
    entry_bytes: usize,
    /// About what schemas in use take in bytes.
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
        self.channel_bytes + self.entry_bytes + self.schema_bytes > LARGEST_TABLES
    }

    /// A `serverInfo` came: schemas are sent again with what is advertised after it. Those of channels that are there count on.
    pub(super) fn forget_schemas(&mut self) {
        self.entries.clear();
        self.entry_bytes = 0;
        for schema in std::mem::take(&mut self.meant).into_values().flatten() {
            self.release(&schema);
        }
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

    /// The one schema that equals this one, used once more.
    fn share(&mut self, schema: Arc<Schema>) -> Arc<Schema> {
        let schema = self.shared.get(&schema).cloned().unwrap_or(schema);
        if self.take(&schema) {
            self.shared.insert(schema.clone());
        }
        schema
    }

    /// A schema is used once more; whether that is the first time.
    fn take(&mut self, schema: &Arc<Schema>) -> bool {
        match self.uses.entry(Arc::as_ptr(schema) as usize) {
            Entry::Occupied(mut known) => {
                known.get_mut().1 += 1;
                false
            }
            Entry::Vacant(new) => {
                new.insert((schema.clone(), 1));
                self.schema_bytes += schema_size(schema);
                true
            }
        }
    }

    /// A schema is used once less: the bytes that were freed with it.
    fn release(&mut self, schema: &Arc<Schema>) -> usize {
        let Entry::Occupied(mut known) = self.uses.entry(Arc::as_ptr(schema) as usize) else { return 0 };
        known.get_mut().1 -= 1;
        if known.get().1 > 0 {
            return 0;
        }
        known.remove();
        if self.shared.get(schema).is_some_and(|shared| Arc::ptr_eq(shared, schema)) {
            self.shared.remove(schema);
        }
        let freed = schema_size(schema);
        self.schema_bytes = self.schema_bytes.saturating_sub(freed);
        freed
    }

    /// Channels with their schemas in a table.
    pub(super) fn add_table(&mut self, table: AdvertiseTable) -> Vec<Advertised> {
        for entry in table.schemas {
            // one that comes again counts again: ids are not given twice
            self.entry_bytes += entry.name.len() + entry.encoding.len() + entry.data.len() + 64;
            if let Some(before) = self.entries.insert(entry.id, entry) {
                let mut old = Vec::new();
                self.meant.retain(|(id, _), schema| {
                    let stays = *id != before.id;
                    if !stays {
                        old.extend(schema.take());
                    }
                    stays
                });
                for schema in old {
                    self.release(&schema);
                }
            }
        }
        table.channels.into_iter().map(|channel| self.add_tabled(channel)).collect()
    }

    fn add_tabled(&mut self, channel: TabledChannel) -> Advertised {
        let TabledChannel { id, topic, encoding, schema_id, metadata } = channel;
        let before = self.schema_bytes;
        match self.meaning(schema_id, &encoding) {
            Ok(schema) => {
                if let Some(schema) = &schema {
                    self.take(schema);
                }
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
        if let Some(schema) = &schema {
            self.take(schema);
        }
        self.entry_bytes += 64;
        self.meant.insert(key, schema.clone());
        Ok(schema)
    }

    /// `before`: bytes of schemas before that of the channel was added.
    fn insert(&mut self, channel: Channel, before: usize) -> Advertised {
        let Some(known) = self.channels.get(&channel.id) else {
            let channel = Arc::new(channel);
            let taken = channel_size(&channel);
            self.channel_bytes += taken;
            self.channels.insert(channel.id, channel.clone());
            return Advertised::New(channel, taken + self.schema_bytes - before);
        };
        let advertised = if **known == channel {
            Advertised::Known
        } else {
            Advertised::Bad(format!(
                "channel id {} is advertised again, for '{}' and as something else than before; '{}' stays",
                channel.id, channel.topic, known.topic
            ))
        };
        if let Some(schema) = &channel.schema {
            self.release(schema);
        }
        advertised
    }

    /// The channel that is gone, if it was there, and about how many bytes were freed with it.
    pub(super) fn remove(&mut self, id: ChannelId) -> Option<(Arc<Channel>, usize)> {
        let channel = self.channels.remove(&id)?;
        let mut freed = channel_size(&channel);
        self.channel_bytes = self.channel_bytes.saturating_sub(freed);
        if let Some(schema) = &channel.schema {
            freed += self.release(schema);
        }
        Some((channel, freed))
    }
}

fn schema_size(schema: &Schema) -> usize {
    schema.name.len() + schema.encoding.len() + schema.data.len() + 64
}
