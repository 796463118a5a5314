//! Parts of messages: `pose.position.x`, `ranges[0]`.

use std::collections::HashMap;
use std::str::FromStr;

use foxglove_bridge::client::Message;
use foxglove_bridge::internals::{SHORT, nearest, printable};
use foxglove_bridge::payload::JsonOptions;
use serde_json::value::RawValue;

use super::decoded::Payloads;
use super::members::members;
use super::{Form, Written};

/// Members of an object that are named for a path that leads to nothing.
const MOST: usize = 8;

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
        self.steps.iter().try_fold(json, |text, step| step.find(text))
    }

    /// What is there where the path leads to nothing, for people: `header.stamp has sec, nsec`.
    pub(super) fn has_instead(&self, json: &str) -> Option<String> {
        let (mut text, mut way) = (json, String::new());
        for step in &self.steps {
            match step.find(text) {
                Some(value) => text = value,
                None => return Some(described(&way, text, step)),
            }
            way = step.after(&way);
        }
        None
    }
}

impl Step {
    fn find<'a>(&self, json: &'a str) -> Option<&'a str> {
        let value: &RawValue = match self {
            Self::Name(name) => {
                serde_json::from_str::<HashMap<String, &RawValue>>(json).ok()?.remove(name.as_str())?
            }
            Self::Index(index) => serde_json::from_str::<Vec<&RawValue>>(json).ok()?.get(*index).copied()?,
        };
        Some(value.get())
    }

    /// The path so far with this step.
    fn after(&self, way: &str) -> String {
        match self {
            Self::Name(name) if way.is_empty() => name.clone(),
            Self::Name(name) => format!("{way}.{name}"),
            Self::Index(index) => format!("{way}[{index}]"),
        }
    }
}

/// What the value at the end of a way has, for a step that leads to nothing.
fn described(way: &str, json: &str, missed: &Step) -> String {
    let short = |text: &str| printable(text, SHORT).to_string();
    let owner = if way.is_empty() { "it".to_owned() } else { short(way) };
    if let Some(members) = members(json) {
        let names: Vec<&str> = members.iter().map(|(name, _)| name.as_str()).collect();
        if names.is_empty() {
            return format!("{owner} has no fields");
        }
        let mut text = names.iter().take(MOST).map(|name| short(name)).collect::<Vec<_>>().join(", ");
        if names.len() > MOST {
            text.push_str(&format!(" and {} more", names.len() - MOST));
        }
        let wanted = if let Step::Name(name) = missed { name.as_str() } else { "" };
        if let Some(meant) = nearest(wanted, names) {
            let meant = Step::Name(meant.to_owned()).after(way);
            text.push_str(&format!("; did you mean {}?", short(&meant)));
        }
        return format!("{owner} has {text}");
    }
    match serde_json::from_str::<Vec<&RawValue>>(json) {
        Ok(items) => format!("{owner} is a list of {}, the first is [0]", items.len()),
        Err(_) => format!("{owner} is {}", short(json)),
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

    fn has_instead(&self) -> Option<String> {
        self.paths.first()?.has_instead(std::str::from_utf8(&self.json).ok()?)
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
    fn a_path_that_leads_to_nothing_says_what_is_there() {
        let json = r#"{"header":{"stamp":{"sec":1,"nsec":2}},"latitude":1.5,"ranges":[7,8],"empty":{}}"#;
        for (text, expected) in [
            ("latitud", "it has header, latitude, ranges, empty; did you mean latitude?"),
            ("header.stamp.nanosec", "header.stamp has sec, nsec"),
            ("header.stam.sec", "header has stamp; did you mean header.stamp?"),
            ("ranges[2]", "ranges is a list of 2, the first is [0]"),
            ("ranges.x", "ranges is a list of 2, the first is [0]"),
            ("latitude.x", "latitude is 1.5"),
            ("empty.x", "empty has no fields"),
        ] {
            assert_eq!(path(text).has_instead(json).as_deref(), Some(expected), "{text}");
        }
        assert_eq!(path("header.stamp").has_instead(json), None);
        let many: Vec<String> = (0..20).map(|number| format!("\"field{number}\":0")).collect();
        let said = path("x").has_instead(&format!("{{{}}}", many.join(","))).unwrap();
        assert!(said.ends_with("field7 and 12 more"), "{said}");
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
