//! All types that messages can have: built-in ones, and those of the user.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::protobuf::Message;
use super::{JsonAs, MessageType, TypeOptions, TypesError, load};
use crate::suggest::nearest;

/// The types by name: `foxglove.*` and those of the user, which win where both have one.
#[derive(Debug)]
pub struct Types {
    messages: HashMap<String, Message>,
    json_as: JsonAs,
    /// Those that were asked for.
    ready: Mutex<HashMap<String, Arc<MessageType>>>,
}

impl Types {
    /// Reads the files that the options name.
    pub fn load(options: &TypeOptions) -> Result<Self, TypesError> {
        let messages = load::messages(options)?;
        Ok(Self { messages, json_as: options.json_as, ready: Mutex::default() })
    }

    /// The type of this full name, with or without a dot before it.
    pub fn find(&self, name: &str) -> Option<Arc<MessageType>> {
        let name = name.strip_prefix('.').unwrap_or(name);
        let message = self.messages.get(name)?;
        // nothing is left half done in there by a panic elsewhere
        let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = ready.get(name) {
            return Some(Arc::clone(found));
        }
        let new = Arc::new(MessageType::new(message, self.json_as));
        ready.insert(name.to_owned(), Arc::clone(&new));
        Some(new)
    }

    /// The nearest name to one that does not exist, for errors.
    pub fn suggestion(&self, name: &str) -> Option<String> {
        let name = name.strip_prefix('.').unwrap_or(name);
        nearest(name, self.messages.keys().map(String::as_str)).map(str::to_owned)
    }
}
