//! How lines are read: what the user can choose.

use super::{NanPolicy, TimeUnit};
use crate::source::live::SchemaFor;

/// The longest line that can be allowed, so that offsets fit into 32 bits; as for a record of a recording.
pub const LARGEST_MAX_LINE: usize = 1 << 30;

/// How JSON lines are read.
#[derive(Debug, Clone, PartialEq)]
pub struct JsonLinesOptions {
    /// Topic of lines that name none.
    pub default_topic: Option<String>,
    /// Whether each line as a whole is the payload of a message on the default topic.
    pub raw: bool,
    /// Where the log time of a raw line stands: `time`, `header.stamp`. The time of arrival if None.
    pub time_field: Option<String>,
    /// The unit of times that are plain numbers; by their size if None.
    pub time_unit: Option<TimeUnit>,
    /// What becomes of bare `NaN` and `Infinity`.
    pub nan: NanPolicy,
    /// Whether a bad line is an error, and not skipped.
    pub strict: bool,
    /// Bytes that a line may have; longer ones are bad. At most [`LARGEST_MAX_LINE`].
    pub max_line: usize,
    /// Schemas of topics whose lines name none; the first that fits counts.
    pub schemas: Vec<SchemaFor>,
}

impl Default for JsonLinesOptions {
    fn default() -> Self {
        Self {
            default_topic: None,
            raw: false,
            time_field: None,
            time_unit: None,
            nan: NanPolicy::Null,
            strict: false,
            max_line: 64 << 20,
            schemas: Vec::new(),
        }
    }
}
