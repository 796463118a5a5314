//! Flags and their help. Values stay text here: [`crate::cli::config`] parses them, wherever they come from.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::cli::config::keys::Key;
use crate::cli::config::{Origin, Setting};
use crate::cli::logging::{LogFormat, Verbosity};
use anyhow::anyhow;
use clap::{ArgAction, Args, Parser, Subcommand};

mod bench;
mod lines;
mod meant;
mod record;
mod remote;
mod serve;
mod split;

pub(crate) use bench::BenchArgs;
use lines::LineArgs;
pub(crate) use meant::with_what_was_meant;
pub(crate) use record::RecordArgs;
pub(crate) use remote::{
    AskedRate, CallArgs, ControlArgs, EchoArgs, FetchArgs, ParamAction, ParamArgs, PublishArgs, RateArgs,
    SeekArgs, ServerArgs, StepArgs,
};
#[cfg(test)]
pub(crate) use serve::EXAMPLES as SERVE_EXAMPLES;
pub(crate) use serve::ServeArgs;

const LOG_FORMAT: &str = "FOXGLOVE_BRIDGE_LOG_FORMAT";

// Kept within 80 columns: clap wraps these texts, and would break the tables.
const EXAMPLES: &str = "\
Examples:
  foxglove-bridge serve drive.mcap                 play; prints links to open
  foxglove-bridge serve drive.mcap -r 0.5 --loop   at half speed, for ever
  foxglove-bridge serve drive.mcap --host 0.0.0.0  for other computers as well
  my_robot | foxglove-bridge serve -               forward JSON lines, or MCAP
  foxglove-bridge info drive.mcap                  show what is in it
  foxglove-bridge demo drive                       a robot to look at
  foxglove-bridge echo ws://robot:8765 /imu        print messages, decoded
  foxglove-bridge record ws://robot:8765 -o a.mcap store what a server sends

Exit codes:
  0 done  1 failed while running  2 wrong options or input  3 port in use
  4 info, echo: the recording is damaged; info --check: a message does not fit its schema; record: something may be missing
  130 ended at once by another signal";

const INFO_EXAMPLES: &str = "\
Examples:
  foxglove-bridge info drive.mcap              channels, counts, rates
  foxglove-bridge info bag/ --check            is anything damaged? reads all
  foxglove-bridge info ws://robot:8765         what a server offers
  zstd -dc drive.mcap.zst | foxglove-bridge info -
  foxglove-bridge info flight.csv --csv --default-topic /flight --time-field time
  foxglove-bridge info drive.mcap --json | jq -r '.channels[].topic'
  foxglove-bridge info drive.mcap --attachment rover.urdf -o rover.urdf

Exit codes:
  0 done  2 some input can't be read  4 some is damaged or cut off; a recording
  that was written without an index is not";

const DEMO_EXAMPLES: &str = "\
Examples:
  foxglove-bridge demo                     which demos there are
  foxglove-bridge demo drive               a robot to look at, and to lead
  foxglove-bridge demo sysmon --port 9000  this computer, on another port";

/// Brings robot data, recorded or live, to viewers that speak the Foxglove WebSocket protocol.
#[derive(Debug, Parser)]
#[command(name = "foxglove-bridge", version, max_term_width = 110, arg_required_else_help = true)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
    #[command(flatten)]
    pub(crate) logging: LogArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Play recordings, or forward live data, to viewers
    #[command(after_help = serve::EXAMPLES)]
    Serve(Box<ServeArgs>),
    /// Show the program at work, without data of your own; names the demos if none is named
    #[command(after_help = DEMO_EXAMPLES)]
    Demo(DemoArgs),
    /// Show what is in recordings (channels, schemas, counts, rates, attachments), or what a server offers
    #[command(after_help = INFO_EXAMPLES)]
    Info(Box<InfoArgs>),
    /// Print messages of a server or a recording as JSON lines, decoded
    #[command(after_help = remote::ECHO_EXAMPLES)]
    Echo(Box<EchoArgs>),
    /// Record what a server sends, or what comes on stdin, into an MCAP file
    #[command(after_help = record::EXAMPLES)]
    Record(Box<RecordArgs>),
    /// Call a service of a server, and print its response
    #[command(after_help = remote::CALL_EXAMPLES)]
    Call(Box<CallArgs>),
    /// List, get, set and watch parameters of a server
    #[command(after_help = remote::PARAM_EXAMPLES)]
    Param(Box<ParamArgs>),
    /// Fetch a file from a server
    Fetch(Box<FetchArgs>),
    /// Publish JSON lines from stdin as a client of a server
    #[command(after_help = remote::PUBLISH_EXAMPLES)]
    Publish(Box<PublishArgs>),
    /// Put a server under the load of many viewers, and measure what they get
    #[command(after_help = bench::EXAMPLES)]
    Bench(Box<BenchArgs>),
    /// Start the playback of a server, or let it go on
    Play(Box<ControlArgs>),
    /// Pause the playback of a server
    Pause(Box<ControlArgs>),
    /// Move the playback of a server to another time
    Seek(Box<SeekArgs>),
    /// Pause the playback of a server, and play one message or some
    Step(Box<StepArgs>),
    /// Set the playback speed of a server
    Rate(Box<RateArgs>),
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Log")]
pub(crate) struct LogArgs {
    /// Log more: -v what each client does, -vv every message, -vvv the libraries too; RUST_LOG wins
    #[arg(short, long, global = true, action = ArgAction::Count, conflicts_with = "quiet")]
    verbose: u8,
    /// Log errors only, and show no progress bar
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// Write log lines, on stderr, as text or json [default: text]
    #[arg(long, global = true, value_name = "FORMAT")]
    log_format: Option<LogFormat>,
}

impl LogArgs {
    pub(crate) fn verbosity(&self) -> Verbosity {
        if self.quiet { Verbosity::Quiet } else { Verbosity::Verbose(self.verbose) }
    }

    /// The flag, or else the environment.
    pub(crate) fn format(&self) -> anyhow::Result<LogFormat> {
        let variable = std::env::var(LOG_FORMAT).ok().filter(|text| !text.is_empty());
        match (self.log_format, variable) {
            (Some(format), _) => Ok(format),
            (None, Some(text)) => text.parse().map_err(|reason| anyhow!("{LOG_FORMAT}: {reason}")),
            (None, None) => Ok(LogFormat::default()),
        }
    }
}

/// The form of log lines that was probably asked for, to report that the arguments are wrong.
pub(crate) fn log_format(arguments: &[OsString]) -> LogFormat {
    let texts: Vec<&str> = arguments.iter().filter_map(|argument| argument.to_str()).collect();
    let after = texts.windows(2).find_map(|pair| (pair[0] == "--log-format").then_some(pair[1]));
    let joined = texts.iter().find_map(|text| text.strip_prefix("--log-format="));
    let flag = after.or(joined).and_then(|text| text.parse().ok());
    let variable = || std::env::var(LOG_FORMAT).ok().and_then(|text| text.parse().ok());
    flag.or_else(variable).unwrap_or_default()
}

fn one(value: &Option<String>) -> Vec<String> {
    value.iter().cloned().collect()
}

/// The settings that flags make, of those that were given.
fn flags<const N: usize>(given: [(&'static str, Vec<String>); N]) -> impl Iterator<Item = Setting> + use<N> {
    let given = given.into_iter().filter(|(_, values)| !values.is_empty());
    given.filter_map(|(name, values)| Some(Setting { key: Key::find(name)?, values, origin: Origin::Flag }))
}

#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Which demo: drive, sysmon, json, protobuf, image, params, services or playback
    pub(crate) name: Option<String>,
    /// Address to listen on; 0.0.0.0 lets other computers connect; or FOXGLOVE_BRIDGE_HOST [default: 127.0.0.1]
    #[arg(long, value_name = "ADDRESS")]
    host: Option<String>,
    /// Port to listen on; 0 takes any free one and prints it; or FOXGLOVE_BRIDGE_PORT [default: 8765]
    #[arg(short, long, value_name = "PORT")]
    port: Option<String>,
}

impl DemoArgs {
    /// The settings that were made on the command line.
    pub(crate) fn settings(&self) -> Vec<Setting> {
        flags([("host", one(&self.host)), ("port", one(&self.port))]).collect()
    }
}

#[derive(Debug, Args)]
pub(crate) struct InfoArgs {
    /// Recordings (.mcap), folders of them, files of JSON lines; - reads either from stdin; or one address of a server
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Print JSON instead of text: an object for one file or -, an array for a folder or several
    #[arg(long)]
    pub(crate) json: bool,
    /// Read all of it: find damage by every checksum, messages that do not fit their schema by decoding each, and count the bytes of each topic
    #[arg(long)]
    pub(crate) check: bool,
    /// Show the definitions of the schemas too
    #[arg(long)]
    pub(crate) schemas: bool,
    /// Show each chunk too: where it lies, its sizes, messages and times
    #[arg(long)]
    pub(crate) chunks: bool,
    /// Write an attachment to stdout instead; of several with one name, NAME#2 is the second
    #[arg(long, value_name = "NAME", conflicts_with_all = ["json", "check", "schemas", "chunks"])]
    pub(crate) attachment: Option<String>,
    /// Write the attachment to a new file; one that exists is not replaced
    #[arg(short, long, value_name = "FILE", requires = "attachment")]
    pub(crate) output: Option<PathBuf>,
    #[command(flatten)]
    lines: LineArgs,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

impl InfoArgs {
    /// The settings that were made on the command line.
    pub(crate) fn settings(&self) -> Vec<Setting> {
        let files = self.files.iter().map(|file| file.to_string_lossy().into_owned());
        flags([("source", files.collect())]).chain(self.lines.settings()).collect()
    }
}
