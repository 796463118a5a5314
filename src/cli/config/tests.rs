use std::collections::HashMap;
use std::path::{Path, PathBuf};

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
    build([vec![flag("source", &["a.mcap"])], settings].concat()).unwrap().options
}

/// The same for JSON lines on stdin.
fn line_options(settings: Vec<Setting>) -> ServeOptions {
    build([vec![flag("source", &["-"])], settings].concat()).unwrap().options
}

fn line_error(settings: Vec<Setting>) -> String {
    build([vec![flag("source", &["-"])], settings].concat()).unwrap_err().to_string()
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
    let built = line_options(
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
            json-as = "json"
            proto = ["imu.proto", "all.desc"]
            proto-path = "protos"
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
    assert_eq!(built.types.json_as, JsonAs::Json);
    assert_eq!(built.types.proto, [Path::new("imu.proto"), Path::new("all.desc")]);
    assert_eq!(built.types.proto_path, [Path::new("protos")]);
    assert!(error(vec![flag("max-line", &["2GiB"])]).contains("at most 1024 MiB"));
}

#[test]
fn options_that_need_another_say_so() {
    let message = line_error(vec![flag("raw", &["true"])]);
    assert_eq!(message, "--raw needs --default-topic as well: the topic of messages that are whole lines");
    for (key, value) in [("time-field", "t"), ("csv", "true")] {
        assert!(
            line_error(vec![flag(key, &[value])])
                .starts_with(&format!("--{key} needs --default-topic as well"))
        );
    }
    let both =
        line_error(vec![flag("raw", &["true"]), flag("csv", &["true"]), flag("default-topic", &["/t"])]);
    assert_eq!(both, "--csv: lines are either --raw or --csv; leave one out");
    line_options(vec![flag("time-field", &["t"]), flag("default-topic", &["/t"])]);
}

#[test]
fn options_for_json_lines_are_for_files_of_them_too() {
    let lines = || vec![flag("csv", &["true"]), flag("default-topic", &["/t"])];
    for source in ["log.jsonl", "table.csv"] {
        build([vec![flag("source", &[source])], lines()].concat()).unwrap();
    }
    let message = error(lines());
    assert!(message.contains("it is for JSON lines"), "{message}");
}

#[test]
fn contradictions_are_refused() {
    assert!(matches!(build(Vec::new()), Err(ConfigError::NoSource)));
    let message = error(vec![flag("start", &["+5s"]), flag("end", &["+2s"])]);
    assert_eq!(message, "--end +2s lies before --start +5s; swap them, or leave one out");
    assert!(error(vec![flag("latch", &["none", "/map"])]).contains("'none' stands alone"));
    let message = line_error(vec![flag("live", &["true"]), flag("paced", &["true"])]);
    assert!(message.starts_with("--paced: it and --live exclude each other"), "{message}");
}

#[test]
fn a_rate_asked_for_on_the_spot_means_paced_input() {
    assert!(line_options(vec![flag("rate", &["1"])]).live.paced);
    assert!(!line_options(file("rate = 2").unwrap()).live.paced);
    assert!(!line_options(vec![flag("rate", &["1"]), flag("live", &["true"])]).live.paced);
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
        "save-dir",
        "ready-file",
        "layouts",
        "ui",
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

/// What the settings become for these sources: the options and the warnings, or the error.
fn built_for(sources: &[&str], settings: Vec<Setting>) -> Result<Built, String> {
    build([vec![flag("source", sources)], settings].concat()).map_err(|error| error.to_string())
}

#[test]
fn options_that_do_not_fit_are_errors_as_flags_and_warnings_from_elsewhere() {
    let recording: &[&str] = &["a.mcap"];
    let live: &[&str] = &["-"];
    let sockets: &[&str] = &["tcp-listen://127.0.0.1:0"];
    for (sources, key, value) in [
        (recording, "paced", "true"),
        (recording, "live", "true"),
        (recording, "on-eof", "exit"),
        (recording, "max-writers", "3"),
        (recording, "call-timeout", "3s"),
        (&["a.mcap", "-"], "on-eof", "exit"),
        (&["a.mcap", "-"], "live", "true"),
        (recording, "strict", "true"),
        (recording, "schema", "/a=foxglove.Log"),
        (recording, "from-start", "true"),
        (recording, "split-size", "1GiB"),
        (live, "split-duration", "60s"),
        (live, "max-files", "5"),
        (sockets, "disk-budget", "1GB"),
        (sockets, "loop", "true"),
        (live, "shift", "now"),
        (live, "start", "+1s"),
        (live, "order", "publish"),
        (live, "follow", "true"),
        (sockets, "rate", "2"),
        (sockets, "paced", "true"),
        (sockets, "start-paused", "true"),
        (sockets, "at-end", "exit"),
        (sockets, "skip-gaps", "5s"),
        (&["-", "tcp-listen://127.0.0.1:0"], "paced", "true"),
    ] {
        let error = built_for(sources, vec![flag(key, &[value])]).unwrap_err();
        assert!(error.starts_with(&format!("--{key}: it is for ")), "{error}");
        let variable = Key::find(key).unwrap().variable();
        let built = built_for(sources, environment(&[(&variable, value)])).unwrap();
        let alone = built_for(sources, Vec::new()).unwrap();
        assert_eq!(built.options, alone.options, "{key} is left out");
        assert_eq!(built.warnings.len(), 1, "{:?}", built.warnings);
        assert!(built.warnings[0].starts_with(&format!("{variable} is left out: it is for ")));
    }
}

#[test]
fn options_that_fit_stay_and_those_that_say_the_default_fit_everywhere() {
    for (sources, key, value) in [
        (&["-"][..], "rate", "2"),
        (&["-"], "loop", "false"),
        (&["a.mcap"], "on-eof", "keep"),
        (&["a.mcap", "-"], "shift", "now"),
        (&["a.mcap", "-"], "call-timeout", "3s"),
        (&["a.mcap"], "events", "true"),
        (&["-"], "at-end", "exit"),
    ] {
        let built = built_for(sources, vec![flag(key, &[value])]).unwrap();
        assert!(built.warnings.is_empty(), "{:?}", built.warnings);
    }
    let recorded = |key: &str, value: &str| {
        built_for(
            &["a.mcap"],
            vec![flag("record", &["r.mcap"]), flag("split-size", &["1GiB"]), flag(key, &[value])],
        )
    };
    let split = recorded("max-files", "5").unwrap().options.split;
    assert_eq!((split.size, split.max_files), (Some(1 << 30), std::num::NonZero::new(5)));
    assert_eq!(recorded("disk-budget", "1GB").unwrap().options.split.disk_budget, Some(1_000_000_000));
    let alone = built_for(&["a.mcap"], vec![flag("record", &["r.mcap"]), flag("max-files", &["5"])]);
    assert!(alone.unwrap_err().starts_with("--max-files: it is for a recording of several files"));
    let shift = file("shift = 'now'\non-eof = 'exit'").unwrap();
    assert!(built_for(&["a.mcap", "-"], shift).unwrap().warnings.is_empty());
    let followed = built_for(&["a.mcap"], file("follow = true\nfrom-start = true\non-eof = 'exit'").unwrap());
    assert!(followed.unwrap().warnings.is_empty());
}

#[test]
fn of_two_options_that_exclude_each_other_the_stronger_one_counts() {
    let error = built_for(&["a.mcap"], vec![flag("loop", &["true"]), flag("at-end", &["exit"])]).unwrap_err();
    assert_eq!(
        error,
        "--at-end: it and --loop exclude each other: with --loop the end never comes; leave one out"
    );
    let with_file = |text: &str, flags: Vec<Setting>| {
        built_for(&["a.mcap"], [file(text).unwrap(), flags].concat()).unwrap()
    };
    let built = with_file("loop = true", vec![flag("at-end", &["exit"])]);
    assert!(
        !built.options.playback.looping && built.warnings[0].starts_with("bridge.toml:1: loop is left out")
    );
    let built = with_file("at-end = 'exit'\nloop = true", Vec::new());
    assert!(built.options.playback.looping);
    assert_eq!(built.warnings.len(), 1);
}

#[test]
fn an_unknown_variable_is_named_with_the_nearest_setting() {
    let names = ["FOXGLOVE_BRIDGE_LOP", "FOXGLOVE_BRIDGE_PORT", "FOXGLOVE_BRIDGE_CONFIG", "HOME"];
    let of_kubernetes = ["FOXGLOVE_BRIDGE_SERVICE_HOST", "FOXGLOVE_BRIDGE_PORT_8765_TCP_ADDR"];
    let warnings = unknown_variables(names.into_iter().chain(of_kubernetes).map(str::to_owned));
    let expected = "FOXGLOVE_BRIDGE_LOP: there is no such setting; did you mean FOXGLOVE_BRIDGE_LOOP?";
    assert_eq!(warnings, [expected]);
    let far = unknown_variables(["FOXGLOVE_BRIDGE_BANANAS".to_owned()]);
    assert_eq!(far, ["FOXGLOVE_BRIDGE_BANANAS: there is no such setting; see --help"]);
}

#[test]
fn files_that_a_settings_file_names_are_beside_it() {
    let text = "source = ['a.mcap', '/b.mcap', '-', 'tcp-listen://x:1']\nproto = 'p.proto'\nrecord = 'r.mcap'\n\
                schema = ['/imu=imu.json', '/log=foxglove.Log']";
    let settings = file::settings(text, Path::new("/etc/robot/bridge.toml")).unwrap();
    let values: HashMap<_, _> =
        settings.iter().map(|setting| (setting.key.name, setting.values.join(" "))).collect();
    assert_eq!(values["source"], "/etc/robot/a.mcap /b.mcap - tcp-listen://x:1");
    assert_eq!(values["proto"], "/etc/robot/p.proto");
    assert_eq!(values["schema"], "/imu=/etc/robot/imu.json /log=foxglove.Log");
    assert_eq!(values["record"], "r.mcap", "what is written is where the program runs");
}

#[test]
#[cfg(unix)]
fn a_settings_file_without_end_is_not_read_into_memory() {
    let error = file_settings(Path::new("/dev/zero")).unwrap_err().to_string();
    assert!(error.starts_with("/dev/zero: has more than 1 MiB"), "{error}");
}

#[test]
#[cfg(unix)]
fn a_source_that_can_be_read_only_once_is_for_stdin() {
    let options = |source: &str| ServeOptions { sources: vec![source.into()], ..ServeOptions::default() };
    let error = check_files(&options("/dev/null")).unwrap_err().to_string();
    assert!(error.starts_with("/dev/null is a device") && error.ends_with("serve - < /dev/null"), "{error}");
    let folder = tempfile::tempdir().unwrap();
    for source in [folder.path().to_str().unwrap(), "missing.mcap", "-", "unix-listen:///x"] {
        check_files(&options(source)).unwrap();
    }
}

#[test]
fn nothing_to_play_is_refused() {
    let message = error(vec![flag("playback-duration", &["0s"])]);
    assert!(message.starts_with("--playback-duration: '0s' plays nothing"), "{message}");
}

#[test]
fn an_address_may_stand_as_in_a_url() {
    for text in ["[::1]", "::1"] {
        assert_eq!(options(vec![flag("host", &[text])]).host.to_string(), "::1");
    }
    assert!(error(vec![flag("host", &["[127.0.0.1"])]).contains("is not an address"));
}

#[test]
fn the_longest_text_of_a_client_is_within_bounds() {
    assert_eq!(options(vec![flag("client-text", &["2MiB"])]).client_text, 2 << 20);
    assert!(error(vec![flag("client-text", &["1GiB"])]).contains("16 MiB"));
    assert!(error(vec![flag("client-text", &["10B"])]).contains("10B"));
}

#[test]
fn what_is_kept_is_live_and_how_it_is_saved_needs_it() {
    let kept = line_options(vec![flag("keep", &["60s"]), flag("save-after", &["10s"])]);
    assert_eq!(kept.keep, Some(Kept { window: Some(Duration::from_secs(60)), bytes: 500_000_000 }));
    assert_eq!((kept.save_after, kept.save_dir), (Duration::from_secs(10), PathBuf::from(".")));
    let message = error(vec![flag("keep", &["60s"])]);
    assert!(message.starts_with("--keep: it is for live input"), "{message}");
    let message = line_error(vec![flag("save-dir", &["/data"])]);
    assert!(message.starts_with("--save-dir: it is for what is kept of live input"), "{message}");
}
