//! Payloads that are JSON already.

use super::*;

fn json() -> Decoder {
    Decoder::new("json", None).unwrap()
}

#[test]
fn json_is_passed_on_as_it_is_on_one_line() {
    let as_it_is = r#"{"b":1e400, "a":[1.50,18446744073709551616,"\u00e9\ud800"],"b":2}"#;
    let mut out = Vec::new();
    json().to_json(as_it_is.as_bytes(), &JsonOptions::default(), &mut out).unwrap();
    assert_eq!(String::from_utf8(out).unwrap(), as_it_is);
    assert_eq!(
        text(&json(), b" {\r\n  \"a\": \"x\\ny\",\n  \"b\": 1\n}\n"),
        r#"{    "a": "x\ny",   "b": 1 }"#
    );
    assert_eq!(text(&json(), b"\"\xff\""), "\"\u{FFFD}\"");
}

#[test]
fn what_is_no_json_is_an_error_with_its_place() {
    for (payload, expected) in [
        (&b""[..], "the payload is empty, which is no JSON"),
        (b" \n", "the payload is empty, which is no JSON"),
        (b"{\n\"a\":x}", "not JSON: expected value at line 2 column 5"),
        (b"{} {}", "not JSON: trailing characters at line 1 column 4"),
        (b"{\"a\":NaN,}", "not JSON: "),
    ] {
        let found = error(&json(), payload);
        assert!(found.starts_with(expected), "{found}");
    }
    let found = json().to_json(b"{\n\"a\":x}", &JsonOptions::default(), &mut Vec::new()).unwrap_err();
    assert_eq!(found.offset, 7);
}

#[test]
fn numbers_that_json_lacks_follow_the_option() {
    let payload = br#"{"a":NaN,"b":[-Infinity,"NaN"]}"#;
    let options = |nan| JsonOptions { nan, ..JsonOptions::default() };
    assert_eq!(text(&json(), payload), r#"{"a":null,"b":[null,"NaN"]}"#);
    let strings = r#"{"a":"NaN","b":["-Infinity","NaN"]}"#;
    assert_eq!(with(&json(), payload, options(NanPolicy::String)), strings);
    let found = json().to_json(payload, &options(NanPolicy::Reject), &mut Vec::new()).unwrap_err();
    assert_eq!(found.to_string(), "NaN or an infinity, which JSON does not have, at offset 5");
}

#[test]
fn long_values_are_shortened_and_names_are_not() {
    let numbers: Vec<String> = (0..12).map(|n| n.to_string()).collect();
    let name = "n".repeat(300);
    let nested = r#"[{"a":[1,"]",{}]},[[]]]"#;
    let payload = format!(
        r#"{{ "{name}" : "{}", "a":[{}], "b": [], "c":{nested}, "d":[{}], "e" : "\u00e9", "f":1.50 }}"#,
        "x".repeat(300),
        numbers.join(" , "),
        [nested; 11].join(","),
    );
    assert_eq!(
        with(&json(), payload.as_bytes(), SHORT),
        format!(
            r#"{{"{name}":"{}… (300 bytes)","a":[0,1,2,3,4,5,6,7,8,9,"… 2 more"],"b":[],"c":{nested},"d":[{},"… 1 more"],"e":"é","f":1.50}}"#,
            "x".repeat(200),
            [nested; 10].join(","),
        )
    );
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    let mut out = Vec::new();
    json().to_json(deep.as_bytes(), &SHORT, &mut out).unwrap();
    assert_eq!(out, deep.as_bytes());
}
