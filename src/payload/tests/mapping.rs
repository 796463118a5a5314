use serde_json::json;

use super::*;

fn is_read_as(json: &str, expected: serde_json::Value) {
    let everything = everything(JsonAs::Protobuf);
    assert_eq!(decoded(&everything, &encoded(&everything, json)), expected, "{json}");
}

fn is_refused(json: &str, expected: &str) {
    assert_eq!(error(&everything(JsonAs::Protobuf), json), expected, "{json}");
}

#[test]
fn integers_are_exact_and_may_be_text() {
    is_read_as(
        r#"{"an_int64":-9223372036854775808,"a_uint64":18446744073709551615,"a_sint64":"9223372036854775807"}"#,
        json!({"anInt64":"-9223372036854775808","aUint64":"18446744073709551615","aSint64":"9223372036854775807"}),
    );
    is_read_as(
        r#"{"an_int32":-1,"a_uint32":"7","a_sint32":1e3}"#,
        json!({"anInt32":-1,"aUint32":7,"aSint32":1000}),
    );
    is_read_as(
        r#"{"a_fixed32":4294967295,"an_sfixed64":"-1.0"}"#,
        json!({"aFixed32":4294967295u32,"anSfixed64":"-1"}),
    );
}

#[test]
fn integers_that_do_not_fit_are_refused() {
    let refused = |json, expected: &str| {
        let text = error(&everything(JsonAs::Protobuf), json);
        assert!(text.contains(expected), "{text}");
    };
    refused(r#"{"an_int32":2147483648}"#, "an_int32 of test.Everything: invalid value: integer `2147483648`");
    refused(r#"{"a_uint32":-1}"#, "expected an integer of 32 bits, not negative");
    refused(r#"{"a_uint64":18446744073709551616}"#, "expected an integer of 64 bits, not negative");
    refused(r#"{"an_int64":9223372036854775808}"#, "expected an integer of 64 bits");
    refused(r#"{"an_int64":1.5}"#, "floating point `1.5`, expected an integer of 64 bits");
    refused(r#"{"an_int32":"seven"}"#, r#"string "seven", expected an integer of 32 bits"#);
    refused(r#"{"an_int32":1e400}"#, "field an_int32 of test.Everything: number out of range at column");
}

#[test]
fn floating_point_has_names_for_what_json_lacks() {
    is_read_as(r#"{"a_double":"-Infinity","a_float":"NaN"}"#, json!({"aDouble":"-Infinity","aFloat":"NaN"}));
    is_read_as(r#"{"a_double":"1.5e3","a_float":3}"#, json!({"aDouble":1500.0,"aFloat":3.0}));
    is_refused(
        r#"{"a_float":1e39}"#,
        "field a_float of test.Everything: invalid value: floating point `1e+39`, expected a number that fits 32-bit \
         floating point",
    );
    is_read_as(r#"{"a_double":"-inf","a_float":"NAN"}"#, json!({"aDouble":"-Infinity","aFloat":"NaN"}));
    is_refused(
        r#"{"a_double":"1e999"}"#,
        "field a_double of test.Everything: invalid value: string \"1e999\", expected a number, \"NaN\", \"Infinity\" or \
         \"-Infinity\"",
    );
}

#[test]
fn bytes_are_base64_in_either_alphabet_padded_or_not() {
    for text in ["+/8=", "+/8", "-_8=", "-_8"] {
        is_read_as(&format!(r#"{{"some_bytes":"{text}"}}"#), json!({"someBytes":"+/8="}));
    }
    is_read_as(r#"{"some_bytes":""}"#, json!({}));
    for text in ["+_8=", "a", "a=bc", "====", "ab cd"] {
        let text = error(&everything(JsonAs::Protobuf), &format!(r#"{{"some_bytes":"{text}"}}"#));
        assert!(text.starts_with("field some_bytes of test.Everything: not base64: "), "{text}");
    }
}

#[test]
fn enums_are_names_or_numbers() {
    is_read_as(r#"{"color":"DARK_BLUE","colors":["RED",0,-7,99]}"#, {
        json!({"color":"DARK_BLUE","colors":["RED","NONE","DARK_BLUE",99]})
    });
    is_refused(
        r#"{"color":"darkblue"}"#,
        "field color of test.Everything: no value is named 'darkblue'; did you mean 'DARK_BLUE'?",
    );
    is_refused(
        r#"{"colors":["RED","green"]}"#,
        "field colors[1] of test.Everything: invalid value: string \"green\", expected one of NONE (0), RED (1), \
         DARK_BLUE (-7)",
    );
}

#[test]
fn times_have_two_forms() {
    for json in [
        r#"{"time":"2026-01-02T03:04:05.5Z"}"#,
        r#"{"time":"2026-01-02T05:04:05.5+02:00"}"#,
        r#"{"time":{"sec":1767323045,"nsec":500000000}}"#,
        r#"{"time":{"nanosec":500000000,"sec":1767323045}}"#,
        r#"{"time":{"seconds":1767323045,"nanos":500000000}}"#,
        r#"{"time":1767323045.5}"#,
        r#"{"time":1767323045500}"#,
        r#"{"time":"1767323045.5"}"#,
        r#"{"time":"2026-01-02T03:04:05.5"}"#,
    ] {
        is_read_as(json, json!({"time":"2026-01-02T03:04:05.500Z"}));
    }
    is_read_as(r#"{"time":"1969-12-31T23:59:59.25Z"}"#, json!({"time":"1969-12-31T23:59:59.250Z"}));
    is_read_as(r#"{"time":{"sec":5}}"#, json!({"time":"1970-01-01T00:00:05Z"}));
    let expected = "expected a time like \"2026-01-02T03:04:05.5Z\", 1767323045.5 or {\"sec\":1767323045,\"nsec\":500000000}";
    for (json, found) in [
        (r#"{"time":true}"#, "invalid type: boolean `true`"),
        (r#"{"time":"yesterday"}"#, "invalid value: string \"yesterday\""),
        (r#"{"time":{"nsec":5}}"#, "invalid value: map"),
        (r#"{"time":{"sec":1,"sec":2}}"#, "invalid value: map"),
        (r#"{"time":{"sec":1,"msec":2}}"#, "invalid value: map"),
    ] {
        is_refused(json, &format!("field time of test.Everything: {found}, {expected}"));
    }
    is_refused(
        r#"{"time":{"sec":999999999999}}"#,
        "field time of test.Everything: not between the years 1 and 9999",
    );
    is_refused(
        r#"{"time":{"sec":1,"nsec":1000000000}}"#,
        "field time of test.Everything: nanoseconds make up a second or more",
    );
}

#[test]
fn durations_have_two_forms() {
    is_read_as(
        r#"{"durations":["1.5s","-0.000000001s","0s","3s",{"sec":-1,"nsec":500000000},{"sec":2,"nsec":1}]}"#,
        json!({"durations":["1.500s","-0.000000001s","0s","3s","-0.500s","2.000000001s"]}),
    );
    is_read_as(r#"{"duration":"315576000000s"}"#, json!({"duration":"315576000000s"}));
    for text in
        ["1.5", "s", ".s", "1.s", "+1s", "1.0000000001s", "1e3s", "315576000000.1s", "9999999999999s", "--1s"]
    {
        let text = error(&everything(JsonAs::Protobuf), &format!(r#"{{"duration":"{text}"}}"#));
        assert!(text.contains("expected a duration like \"1.5s\""), "{text}");
    }
}

#[test]
fn null_is_no_value_but_where_it_is_one() {
    is_read_as(r#"{"a_string":null,"child":null,"numbers":null,"by_name":null,"text":null,"number":1}"#, {
        json!({"number":1})
    });
    is_read_as(r#"{"value":null}"#, json!({"value":null}));
    for json in [r#"{"strings":[null]}"#, r#"{"by_name":{"a":null}}"#, "null", "[]", "7"] {
        assert!(everything(JsonAs::Protobuf).encode(json, &mut Vec::new()).is_err(), "{json}");
    }
}

#[test]
fn names_are_those_of_the_definition_or_in_camel_case() {
    is_read_as(r#"{"aBool":true,"some_bytes":"AA==","camelName":1}"#, {
        json!({"aBool":true,"someBytes":"AA==","renamed":1})
    });
    is_read_as(r#"{"renamed":2}"#, json!({"renamed":2}));
}

#[test]
fn a_default_value_is_left_out_unless_it_says_something() {
    let everything = everything(JsonAs::Protobuf);
    assert_eq!(
        encoded(&everything, r#"{"a_double":0,"an_int32":"0","a_string":"","color":"NONE","numbers":[]}"#),
        b""
    );
    assert_eq!(encoded(&everything, r#"{"maybe":0}"#), [0x90, 0x01, 0]);
    assert_eq!(encoded(&everything, r#"{"number":0}"#), [0xa0, 0x01, 0]);
    assert_eq!(encoded(&everything, r#"{"a_double":-0.0}"#).len(), 9, "minus zero is another number");
}

#[test]
fn lists_are_packed_as_defined() {
    let everything = everything(JsonAs::Protobuf);
    assert_eq!(encoded(&everything, r#"{"numbers":[1,-1,0]}"#), [0xf2, 0x01, 3, 2, 1, 0]);
    assert_eq!(encoded(&everything, r#"{"unpacked":[1,0]}"#), [0xf8, 0x01, 1, 0xf8, 0x01, 0]);
}

#[test]
fn maps_take_keys_of_every_kind() {
    is_read_as(
        r#"{"by_name":{"a":1,"":-2},"by_number":{"-5":{"a_bool":true}},"by_flag":{"true":"AA==","false":""}}"#,
        json!({"byName":{"a":1,"":-2},"byNumber":{"-5":{"aBool":true}},"byFlag":{"true":"AA==","false":""}}),
    );
    is_refused(
        r#"{"by_number":{"x":{}}}"#,
        "field by_number.x of test.Everything: the key is not an integer of 64 bits",
    );
    is_refused(
        r#"{"by_flag":{"1":""}}"#,
        "field by_flag.1 of test.Everything: the key is neither true nor false",
    );
}

#[test]
fn well_known_types_have_their_own_json() {
    let json = json!({
        "any": {"@type": "type.googleapis.com/foxglove.Vector3", "x": 1.0},
        "struct": {"a": [1.0, "b", null, {"c": true}]},
        "value": [null, 2.5],
        "list": ["x"],
        "doubleValue": 0.5,
        "uint64Value": "18446744073709551615",
        "stringValue": "",
        "mask": "aB,c",
        "empty": {},
        "vector": {"y": 2.0},
    });
    is_read_as(&json.to_string(), json);
    let text = error(&everything(JsonAs::Protobuf), r#"{"child":{"uint64_value":"x"}}"#);
    assert!(text.starts_with("field child.uint64_value of test.Everything: "), "{text}");
}

#[test]
fn an_error_names_the_field() {
    is_refused(
        r#"{"children":[{},{"by_number":{"4":{"child":{"a_bool":"yes"}}}}]}"#,
        "field children[1].by_number.4.child.a_bool of test.Everything: invalid type: string \"yes\", expected true or \
         false",
    );
    is_refused(
        r#"{"child":{"a_strin":"x"}}"#,
        "field child.a_strin of test.Everything: unknown field of test.Everything; did you mean 'a_string'?",
    );
    is_refused(
        r#"{"vector":{"q":1}}"#,
        "field vector.q of test.Everything: unknown field of foxglove.Vector3; it has x, y, z",
    );
    is_refused(
        r#"{"child":[]}"#,
        "field child of test.Everything: invalid type: sequence, expected an object, of type test.Everything",
    );
    is_refused(r#"{"text":"a","number":2}"#, {
        "field number of test.Everything: another of its alternatives is given as well (oneof)"
    });
    is_refused(r#"{"a_bool":true,"aBool":true}"#, "field a_bool of test.Everything: given twice");
    is_refused("[]", "test.Everything: invalid type: sequence, expected an object, of type test.Everything");
    is_refused(r#"{"a_bool":true"#, "test.Everything: EOF while parsing an object at column 14");
    is_refused("{} {}", "test.Everything: trailing characters at column 4");
}

#[test]
fn what_an_error_quotes_is_short() {
    let text = error(&everything(JsonAs::Protobuf), &format!(r#"{{"an_int32":"{}"}}"#, "é".repeat(100_000)));
    assert!(text.len() < 400 && text.starts_with("field an_int32 of "), "{text}");
    let text = error(&everything(JsonAs::Protobuf), &format!(r#"{{"{}":1}}"#, "é".repeat(100_000)));
    assert!(text.len() < 2000, "{text}");
}

#[test]
fn nesting_has_an_end() {
    let deep = |levels: usize| format!("{}{{}}{}", r#"{"child":"#.repeat(levels), "}".repeat(levels));
    let text = deep(100);
    assert_eq!(encoded(&everything(JsonAs::Protobuf), &text).first(), Some(&0x8a));
    let text = error(&everything(JsonAs::Protobuf), &deep(100_000));
    assert!(text.contains("recursion limit exceeded"), "{text}");
}
