//! Text messages: JSON objects with a field `op`.
//!
//! The way to a bad field is built only when there is one, from the inside out, so that a message costs the same
//! whatever its nesting; nesting is bounded by the parser (128 levels).

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;
use serde_json::{Map, Value};

use super::wire::DecodeError;

/// Of a peer's text, no more characters than this are repeated in an error.
const CLIP: usize = 64;

/// The first characters of a text that a peer chose.
fn clip(text: &str) -> String {
    match text.char_indices().nth(CLIP) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// A field that does not fit, and the way to it, innermost step first.
#[derive(Debug)]
pub(super) struct FieldError {
    steps: Vec<Step>,
    problem: String,
}

#[derive(Debug)]
enum Step {
    Name(String),
    Index(usize),
}

impl FieldError {
    pub(super) fn new(problem: impl Into<String>) -> Self {
        Self { steps: Vec::new(), problem: problem.into() }
    }

    fn mismatch(wanted: &str, found: &Value) -> Self {
        let found = match found {
            Value::Null => "null".to_owned(),
            Value::Bool(_) => "a boolean".to_owned(),
            Value::Number(number) => number.to_string(),
            Value::String(_) => "a string".to_owned(),
            Value::Array(_) => "an array".to_owned(),
            Value::Object(_) => "an object".to_owned(),
        };
        Self::new(format!("expected {wanted}, found {found}"))
    }

    pub(super) fn in_field(mut self, name: &str) -> Self {
        self.steps.push(Step::Name(clip(name)));
        self
    }

    pub(super) fn in_item(mut self, index: usize) -> Self {
        self.steps.push(Step::Index(index));
        self
    }

    pub(super) fn in_op(self, op: &str) -> DecodeError {
        let mut field = String::new();
        for step in self.steps.iter().rev() {
            let written = match step {
                Step::Name(name) if field.is_empty() => write!(field, "{name}"),
                Step::Name(name) => write!(field, ".{name}"),
                Step::Index(index) => write!(field, "[{index}]"),
            };
            debug_assert!(written.is_ok(), "writing to a String");
        }
        DecodeError::Field { op: op.to_owned(), field: clip(&field), problem: self.problem }
    }
}

/// The fields of a JSON object that were not taken yet.
pub(super) struct Object(Map<String, Value>);

impl Object {
    pub(super) fn from_value(value: Value) -> Result<Self, FieldError> {
        match value {
            Value::Object(fields) => Ok(Self(fields)),
            other => Err(FieldError::mismatch("an object", &other)),
        }
    }

    pub(super) fn required<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(Value) -> Result<T, FieldError>,
    ) -> Result<T, FieldError> {
        let value = self.0.remove(name).ok_or_else(|| FieldError::new("missing"));
        value.and_then(read).map_err(|error| error.in_field(name))
    }

    /// None for an absent field and for null: some peers write what they don't have as null.
    pub(super) fn optional<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(Value) -> Result<T, FieldError>,
    ) -> Result<Option<T>, FieldError> {
        match self.0.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => read(value).map(Some).map_err(|error| error.in_field(name)),
        }
    }
}

impl Object {
    /// Whether there is a field of this name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Whether an item of a list of objects has a field of this name.
    pub(super) fn has_in_list(&self, list: &str, name: &str) -> bool {
        let items = self.0.get(list).and_then(Value::as_array);
        items.is_some_and(|items| items.iter().any(|item| item.get(name).is_some()))
    }
}

/// Parses a text message into its operation and its other fields.
pub(super) fn open(text: &str) -> Result<(String, Object), DecodeError> {
    let value = serde_json::from_str(text).map_err(|error| {
        let whole = error.to_string();
        let problem = match whole.split(" at line ").next().unwrap_or_default() {
            // the parser's word for a bare word
            "expected ident" => "expected true, false or null",
            problem => problem,
        };
        DecodeError::Json { line: error.line(), column: error.column(), problem: clip(problem) }
    })?;
    let Value::Object(mut fields) = value else { return Err(DecodeError::NoOp) };
    match fields.remove("op") {
        Some(Value::String(op)) => Ok((op, Object(fields))),
        _ => Err(DecodeError::NoOp),
    }
}

pub(super) fn unknown_op(op: &str) -> DecodeError {
    DecodeError::UnknownOp { op: clip(op) }
}

pub(super) fn string(value: Value) -> Result<String, FieldError> {
    match value {
        Value::String(text) => Ok(text),
        other => Err(FieldError::mismatch("a string", &other)),
    }
}

pub(super) fn u32(value: Value) -> Result<u32, FieldError> {
    let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
    number.ok_or_else(|| FieldError::mismatch("an integer from 0 to 4294967295", &value))
}

pub(super) fn u64(value: Value) -> Result<u64, FieldError> {
    value.as_u64().ok_or_else(|| FieldError::mismatch("an integer from 0 on", &value))
}

/// A reader of arrays, from a reader of their items.
pub(super) fn list<T>(
    mut read: impl FnMut(Value) -> Result<T, FieldError>,
) -> impl FnOnce(Value) -> Result<Vec<T>, FieldError> {
    move |value| match value {
        Value::Array(items) => {
            let items = items.into_iter().enumerate();
            items.map(|(index, item)| read(item).map_err(|error| error.in_item(index))).collect()
        }
        other => Err(FieldError::mismatch("an array", &other)),
    }
}

pub(super) fn string_map(value: Value) -> Result<BTreeMap<String, String>, FieldError> {
    let fields = Object::from_value(value)?.0.into_iter();
    fields
        .map(|(name, value)| match string(value) {
            Ok(text) => Ok((name, text)),
            Err(error) => Err(error.in_field(&name)),
        })
        .collect()
}

/// Writes an operation whose other fields are those of `body`, in their order.
pub(super) fn encode(op: &'static str, body: &impl Serialize) -> String {
    #[derive(Serialize)]
    struct Message<'a, T> {
        op: &'static str,
        #[serde(flatten)]
        body: &'a T,
    }
    // can't fail: no body has keys other than strings, and memory takes every write
    serde_json::to_string(&Message { op, body }).unwrap_or_default()
}

/// Writes an operation that has one field.
pub(super) fn encode_field(op: &'static str, field: &'static str, value: &impl Serialize) -> String {
    encode(op, &BTreeMap::from([(field, value)]))
}

/// Writes an operation that has no field.
pub(super) fn encode_op(op: &'static str) -> String {
    encode(op, &BTreeMap::<&str, ()>::new())
}
