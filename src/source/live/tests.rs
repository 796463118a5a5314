use std::collections::BTreeSet;

use super::state::CHANGE_INTERVAL;
use super::*;
use crate::payload::TypeOptions;

const NOW: Timestamp = Timestamp(1_000_000_000_000);

fn types() -> Arc<Types> {
    Arc::new(Types::load(&TypeOptions::default()).unwrap())
}

fn channels_with(rules: TopicRules, schemas: &[&str]) -> Result<Input, SourceError> {
    let schemas: Vec<SchemaFor> = schemas.iter().map(|text| text.parse().unwrap()).collect();
    Ok(LiveChannels::new(rules, types(), &schemas, Registry::default())?.input())
}

fn channels() -> Input {
    channels_with(TopicRules::default(), &[]).unwrap()
}

fn json<'a>(topic: &'a str, schema: Option<&'a str>) -> Wanted<'a> {
    Wanted { topic, schema, encoding: None, given: Given::Json }
}

fn bytes<'a>(schema: Option<&'a str>, encoding: Option<&'a str>) -> Wanted<'a> {
    Wanted { topic: "/a", schema, encoding, given: Given::Bytes }
}

fn object(name: &str, property: &str) -> Schema {
    let data = format!(r#"{{"type":"object","properties":{{"{property}":{{"type":"number"}}}}}}"#);
    Schema { name: name.into(), encoding: "jsonschema".into(), data: data.into() }
}

#[track_caller]
fn resolve(channels: &Input, wanted: Wanted<'_>) -> Resolved {
    channels.resolve(wanted, NOW, takes_all).unwrap().unwrap()
}

fn refused(channels: &Input, wanted: Wanted<'_>) -> String {
    channels.resolve(wanted, NOW, takes_all).unwrap_err().reason
}

fn takes_all(_encoder: Option<&MessageType>) -> Result<(), Refusal> {
    Ok(())
}

#[test]
fn a_topic_keeps_its_channel_until_its_schema_changes() {
    let channels = channels();
    channels.declare_schema(object("Imu", "ax")).unwrap();
    let first = resolve(&channels, json("/a", None));
    assert_eq!((first.live.channel.id, first.retired), (ChannelId(1), None));
    assert_eq!(first.live.channel.message_encoding, "json");
    assert_eq!(resolve(&channels, json("/a", None)).live.channel.id, ChannelId(1));
    assert_eq!(resolve(&channels, json("/b", None)).live.channel.id, ChannelId(2));

    let second = resolve(&channels, json("/a", Some("Imu")));
    assert_eq!((second.live.channel.id, second.retired), (ChannelId(3), Some(ChannelId(1))));
    assert_ne!(second.generation, first.generation);
    assert_eq!(second.generation, channels.generation());
    assert_eq!(resolve(&channels, json("/a", Some("Imu"))).retired, None);
    assert_eq!(first.live.topic.next_sequence(), 1);
    assert_eq!(second.live.topic.next_sequence(), 2, "numbers go on");
}

#[test]
fn a_schema_declared_anew_changes_the_channels_of_those_who_use_it() {
    let channels = channels();
    channels.declare_schema(object("Imu", "ax")).unwrap();
    let first = resolve(&channels, json("/a", Some("Imu")));
    channels.declare_schema(object("Imu", "ax")).unwrap();
    assert_eq!(channels.generation(), first.generation, "nothing is new");
    channels.declare_schema(object("Imu", "ay")).unwrap();
    assert_ne!(channels.generation(), first.generation);
    let second = resolve(&channels, json("/a", Some("Imu")));
    assert_eq!(second.retired, Some(first.live.channel.id));
    assert!(second.live.channel.schema.as_ref().unwrap().data.windows(2).any(|two| two == b"ay"));
}

#[test]
fn a_declaration_counts_before_the_choice_of_the_user_and_a_line_before_both() {
    let channels = channels_with(TopicRules::default(), &["/a=foxglove.Log", "/**=foxglove.Point2"]).unwrap();
    let name = |wanted| {
        let resolved = resolve(&channels, wanted);
        resolved.live.channel.schema.as_ref().map(|schema| schema.name.clone())
    };
    assert_eq!(name(json("/a", None)).as_deref(), Some("foxglove.Log"));
    assert_eq!(name(json("/b", None)).as_deref(), Some("foxglove.Point2"));
    let declare = Wanted { given: Given::Nothing, ..json("/b", Some("foxglove.Vector2")) };
    channels.declare_channel(declare, Traits::default(), NOW).unwrap().unwrap();
    assert_eq!(name(json("/b", None)).as_deref(), Some("foxglove.Vector2"));
    assert_eq!(name(json("/b", Some("foxglove.Point3"))).as_deref(), Some("foxglove.Point3"));
    assert_eq!(name(json("/b", Some(""))), None, "an empty name is none");
}

#[test]
fn a_declared_channel_is_there_before_its_messages_with_its_metadata() {
    let channels = channels();
    let metadata = BTreeMap::from([("frame".to_owned(), "map".to_owned())]);
    let traits = Traits { metadata, latched: true };
    let declare = Wanted { given: Given::Nothing, ..json("/map", None) };
    let declared = channels.declare_channel(declare, traits.clone(), NOW).unwrap().unwrap();
    assert_eq!(declared.live.channel.metadata, traits.metadata);
    assert!(declared.live.channel.latched);
    let resolved = resolve(&channels, json("/map", None));
    assert_eq!((resolved.live.channel.id, resolved.retired), (declared.live.channel.id, None));
    assert_eq!(resolved.generation, declared.generation);
    let again = channels.declare_channel(declare, traits, NOW).unwrap().unwrap();
    assert_eq!(again.generation, declared.generation, "nothing is new");

    let long = BTreeMap::from([("x".to_owned(), "y".repeat(MAX_METADATA))]);
    assert!(
        channels
            .declare_channel(declare, Traits { metadata: long, latched: false }, NOW)
            .unwrap_err()
            .reason
            .contains("4096 bytes")
    );
    let wrong = Wanted { given: Given::Nothing, ..json("/map", Some("Nope")) };
    assert!(channels.declare_channel(wrong, Traits::default(), NOW).is_err());
    assert_eq!(resolve(&channels, json("/map", None)).live.channel.id, declared.live.channel.id);
}

#[test]
fn encodings_follow_from_schemas() {
    let channels = channels();
    let declare = |name: &str, encoding: &str| {
        let schema = Schema { name: name.into(), encoding: encoding.into(), data: "x".into() };
        channels.declare_schema(schema).unwrap();
    };
    for (name, encoding) in
        [("R1", "ros1msg"), ("R2", "ros2msg"), ("P", "protobuf"), ("F", "flatbuffer"), ("Z", "zz")]
    {
        declare(name, encoding);
    }
    let encoding = |wanted| resolve(&channels, wanted).live.channel.message_encoding.clone();
    assert_eq!(encoding(bytes(Some("R1"), None)), "ros1");
    assert_eq!(encoding(bytes(Some("R2"), None)), "cdr");
    assert_eq!(encoding(bytes(Some("P"), None)), "protobuf");
    assert_eq!(encoding(bytes(Some("F"), None)), "flatbuffer");
    assert_eq!(encoding(bytes(Some("Z"), Some("x-own"))), "x-own");
    assert_eq!(encoding(bytes(None, Some("cbor"))), "cbor");
    assert_eq!(encoding(bytes(Some("foxglove.Log"), None)), "protobuf");
    assert_eq!(encoding(bytes(Some("foxglove.Log"), Some("protobuf"))), "protobuf");
    assert!(refused(&channels, bytes(Some("Z"), None)).contains("give encoding"));
    assert!(refused(&channels, bytes(None, None)).contains("needs the encoding"));
    assert!(refused(&channels, bytes(Some("foxglove.Log"), Some("json"))).contains("sent as protobuf"));
    assert!(refused(&channels, json("/a", Some("R2"))).contains("data_base64"));
    let cdr = Wanted { encoding: Some("cdr"), ..json("/a", None) };
    assert!(refused(&channels, cdr).contains("data_base64"));
}

#[test]
fn json_of_a_known_type_is_encoded_whatever_it_is_called() {
    let channels = channels();
    for encoding in [None, Some("json"), Some("protobuf"), Some("")] {
        let wanted = Wanted { encoding, ..json("/log", Some("foxglove.Log")) };
        let resolved = resolve(&channels, wanted);
        assert!(resolved.encoder.is_some() && resolved.live.channel.id == ChannelId(1), "{encoding:?}");
    }
    let wanted = Wanted { topic: "/log", ..bytes(Some("foxglove.Log"), None) };
    let resolved = resolve(&channels, wanted);
    assert!(resolved.encoder.is_none() && resolved.live.channel.id == ChannelId(1));
}

#[test]
fn topics_are_left_out_and_renamed_and_two_may_become_one() {
    let rules = TopicRules {
        remap: vec!["/old=/new".parse().unwrap()],
        prefix: "/r1".into(),
        ..TopicRules::default()
    };
    let channels = channels_with(rules, &["/old=foxglove.Log"]).unwrap();
    let resolved = resolve(&channels, json("/old", None));
    assert_eq!(resolved.live.channel.topic, "/r1/new");
    assert!(resolved.encoder.is_some(), "the choice of the user is for names as lines have them");
    let other = resolve(&channels, json("/new", Some("foxglove.Log")));
    assert_eq!(other.live.channel.id, resolved.live.channel.id);

    let mut rules = TopicRules::default();
    rules.filter.exclude.push("/secret".parse().unwrap());
    let channels = channels_with(rules, &[]).unwrap();
    assert!(channels.resolve(json("/secret", Some("Nope")), NOW, takes_all).unwrap().is_none());
}

#[test]
fn a_schema_that_does_not_exist_is_refused_with_the_likeliest() {
    let channels = channels();
    assert!(refused(&channels, json("/a", Some("foxglove.log"))).contains("did you mean 'foxglove.Log'?"));
    assert!(refused(&channels, json("/a", Some("Imu"))).contains("op schema"));
    assert!(refused(&channels, json("/a", Some(&"x".repeat(1 << 20)))).len() < 300);
    let error = channels_with(TopicRules::default(), &["/a=foxglove.log"]).unwrap_err().to_string();
    assert!(error.starts_with("/a=foxglove.log: ") && error.contains("foxglove.Log"), "{error}");
}

#[test]
fn a_json_schema_can_come_from_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(path("imu.json"), r#"{"type":"object"}"#).unwrap();
    std::fs::write(path("gps.json"), r#"{"type":"object","title":"Gps"}"#).unwrap();
    std::fs::write(path("list.json"), "[]").unwrap();
    let choose = |name: &str| channels_with(TopicRules::default(), &[&format!("/a={}", path(name))]);
    for (file, name) in [("imu.json", "imu"), ("gps.json", "Gps")] {
        let resolved = resolve(&choose(file).unwrap(), json("/a", None));
        assert_eq!(resolved.live.channel.schema.as_ref().unwrap().name, name);
        assert_eq!(resolved.live.channel.message_encoding, "json");
    }
    assert!(choose("list.json").unwrap_err().to_string().contains("object"));
    assert!(choose("none.json").unwrap_err().to_string().contains("none.json"));
}

#[test]
fn a_topic_that_changes_too_often_is_held_and_may_change_again_later() {
    let channels = channels();
    let at = |number: u64, now: Timestamp| {
        let schema = if number.is_multiple_of(2) { Some("foxglove.Log") } else { None };
        channels.resolve(json("/a", schema), now, takes_all)
    };
    at(0, NOW).unwrap();
    for number in 1..=u64::from(CHANGES_AT_ONCE) {
        assert!(at(number, NOW).unwrap().unwrap().retired.is_some(), "{number}");
    }
    let held = at(11, NOW).unwrap_err().reason;
    assert!(held.contains("more than once per second"), "{held}");
    assert!(at(10, NOW).unwrap().unwrap().retired.is_none(), "what it is now it may be");
    let later = NOW.saturating_add(CHANGE_INTERVAL);
    assert!(at(11, later).unwrap().unwrap().retired.is_some());
    assert!(at(12, later).is_err());
    assert!(at(12, Timestamp(0)).is_err(), "a clock that goes back helps nobody");
    assert!(at(12, NOW.saturating_add(CHANGE_INTERVAL * 3)).is_ok());
}

#[test]
fn there_is_a_bound_on_everything_that_lines_name() {
    let channels = channels();
    for number in 0..MAX_CHANNELS {
        resolve(&channels, json(&format!("/{number}"), None));
    }
    assert!(refused(&channels, json("/one_more", None)).contains("10000 topics"));
    resolve(&channels, json("/7", None));
    let declare = Wanted { given: Given::Nothing, ..json("/one_more", None) };
    assert!(channels.declare_channel(declare, Traits::default(), NOW).is_err());
    assert!(refused(&channels, json(&"x".repeat(MAX_NAME + 1), None)).contains("too long"));
    let encoding = "x".repeat(MAX_NAME + 1);
    assert!(refused(&channels, bytes(None, Some(&encoding))).contains("too long"));
    assert!(channels.declare_schema(object(&encoding, "a")).unwrap_err().contains("too long"));
}

#[test]
fn declared_schemas_share_a_bound_in_bytes_as_long_as_they_are_in_use() {
    let channels = channels();
    let large =
        |fill: u8| Schema { name: "L".into(), encoding: "x".into(), data: vec![fill; 40 << 20].into() };
    let wanted = |topic: &'static str| Wanted { topic, ..bytes(Some("L"), Some("x")) };
    channels.declare_schema(large(1)).unwrap();
    resolve(&channels, wanted("/a"));
    assert!(
        channels.declare_schema(large(2)).unwrap_err().contains("64 MiB"),
        "a channel still has the other one"
    );
    resolve(&channels, bytes(None, Some("y")));
    let small = Schema { data: "s".into(), ..large(0) };
    channels.declare_schema(small).unwrap();
    channels.declare_schema(large(2)).unwrap();
    resolve(&channels, wanted("/a"));
}

#[test]
fn a_schema_that_changes_a_thousand_times_never_has_an_id_twice_and_takes_few_slots() {
    let channels = channels();
    let (mut ids, mut slots, mut before) = (BTreeSet::new(), BTreeSet::new(), None);
    for change in 0..1000u32 {
        channels.declare_schema(object("Imu", &format!("a{change}"))).unwrap();
        let now = NOW.saturating_add(CHANGE_INTERVAL * change);
        let resolved = channels.resolve(json("/imu", Some("Imu")), now, takes_all).unwrap().unwrap();
        let channel = &resolved.live.channel;
        assert_eq!((resolved.retired, channel.topic.as_str()), (before, "/imu"));
        assert!(ids.insert(channel.id), "{:?} for the second time", channel.id);
        slots.insert(channel.id.slot());
        before = Some(channel.id);
    }
    assert!(slots.len() <= 20, "{} slots", slots.len());
}

/// What another kind of input claims for topic `/a`.
fn claim_by_another(registry: &Registry, encoding: &str) -> ChannelId {
    let spec = ChannelSpec {
        topic: "/a".into(),
        message_encoding: encoding.into(),
        schema: None,
        metadata: BTreeMap::new(),
        latched: false,
    };
    registry.claim(spec).unwrap().channel.id
}

#[test]
fn a_channel_that_another_input_has_too_is_the_same_and_stays_when_it_changes_here() {
    let registry = Registry::default();
    let other = claim_by_another(&registry, "json");
    let channels = LiveChannels::new(TopicRules::default(), types(), &[], registry.clone()).unwrap().input();
    assert_eq!(resolve(&channels, json("/a", None)).live.channel.id, other);
    let changed = resolve(&channels, json("/a", Some("foxglove.Log")));
    assert_eq!(changed.retired, None, "the other input goes on with it");
    assert_eq!(changed.live.channel.topic, "/a#2");
    assert!(registry.channel(other).is_some());
    // back to what the other has
    let again = resolve(&channels, json("/a", None));
    assert_eq!((again.live.channel.id, again.retired), (other, Some(changed.live.channel.id)));
}

#[test]
fn a_topic_of_another_input_with_another_encoding_is_offered_beside_it() {
    let registry = Registry::default();
    let other = claim_by_another(&registry, "cdr");
    let channels = LiveChannels::new(TopicRules::default(), types(), &[], registry).unwrap().input();
    let resolved = resolve(&channels, json("/a", None));
    assert_eq!((resolved.live.channel.topic.as_str(), resolved.retired), ("/a#2", None));
    assert_ne!(resolved.live.channel.id, other);
    assert_eq!(resolve(&channels, json("/a", None)).live.channel.id, resolved.live.channel.id);
}

#[test]
fn a_latch_that_is_declared_is_a_change_of_the_channel() {
    let channels = channels();
    let first = resolve(&channels, json("/map", None)).live.channel.clone();
    assert!(!first.latched);
    let declare = Wanted { given: Given::Nothing, ..json("/map", None) };
    let traits = Traits { latched: true, ..Traits::default() };
    let declared = channels.declare_channel(declare, traits, NOW).unwrap().unwrap();
    assert_eq!(declared.retired, Some(first.id));
    assert!(declared.live.channel.latched && declared.live.channel.metadata.is_empty());
}

#[test]
fn an_input_that_gives_a_topic_another_form_gets_a_channel_beside_that_of_another() {
    let one = channels();
    let other = one.channels.input();
    let (plain, log) = (json("/a", None), json("/a", Some("foxglove.Log")));
    let first = resolve(&one, plain);
    let second = resolve(&other, log);
    assert_eq!((second.live.channel.topic.as_str(), second.retired), ("/a#2", None));
    let generation = one.generation();
    for _ in 0..100 {
        assert_eq!(resolve(&one, plain).live.channel.id, first.live.channel.id);
        assert_eq!(resolve(&other, log).live.channel.id, second.live.channel.id);
    }
    assert_eq!(one.generation(), generation, "nothing is offered again");
    // the form of the other one: its own channel is left and ends
    let joined = resolve(&other, plain);
    assert_eq!(
        (joined.live.channel.id, joined.retired),
        (first.live.channel.id, Some(second.live.channel.id))
    );
}

#[test]
fn what_an_input_used_that_has_ended_is_replaced() {
    let one = channels();
    let other = one.channels.input();
    let first = resolve(&other, json("/a", None));
    drop(other);
    let second = resolve(&one, json("/a", Some("foxglove.Log")));
    assert_eq!(second.retired, Some(first.live.channel.id));
    assert_eq!(second.live.channel.topic, "/a");
}

#[test]
fn each_input_goes_by_its_own_declaration() {
    let one = channels();
    let other = one.channels.input();
    let declare = |input: &Input, schema| {
        let wanted = Wanted { given: Given::Nothing, ..json("/a", Some(schema)) };
        input.declare_channel(wanted, Traits::default(), NOW).unwrap().unwrap()
    };
    declare(&one, "foxglove.Log");
    declare(&other, "foxglove.Point2");
    let schema =
        |input: &Input| resolve(input, json("/a", None)).live.channel.schema.clone().unwrap().name.clone();
    assert_eq!((schema(&one).as_str(), schema(&other).as_str()), ("foxglove.Log", "foxglove.Point2"));
    let silent = one.channels.input();
    assert_eq!(schema(&silent), "foxglove.Point2", "the last word");
    drop(other);
    assert_eq!(schema(&silent), "foxglove.Point2", "also of one that has ended");
    for _ in 0..100 {
        declare(&one.channels.input(), "foxglove.Point3");
    }
    assert_eq!(schema(&silent), "foxglove.Point3");
    assert_eq!(schema(&one), "foxglove.Log");
    assert_eq!(one.channels.lock().declared["/a"].len(), 2, "of those who are there, and the last");
}

#[test]
fn a_message_that_can_not_be_sent_leaves_no_channel_behind() {
    let channels = channels();
    let refuses = |_encoder: Option<&MessageType>| Err(Refusal::of_payload("is an array".into()));
    assert_eq!(channels.resolve(json("/a", None), NOW, refuses).unwrap_err().reason, "is an array");
    assert_eq!(channels.channels.lock().count, 0);
    assert_eq!(resolve(&channels, json("/b", None)).live.channel.id, ChannelId(1));
}
