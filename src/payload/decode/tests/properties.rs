use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::*;

const ROS: &str = "\
Header header
uint8[] bytes
float64[3] fixed
string[] names
Part[] parts
Part[2] two
bool[<=3] flags
char c
time t
int64 CONSTANT=5
string<=9 bounded
===
MSG: std_msgs/Header
uint32 seq
string frame_id
===
MSG: pkg/Part
int16 a
float32[] b
Empty e
===
MSG: pkg/Empty
";

const IDL: &str = "\
module pkg {
  const long N = 2;
  enum Color { RED, @value(7) GREEN };
  typedef sequence<double, 3> Doubles;
  struct Part { Doubles d; Color c[N]; string<5> s; };
  struct Message { @key sequence<Part> parts; octet bytes[4]; long long big; boolean yes; Color color; };
};
";

fn decoders() -> Vec<Decoder> {
    let idl = |language| Decoder::new("cdr", Some(&schema("pkg/Message", language, IDL))).unwrap();
    vec![ros1(ROS), ros2(ROS), idl("ros2idl"), idl("omgidl")]
}

/// Payloads that are likely to begin like a message: small numbers, with a CDR header or without.
fn payload() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![6 => Just(0u8), 3 => 0..4u8, 1 => any::<u8>()];
    let header = select(vec![&b""[..], b"\0\0\0\0", b"\0\x01\0\0", b"\0\x06\0\0", b"\0\x07\0\0"]);
    (header, vec(byte, 0..300)).prop_map(|(header, body)| [header, &body].concat())
}

fn options() -> impl Strategy<Value = JsonOptions> {
    let nan = select(vec![NanPolicy::Null, NanPolicy::String, NanPolicy::Reject]);
    let length = select(vec![Length::Whole, Length::Short]);
    (nan, length).prop_map(|(nan, length)| JsonOptions { nan, length })
}

/// JSON on one line, or an error and nothing.
fn check(decoder: &Decoder, payload: &[u8], options: &JsonOptions) {
    let mut out = b"before".to_vec();
    match decoder.to_json(payload, options, &mut out) {
        Ok(left) => {
            assert!(left <= payload.len());
            let text = std::str::from_utf8(&out[6..]).unwrap();
            assert!(serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok(), "{text}");
            assert!(!text.contains(['\n', '\r']));
        }
        Err(error) => {
            assert_eq!(out, b"before");
            assert!(error.offset <= payload.len() + 8, "{error}");
        }
    }
}

/// A text with parts of it replaced by others that definitions are made of.
fn mutated(text: &str, changes: &[(Index, Index, &str)]) -> String {
    let mut text = text.to_owned();
    for (from, length, part) in changes {
        let place = |at: usize| (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        let begin = place(from.index(text.len() + 1));
        let end = place((begin + length.index(12)).min(text.len())).max(begin);
        text.replace_range(begin..end, part);
    }
    text
}

fn changes() -> impl Strategy<Value = Vec<(Index, Index, &'static str)>> {
    let parts = [
        "",
        "[",
        "]",
        "<=",
        "[3]",
        "\n",
        "===\n",
        "---\n",
        "MSG: a/B\n",
        "=",
        "#",
        "\"",
        "{",
        "}",
        ";",
        "::",
        "struct ",
        "sequence<",
        ">",
        ",",
        "@",
        "(",
        "string",
        "wstring",
        "Part",
        "Message",
        " 99999999999",
        "é",
        "union U {",
        "/*",
        "enum ",
        "typedef ",
        "const long ",
        "module ",
        "-1",
        "0x",
        "Header",
        "byte",
        " ",
    ];
    vec((any::<Index>(), any::<Index>(), select(parts.to_vec())), 1..5)
}

proptest! {
    #[test]
    fn any_payload_is_json_or_an_error(payload in payload(), options in options()) {
        for decoder in decoders() {
            check(&decoder, &payload, &options);
        }
        check(&Decoder::new("json", None).unwrap(), &payload, &options);
        check(&Decoder::base64(), &payload, &options);
    }

    #[test]
    fn any_definition_is_one_or_an_error(changes in changes(), payload in payload(), options in options()) {
        for (encoding, language, text) in
            [("ros1", "ros1msg", ROS), ("cdr", "ros2msg", ROS), ("cdr", "ros2idl", IDL), ("cdr", "omgidl", IDL)]
        {
            let text = mutated(text, &changes);
            let lines = text.lines().count().max(1);
            match Decoder::new(encoding, Some(&schema("pkg/Message", language, text))) {
                Ok(decoder) => check(&decoder, &payload, &options),
                Err(error) => prop_assert!(error.line.is_none_or(|line| (1..=lines).contains(&line)), "{}", error),
            }
        }
    }

    #[test]
    fn any_json_is_passed_or_an_error(text in r#"[\[\]{}",:0-9a-zN \n\\-]{0,40}"#, options in options()) {
        check(&Decoder::new("json", None).unwrap(), text.as_bytes(), &options);
    }

    #[test]
    fn shortened_json_is_what_is_left_of_the_whole(numbers in vec(vec(any::<i64>(), 0..14), 0..14)) {
        let whole = serde_json::to_string(&numbers).unwrap();
        let decoder = Decoder::new("json", None).unwrap();
        let short: Value = serde_json::from_str(&with(&decoder, whole.as_bytes(), SHORT)).unwrap();
        let shown = |length: usize| if length > 10 { 11 } else { length };
        prop_assert_eq!(short.as_array().unwrap().len(), shown(numbers.len()));
        for (one, other) in short.as_array().unwrap().iter().zip(&numbers).take(10) {
            prop_assert_eq!(one.as_array().unwrap().len(), shown(other.len()));
            prop_assert_eq!(&json!(one.as_array().unwrap()[..other.len().min(10)]), &json!(other[..other.len().min(10)]));
        }
    }
}
