//! `advertise` of `foxglove.sdk.v1.1`: each schema once, in a table, and channels that refer to it.
//!
//! Ids count from 1 and are not given again while a connection lasts. `serverInfo` empties the table of a client: what is
//! advertised after it carries its schemas again.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::channel::{AdvertisedChannel, channel_id};
use super::text::{self, FieldError, Object};
use crate::model::ChannelId;

/// Identifies a schema for as long as a connection lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct SchemaId(pub u64);

/// One schema of the table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SchemaEntry {
    /// What channels refer to it by.
    pub id: SchemaId,
    /// Name of the type.
    pub name: String,
    /// Empty means what belongs to the message encoding of the channel.
    pub encoding: String,
    /// Text; base64 of what is binary.
    pub data: String,
}

/// A channel whose schema is in the table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TabledChannel {
    /// As in [`AdvertisedChannel::id`].
    #[serde(serialize_with = "channel_id")]
    pub id: ChannelId,
    /// One channel a topic, for viewers.
    pub topic: String,
    /// Message encoding, for example `protobuf`.
    pub encoding: String,
    /// None for a channel without a schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema_id: Option<SchemaId>,
    /// What the recorder noted about the channel.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
}

/// New channels, and the schemas of theirs that the client has not been sent yet.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct AdvertiseTable {
    /// Left out on the wire when empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub schemas: Vec<SchemaEntry>,
    /// The channels.
    pub channels: Vec<TabledChannel>,
}

impl AdvertiseTable {
    /// Whether an `advertise` has this form: there is a schema in it, or a channel refers to one.
    pub(super) fn is_meant(fields: &Object) -> bool {
        fields.has("schemas") || fields.has_in_list("channels", "schemaId")
    }

    pub(super) fn decode(fields: &mut Object) -> Result<Self, FieldError> {
        Ok(Self {
            schemas: fields.optional("schemas", text::list(SchemaEntry::decode))?.unwrap_or_default(),
            channels: fields.required("channels", text::list(TabledChannel::decode))?,
        })
    }
}

impl SchemaEntry {
    fn decode(value: Value) -> Result<Self, FieldError> {
        let mut fields = Object::from_value(value)?;
        Ok(Self {
            id: SchemaId(fields.required("id", text::u64)?),
            name: fields.required("name", text::string)?,
            encoding: fields.required("encoding", text::string)?,
            data: fields.required("data", text::string)?,
        })
    }
}

impl TabledChannel {
    fn decode(value: Value) -> Result<Self, FieldError> {
        let mut fields = Object::from_value(value)?;
        Ok(Self {
            id: ChannelId(fields.required("id", text::u32)?),
            topic: fields.required("topic", text::string)?,
            encoding: fields.required("encoding", text::string)?,
            schema_id: fields.optional("schemaId", text::u64)?.map(SchemaId),
            metadata: fields.optional("metadata", text::string_map)?.unwrap_or_default(),
        })
    }
}

/// A channel refers to a schema that was not sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("channel '{topic}' refers to schema {}, which was not sent", schema.0)]
pub struct UnknownSchema {
    /// Topic of the channel.
    pub topic: String,
    /// What it refers to.
    pub schema: SchemaId,
}

/// The table of a client of `foxglove.sdk.v1.1`: the schemas that it was sent since the last `serverInfo`.
///
/// ```
/// use foxglove_bridge::protocol::{SchemaTable, ServerMessage};
///
/// let mut table = SchemaTable::default();
/// let text = r#"{"op":"advertise","schemas":[{"id":1,"name":"Pose","encoding":"jsonschema","data":"{}"}],
///                "channels":[{"id":4,"topic":"/pose","encoding":"json","schemaId":1}]}"#;
/// let channels = match ServerMessage::decode_text(text)? {
///     ServerMessage::AdvertiseTable(advertise) => table.read(advertise)?,
///     ServerMessage::Advertise(channels) => channels,
///     _ => Vec::new(),
/// };
/// assert_eq!((channels[0].topic.as_str(), channels[0].schema_name.as_str()), ("/pose", "Pose"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct SchemaTable(BTreeMap<SchemaId, SchemaEntry>);

impl SchemaTable {
    /// Takes the schemas of an `advertise` in, and returns its channels with theirs, as
    /// [`ServerMessage::Advertise`](super::ServerMessage::Advertise) has them.
    pub fn read(&mut self, advertise: AdvertiseTable) -> Result<Vec<AdvertisedChannel>, UnknownSchema> {
        self.0.extend(advertise.schemas.into_iter().map(|schema| (schema.id, schema)));
        let with_schema = |channel: TabledChannel| {
            let TabledChannel { id, topic, encoding, schema_id, metadata } = channel;
            let (schema_name, schema_encoding, schema) = match schema_id {
                None => Default::default(),
                Some(schema) => match self.0.get(&schema) {
                    None => return Err(UnknownSchema { topic, schema }),
                    Some(SchemaEntry { name, encoding, data, .. }) => {
                        (name.clone(), Some(encoding.clone()).filter(|it| !it.is_empty()), data.clone())
                    }
                },
            };
            Ok(AdvertisedChannel { id, topic, encoding, schema_name, schema_encoding, schema, metadata })
        };
        advertise.channels.into_iter().map(with_schema).collect()
    }

    /// Forgets all schemas: a `serverInfo` came.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::super::ServerMessage;
    use super::*;

    fn advertise(text: &str) -> AdvertiseTable {
        match ServerMessage::decode_text(text).unwrap() {
            ServerMessage::AdvertiseTable(advertise) => advertise,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_schema_counts_until_the_table_is_emptied() {
        let mut table = SchemaTable::default();
        let first = advertise(
            r#"{"op":"advertise","schemas":[{"id":1,"name":"A","encoding":"","data":"int8 x"}],"channels":[]}"#,
        );
        assert_eq!(table.read(first), Ok(Vec::new()));
        let later = advertise(
            r#"{"op":"advertise","channels":[{"id":5,"topic":"/a","encoding":"ros1","schemaId":1},
                {"id":6,"topic":"/b","encoding":"json"}]}"#,
        );
        let channels = table.read(later.clone()).unwrap();
        assert_eq!((channels[0].schema_name.as_str(), channels[0].schema.as_str()), ("A", "int8 x"));
        assert_eq!(channels[0].schema_encoding, None);
        assert!(channels[0].has_schema() && !channels[1].has_schema());
        table.clear();
        let unknown = table.read(later).unwrap_err();
        assert_eq!(unknown.to_string(), "channel '/a' refers to schema 1, which was not sent");
    }

    #[test]
    fn a_bad_field_is_named_with_the_way_to_it() {
        let error = |text: &str| ServerMessage::decode_text(text).unwrap_err().to_string();
        assert_eq!(
            error(r#"{"op":"advertise","schemas":[{"id":1,"name":"A","encoding":""}],"channels":[]}"#),
            "advertise: schemas[0].data: missing"
        );
        assert_eq!(
            error(r#"{"op":"advertise","channels":[{"id":1,"topic":"/a","encoding":"json","schemaId":-1}]}"#),
            "advertise: channels[0].schemaId: expected an integer from 0 on, found -1"
        );
    }
}
