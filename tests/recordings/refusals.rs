//! Files that can't be played: one line says which and what to do.

use std::path::Path;

use foxglove_bridge::registry::Registry;
use foxglove_bridge::source::{RecordingOptions, SourceError, open, recording_summary};

use super::common::temporary;

/// The refusal of a path, which must be one line that names it.
fn refusal(path: &Path) -> String {
    let spec = path.to_str().unwrap();
    let error = open(&[path], &RecordingOptions::default(), &Registry::default(), &mut |_| {}).err().unwrap();
    assert!(matches!(error, SourceError::Unusable { .. }), "{error:?}");
    let text = error.to_string();
    assert!(text.starts_with(spec) && !text.contains('\n'), "{text}");
    let summary = recording_summary(path, &mut |_| {}).unwrap_err().to_string();
    assert_eq!(summary, text);
    text
}

pub(crate) fn other_formats(data: &Path) {
    for (name, hint) in [
        ("reference/tilt_laser.bag", "rosbags-convert"),
        ("reference/no-messages.bag", "rosbags-convert"),
        ("reference/rosbag2_talker.db3", "rosbags-convert"),
    ] {
        let text = refusal(&data.join(name));
        assert!(text.contains(hint), "{text}");
    }
}

pub(crate) fn made_up() {
    let mcap = b"\x89MCAP0\r\n";
    let contents: [(&str, &[u8], &str); 14] = [
        ("empty.mcap", b"", "give the path of"),
        ("text.mcap", b"time,speed\n0,1\n1,2\n", "give the path of"),
        ("short", b"\x89MC", "give the path of"),
        ("recording.mcap.gz", b"\x1f\x8b\x08\x00\x00\x00\x00\x00", "gunzip"),
        ("recording.mcap.zst", b"\x28\xb5\x2f\xfd\x04\x00\x01\x00", "zstd -d"),
        ("recording.mcap.lz4", b"\x04\x22\x4d\x18\x04\x00\x01\x00", "lz4 -d"),
        ("version.mcap", b"\x89MCAP1\r\n\x01\x00", "version"),
        ("magic_only.mcap", mcap, "no message to recover"),
        ("copied.mcap", b"\x89MCAP0\n\x01\x08\0\0\0\0\0\0\0", "text mode"),
        (
            "lfs.mcap",
            b"version https://git-lfs.github.com/spec/v1\noid sha256:6c65\nsize 19001054\n",
            "git lfs pull",
        ),
        ("recording.mcap.xz", b"\xFD7zXZ\0\0\x04", "xz -d"),
        ("recording.mcap.bz2", b"BZh91AY&SY", "bunzip2"),
        ("recordings.zip", b"PK\x03\x04\x14\0", "unzip"),
        ("page.mcap", b"<!DOCTYPE html>\n<html>", "web page"),
    ];
    for (name, content, hint) in contents {
        let (_folder, path) = temporary(name, content);
        let text = refusal(&path);
        assert!(text.contains(hint), "{text}");
    }
    let folder = tempfile::tempdir().unwrap();
    let text = recording_summary(folder.path(), &mut |_| {}).unwrap_err().to_string();
    assert!(text.contains("folder") && text.contains("give the path of"), "{text}");
    let text = refusal(&folder.path().join("missing.mcap"));
    assert!(text.contains("there is no such file"), "{text}");
}

/// A pipe has no end to read a summary from, and opening it would wait for a writer.
#[cfg(unix)]
pub(crate) fn pipe() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pipe.mcap");
    let made = std::process::Command::new("mkfifo").arg(&path).status().unwrap();
    assert!(made.success());
    let text = refusal(&path);
    assert!(text.contains("is a pipe") && text.contains("serve - <"), "{text}");
}

#[cfg(not(unix))]
pub(crate) fn pipe() {}
