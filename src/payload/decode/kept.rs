//! Decoders that were made.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Decoder, DefinitionError};
use crate::model::{Channel, Schema};

/// Decoders that are kept unless it is said otherwise. A live input whose schema changes all the time makes new ones all
/// the time.
const MOST: usize = 4096;

/// A decoder for each message encoding and schema that was asked for.
///
/// Looking one up reads the whole schema: keep what [`Decoders::of`] returns beside the channel.
#[derive(Debug)]
pub struct Decoders {
    made: HashMap<Key, Result<Arc<Decoder>, DefinitionError>>,
    most: usize,
}

impl Default for Decoders {
    /// Keeps 4,096.
    fn default() -> Self {
        Self::keeping(MOST)
    }
}

/// A message encoding and a schema.
type Key = (String, Option<Arc<Schema>>);

impl Decoders {
    /// Keeps so many decoders at most; with one more all are made again.
    pub fn keeping(most: usize) -> Self {
        Self { made: HashMap::new(), most }
    }

    /// The decoder of a channel, see [`Decoder::new`].
    pub fn of(&mut self, channel: &Channel) -> Result<Arc<Decoder>, DefinitionError> {
        self.of_kind(&channel.message_encoding, channel.schema.as_ref())
    }

    /// The decoder of all channels with a message encoding and a schema.
    pub(crate) fn of_kind(
        &mut self,
        message_encoding: &str,
        schema: Option<&Arc<Schema>>,
    ) -> Result<Arc<Decoder>, DefinitionError> {
        if self.made.len() >= self.most {
            self.made.clear();
        }
        let key = (message_encoding.to_owned(), schema.cloned());
        let made = || Decoder::new(message_encoding, schema.map(Arc::as_ref)).map(Arc::new);
        self.made.entry(key).or_insert_with(made).clone()
    }
}
