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
        if self.made.len() >= self.most {
            self.made.clear();
        }
        let key = (channel.message_encoding.clone(), channel.schema.clone());
        let made = || Decoder::new(&channel.message_encoding, channel.schema.as_deref()).map(Arc::new);
        self.made.entry(key).or_insert_with(made).clone()
    }
}
