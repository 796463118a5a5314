//! The flags of `bench`.

use std::time::Duration;

use clap::Args;

use super::remote::{ServerArgs, duration};

pub(crate) const EXAMPLES: &str = "\
Examples:
  foxglove-bridge bench ws://robot:8765                         one viewer of everything, for 10 s
  foxglove-bridge bench ws://robot:8765 --clients 50 --duration 1m
  foxglove-bridge bench ws://robot:8765 --topics --exclude '/camera/**'
  foxglove-bridge bench ws://robot:8765 --json | jq .latency.p99

Exit codes:
  0 done, or the server has closed in good order  1 clients could not connect, or were disconnected  2 wrong options";

#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    /// Address of the server (ws://HOST:PORT, wss://HOST:PORT)
    pub(crate) url: String,
    /// Viewers that connect
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) clients: u32,
    /// How long to measure, as in 500ms or 1m; the end of all connections ends it sooner
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration)]
    pub(crate) duration: Duration,
    /// Subscribe to topics that match a pattern, as in /camera/** or /regex/; repeatable [default: all]
    #[arg(short, long, value_name = "PATTERN")]
    pub(crate) topic: Vec<String>,
    /// Leave out topics that match a pattern; repeatable
    #[arg(short = 'x', long, value_name = "PATTERN")]
    pub(crate) exclude: Vec<String>,
    /// Show each topic as well
    #[arg(long)]
    pub(crate) topics: bool,
    /// Print a JSON object instead of text
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}
