use serde_json::json;

use super::*;
use crate::payload::TypesHint;

const IMU: &str =
    r#"syntax = "proto3"; package my.pkg; message Imu { double ax = 1; repeated Imu more = 2; }"#;

#[test]
fn a_single_file_needs_no_options() {
    let own = Own::files(&[("imu.proto", IMU)]);
    let imu = own.load().find("my.pkg.Imu").unwrap();
    assert_eq!(decoded(&imu, &encoded(&imu, r#"{"ax":0.5,"more":[{}]}"#)), json!({"ax":0.5,"more":[{}]}));
    assert_eq!(own.load().suggestion("my.pkg.IMU2").as_deref(), Some("my.pkg.Imu"));
    assert!(own.load().find("foxglove.Log").is_some(), "built-in types stay");
}

#[test]
fn imports_are_found_beside_the_file_below_a_folder_given_and_built_in() {
    let files = [
        (
            "top.proto",
            r#"syntax = "proto3"; import "a/part.proto"; import "foxglove/Log.proto"; import "beside.proto";
                        message Top { a.Part part = 1; foxglove.Log log = 2; Beside beside = 3; }"#,
        ),
        ("beside.proto", r#"syntax = "proto3"; message Beside {}"#),
        ("include/a/part.proto", r#"syntax = "proto3"; package a; message Part { int32 x = 1; }"#),
    ];
    let mut own = Own::files(&files).naming(&["top.proto"]);
    let message = own.error();
    assert!(message.starts_with("top.proto: top.proto:1:20: import 'a/part.proto' not found"), "{message}");
    assert_eq!(Types::load(&own.options).unwrap_err().hint(), Some(TypesHint::ProtoImports));
    own.options.proto_path = vec![own.path("include")];
    let top = own.load().find("Top").unwrap();
    let json = json!({"part": {"x": 1}, "log": {"level": "ERROR"}, "beside": {}});
    assert_eq!(decoded(&top, &encoded(&top, &json.to_string())), json);
}

#[test]
fn the_file_that_is_named_is_read_however_its_path_is_written() {
    let other = IMU.replace("my.pkg", "other");
    let mut own = Own::files(&[("a/b/imu.proto", IMU), ("imu.proto", &other)]).naming(&["a/b/imu.proto"]);
    own.options.proto_path = vec![own.path("a/../."), own.path("a/b/..")];
    assert!(own.load().find("my.pkg.Imu").is_some());
    own.options.proto = vec![own.path("a/../imu.proto")];
    assert!(own.load().find("other.Imu").is_some());
    own.options.proto_path = vec![own.path("nowhere")];
    assert!(own.error().starts_with("nowhere: No such file"), "{}", own.error());
}

#[test]
fn a_descriptor_set_serves_as_well_with_and_without_its_built_in_imports() {
    let own = Own::files(&[("imu.proto", IMU)]);
    let set = own.load().find("my.pkg.Imu").unwrap().schema().data.clone();
    for name in ["a.desc", "b.binpb", "c.bin", "d.fds", "e.PB"] {
        let path = own.path(name);
        std::fs::write(&path, &set).unwrap();
        let options = TypeOptions { proto: vec![path], ..TypeOptions::default() };
        assert!(Types::load(&options).unwrap().find("my.pkg.Imu").is_some(), "{name}");
    }

    // as protoc writes it without --include_imports: the file alone
    let everything = Own::files(&[(
        "t.proto",
        r#"syntax = "proto3"; import "foxglove/Log.proto"; message T { foxglove.Log log = 1; }"#,
    )]);
    let mut compiler = protox::Compiler::with_file_resolver({
        let mut files = protox::file::ChainFileResolver::new();
        files.add(protox::file::IncludeFileResolver::new(everything.path("")));
        files.add(protox::file::DescriptorSetFileResolver::decode(super::super::load::FOXGLOVE).unwrap());
        files
    });
    compiler.open_file("t.proto").unwrap();
    let path = everything.path("alone.desc");
    std::fs::write(&path, compiler.encode_file_descriptor_set()).unwrap();
    let options = TypeOptions { proto: vec![path], ..TypeOptions::default() };
    assert!(Types::load(&options).unwrap().find("T").is_some());
}

#[test]
fn an_error_names_file_line_and_column() {
    let own = Own::files(&[("bad.proto", "syntax = \"proto3\";\nmessage A {\n  int33 x = 1;\n}")]);
    assert_eq!(own.error(), "bad.proto: bad.proto:3:3: name 'int33' is not defined");
    let own = Own::files(&[("bad.proto", "syntax = \"proto3\";\nmessage {")]);
    let message = own.error();
    assert!(message.starts_with("bad.proto: bad.proto:2:9: expected"), "{message}");
    let message = Own::files(&[("bad.desc", "no descriptors")]).error();
    assert!(message.starts_with("bad.desc: ") && message.contains("--include_imports"), "{message}");
    // a set with `syntax = "editions"`
    let message = Own::files(&[("new.binpb", "\n\x0f\n\x03a.bb\x08editions")]).error();
    assert!(message.starts_with("new.binpb: a.b: syntax 'editions' is not known"), "{message}");
    let message = Own::files(&[("readme.txt", "")]).error();
    assert!(message.starts_with("readme.txt: neither a .proto file nor"), "{message}");
    let missing = TypeOptions { proto: vec![PathBuf::from("missing.proto")], ..TypeOptions::default() };
    let message = Types::load(&missing).unwrap_err().to_string();
    assert!(message.starts_with("missing.proto: No such file"), "{message}");
}

#[test]
fn files_may_agree_on_a_type_but_not_differ() {
    let same = Own::files(&[("a/imu.proto", IMU), ("b/imu.proto", IMU)]);
    assert!(same.load().find("my.pkg.Imu").is_some());
    let other = IMU.replace("double", "float");
    let differing = Own::files(&[("a/imu.proto", IMU), ("b/imu.proto", &other)]);
    assert_eq!(
        differing.error(),
        "'my.pkg.Imu' is defined differently by a/imu.proto and b/imu.proto; leave one of them out"
    );
}

#[test]
fn the_users_definition_of_a_built_in_name_wins() {
    let own = Own::files(&[(
        "Log.proto",
        r#"syntax = "proto3"; package foxglove; message Log { int32 mine = 1; }"#,
    )]);
    let log = own.load().find("foxglove.Log").unwrap();
    assert_eq!(encoded(&log, r#"{"mine":1}"#), [8, 1]);
}

#[test]
fn older_syntax_works_but_for_groups() {
    let own = Own::files(&[(
        "old.proto",
        r#"syntax = "proto2"; message Old {
            required int32 id = 1; optional int32 level = 2 [default = 5]; repeated int32 list = 3;
            optional group Extra = 4 { optional int32 x = 1; }
        }"#,
    )]);
    let old = own.load().find("Old").unwrap();
    assert_eq!(encoded(&old, r#"{"id":0,"level":0,"list":[1,2]}"#), [8, 0, 16, 0, 24, 1, 24, 2]);
    assert_eq!(error(&old, r#"{"level":1}"#), "Old: field 'id' is required, but missing");
    let message = error(&old, r#"{"id":1,"extra":{"x":1}}"#);
    assert!(message.starts_with("field extra of Old: a group, which has no JSON form"), "{message}");
}

#[test]
fn more_fields_than_a_word_has_bits_are_told_apart() {
    let fields: Vec<_> = (1..=200).map(|number| format!("int32 f{number} = {number};")).collect();
    let text = format!(r#"syntax = "proto3"; message Wide {{ {} }}"#, fields.join(" "));
    let wide = Own::files(&[("wide.proto", &text)]).load().find("Wide").unwrap();
    let json: serde_json::Map<_, _> = (1..=200).map(|number| (format!("f{number}"), json!(number))).collect();
    assert_eq!(decoded(&wide, &encoded(&wide, &json!(json).to_string())), json!(json));
    assert_eq!(error(&wide, r#"{"f64":1,"f65":1,"f130":1,"f65":2}"#), "field f65 of Wide: given twice");
}

#[test]
fn imports_that_multiply_are_refused_at_once() {
    let file = |n: usize| {
        let imports: String =
            (n + 1..(n + 31).min(200)).map(|i| format!("import public \"{i}.proto\";\n")).collect();
        format!("syntax = \"proto3\";\n{imports}message M{n} {{}}\n")
    };
    let files: Vec<_> = (0..200).map(|n| (format!("{n}.proto"), file(n))).collect();
    let files: Vec<_> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let started = std::time::Instant::now();
    let error = Own::files(&files).naming(&["0.proto"]).error();
    assert!(error.contains("too many paths"), "{error}");
    assert!(started.elapsed() < std::time::Duration::from_secs(10));
}

#[test]
fn a_set_of_a_million_empty_files_is_refused() {
    let own = Own::files(&[("imu.proto", IMU)]);
    let path = own.path("empty.desc");
    std::fs::write(&path, b"\x0a\x00".repeat(1_000_000)).unwrap();
    let options = TypeOptions { proto: vec![path], ..TypeOptions::default() };
    assert!(Types::load(&options).unwrap_err().to_string().contains("more than 10000 files"));
}
