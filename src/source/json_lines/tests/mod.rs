use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::Ordering;

use bytes::Bytes;

use super::*;
use crate::model::{Channel, ChannelId};
use crate::payload::{TypeOptions, Types};
use crate::registry::Registry;
use crate::source::TopicRules;

mod beginnings;
mod commands;
mod faults;
mod forms;
mod random;
mod recording;

const ARRIVAL: Timestamp = Timestamp(1_767_323_045_000_000_000);

/// Gives its bytes in pieces of these sizes, over and over.
struct Stutter {
    bytes: Vec<u8>,
    at: usize,
    sizes: Vec<usize>,
    reads: usize,
}

impl Read for Stutter {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let size = self.sizes[self.reads % self.sizes.len()].min(into.len()).min(self.bytes.len() - self.at);
        into[..size].copy_from_slice(&self.bytes[self.at..self.at + size]);
        self.at += size;
        self.reads += 1;
        Ok(size)
    }
}

/// A message with all that its batch knew of it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Received {
    channel: Arc<Channel>,
    log_time: u64,
    publish_time: u64,
    sequence: u32,
    payload: Vec<u8>,
}

impl Received {
    fn text(&self) -> &str {
        std::str::from_utf8(&self.payload).unwrap()
    }

    fn schema(&self) -> &str {
        self.channel.schema.as_ref().map_or("", |schema| &schema.name)
    }
}

#[derive(Debug, Default, PartialEq)]
struct Outcome {
    messages: Vec<Received>,
    /// Every channel, in the order in which they were announced.
    announced: Vec<Arc<Channel>>,
    retired: Vec<u32>,
    errors: Vec<String>,
    lines: u64,
    bad: u64,
}

impl Outcome {
    fn texts(&self) -> Vec<&str> {
        self.messages.iter().map(Received::text).collect()
    }
}

fn types() -> Arc<Types> {
    // reading the built-in types takes a while
    static TYPES: std::sync::OnceLock<Arc<Types>> = std::sync::OnceLock::new();
    TYPES.get_or_init(|| Arc::new(Types::load(&TypeOptions::default()).unwrap())).clone()
}

fn channels(options: &JsonLinesOptions) -> Arc<LiveChannels> {
    LiveChannels::new(TopicRules::default(), types(), &options.schemas, Registry::default()).unwrap()
}

fn input<R: Read + Send>(
    stream: R,
    options: &JsonLinesOptions,
    channels: &Arc<LiveChannels>,
) -> JsonLines<R> {
    let stop = Stop::new().unwrap();
    JsonLines::new("stdin".into(), stream, &stop, Arc::new(options.clone()), channels.clone())
        .with_clock(|| ARRIVAL)
}

/// Reads all, and holds every batch to what batches promise.
fn drain(mut source: JsonLines<impl Read + Send>) -> Outcome {
    let mut outcome = Outcome::default();
    let mut live = HashMap::new();
    loop {
        match source.next() {
            Ok(None) => break,
            Err(error) => outcome.errors.push(error.to_string()),
            Ok(Some(batch)) => {
                assert!(!batch.entries.is_empty() || !batch.announcements.is_empty(), "nothing is in it");
                for id in &batch.retired {
                    live.remove(id).expect("what is retired was announced");
                    outcome.retired.push(id.0);
                }
                for channel in &batch.announcements {
                    assert!(live.values().all(|other: &Arc<Channel>| other.topic != channel.topic));
                    live.insert(channel.id, channel.clone());
                    outcome.announced.push(channel.clone());
                }
                outcome.messages.extend(batch.entries.iter().map(|entry| Received {
                    channel: live.get(&entry.channel).expect("channels are announced before").clone(),
                    log_time: entry.log_time.nanos(),
                    publish_time: entry.publish_time.nanos(),
                    sequence: entry.sequence,
                    payload: batch.payload(entry).to_vec(),
                }));
                let used: usize = batch.entries.iter().map(|entry| entry.length as usize).sum();
                let kept: usize = batch.buffers.iter().map(Bytes::len).sum();
                assert!(kept <= 5 * used, "{kept} bytes are kept for {used}");
            }
        }
    }
    let counts = source.counts();
    assert_eq!(counts.messages.load(Ordering::Relaxed), outcome.messages.len() as u64);
    outcome.lines = counts.lines.load(Ordering::Relaxed);
    outcome.bad = counts.bad.load(Ordering::Relaxed);
    assert!(source.next().unwrap().is_none(), "the end stays the end");
    outcome
}

fn read_with(text: impl AsRef<[u8]>, options: &JsonLinesOptions) -> Outcome {
    drain(input(text.as_ref(), options, &channels(options)))
}

fn read(text: impl AsRef<[u8]>) -> Outcome {
    read_with(text, &JsonLinesOptions::default())
}

fn strict() -> JsonLinesOptions {
    JsonLinesOptions { strict: true, ..JsonLinesOptions::default() }
}

#[test]
fn a_payload_is_passed_on_byte_for_byte() {
    let outcome = read("{\"topic\":\"/a\",\"data\": { \"x\" : 1.0e+0, \"y\":\"\\u0041/\\/\" } , \"z\":0}\n");
    let message = &outcome.messages[0];
    assert_eq!(message.text(), "{ \"x\" : 1.0e+0, \"y\":\"\\u0041/\\/\" }");
    assert_eq!((message.channel.topic.as_str(), message.channel.message_encoding.as_str()), ("/a", "json"));
    assert_eq!(message.channel.schema, None);
    assert_eq!((message.log_time, message.publish_time), (ARRIVAL.nanos(), ARRIVAL.nanos()));
}

#[test]
fn times_and_sequence_numbers_are_kept_or_made() {
    let outcome = read(
        r#"{"topic":"/a","log_time":1490149580.103843113,"data":{}}
           {"topic":"/a","log_time":{"sec":1,"nsec":2},"publish_time":"3","sequence":4294967295,"data":{}}
           {"topic":"/b","data":{},"publish_time":7}
           {"topic":"/a","data":{},"log_time":null}"#,
    );
    let told: Vec<_> = outcome.messages.iter().map(|m| (m.log_time, m.publish_time, m.sequence)).collect();
    let arrival = ARRIVAL.nanos();
    let expected = [
        (1_490_149_580_103_843_113, 1_490_149_580_103_843_113, 1),
        (1_000_000_002, 3_000_000_000, u32::MAX),
        (arrival, 7_000_000_000, 1),
        (arrival, arrival, 2),
    ];
    assert_eq!(told, expected);
}

/// As printed by `mcap cat --json` of the tool written in Go: times are numbers of seconds.
const OLDER_CAT: &str = r#"{"topic":"/diagnostics","sequence":28545,"log_time":1490149580.103843113,"publish_time":1490149580.103843113,"data":{"header":{"seq":28545,"stamp":1490149580.113944947,"frame_id":""},"status":[]}}
{"topic":"/diagnostics","sequence":28546,"log_time":1490149580.000000001,"publish_time":1490149580.000000002,"data":{}}
"#;

/// As printed by its successors, in each of their three ways to write times.
const NEWER_CAT: &str = r#"{"topic":"/diagnostics","sequence":28545,"log_time":"2017-03-22T02:26:20.103843113Z","publish_time":"2017-03-22T02:26:20.103843113Z","data":{"header":{"seq":28545,"stamp":1490149580.113944947,"frame_id":""},"status":[]}}
{"topic":"/diagnostics","sequence":28546,"log_time":"1490149580.000000001","publish_time":"1490149580000000002","data":{}}
"#;

#[test]
fn both_dialects_of_mcap_cat_are_read_alike() {
    let (older, newer) = (read(OLDER_CAT), read(NEWER_CAT));
    assert_eq!(older, newer);
    let told: Vec<_> = older.messages.iter().map(|m| (m.log_time, m.publish_time, m.sequence)).collect();
    let time = 1_490_149_580_000_000_000;
    assert_eq!(told, [(time + 103_843_113, time + 103_843_113, 28_545), (time + 1, time + 2, 28_546)]);
    assert!(older.messages[0].text().ends_with("\"frame_id\":\"\"},\"status\":[]}"));
}

#[test]
fn blank_lines_comments_marks_and_line_ends_are_no_messages() {
    let text = "\u{feff}{\"topic\":\"/a\",\"data\":{}}\r\n\r\n  \t\n# {\"topic\":\n   # too\n\u{feff}# x\n \
                {\"topic\":\"/b\",\"data\":{}}";
    let outcome = read(text);
    assert_eq!((outcome.messages.len(), outcome.lines, outcome.bad), (2, 7, 0));
    assert_eq!(read("").lines, 0);
    assert_eq!(read("\n").lines, 1);
}

#[test]
fn rosbridge_messages_are_read_too() {
    let outcome = read(
        "{\"op\":\"publish\",\"topic\":\"/a\",\"msg\":{\"n\":1}}\n{\"op\":\"publish\",\"topic\":\"/a\",\"data\":{\"n\":2}}\n\
         {\"topic\":\"/a\",\"msg\":{\"n\":3}}",
    );
    assert_eq!(outcome.texts(), ["{\"n\":1}", "{\"n\":2}"]);
    assert_eq!(outcome.bad, 1);
}

#[test]
fn messages_of_a_known_type_are_encoded() {
    let outcome = read(
        r#"{"topic":"/log","schema":"foxglove.Log","data":{"level":"INFO","message":"hi"}}
           {"topic":"/log","schema":"foxglove.Log","encoding":"protobuf","data_base64":"EAIaAmhp"}
           {"topic":"/log","schema":"foxglove.Log","data":{"level":2,"message":"hi"}}"#,
    );
    assert_eq!(outcome.bad, 0);
    assert_eq!(outcome.announced.len(), 1);
    assert_eq!(outcome.announced[0].message_encoding, "protobuf");
    let schema = outcome.announced[0].schema.as_ref().unwrap();
    assert_eq!((schema.name.as_str(), schema.encoding.as_str()), ("foxglove.Log", "protobuf"));
    for message in &outcome.messages {
        assert_eq!(message.payload, b"\x10\x02\x1a\x02hi");
    }
}

#[test]
fn a_schema_can_be_declared_in_every_notation() {
    let outcome = read(
        r#"{"op":"schema","name":"A","schema":{"type" : "object"}}
           {"op":"schema","name":"B","encoding":"jsonschema","schema":"{\"type\":\"object\"}"}
           {"op":"schema","name":"C","encoding":"ros1msg","schema":"int32 x\nint32 y"}
           {"op":"schema","name":"D","encoding":"protobuf","schema_base64":"QUJD"}
           {"topic":"/a","schema":"A","data":{}}
           {"topic":"/b","schema":"B","data":{}}
           {"topic":"/c","schema":"C","data_base64":"AQAAAAIAAAA="}
           {"topic":"/d","schema":"D","data_base64":""}"#,
    );
    let told: Vec<_> = outcome
        .messages
        .iter()
        .map(|message| {
            let schema = message.channel.schema.as_ref().unwrap();
            (
                message.channel.message_encoding.as_str(),
                std::str::from_utf8(&schema.data).unwrap(),
                message.payload.len(),
            )
        })
        .collect();
    let expected = [
        ("json", "{\"type\" : \"object\"}", 2),
        ("json", "{\"type\":\"object\"}", 2),
        ("ros1", "int32 x\nint32 y", 8),
        ("protobuf", "ABC", 0),
    ];
    assert_eq!(told, expected);
}

#[test]
fn a_declared_channel_is_announced_before_its_messages() {
    let outcome = read(
        r#"{"op":"schema","name":"Imu","schema":{"type":"object"}}
           {"op":"channel","topic":"/imu","schema":"Imu","latch":true,"metadata":{"a":"b","n":1}}
           {"topic":"/imu","data":{}}
           {"op":"channel","topic":"/quiet"}"#,
    );
    assert_eq!((outcome.announced.len(), outcome.messages.len(), outcome.retired.len()), (2, 1, 0));
    assert_eq!(outcome.messages[0].schema(), "Imu");
    let metadata: Vec<_> =
        outcome.announced[0].metadata.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    assert_eq!(metadata, [("a", "b"), ("n", "1")], "as it was given");
    assert!(outcome.announced[0].latched);
}

#[test]
fn a_changed_schema_is_another_channel_from_the_next_batch_on() {
    let outcome = read(
        r#"{"topic":"/a","data":{"n":1}}
           {"topic":"/b","data":{"n":2}}
           {"topic":"/a","schema":"foxglove.Vector2","data":{"x":3}}
           {"topic":"/b","data":{"n":4}}
           {"topic":"/a","data":{"n":5}}"#,
    );
    let ids: Vec<_> = outcome.messages.iter().map(|message| message.channel.id.0).collect();
    assert_eq!(ids, [1, 2, 3, 2, 4]);
    assert_eq!(outcome.retired, [1, 3]);
    assert_eq!(outcome.messages[3].text(), "{\"n\":4}");
}

#[test]
fn inputs_share_channels_and_notice_what_others_change() {
    let options = JsonLinesOptions::default();
    let channels = channels(&options);
    let one = |text: &'static str| input(text.as_bytes(), &options, &channels);
    let mut first = one("{\"topic\":\"/a\",\"data\":{}}");
    let batch = first.next().unwrap().unwrap();
    assert_eq!(batch.announcements[0].id, ChannelId(1));
    let batch = one("{\"topic\":\"/a\",\"data\":{}}").next().unwrap().unwrap();
    assert_eq!(batch.announcements[0].id, ChannelId(1), "whose batch comes first does not matter");
    assert_eq!(batch.entries[0].sequence, 2);

    // the two take turns, and the first has the old channel at hand when the second changes it
    let lines: Vec<u8> = [&b"{\"topic\":\"/a\",\"data\":{}}\n"[..]; 2].concat();
    let mut first = input(Stutter { bytes: lines, at: 0, sizes: vec![25], reads: 0 }, &options, &channels);
    assert_eq!(first.next().unwrap().unwrap().entries[0].channel, ChannelId(1));
    let batch = one("{\"topic\":\"/a\",\"schema\":\"foxglove.Log\",\"data\":{}}").next().unwrap().unwrap();
    assert_eq!((batch.retired.as_slice(), batch.entries[0].channel), (&[][..], ChannelId(2)));
    assert_eq!(batch.announcements[0].topic, "/a#2", "the first one still uses the topic");
    let batch = first.next().unwrap().unwrap();
    assert_eq!((batch.announcements.len(), batch.entries[0].channel), (0, ChannelId(1)));
}

#[test]
fn inputs_on_several_threads_agree_on_channels_and_numbers() {
    let options = strict();
    let channels = channels(&options);
    let outcomes: Vec<Outcome> = std::thread::scope(|scope| {
        let inputs: Vec<_> = (0..4)
            .map(|writer| {
                let line =
                    |n: usize| format!("{{\"topic\":\"/{}\",\"data\":{{}}}}\n", (n * 7 + writer * 13) % 100);
                let text: String = (0..2000).map(line).collect();
                let source = input(std::io::Cursor::new(text), &options, &channels);
                scope.spawn(|| drain(source))
            })
            .collect();
        inputs.into_iter().map(|input| input.join().unwrap()).collect()
    });
    let mut numbers: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    let mut ids: BTreeMap<String, ChannelId> = BTreeMap::new();
    for message in outcomes.into_iter().flat_map(|outcome| outcome.messages) {
        let channel = &message.channel;
        assert_eq!(*ids.entry(channel.topic.clone()).or_insert(channel.id), channel.id);
        numbers.entry(channel.topic.clone()).or_default().push(message.sequence);
    }
    assert_eq!(ids.len(), 100);
    assert!(ids.values().all(|id| (1..=100).contains(&id.0)));
    for numbers in numbers.values_mut() {
        numbers.sort_unstable();
        assert_eq!(*numbers, (1..=80).collect::<Vec<u32>>());
    }
}

#[test]
fn numbers_that_json_lacks_become_what_the_user_chose() {
    let text = r#"{"topic":"/a","data":{"x":NaN,"y":[-Infinity,"NaN"]},"sequence":5}
                  {"topic":"/a","data":{"x":Infinity}}"#;
    let with = |nan| read_with(text, &JsonLinesOptions { nan, ..strict() });
    let nulls = with(NanPolicy::Null);
    assert_eq!(nulls.texts(), [r#"{"x":null,"y":[null,"NaN"]}"#, r#"{"x":null}"#]);
    assert_eq!(nulls.messages[0].sequence, 5);
    let strings = with(NanPolicy::String);
    assert_eq!(strings.texts(), [r#"{"x":"NaN","y":["-Infinity","NaN"]}"#, r#"{"x":"Infinity"}"#]);
    let rejected = with(NanPolicy::Reject);
    assert_eq!(rejected.bad, 2);
    assert!(
        rejected.errors[0]
            .contains("line 1, column 27: NaN and Infinity are not JSON; nan says what becomes")
    );
    let worse = &read_with(r#"{"topic":"/a","data":{"x":NaN,"y":}}"#, &strict()).errors[0];
    assert!(worse.contains("expected value"), "{worse}");
    let time = &read_with(r#"{"topic":"/a","data":{},"log_time":NaN}"#, &strict()).errors[0];
    assert!(time.contains("log_time \"NaN\" is not a time"), "{time}");
}

#[test]
fn numbers_that_json_lacks_stay_what_they_are_in_protobuf() {
    let outcome = read(r#"{"topic":"/v","schema":"foxglove.Vector2","data":{"x":NaN,"y":-Infinity}}"#);
    let payload = &outcome.messages[0].payload;
    let number = |at: usize| f64::from_le_bytes(payload[at..at + 8].try_into().unwrap());
    assert!(number(1).is_nan());
    assert_eq!(number(10), f64::NEG_INFINITY);
}

#[test]
fn a_raw_line_is_the_message() {
    let raw = JsonLinesOptions {
        form: LineForm::Raw,
        default_topic: Some("/journal".into()),
        time_field: Some("__REALTIME_TIMESTAMP".into()),
        ..strict()
    };
    let outcome = read_with(
        "{\"MESSAGE\" : \"x\", \"topic\":5, \"__REALTIME_TIMESTAMP\":\"1490149580103843\"}\n# no\n{\"a\":NaN}\nvmstat 1\n[1]\n\n",
        &raw,
    );
    assert_eq!(
        outcome.texts(),
        ["{\"MESSAGE\" : \"x\", \"topic\":5, \"__REALTIME_TIMESTAMP\":\"1490149580103843\"}"]
    );
    let message = &outcome.messages[0];
    assert_eq!((message.channel.topic.as_str(), message.log_time), ("/journal", 1_490_149_580_103_843_000));
    assert_eq!(outcome.errors.len(), 3, "{:?}", outcome.errors);
    assert!(outcome.errors[0].contains("there is no field __REALTIME_TIMESTAMP"));
    assert!(outcome.errors[1].contains("not a JSON object") && outcome.errors[2].contains("JSON array"));

    let raw = JsonLinesOptions { time_field: None, ..raw };
    let outcome = read_with("{\"a\":NaN}\n[1]\n", &raw);
    assert_eq!(outcome.texts(), ["{\"a\":null}"]);
    assert!(outcome.errors[0].contains("JSON array"));
    let encoded = JsonLinesOptions { schemas: vec!["/journal=foxglove.Log".parse().unwrap()], ..raw.clone() };
    assert_eq!(read_with("{\"message\":\"hi\"}", &encoded).messages[0].payload, b"\x1a\x02hi");
    let nowhere = JsonLinesOptions { default_topic: None, ..raw };
    assert!(read_with("{}", &nowhere).errors[0].contains("default_topic"));
}

#[test]
fn a_default_topic_is_for_lines_without_one() {
    let options = JsonLinesOptions { default_topic: Some("/d".into()), ..strict() };
    let outcome = read_with("{\"data\":{}}\n{\"topic\":\"/a\",\"data\":{}}", &options);
    let topics: Vec<_> = outcome.messages.iter().map(|message| message.channel.topic.as_str()).collect();
    assert_eq!(topics, ["/d", "/a"]);
}

#[test]
fn topics_that_are_left_out_make_no_batch() {
    let mut rules = TopicRules::default();
    rules.filter.exclude.push("/secret".parse().unwrap());
    let channels = LiveChannels::new(rules, types(), &[], Registry::default()).unwrap();
    let text =
        "{\"topic\":\"/secret\",\"data\":{}}\n".repeat(3) + "{\"op\":\"channel\",\"topic\":\"/secret\"}";
    let outcome = drain(input(text.as_bytes(), &strict(), &channels));
    assert_eq!((outcome.messages.len(), outcome.announced.len(), outcome.lines), (0, 0, 4));
}

#[test]
fn a_few_small_messages_do_not_keep_a_large_read_in_memory() {
    let bulk = format!("{{\"unknown\":\"{}\",", "x".repeat(100_000));
    let outcome = read(format!("{bulk}\"topic\":\"/a\",\"data\":{{}}}}\n").repeat(5));
    assert_eq!(outcome.texts(), ["{}"; 5], "how much is kept is looked at for every batch");
}

#[test]
fn a_stream_that_breaks_is_an_error_and_then_at_its_end() {
    struct Broken(u8);
    impl Read for Broken {
        fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
            self.0 += 1;
            match self.0 {
                1 => Err(std::io::ErrorKind::Interrupted.into()),
                2 => "{\"topic\":\"/a\",\"data\":{}}\n{\"to".as_bytes().read(into),
                _ => Err(std::io::ErrorKind::ConnectionReset.into()),
            }
        }
    }
    let options = JsonLinesOptions::default();
    let mut source = input(Broken(0), &options, &channels(&options));
    assert_eq!(source.next().unwrap().unwrap().entries.len(), 1);
    assert!(matches!(source.next(), Err(SourceError::Io { .. })));
    assert!(source.next().unwrap().is_none());
}

#[test]
fn messages_say_which_writer_they_are_of() {
    let options = JsonLinesOptions::default();
    let channels = channels(&options);
    let line = b"{\"topic\":\"/map\",\"data\":{}}\n";
    let (mut one, mut other) = (input(&line[..], &options, &channels), input(&line[..], &options, &channels));
    let origin = |source: &mut JsonLines<&[u8]>| source.next().unwrap().unwrap().entries[0].origin;
    assert_eq!((origin(&mut one), origin(&mut other)), (0, 1));
    // who connects again takes its own place
    drop(one);
    assert_eq!(origin(&mut input(&line[..], &options, &channels)), 0);
}
