//! Channels: what the server advertises and clients subscribe to, and what clients advertise for publishing.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Serialize, Serializer};
use serde_json::Value;

use super::schema::{self, ANY_JSON, BadSchema};
use super::text::{self, FieldError, Object};
use crate::model::{Channel, ChannelId, Schema, SubscriptionId};

/// A request for the messages of a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Subscription {
    /// Chosen by the client; messages come under it.
    #[serde(serialize_with = "subscription_id")]
    pub id: SubscriptionId,
    /// The channel.
    #[serde(serialize_with = "channel_id")]
    pub channel_id: ChannelId,
}

impl Subscription {
    pub(super) fn decode(value: Value) -> Result<Self, FieldError> {
        let mut fields = Object::from_value(value)?;
        Ok(Self {
            id: SubscriptionId(fields.required("id", text::u32)?),
            channel_id: ChannelId(fields.required("channelId", text::u32)?),
        })
    }
}

pub(super) fn channel_id<S: Serializer>(id: &ChannelId, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u32(id.0)
}

fn subscription_id<S: Serializer>(id: &SubscriptionId, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u32(id.0)
}

/// A channel as the server announces it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AdvertisedChannel {
    /// Comes back only with the same topic, encoding and schema: clients cache decoders by it.
    #[serde(serialize_with = "channel_id")]
    pub id: ChannelId,
    /// One channel a topic, for viewers.
    pub topic: String,
    /// Message encoding, for example `protobuf`.
    pub encoding: String,
    /// Empty for a channel without a schema.
    pub schema_name: String,
    /// None means what belongs to the message encoding. Viewers refuse an empty text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema_encoding: Option<String>,
    /// Text; base64 of what is binary. Empty for a channel without a schema.
    pub schema: String,
    /// What the recorder noted about the channel.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
}

/// A channel that can't be put into an advertisement.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("channel '{topic}' can't be sent to viewers: {reason}")]
pub struct NotAdvertisable {
    /// Topic of the channel.
    pub topic: String,
    /// Why not.
    pub reason: String,
}

impl AdvertisedChannel {
    /// The announcement of a channel, in the form that viewers accept.
    ///
    /// JSON without a schema is announced with one that allows any object. Other channels without a schema, and
    /// those with encodings that viewers may not know, are announced with what is known.
    pub fn from_channel(channel: &Channel) -> Result<Self, NotAdvertisable> {
        let refuse = |reason: String| NotAdvertisable { topic: channel.topic.clone(), reason };
        if channel.message_encoding.is_empty() {
            return Err(refuse("it has no message encoding".to_owned()));
        }
        let (schema_name, mut schema_encoding, mut schema) = match channel.schema.as_deref() {
            Some(schema) => {
                let text = schema::encode(schema, &channel.message_encoding).map_err(refuse)?;
                (schema.name.clone(), schema.encoding.clone(), text)
            }
            None => Default::default(),
        };
        let can_be_any_json = matches!(schema_encoding.as_str(), "" | "jsonschema");
        if channel.message_encoding == "json" && can_be_any_json && schema.trim().is_empty() {
            schema_encoding = "jsonschema".to_owned();
            schema = ANY_JSON.to_owned();
        }
        Ok(Self {
            id: channel.id,
            topic: channel.topic.clone(),
            encoding: channel.message_encoding.clone(),
            schema_name,
            schema_encoding: Some(schema_encoding).filter(|encoding| !encoding.is_empty()),
            schema,
            metadata: channel.metadata.clone(),
        })
    }

    /// Whether its schema says something: it has a name, or a text other than one that allows any JSON.
    pub fn has_schema(&self) -> bool {
        !(self.schema_name.is_empty() && matches!(self.schema.as_str(), "" | ANY_JSON))
    }

    /// The channel that was announced, under the id of its server.
    ///
    /// One whose schema says nothing ([`AdvertisedChannel::has_schema`]) has none.
    pub fn to_channel(&self) -> Result<Channel, BadSchema> {
        let encoding = self.schema_encoding.clone().unwrap_or_default();
        let schema = if !self.has_schema() {
            None
        } else {
            let data = schema::decode(&self.schema, &encoding, &self.encoding)?;
            Some(Arc::new(Schema { name: self.schema_name.clone(), encoding, data }))
        };
        Ok(Channel {
            id: self.id,
            topic: self.topic.clone(),
            message_encoding: self.encoding.clone(),
            schema,
            metadata: self.metadata.clone(),
            latched: false,
        })
    }

    /// The schema name and text may be absent: some servers leave them out for channels without a schema.
    pub(super) fn decode(value: Value) -> Result<Self, FieldError> {
        let mut fields = Object::from_value(value)?;
        Ok(Self {
            id: ChannelId(fields.required("id", text::u32)?),
            topic: fields.required("topic", text::string)?,
            encoding: fields.required("encoding", text::string)?,
            schema_name: fields.optional("schemaName", text::string)?.unwrap_or_default(),
            schema_encoding: fields.optional("schemaEncoding", text::string)?,
            schema: fields.optional("schema", text::string)?.unwrap_or_default(),
            metadata: fields.optional("metadata", text::string_map)?.unwrap_or_default(),
        })
    }
}

/// Identifies a channel on which a client publishes; chosen by the client, unique within its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct ClientChannelId(pub u32);

/// A channel on which a client is going to publish.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClientChannel {
    /// Chosen by the client.
    pub id: ClientChannelId,
    /// Any topic; several clients may publish on one.
    pub topic: String,
    /// Message encoding, one of the server's `supportedEncodings`.
    pub encoding: String,
    /// Name of the type.
    pub schema_name: String,
    /// None means what belongs to the message encoding.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema_encoding: Option<String>,
    /// Text; base64 of what is binary. Viewers send none for types that they expect the server to know.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
}

impl ClientChannel {
    /// The data of the schema, None if the client sent none.
    pub fn schema_data(&self) -> Result<Option<bytes::Bytes>, BadSchema> {
        let encoding = self.schema_encoding.as_deref().unwrap_or_default();
        self.schema.as_deref().map(|text| schema::decode(text, encoding, &self.encoding)).transpose()
    }

    pub(super) fn decode(value: Value) -> Result<Self, FieldError> {
        let mut fields = Object::from_value(value)?;
        Ok(Self {
            id: ClientChannelId(fields.required("id", text::u32)?),
            topic: fields.required("topic", text::string)?,
            encoding: fields.required("encoding", text::string)?,
            schema_name: fields.required("schemaName", text::string)?,
            schema_encoding: fields.optional("schemaEncoding", text::string)?,
            schema: fields.optional("schema", text::string)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn channel(message_encoding: &str, schema: Option<(&str, &str, &'static [u8])>) -> Channel {
        Channel {
            id: ChannelId(7),
            topic: "/imu".to_owned(),
            message_encoding: message_encoding.to_owned(),
            schema: schema.map(|(name, encoding, data)| {
                Arc::new(Schema {
                    name: name.to_owned(),
                    encoding: encoding.to_owned(),
                    data: Bytes::from_static(data),
                })
            }),
            metadata: BTreeMap::new(),
            latched: false,
        }
    }

    fn advertised(channel: &Channel) -> (String, Option<String>, String) {
        let channel = AdvertisedChannel::from_channel(channel).unwrap();
        (channel.schema_name, channel.schema_encoding, channel.schema)
    }

    fn parts(name: &str, encoding: Option<&str>, schema: &str) -> (String, Option<String>, String) {
        (name.to_owned(), encoding.map(str::to_owned), schema.to_owned())
    }

    #[test]
    fn binary_schemas_are_advertised_as_padded_base64() {
        for encoding in ["protobuf", "flatbuffer"] {
            let channel = channel(encoding, Some(("foxglove.Log", encoding, &[0xfb, 0xff, 0xfe, 0x00])));
            assert_eq!(advertised(&channel), parts("foxglove.Log", Some(encoding), "+//+AA=="));
        }
    }

    #[test]
    fn text_schemas_are_advertised_as_they_are() {
        for (message, schema) in [
            ("ros1", "ros1msg"),
            ("cdr", "ros2msg"),
            ("cdr", "ros2idl"),
            ("cdr", "omgidl"),
            ("json", "jsonschema"),
        ] {
            let channel = channel(message, Some(("pkg/Type", schema, "string s\n# µ".as_bytes())));
            assert_eq!(advertised(&channel), parts("pkg/Type", Some(schema), "string s\n# µ"));
        }
    }

    #[test]
    fn json_without_a_schema_is_advertised_as_any_object() {
        let any = r#"{"type":"object"}"#;
        assert_eq!(advertised(&channel("json", None)), parts("", Some("jsonschema"), any));
        let named = channel("json", Some(("Pose", "", b" ")));
        assert_eq!(advertised(&named), parts("Pose", Some("jsonschema"), any));
    }

    #[test]
    fn other_channels_without_a_schema_are_advertised_with_what_is_known() {
        for encoding in ["cdr", "protobuf", "cbor"] {
            assert_eq!(advertised(&channel(encoding, None)), parts("", None, ""));
        }
    }

    #[test]
    fn an_empty_schema_encoding_is_left_out_and_follows_the_message_encoding() {
        assert_eq!(advertised(&channel("protobuf", Some(("T", "", &[0xff])))), parts("T", None, "/w=="));
        assert_eq!(advertised(&channel("ros1", Some(("T", "", b"int8 x")))), parts("T", None, "int8 x"));
    }

    #[test]
    fn an_unknown_schema_encoding_is_sent_as_text_if_it_is_text() {
        let text = channel("cbor", Some(("T", "cddl", b"t = int")));
        assert_eq!(advertised(&text), parts("T", Some("cddl"), "t = int"));
        let binary = channel("cbor", Some(("T", "cddl", &[0xff])));
        let error = AdvertisedChannel::from_channel(&binary).unwrap_err();
        assert_eq!(error.topic, "/imu");
        assert!(error.to_string().contains("'cddl' is not text"), "{error}");
    }

    #[test]
    fn text_schemas_that_are_not_utf8_and_empty_encodings_are_not_advertisable() {
        let error =
            AdvertisedChannel::from_channel(&channel("cdr", Some(("T", "ros2msg", &[0xff])))).unwrap_err();
        assert!(error.reason.contains("'T' of encoding 'ros2msg' is not text"), "{error}");
        let error = AdvertisedChannel::from_channel(&channel("", None)).unwrap_err();
        assert_eq!(error.reason, "it has no message encoding");
    }

    #[test]
    fn metadata_is_written_only_when_there_is_some() {
        let mut channel = channel("cbor", None);
        let json = |channel: &Channel| {
            serde_json::to_string(&AdvertisedChannel::from_channel(channel).unwrap()).unwrap()
        };
        let bare = r#"{"id":7,"topic":"/imu","encoding":"cbor","schemaName":"","schema":"""#;
        assert_eq!(json(&channel), format!("{bare}}}"));
        channel.metadata.insert("latching".to_owned(), "true".to_owned());
        assert_eq!(json(&channel), format!(r#"{bare},"metadata":{{"latching":"true"}}}}"#));
    }

    #[test]
    fn an_announced_channel_can_be_had_back() {
        for channel in [
            channel("protobuf", Some(("foxglove.Log", "protobuf", &[0xfb, 0xff]))),
            channel("cdr", Some(("std_msgs/msg/String", "ros2msg", b"string data"))),
            channel("json", None),
            channel("cbor", None),
        ] {
            let announced = AdvertisedChannel::from_channel(&channel).unwrap();
            assert_eq!(announced.to_channel(), Ok(channel));
        }
    }

    #[test]
    fn a_binary_schema_that_is_not_base64_is_named() {
        let mut announced = AdvertisedChannel::from_channel(&channel("protobuf", None)).unwrap();
        announced.schema = "not base64!".to_owned();
        let error = announced.to_channel().unwrap_err();
        assert_eq!(error.encoding, "protobuf");
    }
}
