//! The schema that the user chooses for topics.

use std::str::FromStr;

use crate::pattern::TopicPattern;

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
