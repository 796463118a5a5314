//! Protobuf to JSON.

use super::*;
use crate::payload::{DecodeError, Decoder, JsonOptions, Length, NanPolicy};

/// What keeps every number.
const EXACT: JsonOptions = JsonOptions { nan: NanPolicy::String, length: Length::Whole };

pub(super) fn decoder(message_type: &MessageType) -> Decoder {
    Decoder::new("protobuf", Some(message_type.schema())).unwrap()
}

pub(super) fn json(message_type: &MessageType, payload: &[u8]) -> String {
    let mut out = Vec::new();
    assert_eq!(decoder(message_type).to_json(payload, &EXACT, &mut out).unwrap(), 0);
    String::from_utf8(out).unwrap()
}

fn failure(message_type: &MessageType, payload: &[u8]) -> DecodeError {
    let mut out = b"before".to_vec();
    let error = decoder(message_type).to_json(payload, &EXACT, &mut out).unwrap_err();
    assert_eq!(out, b"before", "an error leaves what was there");
    error
}

/// What the JSON of a message becomes by way of protobuf; fields with default values left out.
fn round(json_text: &str) -> String {
    let everything = everything(JsonAs::Protobuf);
    let whole = json(&everything, &encoded(&everything, json_text));
    let empty = json(&everything, &[]);
    let mut defaults: Vec<&str> = empty.trim_matches(['{', '}']).split(',').collect();
    defaults.sort_unstable_by_key(|field| std::cmp::Reverse(field.len()));
    let mut rest = whole;
    for field in defaults {
        rest = rest.replace(&format!("{field},"), "").replace(&format!(",{field}"), "");
    }
    rest
}

#[test]
fn default_values_are_written_and_absent_fields_are_not() {
    let expected = concat!(
        r#"{"a_double":0.0,"a_float":0.0,"an_int32":0,"an_int64":0,"a_uint32":0,"a_uint64":0,"a_sint32":0,"a_sint64":0,"#,
        r#""a_fixed32":0,"a_fixed64":0,"an_sfixed32":0,"an_sfixed64":0,"a_bool":false,"a_string":"","some_bytes":"","#,
        r#""color":"NONE","numbers":[],"unpacked":[],"strings":[],"children":[],"colors":[],"by_name":{},"by_number":{},"#,
        r#""by_flag":{},"durations":[],"camelName":0}"#
    );
    assert_eq!(json(&everything(JsonAs::Protobuf), &[]), expected);
}

#[test]
fn every_kind_of_value_has_the_form_that_is_read() {
    for form in [
        r#"{"a_double":"-Infinity","a_float":0.1,"an_int32":-2147483648,"an_int64":-9223372036854775808}"#,
        r#"{"a_uint32":4294967295,"a_uint64":18446744073709551615,"a_sint32":-2147483648,"a_sint64":-9223372036854775808}"#,
        r#"{"a_fixed32":4294967295,"a_fixed64":18446744073709551615,"an_sfixed32":-1,"an_sfixed64":-2}"#,
        r#"{"a_bool":true,"a_string":"é\"\u0001","some_bytes":"AAEC/w==","color":"DARK_BLUE","maybe":0,"text":""}"#,
        r#"{"color":9,"numbers":[-1,2],"unpacked":[0,-5],"strings":["",""],"colors":["NONE","RED",5]}"#,
        r#"{"by_name":{"b":1,"a":0,"":-3},"by_flag":{"true":"AQ==","false":""}}"#,
        r#"{"time":"2026-01-02T03:04:05.120Z","duration":"-0.500s","durations":["1s","0s","-3.000001s","0.000000001s"]}"#,
        r#"{"time":"0001-01-01T00:00:00Z","duration":"315576000000s"}"#,
        r#"{"struct":{"a":[1.0,null,{"b":"c"}]},"value":null,"list":[true,"x"],"mask":"aB,c.d"}"#,
        r#"{"double_value":"NaN","uint64_value":18446744073709551615,"string_value":"","empty":{}}"#,
        r#"{"double_value":0.0,"uint64_value":0,"vector":{"x":1.5,"y":0.0,"z":-0.0}}"#,
        r#"{"any":{"@type":"type.googleapis.com/foxglove.Vector3","x":1.0}}"#,
    ] {
        assert_eq!(round(form), form);
    }
}

#[test]
fn messages_within_messages_have_their_own_defaults() {
    let everything = everything(JsonAs::Protobuf);
    let given = r#"{"child":{"an_int32":1},"children":[{},{"maybe":2}],"by_number":{"-7":{"a_bool":true}},"other":{}}"#;
    let written: serde_json::Value =
        serde_json::from_str(&json(&everything, &encoded(&everything, given))).unwrap();
    assert_eq!((&written["child"]["an_int32"], &written["child"]["a_bool"]), (&1.into(), &false.into()));
    assert_eq!(written["children"][1]["maybe"], 2);
    assert_eq!(written["by_number"]["-7"]["a_bool"], true);
    assert_eq!(written["other"]["color"], "NONE");
}

#[test]
fn records_may_come_in_any_order_and_again() {
    let everything = everything(JsonAs::Protobuf);
    let of = |parts: &[&str]| {
        let payload: Vec<u8> = parts.iter().flat_map(|part| encoded(&everything, part)).collect();
        json(&everything, &payload)
    };
    let written = of(&[
        r#"{"numbers":["5"],"by_name":{"a":1,"b":2},"child":{"an_int32":1,"numbers":[1]},"text":"lost"}"#,
        r#"{"an_int32":3,"number":4,"numbers":["6"],"by_name":{"a":3},"child":{"a_bool":true,"numbers":[2]}}"#,
        r#"{"an_int32":7}"#,
    ]);
    let written: serde_json::Value = serde_json::from_str(&written).unwrap();
    assert_eq!(written["an_int32"], 7);
    assert_eq!(written["numbers"], serde_json::json!([5, 6]));
    assert_eq!(written["by_name"].to_string(), r#"{"a":3,"b":2}"#);
    assert_eq!((&written["child"]["an_int32"], &written["child"]["a_bool"]), (&1.into(), &true.into()));
    assert_eq!(written["child"]["numbers"], serde_json::json!([1, 2]));
    assert_eq!(
        (written.get("text"), &written["number"]),
        (None, &4.into()),
        "of a oneof the last one counts"
    );
    let back = of(&[r#"{"number":4}"#, r#"{"text":"found"}"#]);
    assert!(back.contains(r#""text":"found""#) && !back.contains(r#""number""#), "{back}");
}

#[test]
fn lists_are_read_packed_or_not_and_unknown_fields_are_passed_over() {
    let everything = everything(JsonAs::Protobuf);
    // numbers (30) not packed, unpacked (31) packed; 1000 unknown in every wire type, the group with another in it
    let payload = b"\xf0\x01\x01\xf0\x01\x02\xfa\x01\x02\x05\x06\
        \xc0\x3e\x05\xc1\x3e12345678\xc2\x3e\x01x\xc5\x3e1234\xc3\x3e\xcb\x3e\x08\x01\xcc\x3e\xc4\x3e\x18\x09";
    let written = json(&everything, payload);
    assert!(written.contains(r#""an_int32":9"#), "{written}");
    assert!(written.contains(r#""numbers":[-1,1],"unpacked":[5,6]"#), "{written}");
    // a_string (14) as a number: another definition's field
    assert!(json(&everything, b"\x70\x05").contains(r#""a_string":"""#));
}

#[test]
fn times_that_have_no_text_are_objects() {
    let everything = everything(JsonAs::Protobuf);
    // field 50, nanos 2,000,000,000; field 51, seconds 1 and nanos -1
    let written = json(&everything, b"\x92\x03\x06\x10\x80\xa8\xd6\xb9\x07\x9a\x03\x0d\x08\x01\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01");
    assert!(
        written.contains(r#""time":{"seconds":0,"nanos":2000000000},"duration":{"seconds":1,"nanos":-1}"#),
        "{written}"
    );
}

#[test]
fn any_of_an_unknown_type_is_bytes() {
    let everything = everything(JsonAs::Protobuf);
    let written = json(&everything, b"\xaa\x03\x08\x0a\x03a/B\x12\x01\x05");
    assert!(written.contains(r#""any":{"@type":"a/B","value":"BQ=="}"#), "{written}");
}

#[test]
fn errors_name_the_field_and_the_place() {
    let everything = everything(JsonAs::Protobuf);
    let said = |payload: &[u8]| failure(&everything, payload).to_string();
    assert_eq!(said(b"\x72\x05ab"), "field 14 of 5 bytes at offset 2, 2 are left");
    assert_eq!(said(b"\x8a\x01\x03\x72\x05a"), "child: field 14 of 5 bytes at offset 5, 1 is left");
    assert_eq!(
        said(b"\x8a\x02\x00\x8a\x02\x02\x09\x00"),
        "children[1]: field 1 of 8 bytes at offset 7, 1 is left"
    );
    assert_eq!(
        said(b"\x72\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
        "field 14 of 18446744073709551615 bytes at offset 11, 0 are left"
    );
    assert_eq!(said(b"\x18\x80"), "a number that does not end at offset 1");
    assert_eq!(
        said(b"\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
        "a number that does not end at offset 1"
    );
    assert_eq!(said(b"\x00"), "0 is no number of a field at offset 0");
    assert_eq!(said(b"\x1e"), "field 3 with the wire type 6, which is none at offset 0");
    assert_eq!(said(b"\xc3\x3e\x08\x01"), "a number that does not end at offset 4");
    assert_eq!(said(b"\xc3\x3e\xcc\x3e"), "a group that ends within another one");
    assert_eq!(said(b"\xf2\x01\x02\x01\x80"), "numbers[1]: a number that does not end at offset 4");
    let (child, mut deep) = (everything.schema(), Vec::new());
    assert_eq!(child.name, "test.Everything");
    for _ in 0..101 {
        let mut around = vec![0x8A, 0x01];
        prost_reflect::prost::encoding::encode_varint(deep.len() as u64, &mut around);
        around.append(&mut deep);
        deep = around;
    }
    assert!(said(&deep).ends_with("more than 100 messages within each other"));
}

#[test]
fn shortened_lists_say_how_many_there_are() {
    let everything = everything(JsonAs::Protobuf);
    let numbers: Vec<String> = (0..12).map(|number| number.to_string()).collect();
    let texts = ["\"s\""; 11].join(",");
    let payload =
        encoded(&everything, &format!(r#"{{"numbers":[{}],"strings":[{texts}]}}"#, numbers.join(",")));
    let mut out = Vec::new();
    let options = JsonOptions { length: Length::Short, ..EXACT };
    decoder(&everything).to_json(&payload, &options, &mut out).unwrap();
    let out = String::from_utf8(out).unwrap();
    assert!(out.contains(r#""numbers":[0,1,2,3,4,5,6,7,8,9,"… 2 more"]"#), "{out}");
    assert!(out.contains(r#""s","… 1 more"]"#), "{out}");
}

#[test]
fn proto2_has_no_defaults_to_write_and_its_groups_are_refused() {
    let own = Own::files(&[(
        "old.proto",
        r#"syntax = "proto2"; package old;
        message Old { optional int32 b = 2 [default = 7]; required string a = 1; optional group Inner = 3 { optional int32 x = 1; } }"#,
    )]);
    let old = own.load().find("old.Old").unwrap();
    assert_eq!(json(&old, b"\x0a\x01x"), r#"{"a":"x"}"#);
    assert_eq!(json(&old, b"\x0a\x01x\x10\x05"), r#"{"b":5,"a":"x"}"#, "in the order of the definition");
    assert_eq!(failure(&old, b"\x1b\x08\x01\x1c").to_string(), "inner: a group, which has no JSON form");
}

#[test]
fn a_type_that_the_schema_lacks_is_named() {
    let mut schema = crate::model::Schema::clone(builtin("foxglove.Log").schema());
    schema.name = "foxglove.Logg".to_owned();
    let error = Decoder::new("protobuf", Some(&schema)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the definition: has no type 'foxglove.Logg'; did you mean 'foxglove.Log'?"
    );
}

#[test]
fn free_json_is_written_whatever_is_in_it() {
    let everything = everything(JsonAs::Protobuf);
    let written = |field: u32, contents: &[u8]| {
        let mut payload = Vec::new();
        prost_reflect::prost::encoding::encode_varint(u64::from(field << 3 | 2), &mut payload);
        payload.push(u8::try_from(contents.len()).unwrap());
        payload.extend(contents);
        let whole: serde_json::Value = serde_json::from_str(&json(&everything, &payload)).unwrap();
        let name =
            [(54, "struct"), (55, "value"), (56, "list"), (60, "mask")].into_iter().find(|of| of.0 == field);
        whole[name.unwrap().1].to_string()
    };
    let nan = [&b"\x11"[..], &f64::NAN.to_le_bytes()].concat();
    assert_eq!(written(55, &nan), r#""NaN""#);
    assert_eq!(written(55, b""), "null", "no value");
    assert_eq!(written(55, b"\x1a\x01a\x20\x01"), "true", "the last one counts");
    assert_eq!(written(55, b"\x22\x01a"), "null", "a boolean that is a text");
    assert_eq!(written(54, b"\x0a\x07\x0a\x01k\x12\x02\x20\x01\x0a\x05\x0a\x01k\x12\x00"), r#"{"k":null}"#);
    assert_eq!(written(54, b"\x0a\x00"), r#"{"":null}"#);
    assert_eq!(written(56, b"\x0a\x00\x0a\x03\x1a\x01\xff"), "[null,\"\u{FFFD}\"]");
    assert_eq!(written(60, b"\x0a\x05a_b.c\x0a\x02dE"), r#""aB.c,dE""#);
    assert_eq!(written(60, b"\x0a\x04a_1b"), r#""a_1b""#, "what would not come back stays as it is");
    let mut deep = Vec::new();
    for _ in 0..60 {
        // a list of one value, which is a list
        let mut value = vec![0x32];
        prost_reflect::prost::encoding::encode_varint(deep.len() as u64, &mut value);
        value.append(&mut deep);
        deep = vec![0x0A];
        prost_reflect::prost::encoding::encode_varint(value.len() as u64, &mut deep);
        deep.append(&mut value);
    }
    let mut payload = b"\xc2\x03".to_vec();
    prost_reflect::prost::encoding::encode_varint(deep.len() as u64, &mut payload);
    payload.append(&mut deep);
    let error = failure(&everything, &payload).to_string();
    assert!(error.ends_with("more than 100 messages within each other"), "{error}");
}
