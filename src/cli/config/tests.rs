use std::collections::HashMap;
use std::path::Path;

use super::keys::{KEYS, Key, split_list};
use std::time::Duration;

use super::*;
use foxglove_bridge::hub::Latch;
use foxglove_bridge::payload::JsonAs;
use foxglove_bridge::playback::Rate;
use foxglove_bridge::source::Order;
use foxglove_bridge::source::json_lines::{LineForm, NanPolicy, TimeUnit};
use foxglove_bridge::source::live::SchemaFor;
use foxglove_bridge::time::Timestamp;

fn flag(name: &str, values: &[&str]) -> Setting {
    let values = values.iter().map(|value| (*value).to_owned()).collect();
    Setting { key: Key::find(name).unwrap(), values, origin: Origin::Flag }
}

fn environment(variables: &[(&str, &str)]) -> Vec<Setting> {
    let variables: HashMap<_, _> = variables.iter().copied().collect();
    environment_settings(|name| variables.get(name).map(|value| (*value).to_owned()))
}

fn file(text: &str) -> Result<Vec<Setting>, ConfigError> {
    file::settings(text, Path::new("bridge.toml"))
}

fn options(settings: Vec<Setting>) -> ServeOptions {
    build([vec![flag("source", &["a.mcap"])], settings].concat()).unwrap()
}

fn error(settings: Vec<Setting>) -> String {
    build([vec![flag("source", &["a.mcap"])], settings].concat()).unwrap_err().to_string()
}

#[test]
fn flags_win_over_the_environment_over_the_file_over_the_defaults() {
    let file = || file("port = 1\nrate = 2\nloop = true\nstart-paused = true").unwrap();
    let environment = || {
        environment(&[
            ("FOXGLOVE_BRIDGE_PORT", "2"),
            ("FOXGLOVE_BRIDGE_LOOP", "false"),
            ("FOXGLOVE_BRIDGE_RATE", ""),
        ])
    };
    let built = options([vec![flag("port", &["3"])], environment(), file()].concat());
    assert_eq!(built.port, 3);
    assert_eq!(built.playback.rate, Rate::Times(2.0), "an empty variable counts as not set");
    assert!(!built.playback.looping, "the environment switches off what the file switches on");
    assert!(built.playback.start_paused);
    assert_eq!(built.host, ServeOptions::default().host);
    assert_eq!(options([environment(), file()].concat()).port, 2);
    assert_eq!(options(file()).port, 1);
}

#[test]
fn a_list_replaces_the_list_of_a_weaker_origin() {
    let built = options(
        [file("topic = ['/a', '/b']").unwrap(), environment(&[("FOXGLOVE_BRIDGE_TOPIC", "/c,/d")])].concat(),
    );
    let names: Vec<_> = built.recording.topics.filter.include.iter().map(ToString::to_string).collect();
    assert_eq!(names, ["/c", "/d"]);
}

#[test]
fn commas_within_a_pattern_do_not_split_it() {
    assert_eq!(split_list("/a, /{b,c}/d,/^.e{1,2}(,)/,,"), ["/a", "/{b,c}/d", "/^.e{1,2}(,)/"]);
}

#[test]
fn the_file_takes_numbers_texts_times_and_lists() {
    let built = options(
        file(
            r#"
            host = "0.0.0.0"
            rate = "max"
            start = 2026-01-02T03:04:05.000000006Z
            end = 1767323046000000000
            playback-duration = "1m"
            topic = "/camera/**"
            order = "publish"
            latch = ["auto", "/map"]
            client-buffer = 1_000_000
            time-resolution = "0"
            record = "/data/{time}.mcap"
            json-as = "json"
            proto = ["imu.proto", "all.desc"]
            proto-path = "protos"
            no-progress = true
            "#,
        )
        .unwrap(),
    );
    assert_eq!(built.host.to_string(), "0.0.0.0");
    assert_eq!(built.playback.rate, Rate::Max);
    assert_eq!(built.recording.start, Some(TimeSpec::At(Timestamp(1_767_323_045_000_000_006))));
    assert_eq!(built.recording.end, Some(TimeSpec::At(Timestamp(1_767_323_046_000_000_000))));
    assert_eq!(built.recording.duration, Some(Duration::from_secs(60)));
    assert_eq!(built.recording.topics.filter.include.len(), 1);
    assert_eq!(built.recording.order, Order::Publish);
    assert_eq!(built.hub.latch, Latch::Topics(vec!["/map".parse().unwrap()]));
    assert_eq!(built.hub.client_buffer, 1_000_000);
    assert_eq!(built.hub.time_resolution, Duration::ZERO);
    assert_eq!(built.record, Some("/data/{time}.mcap".into()));
    assert_eq!(built.types.json_as, JsonAs::Json);
    assert_eq!(built.types.proto, [Path::new("imu.proto"), Path::new("all.desc")]);
    assert_eq!(built.types.proto_path, [Path::new("protos")]);
    assert!(!built.progress);
}

#[test]
fn an_unknown_key_is_named_with_its_line_and_the_likeliest_key() {
    let message = file("port = 1\n\nstart_pause = true").unwrap_err().to_string();
    assert_eq!(message, "bridge.toml:3: unknown key 'start_pause'; did you mean 'start-paused'?");
    let message = file("bananas = 1").unwrap_err().to_string();
    assert!(message.contains("the keys are source, host, port"), "{message}");
    assert!(!message.contains("start-on-clients"), "{message}");
}

#[test]
fn errors_name_the_place_and_the_way_out() {
    assert_eq!(
        error(vec![flag("rate", &["0"])]),
        "--rate: '0' is not a rate: write a number from 0.01 to 1000, or max"
    );
    let message = error(environment(&[("FOXGLOVE_BRIDGE_PORT", "tcp://10.0.0.1:8765")]));
    assert!(message.starts_with("FOXGLOVE_BRIDGE_PORT: ") && message.contains("enableServiceLinks"));
    let message = error(file("rate = 1\nport = 70000").unwrap());
    assert!(message.starts_with("bridge.toml:2: port: '70000' is not a port"), "{message}");
    let message = file("port = [1]").unwrap_err().to_string();
    assert_eq!(message, "bridge.toml:1: port: takes one value, not a list");
    let message = file("port = 1\nport 2").unwrap_err().to_string();
    assert!(message.starts_with("bridge.toml:2: "), "{message}");
    assert!(file_settings(Path::new("missing.toml")).unwrap_err().to_string().contains("missing.toml"));
}

#[test]
fn how_json_lines_are_read_is_configured() {
    let built = options(
        file(
            r#"
            default-topic = "/journal"
            schema = ["/log=foxglove.Log", "/camera/{a,b}=foxglove.CompressedImage"]
            raw = true
            time-field = "header.stamp"
            time-unit = "us"
            nan = "string"
            strict = true
            max-line = "1MiB"
            "#,
        )
        .unwrap(),
    );
    let expected = JsonLinesOptions {
        default_topic: Some("/journal".into()),
        form: LineForm::Raw,
        time_field: Some("header.stamp".into()),
        time_unit: Some(TimeUnit::Micros),
        nan: NanPolicy::String,
        strict: true,
        max_line: 1 << 20,
        schemas: vec![
            SchemaFor { topic: "/log".parse().unwrap(), name: "foxglove.Log".into() },
            SchemaFor { topic: "/camera/{a,b}".parse().unwrap(), name: "foxglove.CompressedImage".into() },
        ],
    };
    assert_eq!(built.json_lines, expected);
    assert!(error(vec![flag("max-line", &["2GiB"])]).contains("at most 1024 MiB"));
}

#[test]
fn options_that_need_another_say_so() {
    let message = error(vec![flag("raw", &["true"])]);
    assert_eq!(message, "raw needs default-topic as well: the topic of messages that are whole lines");
    for (key, value) in [("time-field", "t"), ("csv", "true")] {
        assert!(error(vec![flag(key, &[value])]).starts_with(&format!("{key} needs default-topic as well")));
    }
    let both = error(vec![flag("raw", &["true"]), flag("csv", &["true"]), flag("default-topic", &["/t"])]);
    assert_eq!(both, "--csv: lines are either raw or csv");
    options(vec![flag("time-field", &["t"]), flag("default-topic", &["/t"])]);
}

#[test]
fn contradictions_are_refused() {
    assert!(matches!(build(Vec::new()), Err(ConfigError::NoSource)));
    let message = error(vec![flag("start", &["+5s"]), flag("end", &["+2s"])]);
    assert_eq!(message, "end +2s lies before start +5s; swap them, or leave one out");
    assert!(error(vec![flag("latch", &["none", "/map"])]).contains("'none' stands alone"));
    let message = error(vec![flag("live", &["true"]), flag("paced", &["true"])]);
    assert_eq!(message, "live and paced exclude each other; leave one out");
}

#[test]
fn a_rate_asked_for_on_the_spot_means_paced_input() {
    assert!(options(vec![flag("rate", &["1"])]).live.paced);
    assert!(!options(file("rate = 2").unwrap()).live.paced);
    assert!(!options(vec![flag("rate", &["1"]), flag("live", &["true"])]).live.paced);
}

#[test]
fn every_key_refuses_nonsense_and_none_panics() {
    let free_text = [
        "source",
        "name",
        "topic",
        "exclude",
        "prefix",
        "latch",
        "record",
        "proto",
        "proto-path",
        "default-topic",
        "time-field",
    ];
    for key in KEYS.iter().filter(|key| !free_text.contains(&key.name)) {
        let message = error(vec![flag(key.name, &["nonsense"])]);
        assert!(message.starts_with(&format!("--{}: 'nonsense'", key.name)), "{message}");
    }
}

/// The file in `config/` is documentation; uncommented it must be what the program does without it.
#[test]
fn the_documented_file_lists_every_key_with_its_true_default() {
    let text = include_str!("../../../config/foxglove-bridge.toml");
    let uncommented: Vec<_> = text
        .lines()
        .filter_map(|line| line.strip_prefix('#').filter(|rest| !rest.starts_with(' ')))
        .collect();
    let settings = file(&uncommented.join("\n")).unwrap();
    let documented: Vec<_> = settings.iter().map(|setting| setting.key.name).collect();
    let keys: Vec<_> = KEYS.iter().filter(|key| !key.hidden).map(|key| key.name).collect();
    assert_eq!(documented, keys);

    let mut built = options(settings);
    built.sources.clear();
    assert_eq!(built, ServeOptions::default());
    assert!(file(text).unwrap().is_empty(), "everything is commented out");
}
