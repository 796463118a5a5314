//! Recordings of many kinds: read, sought and summarized, compared with what other programs read from them.
//!
//! The recordings are not part of the package. Where they are absent their trials are reported as ignored, but in CI
//! (`CI=true`) they fail.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use libtest_mimic::{Arguments, Failed, Trial};

#[path = "recordings/common.rs"]
mod common;
#[path = "recordings/conformance.rs"]
mod conformance;
#[path = "recordings/crafted.rs"]
mod crafted;
#[path = "recordings/damage.rs"]
mod damage;
#[cfg(target_os = "linux")]
#[path = "recordings/descriptors.rs"]
mod descriptors;
#[path = "recordings/expected.rs"]
mod expected;
#[path = "recordings/info.rs"]
mod info;
#[path = "recordings/joined.rs"]
mod joined;
#[path = "recordings/linear.rs"]
mod linear;
#[path = "recordings/options.rs"]
mod options;
#[path = "recordings/past.rs"]
mod past;
#[path = "recordings/refusals.rs"]
mod refusals;
#[path = "recordings/seeking.rs"]
mod seeking;
#[path = "recordings/several.rs"]
mod several;

/// What a trial does with the folder of recordings.
type Check = fn(&Path);

/// Recordings whose layout is a special case for seeking and for backfill.
const LAYOUTS: [&str; 8] = [
    "made/nissan_overlapping_chunks_zstd.mcap",
    "made/nissan_unchunked.mcap",
    "made/nissan_no_summary_lz4.mcap",
    "made/nissan_no_message_index.mcap",
    "made/drive_20s.mcap",
    "made/time_extremes.mcap",
    "made/long_gap.mcap",
    "made/same_time_burst.mcap",
];

fn main() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    let present = data.join("expected.json").is_file();
    let in_ci = std::env::var("CI").is_ok_and(|value| value == "true");
    let on_data = |name: String, check: Box<dyn Fn(&Path) + Send>| {
        let data = data.clone();
        Trial::test(name, move || {
            if !present {
                return Err(Failed::from(format!("the recordings are not at {}", data.display())));
            }
            check(&data);
            Ok(())
        })
        .with_ignored_flag(!present && !in_ci)
    };
    let mut trials = Vec::new();
    for (name, expected) in expected::all(&data) {
        let title = format!("{name} reads as other programs read it");
        let (file, wanted) = (name.clone(), expected.clone());
        trials.push(on_data(title, Box::new(move |data| expected::check(data, &file, &wanted))));
        let title = format!("the summary of {name} says what its messages are");
        let (file, wanted) = (name.clone(), expected.clone());
        trials.push(on_data(title, Box::new(move |data| info::check(data, &file, &wanted))));
        let title = format!("{name} reads the same as a stream and as a growing file");
        trials.push(on_data(title, Box::new(move |data| linear::check(data, &name, &expected))));
    }
    for layout in LAYOUTS {
        let title = format!("seeking in {layout} goes to the first message at or after the time");
        trials.push(on_data(title, Box::new(move |data| seeking::seek(&data.join(layout)))));
        let title = format!("the backfill before any time of {layout} is what a search finds");
        trials.push(on_data(title, Box::new(move |data| seeking::state(&data.join(layout)))));
    }
    let checks: [(&str, Check); 31] = [
        ("every recording has its expectation", expected::complete),
        ("all files of the conformance suite read as the suite says", conformance::check),
        ("all files of the conformance suite read the same as streams", linear::conformance),
        ("recordings in one stream come one after the other", linear::joined),
        ("a stream that is cut off or damaged never makes messages up", linear::damaged),
        (
            "the backfill before any time follows the publish times if they make the timeline",
            seeking::published,
        ),
        ("topic filters play what they choose", options::topics),
        ("topics are offered under the names that are asked for", options::renamed_topics),
        ("a filter that chooses nothing is refused and the topics are named", options::nothing_chosen),
        ("start, end and duration play what lies between", options::ranges),
        ("a range outside of the recording is refused", options::outside),
        ("publish order plays by publish time", options::published),
        ("a file cut off anywhere plays what lies before the cut", damage::truncated),
        ("a damaged byte never makes messages up", damage::flipped),
        ("an unreadable chunk costs no message of another", damage::unreadable_chunk),
        ("what follows the end of a recording is named", damage::after_end),
        ("recordings joined in one file play whole, as from a pipe", joined::whole),
        ("recordings joined in one file are sought like one", joined::seeking),
        ("topics and ranges are chosen of recordings joined in one file", joined::options),
        ("no file of the conformance suite is damaged, and each says the same as a stream", info::conforming),
        ("damage outside of chunks is found by every checksum", info::damaged),
        ("info counts all messages of recordings joined in one file", joined::info),
        ("a joined file among others plays its own part", joined::among_others),
        ("a summary that speaks of the last recording alone is not believed", joined::appended),
        ("files of other formats are refused with a way out", refusals::other_formats),
        ("a recording reads the same without its index", crafted::stripped_summary),
        ("a split recording plays like the whole", several::whole),
        ("a split recording is sought like the whole and has the same backfill", several::seeking),
        ("ranges and topics are chosen of a split recording as of the whole", several::options),
        ("a folder plays as the recordings in it", several::folder),
        ("all static frames of a robot are in the backfill", past::static_frames),
    ];
    for (name, check) in checks {
        trials.push(on_data(name.into(), Box::new(check)));
    }
    #[cfg_attr(not(target_os = "linux"), allow(unused_mut, reason = "more is added on Linux"))]
    let mut alone: Vec<(&str, fn())> = vec![
        ("what is not a recording is refused with a way out", refusals::made_up),
        ("a pipe is refused at once", refusals::pipe),
        ("chunks that all begin at time 0 play in order", crafted::chunks_from_zero),
        ("messages outside of chunks are not lost", crafted::loose_messages),
        ("what was read before a damaged chunk is not lost", crafted::damage_amid_overlap),
        ("before any time counts what a plain search finds", past::any),
        ("the search for transforms has a bound", past::bounds),
        ("large metadata and attachments are listed", crafted::large_extras),
        ("many messages of one time come in the order of the file", crafted::one_time),
        ("channels that are alike in several files are one", several::channels),
        ("a damaged one of several files costs no message of another", several::damaged_part),
        ("sources that can't be served together are refused", several::refused),
    ];
    #[cfg(target_os = "linux")]
    alone.extend([
        ("of hundreds of files few are open", descriptors::few_are_open as fn()),
        (
            "files that overlap share a bounded number of descriptors",
            descriptors::overlapping_share_descriptors,
        ),
    ]);
    for (name, check) in alone {
        trials.push(Trial::test(name, move || {
            check();
            Ok(())
        }));
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}
