//! What payloads claim, and what definitions make of them.

use super::*;

#[test]
fn claims_are_checked_against_what_is_there() {
    let decoder = ros1(
        "Imu imu\n===\nMSG: pkg/Imu\nHeader header\nfloat64[] values\nHeader[] more\n===\nMSG: std_msgs/Header\nuint32 seq\ntime stamp\nstring frame_id",
    );
    let header = [&[0; 12][..], b"\xff\xff\xff\xff", &[0; 20]].concat();
    assert_eq!(
        error(&decoder, &header),
        "imu.header.frame_id: a string of 4294967295 bytes at offset 16, 20 are left"
    );
    let numbers = [&[0; 16][..], b"\xff\xff\xff\xff", &[0; 7]].concat();
    assert_eq!(
        error(&decoder, &numbers),
        "imu.values: an array of 4294967295 elements at offset 20, 7 are left"
    );
    let headers = [&[0; 20][..], b"\x02\0\0\0", &[0; 16], b"\x01"].concat();
    assert_eq!(error(&decoder, &headers), "imu.more: an array of 2 elements at offset 24, 17 are left");
    let name = [&[0; 20][..], b"\x02\0\0\0", &[0; 28], b"\x01\0\0\0"].concat();
    assert_eq!(error(&decoder, &name), "imu.more[1].frame_id: a string of 1 bytes at offset 56, 0 are left");
    assert_eq!(error(&decoder, &[0; 5]), "imu.header.stamp.sec: a number of 4 bytes at offset 4, 1 is left");
}

#[test]
fn arrays_within_arrays_are_refused_by_their_length() {
    let decoder = ros1(
        "A[1000000] a\n===\nMSG: pkg/A\nB[1000000] b\n===\nMSG: pkg/B\nC[1000000] c\n===\nMSG: pkg/C\nuint8[1000000] d",
    );
    assert_eq!(error(&decoder, &[0; 100]), "a: an array of 1000000 elements at offset 0, 100 are left");
}

#[test]
fn elements_without_bytes_end_with_the_json() {
    let decoder = ros1("Empty[] a\n===\nMSG: pkg/Empty\n");
    assert_eq!(text(&decoder, b"\x03\0\0\0"), r#"{"a":[{},{},{}]}"#);
    let end = error(&decoder, b"\xff\xff\xff\xff");
    assert!(
        end.starts_with("a[") && end.ends_with("]: the message makes too much JSON for its size"),
        "{end}"
    );
    assert_eq!(
        with(&decoder, b"\xff\xff\xff\xff", SHORT),
        r#"{"a":[{},{},{},{},{},{},{},{},{},{},"… 4294967285 more"]}"#
    );
}

/// Thirty types, each with two of the next one.
fn doubling(last: &str) -> String {
    let level = |n| format!("===\nMSG: pkg/T{n}\nT{next} a\nT{next} b\n", next = n + 1);
    let levels: String = (0..30).map(level).collect();
    format!("T0 a\nT0[] more\n{levels}===\nMSG: pkg/T30\n{last}")
}

#[test]
fn types_that_double_end_with_the_payload_or_the_json() {
    assert!(
        error(&ros1(&doubling("uint8 x")), &[0; 100])
            .contains("a number of 1 byte at offset 100, 0 are left")
    );
    let decoder = ros1(&doubling(""));
    for options in [JsonOptions::default(), SHORT] {
        let found = decoder.to_json(b"\x02\0\0\0", &options, &mut Vec::new()).unwrap_err();
        assert!(found.to_string().ends_with("the message makes too much JSON for its size"));
    }
}

#[test]
fn what_is_not_shown_counts_as_json_too() {
    // of a thousand elements ten are shown, and each makes megabytes of JSON out of a byte
    let level = |n| format!("===\nMSG: pkg/T{n}\nT{next} a\nT{next} b\n", next = n + 1);
    let levels: String = (0..18).map(level).collect();
    let decoder =
        ros1(&format!("Part[1000] a\n===\nMSG: pkg/Part\nuint8 x\nT0 t\n{levels}===\nMSG: pkg/T18\n"));
    let found = decoder.to_json(&[0; 1000], &SHORT, &mut Vec::new()).unwrap_err();
    assert!(found.to_string().ends_with("the message makes too much JSON for its size"));
    assert!(found.path.starts_with("a[1"), "{}", found.path);
}

#[test]
fn definitions_that_nest_too_deep_are_refused() {
    let chain = |length: usize| {
        let level = |n| format!("===\nMSG: pkg/T{n}\nT{next} a\n", next = n + 1);
        let levels: String = (0..length).map(level).collect();
        format!("T0 a\n{levels}===\nMSG: pkg/T{length}\nuint8 x")
    };
    assert!(text(&ros1(&chain(62)), b"\x01").ends_with(&format!(r#""x":1{}"#, "}".repeat(64))));
    assert!(refused("ros1", "ros1msg", &chain(63)).ends_with("more than 64 types within each other"));
    assert!(refused("ros1", "ros1msg", &chain(100_000)).ends_with("more than 64 types within each other"));
    // a part of the chain that is known already makes the whole no shorter
    let known = chain(62).replacen("T0 a\n", "T20 early\nOuter a\n===\nMSG: pkg/Outer\nT0[] a\n", 1);
    assert!(refused("ros1", "ros1msg", &known).ends_with("more than 64 types within each other"));
    let sequences =
        format!("struct Message {{ {}octet{} a; }};", "sequence<".repeat(100_000), ">".repeat(100_000));
    assert!(refused("cdr", "omgidl", &sequences).ends_with("more than 64 types within each other"));
    let modules = "module a {".repeat(100_000);
    assert!(refused("cdr", "omgidl", &modules).ends_with("more than 64 modules within each other"));
    let lengths = format!("struct Message {{ octet a{}; }};", "[1]".repeat(100_000));
    assert!(refused("cdr", "omgidl", &lengths).contains("an end of the lengths is expected"));
    let typedefs: String = (0..80).map(|n| format!("typedef T{n} T{}[2];", n + 1)).collect();
    let typedefs = format!("typedef octet T0;{typedefs} struct Message {{ T80 a; }};");
    assert!(refused("cdr", "omgidl", &typedefs).ends_with("more than 64 types within each other"));
}

#[test]
fn long_values_are_shortened() {
    let decoder = ros1("string a\nuint8[] b\nint32[] c\nstring[] d\nstring e");
    let numbers: Vec<u8> = (0..12i32).flat_map(i32::to_le_bytes).collect();
    let long = "é".repeat(150);
    let payload = [
        &300u32.to_le_bytes()[..],
        long.as_bytes(),
        b"\x19\0\0\0",
        &[0; 25],
        b"\x0c\0\0\0",
        &numbers,
        b"\x0b\0\0\0",
        &b"\x01\0\0\0x".repeat(11),
        b"\x01\0\0\0y",
    ]
    .concat();
    let zeros = "A".repeat(32);
    assert_eq!(
        with(&decoder, &payload, SHORT),
        format!(
            r#"{{"a":"{}… (300 bytes)","b":"{zeros}… (25 bytes)","c":[0,1,2,3,4,5,6,7,8,9,"… 2 more"],"d":[{}"… 1 more"],"e":"y"}}"#,
            "é".repeat(100),
            r#""x","#.repeat(10),
        )
    );
}
