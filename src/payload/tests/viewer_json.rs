use serde_json::{Value, json};

use super::*;

fn types() -> Types {
    Types::load(&TypeOptions { json_as: JsonAs::Json, ..TypeOptions::default() }).unwrap()
}

fn as_json(message_type: &MessageType, json: &str) -> Value {
    serde_json::from_slice(&encoded(message_type, json)).unwrap()
}

fn schema(message_type: &MessageType) -> Value {
    serde_json::from_slice(&message_type.schema().data).unwrap()
}

#[test]
fn times_are_objects_and_enums_numbers() {
    let log = types().find("foxglove.Log").unwrap();
    assert_eq!((log.message_encoding(), log.schema().encoding.as_str()), ("json", "jsonschema"));
    assert_eq!(
        as_json(&log, r#"{"timestamp":"2026-01-02T03:04:05.5Z","level":"INFO","message":"hi \"you\""}"#),
        json!({"timestamp":{"sec":1767323045,"nsec":500000000},"level":2,"message":"hi \"you\"","name":"","file":"",
               "line":0})
    );
}

#[test]
fn every_kind_of_value_has_the_form_of_the_schema() {
    let everything = everything(JsonAs::Json);
    let written = as_json(
        &everything,
        r#"{"an_int64":"-9223372036854775808","a_uint64":"18446744073709551615","a_double":"NaN","a_float":0.1,
            "some_bytes":"-_8","numbers":["1"],"by_number":{"-5":{}},"duration":"-0.5s","color":"DARK_BLUE",
            "value":null,"double_value":"Infinity","uint64_value":"7","struct":{"a":[1]},"mask":"aB","text":""}"#,
    );
    for (name, expected) in [
        ("an_int64", json!(i64::MIN)),
        ("a_uint64", json!(u64::MAX)),
        ("a_double", json!(null)),
        ("some_bytes", json!("+/8=")),
        ("numbers", json!([1])),
        ("duration", json!({"sec": -1, "nsec": 500_000_000})),
        ("color", json!(-7)),
        ("colors", json!([])),
        ("by_name", json!({})),
        ("value", json!(null)),
        ("double_value", json!(null)),
        ("uint64_value", json!(7)),
        ("struct", json!({"a": [1.0]})),
        ("mask", json!("aB")),
        ("text", json!("")),
    ] {
        assert_eq!(written[name], expected, "{name}");
    }
    assert_eq!(written["a_float"].to_string(), "0.1");
    assert_eq!(written["by_number"]["-5"]["an_int32"], 0);
    for absent in ["time", "child", "maybe", "number", "any"] {
        assert_eq!(written.get(absent), None, "{absent}");
    }
}

#[test]
fn an_error_leaves_what_was_there() {
    let everything = everything(JsonAs::Json);
    assert!(error(&everything, r#"{"a_bool":1}"#).starts_with("field a_bool of test.Everything: "));
    let deep = format!("{}{{}}{}", r#"{"child":"#.repeat(120), "}".repeat(120));
    let error = error(&everything, &deep);
    assert!(
        error.starts_with("field child.child.")
            && error.ends_with("more than 100 messages within each other")
    );
}

/// What viewers refuse: see what `$ref`, unions or a property without one plain type do to a channel.
fn check_limits(schema: &Value, place: &str) {
    let keys: Vec<_> = schema.as_object().unwrap().keys().map(String::as_str).collect();
    if let Some(values) = schema.get("oneOf") {
        assert_eq!(keys, ["oneOf"], "{place}");
        assert!(values.as_array().unwrap().iter().all(|value| value["const"].is_i64()), "{place}");
        return;
    }
    let kind = schema["type"].as_str().unwrap_or_else(|| panic!("{place} has no type"));
    assert!(["object", "array", "string", "number", "integer", "boolean"].contains(&kind), "{place}: {kind}");
    assert!(
        keys.iter().all(|key| {
            ["type", "title", "properties", "items", "minimum", "contentEncoding"].contains(key)
        })
    );
    if kind == "array" {
        check_limits(&schema["items"], &format!("{place}[]"));
    }
    for (name, property) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        check_limits(property, &format!("{place}.{name}"));
    }
}

#[test]
fn schemas_keep_to_the_limits_of_viewers() {
    let types = types();
    let names = include_str!("../foxglove/README.md").split("The types:\n").nth(1).unwrap();
    let names = names.split('.').next().unwrap().split(',');
    for name in names.map(|name| format!("foxglove.{}", name.trim())) {
        let schema = schema(&types.find(&name).unwrap());
        assert_eq!((&schema["title"], &schema["type"]), (&json!(name), &json!("object")));
        check_limits(&schema, &name);
    }
    let schema = schema(&everything(JsonAs::Json));
    check_limits(&schema, "Everything");
    let properties = schema["properties"].as_object().unwrap();
    assert_eq!(
        properties["child"],
        json!({"type":"object","title":"test.Everything"}),
        "cut where it recurs"
    );
    assert!(
        !properties.contains_key("value") && !properties.contains_key("list"),
        "any JSON has no plain type"
    );
    assert_eq!(properties["color"]["oneOf"][2], json!({"title":"DARK_BLUE","const":-7}));
    assert_eq!(properties["time"]["title"], "time");
    assert_eq!(properties["duration"]["title"], "duration");
}

#[test]
fn types_that_unfold_without_end_get_a_schema_of_bounded_size() {
    let mut text = r#"syntax = "proto3"; message M30 {}"#.to_owned();
    for level in 0..30 {
        text += &format!("message M{level} {{ M{n} a = 1; M{n} b = 2; }}", n = level + 1);
    }
    let mut own = Own::files(&[("wide.proto", &text)]);
    own.options.json_as = JsonAs::Json;
    let schema = own.load().find("M0").unwrap();
    assert!(schema.schema().data.len() < 4 << 20, "{}", schema.schema().data.len());
    check_limits(&serde_json::from_slice(&schema.schema().data).unwrap(), "M0");
}

/// As in npm `@foxglove/schemas` 2.1.0, without descriptions and bounds.
#[test]
fn the_schema_of_a_log_is_the_published_one() {
    let log = types().find("foxglove.Log").unwrap();
    let levels = ["UNKNOWN", "DEBUG", "INFO", "WARNING", "ERROR", "FATAL"];
    let levels: Vec<_> =
        levels.iter().enumerate().map(|(number, name)| json!({"title": name, "const": number})).collect();
    let expected = json!({
        "title": "foxglove.Log",
        "type": "object",
        "properties": {
            "timestamp": {
                "type": "object",
                "title": "time",
                "properties": {"sec": {"type": "integer"}, "nsec": {"type": "integer"}},
            },
            "level": {"oneOf": levels},
            "message": {"type": "string"},
            "name": {"type": "string"},
            "file": {"type": "string"},
            "line": {"type": "integer", "minimum": 0},
        },
    });
    assert_eq!(schema(&log), expected);
}
