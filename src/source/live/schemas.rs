//! What the name of a schema means: one that a line declared, a file of the user's, or a known type.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use super::warnings::Warnings;
use super::{Refusal, SHOWN_NAME, SchemaFor, json_schema};
use crate::model::Schema;
use crate::pattern::TopicPattern;
use crate::payload::{MessageType, Types};
use crate::printable::{LONG, printable};
use crate::source::{Hint, SourceError};

/// Bytes of all schemas that lines have declared and that are in use, as the current ones or on a channel. A large set of
/// message definitions has some hundred kilobytes.
const MAX_BYTES: usize = 64 << 20;

/// Schemas that lines may declare.
const MAX_SCHEMAS: usize = 10_000;

/// What is known of the messages of a topic.
#[derive(Debug, Clone)]
pub(super) enum Meaning {
    /// Nothing.
    Schemaless,
    /// A schema, which is passed on.
    Declared(Arc<Schema>),
    /// A type that JSON is encoded to.
    Type(Arc<MessageType>),
}

/// The schemas by name.
#[derive(Debug)]
pub(super) struct Schemas {
    types: Arc<Types>,
    declared: HashMap<String, Arc<Schema>>,
    /// Every declared schema that may still be in use somewhere.
    alive: Vec<Weak<Schema>>,
    /// What the user chose for topics.
    chosen: Vec<(TopicPattern, Meaning)>,
}

impl Schemas {
    pub(super) fn new(types: Arc<Types>, chosen: &[SchemaFor]) -> Result<Self, SourceError> {
        let mut schemas = Self { types, declared: HashMap::new(), alive: Vec::new(), chosen: Vec::new() };
        for choice in chosen {
            let is_file = choice.name.ends_with(".json");
            let meaning = if is_file { from_file(&choice.name) } else { schemas.named(&choice.name) };
            let meaning = meaning.map_err(|refusal| SourceError::Unusable {
                name: format!("{}={}", choice.topic, choice.name),
                reason: refusal.reason,
            })?;
            schemas.chosen.push((choice.topic.clone(), meaning));
        }
        Ok(schemas)
    }

    /// What messages of a topic are, if their lines name this schema, or none.
    pub(super) fn meaning(&self, topic: &str, name: Option<&str>) -> Result<Meaning, Refusal> {
        match name {
            Some("") => Ok(Meaning::Schemaless),
            Some(name) => self.named(name),
            None => {
                let chosen = self.chosen.iter().find(|(pattern, _)| pattern.matches(topic));
                Ok(chosen.map_or(Meaning::Schemaless, |(_, meaning)| meaning.clone()))
            }
        }
    }

    fn named(&self, name: &str) -> Result<Meaning, Refusal> {
        if let Some(schema) = self.declared.get(name) {
            return Ok(Meaning::Declared(schema.clone()));
        }
        if let Some(message) = self.types.find(name) {
            return Ok(Meaning::Type(message));
        }
        let name = name.chars().take(80).collect::<String>();
        Err(match self.types.suggestion(&name) {
            Some(suggestion) => format!("there is no schema '{name}'; did you mean '{suggestion}'?").into(),
            None => {
                let reason = format!("there is no schema '{name}'; a line with op schema declares one");
                Refusal { hint: Some(Hint::Types), ..reason.into() }
            }
        })
    }

    /// Declares a schema under its name. False if it is the one that the name has.
    pub(super) fn declare(&mut self, schema: Schema, warnings: &mut Warnings) -> Result<bool, String> {
        let before = self.declared.get(&schema.name);
        if before.is_some_and(|before| **before == schema) {
            return Ok(false);
        }
        if before.is_none() && self.declared.len() >= MAX_SCHEMAS {
            return Err(format!("{MAX_SCHEMAS} schemas are declared already, the most there can be"));
        }
        self.alive.retain(|schema| schema.strong_count() > 0);
        let used: usize = self.alive.iter().filter_map(Weak::upgrade).map(|schema| schema.data.len()).sum();
        if used + schema.data.len() > MAX_BYTES {
            return Err(format!("all schemas together would have more than {} MiB", MAX_BYTES >> 20));
        }
        if schema.encoding == "jsonschema"
            && let Some(limit) = json_schema::limits(&schema.data)?
        {
            warnings.warn(limited(&schema.name, &limit));
        }
        let schema = Arc::new(schema);
        self.alive.push(Arc::downgrade(&schema));
        self.declared.insert(schema.name.clone(), schema);
        Ok(true)
    }
}

/// What a schema costs that some viewers can't read.
fn limited(name: &str, limit: &json_schema::Limit) -> String {
    let (name, limit) = (printable(name, SHOWN_NAME), limit.to_string());
    format!("schema {name}: {}, so some viewers will not list its topics", printable(&limit, LONG))
}

/// A JSON Schema of the user's; its name is its title, or else that of the file.
fn from_file(path: &str) -> Result<Meaning, Refusal> {
    let data = std::fs::read(path).map_err(|error| error.to_string())?;
    let limit = json_schema::limits(&data)?;
    let file = std::path::Path::new(path).file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let name = json_schema::title(&data).unwrap_or(file);
    if let Some(limit) = limit {
        tracing::warn!("{}", limited(&name, &limit));
    }
    Ok(Meaning::Declared(Arc::new(Schema { name, encoding: "jsonschema".to_owned(), data: data.into() })))
}

/// The message encoding of channels with a schema in this encoding, where there is a usual one.
pub(super) fn usual_encoding(schema: &str) -> Option<&'static str> {
    match schema {
        "jsonschema" => Some("json"),
        "protobuf" => Some("protobuf"),
        "flatbuffer" => Some("flatbuffer"),
        "ros1msg" => Some("ros1"),
        "ros2msg" | "ros2idl" | "omgidl" => Some("cdr"),
        _ => None,
    }
}
