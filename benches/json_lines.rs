//! Reads JSON lines from memory and prints how fast that goes, on one core.
//!
//! `cargo bench --bench json_lines`. Figures are printed, nothing is asserted: they depend on what else the machine does.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench prints, and stops where it can't measure"
)]
#![allow(missing_docs, reason = "a program")]

use std::hint::black_box;
use std::io::Read;
use std::sync::Arc;
use std::time::{Duration, Instant};

use foxglove_bridge::payload::{TypeOptions, Types};
use foxglove_bridge::registry::Registry;
use foxglove_bridge::source::json_lines::{JsonLines, JsonLinesOptions, LineForm};
use foxglove_bridge::source::live::LiveChannels;
use foxglove_bridge::source::{Stop, Stream, TopicRules};

/// Gives at most so much at once as a pipe does.
struct Pipe<'a>(&'a [u8]);

impl Read for Pipe<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let (now, later) = self.0.split_at(self.0.len().min(into.len()).min(64 << 10));
        into[..now.len()].copy_from_slice(now);
        self.0 = later;
        Ok(now.len())
    }
}

fn numbers(count: usize) -> String {
    let numbers: Vec<_> = (0..count).map(|n| format!("{:.6}", n as f64 * 0.731)).collect();
    numbers.join(",")
}

/// Lines of about this kind, 64 MB of them, on a few topics.
fn text(line: impl Fn(usize) -> String) -> Vec<u8> {
    let mut text = Vec::new();
    for number in 0.. {
        if text.len() >= 64_000_000 {
            break;
        }
        text.extend_from_slice(line(number).as_bytes());
        text.push(b'\n');
    }
    text
}

fn measure(name: &str, text: &[u8], options: &Arc<JsonLinesOptions>) {
    let lines = text.iter().filter(|byte| **byte == b'\n').count();
    let mut best = Duration::MAX;
    for _ in 0..5 {
        let types = Arc::new(Types::load(&TypeOptions::default()).unwrap());
        let channels = LiveChannels::new(TopicRules::default(), types, &[], Registry::default()).unwrap();
        let stop = Stop::new().unwrap();
        let mut source = JsonLines::new("bench".into(), Pipe(text), &stop, options.clone(), channels);
        let (begin, mut messages) = (Instant::now(), 0);
        while let Some(batch) = source.next().unwrap() {
            messages += black_box(batch).entries.len();
        }
        best = best.min(begin.elapsed());
        assert_eq!(messages, lines);
    }
    let seconds = best.as_secs_f64();
    println!(
        "{name:<38} {:>5} B/line {:>7.0} MB/s {:>6.2} M lines/s",
        text.len() / lines,
        text.len() as f64 / seconds / 1e6,
        lines as f64 / seconds / 1e6
    );
}

fn main() {
    let plain = Arc::new(JsonLinesOptions::default());
    let sample = |count: usize| {
        let numbers = numbers(count);
        move |n: usize| {
            format!(
                r#"{{"topic":"/imu{}","log_time":1490149580.{:09},"data":{{"ax":0.1,"n":{n},"v":[{numbers}]}}}}"#,
                n % 7,
                n % 1_000_000_000
            )
        }
    };
    measure("small messages", &text(sample(2)), &plain);
    measure("1 kB of numbers", &text(sample(95)), &plain);
    measure("100 kB of numbers", &text(sample(9_000)), &plain);
    let words = "a word, \u{e9}t\u{e9}, \\\"quoted\\\" ".repeat(3_500);
    measure(
        "100 kB of text",
        &text(|n| format!(r#"{{"topic":"/text","data":{{"n":{n},"text":"{words}"}}}}"#)),
        &plain,
    );
    let cat = |n: usize| {
        format!(
            r#"{{"topic":"/imu","sequence":{n},"log_time":"2017-03-22T02:26:20.{:09}Z","publish_time":"2017-03-22T02:26:20.{:09}Z","data":{{"ax":0.1}}}}"#,
            n % 1_000_000_000,
            n % 1_000_000_000
        )
    };
    measure("mcap cat, RFC 3339", &text(cat), &plain);
    let log = |n: usize| {
        format!(
            r#"{{"topic":"/log","schema":"foxglove.Log","data":{{"timestamp":"2026-01-02T03:04:05.5Z","level":"INFO","message":"number {n}","name":"bench"}}}}"#
        )
    };
    measure("foxglove.Log, encoded to protobuf", &text(log), &plain);
    let image = "QUJD".repeat(25_000);
    let image =
        move |n: usize| format!(r#"{{"topic":"/x","sequence":{n},"encoding":"x","data_base64":"{image}"}}"#);
    measure("100 kB of base64", &text(image), &plain);
    let raw = JsonLinesOptions {
        default_topic: Some("/raw".into()),
        form: LineForm::Raw,
        time_field: Some("header.stamp".into()),
        ..JsonLinesOptions::default()
    };
    let stamped = |n: usize| {
        format!(r#"{{"header":{{"stamp":{{"sec":1490149580,"nsec":{n}}},"frame_id":"base"}},"x":{n}}}"#)
    };
    measure("raw with a time field", &text(stamped), &Arc::new(raw));
}
