//! Why there is no channel for a line.

use crate::source::Hint;

/// Why there is no channel for a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::source) struct Refusal {
    /// What can't be had.
    pub(in crate::source) of: Refused,
    pub(in crate::source) reason: String,
    pub(in crate::source) hint: Option<Hint>,
}

/// What can't be had of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::source) enum Refused {
    /// Its channel, or what that is made of.
    Channel,
    /// Its payload.
    Payload,
}

impl Refusal {
    /// The payload of a message can't be sent.
    pub(in crate::source) fn of_payload(reason: String) -> Self {
        Self { of: Refused::Payload, reason, hint: None }
    }
}

impl From<String> for Refusal {
    fn from(reason: String) -> Self {
        Self { of: Refused::Channel, reason, hint: None }
    }
}
