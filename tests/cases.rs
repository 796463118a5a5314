//! The small bad inputs of the folder `../shared/cases`, through the program: as a file, from a pipe and in `info`.
//!
//! Where the folder is missing the tests are ignored, with `CI=true` they fail. What is of no file there is made here.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::Value;

/// No run needs so long, on however busy a computer.
const TIMEOUT: Duration = Duration::from_secs(60);

/// What was said, and how it ended.
struct Run {
    code: Option<i32>,
    said: String,
    out: Vec<u8>,
}

/// Reads all of an output while the program runs.
fn read(mut output: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        output.read_to_end(&mut bytes).unwrap();
        bytes
    })
}

impl Run {
    fn of(arguments: &[&str], stdin: Stdio) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_foxglove-bridge"));
        command.args(arguments).stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (out, said) = (read(child.stdout.take().unwrap()), read(child.stderr.take().unwrap()));
        let begin = Instant::now();
        while child.try_wait().unwrap().is_none() {
            if begin.elapsed() > TIMEOUT {
                child.kill().unwrap();
                break;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let code = child.wait().unwrap().code();
        let said = String::from_utf8_lossy(&said.join().unwrap()).into_owned();
        Self { code, said, out: out.join().unwrap() }
    }

    #[track_caller]
    fn expect(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, Some(code), "{}", self.said);
        for word in words {
            assert!(self.said.contains(word), "{word:?} is not in: {}", self.said);
        }
    }
}

/// A file, as it is served whole, recorded, and read again.
struct Case {
    folder: tempfile::TempDir,
    path: PathBuf,
}

/// Ways in which the program gets a file.
#[derive(Clone, Copy, Debug, PartialEq)]
enum As {
    File,
    Pipe,
}

impl Case {
    fn new(path: PathBuf) -> Self {
        Self { folder: tempfile::tempdir().unwrap(), path }
    }

    /// One with this content.
    fn made(name: &str, content: &[u8]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        Self { folder, path }
    }

    fn path(&self) -> &str {
        self.path.to_str().unwrap()
    }

    fn serve(&self, way: As, options: &[&str]) -> Run {
        let always = ["serve", "-p", "0", "--no-progress", "--rate", "max", "--start-on", "launch"];
        let (source, stdin): (&[&str], Stdio) = match way {
            As::File => (&[self.path(), "--at-end", "exit"], Stdio::null()),
            As::Pipe => (&["-", "--on-eof", "exit"], File::open(&self.path).unwrap().into()),
        };
        Run::of(&[&always, source, options].concat(), stdin)
    }

    /// The recording of what is served: topic, messages, name of the schema.
    fn recorded(&self, way: As) -> (Run, Vec<(String, u64, Option<String>)>) {
        let record = self.folder.path().join(format!("{way:?}.mcap"));
        let record = record.to_str().unwrap();
        let run = self.serve(way, &["--record", record]);
        let info = Run::of(&["info", "--json", record], Stdio::null());
        assert_eq!(info.code, Some(0), "{}", info.said);
        (run, topics(&info.json()))
    }

    fn info(&self) -> Run {
        Run::of(&["info", "--json", self.path()], Stdio::null())
    }
}

impl Run {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.out).unwrap()
    }
}

fn topics(info: &Value) -> Vec<(String, u64, Option<String>)> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    info["channels"]
        .as_array()
        .unwrap()
        .iter()
        .map(|channel| {
            let count = channel["message_count"].as_u64().unwrap();
            (text(&channel["topic"]).unwrap(), count, text(&channel["schema"]["name"]))
        })
        .collect()
}

fn topic(name: &str, count: u64) -> (String, u64, Option<String>) {
    (name.to_owned(), count, None)
}

/// One string that is not UTF-8 costs nothing: every message plays, with one warning.
fn not_utf8(case: &Case, expected: &[(&str, u64, Option<&str>)]) {
    let expected: Vec<_> = expected
        .iter()
        .map(|(topic, count, schema)| ((*topic).to_owned(), *count, schema.map(str::to_owned)))
        .collect();
    for way in [As::File, As::Pipe] {
        let (run, played) = case.recorded(way);
        run.expect(0, &["text that is not UTF-8", "replacement characters"]);
        assert_eq!(played, expected, "{way:?}");
        let about = run.said.lines().filter(|line| line.contains("UTF-8")).count();
        assert_eq!(about, 1, "{}", run.said);
    }
    let info = case.info();
    info.expect(0, &[]);
    assert_eq!(topics(&info.json()), expected);
}

/// What it is, and the way out, by name and from a pipe.
fn is_refused(case: &Case, words: &[&str]) {
    for way in [As::File, As::Pipe] {
        case.serve(way, &[]).expect(2, words);
    }
    case.info().expect(2, words);
}

fn u_topic(case: &Case) {
    not_utf8(case, &[("/good", 10, None), ("/b\u{fffd}", 1, None)]);
}

fn u_meta(case: &Case) {
    not_utf8(case, &[("/good", 10, None), ("/b", 1, None)]);
    let values = &case.info().json()["channels"][1]["metadata"];
    assert!(values.to_string().contains('\u{fffd}'), "{values}");
}

fn u_sname(case: &Case) {
    not_utf8(case, &[("/good", 10, None), ("/b", 1, Some("S\u{fffd}"))]);
}

fn u_stext(case: &Case) {
    not_utf8(case, &[("/good", 10, None), ("/b", 1, Some("pkg/msg/T"))]);
}

fn stat_zero(case: &Case) {
    // at its own speed: the first message comes at once
    let run = Run::of(
        &["serve", "-p", "0", "--start-on", "launch", "--at-end", "exit", "--no-progress", case.path()],
        Stdio::null(),
    );
    run.expect(0, &["(0.9 s, 1 channel, 10 messages)"]);
    assert_eq!(case.info().json()["start_time"], "1700000000000000000");
}

fn zero_first(case: &Case) {
    let plain =
        ["serve", "-p", "0", "--start-on", "launch", "--at-end", "exit", "--no-progress", case.path()];
    Run::of(&plain, Stdio::null()).expect(0, &["a pause of", "is skipped"]);
    // who wants it waits; the log names what helps
    let mut waits = Command::new(env!("CARGO_BIN_EXE_foxglove-bridge"));
    waits.args(plain).args(["--skip-gaps", "off"]).stderr(Stdio::piped()).stdin(Stdio::null());
    let mut child = waits.spawn().unwrap();
    let said = BufReader::new(child.stderr.take().unwrap());
    let (sender, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut lines = said.lines().map(Result::unwrap);
        sender.send(lines.find(|line| line.contains("--skip-gaps"))).ok();
    });
    let told = told.recv_timeout(TIMEOUT);
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(told.is_ok_and(|line| line.is_some()));
}

fn lines_without_times(case: &Case) {
    for way in [As::File, As::Pipe] {
        let record = case.folder.path().join(format!("{way:?}.mcap"));
        let record = record.to_str().unwrap();
        let options: &[&str] =
            if way == As::Pipe { &["--paced", "--record", record] } else { &["--record", record] };
        let run = case.serve(way, options);
        run.expect(0, &[]);
        let info = Run::of(&["info", "--json", record], Stdio::null()).json();
        assert_eq!(info["message_count"], 3, "{way:?}");
        // a line without a time plays at the position, not at that of the wall clock
        assert!(info["duration_seconds"].as_f64().unwrap() < 1.0, "{way:?}: {info}");
    }
}

fn v1(case: &Case) {
    is_refused(case, &["of another version of the format"]);
}

fn crlf(case: &Case) {
    is_refused(case, &["damaged by a copy in text mode"]);
}

fn lfs(case: &Case) {
    is_refused(case, &["Git LFS", "git lfs pull"]);
}

fn bag(case: &Case) {
    is_refused(case, &["ROS 1 bag", "convert"]);
}

fn id_reused(case: &Case) {
    for way in [As::File, As::Pipe] {
        let (run, played) = case.recorded(way);
        run.expect(0, &["channel id 1 stands for /one at first and for /two later"]);
        assert_eq!(played, [topic("/one", 1), topic("/two", 1)], "{way:?}");
    }
}

fn qos(case: &Case) {
    let info = case.info().json();
    let latched = |latched: bool| {
        let channels = info["channels"].as_array().unwrap().iter();
        channels
            .filter(|channel| channel["latched"] == latched)
            .map(|channel| channel["topic"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(latched(false), ["/num2", "/unknown", "/tick"]);
    assert_eq!(latched(true).len(), 14);
}

fn lines(case: &Case) {
    let (run, played) = case.recorded(As::File);
    run.expect(0, &["Serving lines.jsonl"]);
    assert_eq!(played.len(), 1);
}

fn string_4gib(case: &Case) {
    for way in [As::File, As::Pipe] {
        let (run, played) = case.recorded(way);
        run.expect(0, &["byte 90: the definition of a channel or schema can't be read"]);
        assert_eq!(played, [topic("/t", 2)], "{way:?}");
    }
    case.info().expect(4, &[]);
}

fn abort_39_bytes(case: &Case) {
    is_refused(case, &["byte 39: it ends without a footer; there is no message to recover"]);
}

fn abort_5537_bytes(case: &Case) {
    let words = ["byte 139: the definition of a channel or schema can't be read"];
    case.serve(As::File, &[]).expect(0, &words);
    // in a pipe the definition that the messages need comes after them
    case.serve(As::Pipe, &[]).expect(2, &words);
    case.info().expect(4, &[]);
}

fn long_topic(case: &Case) {
    let table = Run::of(&["info", case.path()], Stdio::null());
    table.expect(0, &[]);
    assert!(table.out.len() < 2000, "{} bytes", table.out.len());
    let channels = &case.info().json()["channels"];
    assert_eq!(channels[0]["topic"].as_str().unwrap().len(), 65536);
}

type Test = fn(&Case);

const FILES: &[(&str, Test)] = &[
    ("u_topic.mcap", u_topic),
    ("u_meta.mcap", u_meta),
    ("u_meta_nosum.mcap", u_meta),
    ("u_sname.mcap", u_sname),
    ("u_stext.mcap", u_stext),
    ("stat_zero.mcap", stat_zero),
    ("zero_first.mcap", zero_first),
    ("a.jsonl", lines_without_times),
    ("v1.mcap", v1),
    ("crlf.mcap", crlf),
    ("id_reused.mcap", id_reused),
    ("qos.mcap", qos),
    ("lfs.mcap", lfs),
    ("lines.jsonl", lines),
    ("x.bag", bag),
    ("string_4gib.mcap", string_4gib),
    ("abort_39_bytes.mcap", abort_39_bytes),
    ("abort_5537_bytes.mcap", abort_5537_bytes),
    ("topic65536.mcap", long_topic),
];

/// Files of other formats: name, content, and a word of the way out.
const FORMATS: &[(&str, &[u8], &str)] = &[
    ("a.zip", b"PK\x03\x04\x14\0\0\0rest", "unzip"),
    ("a.xz", b"\xFD7zXZ\0rest", "xz -d"),
    ("a.bz2", b"BZh91AY&SYrest", "bunzip2"),
    ("a.ulg", b"ULog\x01\x12\x35\x01rest", "ULog"),
    ("a.html", b"<!DOCTYPE html><html>404</html>", "web page"),
    ("a.db3", b"SQLite format 3\0rest", "SQLite"),
    ("a.jsonl", b"\xFF\xFE{\0\"\0a\0\"\0:\x001\0}\0\n\0", "iconv"),
];

fn main() -> ExitCode {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/cases");
    let is_missing = !folder.is_dir();
    let ignored = is_missing && std::env::var("CI").as_deref() != Ok("true");
    let mut trials: Vec<Trial> = FILES
        .iter()
        .map(|(name, test)| {
            let path = folder.join(name);
            let run = move || {
                if !path.is_file() {
                    return Err(Failed::from(format!("{} is missing", path.display())));
                }
                test(&Case::new(path.clone()));
                Ok(())
            };
            Trial::test(format!("{name} is played, or refused with the way out"), run)
                .with_ignored_flag(ignored)
        })
        .collect();
    for &(name, content, word) in FORMATS {
        trials.push(Trial::test(
            format!("{name} of another format is refused with the way out"),
            move || {
                is_refused(&Case::made(name, content), &[word]);
                Ok(())
            },
        ));
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}
