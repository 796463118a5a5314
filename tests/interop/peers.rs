//! What tests need that run other programs on the recordings.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The folder of the crate.
pub(crate) const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Whether what is missing is a failure.
pub(crate) fn ci() -> bool {
    std::env::var("CI").is_ok_and(|value| value == "true")
}

/// The recordings, relative to their folder; those of the conformance suite are not among them.
pub(crate) fn recordings(data: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for folder in ["converted", "fixtures", "made", "real"] {
        let Ok(entries) = std::fs::read_dir(data.join(folder)) else { continue };
        for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
            // the one that can't be played has a trial of its own
            if path.extension().is_some_and(|extension| extension == "mcap")
                && path.file_name().is_some_and(|name| name != "chunk_not_closed.mcap")
            {
                found.push(path.strip_prefix(data).unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

/// Whether a program can be run with these arguments.
pub(crate) fn works(program: &Path, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.env("NODE_PATH", modules()).status().is_ok_and(|status| status.success())
}

/// Where `.ci/run` installs the npm packages.
pub(crate) fn modules() -> PathBuf {
    Path::new(ROOT).join("target/interop/node_modules")
}

/// What `tests/interop` imports.
const PACKAGES: &str = "import foxglove_schemas_flatbuffer, foxglove_websocket, flatbuffers, mcap, mcap_protobuf, mcap_ros1, mcap_ros2, rosbags, websockets, lz4, zstandard";

pub(crate) fn python() -> Result<PathBuf, String> {
    let candidates = [Path::new(ROOT).join("target/interop/venv/bin/python"), "python3".into()];
    candidates.into_iter().find(|python| works(python, &["-c", PACKAGES])).ok_or_else(|| {
        "no python3 with the packages of tests/interop/requirements.txt; .ci/run installs them".into()
    })
}
