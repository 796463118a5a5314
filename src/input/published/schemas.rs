//! Which schema a client means: its own, or one that the server knows by its name.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use crate::model::{Channel, Schema};
use crate::payload::{JsonAs, TypeOptions, Types};
use crate::protocol::ClientChannel;
use crate::registry::ChannelSpec;

/// What a client says of a channel's messages.
#[derive(Debug, PartialEq)]
pub(super) struct Meant<'a> {
    encoding: &'a str,
    name: &'a str,
    /// Its own schema: encoding, and data. Viewers send none for types that the server is to know.
    own: Option<(&'a str, Bytes)>,
}

impl<'a> Meant<'a> {
    pub(super) fn by(channel: &'a ClientChannel) -> Result<Self, String> {
        let data = channel.schema_data().map_err(|error| error.to_string())?;
        // an empty schema says nothing
        let data = data.filter(|data| !data.trim_ascii().is_empty());
        let said = channel.schema_encoding.as_deref().filter(|encoding| !encoding.is_empty());
        let encoding = said.unwrap_or_else(|| usual_schema(&channel.encoding));
        Ok(Self {
            encoding: &channel.encoding,
            name: &channel.schema_name,
            own: data.map(|data| (encoding, data)),
        })
    }

    /// Whether a channel of the server has such messages.
    pub(super) fn is(&self, known: &Channel) -> bool {
        if known.message_encoding != self.encoding {
            return false;
        }
        match (&self.own, known.schema.as_deref()) {
            (Some((encoding, data)), Some(schema)) => {
                let known_encoding =
                    if schema.encoding.is_empty() { usual_schema(self.encoding) } else { &schema.encoding };
                schema.name == self.name && known_encoding == *encoding && schema.data == *data
            }
            (None, Some(schema)) => schema.name == self.name,
            // a name that means nothing here is left out
            (None, None) => self.name.is_empty(),
            (Some(_), None) => false,
        }
    }

    /// The channel that is asked for. `find` knows the server's schemas by name. One that it does not know is left out with
    /// its name.
    pub(super) fn spec(
        self,
        channel: &ClientChannel,
        find: impl FnOnce(&str) -> Option<Arc<Schema>>,
    ) -> ChannelSpec {
        let schema = match self.own {
            Some((encoding, data)) => {
                let (name, encoding) = (self.name.to_owned(), encoding.to_owned());
                Some(Arc::new(Schema { name, encoding, data }))
            }
            None if self.name.is_empty() => None,
            None => find(self.name),
        };
        ChannelSpec {
            topic: channel.topic.clone(),
            message_encoding: channel.encoding.clone(),
            schema,
            metadata: BTreeMap::new(),
            latched: false,
        }
    }
}

/// The encoding of schemas that belongs to a message encoding.
fn usual_schema(encoding: &str) -> &'static str {
    match encoding {
        "json" => "jsonschema",
        "protobuf" => "protobuf",
        "flatbuffer" => "flatbuffer",
        "ros1" => "ros1msg",
        "cdr" => "ros2msg",
        _ => "",
    }
}

/// The built-in types; read when one is first asked for.
#[derive(Debug, Default)]
pub(super) struct Schemas {
    json: OnceLock<Option<Types>>,
    protobuf: OnceLock<Option<Types>>,
}

impl Schemas {
    /// The built-in schema of this name for messages of an encoding.
    pub(super) fn builtin(&self, encoding: &str, name: &str) -> Option<Arc<Schema>> {
        let (types, json_as) = match encoding {
            "json" => (&self.json, JsonAs::Json),
            "protobuf" => (&self.protobuf, JsonAs::Protobuf),
            _ => return None,
        };
        let load = || {
            let loaded = Types::load(&TypeOptions { json_as, ..TypeOptions::default() });
            loaded.inspect_err(|error| tracing::error!("{error}")).ok()
        };
        // another notation of a name would be another name to viewers
        let found = types.get_or_init(load).as_ref()?.find(name)?;
        Some(found.schema().clone()).filter(|schema| schema.name == name)
    }
}
