use bytes::Bytes;
use serde_json::{Value, json};

use super::*;

mod definitions;
mod flatbuffers;
mod limits;
mod passed;
mod properties;
mod wire;

fn schema(name: &str, encoding: &str, data: impl Into<Bytes>) -> Schema {
    Schema { name: name.to_owned(), encoding: encoding.to_owned(), data: data.into() }
}

/// A decoder for a message that is called `pkg/Message`.
fn decoder(encoding: &str, language: &str, definition: &str) -> Decoder {
    let text = definition.to_owned();
    Decoder::new(encoding, Some(&schema("pkg/Message", language, text))).unwrap()
}

fn ros1(definition: &str) -> Decoder {
    decoder("ros1", "ros1msg", definition)
}

fn ros2(definition: &str) -> Decoder {
    decoder("cdr", "ros2msg", definition)
}

fn idl(definition: &str) -> Decoder {
    decoder("cdr", "omgidl", definition)
}

fn refused(encoding: &str, language: &str, definition: &str) -> String {
    let text = definition.to_owned();
    Decoder::new(encoding, Some(&schema("pkg/Message", language, text))).unwrap_err().to_string()
}

/// The JSON, which must take up the whole payload.
#[track_caller]
fn text(decoder: &Decoder, payload: &[u8]) -> String {
    with(decoder, payload, JsonOptions::default())
}

#[track_caller]
fn with(decoder: &Decoder, payload: &[u8], options: JsonOptions) -> String {
    let mut out = b"before".to_vec();
    let left = decoder.to_json(payload, &options, &mut out).unwrap();
    assert_eq!(left, 0, "bytes are left over");
    let text = String::from_utf8(out).unwrap().strip_prefix("before").unwrap().to_owned();
    serde_json::from_str::<Value>(&text).unwrap();
    assert!(!text.contains('\n'), "{text}");
    text
}

#[track_caller]
fn error(decoder: &Decoder, payload: &[u8]) -> String {
    let mut out = b"before".to_vec();
    let error = decoder.to_json(payload, &JsonOptions::default(), &mut out).unwrap_err();
    assert_eq!(out, b"before", "an error leaves what was there");
    error.to_string()
}

const SHORT: JsonOptions = JsonOptions { nan: NanPolicy::Null, length: Length::Short };

/// The bytes of CDR, version 1, little-endian.
fn cdr(body: &[u8]) -> Vec<u8> {
    [b"\0\x01\0\0", body].concat()
}

#[test]
fn what_is_not_known_is_base64() {
    let decoder = Decoder::new("cbor", None).unwrap();
    assert!(decoder.is_base64());
    assert_eq!(text(&decoder, b"\xa1\x61\x61\x01"), r#""oWFhAQ==""#);
    assert_eq!(text(&Decoder::base64(), b""), r#""""#);
    assert!(!Decoder::new("json", None).unwrap().is_base64());
}

#[test]
fn a_schema_that_does_not_fit_is_named() {
    let error = |encoding, schema: Option<&Schema>| Decoder::new(encoding, schema).unwrap_err().to_string();
    assert_eq!(error("cdr", None), "the definition: there is none, the channel has no schema");
    assert_eq!(
        error("cdr", Some(&schema("a/B", "ros1msg", "int8 x"))),
        "the definition: is 'ros1msg', but messages in cdr need one of ros2msg, ros2idl, omgidl"
    );
    assert!(error("protobuf", Some(&schema("a.B", "protobuf", "\x0a\x7f"))).starts_with("the definition: "));
}

#[test]
fn a_decoder_is_made_once_for_equal_schemas() {
    use std::sync::Arc;

    use crate::model::{Channel, ChannelId};

    let channel = |encoding: &str, text: &'static str| Channel {
        id: ChannelId(1),
        topic: "/a".to_owned(),
        message_encoding: encoding.to_owned(),
        schema: Some(Arc::new(schema("a/B", "ros1msg", text))),
        metadata: std::collections::BTreeMap::new(),
        latched: false,
    };
    let mut decoders = Decoders::default();
    let first = decoders.of(&channel("ros1", "int8 x")).unwrap();
    assert!(Arc::ptr_eq(&first, &decoders.of(&channel("ros1", "int8 x")).unwrap()));
    assert!(!Arc::ptr_eq(&first, &decoders.of(&channel("ros1", "int8 y")).unwrap()));
    let broken = decoders.of(&channel("ros1", "int8")).unwrap_err();
    assert_eq!(decoders.of(&channel("ros1", "int8")).unwrap_err(), broken);
}
