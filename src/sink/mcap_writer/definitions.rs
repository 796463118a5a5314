//! Channels and schemas of a recording: their ids in its files, and each record once.

use std::collections::HashMap;
use std::sync::Arc;

use mcap::records::op;

use super::records::{put_bytes, put_text, put_texts, put_u16, record};
use crate::model::{Channel, Schema};
use crate::payload::transforms::Transforms;

/// The last id for a channel or a schema. The format has one more for channels; 0 stands for no schema.
const LAST_ID: u16 = u16::MAX - 1;

/// What a file has to know before the first message that needs it.
#[derive(Debug)]
pub(super) enum Definition {
    Schema(Vec<u8>),
    Channel { id: u16, record: Vec<u8>, latched: Option<LatchedBy> },
}

impl Definition {
    /// Its record.
    pub(super) fn record(&self) -> &[u8] {
        match self {
            Self::Schema(record) | Self::Channel { record, .. } => record,
        }
    }
}

/// What of a latched channel still counts.
#[derive(Debug, Clone, Copy)]
pub(super) enum LatchedBy {
    /// The last message of each origin.
    Origin,
    /// The last message of each child frame.
    Frames(Transforms),
}

/// Gives ids; what is equal has one.
#[derive(Debug, Default)]
pub(super) struct Definitions {
    schemas: HashMap<Arc<Schema>, u16>,
    channels: HashMap<Content, u16>,
}

/// What tells channels of one recording apart.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Content {
    schema: u16,
    topic: String,
    message_encoding: String,
    metadata: Vec<(String, String)>,
}

/// There are no more ids.
#[derive(Debug, thiserror::Error)]
#[error("a recording has at most {LAST_ID} channels and as many schemas")]
pub(super) struct TooMany;

impl Definitions {
    /// The id of a channel; `define` is called for what is new about it.
    pub(super) fn id(
        &mut self,
        channel: &Channel,
        mut define: impl FnMut(Definition),
    ) -> Result<u16, TooMany> {
        let schema = match &channel.schema {
            Some(schema) => self.schema_id(schema, &mut define)?,
            None => 0,
        };
        let content = Content {
            schema,
            topic: channel.topic.clone(),
            message_encoding: channel.message_encoding.clone(),
            metadata: channel.metadata.clone().into_iter().collect(),
        };
        if let Some(id) = self.channels.get(&content) {
            return Ok(*id);
        }
        let id = next_id(self.channels.len())?;
        self.channels.insert(content, id);
        let mut bytes = Vec::new();
        record(&mut bytes, op::CHANNEL, |out| {
            put_u16(out, id);
            put_u16(out, schema);
            put_text(out, &channel.topic);
            put_text(out, &channel.message_encoding);
            put_texts(out, &channel.metadata);
        });
        let latched =
            channel.latched.then(|| Transforms::of(channel).map_or(LatchedBy::Origin, LatchedBy::Frames));
        define(Definition::Channel { id, record: bytes, latched });
        Ok(id)
    }

    fn schema_id(
        &mut self,
        schema: &Arc<Schema>,
        define: &mut impl FnMut(Definition),
    ) -> Result<u16, TooMany> {
        if let Some(id) = self.schemas.get(schema) {
            return Ok(*id);
        }
        let id = next_id(self.schemas.len())?;
        self.schemas.insert(schema.clone(), id);
        let mut bytes = Vec::new();
        record(&mut bytes, op::SCHEMA, |out| {
            put_u16(out, id);
            put_text(out, &schema.name);
            put_text(out, &schema.encoding);
            put_bytes(out, &schema.data);
        });
        define(Definition::Schema(bytes));
        Ok(id)
    }
}

/// The id after so many.
fn next_id(count: usize) -> Result<u16, TooMany> {
    u16::try_from(count + 1).ok().filter(|id| *id <= LAST_ID).ok_or(TooMany)
}
