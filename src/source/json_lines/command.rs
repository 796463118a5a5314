//! Lines that ask something of the server that reads them: they offer services, answer calls, set parameters.

use std::borrow::Cow;
use std::collections::BTreeMap;

use bytes::Bytes;
use serde::de::IgnoredAny;
use serde_json::Value;
use serde_json::value::RawValue;

use super::line::{BadLine, Kind, column, string};
use super::times::shortened;
use crate::model::Schema;

/// Bytes of the name of a service or parameter.
const MAX_NAME: usize = 1024;

/// What requests and responses are of which nothing else is said.
const ANY_OBJECT: &str = r#"{"type":"object"}"#;

/// Events that a server prints. A log of them is read for its messages; what else happened there is no request.
const EVENTS: [&str; 10] = [
    "listening",
    "connect",
    "disconnect",
    "subscribe",
    "unsubscribe",
    "call",
    "set_parameter",
    "playback",
    "dropped",
    "error",
];

/// What a line asks for.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// `{"op":"service"}`: offers a service. Calls of it go to who wrote the line.
    Service(ServiceLine),
    /// `{"op":"service","remove":true}`: takes the service of this name back.
    RemoveService(String),
    /// `{"op":"response"}`: answers the call of this id with JSON, or with what went wrong.
    Response {
        /// As in the line that brought the call.
        id: u64,
        /// The response as JSON text, or the text of an error.
        result: Result<Bytes, String>,
    },
    /// `{"op":"parameter"}`: sets a parameter.
    Parameter {
        /// Its name.
        name: String,
        /// Never null.
        value: Value,
        /// `byte_array`, `float64` or `float64_array`, as written.
        parameter_type: Option<String>,
    },
    /// `{"op":"parameter","remove":true}`: removes the parameter of this name.
    RemoveParameter(String),
}

/// A service as a line declares it. Requests and responses are JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceLine {
    /// Its name.
    pub name: String,
    /// The name of its type; if the line says none, the last part of its name.
    pub service_type: String,
    /// A JSON Schema, whose name is not empty: viewers need one.
    pub request: Schema,
    /// The same of responses.
    pub response: Schema,
}

/// Whether an `op` is one that a server prints, and not one that it takes.
pub(super) fn is_event(op: &str) -> bool {
    EVENTS.contains(&op)
}

/// The values of a line by key; null counts as absent.
struct Keys<'a> {
    text: &'a str,
    op: &'a str,
    values: BTreeMap<String, &'a RawValue>,
}

/// The command that a line with this `op` gives; None if the op is another.
pub(super) fn command(op: &str, text: &str) -> Result<Option<Command>, BadLine> {
    if !matches!(op, "service" | "response" | "parameter") {
        return Ok(None);
    }
    let mut values: BTreeMap<String, &RawValue> =
        serde_json::from_str(text).map_err(|error| BadLine::syntax(&error))?;
    values.retain(|_key, value| value.get() != "null");
    let keys = Keys { text, op, values };
    let command = match op {
        "service" => service(&keys),
        "response" => response(&keys),
        _ => parameter(&keys),
    };
    command.map(Some)
}

impl<'a> Keys<'a> {
    fn bad(&self, value: &RawValue, reason: impl Into<String>) -> BadLine {
        BadLine::new(Kind::Value, column(self.text, value.get()), reason)
    }

    fn missing(&self, what: &str) -> BadLine {
        BadLine::new(Kind::Value, 1, format!("op {} needs {what}", self.op))
    }

    fn value(&self, key: &str) -> Option<&'a RawValue> {
        self.values.get(key).copied()
    }

    fn string(&self, key: &str) -> Result<Option<Cow<'a, str>>, BadLine> {
        self.value(key).map(|value| string(self.text, key, value)).transpose()
    }

    fn name(&self) -> Result<String, BadLine> {
        let name = self.string("name")?.filter(|name| !name.is_empty());
        match name.ok_or_else(|| self.missing("a name"))? {
            name if name.len() > MAX_NAME => {
                let reason = format!("the name of a {} has at most {MAX_NAME} bytes", self.op);
                Err(BadLine::new(Kind::Value, 1, reason))
            }
            name => Ok(name.into_owned()),
        }
    }

    fn removes(&self) -> Result<bool, BadLine> {
        match self.value("remove").map(|value| (value, value.get())) {
            None | Some((_, "false")) => Ok(false),
            Some((_, "true")) => Ok(true),
            Some((value, _)) => Err(self.bad(value, "remove is neither true nor false")),
        }
    }
}

fn service(keys: &Keys<'_>) -> Result<Command, BadLine> {
    let name = keys.name()?;
    if keys.removes()? {
        return Ok(Command::RemoveService(name));
    }
    let last = name.rsplit('/').find(|part| !part.is_empty()).unwrap_or(&name);
    let service_type = match keys.string("type")? {
        Some(service_type) if !service_type.is_empty() => service_type.into_owned(),
        _ => last.to_owned(),
    };
    let request = schema(keys, "request", &format!("{service_type}Request"))?;
    let response = schema(keys, "response", &format!("{service_type}Response"))?;
    Ok(Command::Service(ServiceLine { name, service_type, request, response }))
}

/// What requests or responses are: a JSON Schema, or an object with the schema and its name.
fn schema(keys: &Keys<'_>, key: &str, usual_name: &str) -> Result<Schema, BadLine> {
    let named = |name: &str, data: &str| Schema {
        name: name.to_owned(),
        encoding: "jsonschema".to_owned(),
        data: Bytes::copy_from_slice(data.as_bytes()),
    };
    let Some(value) = keys.value(key) else { return Ok(named(usual_name, ANY_OBJECT)) };
    let fields: BTreeMap<String, &RawValue> = serde_json::from_str(value.get())
        .map_err(|_error| keys.bad(value, format!("{key} is not a JSON Schema, which is an object")))?;
    let text_of = |field: &str| {
        let found = fields.get(field).filter(|value| value.get() != "null");
        found.map(|value| string(keys.text, field, value)).transpose()
    };
    let name = |name: Option<Cow<'_, str>>| {
        name.filter(|name| !name.is_empty()).map_or_else(|| usual_name.to_owned(), Cow::into_owned)
    };
    let Some(within) = fields.get("schema") else {
        return Ok(named(&name(text_of("schemaName")?.or(text_of("title")?)), value.get()));
    };
    for (field, usual) in [("encoding", "json"), ("schemaEncoding", "jsonschema")] {
        if let Some(other) = text_of(field)?.filter(|encoding| encoding != usual) {
            let reason = format!("{key}: {field} is {}, and calls go by as JSON", shortened(&other));
            return Err(keys.bad(value, reason));
        }
    }
    let name = name(text_of("schemaName")?);
    match within.get() {
        text if text.starts_with('"') => {
            let text = string(keys.text, "schema", within)?;
            match serde_json::from_str::<IgnoredAny>(&text) {
                Ok(IgnoredAny) => Ok(named(&name, &text)),
                Err(error) => Err(keys.bad(within, format!("{key}: schema is not JSON: {error}"))),
            }
        }
        text if text.starts_with('{') => Ok(named(&name, text)),
        _ => Err(keys.bad(within, format!("{key}: schema is neither an object nor a string"))),
    }
}

fn response(keys: &Keys<'_>) -> Result<Command, BadLine> {
    let id = keys.value("id").ok_or_else(|| keys.missing("the id of a call"))?;
    let parsed = id.get().parse();
    let number = parsed.map_err(|_error| {
        keys.bad(id, format!("id {} is not a whole number, as in the call", shortened(id.get())))
    })?;
    let result = match (keys.value("data"), keys.value("error")) {
        (Some(data), None) => Ok(Bytes::copy_from_slice(data.get().as_bytes())),
        (None, Some(error)) if error.get().starts_with('"') => {
            Err(string(keys.text, "error", error)?.into_owned())
        }
        (None, Some(error)) => Err(error.get().to_owned()),
        (Some(_), Some(error)) => {
            return Err(keys.bad(error, "there is data and error; a response has one of them"));
        }
        (None, None) => return Err(keys.missing("data or error")),
    };
    Ok(Command::Response { id: number, result })
}

fn parameter(keys: &Keys<'_>) -> Result<Command, BadLine> {
    let name = keys.name()?;
    if keys.removes()? {
        return Ok(Command::RemoveParameter(name));
    }
    let value = keys.value("value").ok_or_else(|| keys.missing("a value, or \"remove\":true"))?;
    let parsed = serde_json::from_str(value.get());
    let parsed =
        parsed.map_err(|error| keys.bad(value, format!("value: {}", BadLine::syntax(&error).reason)))?;
    let parameter_type = keys.string("type")?.map(Cow::into_owned);
    Ok(Command::Parameter { name, value: parsed, parameter_type })
}
