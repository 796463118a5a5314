//! `advertise`, in the two forms that clients understand.

use std::cell::OnceCell;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::outbox::Encoded;
use crate::model::{Channel, ChannelId};
use crate::protocol::{
    AdvertiseTable, AdvertisedChannel, Offer, SchemaEntry, SchemaId, ServerMessage, Subprotocol,
    TabledChannel,
};

/// Where a client finds the schema of a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Form {
    /// In the channel.
    Inline,
    /// In the table of the client, by the channel's schema id.
    Table,
}

impl Form {
    /// The form that a client understands with the subprotocol that is spoken.
    pub(super) fn of(offer: &Offer) -> Self {
        match offer.choose() {
            Some(Subprotocol::SdkV1_1) => Self::Table,
            Some(Subprotocol::SdkV1 | Subprotocol::WebsocketV1) | None => Self::Inline,
        }
    }
}

/// A frame in both forms; each is encoded once, for the first client that needs it.
#[derive(Debug, Default)]
pub(super) struct Frames {
    inline: OnceCell<Encoded>,
    table: OnceCell<Encoded>,
}

impl Frames {
    pub(super) fn get(&self, form: Form, encode: impl FnOnce() -> ServerMessage) -> Encoded {
        let frame = match form {
            Form::Inline => &self.inline,
            Form::Table => &self.table,
        };
        frame.get_or_init(|| encode().encode().into()).clone()
    }
}

/// An `advertise` of channels that are new.
#[derive(Debug, Default)]
pub(super) struct Advertise {
    channels: Vec<AdvertisedChannel>,
    /// What these channels refer to, one each.
    refers: Vec<Option<SchemaId>>,
    /// What of it is new.
    schemas: Vec<SchemaEntry>,
    frames: Frames,
}

impl Advertise {
    pub(super) fn frame(&self, form: Form) -> Encoded {
        self.frames.get(form, || match form {
            Form::Inline => ServerMessage::Advertise(self.channels.clone()),
            Form::Table => {
                let tabled = self.channels.iter().zip(&self.refers).map(|(channel, schema_id)| {
                    let AdvertisedChannel { id, topic, encoding, metadata, .. } = channel.clone();
                    TabledChannel { id, topic, encoding, schema_id: *schema_id, metadata }
                });
                let channels = tabled.collect();
                ServerMessage::AdvertiseTable(AdvertiseTable { schemas: self.schemas.clone(), channels })
            }
        })
    }
}

/// The schema of a channel as it is sent, without its id.
#[derive(Debug, PartialEq, Eq, Hash)]
struct SchemaText {
    name: String,
    encoding: String,
    data: String,
}

impl SchemaText {
    fn entry(&self, id: SchemaId) -> SchemaEntry {
        let Self { name, encoding, data } = self;
        SchemaEntry { id, name: name.clone(), encoding: encoding.clone(), data: data.clone() }
    }
}

/// The channels that are advertised, and their schemas, each once.
///
/// An id stands for one schema for ever. A schema is forgotten with its last channel and has a new id when it comes back, so
/// that what is sent of a new channel is the same for every client: one that has joined since has the table as it is now.
#[derive(Debug, Default)]
pub(super) struct Advertised {
    /// With what they refer to.
    channels: BTreeMap<ChannelId, Option<SchemaId>>,
    last: u64,
    ids: HashMap<Arc<SchemaText>, SchemaId>,
    /// With the number of channels that refer to each.
    schemas: BTreeMap<SchemaId, (Arc<SchemaText>, usize)>,
    /// Of all channels.
    frames: Frames,
}

impl Advertised {
    pub(super) fn contains(&self, id: ChannelId) -> bool {
        self.channels.contains_key(&id)
    }

    /// Adds channels that are not among them.
    pub(super) fn add(&mut self, channels: Vec<AdvertisedChannel>) -> Advertise {
        self.frames = Frames::default();
        let (mut refers, mut schemas) = (Vec::new(), Vec::new());
        for channel in &channels {
            let schema = channel.has_schema().then(|| self.refer(channel, &mut schemas));
            self.channels.insert(channel.id, schema);
            refers.push(schema);
        }
        Advertise { channels, refers, schemas, frames: Frames::default() }
    }

    fn refer(&mut self, channel: &AdvertisedChannel, new: &mut Vec<SchemaEntry>) -> SchemaId {
        let text = SchemaText {
            name: channel.schema_name.clone(),
            encoding: channel.schema_encoding.clone().unwrap_or_default(),
            data: channel.schema.clone(),
        };
        if let Some(id) = self.ids.get(&text) {
            if let Some((_, channels)) = self.schemas.get_mut(id) {
                *channels += 1;
            }
            return *id;
        }
        self.last += 1;
        let (id, text) = (SchemaId(self.last), Arc::new(text));
        new.push(text.entry(id));
        self.ids.insert(text.clone(), id);
        self.schemas.insert(id, (text, 1));
        id
    }

    /// Removes a channel; whether it was there.
    pub(super) fn remove(&mut self, id: ChannelId) -> bool {
        let Some(schema) = self.channels.remove(&id) else { return false };
        self.frames = Frames::default();
        let Some(id) = schema else { return true };
        if let Some((text, channels)) = self.schemas.get_mut(&id) {
            *channels -= 1;
            if *channels == 0 {
                self.ids.remove(text);
                self.schemas.remove(&id);
            }
        }
        true
    }

    /// `advertise` with every channel, and the whole table: what a session begins with. `known` has the channels.
    pub(super) fn whole(&self, form: Form, known: &BTreeMap<ChannelId, Arc<Channel>>) -> Encoded {
        let channels = || self.channels.iter().filter_map(|(id, schema)| Some((known.get(id)?, *schema)));
        self.frames.get(form, || match form {
            Form::Inline => {
                let inline =
                    channels().filter_map(|(channel, _)| AdvertisedChannel::from_channel(channel).ok());
                ServerMessage::Advertise(inline.collect())
            }
            Form::Table => {
                let tabled = channels().map(|(channel, schema_id)| TabledChannel {
                    id: channel.id,
                    topic: channel.topic.clone(),
                    encoding: channel.message_encoding.clone(),
                    schema_id,
                    metadata: channel.metadata.clone(),
                });
                let channels = tabled.collect();
                let schemas = self.schemas.iter().map(|(id, (text, _))| text.entry(*id)).collect();
                ServerMessage::AdvertiseTable(AdvertiseTable { schemas, channels })
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn channel(id: u32, schema: Option<(&str, &str)>) -> AdvertisedChannel {
        let (name, text) = schema.unwrap_or_default();
        AdvertisedChannel {
            id: ChannelId(id),
            topic: format!("/{id}"),
            encoding: "cdr".into(),
            schema_name: name.into(),
            schema_encoding: schema.map(|_| "ros2msg".into()),
            schema: text.into(),
            metadata: BTreeMap::new(),
        }
    }

    /// What the channels refer to, and which schemas come along.
    fn ids(advertise: &Advertise) -> (Vec<Option<u64>>, Vec<u64>) {
        let Encoded::Text(text) = advertise.frame(Form::Table) else { panic!() };
        match ServerMessage::decode_text(std::str::from_utf8(&text).unwrap()).unwrap() {
            ServerMessage::AdvertiseTable(AdvertiseTable { schemas, channels }) => (
                channels.iter().map(|channel| channel.schema_id.map(|id| id.0)).collect(),
                schemas.iter().map(|schema| schema.id.0).collect(),
            ),
            ServerMessage::Advertise(channels) => (vec![None; channels.len()], Vec::new()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn equal_schemas_of_live_channels_share_an_id_that_is_not_given_again() {
        let (a, b) = (Some(("A", "int8 a")), Some(("B", "int8 b")));
        let mut advertised = Advertised::default();
        let first = advertised.add(vec![channel(1, a), channel(2, a), channel(3, None), channel(4, b)]);
        assert_eq!(ids(&first), (vec![Some(1), Some(1), None, Some(2)], vec![1, 2]));
        assert_eq!(ids(&advertised.add(vec![channel(5, a)])), (vec![Some(1)], vec![]), "it was sent before");
        for id in [1, 2] {
            assert!(advertised.remove(ChannelId(id)));
        }
        assert!(!advertised.remove(ChannelId(1)));
        assert_eq!(ids(&advertised.add(vec![channel(6, a)])), (vec![Some(1)], vec![]), "one channel is left");
        for id in [5, 6] {
            assert!(advertised.remove(ChannelId(id)));
        }
        assert_eq!(ids(&advertised.add(vec![channel(7, a)])), (vec![Some(3)], vec![3]), "it came back");
    }

    #[test]
    fn schemas_that_differ_in_name_encoding_or_text_are_different() {
        let mut other_encoding = channel(4, Some(("A", "int8 a")));
        other_encoding.schema_encoding = None;
        let schemas = [("A", "int8 a"), ("B", "int8 a"), ("A", "int8 b")];
        let named = schemas.iter().zip(1..).map(|(schema, id)| channel(id, Some(*schema)));
        let channels: Vec<_> = named.chain([other_encoding]).collect();
        assert_eq!(ids(&Advertised::default().add(channels)).1, [1, 2, 3, 4]);
    }

    #[test]
    fn a_form_that_nobody_needs_is_not_encoded() {
        let added = Advertised::default().add(vec![channel(1, None)]);
        added.frame(Form::Inline);
        assert!(added.frames.inline.get().is_some() && added.frames.table.get().is_none());
    }
}
