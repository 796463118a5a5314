//! The flags of commands that talk to a server.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use foxglove_bridge::payload::{JsonOptions, Length, NanPolicy};
use foxglove_bridge::time::{TimeSpec, parse_duration};

use super::lines::LineArgs;
use crate::cli::config::Setting;

pub(crate) const ECHO_EXAMPLES: &str = "\
Examples:
  foxglove-bridge echo ws://robot:8765 /imu            JSON lines, decoded
  foxglove-bridge echo ws://robot:8765 '/camera/**' --count 10
  foxglove-bridge echo ws://robot:8765 /imu --field linear_acceleration.x
  foxglove-bridge echo ws://robot:8765 /scan --once --short
  foxglove-bridge echo ws://robot:8765 /odom --once --timeout 5s || echo nothing came
  foxglove-bridge echo ws://robot:8765 --hz            rates of all topics
  foxglove-bridge echo drive.mcap /imu --start +10s --csv
  foxglove-bridge echo --raw ws://robot:8765 | foxglove-bridge serve -

Exit codes:
  0 done  1 no connection, or it was lost; no message within --timeout, if that is
  set; no message of a recording has --field  2 wrong options or input
  4 the recording is damaged where it was printed";

pub(crate) const CALL_EXAMPLES: &str = "\
Examples:
  foxglove-bridge call ws://robot:8765 /set_mode '{\"mode\":\"auto\"}'
  echo '{\"count\":10}' | foxglove-bridge call ws://robot:8765 /playback/step -";

pub(crate) const PARAM_EXAMPLES: &str = "\
Examples:
  foxglove-bridge param ws://robot:8765 list
  foxglove-bridge param ws://robot:8765 get /gain
  foxglove-bridge param ws://robot:8765 set /gain 0.5
  foxglove-bridge param ws://robot:8765 watch
  foxglove-bridge param ws://robot:8765 dump > gains.json
  foxglove-bridge param ws://robot:8765 load gains.json";

pub(crate) const PUBLISH_EXAMPLES: &str = "\
Examples:
  echo '{\"topic\":\"/cmd\",\"data\":{\"go\":true}}' | foxglove-bridge publish ws://robot:8765
  foxglove-bridge echo a.mcap /cmd | foxglove-bridge publish ws://robot:8765";

/// How to reach a server.
#[derive(Debug, Args)]
#[command(next_help_heading = "Connection")]
pub(crate) struct ServerArgs {
    /// Longest wait for the connection and for an answer, as in 500ms or 1m [default: 10s]
    #[arg(long, global = true, value_name = "DURATION", value_parser = duration)]
    pub(crate) timeout: Option<Duration>,
    /// Sent as Authorization: Bearer; with ws:// everybody on the way can read it
    #[arg(long, global = true, value_name = "TOKEN", env = "FOXGLOVE_BRIDGE_TOKEN", hide_env_values = true)]
    pub(crate) token: Option<String>,
    /// File with the certificates of the authorities to believe with wss:// (PEM) [default: those of the system]
    #[arg(long, global = true, value_name = "FILE", conflicts_with = "insecure")]
    pub(crate) ca_file: Option<PathBuf>,
    /// Believe any certificate, for one that is self-signed: whoever sits in between can read and change everything
    #[arg(long, global = true)]
    pub(crate) insecure: bool,
}

pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let duration = parse_duration(text).map_err(|error| error.to_string())?;
    if duration.is_zero() { Err("it must be longer than nothing".to_owned()) } else { Ok(duration) }
}

fn time(text: &str) -> Result<TimeSpec, String> {
    text.parse().map_err(|error: foxglove_bridge::time::ParseTimeError| error.to_string())
}

#[derive(Debug, Args)]
pub(crate) struct EchoArgs {
    /// Address of a server (ws://HOST:PORT, wss://HOST:PORT), or a recording (.mcap, or a folder of them)
    #[arg(value_name = "URL|FILE")]
    pub(crate) source: String,
    /// Topics, as names, globs (/camera/**) or /regex/ [default: all]
    #[arg(value_name = "TOPIC")]
    pub(crate) topics: Vec<String>,
    /// End after so many messages, or reports of --hz, --bw and --delay
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) count: Option<u64>,
    /// End after the first message
    #[arg(long, conflicts_with = "count")]
    pub(crate) once: bool,
    /// Print messages as they are, with their channels and schemas, for foxglove-bridge serve - and publish
    #[arg(long, conflicts_with_all = ["field", "csv"])]
    pub(crate) raw: bool,
    /// Print this part of messages alone, as in pose.position.x or ranges[0]; several make a JSON array, or columns of --csv
    #[arg(long, value_name = "PATH")]
    pub(crate) field: Vec<String>,
    /// Print comma separated values: the time, and the fields of the first message that are no lists
    #[arg(long)]
    pub(crate) csv: bool,
    /// Print how many messages come in a second, once a second
    #[arg(long, conflicts_with_all = ["raw", "field", "csv", "bw", "delay"])]
    pub(crate) hz: bool,
    /// Print how many bytes come in a second, once a second
    #[arg(long, conflicts_with_all = ["raw", "field", "csv", "delay"])]
    pub(crate) bw: bool,
    /// Print how old messages are when they come, by their log times and the clock of this computer, once a second
    #[arg(long, conflicts_with_all = ["raw", "field", "csv"])]
    pub(crate) delay: bool,
    /// Print each report of --hz, --bw and --delay as a JSON object
    #[arg(long, conflicts_with_all = ["raw", "field", "csv"])]
    pub(crate) json: bool,
    /// What NaN and the infinities become, which JSON does not have: null, a string, or (reject) the whole payload base64
    /// [default: null]
    #[arg(long, value_name = "null|string|reject", conflicts_with_all = ["raw", "hz", "bw", "delay"])]
    pub(crate) nan: Option<NanPolicy>,
    /// Shorten long texts, bytes and arrays: the beginning, and how much there is
    #[arg(long, conflicts_with_all = ["raw", "hz", "bw", "delay"])]
    pub(crate) short: bool,
    /// Where to begin in a recording: +10s from its start, RFC 3339, or nanoseconds
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) start: Option<TimeSpec>,
    /// Where to end in a recording
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) end: Option<TimeSpec>,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

impl EchoArgs {
    /// How payloads are decoded.
    pub(crate) fn json_options(&self) -> JsonOptions {
        let length = if self.short { Length::Short } else { Length::Whole };
        JsonOptions { nan: self.nan.unwrap_or_default(), length }
    }
}

#[derive(Debug, Args)]
pub(crate) struct CallArgs {
    /// Address of the server (ws://HOST:PORT, wss://HOST:PORT)
    pub(crate) url: String,
    /// Name of the service
    pub(crate) service: String,
    /// The request; - reads it from stdin
    #[arg(value_name = "JSON", default_value = "{}")]
    pub(crate) request: String,
    /// Encoding of the request, if not that of the service
    #[arg(long, value_name = "ENCODING")]
    pub(crate) encoding: Option<String>,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ParamArgs {
    /// Address of the server (ws://HOST:PORT, wss://HOST:PORT)
    pub(crate) url: String,
    #[command(subcommand)]
    pub(crate) action: ParamAction,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ParamAction {
    /// Print the names of all parameters
    List,
    /// Print values: of one parameter the value alone, of several or all as an object
    Get {
        /// Names of parameters [default: all]
        names: Vec<String>,
    },
    /// Set a parameter, and print the value that it has then
    Set {
        /// Name of the parameter
        name: String,
        /// The value as JSON; what is no JSON is a string
        #[arg(allow_negative_numbers = true)]
        value: String,
    },
    /// Remove a parameter
    Unset {
        /// Name of the parameter
        name: String,
    },
    /// Print parameters as they change, one JSON object a line
    Watch {
        /// Names of parameters [default: all]
        names: Vec<String>,
    },
    /// Print all parameters as JSON that load reads
    Dump,
    /// Set parameters from a file that dump wrote, or an object of names and values; - reads stdin
    Load {
        /// The file
        file: PathBuf,
    },
}

#[derive(Debug, Args)]
pub(crate) struct FetchArgs {
    /// Address of the server (ws://HOST:PORT, wss://HOST:PORT)
    pub(crate) url: String,
    /// What to fetch, for example package://robot/meshes/arm.stl
    pub(crate) asset: String,
    /// Write it to a new file instead of stdout; one that exists is not replaced
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

#[derive(Debug, Args)]
pub(crate) struct PublishArgs {
    /// Address of the server (ws://HOST:PORT, wss://HOST:PORT)
    pub(crate) url: String,
    #[command(flatten)]
    lines: LineArgs,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

impl PublishArgs {
    /// The settings that were made on the command line.
    pub(crate) fn settings(&self) -> Vec<Setting> {
        super::flags([("source", vec!["-".to_owned()])]).chain(self.lines.settings()).collect()
    }
}

/// Of play and pause.
#[derive(Debug, Args)]
pub(crate) struct ControlArgs {
    /// Address of the server (ws://HOST:PORT, wss://HOST:PORT)
    pub(crate) url: String,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

#[derive(Debug, Args)]
pub(crate) struct SeekArgs {
    /// Address of the server (ws://HOST:PORT, wss://HOST:PORT)
    pub(crate) url: String,
    /// Where to go: +10s from the start, RFC 3339, or nanoseconds
    #[arg(value_parser = time)]
    pub(crate) time: TimeSpec,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

#[derive(Debug, Args)]
pub(crate) struct StepArgs {
    /// Address of the server (ws://HOST:PORT, wss://HOST:PORT)
    pub(crate) url: String,
    /// Messages to go on by
    #[arg(default_value_t = 1, value_parser = steps, allow_negative_numbers = true)]
    pub(crate) count: u64,
    /// Count messages of this topic alone
    #[arg(long)]
    pub(crate) topic: Option<String>,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

#[derive(Debug, Args)]
pub(crate) struct RateArgs {
    /// Address of the server (ws://HOST:PORT, wss://HOST:PORT)
    pub(crate) url: String,
    /// Speed: 1 is that of the recording; foxglove-bridge serve takes 0.01 to 1000, and max: as fast as it can
    #[arg(value_parser = rate, allow_negative_numbers = true)]
    pub(crate) rate: AskedRate,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

/// A speed that is asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum AskedRate {
    /// Log time per wall time.
    Times(f32),
    /// As fast as the server can.
    Max,
}

fn rate(text: &str) -> Result<AskedRate, String> {
    if text == "max" {
        return Ok(AskedRate::Max);
    }
    let rate = text.trim_end_matches('x').parse().ok().filter(|rate: &f32| rate.is_finite() && *rate > 0.0);
    rate.map(AskedRate::Times).ok_or_else(|| "it must be a number above zero, or max".to_owned())
}

fn steps(text: &str) -> Result<u64, String> {
    let count = text.parse().ok().filter(|count| *count > 0);
    count.ok_or_else(|| "it must be a whole number of messages, at least 1".to_owned())
}
