//! Definitions in the languages of ROS and of the OMG.

use super::*;

#[test]
fn constants_defaults_and_comments_are_skipped() {
    let decoder = ros2(
        "# a comment\n\n  int8 a # another\nint8 B=1\nint8 C = -2 # c\nstring D=\"x # y\"\nint8 e 5\n\
         string<=5 f \"it's = '#'\"\nint8[<=2] g [1, 2]\nstring H='a' \nint8 i# close",
    );
    let body = b"\x01\x02\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\x03";
    assert_eq!(text(&decoder, &cdr(body)), r#"{"a":1,"e":2,"f":"","g":[],"i":3}"#);
}

#[test]
fn names_are_found_as_ros_finds_them() {
    let decoder = ros1(
        "Header header\nPoint near\nother/Point far\nLonely lonely\n===\nMSG: std_msgs/Header\nuint32 seq\n===\n\
         MSG: other/Point\nint8 there\n===\nMSG: pkg/Point\nint8 here\n===\nMSG: third/Lonely\nPoint point\n===\nMSG: third/Point\nint8 z",
    );
    assert_eq!(
        text(&decoder, b"\x01\0\0\0\x02\x03\x04"),
        r#"{"header":{"seq":1},"near":{"here":2},"far":{"there":3},"lonely":{"point":{"z":4}}}"#
    );
    let long = ros2("pkg/msg/Point a\r\npkg/Point b\r\n================\r\nMSG: pkg/msg/Point\r\nint8 x\r\n");
    assert_eq!(text(&long, &cdr(b"\x01\x02")), r#"{"a":{"x":1},"b":{"x":2}}"#);
    let ambiguous = refused("ros1", "ros1msg", "P a\n===\nMSG: x/P\nint8 x\n===\nMSG: y/P\nint8 y");
    assert_eq!(ambiguous, "line 1 of the definition: there is no type 'P'");
}

#[test]
fn errors_of_definitions_name_the_line() {
    for (definition, expected) in [
        (
            "int8 a\n\nfloat46 b",
            "line 3 of the definition: there is no type 'float46'; did you mean 'float32'?",
        ),
        ("int8", "line 1 of the definition: a type and a name are expected, not 'int8'"),
        ("int8 a b", "line 1 of the definition: 'b' after the name a"),
        ("int8[x] a", "line 1 of the definition: 'x' is no length of an array"),
        (
            "int8[99999999999999999999] a",
            "line 1 of the definition: '99999999999999999999' is no length of an array",
        ),
        ("in\u{1b}t8 a", "line 1 of the definition: 'in\\u{1b}t8' is no type"),
        (
            "int8 a\n===\nint8 b",
            "line 3 of the definition: 'MSG: package/Type' is missing after a line of ===",
        ),
        (
            "A a\n===\nMSG: pkg/A\nB b\n===\nMSG: pkg/B\nA a",
            "line 3 of the definition: pkg/A contains itself, which is not supported",
        ),
        (
            "int8 a\n---\nint8 b\n---\nint8 c",
            "line 4 of the definition: a third part, as actions have: it is no message",
        ),
    ] {
        assert_eq!(refused("ros1", "ros1msg", definition), expected);
    }
    assert_eq!(
        refused("cdr", "ros2msg", "int8 a\nwstring b"),
        "line 2 of the definition: wstring, which each middleware writes in its own way, which is not supported"
    );
}

#[test]
fn what_a_message_does_not_use_may_be_broken() {
    assert_eq!(text(&ros1("int8 a\n===\nMSG: pkg/Other\nMissing m"), b"\x01"), r#"{"a":1}"#);
    let decoder = idl("union U switch (long) { case 1: long a; }; struct Message { octet a; };");
    assert_eq!(text(&decoder, &cdr(b"\x01")), r#"{"a":1}"#);
}

#[test]
fn idl_has_modules_typedefs_constants_and_enums() {
    let decoder = decoder(
        "cdr",
        "ros2idl",
        r#"================================================================================
IDL: pkg/msg/Message
// generated
#include "std_msgs/msg/Header.idl"
module pkg {
  module msg {
    module Message_Constants { const long COUNT = 0x02; const string NAME = "a;b"; };
    typedef double double__3[3];
    typedef sequence<unsigned short, 4> Shorts, Others[2];
    enum Color { RED, @value(7) GREEN, BLUE };
    @verbatim (language="comment", text=
      "(a } comment)" "another")
    struct Message {
      @key @unit(value="m") std::Point point;
      double__3 vector;
      Shorts shorts;
      Color colors[Message_Constants::COUNT], one;
      long matrix[2][2];
      @default (value=5) unsigned long long big;
      string<8> name;
      sequence<sequence<octet>> nested;
      boolean _boolean;
    };
  };
};
================================================================================
IDL: std/Point
module std { struct Point { char c; ::std::Scale s; }; typedef float Scale; };
"#,
    );
    let body = [
        &b"\x41\0\0\0\0\0\x80\x3f"[..],
        &[1.0f64, 2.0, 3.0].map(f64::to_le_bytes).concat(),
        b"\x02\0\0\0\x05\0\x06\0",
        b"\x00\0\0\0\x08\0\0\0\x09\0\0\0",
        &[1i32, 2, 3, 4].map(i32::to_le_bytes).concat(),
        b"\0\0\0\0",
        &u64::MAX.to_le_bytes(),
        b"\x02\0\0\0n\0\0\0",
        b"\x02\0\0\0\x01\0\0\0\x07\0\0\0\0\0\0\0",
        b"\x01",
    ]
    .concat();
    assert_eq!(
        text(&decoder, &cdr(&body)),
        r#"{"point":{"c":65,"s":1.0},"vector":[1.0,2.0,3.0],"shorts":[5,6],"colors":["RED","BLUE"],"one":9,"matrix":[[1,2],[3,4]],"big":18446744073709551615,"name":"n","nested":["Bw==",""],"boolean":true}"#
    );
}

#[test]
fn what_idl_has_beyond_that_is_named() {
    for (member, reason) in [
        ("U a;", "U is a union, which is not supported"),
        ("map<string, long> a;", "a map, which is not supported"),
        ("wstring a;", "wstring, which each middleware writes in its own way, which is not supported"),
        ("sequence<wchar> a;", "wchar, which each middleware writes in its own way, which is not supported"),
        ("long double a;", "long double, which is not supported"),
        ("fixed<5,2> a;", "a fixed-point number, which is not supported"),
        ("@optional long a[2];", "an optional member, which is not supported"),
        ("Derived a;", "Derived is a struct that inherits from another, which is not supported"),
        ("Mutable a;", "Mutable is a mutable type, which is not supported"),
        ("Small a;", "Small is an enum with @bit_bound, which is not supported"),
        ("Flags a;", "Flags is a bitmask, which is not supported"),
        ("Message a;", "Message contains itself, which is not supported"),
        ("Nobody a;", "there is no type 'Nobody'"),
        ("long a[-1];", "a length before this is expected, not ']'"),
        ("long a[N];", "a whole number is expected, not 'N'"),
        ("long a b;", "';' is expected, not 'b'"),
        ("unsigned double a;", "short or long is expected, not 'double'"),
        ("\"text\" a;", "a name is expected, not a text"),
    ] {
        let definition = format!(
            "union U switch (long) {{ case 1: long a; default: string b; }}; struct Derived : U {{ long a; }};
             @mutable struct Mutable {{ long a; }}; @bit_bound(8) enum Small {{ A }}; bitmask Flags {{ X, Y }};
             struct Message {{ {member} }};"
        );
        let found = refused("cdr", "omgidl", &definition);
        let (line, found) = found.split_once(" of the definition: ").unwrap();
        assert!(["line 1", "line 2", "line 3"].contains(&line), "{line}");
        assert_eq!(found, reason);
    }
    assert_eq!(
        refused("cdr", "omgidl", "struct Other { long a; };"),
        "the definition: has no type 'pkg/Message'"
    );
    assert!(
        refused("cdr", "omgidl", "struct Message { long a; ").ends_with("a name is expected, not the end")
    );
    assert!(refused("cdr", "omgidl", "interface X").ends_with("';' is expected, not the end"));
    assert!(refused("cdr", "omgidl", "/* open").ends_with("a comment that does not end"));
    assert!(refused("cdr", "omgidl", "@a(\"").ends_with("a text that does not end"));
    assert!(
        refused("cdr", "omgidl", "native X;")
            .contains("a definition (module, struct, enum, typedef, const) is expected")
    );
}
