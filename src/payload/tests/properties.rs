use proptest::collection::{btree_map, hash_map, vec};
use proptest::prelude::*;
use prost_reflect::DescriptorPool;
use serde_json::{Map, Value, json};

use super::*;
use crate::payload::{JsonOptions, Length};

fn text() -> impl Strategy<Value = Value> {
    any::<String>().prop_map(Value::from)
}

fn double() -> impl Strategy<Value = Value> {
    any::<f64>().prop_filter("finite", |value| value.is_finite()).prop_map(Value::from)
}

fn time() -> impl Strategy<Value = Value> {
    (0..4_000_000_000_i64, 0..1_000_000_000_u32)
        .prop_map(|(s, ns)| json!(jiff::Timestamp::new(s, ns.cast_signed()).unwrap().to_string()))
}

fn log() -> impl Strategy<Value = Value> {
    let level = prop_oneof![Just(json!("INFO")), Just(json!("FATAL")), any::<i32>().prop_map(Value::from)];
    (time(), level, text(), text(), any::<u32>()).prop_map(|(timestamp, level, message, name, line)| {
        json!({"timestamp": timestamp, "level": level, "message": message, "name": name, "line": line})
    })
}

/// Any JSON without infinite numbers.
fn free() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![Just(Value::Null), any::<bool>().prop_map(Value::from), double(), text()];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            hash_map(any::<String>(), inner, 0..4).prop_map(|map| json!(map)),
        ]
    })
}

fn named<S: Strategy<Value = Value> + 'static>(
    name: &'static str,
    value: S,
) -> BoxedStrategy<(String, Value)> {
    value.prop_map(move |value| (name.to_owned(), value)).boxed()
}

/// Some fields of `test.Everything`, with what they may hold.
fn fields(child: &BoxedStrategy<Value>) -> impl Strategy<Value = Value> + use<> {
    let int = || any::<i32>().prop_map(Value::from);
    let field = prop_oneof![
        named("a_double", double()),
        named("aFloat", any::<i16>().prop_map(|value| json!(f32::from(value) / 8.0))),
        named("an_int32", int()),
        named("an_int64", any::<i64>().prop_map(Value::from)),
        named("a_uint32", any::<u32>().prop_map(|value| json!(value.to_string()))),
        named("a_uint64", any::<u64>().prop_map(Value::from)),
        named("a_sint32", int()),
        named("a_sint64", any::<i64>().prop_map(|value| json!(value.to_string()))),
        named("a_fixed32", any::<u32>().prop_map(Value::from)),
        named("a_fixed64", any::<u64>().prop_map(Value::from)),
        named("an_sfixed32", int()),
        named("an_sfixed64", any::<i64>().prop_map(Value::from)),
        named("a_bool", any::<bool>().prop_map(Value::from)),
        named("a_string", text()),
        named("color", prop_oneof![Just(json!("RED")), int()]),
        named("child", child.clone()),
        named("maybe", int()),
        named("text", text()),
        named("numbers", vec(any::<i64>(), 0..5).prop_map(|list| json!(list))),
        named("unpacked", vec(any::<i32>(), 0..5).prop_map(|list| json!(list))),
        named("strings", vec(any::<String>(), 0..5).prop_map(|list| json!(list))),
        named("children", vec(child.clone(), 0..3).prop_map(Value::from)),
        named("by_name", btree_map(any::<String>(), any::<i32>(), 0..4).prop_map(|map| json!(map))),
        named("by_number", btree_map(any::<i64>(), child.clone(), 0..3).prop_map(|map| json!(map))),
        named("time", time()),
        named("value", free()),
        named("list", vec(free(), 0..4).prop_map(Value::from)),
        named("double_value", double()),
        named("string_value", text()),
    ];
    vec(field, 0..12).prop_map(|fields| Value::Object(fields.into_iter().collect::<Map<_, _>>()))
}

fn everything_json() -> impl Strategy<Value = Value> {
    let leaf = fields(&Just(json!({})).boxed()).boxed();
    let inner = fields(&leaf).boxed();
    fields(&inner)
}

/// What prost-reflect makes of the JSON: another way to the same message.
fn reference(message_type: &MessageType, json: &str) -> DynamicMessage {
    let pool = DescriptorPool::decode(message_type.schema().data.as_ref()).unwrap();
    let message = pool.get_message_by_name(&message_type.schema().name).unwrap();
    DynamicMessage::deserialize(message, &mut serde_json::Deserializer::from_str(json)).unwrap()
}

/// The text with some letters replaced, added or removed.
fn mutated(text: &str, changes: &[(prop::sample::Index, u8, char)]) -> String {
    let mut letters: Vec<char> = text.chars().collect();
    for (place, kind, letter) in changes.iter().filter(|_| text.len() > 1) {
        let place = place.index(letters.len().max(1));
        match kind % 3 {
            0 => letters.insert(place, *letter),
            1 if place < letters.len() => drop(letters.remove(place)),
            _ if place < letters.len() => letters[place] = *letter,
            _ => {}
        }
    }
    letters.into_iter().collect()
}

fn changes() -> impl Strategy<Value = Vec<(prop::sample::Index, u8, char)>> {
    let letter = prop_oneof![
        proptest::sample::select("{}[]\",:\\0123456789eE+-.u nultrefasNI/_=".chars().collect::<Vec<_>>()),
        any::<char>(),
    ];
    vec((any::<prop::sample::Index>(), any::<u8>(), letter), 1..6)
}

proptest! {
    #[test]
    fn a_log_comes_back_as_it_went(json in log()) {
        let log = builtin("foxglove.Log");
        let once = decoded(&log, &encoded(&log, &json.to_string()));
        let twice = decoded(&log, &encoded(&log, &once.to_string()));
        prop_assert_eq!(&once, &twice);
        for name in ["message", "name"] {
            prop_assert_eq!(once.get(name).cloned().unwrap_or(json!("")), json[name].clone());
        }
        prop_assert_eq!(once.get("line").cloned().unwrap_or(json!(0)), json["line"].clone());
    }

    #[test]
    fn the_payload_is_the_message_that_another_reader_of_the_json_sees(json in everything_json()) {
        let everything = everything(JsonAs::Protobuf);
        let json = json.to_string();
        let ours = decoded(&everything, &encoded(&everything, &json));
        prop_assert_eq!(ours, serde_json::to_value(reference(&everything, &json)).unwrap());
    }

    #[test]
    fn what_is_decoded_encodes_to_the_same_message(json in everything_json()) {
        let everything = everything(JsonAs::Protobuf);
        let payload = encoded(&everything, &json.to_string());
        let again = super::decoding::json(&everything, &payload);
        prop_assert_eq!(decoded(&everything, &encoded(&everything, &again)), decoded(&everything, &payload));
    }

    #[test]
    fn a_damaged_payload_is_an_error_or_json(
        json in everything_json(), bytes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..6), short: bool
    ) {
        let everything = everything(JsonAs::Protobuf);
        let mut payload = encoded(&everything, &json.to_string());
        for (at, byte) in bytes {
            if let Some(place) = at.index(payload.len() + 1).checked_sub(1) {
                payload[place] = byte;
            }
        }
        let length = if short { Length::Short } else { Length::Whole };
        let options = JsonOptions { length, ..JsonOptions::default() };
        let mut out = b"before".to_vec();
        match super::decoding::decoder(&everything).to_json(&payload, &options, &mut out) {
            Ok(_) => drop(serde_json::from_slice::<Value>(&out[6..]).unwrap()),
            Err(_) => prop_assert_eq!(&out, b"before"),
        }
    }

    #[test]
    fn damaged_json_is_an_error_or_a_message(json in everything_json(), changes in changes()) {
        let json = mutated(&json.to_string(), &changes);
        for json_as in [JsonAs::Protobuf, JsonAs::Json] {
            let everything = everything(json_as);
            let mut out = b"before".to_vec();
            match everything.encode(&json, &mut out) {
                Ok(_) if json_as == JsonAs::Protobuf => drop(decode(&everything, &out[6..])),
                Ok(_) => drop(serde_json::from_slice::<Value>(&out[6..]).unwrap()),
                Err(_) => prop_assert_eq!(&out, b"before"),
            }
        }
    }

    #[test]
    fn a_damaged_definition_is_an_error_or_a_definition(changes in changes()) {
        let own = Own::files(&[("damaged.proto", &mutated(EVERYTHING, &changes))]);
        if let Err(error) = Types::load(&own.options) {
            let path = own.path("damaged.proto").display().to_string();
            prop_assert!(error.to_string().starts_with(&path), "{}", error);
        }
    }

    #[test]
    fn a_damaged_descriptor_set_is_an_error_or_a_set(
        at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<prop::sample::Index>()
    ) {
        let mut set = super::super::load::FOXGLOVE.to_vec();
        let at = at.index(set.len());
        set[at] = byte;
        set.truncate(set.len().min(cut.index(set.len() * 4)));
        if let Ok(pool) = super::super::protobuf::Pool::decode(&set, None) {
            for (_, message) in super::super::load::by_name(&pool) {
                drop(MessageType::new(&message, JsonAs::Json));
                drop(MessageType::new(&message, JsonAs::Protobuf));
            }
        }
    }
}
