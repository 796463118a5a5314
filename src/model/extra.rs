//! What a recording has beside its messages.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::time::Timestamp;

/// Something that a recording has beside its messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Extra {
    /// A file, such as a calibration.
    Attachment(Attachment),
    /// Texts by their names.
    Metadata(Metadata),
    /// To which conventions its channels and messages keep, such as `ros2` (the MCAP specification's Header record).
    Profile(String),
}

/// A file in a recording (the MCAP specification's Attachment record).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// As what it was recorded: `calibration.yaml`.
    pub name: String,
    /// Its media type (RFC 6838); may be empty.
    pub media_type: String,
    /// When it was recorded.
    pub log_time: Timestamp,
    /// When it was made; 0: not known.
    pub create_time: Timestamp,
    /// Its content.
    pub data: Bytes,
    /// CRC-32 of the record up to the end of the content, as a recorder noted it; 0: it noted none.
    pub crc: u32,
}

/// Texts in a recording (the MCAP specification's Metadata record).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata {
    /// What they are about: `rosbag2`.
    pub name: String,
    /// The texts by their names.
    pub values: BTreeMap<String, String>,
}
