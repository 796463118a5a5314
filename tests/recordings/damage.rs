//! Recordings that were cut off or damaged: what is whole plays, and nothing is made up.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::path::Path;

use foxglove_bridge::source::{RecordingOptions, SourceError};

use super::common::{Message, Player, assert_same, messages, temporary};

/// How often each message occurs, whatever its topic is called.
pub(crate) fn counted(messages: &[Message]) -> BTreeMap<Message, usize> {
    let mut counts = BTreeMap::new();
    for message in messages {
        *counts.entry(Message { channel: 0, ..message.clone() }).or_default() += 1;
    }
    counts
}

#[track_caller]
pub(crate) fn assert_part_of(what: &str, got: &[Message], original: &BTreeMap<Message, usize>) {
    for (message, count) in counted(got) {
        let allowed = original.get(&message).copied().unwrap_or(0);
        assert!(count <= allowed, "{what}: a message comes {count} times instead of {allowed}: {message:?}");
    }
}

/// Plays a file that may be refused, but then as unusable.
fn play(what: &str, path: &Path) -> Option<Vec<Message>> {
    match Player::open(path, &RecordingOptions::default()) {
        Ok(mut player) => Some(player.take(usize::MAX)),
        Err(SourceError::Unusable { .. }) => None,
        Err(error) => panic!("{what}: {error:?}"),
    }
}

pub(crate) fn truncated(data: &Path) {
    for (name, step) in [
        ("real/dds_recorder_basic.mcap", 1),
        ("made/time_extremes.mcap", 1),
        ("fixtures/vehicle_unchunked.mcap", 7),
        ("fixtures/vehicle_zstd.mcap", 7),
        ("made/ros2idl_point.mcap", 7),
    ] {
        let bytes = std::fs::read(data.join(name)).unwrap();
        let original = messages(&data.join(name), &RecordingOptions::default());
        let counts = counted(&original);
        let (_folder, path) = temporary("cut.mcap", &bytes);
        let file = OpenOptions::new().write(true).open(&path).unwrap();
        let mut most = original.len();
        for length in (0..bytes.len()).rev().step_by(step) {
            file.set_len(length as u64).unwrap();
            let what = format!("{name} cut to {length} bytes");
            let got = play(&what, &path).unwrap_or_default();
            assert_part_of(&what, &got, &counts);
            assert!(got.is_sorted_by_key(|message| message.time), "{what}: the order is lost");
            // a longer piece of the file never has less
            assert!(got.len() <= most, "{what}: {} messages, more than in a longer file", got.len());
            most = got.len();
            if length > bytes.len() * 9 / 10 {
                assert!(got.len() * 2 > original.len(), "{what}: only {} messages", got.len());
            }
        }
    }
}

/// A repeatable sequence of numbers (Knuth's MMIX constants).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from((self.0 >> 33) % limit as u64).unwrap()
    }
}

pub(crate) fn flipped(data: &Path) {
    let mut numbers = Numbers(20_260_101);
    for (name, protected) in [
        ("fixtures/vehicle_zstd.mcap", true),
        ("fixtures/vehicle_lz4.mcap", true),
        ("fixtures/vehicle_none.mcap", true),
        ("fixtures/vehicle_unchunked.mcap", false),
        ("made/long_gap.mcap", true),
        ("made/time_extremes.mcap", true),
        ("made/zero_messages_with_channels.mcap", false),
        ("real/dds_recorder_type_attachment.mcap", true),
    ] {
        let bytes = std::fs::read(data.join(name)).unwrap();
        let original = messages(&data.join(name), &RecordingOptions::default());
        let counts = counted(&original);
        for _ in 0..120 {
            let (at, bit) = (numbers.below(bytes.len()), numbers.below(8));
            let mut damaged = bytes.clone();
            damaged[at] ^= 1 << bit;
            let (_folder, path) = temporary("flipped.mcap", &damaged);
            let what = format!("{name} with bit {bit} of byte {at} flipped");
            let Some(got) = play(&what, &path) else { continue };
            assert!(got.len() <= original.len(), "{what}: {} messages", got.len());
            assert!(got.is_sorted_by_key(|message| message.time), "{what}: the order is lost");
            if protected {
                assert_part_of(&what, &got, &counts);
            }
        }
    }
}

/// Of 19 chunks one is damaged, with and without a summary to find them by.
pub(crate) fn unreadable_chunk(data: &Path) {
    let path = data.join("fixtures/vehicle_none.mcap");
    let bytes = std::fs::read(&path).unwrap();
    let original = messages(&path, &RecordingOptions::default());
    let victim = &original[original.len() / 2];
    let places: Vec<_> = (0..bytes.len() - victim.payload.len())
        .filter(|at| bytes[*at..].starts_with(&victim.payload))
        .collect();
    let at = *places.first().unwrap();
    for cut in [false, true] {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x55;
        if cut {
            damaged.truncate(bytes.len() - 1);
        }
        let (_folder, path) = temporary("damaged.mcap", &damaged);
        let mut player = Player::open(&path, &RecordingOptions::default()).unwrap();
        let got = player.rest();
        assert_part_of("one chunk damaged", &got, &counted(&original));
        assert!(got.len() < original.len() && got.len() + 12 > original.len(), "{} messages", got.len());
        let reported = player.errors.len() + player.source.info().warnings.len();
        assert!(reported > 0, "the damage is not reported");
    }
}

/// What follows the end of a recording and is no recording costs nothing, and is named.
pub(crate) fn after_end(data: &Path) {
    let bytes = std::fs::read(data.join("fixtures/vehicle_zstd.mcap")).unwrap();
    let original = messages(&data.join("fixtures/vehicle_zstd.mcap"), &RecordingOptions::default());
    for more in [&[0; 4096][..], b"\n", b"something else that is long"] {
        let (_folder, path) = temporary("longer.mcap", &[&bytes, more].concat());
        let mut player = Player::open(&path, &RecordingOptions::default()).unwrap();
        assert_same("with more at the end", &player.rest(), &original);
        let warnings = &player.source.info().warnings;
        assert!(
            warnings.iter().any(|warning| warning.contains("what follows the recording's end")),
            "{warnings:?}"
        );
    }
}
