//! Parts of messages: `pose.position.x`, `ranges[0]`.

use std::collections::HashMap;
use std::str::FromStr;

use foxglove_bridge::client::Message;
use foxglove_bridge::payload::JsonOptions;
use serde_json::value::RawValue;

use super::decoded::Payloads;
use super::{Form, Written};

/// The way to a part of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Path {
    pub(super) text: String,
    steps: Vec<Step>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Name(String),
    Index(usize),
}

impl FromStr for Path {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = || format!("'{text}' is no way to a field: write it like pose.position.x or ranges[0]");
        let mut steps = Vec::new();
        for part in text.split('.') {
            let (name, mut indexes) = part.split_at(part.find('[').unwrap_or(part.len()));
            if name.is_empty() && (indexes.is_empty() || !steps.is_empty()) {
                return Err(bad());
            }
            if !name.is_empty() {
                steps.push(Step::Name(name.to_owned()));
            }
            while let Some(rest) = indexes.strip_prefix('[') {
                let (index, rest) = rest.split_once(']').ok_or_else(bad)?;
                steps.push(Step::Index(index.parse().map_err(|_error| bad())?));
                indexes = rest;
            }
            if !indexes.is_empty() {
                return Err(bad());
            }
        }
        Ok(Self { text: text.to_owned(), steps })
    }
}

impl Path {
    /// A path of one name.
    pub(super) fn of_names(names: &[String]) -> Self {
        let steps = names.iter().cloned().map(Step::Name).collect();
        Self { text: names.join("."), steps }
    }

    /// The part as it stands in the JSON, if it is there.
    pub(super) fn find<'a>(&self, json: &'a str) -> Option<&'a str> {
        let mut text = json;
        for step in &self.steps {
            let value: &RawValue = match step {
                Step::Name(name) => {
                    serde_json::from_str::<HashMap<String, &RawValue>>(text).ok()?.remove(name.as_str())?
                }
                Step::Index(index) => {
                    serde_json::from_str::<Vec<&RawValue>>(text).ok()?.get(*index).copied()?
                }
            };
            text = value.get();
        }
        Some(text)
    }
}

/// One field: its value alone, a line each. Several: a JSON array of them.
pub(super) struct Fields {
    paths: Vec<Path>,
    payloads: Payloads,
    json: Vec<u8>,
}

impl Fields {
    pub(super) fn new(paths: Vec<Path>, options: JsonOptions) -> Self {
        Self { paths, payloads: Payloads::new(options), json: Vec::new() }
    }
}

impl Form for Fields {
    fn write(&mut self, message: &Message, out: &mut Vec<u8>) -> Written {
        let Some(json) = self.payloads.json(message, &mut self.json) else { return Written::Undecoded };
        let found: Vec<Option<&str>> = self.paths.iter().map(|path| path.find(json)).collect();
        if found.iter().all(Option::is_none) {
            return Written::WithoutFields;
        }
        let texts: Vec<&str> = found.into_iter().map(|text| text.unwrap_or("null")).collect();
        let line = match texts.as_slice() {
            [one] => (*one).to_owned(),
            several => format!("[{}]", several.join(",")),
        };
        out.extend_from_slice(line.as_bytes());
        out.push(b'\n');
        Written::Lines
    }
}

#[cfg(test)]
mod tests {
    use super::super::lines::tests::{message, written};
    use super::*;

    fn path(text: &str) -> Path {
        text.parse().unwrap()
    }

    #[test]
    fn parts_of_messages_are_found() {
        let json = r#"{"a":{"b":[{"c":1.50},{"c":"x"}]},"n":12345678901234567890}"#;
        for (text, expected) in [
            ("a.b[0].c", Some("1.50")),
            ("a.b[1].c", Some("\"x\"")),
            ("n", Some("12345678901234567890")),
            ("a.b[2].c", None),
            ("a.x", None),
            ("n.x", None),
        ] {
            assert_eq!(path(text).find(json), expected, "{text}");
        }
        assert_eq!(path("[1][0]").find("[0,[7]]"), Some("7"));
    }

    #[test]
    fn what_is_no_path_says_how_one_looks() {
        for text in ["", ".", "a.", ".a", "a[", "a[x]", "a[0]b", "a.[0]", "a[-1]"] {
            let error = text.parse::<Path>().unwrap_err();
            assert!(error.contains("pose.position.x"), "{text}: {error}");
        }
    }

    #[test]
    fn one_field_is_its_value_and_several_are_an_array() {
        let message = message("json", None, br#"{"x":1,"y":{"z":"s"}}"#);
        assert_eq!(written(&mut Fields::new(vec![path("y.z")], JsonOptions::default()), &message), "\"s\"\n");
        assert_eq!(
            written(&mut Fields::new(vec![path("x"), path("q")], JsonOptions::default()), &message),
            "[1,null]\n"
        );
        assert_eq!(written(&mut Fields::new(vec![path("q")], JsonOptions::default()), &message), "");
    }
}
