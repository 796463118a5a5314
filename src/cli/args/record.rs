//! The flags of `record`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::flags;
use super::lines::LineArgs;
use super::remote::{ServerArgs, duration};
use super::split::SplitArgs;
use crate::cli::config::Setting;

pub(crate) const EXAMPLES: &str = "\
A message is stored with the log time that its server sends. Publish times and
sequence numbers are not sent by servers: the publish time stored is the log
time, the sequence 0. JSON that a server describes by no schema of its own has
{\"type\":\"object\"}. From stdin, times and sequences are stored as given.

It ends with the server (closed with code 1000), with stdin, after --duration or
--count, or at Ctrl-C, SIGTERM or SIGHUP: the file is complete then. When the
connection is lost it connects again, and goes on by topic.

Examples:
  foxglove-bridge record ws://robot:8765 -o run.mcap
  foxglove-bridge record ws://robot:8765 -o 'run-{time}.mcap' -t '/camera/**'
  foxglove-bridge record ws://robot:8765 -o minute.mcap --duration 1m
  ssh robot foxglove-bridge record ws://localhost:8765 -o - > run.mcap
  my_robot | foxglove-bridge record - -o run.mcap
  foxglove-bridge record - -o small.mcap -x '/camera/**' < drive.mcap

Exit codes:
  0 done  1 failed while running, as by a full disk  2 wrong options or input
  4 something may be missing: the connection was lost, the server left messages
  out, or input can't be used";

#[derive(Debug, Args)]
pub(crate) struct RecordArgs {
    /// Address of a server (ws://HOST:PORT, wss://HOST:PORT), or - for JSON lines or MCAP on stdin
    #[arg(value_name = "URL|-")]
    pub(crate) source: String,
    /// New MCAP file, or - for stdout; one that exists is not replaced. {time} in its name becomes the time of the start
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: PathBuf,
    /// Topics to record, as a glob (/camera/*, /camera/**) or a regular expression (/^.tf/); repeatable [default: all]
    #[arg(short, long, value_name = "PATTERN")]
    topic: Vec<String>,
    /// Topics to leave out, even if --topic names them; repeatable
    #[arg(short = 'x', long, value_name = "PATTERN")]
    exclude: Vec<String>,
    /// End after so many messages
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) count: Option<u64>,
    /// End after this time, counted from when the server is connected to, or stdin is read, as in 30s or 1h30m
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(crate) duration: Option<Duration>,
    /// Show no progress bar, even on a terminal
    #[arg(long)]
    pub(crate) no_progress: bool,
    #[command(flatten)]
    split: SplitArgs,
    #[command(flatten)]
    lines: LineArgs,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

impl RecordArgs {
    /// The settings that were made on the command line.
    pub(crate) fn settings(&self) -> Vec<Setting> {
        let named = flags([
            ("source", vec![self.source.clone()]),
            ("record", vec![self.output.to_string_lossy().into_owned()]),
            ("topic", self.topic.clone()),
            ("exclude", self.exclude.clone()),
        ]);
        named.chain(self.split.settings()).chain(self.lines.settings()).collect()
    }
}
