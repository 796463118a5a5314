//! The flags that say when a recording goes on in a new file, of `serve` and of `record`.

use clap::Args;

use super::{flags, one};
use crate::cli::config::Setting;

#[derive(Debug, Args)]
#[command(next_help_heading = "Recording")]
pub(crate) struct SplitArgs {
    /// Record into several files, of at most this size each: run.mcap becomes run-0001.mcap, run-0002.mcap, …, and {time} the
    /// time at which each begins. Each can be read by itself: it has all channels, schemas and metadata, and begins with
    /// what is latched; attachments are in the first one
    #[arg(long, value_name = "BYTES")]
    split_size: Option<String>,
    /// The same, with at most so much of the recording in each file, by log time; laps add up
    #[arg(long, value_name = "DURATION")]
    split_duration: Option<String>,
    /// Keep so many of these files: when a new one begins the oldest of this run is removed
    #[arg(long, value_name = "N")]
    max_files: Option<String>,
    /// Keep the files of this run within so many bytes: the oldest finished ones are removed. Each has a quarter of it at
    /// most
    #[arg(long, value_name = "BYTES")]
    disk_budget: Option<String>,
}

impl SplitArgs {
    /// The settings that were made on the command line.
    pub(crate) fn settings(&self) -> impl Iterator<Item = Setting> + use<> {
        flags([
            ("split-size", one(&self.split_size)),
            ("split-duration", one(&self.split_duration)),
            ("max-files", one(&self.max_files)),
            ("disk-budget", one(&self.disk_budget)),
        ])
    }
}
