//! The command line from outside: arguments, exit codes, what goes to stdout and what to stderr.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::{Command, Output, Stdio};

#[path = "cli/info.rs"]
mod info;
#[cfg(unix)]
#[path = "cli/readme.rs"]
mod readme;

/// Runs the program in an environment without settings of its own.
fn run(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_foxglove-bridge"));
    command.args(arguments).stdin(Stdio::null());
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("FOXGLOVE_BRIDGE_")) {
        command.env_remove(name);
    }
    command.env_remove("RUST_LOG").envs(variables.iter().copied()).output().unwrap()
}

/// A recording of one message on `/odom`, without a summary.
fn small_recording() -> Vec<u8> {
    let record = |opcode: u8, body: &[u8]| [&[opcode][..], &(body.len() as u64).to_le_bytes(), body].concat();
    let text = |text: &str| [&u32::try_from(text.len()).unwrap().to_le_bytes(), text.as_bytes()].concat();
    let channel = [&[1, 0, 0, 0][..], &text("/odom"), &text("json"), &[0; 4]].concat();
    let time = 1_700_000_000_000_000_000u64.to_le_bytes();
    let message = [&[1, 0, 0, 0, 0, 0][..], &time, &time, b"{}"].concat();
    let magic = b"\x89MCAP0\r\n";
    let records =
        [record(1, &[0; 8]), record(4, &channel), record(5, &message), record(15, &[0; 4])].concat();
    [&magic[..], &records, &record(2, &[0; 20]), magic].concat()
}

/// Plays to the end with what is given on stdin; what it logged.
#[track_caller]
fn played(arguments: &[&std::ffi::OsStr], stdin: &[u8], code: i32) -> String {
    use std::io::Write;
    let mut command = Command::new(env!("CARGO_BIN_EXE_foxglove-bridge"));
    command.args(["serve", "-p", "0", "--no-progress", "--rate", "max"]).args(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(stdin).ok();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{said}");
    said
}

#[test]
fn an_option_that_matches_nothing_is_warned_of() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.mcap");
    std::fs::write(&path, small_recording()).unwrap();
    let options = [
        "--start-on=launch",
        "--at-end=exit",
        "--remap=topic1:=/x",
        "--throttle=nosuch=5",
        "-xnosuch",
        "--latch=nosuch",
    ];
    let mut arguments: Vec<&std::ffi::OsStr> = options.iter().map(AsRef::as_ref).collect();
    arguments.extend(["--start=10".as_ref(), path.as_os_str()]);
    let said = played(&arguments, b"", 0);
    for word in [
        "--remap topic1=/x",
        "--throttle nosuch=5",
        "--exclude nosuch",
        "--latch nosuch",
        "--start 0.000000010 s",
    ] {
        assert_eq!(said.matches(word).count(), 1, "{word}: {said}");
    }
}

#[test]
fn the_lines_of_the_readme_are_a_recording_without_a_fault() {
    let readme = include_str!("../README.md");
    let (_, rest) = readme.split_once("### JSON lines\n\n```json\n").unwrap();
    let (lines, _) = rest.split_once("```").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lines.jsonl");
    std::fs::write(&path, lines).unwrap();
    let output = run(&["info", path.to_str().unwrap(), "--check", "--json"], &[]);
    let (text, said) = (stdout(&output), String::from_utf8_lossy(&output.stderr));
    assert_eq!((output.status.code(), &*said), (Some(0), ""));
    let found: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&found["message_count"], found["channels"].as_array().unwrap().len()), (&2.into(), 2));
    let options = ["--start-on=launch".as_ref(), "--at-end=exit".as_ref(), path.as_os_str()];
    let said = played(&options, b"", 0);
    assert!(said.contains("2 channels, 2 messages") && !said.contains("WARN"), "{said}");
}

#[test]
#[cfg(target_os = "linux")]
fn a_file_whose_name_is_not_utf8_is_played() {
    use std::os::unix::ffi::OsStrExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(std::ffi::OsStr::from_bytes(b"b\xff.mcap"));
    std::fs::write(&path, small_recording()).unwrap();
    let said = played(&["--start-on=launch".as_ref(), "--at-end=exit".as_ref(), path.as_os_str()], b"", 0);
    assert!(said.contains("Serving b\u{fffd}.mcap (") && said.contains("1 message"), "{said}");
}

#[test]
fn a_stream_in_which_nothing_can_be_read_fails_at_once() {
    let magic = b"\x89MCAP0\r\n";
    let exit: [&std::ffi::OsStr; 2] = ["-".as_ref(), "--on-eof=exit".as_ref()];
    let keep = [exit[0]];
    let paused = [exit[0], "--start-paused".as_ref()];
    let lines = [exit[0], "--paced".as_ref(), "--start-paused".as_ref()];
    let recording = small_recording();
    let without_message = &recording[..recording.windows(2).position(|pair| pair == [5, 24]).unwrap()];
    for (stdin, word) in [
        (&b"\x89MCAP1\r\n\0\0\0\0\0\0\0\0"[..], "another version"),
        (b"\x89MCAP0\n\x01\x08\0\0\0\0\0\0\0", "text mode"),
        (b"\x89MCA", "not an MCAP recording"),
        (magic, "no message to recover"),
        (without_message, "no message to recover"),
        (&[without_message, &[0; 100]].concat(), "no message to recover"),
    ] {
        for arguments in [&exit[..], &keep, &paused] {
            let said = played(arguments, stdin, 2);
            assert!(said.lines().last().unwrap().contains(word), "{said}");
        }
    }
    let said = played(&lines, b"no object at all\n", 2);
    assert!(said.lines().last().unwrap().contains("nothing can be used"), "{said}");
    let said = played(&[keep[0], "-t=/nosuch".as_ref()], &recording, 2);
    let way_out = "stdin: no topic is chosen; the recording has 1 topic: /odom; change --topic or --exclude";
    assert!(said.lines().last().unwrap().contains(way_out), "{said}");
    let record = |opcode: u8, length: usize| {
        [&[opcode][..], &(length as u64).to_le_bytes(), &vec![0; length]].concat()
    };
    let empty = [&magic[..], &record(1, 8), &record(15, 4), &record(2, 20), magic].concat();
    played(&exit, &empty, 0);
}

#[test]
fn a_table_is_served_with_the_option_that_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("flight.CSV");
    std::fs::write(&path, "1,2\n3,4\n").unwrap();
    let launch: [&std::ffi::OsStr; 3] =
        [path.as_os_str(), "--start-on=launch".as_ref(), "--at-end=exit".as_ref()];
    let said = played(&launch, b"", 2);
    assert!(said.contains("--csv --default-topic /t"), "{said}");
    let said = played(&[&launch[..], &["--csv".as_ref(), "--default-topic=/t".as_ref()]].concat(), b"", 0);
    assert!(said.contains("1 message") && said.contains("\"1,2\" has numbers only"), "{said}");
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// Asserts that the arguments are refused with code 2, on stderr alone, and gives the message.
#[track_caller]
fn refused(arguments: &[&str], variables: &[(&str, &str)]) -> String {
    let output = run(arguments, variables);
    let message = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(2), "{message}");
    assert_eq!(stdout(&output), "");
    message
}

#[test]
fn help_and_version_go_to_stdout_and_are_a_success() {
    let help = run(&["--help"], &[]);
    assert_eq!(help.status.code(), Some(0));
    assert!(stdout(&help).contains("Exit codes:") && stdout(&help).contains("serve"));
    let version = run(&["--version"], &[]);
    assert_eq!(stdout(&version), format!("foxglove-bridge {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn the_help_of_serve_groups_its_options_and_ends_in_examples() {
    let help = stdout(&run(&["serve", "--help"], &[]));
    for heading in ["Server:", "Playback:", "What to play:", "JSON lines:", "Delivery:", "Log:", "Examples:"]
    {
        assert!(help.contains(&format!("\n{heading}\n")), "{heading}");
    }
    assert!(!help.contains("start-on-clients"), "hidden");
}

#[test]
fn without_arguments_the_help_is_shown_as_an_error() {
    assert!(refused(&[], &[]).contains("Usage: foxglove-bridge"));
}

#[test]
fn unknown_commands_and_flags_are_refused_with_the_likely_one() {
    assert!(refused(&["serv"], &[]).contains("'serve'"));
    assert!(refused(&["serve", "--lop", "a.mcap"], &[]).contains("'--loop'"));
}

#[test]
fn serve_without_a_recording_says_how_to_name_one() {
    let message = refused(&["serve"], &[]);
    assert_eq!(
        message,
        "error: no source given; name a recording (foxglove-bridge serve drive.mcap), or - for stdin\n"
    );
}

#[test]
fn a_file_without_a_name_is_refused() {
    // a shell's variable that is not set
    for flag in ["--record", "--ready-file"] {
        let message = refused(&["serve", "a.mcap", flag, ""], &[]);
        assert!(message.contains(flag), "{message}");
    }
}

#[test]
fn a_bad_value_is_named_by_its_flag() {
    for (flag, value, way_out) in [
        ("--rate", "0", "0.01 to 1000"),
        ("--rate", "-1", "0.01 to 1000"),
        ("--port", "70000", "0 to 65535"),
        ("--host", "robot.local", "127.0.0.1"),
        ("--start", "yesterday", "+12.5s"),
        ("--playback-duration", "1h30", "1h30m"),
        ("--topic", "a{b", "/camera/*"),
        ("--latch", "/(/", "/camera/*"),
        ("--client-buffer", "16M", "MiB"),
        ("--client-buffer", "0", "too small"),
        ("--topic", "/[/", "pattern: unclosed character class; write"),
        ("--at-end", "leave", "stay"),
    ] {
        let message = refused(&["serve", "a.mcap", flag, value], &[]);
        assert!(message.starts_with(&format!("error: {flag}: '{value}'")), "{message}");
        assert!(message.contains(way_out), "{message}");
    }
}

#[test]
fn a_bad_value_in_the_environment_is_named_by_its_variable() {
    let message = refused(&["serve", "a.mcap"], &[("FOXGLOVE_BRIDGE_RATE", "fast")]);
    assert!(message.starts_with("error: FOXGLOVE_BRIDGE_RATE: 'fast'"), "{message}");
    let message = refused(&["info", "a.mcap"], &[("FOXGLOVE_BRIDGE_LOG_FORMAT", "xml")]);
    assert!(message.starts_with("error: FOXGLOVE_BRIDGE_LOG_FORMAT: 'xml'"), "{message}");
}

#[test]
fn a_bad_config_file_is_named_with_the_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bridge.toml");
    let path = path.to_str().unwrap();
    let missing = refused(&["serve", "a.mcap", "--config", path], &[]);
    assert!(missing.contains(&format!("--config {path}")), "{missing}");

    std::fs::write(path, "port = 9000\nlop = true\n").unwrap();
    let expected = format!("error: {path}:2: unknown key 'lop'; did you mean 'loop'?\n");
    assert_eq!(refused(&["serve", "a.mcap", "--config", path], &[]), expected);
    assert_eq!(refused(&["serve", "a.mcap"], &[("FOXGLOVE_BRIDGE_CONFIG", path)]), expected);
    std::fs::write(path, "rate = 1\nport = 1 x\n").unwrap();
    let message = refused(&["serve", "a.mcap", "--config", path], &[]);
    assert!(message.starts_with(&format!("error: {path}:2: 'port = 1 x' can't be read: ")), "{message}");
}

#[test]
fn an_empty_variable_counts_as_not_set() {
    let message = refused(&["serve"], &[("FOXGLOVE_BRIDGE_PORT", ""), ("FOXGLOVE_BRIDGE_CONFIG", "")]);
    assert!(message.contains("no source given"), "{message}");
}

#[test]
fn contradicting_log_flags_are_refused() {
    assert!(refused(&["info", "a.mcap", "-v", "-q"], &[]).contains("cannot be used with"));
    let message = refused(&["info", "a.mcap"], &[("RUST_LOG", "a=b=c")]);
    assert!(message.starts_with("error: RUST_LOG: 'a=b=c' is not a filter"), "{message}");
    assert_eq!(message.matches("expected one of").count(), 1, "{message}");
}

#[test]
fn options_that_leave_nothing_to_play_are_named() {
    let drive = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/drive.mcap");
    for (options, says, way_out) in [
        (
            &["--topic", "/none"][..],
            "no topic is chosen; the recording has",
            "; change --topic or --exclude\n",
        ),
        (&["--start", "+9h"], "is after the last message", "; change --start\n"),
        (
            &["--end", "1970-01-01T00:00:01Z"],
            "is before the first message",
            "; change --end or --playback-duration\n",
        ),
        (
            &["--start", "+2s", "--end", "2026-01-01T10:00:01Z"],
            "is before the start",
            "; change --start or --end\n",
        ),
    ] {
        let message = refused(&[&["serve", drive, "--port", "0"], options].concat(), &[]);
        assert!(message.starts_with(&format!("error: {drive}: ")), "{message}");
        assert!(message.contains(says) && message.ends_with(way_out), "{message}");
    }
}

#[test]
#[cfg(unix)]
fn a_reader_that_closes_stdout_early_is_no_failure() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = Command::new(env!("CARGO_BIN_EXE_foxglove-bridge"));
    let status = command.args(["serve", "--help"]).stdin(Stdio::null()).stdout(writer).status().unwrap();
    assert_eq!(status.code(), Some(0));
}

#[test]
#[cfg(unix)]
fn an_address_of_another_computer_is_refused_with_one_reason() {
    // of documentation (RFC 5737)
    let output = run(&["demo", "json", "--host", "192.0.2.1"], &[]);
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(message.starts_with("error: can't listen on 192.0.2.1:8765: "), "{message}");
    assert_eq!(message.matches("os error").count(), 1, "{message}");
}

#[test]
fn names_of_other_programs_are_answered_with_those_of_this_one() {
    assert!(refused(&["drive.mcap"], &[]).contains("serve drive.mcap"));
    assert!(refused(&["replay", "drive.mcap"], &[]).contains("'serve'"));
    assert!(refused(&["play", "drive.mcap"], &[]).contains("foxglove-bridge serve drive.mcap"));
    assert!(refused(&["serve", "tcp://[::1]:9000"], &[]).contains("tcp-listen://[::1]:9000"));
    assert!(refused(&["serve", "drive.mcap", "--speed", "2"], &[]).contains("'--rate'"));
    assert!(refused(&["serve", "drive.mcap", "--start-offset", "2"], &[]).contains("'--start +12.5s'"));
    assert!(refused(&["serve", "drive.mcap", "--address", "::"], &[]).contains("'--host'"));
}

#[test]
#[cfg(unix)]
fn what_can_be_read_only_once_is_for_stdin() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let pipe = pipe.to_str().unwrap();
    let message = refused(&["serve", pipe], &[]);
    assert!(message.contains("is a pipe") && message.ends_with(&format!("serve - < {pipe}\n")), "{message}");
    assert!(refused(&["serve", "/dev/zero"], &[]).ends_with("serve - < /dev/zero\n"));
    assert!(refused(&["serve", "a.mcap", "--config", "/dev/zero"], &[]).contains("more than 1 MiB"));
}

#[test]
fn options_that_do_not_fit_are_refused_as_flags_and_left_out_from_the_environment() {
    let message = refused(&["serve", "a.mcap", "--paced"], &[]);
    assert!(message.starts_with("error: --paced: it is for stdin alone"), "{message}");
    let variables = [("FOXGLOVE_BRIDGE_PACED", "true"), ("FOXGLOVE_BRIDGE_LOP", "2")];
    let message = refused(&["serve", "missing.mcap"], &variables);
    assert!(message.contains("WARN FOXGLOVE_BRIDGE_PACED is left out: it is for stdin alone"), "{message}");
    assert!(
        message.contains("FOXGLOVE_BRIDGE_LOP: there is no such setting; did you mean FOXGLOVE_BRIDGE_LOOP?")
    );
    assert!(message.contains("error: missing.mcap"), "{message}");
}

#[test]
fn what_others_wrote_does_not_reach_the_terminal_as_it_is() {
    let message = refused(&["serve", "\x1b[31mred.mcap"], &[]);
    assert!(message.contains("\\u{1b}[31mred.mcap") && !message.contains('\x1b'), "{message:?}");
}

#[test]
fn the_last_error_is_an_object_if_that_is_asked_for() {
    for arguments in [&["serve", "missing.mcap"][..], &["serve", "--lop"]] {
        let message = refused(arguments, &[("FOXGLOVE_BRIDGE_LOG_FORMAT", "json")]);
        let object: serde_json::Value = serde_json::from_str(&message).unwrap();
        assert_eq!(object["level"], "ERROR", "{message}");
    }
}

#[test]
fn record_says_what_it_takes_and_makes_no_file_otherwise() {
    let folder = tempfile::tempdir().unwrap();
    let new = folder.path().join("new.mcap");
    let output = new.to_str().unwrap();
    for (arguments, word) in [
        (&["record", "drive.mcap", "-o", output][..], "record - -o NEW < FILE"),
        (&["record", "-", "-o", "-", "--split-size", "2MiB"], "--split-size"),
        (&["record", "-"], "--output <FILE>"),
        (&["record", "ws://localhost:1", "-o", output, "--raw", "--default-topic", "/a"], "stdin (-)"),
        (&["record", "-", "-o", output, "--duration", "0"], "--duration"),
        (
            &["record", "-", "-o", output, "--max-files", "3"],
            "--max-files: it is for a recording of several files",
        ),
        (&["record", "-", "-o", output, "-t", "/(/"], "--topic"),
        (&["record", "-", "-o", "/nosuch/folder/a.mcap"], "/nosuch/folder/a.mcap: can't be created"),
    ] {
        let message = refused(arguments, &[]);
        assert!(message.contains(word), "{arguments:?}: {message}");
    }
    let output = run(&["record", "ws://localhost:1", "-o", output], &[]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(!new.exists());
}

#[test]
fn echo_of_a_recording_that_is_cut_off_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cut.mcap");
    let whole = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/drive.mcap")).unwrap();
    std::fs::write(&path, &whole[..3_000_000]).unwrap();
    let path = path.to_str().unwrap();
    for (arguments, code) in [
        (&["echo", path][..], 4),
        (&["echo", path, "/map"], 4),
        (&["echo", path, "--once"], 0),
        (&["echo", path, "--end", "+1s"], 0),
    ] {
        let output = run(arguments, &[]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        assert!(said.contains("cut.mcap is damaged"), "{arguments:?}: {said}");
    }
}

#[test]
fn a_field_that_no_message_has_fails() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.mcap");
    std::fs::write(&path, small_recording()).unwrap();
    for form in [&[][..], &["--csv"], &["--once"]] {
        let output = run(&[&["echo", path.to_str().unwrap(), "--field", "nope"], form].concat(), &[]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{form:?}: {said}");
        assert!(said.contains("/odom: its message has no nope (it has "), "{form:?}: {said}");
        assert!(said.contains("error: no message has nope"), "{form:?}: {said}");
        assert!(output.stdout.is_empty(), "{form:?}");
    }
}

#[test]
fn what_is_no_address_of_a_server_says_how_one_looks() {
    for address in ["http://localhost:9", "localhost:9"] {
        for command in [&["info"][..], &["echo"], &["record", "-o", "/nosuch/a.mcap"]] {
            let message = refused(&[command, &[address]].concat(), &[]);
            assert!(message.contains("ws://HOST:PORT"), "{command:?} {address}: {message}");
        }
    }
}

#[test]
fn numbers_of_playback_and_parameters_are_checked() {
    let url = "ws://localhost:1";
    assert!(refused(&["step", url, "0"], &[]).contains("at least 1"));
    assert!(refused(&["rate", url, "0"], &[]).contains("a number above zero, or max"));
    for arguments in [
        &["param", url, "set", "x", "-5"][..],
        &["param", url, "list", "--timeout", "3s"],
        &["param", "--timeout", "3s", url, "list"],
        &["rate", url, "max"],
    ] {
        // understood: there is nobody to talk to
        let output = run(arguments, &[]);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {output:?}");
    }
}

#[test]
fn record_of_an_empty_stdin_is_warned_of() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(&["record", "-", "-o", folder.path().join("a.mcap").to_str().unwrap()], &[]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("there was no message on stdin"), "{said}");
}
