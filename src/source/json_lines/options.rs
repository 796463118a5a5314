//! How lines are read: what the user can choose.

use std::str::FromStr;

use super::{NanPolicy, TimeUnit};
use crate::pattern::TopicPattern;

/// The longest line that can be allowed, so that offsets fit into 32 bits; as for a record of a recording.
pub const LARGEST_MAX_LINE: usize = 1 << 30;

/// The schema of topics that don't name one themselves: `/log=foxglove.Log`.
#[derive(Debug, Clone, PartialEq)]
pub struct SchemaFor {
    /// The topics, by the names that the lines have.
    pub topic: TopicPattern,
    /// A type's name, or the path of a JSON Schema (`*.json`).
    pub name: String,
}

impl FromStr for SchemaFor {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('=') {
            Some((topic, name)) if !topic.is_empty() && !name.is_empty() => Ok(Self {
                topic: topic.parse().map_err(|error: crate::pattern::PatternError| error.to_string())?,
                name: name.to_owned(),
            }),
            _ => Err(format!("'{text}' gives no schema: write TOPIC=NAME, like /log=foxglove.Log")),
        }
    }
}

/// How JSON lines are read.
#[derive(Debug, Clone, PartialEq)]
pub struct JsonLinesOptions {
    /// Topic of lines that name none.
    pub default_topic: Option<String>,
    /// Whether each line as a whole is the payload of a message on the default topic.
    pub raw: bool,
    /// Where the log time of a raw line stands: `time`, `header.stamp`. The time of arrival if None.
    pub time_field: Option<String>,
    /// What times count that are plain numbers; told by their size if None.
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

#[cfg(test)]
mod tests {
    use super::SchemaFor;

    #[test]
    fn a_schema_for_topics_is_read_and_half_of_one_is_refused() {
        let schema: SchemaFor = "/camera/*=foxglove.CompressedImage".parse().unwrap();
        assert!(schema.topic.matches("/camera/left"));
        assert_eq!(schema.name, "foxglove.CompressedImage");
        for text in ["/a", "=foxglove.Log", "/a=", "", "/a{=x"] {
            assert!(text.parse::<SchemaFor>().is_err(), "{text}");
        }
        assert!("/a".parse::<SchemaFor>().unwrap_err().contains("TOPIC=NAME"));
    }
}
