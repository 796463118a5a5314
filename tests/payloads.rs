//! Payloads of the recordings as JSON, compared field for field with what the packages of others decode: `rosbags`,
//! `mcap-ros1-support` and `mcap-ros2-support` for ROS and DDS, Google's for protobuf, the code that the FlatBuffers compiler
//! made, and Python's own for JSON. `tests/interop/payloads.py` compares.
//!
//! Where the packages or the recordings are missing the trials are ignored; with `CI=true` they fail.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::HashMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use foxglove_bridge::model::Channel;
use foxglove_bridge::payload::{Decoder, JsonOptions, Length, NanPolicy};
use foxglove_bridge::registry::Registry;
use foxglove_bridge::source::{RecordingOptions, open};
use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::json;

#[path = "interop/peers.rs"]
mod peers;

/// What another program reads of each recording.
fn expected(data: &Path) -> serde_json::Value {
    let text = std::fs::read(data.join("expected.json")).unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or_default()
}

fn main() -> ExitCode {
    let data = Path::new(peers::ROOT).join("../shared/data");
    let python = peers::python();
    let (recordings, expected) = (peers::recordings(&data), expected(&data));
    let ignored = (python.is_err() || recordings.is_empty()) && !peers::ci();
    let mut trials = Vec::new();
    if recordings.is_empty() {
        let missing = || Err(Failed::from("the folder of recordings, ../shared/data, is missing"));
        trials.push(
            Trial::test("payloads are the JSON that others decode", missing).with_ignored_flag(ignored),
        );
    }
    for recording in recordings {
        let name = format!("payloads of {} are the JSON that others decode", recording.display());
        let messages = expected[recording.to_str().unwrap()]["messages"].as_u64();
        let (path, python) = (data.join(recording), python.clone());
        let trial = move || {
            let compared = compare(&path, &python?)?;
            // of damaged ones there may be more
            assert!(Some(compared) >= messages, "{compared} messages instead of {messages:?}");
            Ok(())
        };
        trials.push(Trial::test(name, trial).with_ignored_flag(ignored));
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// Returns how many messages there are.
fn compare(recording: &Path, python: &PathBuf) -> Result<u64, Failed> {
    let mut lines = tempfile::NamedTempFile::new()?;
    let messages = write(recording, &mut std::io::BufWriter::new(&mut lines))?;
    let script = Path::new(peers::ROOT).join("tests/interop/payloads.py");
    let output =
        Command::new(python).arg(script).arg(lines.path()).env("PYTHONDONTWRITEBYTECODE", "1").output()?;
    if output.status.success() {
        return Ok(messages);
    }
    Err(String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned().into())
}

/// A line for each channel, and one for each message; returns how many these are.
fn write(recording: &Path, out: &mut impl Write) -> Result<u64, Failed> {
    let mut messages = 0;
    let path = recording.to_str().unwrap();
    let mut source = open(&[path], &RecordingOptions::default(), &Registry::default(), &mut |_| {})?;
    let mut decoders = HashMap::new();
    for channel in &source.info().channels {
        let decoder = Decoder::new(&channel.message_encoding, channel.schema.as_deref());
        writeln!(out, "{}", described(channel, decoder.as_ref().err()))?;
        decoders.insert(channel.id, decoder);
    }
    let options = JsonOptions { nan: NanPolicy::String, length: Length::Whole };
    // what a damaged recording has after its damage is a matter of other tests
    while let Ok(Some(batch)) = source.next() {
        for entry in &batch.entries {
            let Ok(decoder) = &decoders[&entry.channel] else { continue };
            messages += 1;
            let mut text = Vec::new();
            let result = decoder.to_json(batch.payload(entry), &options, &mut text);
            let (channel, payload) = (entry.channel, STANDARD.encode(batch.payload(entry)));
            let said = match result {
                Ok(left) => format!(r#""left":{left},"json":{}"#, str::from_utf8(&text)?),
                Err(error) => format!(r#""failed":{}"#, json!(error.to_string())),
            };
            writeln!(out, r#"{{"channel":{channel},"payload":"{payload}",{said}}}"#)?;
        }
    }
    out.flush()?;
    Ok(messages)
}

fn described(channel: &Channel, error: Option<&impl ToString>) -> serde_json::Value {
    let schema = channel.schema.as_ref().map(|schema| {
        json!({"name": schema.name, "encoding": schema.encoding, "data": STANDARD.encode(&schema.data)})
    });
    json!({
        "channel": channel.id.0,
        "encoding": channel.message_encoding,
        "topic": channel.topic,
        "schema": schema,
        "error": error.map(ToString::to_string),
    })
}
