//! How many files of a timeline are open at once, as Linux shows it.

use std::path::Path;

use foxglove_bridge::source::RecordingOptions;
use foxglove_bridge::time::Timestamp;

use super::common::{Player, assert_same};
use super::several::{Split, channel, counted};

/// Descriptors of this process for files in a folder.
fn open_files(folder: &Path) -> usize {
    let descriptors = std::fs::read_dir("/proc/self/fd").unwrap();
    let link = |entry: std::io::Result<std::fs::DirEntry>| std::fs::read_link(entry.ok()?.path()).ok();
    descriptors.filter_map(link).filter(|target| target.starts_with(folder)).count()
}

/// Hundreds of parts: only those around the position are open.
pub(crate) fn few_are_open() {
    const FILES: u64 = 200;
    let split = Split::of(&[channel("/a", "json")], counted(0..FILES * 20), |number, _| number / 20);
    let folder = split.folder.path().canonicalize().unwrap();
    let mut player = Player::of(split.folder.path());
    let channels = player.channels();
    // what is played, what is ahead, and one that a thread has not let go of yet
    let few = 4;
    let mut most = 0;
    let mut messages = Vec::new();
    loop {
        let more = player.take(1);
        most = most.max(open_files(&folder));
        messages.extend(more.iter().cloned());
        if more.is_empty() {
            break;
        }
    }
    assert_same("all parts", &messages, &split.wanted);
    assert!((1..=few).contains(&most), "{most} files are open at once");
    assert_eq!(open_files(&folder), 0, "files are open after the end");
    for time in (0..FILES * 20).step_by(317).map(Timestamp) {
        player.source.seek(time);
        let state = player.source.backfill(time, &channels).unwrap();
        assert_eq!(state.entries.last().map(|entry| entry.log_time.0), time.0.checked_sub(1));
        assert_eq!(player.take(1)[0].time, time.0);
        let open = open_files(&folder);
        assert!(open <= few, "{open} files are open after a seek");
    }
}

/// As many parts that all overlap play with a bounded number of descriptors.
pub(crate) fn overlapping_share_descriptors() {
    const FILES: usize = 150;
    let split = Split::of(&[channel("/a", "json")], counted(0..9000), |number, _| number % FILES);
    let folder = split.folder.path().canonicalize().unwrap();
    let mut player = split.player(&RecordingOptions::default());
    let mut most = 0;
    let mut messages = Vec::new();
    while messages.len() < split.wanted.len() {
        messages.extend(player.take(1));
        most = most.max(open_files(&folder));
    }
    assert_same("all parts", &messages, &split.wanted);
    assert!((1..=64 + 4).contains(&most), "{most} files are open at once");
}
