//! `info` from outside.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

use super::{refused, run, small_recording, stdout};

const DRIVE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/drive.mcap");

/// Runs `info` with what is given on stdin.
fn piped(arguments: &[&str], stdin: &[u8]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_foxglove-bridge"));
    command.arg("info").args(arguments).env_remove("RUST_LOG");
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(stdin).ok();
    child.wait_with_output().unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn parsed(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Some files in a folder; the paths of the folder and of the files.
fn folder(files: &[(&str, &[u8])]) -> (tempfile::TempDir, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let paths = files.iter().map(|(name, content)| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    });
    let paths = paths.collect();
    (folder, paths)
}

/// A recording that breaks off after its message.
fn cut_off() -> Vec<u8> {
    let whole = small_recording();
    whole[..whole.len() - 50].to_vec()
}

#[test]
fn info_on_a_missing_file_names_it() {
    let message = refused(&["info", "missing.mcap"], &[]);
    assert_eq!(message, "error: missing.mcap: there is no such file; check the path\n");
}

#[test]
fn info_shows_definitions_and_chunks_if_asked() {
    let asked = parsed(&run(&["info", DRIVE, "--json", "--schemas", "--chunks"], &[]));
    let messages: Option<u64> =
        asked["chunk_index"].as_array().unwrap().iter().map(|chunk| chunk["message_count"].as_u64()).sum();
    assert_eq!(messages, asked["message_count"].as_u64());
    assert_eq!(asked["chunk_index"][0]["first_log_time"], asked["start_time"]);
    let schemas = asked["schemas"].as_array().unwrap();
    let vehicle = schemas.iter().find(|schema| schema["name"] == "VehicleState").unwrap();
    assert!(vehicle["data"].as_str().unwrap().starts_with('{'), "{vehicle}");
    assert!(
        schemas.iter().any(|schema| schema["name"] == "foxglove.Log" && schema["data_base64"].is_string())
    );
    let text = stdout(&run(&["info", DRIVE, "--schemas", "--chunks"], &[]));
    assert!(
        text.contains("\nschema VehicleState (jsonschema)\n{") && text.contains("\nchunk at byte "),
        "{text}"
    );
    let plain = parsed(&run(&["info", DRIVE, "--json"], &[]));
    assert_eq!((plain.get("schemas"), plain.get("chunk_index")), (None, None));
}

#[test]
fn echo_prints_what_is_asked_of_a_recording() {
    let echo = |arguments: &[&str]| run(&[&["echo", DRIVE][..], arguments].concat(), &[]);
    let table = stdout(&echo(&["/localization/pose", "--csv", "--count", "2"]));
    let header = table.lines().next().unwrap();
    let fields = "pose.position.x,pose.position.y,pose.position.z,pose.orientation.x,pose.orientation.y";
    assert!(header.contains(fields), "{header}");
    let short = stdout(&echo(&["/scan", "--short", "--once"]));
    assert!(short.len() < 1000 && short.contains(" more\"]"), "{short}");
    let mixed = echo(&["/tf", "/log", "--csv", "--field", "message"]);
    assert!(stdout(&mixed).lines().skip(1).all(|line| line.contains(",/log,")), "rows without the field");
    let missing = echo(&["/tf", "/gps/fxi", "--once"]);
    assert!(said(&missing).contains("no topic matches /gps/fxi; the recording has "), "{}", said(&missing));
    assert!(said(&missing).contains("did you mean /gps/fix?"), "{}", said(&missing));
    let none = refused(&["echo", DRIVE, "/nope"], &[]);
    assert!(none.ends_with("; name one of them, or none for all\n"), "{none}");
    assert!(refused(&["echo", DRIVE, "--raw", "--short"], &[]).contains("cannot be used with"));
}

#[test]
fn info_tells_counts_times_and_with_check_sizes() {
    let quick = run(&["info", DRIVE, "--json"], &[]);
    assert_eq!((code(&quick), said(&quick).as_str()), (0, ""));
    let quick = parsed(&quick);
    assert_eq!(quick["message_count"], 867);
    let tf = &quick["channels"][0];
    // a small file is read whole for sizes and gaps
    assert_eq!(tf["topic"], "/tf");
    assert_eq!(tf["longest_gap"]["seconds"], 0.02);
    assert_eq!(tf["first_log_time"], quick["start_time"]);
    assert_eq!(tf["last_log_time"], quick["end_time"]);
    let checked = run(&["info", DRIVE, "--json", "--check"], &[]);
    assert_eq!(code(&checked), 0);
    let checked = parsed(&checked);
    assert_eq!((&quick["checked"], &checked["checked"]), (&json!(false), &json!(true)));
    assert!(checked["channels"][0]["bytes"].as_u64().unwrap() > 10_000);
    assert_eq!(tf["payloads"], Value::Null);
    for (quick, checked) in
        quick["channels"].as_array().unwrap().iter().zip(checked["channels"].as_array().unwrap())
    {
        let found = json!({ "checked": quick["message_count"], "misfits": 0, "first_misfit": null, "unchecked": null });
        let mut expected = quick.clone();
        expected["payloads"] = found;
        assert_eq!(&expected, checked);
    }
    let attachment = &checked["attachments"][0];
    assert_eq!((&attachment["crc"], &quick["attachments"][0]["crc"]), (&json!("matches"), &Value::Null));
    let text = stdout(&run(&["info", DRIVE, "--check"], &[]));
    assert!(text.contains("complete, no damage found\n") && text.contains("  size  "), "{text}");
    assert!(text.contains("\npayloads  867 decoded\n"), "{text}");
    assert!(!text.contains("misfit") && !text.contains("not checked"), "{text}");
}

/// A recording without chunks: of `/good` the second of three messages is too short for its schema, the schema of `/map`
/// is not supported, and nothing is known of the encoding of `/odd`.
fn with_a_misfit() -> Vec<u8> {
    let record = |opcode: u8, body: &[u8]| [&[opcode][..], &(body.len() as u64).to_le_bytes(), body].concat();
    let text = |text: &str| [&u32::try_from(text.len()).unwrap().to_le_bytes(), text.as_bytes()].concat();
    let schema = |id: u8, encoding: &str, data: &str| {
        record(3, &[&[id, 0][..], &text("pkg/msg/T"), &text(encoding), &text(data)].concat())
    };
    let channel = |id: u8, schema: u8, topic: &str, encoding: &str| {
        record(4, &[&[id, 0, schema, 0][..], &text(topic), &text(encoding), &[0; 4]].concat())
    };
    let message = |channel: u8, seconds: u64, payload: &[u8]| {
        let time = (seconds * 1_000_000_000).to_le_bytes();
        record(5, &[&[channel, 0, 0, 0, 0, 0][..], &time, &time, payload].concat())
    };
    let magic = b"\x89MCAP0\r\n";
    let whole = b"\0\x01\0\0\x07\0\0\0\x01\0\0\0a";
    [
        &magic[..],
        &record(1, &[0; 8]),
        &schema(1, "ros2msg", "uint32 number\nuint8[] list"),
        &schema(2, "ros2msg", "uint8 a\nwstring w"),
        &schema(3, "jsonschema", "{}"),
        &channel(1, 1, "/good", "cdr"),
        &channel(2, 2, "/map", "cdr"),
        &channel(3, 1, "/odd", "smoke"),
        &message(1, 1, whole),
        &message(1, 2, &whole[..12]),
        &message(1, 3, whole),
        &message(2, 4, whole),
        &message(3, 5, b"?"),
        &record(15, &[0; 4]),
        &record(2, &[0; 20]),
        magic,
    ]
    .concat()
}

#[test]
fn a_payload_that_does_not_fit_its_schema_is_found_by_check() {
    let bytes = with_a_misfit();
    let (_folder, files) = folder(&[("a.mcap", &bytes), ("plain.mcap", &small_recording())]);
    assert_eq!(code(&run(&["info", &files[0]], &[])), 0, "a quick look does not decode");
    let checked = run(&["info", &files[0], "--check"], &[]);
    let text = stdout(&checked);
    assert_eq!((code(&checked), said(&checked).as_str()), (4, ""), "{text}");
    let bad = bytes
        .windows(31)
        .position(|window| window[0] == 5 && window[15..23] == 2_000_000_000u64.to_le_bytes());
    let bad = bad.unwrap();
    let expected = [
        "\npayloads  3 decoded, 1 does not fit, 2 not checked\n",
        "\nmisfit: /good: 1 of 3 messages does not fit pkg/msg/T; the first has the log time 2.000000000 s and is in the record at byte ",
        &format!(" {bad}: list: "),
        " (byte 12 of the payload)\n",
        "\nnot checked: 1 message of /map: schema pkg/msg/T can't be used: line 2 of the definition: wstring",
        "\nnot checked: 1 message of /odd: there is no decoder for the encoding 'smoke'\n",
    ];
    for part in expected {
        assert!(text.contains(part), "{part}: {text}");
    }
    let schemas = stdout(&run(&["info", &files[0], "--schemas"], &[]));
    assert!(schemas.contains("\nschema pkg/msg/T (jsonschema)\n{}\n"), "no channel has it: {schemas}");
    for output in [run(&["info", &files[0], "--check", "--json"], &[]), piped(&["-", "--json"], &bytes)] {
        assert_eq!(code(&output), 4);
        let found = parsed(&output);
        assert_eq!((&found["damage"], &found["complete"]), (&json!([]), &json!(true)));
        let good = &found["channels"][0]["payloads"];
        assert_eq!(
            (&good["checked"], &good["misfits"], &good["unchecked"]),
            (&json!(3), &json!(1), &Value::Null)
        );
        let first = &good["first_misfit"];
        assert_eq!(
            (&first["log_time"], &first["offset"], &first["payload_offset"], &first["field"]),
            (&json!("2000000000"), &json!(bad), &json!(12), &json!("list"))
        );
        assert_eq!(found["channels"][1]["payloads"]["misfits"], 0);
    }
    let several = run(&["info", &files[0], &files[1], "--check"], &[]);
    assert_eq!(code(&several), 4);
    assert!(
        stdout(&several).contains("total     2 files, ") && stdout(&several).contains(", 1 with misfits\n")
    );
    assert_eq!(code(&run(&["info", &files[1], "--check"], &[])), 0);
}

#[test]
fn several_inputs_are_shown_with_their_totals_and_an_unreadable_one_keeps_none_away() {
    let (_folder, files) =
        folder(&[("a.mcap", &small_recording()), ("b.jsonl", br#"{"topic":"/b","data":{}}"#)]);
    let output = run(&["info", &files[0], "missing.mcap", &files[1]], &[]);
    assert_eq!(code(&output), 2);
    assert_eq!(said(&output), "error: missing.mcap: there is no such file; check the path\n");
    let text = stdout(&output);
    assert!(text.starts_with(&format!("file      {}\n", files[0])), "{text}");
    assert!(text.contains(&format!("\n\n\nfile      {}\nformat    JSON lines\n", files[1])), "{text}");
    assert!(text.contains("\n\n\ntotal     2 files, ") && text.contains("; 1 can't be read\n"), "{text}");
    assert!(text.ends_with("messages  2\n"), "{text}");
}

#[test]
fn json_is_an_object_for_one_input_and_an_array_for_a_folder_or_several() {
    let (folder, files) = folder(&[("a.mcap", &small_recording())]);
    let folder = folder.path().to_str().unwrap();
    let one = parsed(&run(&["info", "--json", &files[0]], &[]));
    assert_eq!(one["file"], json!(files[0]));
    assert_eq!(parsed(&run(&["info", "--json", folder], &[])), json!([one]), "a folder, whatever is in it");
    let some = run(&["info", "--json", &files[0], "missing.mcap"], &[]);
    assert_eq!(code(&some), 2);
    let some = parsed(&some);
    assert_eq!(some[0], one);
    let error = "missing.mcap: there is no such file; check the path";
    assert_eq!(some[1], json!({ "file": "missing.mcap", "error": error }));
    let none = run(&["info", "--json", "missing.mcap", "absent.mcap"], &[]);
    assert_eq!((code(&none), parsed(&none).as_array().unwrap().len()), (2, 2));
}

#[test]
fn stdin_is_a_recording_or_lines() {
    let drive = std::fs::read(DRIVE).unwrap();
    let mcap = piped(&["-", "--json"], &drive);
    assert_eq!((code(&mcap), said(&mcap).as_str()), (0, ""));
    let mut mcap = parsed(&mcap);
    let mut file = parsed(&run(&["info", DRIVE, "--json", "--check"], &[]));
    assert_eq!(mcap["file"].take(), "stdin");
    file["file"].take();
    assert_eq!(mcap, file);

    let lines = b"{\"topic\":\"/a\",\"log_time\":5,\"data\":{}}\n{\"topic\":\"/a\",\"data\":{}}\n";
    let output = piped(&["-", "--json"], lines);
    assert_eq!(code(&output), 0);
    let object = parsed(&output);
    assert_eq!((&object["format"], &object["message_count"]), (&json!("json_lines"), &json!(2)));
    assert_eq!(object["channels"][0]["first_log_time"], "5000000000");
    assert_eq!(object["channels"][0]["bytes"], 4);
    let bad = piped(&["-", "--json"], &[&lines[..], b"no line\n"].concat());
    assert_eq!((code(&bad), &parsed(&bad)["damage"]), (4, &json!(["1 line can't be used"])));

    for (bytes, reason) in [
        (&b""[..], "is empty"),
        (b"#ROSBAG V2.0\n", "is a ROS 1 bag"),
        (b"\x1f\x8b\x08\0", "gunzip"),
        (b"no line\n", "nothing can be used of 1 line"),
    ] {
        let output = piped(&["-"], bytes);
        assert_eq!((code(&output), stdout(&output).as_str()), (2, ""));
        assert!(said(&output).contains(reason), "{}", said(&output));
    }
    assert!(refused(&["info", "-", "-"], &[]).contains("name - once"));
}

#[test]
fn lines_are_read_as_serve_reads_them() {
    let table = b"time,x\n1.5,2\n4.5,3\n";
    let proto = b"syntax = \"proto3\"; package my; message Point { double x = 1; }";
    let line = br#"{"topic":"/p","schema":"my.Point","data":{"x":1}}"#;
    let (_folder, files) =
        folder(&[("t.csv", table), ("p.proto", proto), ("p.jsonl", line), ("o.jsonl", b"{\"x\":1}\n")]);
    let as_table = ["--csv", "--default-topic", "/t", "--time-field", "time"];
    let object = parsed(&run(&[&["info", "--json", &files[0]], &as_table[..]].concat(), &[]));
    let channel = &object["channels"][0];
    assert_eq!((&channel["topic"], &channel["message_count"]), (&json!("/t"), &json!(2)));
    assert_eq!((&object["format"], &object["duration_seconds"]), (&json!("json_lines"), &json!(3.0)));
    let piped = piped(&[&["-", "--json"], &as_table[..]].concat(), table);
    assert_eq!(parsed(&piped)["channels"], object["channels"]);
    let typed = parsed(&run(&["info", "--json", &files[2], "--proto", &files[1]], &[]));
    assert_eq!(typed["channels"][0]["schema"], json!({ "name": "my.Point", "encoding": "protobuf" }));

    // what is missing is named as it is written here
    assert!(
        refused(&["info", &files[0]], &[])
            .ends_with("; --csv --default-topic /t reads comma separated values\n")
    );
    assert!(refused(&["info", &files[2]], &[]).ends_with("; --proto FILE adds types\n"));
    assert!(
        refused(&["info", &files[3]], &[])
            .ends_with("; --default-topic /t takes whole lines as messages on it\n")
    );
    assert!(
        refused(&["info", &files[0], "--csv"], &[]).starts_with("error: --csv needs --default-topic as well")
    );
    assert!(
        refused(&["info", DRIVE, "--nan", "string"], &[]).starts_with("error: --nan: it is for JSON lines")
    );
}

#[test]
fn a_recording_that_is_cut_off_is_shown_and_has_its_exit_code_one_without_an_index_has_not() {
    let (_folder, files) = folder(&[("cut.mcap", &cut_off()), ("plain.mcap", &small_recording())]);
    let cut = run(&["info", &files[0]], &[]);
    assert_eq!((code(&cut), said(&cut).as_str()), (4, ""));
    assert!(stdout(&cut).contains("B, incomplete\n") && stdout(&cut).contains("recovered 1 messages"));
    assert_eq!(code(&piped(&["-"], &cut_off())), 4);
    assert_eq!(code(&run(&["info", &files[0], &files[1]], &[])), 4);
    assert_eq!(code(&run(&["info", &files[0], "missing.mcap"], &[])), 2, "what can't be read counts first");
    for arguments in [&["info", &files[1]][..], &["info", &files[1], "--check"]] {
        assert_eq!(code(&run(arguments, &[])), 0);
    }
}

#[test]
#[cfg(unix)]
fn a_reader_that_has_had_enough_is_no_failure() {
    let (_folder, files) = folder(&[("a.mcap", &cut_off()), ("b.mcap", &small_recording())]);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = Command::new(env!("CARGO_BIN_EXE_foxglove-bridge"));
    let output = command.arg("info").args(&files).arg("missing.mcap").stdout(writer).output().unwrap();
    assert_eq!((code(&output), said(&output).as_str()), (0, ""));
}

#[test]
fn recordings_that_were_joined_are_no_damage() {
    let drive = std::fs::read(DRIVE).unwrap();
    let (_folder, paths) = folder(&[("joined.mcap", &[&drive[..], &drive].concat())]);
    let output = run(&["info", &paths[0], "--json", "--check"], &[]);
    let found = parsed(&output);
    assert_eq!((code(&output), &found["damage"]), (0, &json!([])), "{}", said(&output));
    assert_eq!(found["message_count"], 2 * 867);
}

#[test]
fn attachments_are_copied_to_stdout_or_to_a_new_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rover.urdf");
    let path = path.to_str().unwrap();
    let output = run(&["info", DRIVE, "--attachment", "rover.urdf"], &[]);
    assert_eq!((code(&output), said(&output).as_str()), (0, ""));
    assert!(stdout(&output).starts_with("<?xml") || stdout(&output).starts_with("<robot"));
    for to in [path, "-"] {
        let copied = run(&["info", DRIVE, "--attachment", "rover.urdf", "-o", to], &[]);
        assert_eq!(code(&copied), 0, "{}", said(&copied));
    }
    assert_eq!(std::fs::read(path).unwrap(), output.stdout);
    std::fs::write(path, "mine").unwrap();
    let refusal = refused(&["info", DRIVE, "--attachment", "rover.urdf", "-o", path], &[]);
    assert!(refusal.contains("exists already"), "{refusal}");
    assert_eq!(std::fs::read(path).unwrap(), b"mine");
    assert!(!Path::new("-").exists());
    let unknown = refused(&["info", DRIVE, "--attachment", "map"], &[]);
    assert!(unknown.ends_with("there are: rover.urdf, first_frame.jpg\n"), "{unknown}");
    assert!(refused(&["info", DRIVE, DRIVE, "--attachment", "map"], &[]).contains("name one"));
    assert!(refused(&["info", "-", "--attachment", "map"], &[]).contains("an .mcap file"));
    for other in ["--json", "--check"] {
        assert!(refused(&["info", DRIVE, "--attachment", "map", other], &[]).contains("cannot be used with"));
    }
    assert!(refused(&["info", DRIVE, "-o", path], &[]).contains("--attachment"));
}

#[test]
fn a_damaged_attachment_is_copied_and_told() {
    let mut bytes = std::fs::read(DRIVE).unwrap();
    let name = bytes.windows(10).position(|window| window == b"rover.urdf").unwrap();
    let end = bytes[name..].windows(8).position(|window| window == b"</robot>").unwrap();
    bytes[name + end] = b'?';
    let (_folder, files) = folder(&[("a.mcap", &bytes)]);
    let output = run(&["info", &files[0], "--attachment", "rover.urdf"], &[]);
    assert_eq!(code(&output), 4);
    assert!(said(&output).contains("attachment rover.urdf is damaged (CRC)"), "{}", said(&output));
    assert!(stdout(&output).contains("?/robot>"));
    assert_eq!(code(&run(&["info", &files[0]], &[])), 0, "a quick look does not read it");
    assert_eq!(code(&run(&["info", &files[0], "--check"], &[])), 4);
}
