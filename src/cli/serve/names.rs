//! What recordings are called, for people.

use std::ffi::OsString;

use foxglove_bridge::internals::counted;
use foxglove_bridge::source::RecordingInfo;
use foxglove_bridge::time::duration_text;

/// `drive.mcap (20.0 s, 12 channels, 2885 messages)`, as far as it is known.
pub(super) fn contents_of(info: &RecordingInfo) -> String {
    let mut facts = Vec::new();
    facts.extend(info.range.map(|range| duration_text(range.duration())));
    facts.push(counted(info.channels.len() as u64, "channel"));
    facts.extend(info.message_count.map(|messages| counted(messages, "message")));
    format!("{} ({})", info.name, facts.join(", "))
}

/// What files are called while they are read.
pub(super) fn name_of(files: &[OsString]) -> String {
    match files {
        [file] => file.display().to_string(),
        files => format!("{} recordings", files.len()),
    }
}
