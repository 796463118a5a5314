//! Values on the wire of ROS 1 and CDR.

use super::*;

/// A definition with each kind of field.
const EVERYTHING: &str = "\
bool yes
int8 a
uint8 b
int16 c
uint16 d
int32 e
uint32 f
int64 g
uint64 h
float32 i
float64 j
string k
";

const EVERYTHING_JSON: &str = r#"{"yes":true,"a":-1,"b":255,"c":-2,"d":65535,"e":-3,"f":4294967295,"g":-9223372036854775808,"h":18446744073709551615,"i":0.1,"j":1e+300,"k":"é\n"}"#;

#[test]
fn ros_1_has_no_padding() {
    let payload = [
        &[1, 0xFF, 0xFF][..],
        &(-2i16).to_le_bytes(),
        &u16::MAX.to_le_bytes(),
        &(-3i32).to_le_bytes(),
        &u32::MAX.to_le_bytes(),
        &i64::MIN.to_le_bytes(),
        &u64::MAX.to_le_bytes(),
        &0.1f32.to_le_bytes(),
        &1e300f64.to_le_bytes(),
        b"\x03\0\0\0\xc3\xa9\n",
    ]
    .concat();
    assert_eq!(text(&ros1(EVERYTHING), &payload), EVERYTHING_JSON);
}

#[test]
fn cdr_aligns_numbers_in_both_byte_orders() {
    let body = |little: bool, alignment: usize| {
        let mut body: Vec<u8> = vec![1, 0xFF, 0xFF];
        let mut put = |bytes: &mut [u8]| {
            let size = bytes.len().min(alignment);
            body.resize(body.len().next_multiple_of(size), 0xEE);
            if !little {
                bytes.reverse();
            }
            body.extend_from_slice(bytes);
        };
        put(&mut (-2i16).to_le_bytes());
        put(&mut u16::MAX.to_le_bytes());
        put(&mut (-3i32).to_le_bytes());
        put(&mut u32::MAX.to_le_bytes());
        put(&mut i64::MIN.to_le_bytes());
        put(&mut u64::MAX.to_le_bytes());
        put(&mut 0.1f32.to_le_bytes());
        put(&mut 1e300f64.to_le_bytes());
        put(&mut 4u32.to_le_bytes());
        body.extend(b"\xc3\xa9\n\0");
        body
    };
    let decoder = ros2(EVERYTHING);
    for (header, little, alignment) in [(0u8, false, 8), (1, true, 8), (6, false, 4), (7, true, 4)] {
        let payload = [&[0, header, 0, 0][..], &body(little, alignment)].concat();
        assert_eq!(text(&decoder, &payload), EVERYTHING_JSON, "representation {header}");
    }
}

#[test]
fn other_representations_are_named() {
    let decoder = ros2("int8 x");
    for (header, reason) in [
        (&[0, 2, 0, 0][..], "CDR with parameter lists (mutable types) is not supported"),
        (&[0, 9, 0, 0], "delimited CDR 2 (appendable types) is not supported"),
        (&[0, 11, 0, 0], "CDR 2 with member headers (mutable types) is not supported"),
        (&[0x28, 0xB5, 0x2F, 0xFD, 0x24], "the payload is compressed with zstd, message by message"),
        (&[1, 2, 3, 4], "begins with [01, 02, 03, 04], which is no CDR header"),
        (&[0, 1], "the CDR header of 4 bytes at offset 0, 2 are left"),
    ] {
        assert_eq!(error(&decoder, header), reason);
    }
}

#[test]
fn bytes_and_characters_are_what_each_ros_has() {
    let fields = "byte a\nchar b\nbyte[] c\nchar[] d\nuint8[2] e\nint8[2] f";
    let body = b"\xff\xff\x02\0\0\0\x01\xff\x02\0\0\0\x01\xff\x01\xff\x01\xff";
    assert_eq!(text(&ros1(fields), body), r#"{"a":-1,"b":255,"c":[1,-1],"d":"Af8=","e":"Af8=","f":[1,-1]}"#);
    let body = b"\xff\xff\0\0\x02\0\0\0\x01\xff\0\0\x02\0\0\0\x01\xff\x01\xff\x01\xff";
    assert_eq!(
        text(&ros2(fields), &cdr(body)),
        r#"{"a":255,"b":255,"c":"Af8=","d":"Af8=","e":"Af8=","f":[1,-1]}"#
    );
}

#[test]
fn times_have_the_same_names_in_both() {
    let body = b"\x01\0\0\0\x02\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff";
    assert_eq!(
        text(&ros1("time t\nduration d"), body),
        r#"{"t":{"sec":1,"nsec":2},"d":{"sec":-1,"nsec":-1}}"#
    );
    let message = "builtin_interfaces/Time t\nbuiltin_interfaces/msg/Duration d";
    let expected = r#"{"t":{"sec":1,"nsec":2},"d":{"sec":-1,"nsec":4294967295}}"#;
    assert_eq!(text(&ros2(message), &cdr(body)), expected);
    assert_eq!(text(&ros2("time t\nduration d"), &cdr(body)), expected);
    let defined = "builtin_interfaces/Time t\n===\nMSG: builtin_interfaces/Time\nint32 sec\nuint32 nanosec";
    assert_eq!(text(&ros2(defined), &cdr(&body[..8])), r#"{"t":{"sec":1,"nsec":2}}"#);
    let other = "Other t\n===\nMSG: pkg/Other\nint32 sec\nuint32 nanosec";
    assert_eq!(text(&ros2(other), &cdr(&body[..8])), r#"{"t":{"sec":1,"nanosec":2}}"#);
}

#[test]
fn arrays_are_fixed_or_as_long_as_they_say() {
    let decoder = ros1(
        "int16[2] a\nfloat32[] b\nstring[] c\nbool[] d\nPoint[1] e\nPoint[] f\n===\nMSG: pkg/Point\nint8 x",
    );
    let payload = [
        &b"\x01\0\x02\0"[..],
        b"\x01\0\0\0",
        &1.5f32.to_le_bytes(),
        b"\x02\0\0\0\x01\0\0\0a\0\0\0\0",
        b"\x02\0\0\0\x01\0",
        b"\x07",
        b"\x02\0\0\0\x08\x09",
    ]
    .concat();
    assert_eq!(
        text(&decoder, &payload),
        r#"{"a":[1,2],"b":[1.5],"c":["a",""],"d":[true,false],"e":[{"x":7}],"f":[{"x":8},{"x":9}]}"#
    );
    let empty = b"\x01\0\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\x07\0\0\0\0";
    assert_eq!(text(&decoder, empty), r#"{"a":[1,2],"b":[],"c":[],"d":[],"e":[{"x":7}],"f":[]}"#);
}

#[test]
fn an_empty_array_of_large_numbers_has_no_padding() {
    let decoder = ros2("float64[] a\nuint8 b\nfloat64[] c");
    let body = b"\0\0\0\0\x07\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\xf8\x3f";
    assert_eq!(text(&decoder, &cdr(body)), r#"{"a":[],"b":7,"c":[1.5]}"#);
}

#[test]
fn an_empty_message_of_ros_2_is_a_byte() {
    let decoder = ros2("Empty a\nuint8 b\nEmpty[2] c\nuint8 d\n===\nMSG: pkg/Empty\nint8 CONSTANT=1");
    assert_eq!(text(&decoder, &cdr(b"\0\x05\0\0\x06")), r#"{"a":{},"b":5,"c":[{},{}],"d":6}"#);
    assert_eq!(text(&ros2(""), &cdr(b"\0")), "{}");
    assert_eq!(text(&ros2("# nothing"), &cdr(b"")), "{}");
    assert_eq!(text(&ros1(""), b""), "{}");
}

#[test]
fn strings_end_with_nul_or_not_and_may_be_no_utf8() {
    let decoder = ros2("string a\nstring b\nstring c\nstring d");
    let body = b"\x02\0\0\0a\0\0\0\0\0\0\0\x01\0\0\0b\0\0\0\x04\0\0\0\xffa\xe9\0";
    assert_eq!(
        text(&decoder, &cdr(body)),
        "{\"a\":\"a\",\"b\":\"\",\"c\":\"b\",\"d\":\"\u{FFFD}a\u{FFFD}\"}"
    );
    assert_eq!(text(&ros1("string a"), b"\x02\0\0\0a\0"), r#"{"a":"a\u0000"}"#);
}

#[test]
fn numbers_that_json_lacks_follow_the_option() {
    let decoder = ros1("float32 a\nfloat64[] b");
    let values = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0];
    let values: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    let payload = [&1f32.to_le_bytes()[..], b"\x04\0\0\0", &values].concat();
    let options = |nan| JsonOptions { nan, ..JsonOptions::default() };
    assert_eq!(text(&decoder, &payload), r#"{"a":1.0,"b":[null,null,null,-0.0]}"#);
    let strings = r#"{"a":1.0,"b":["NaN","Infinity","-Infinity",-0.0]}"#;
    assert_eq!(with(&decoder, &payload, options(NanPolicy::String)), strings);
    let rejected = decoder.to_json(&payload, &options(NanPolicy::Reject), &mut Vec::new()).unwrap_err();
    assert_eq!(rejected.to_string(), "b[0]: NaN, which JSON does not have, at offset 8");
    assert_eq!((rejected.path.as_str(), rejected.offset), ("b[0]", 8));
}

#[test]
fn bytes_left_over_are_counted() {
    let left = |decoder: &Decoder, payload: &[u8]| {
        decoder.to_json(payload, &JsonOptions::default(), &mut Vec::new()).unwrap()
    };
    assert_eq!(left(&ros1("int8 x"), b"\x01\x02"), 1);
    assert_eq!(left(&ros2("int8 x"), &cdr(b"\x01\0\0\0")), 0, "padding");
    assert_eq!(left(&ros2("int8 x"), &cdr(b"\x01\0\0\0\0")), 4);
}

#[test]
fn events_of_services_are_made_from_the_service() {
    let text_of_service = "bool on\n---\nstring reason";
    let schema = schema("pkg/srv/Switch_Event", "ros2msg", text_of_service);
    let decoder = Decoder::new("cdr", Some(&schema)).unwrap();
    let mut body = vec![1, 0, 0, 0, 5, 0, 0, 0, 6, 0, 0, 0];
    body.extend(1..=16);
    body.extend([0; 4]);
    body.extend(9i64.to_le_bytes());
    body.extend(b"\x01\0\0\0\x01\0\0\0\0\0\0\0");
    assert_eq!(
        text(&decoder, &cdr(&body)),
        r#"{"info":{"event_type":1,"stamp":{"sec":5,"nsec":6},"client_gid":"AQIDBAUGBwgJCgsMDQ4PEA==","sequence_number":9},"request":[{"on":true}],"response":[]}"#
    );
    let schema = super::schema("pkg/srv/Switch_Response", "ros2msg", text_of_service);
    let decoder = Decoder::new("cdr", Some(&schema)).unwrap();
    assert_eq!(text(&decoder, &cdr(b"\x02\0\0\0a\0")), r#"{"reason":"a"}"#);
}

#[test]
fn cdr_2_has_sizes_before_arrays_of_what_is_no_number() {
    let decoder = idl("struct Message { sequence<string> a; long b[2]; string c[1]; sequence<double> d; };");
    let body = [
        &b"\x0a\0\0\0\x01\0\0\0\x02\0\0\0a\0\0\0"[..],
        b"\x01\0\0\0\x02\0\0\0",
        b"\x06\0\0\0\x02\0\0\0b\0\0\0",
        b"\x01\0\0\0",
        &1.5f64.to_le_bytes(),
    ]
    .concat();
    let expected = r#"{"a":["a"],"b":[1,2],"c":["b"],"d":[1.5]}"#;
    assert_eq!(text(&decoder, &[b"\0\x07\0\0", &body[..]].concat()), expected);
    let appendable = idl("@appendable struct Inner { long a; }; struct Message { Inner inner; };");
    assert_eq!(text(&appendable, &cdr(b"\x01\0\0\0")), r#"{"inner":{"a":1}}"#);
    assert_eq!(
        error(&appendable, b"\0\x07\0\0\x04\0\0\0\x01\0\0\0"),
        "inner: Inner is appendable, which is not supported in CDR 2"
    );
}
