//! `status` and `removeStatus`: what the server tells the user of a viewer.

use serde::{Serialize, Serializer};
use serde_json::Value;

use super::text::{self, FieldError, Object};

/// How serious a [`Status`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// 0: good to know.
    Info,
    /// 1: something else was done than asked.
    Warning,
    /// 2: something was not done.
    Error,
}

impl Serialize for Level {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(match self {
            Self::Info => 0,
            Self::Warning => 1,
            Self::Error => 2,
        })
    }
}

impl Level {
    fn decode(value: Value) -> Result<Self, FieldError> {
        match text::u32(value)? {
            0 => Ok(Self::Info),
            1 => Ok(Self::Warning),
            2 => Ok(Self::Error),
            other => Err(FieldError::new(format!("expected 0, 1 or 2, found {other}"))),
        }
    }
}

/// A message for the user of a viewer.
///
/// Viewers list each distinct text once and keep it: a text with a changing number fills the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Status {
    /// How serious it is.
    pub level: Level,
    /// What is shown.
    pub message: String,
    /// A newer status with the same id replaces this one; `removeStatus` takes it back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

impl Status {
    /// Something that is good to know.
    pub fn info(message: impl Into<String>) -> Self {
        Self { level: Level::Info, message: message.into(), id: None }
    }

    /// Something else was done than asked.
    pub fn warning(message: impl Into<String>) -> Self {
        Self { level: Level::Warning, message: message.into(), id: None }
    }

    /// Something was not done.
    pub fn error(message: impl Into<String>) -> Self {
        Self { level: Level::Error, message: message.into(), id: None }
    }

    /// The same status under an id, so that it can be replaced or removed later.
    pub fn with_id(self, id: impl Into<String>) -> Self {
        Self { id: Some(id.into()), ..self }
    }

    pub(super) fn decode(fields: &mut Object) -> Result<Self, FieldError> {
        Ok(Self {
            level: fields.required("level", Level::decode)?,
            message: fields.required("message", text::string)?,
            id: fields.optional("id", text::string)?,
        })
    }
}
