use std::collections::{BTreeSet, HashSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use prost_reflect::DescriptorPool;
use prost_reflect::prost::Message as _;
use prost_reflect::prost_types::FileDescriptorSet;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::super::load::FOXGLOVE;
use super::*;
use crate::payload::Zone;

/// Payloads made by the classes of PyPI `foxglove-sdk` 0.30.3 (`foxglove.messages`, `encode()`), and the same in JSON.
const MADE_BY_FOXGLOVE: [(&str, &str, &str); 6] = [
    (
        "foxglove.Log",
        "CgsIpevcygYQlZrvOhACGgVoaSDDqSIEbm9kZSoEYS5yczUHAAAA",
        r#"{"timestamp":"2026-01-02T03:04:05.123456789Z","level":"INFO","message":"hi \u00e9","name":"node",
            "file":"a.rs","line":7}"#,
    ),
    (
        "foxglove.LocationFix",
        "CQAAAAAAwEdAEQAAAAAAgCDAGQAAAAAAInxAIkgAAAAAAADwPwAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAPA/AAAAAAAAAAAAAAAAAAA\
         AAAAAAAAAAAAAAAAAAAAABEAoATILCKXr3MoGEJWa7zo6A2dwcw==",
        r#"{"latitude":47.5,"longitude":-8.25,"altitude":450.125,"position_covariance":[1,0,0,0,1,0,0,0,2.5],
            "position_covariance_type":"APPROXIMATED","timestamp":{"sec":1767323045,"nsec":123456789},
            "frame_id":"gps"}"#,
    ),
    (
        "foxglove.CompressedImage",
        "CgsIpevcygYQlZrvOhIG/9j77wABGgRqcGVnIgNjYW0=",
        r#"{"timestamp":"2026-01-02T04:04:05.123456789+01:00","data":"_9j77wAB","format":"jpeg","frameId":"cam"}"#,
    ),
    (
        "foxglove.FrameTransforms",
        "CkAKCwil69zKBhCVmu86EgNtYXAaBGJhc2UiGwkAAAAAAADwPxEAAAAAAAAAwBkAAAAAAADgPyoJIQAAAAAAAPA/CjcKAggBEgRiYXNlGgNjYW0iA\
         CokCQAAAAAAAOA/EQAAAAAAAOA/GQAAAAAAAOA/IQAAAAAAAOA/",
        r#"{"transforms":[
            {"timestamp":"2026-01-02T03:04:05.123456789Z","parent_frame_id":"map","child_frame_id":"base",
             "translation":{"x":1,"y":-2,"z":0.5},"rotation":{"x":0,"y":0,"z":0,"w":1}},
            {"timestamp":"1970-01-01T00:00:01Z","parent_frame_id":"base","child_frame_id":"cam",
             "translation":{},"rotation":{"x":0.5,"y":0.5,"z":0.5,"w":0.5}}]}"#,
    ),
    (
        "foxglove.SceneUpdate",
        "ChQKCwil69zKBhCVmu86EAEaA29sZBKZAQoLCKXr3MoGEJWa7zoSA21hcBoCZTEiCAgBEIDKte4BKAEyBgoBaxIBdkJtCigKGwkAAAAAAADwPxEAA\
         AAAAAAAQBkAAAAAAAAIQBIJIQAAAAAAAPA/EhsJAAAAAAAA8D8RAAAAAAAA8D8ZAAAAAAAA8D8aJAkAAAAAAADwPxEAAAAAAADgPxkAAAAAAADQPy\
         EAAAAAAADwPw==",
        r#"{"deletions":[{"timestamp":"2026-01-02T03:04:05.123456789Z","type":1,"id":"old"}],
            "entities":[{"timestamp":"2026-01-02T03:04:05.123456789Z","frame_id":"map","id":"e1","lifetime":"1.5s",
             "frame_locked":true,"metadata":[{"key":"k","value":"v"}],"arrows":[],
             "cubes":[{"pose":{"position":{"x":1,"y":2,"z":3},"orientation":{"w":1.0}},
                       "size":{"x":1,"y":1,"z":1},"color":{"r":1,"g":0.5,"b":0.25,"a":1}}]}]}"#,
    ),
    (
        "foxglove.PointCloud",
        "CgsIpevcygYQlZrvOhIFbGlkYXIaFgoJGQAAAAAAAPA/EgkhAAAAAAAA8D8lDAAAACoFCgF4GAcqCgoBeRUEAAAAGAcqCgoBehUIAAAAGAcyGAABA\
         gMEBQYHCAkKCwwNDg8QERITFBUWFw==",
        r#"{"timestamp":"2026-01-02T03:04:05.123456789Z","frame_id":"lidar",
            "pose":{"position":{"z":1},"orientation":{"w":1}},"point_stride":"12",
            "fields":[{"name":"x","offset":0,"type":"FLOAT32"},{"name":"y","offset":4,"type":"FLOAT32"},
                      {"name":"z","offset":8,"type":7}],
            "data":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYX"}"#,
    ),
];

#[test]
fn payloads_are_those_of_foxgloves_own_implementation() {
    for (name, expected, json) in MADE_BY_FOXGLOVE {
        assert_eq!(STANDARD.encode(encoded(&builtin(name), json)), expected, "{name}");
    }
}

#[test]
fn what_foxglove_wrote_reads_the_same_from_our_schema() {
    for (name, payload, json) in MADE_BY_FOXGLOVE {
        let message_type = builtin(name);
        let theirs = decoded(&message_type, &STANDARD.decode(payload).unwrap());
        assert_eq!(theirs, decoded(&message_type, &encoded(&message_type, json)), "{name}");
    }
}

#[test]
fn the_file_of_built_in_schemas_is_the_one_its_page_describes() {
    let page = include_str!("../foxglove/README.md");
    let sum: String = Sha256::digest(FOXGLOVE).iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(page.contains(&sum), "SHA-256 {sum}");
    let set = FileDescriptorSet::decode(FOXGLOVE).unwrap();
    let types = Types::load(&TypeOptions::default()).unwrap();
    let names = set.file.iter().filter(|file| file.package() == "foxglove");
    let names: BTreeSet<_> =
        names.flat_map(|file| file.message_type.iter().map(|message| message.name().to_owned())).collect();
    let contents = format!("{} schemas in {} files, {} bytes", names.len(), set.file.len(), FOXGLOVE.len());
    assert!(page.contains(&contents), "{contents}");
    let listed = page.split("The types:\n").nth(1).unwrap().split('.').next().unwrap();
    let listed: BTreeSet<_> = listed.split(',').map(|name| name.trim().to_owned()).collect();
    assert_eq!(listed, names);
    for name in names {
        let found = types.find(&format!("foxglove.{name}")).unwrap();
        assert_eq!(decoded(&found, &encoded(&found, "{}")), json!({}), "{name}");
    }
}

#[test]
fn a_schema_holds_the_files_it_needs_and_no_others_each_after_its_imports() {
    let files = |name: &str| FileDescriptorSet::decode(builtin(name).schema().data.as_ref()).unwrap().file;
    let names: Vec<_> = files("foxglove.Log").iter().map(|file| file.name().to_owned()).collect();
    assert_eq!(names, ["google/protobuf/timestamp.proto", "foxglove/Log.proto"]);
    let mut seen = HashSet::new();
    for file in files("foxglove.SceneUpdate") {
        assert!(file.dependency.iter().all(|import| seen.contains(import)), "{}", file.name());
        seen.insert(file.name().to_owned());
    }
    assert_eq!(seen.len(), 19);
    DescriptorPool::decode(builtin("foxglove.SceneUpdate").schema().data.as_ref()).unwrap();
}

#[test]
fn a_type_is_found_by_its_name_and_looked_up_once() {
    let types = Types::load(&TypeOptions::default()).unwrap();
    let log = types.find("foxglove.Log").unwrap();
    assert!(Arc::ptr_eq(&log, &types.find(".foxglove.Log").unwrap()));
    assert_eq!((log.schema().name.as_str(), log.schema().encoding.as_str()), ("foxglove.Log", "protobuf"));
    assert_eq!(log.message_encoding(), "protobuf");
    assert!(types.find("foxglove.Logs").is_none());
    assert_eq!(types.suggestion("foxglove.Logs").as_deref(), Some("foxglove.Log"));
    assert_eq!(types.suggestion("LocationFix").as_deref(), Some("foxglove.LocationFix"));
    assert_eq!(types.suggestion("std_msgs/msg/String"), None);
}

#[test]
fn log_levels_of_ros_and_python_are_taken() {
    let log = Types::load(&TypeOptions::default()).unwrap().find("foxglove.Log").unwrap();
    for (level, expected) in [
        ("\"WARN\"", "WARNING"),
        ("\"warning\"", "WARNING"),
        ("\"CRITICAL\"", "FATAL"),
        ("10", "DEBUG"),
        ("20", "INFO"),
        ("30", "WARNING"),
        ("40", "ERROR"),
        ("50", "FATAL"),
        ("3", "WARNING"),
    ] {
        let payload = encoded(&log, &format!("{{\"level\":{level}}}"));
        assert_eq!(decoded(&log, &payload), serde_json::json!({"level": expected}), "{level}");
    }
}

#[test]
fn times_are_taken_as_in_log_time_to_the_nanosecond() {
    let log = Types::load(&TypeOptions::default()).unwrap().find("foxglove.Log").unwrap();
    let time = "2017-03-22T02:26:20.103843113Z";
    for written in [
        "1490149580.103843113",
        "1490149580103843113",
        "\"1490149580.103843113\"",
        "\"2017-03-22T02:26:20.103843113\"",
    ] {
        let payload = encoded(&log, &format!("{{\"timestamp\":{written}}}"));
        assert_eq!(decoded(&log, &payload), serde_json::json!({"timestamp": time}), "{written}");
    }
    let zone = |time: &str| log.encode(&format!("{{\"timestamp\":\"{time}\"}}"), &mut Vec::new()).unwrap();
    assert_eq!(zone("2017-03-22T02:26:20"), Zone::Assumed);
    assert_eq!(zone("2017-03-22T02:26:20Z"), Zone::Given);
    let error = |written: &str| {
        let json = format!("{{\"timestamp\":{written}}}");
        log.encode(&json, &mut Vec::new()).unwrap_err().to_string()
    };
    assert!(
        error("99999999999.5").contains("99999999999.5 lies beyond what can be sent"),
        "{}",
        error("99999999999.5")
    );
    assert!(
        error("-1").contains("before 1970") && error("true").contains("expected a time"),
        "{}",
        error("true")
    );
}
