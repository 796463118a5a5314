//! Seeks to any time, and the backfill before it, against a search through all messages.

use std::path::Path;

use foxglove_bridge::source::{Order, RecordingOptions};

use super::common::{Player, assert_same, messages, messages_of, times_to_try};
use super::past::Past;

/// Times tried in every recording, each with the instants before and after it.
const SAMPLES: usize = 24;

/// Messages compared after most seeks; a few times all that follow are.
const COMPARED: usize = 300;

pub(crate) fn seek(path: &Path) {
    let all = messages(path, &RecordingOptions::default());
    let mut player = Player::of(path);
    for (number, time) in times_to_try(&all, SAMPLES).into_iter().enumerate() {
        let mut wanted = &all[all.partition_point(|message| message.time < time.0)..];
        player.source.seek(time);
        let enough = if number % 10 == 0 { usize::MAX } else { COMPARED };
        let got = player.take(enough);
        if enough < usize::MAX {
            assert!(got.len() >= enough.min(wanted.len()));
            wanted = &wanted[..got.len().min(wanted.len())];
        }
        assert_same(&format!("after seeking to {}", time.0), &got, wanted);
    }
    assert!(player.errors.is_empty(), "{:?}", player.errors);
}

pub(crate) fn state(path: &Path) {
    check_state(path, &RecordingOptions::default());
}

pub(crate) fn published(data: &Path) {
    let options = RecordingOptions { order: Order::Publish, ..Default::default() };
    for name in
        ["real/nissan_demo.mcap", "made/nissan_overlapping_chunks_zstd.mcap", "real/camera_model_json.mcap"]
    {
        check_state(&data.join(name), &options);
    }
}

fn check_state(path: &Path, options: &RecordingOptions) {
    let all = messages(path, options);
    let mut player = Player::open(path, options).unwrap();
    let (channels, past) = (player.channels(), Past::of(&player));
    for time in times_to_try(&all, SAMPLES) {
        let before = &all[..all.partition_point(|message| message.time < time.0)];
        let what = format!("the backfill before {}", time.0);
        let got = messages_of(&player.source.backfill(time, &channels).unwrap());
        assert_same(&what, &got, &past.counts(before, time.0, |_| true));
        // one channel alone takes other shortcuts
        let one = channels[usize::try_from(time.0 % channels.len() as u64).unwrap()];
        let got = messages_of(&player.source.backfill(time, &[one]).unwrap());
        assert_same(&what, &got, &past.counts(before, time.0, |channel| channel == one.0));
        assert!(player.source.backfill(time, &[]).unwrap().entries.is_empty());
    }
}
