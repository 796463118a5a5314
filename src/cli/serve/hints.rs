//! What the library only knows as its own options, by the flags that set them.

use std::path::Path;

use anyhow::anyhow;
use foxglove_bridge::internals::{SHORT, printable};
use foxglove_bridge::payload::{TypesError, TypesHint};
use foxglove_bridge::source::{Hint, RangeMiss, SourceError};

/// The end of a sentence about something that can't be used.
pub(in crate::cli) fn with_flags(hint: Hint) -> &'static str {
    match hint {
        Hint::DefaultTopic => "--default-topic /t names one",
        Hint::WholeLines => "--default-topic /t takes whole lines as messages on it",
        Hint::Csv => "--csv --default-topic /t reads comma separated values",
        Hint::MaxLine => "--max-line allows more",
        Hint::Nan => "--nan says what becomes of them",
        Hint::TimeUnit => "--time-unit says what the number counts",
        Hint::TimeField => "--time-field says which",
        Hint::Types => "--proto FILE adds types",
        Hint::Shift => "with --shift now messages are taken too",
    }
}

/// How pages of an origin are let in.
pub(in crate::cli) fn of_origin(origin: &str) -> String {
    format!("--allow-origin {} lets them in", printable(origin, SHORT))
}

/// How the page and the API are offered, where they are not.
pub(super) const PAGE: &str = "without --no-page it offers the page and the API";

/// An error in files of types, with the flag that named them.
pub(in crate::cli) fn of_types(error: &TypesError) -> anyhow::Error {
    match error.hint() {
        Some(TypesHint::Proto) => anyhow!("--proto {error}"),
        Some(TypesHint::ProtoImports) => {
            anyhow!("--proto {error}; name the folder that imports start from by --proto-path")
        }
        Some(TypesHint::ProtoPath) => anyhow!("--proto-path {error}"),
        None => anyhow!("{error}"),
    }
}

/// The way out where a file is no recording: a table can be read as one.
pub(in crate::cli) fn of_recording(error: SourceError) -> anyhow::Error {
    let is_table = |name: &str| {
        let extension = Path::new(name).extension().unwrap_or_default();
        ["csv", "tsv"].iter().any(|table| extension.eq_ignore_ascii_case(table))
    };
    match &error {
        SourceError::Unusable { name, .. } if is_table(name) => {
            anyhow!("{error}; {}", with_flags(Hint::Csv))
        }
        _ => with_way_out(error),
    }
}

/// Adds which options to change.
pub(in crate::cli) fn with_way_out(error: SourceError) -> anyhow::Error {
    let way_out = match &error {
        SourceError::NoTopic { .. } => "change --topic or --exclude",
        SourceError::OutOfRange { miss: RangeMiss::StartsAfter { .. }, .. } => "change --start",
        SourceError::OutOfRange { miss: RangeMiss::EndsBefore { .. }, .. } => {
            "change --end or --playback-duration"
        }
        SourceError::OutOfRange { miss: RangeMiss::Reversed { .. }, .. } => "change --start or --end",
        _ => return error.into(),
    };
    anyhow!("{error}; {way_out}")
}
