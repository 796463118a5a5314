//! What viewers do not take of JSON Schema.
//!
//! Lichtblick takes an object at the root, and one plain `type` for each property; Foxglove takes `$ref` as well.

use std::fmt;

use serde_json::{Map, Value};

/// Something in a JSON Schema that a viewer refuses, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Limit {
    place: String,
    what: &'static str,
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = if self.place.is_empty() { "its root" } else { &self.place };
        write!(f, "{place} {}", self.what)
    }
}

/// The first thing that viewers refuse; an error if it is no JSON Schema at all.
pub(super) fn limits(schema: &[u8]) -> Result<Option<Limit>, String> {
    let schema: Value =
        serde_json::from_slice(schema).map_err(|error| format!("the JSON Schema is not JSON: {error}"))?;
    let Value::Object(root) = schema else { return Err("a JSON Schema is an object".to_owned()) };
    if root.get("type").and_then(Value::as_str) != Some("object") {
        return Ok(Some(Limit { place: String::new(), what: "does not have \"type\":\"object\"" }));
    }
    let mut place = String::new();
    Ok(refused(&root, &mut place).map(|what| Limit { place, what }))
}

/// The title, which names the type.
pub(super) fn title(schema: &[u8]) -> Option<String> {
    let schema: Value = serde_json::from_slice(schema).ok()?;
    Some(schema.get("title")?.as_str()?.to_owned()).filter(|title| !title.is_empty())
}

/// What is refused of a schema or of one within it, with `place` led there. As deep as the JSON parser goes.
fn refused(schema: &Map<String, Value>, place: &mut String) -> Option<&'static str> {
    if schema.contains_key("$ref") {
        return Some("has a $ref");
    }
    if schema.get("oneOf").and_then(Value::as_array).is_some_and(|options| options.iter().all(is_number)) {
        return None;
    }
    match schema.get("type") {
        Some(Value::String(name)) if name != "null" => {}
        Some(Value::String(_)) => return Some("has the type null"),
        Some(Value::Array(_)) => return Some("has several types"),
        _ => return Some("has no type"),
    }
    let mut inner = |key: &str, schema: &Value| {
        let before = place.len();
        if !place.is_empty() {
            place.push('.');
        }
        place.push_str(key);
        let found = match schema {
            Value::Object(schema) => refused(schema, place),
            _ => Some("is not a schema"),
        };
        if found.is_none() {
            place.truncate(before);
        }
        found
    };
    let properties = schema.get("properties").and_then(Value::as_object);
    let found = properties.into_iter().flatten().find_map(|(key, schema)| inner(key, schema));
    found.or_else(|| schema.get("items").and_then(|items| inner("[]", items)))
}

/// A constant of an enumeration, as viewers take them.
fn is_number(option: &Value) -> bool {
    option.get("const").is_some_and(Value::is_number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(schema: &str) -> String {
        limits(schema.as_bytes()).unwrap().map_or_else(String::new, |limit| limit.to_string())
    }

    #[test]
    fn what_viewers_take_is_passed() {
        assert_eq!(limit(r#"{"type":"object"}"#), "");
        assert_eq!(
            limit(
                r#"{"type":"object","properties":{"a":{"type":"array","items":{"type":"number"}},
                "level":{"oneOf":[{"title":"A","const":1},{"const":2}]},
                "o":{"type":"object","properties":{"s":{"type":"string","contentEncoding":"base64"}}}}}"#
            ),
            ""
        );
    }

    #[test]
    fn what_viewers_refuse_is_named_with_its_place() {
        assert_eq!(limit("{}"), "its root does not have \"type\":\"object\"");
        assert_eq!(limit(r#"{"type":["object","null"]}"#), "its root does not have \"type\":\"object\"");
        assert_eq!(limit(r##"{"type":"object","$ref":"#/a"}"##), "its root has a $ref");
        let of = |property: &str| {
            limit(&format!(
                r#"{{"type":"object","properties":{{"a":{{"type":"object","properties":{{"b":{property}}}}}}}}}"#
            ))
        };
        assert_eq!(of(r##"{"$ref":"#/x"}"##), "a.b has a $ref");
        assert_eq!(of(r#"{"type":["string","null"]}"#), "a.b has several types");
        assert_eq!(of(r#"{"type":"null"}"#), "a.b has the type null");
        assert_eq!(of(r#"{"enum":["a"]}"#), "a.b has no type");
        assert_eq!(of(r#"{"anyOf":[{"type":"string"}]}"#), "a.b has no type");
        assert_eq!(of(r#"{"oneOf":[{"const":"x"}]}"#), "a.b has no type");
        assert_eq!(of("true"), "a.b is not a schema");
        assert_eq!(of(r#"{"type":"array","items":{"type":"null"}}"#), "a.b.[] has the type null");
    }

    #[test]
    fn what_is_no_schema_is_refused() {
        assert!(limits(b"[]").unwrap_err().contains("object"));
        assert!(limits(b"{").unwrap_err().contains("not JSON"));
        assert_eq!(title(br#"{"title":"Imu"}"#).as_deref(), Some("Imu"));
        assert_eq!(title(br#"{"title":""}"#), None);
    }
}
