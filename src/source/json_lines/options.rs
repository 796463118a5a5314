//! How lines are read: what the user can choose.

use super::{NanPolicy, TimeUnit};
use crate::source::live::SchemaFor;

/// The longest line that can be allowed, so that offsets fit into 32 bits; as for a record of a recording.
pub const LARGEST_MAX_LINE: usize = 1 << 30;

/// What lines are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LineForm {
    /// Objects whose keys say what they are. With a default topic an object without `topic`, `op`, `data` and
    /// `data_base64` is itself the data.
    #[default]
    Keyed,
    /// Each is as a whole the payload of a message on the default topic.
    Raw,
    /// Values separated by commas, semicolons or tabs, whose names stand in the first line: messages on the default
    /// topic.
    Csv,
    /// Commands alone; a line with a message is bad. For what comes in beside a recording.
    Commands,
}

/// How JSON lines are read.
#[derive(Debug, Clone, PartialEq)]
pub struct JsonLinesOptions {
    /// Topic of lines that name none.
    pub default_topic: Option<String>,
    /// What a line is.
    pub form: LineForm,
    /// Where the log time stands in lines that are data as a whole: `time`, `header.stamp`. The time of arrival if None.
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
            form: LineForm::Keyed,
            time_field: None,
            time_unit: None,
            nan: NanPolicy::Null,
            strict: false,
            max_line: 32 << 20,
            schemas: Vec::new(),
        }
    }
}
