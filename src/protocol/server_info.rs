//! `serverInfo`: the first message of a connection, and of every new session on it.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Serialize, Serializer};
use serde_json::Value;

use super::text::{self, FieldError, Object};
use crate::time::Timestamp;

const NANOS_PER_SEC: u64 = 1_000_000_000;

/// An optional feature of a server.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Capability {
    /// Clients may advertise channels and publish on them.
    ClientPublish,
    /// Clients may read and set parameters.
    Parameters,
    /// Clients may ask for parameters whenever they change.
    ParametersSubscribe,
    /// Clients may call services.
    Services,
    /// Clients may ask for the connection graph.
    ConnectionGraph,
    /// Clients may fetch assets.
    Assets,
    /// The server sends its time: without it viewers stamp messages with their wall clock.
    Time,
    /// Clients may control playback.
    PlaybackControl,
    /// A feature that is not known here, by its name.
    Other(String),
}

impl Capability {
    const KNOWN: [Self; 8] = [
        Self::ClientPublish,
        Self::Parameters,
        Self::ParametersSubscribe,
        Self::Services,
        Self::ConnectionGraph,
        Self::Assets,
        Self::Time,
        Self::PlaybackControl,
    ];

    /// The name on the wire.
    pub fn as_str(&self) -> &str {
        match self {
            Self::ClientPublish => "clientPublish",
            Self::Parameters => "parameters",
            Self::ParametersSubscribe => "parametersSubscribe",
            Self::Services => "services",
            Self::ConnectionGraph => "connectionGraph",
            Self::Assets => "assets",
            Self::Time => "time",
            Self::PlaybackControl => "playbackControl",
            Self::Other(name) => name,
        }
    }

    /// The capability of this name.
    pub fn from_name(name: &str) -> Self {
        let known = Self::KNOWN.into_iter().find(|capability| capability.as_str() == name);
        known.unwrap_or_else(|| Self::Other(name.to_owned()))
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Capability {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// What a server is and can do. Must be followed by `advertise`: viewers forget all schemas.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ServerInfo {
    /// Shown to the user.
    pub name: String,
    /// Optional features.
    pub capabilities: Vec<Capability>,
    /// Encodings for publishing and service calls, best first; left out on the wire when empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub supported_encodings: Vec<String>,
    /// Free-form, for example `ROS_DISTRO`; left out on the wire when empty.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
    /// The same id after a reconnect means that channel ids are still good; a new id resets viewers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// First time of the data, with `playbackControl`.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "encode_time")]
    pub data_start_time: Option<Timestamp>,
    /// Last time of the data, with `playbackControl`.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "encode_time")]
    pub data_end_time: Option<Timestamp>,
}

impl ServerInfo {
    pub(super) fn decode(fields: &mut Object) -> Result<Self, FieldError> {
        let capability = |value| text::string(value).map(|name| Capability::from_name(&name));
        Ok(Self {
            name: fields.required("name", text::string)?,
            capabilities: fields.required("capabilities", text::list(capability))?,
            supported_encodings: fields
                .optional("supportedEncodings", text::list(text::string))?
                .unwrap_or_default(),
            metadata: fields.optional("metadata", text::string_map)?.unwrap_or_default(),
            session_id: fields.optional("sessionId", text::string)?,
            data_start_time: fields.optional("dataStartTime", decode_time)?,
            data_end_time: fields.optional("dataEndTime", decode_time)?,
        })
    }
}

/// Seconds and nanoseconds: a JSON number has no room for the nanoseconds of today.
fn encode_time<S: Serializer>(time: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Parts {
        sec: u64,
        nsec: u64,
    }
    let parts = |time: &Timestamp| Parts { sec: time.0 / NANOS_PER_SEC, nsec: time.0 % NANOS_PER_SEC };
    time.as_ref().map(parts).serialize(serializer)
}

fn decode_time(value: Value) -> Result<Timestamp, FieldError> {
    let mut fields = Object::from_value(value)?;
    let sec = fields.required("sec", text::u64)?;
    let nsec = fields.required("nsec", text::u32).map(u64::from)?;
    if nsec >= NANOS_PER_SEC {
        return Err(
            FieldError::new(format!("expected less than {NANOS_PER_SEC}, found {nsec}")).in_field("nsec")
        );
    }
    let nanos = sec.checked_mul(NANOS_PER_SEC).and_then(|nanos| nanos.checked_add(nsec));
    nanos
        .map(Timestamp)
        .ok_or_else(|| FieldError::new(format!("{sec} is after the year 2554")).in_field("sec"))
}
