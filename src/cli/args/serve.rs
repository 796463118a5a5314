//! The flags of `serve`, one for each key of the settings.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::cli::config::Setting;
use clap::Args;
use clap::builder::NonEmptyStringValueParser;

use super::lines::LineArgs;
use super::{flags, one};

// Kept within 80 columns, as the other examples are.
pub(crate) const EXAMPLES: &str = "\
Settings:
  Each option is also an environment variable, FOXGLOVE_BRIDGE_START_ON for
  --start-on, and a key of the file given by --config: start-on = \"client\".
  Flags win over the environment, and that wins over the file. Lists are
  separated by commas in the environment. --loop=false undoes a switch.
  Lengths of time are 250ms, 30s, 1h30m, a plain number counts seconds; sizes
  are 500kB, 16MiB, or plain bytes.
  What does not fit to what is served is an error if it is a flag, and else
  left out with a warning.

Keys, on a terminal:
  space  pause, play        .    one message
  ← →    5 s back, on       ↑ ↓  faster, slower
  l      loop               ?    these keys
  q      quit

Examples:
  foxglove-bridge serve drive.mcap
  foxglove-bridge serve front.mcap rear.mcap parts/
  my_robot | foxglove-bridge serve -
  foxglove-bridge serve tcp-listen://127.0.0.1:9000 --record 'run-{time}.mcap'
  foxglove-bridge serve --follow recording.mcap
  foxglove-bridge serve drive.mcap --start +2s --playback-duration 3s --loop
  foxglove-bridge serve drive.mcap -t '/camera/**' -x '**/calibration'
  foxglove-bridge serve drive.mcap --rate max --start-on launch --at-end exit
  foxglove-bridge serve drive.mcap --config foxglove-bridge.toml";

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// Recordings (.mcap, or .jsonl with JSON lines) and folders of .mcap, several as one timeline; or live input: - (stdin: JSON lines or MCAP; beside
    /// recordings commands alone), tcp-listen://HOST:PORT, unix-listen:///PATH (JSON lines from writers)
    pub(crate) source: Vec<OsString>,

    /// Address to listen on; 0.0.0.0 lets other computers connect [default: 127.0.0.1]
    #[arg(long, value_name = "ADDRESS", help_heading = "Server")]
    host: Option<String>,
    /// Port to listen on; 0 takes any free one and prints it [default: 8765]
    #[arg(short, long, value_name = "PORT", help_heading = "Server")]
    port: Option<String>,
    /// Clients may look and nothing else: no playback control, no publishing, no services, no parameters that are set
    #[arg(long, help_heading = "Server", value_name = "BOOL", num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = "true")]
    read_only: Option<String>,
    /// Let web pages of this origin connect, like https://viewer.example, besides those of this computer and of known
    /// viewers; * for any; repeatable
    #[arg(long, value_name = "ORIGIN", help_heading = "Server")]
    allow_origin: Vec<String>,
    /// Leave out what is offered over HTTP (the page and the API), but for /healthz, /readyz and /metrics
    #[arg(long, help_heading = "Server", value_name = "BOOL", num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = "true")]
    no_page: Option<String>,
    /// Folder of layouts for viewers, offered as /layouts/NAME.json
    #[arg(long, value_name = "DIR", help_heading = "Server", value_parser = NonEmptyStringValueParser::new())]
    layouts: Option<String>,
    /// Folder of a viewer that is a web page (the static build of Lichtblick), offered as /viewer
    #[arg(long, value_name = "DIR", help_heading = "Server", value_parser = NonEmptyStringValueParser::new())]
    ui: Option<String>,
    /// Name that viewers show [default: the source's]
    #[arg(long, value_name = "NAME", help_heading = "Server")]
    name: Option<String>,
    /// Read options from a TOML file
    #[arg(long, value_name = "FILE", help_heading = "Server")]
    pub(crate) config: Option<PathBuf>,
    /// Write the WebSocket URL into this file once the server listens; removed at the end
    #[arg(long, value_name = "FILE", help_heading = "Server", value_parser = NonEmptyStringValueParser::new())]
    ready_file: Option<String>,
    /// Show no progress bar, even on a terminal
    #[arg(long, help_heading = "Server", value_name = "BOOL", num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = "true")]
    no_progress: Option<String>,

    /// Speed from 0.01 to 1000, or max: as fast as clients take it, nothing dropped [default: 1]
    #[arg(short, long, value_name = "X|max", help_heading = "Playback", allow_negative_numbers = true)]
    rate: Option<String>,
    /// Start again at the end
    #[arg(short, long = "loop", help_heading = "Playback", value_name = "BOOL", num_args = 0..=1)]
    #[arg(require_equals = true, default_missing_value = "true")]
    looping: Option<String>,
    /// Wait for a viewer's play button, or the space key
    #[arg(long, help_heading = "Playback", value_name = "BOOL", num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = "true")]
    start_paused: Option<String>,
    /// When time starts: once a client has subscribed (client), or at once (launch) [default: client]
    #[arg(long, value_name = "client|launch", help_heading = "Playback")]
    start_on: Option<String>,
    #[arg(long, value_name = "N", hide = true, conflicts_with = "start_on")]
    start_on_clients: Option<String>,
    /// After the last message: stay, for viewers to seek back, or exit, closing them [default: stay]
    #[arg(long, value_name = "stay|exit", help_heading = "Playback")]
    at_end: Option<String>,
    /// Pass over pauses between messages that take longer than this at the current speed; off: wait for every message
    /// [default: 24h]
    #[arg(long, value_name = "D|off", help_heading = "Playback")]
    skip_gaps: Option<String>,
    /// now: send messages with the time at which they are played instead of the recording's; stamps within them stay
    /// as they are [default: off]
    #[arg(long, value_name = "off|now", help_heading = "Playback")]
    shift: Option<String>,

    /// Where to start: +12.5s from the first message, 2026-01-02T03:04:05Z, or nanoseconds
    #[arg(long, value_name = "T", help_heading = "What to play")]
    start: Option<String>,
    /// Last time to play, in the same notations
    #[arg(long, value_name = "T", help_heading = "What to play")]
    end: Option<String>,
    /// How much to play from the start, like 30s or 1h30m
    #[arg(long, value_name = "DURATION", help_heading = "What to play")]
    playback_duration: Option<String>,
    /// Topics to play, by their names in the source, as a glob (/camera/*, /camera/**) or a regular expression
    /// (/^.tf/); repeatable [default: all]
    #[arg(short, long, value_name = "PATTERN", help_heading = "What to play")]
    topic: Vec<String>,
    /// Topics to leave out, even if --topic names them; repeatable
    #[arg(short = 'x', long, value_name = "PATTERN", help_heading = "What to play")]
    exclude: Vec<String>,
    /// Offer a topic under another name: /odom=/robot/odom; repeatable
    #[arg(long, value_name = "FROM=TO", help_heading = "What to play")]
    remap: Vec<String>,
    /// Put this before the name of every topic, as in /robot1
    #[arg(long, value_name = "PREFIX", help_heading = "What to play")]
    prefix: Option<String>,
    /// Send at most this many messages a second of each publisher of a topic, by its offered name: /camera/**=5;
    /// repeatable
    #[arg(long, value_name = "PATTERN=HZ", help_heading = "What to play")]
    throttle: Vec<String>,
    /// Timeline: when messages were recorded (log) or sent (publish) [default: log]
    #[arg(long, value_name = "log|publish", help_heading = "What to play")]
    order: Option<String>,

    /// Send an MCAP stream as it comes in, instead of by log time
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, help_heading = "Live input")]
    #[arg(default_missing_value = "true")]
    live: Option<String>,
    /// Play JSON lines by their log_time, instead of sending them as they come in; implied by --rate
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, help_heading = "Live input")]
    #[arg(default_missing_value = "true")]
    paced: Option<String>,
    /// At the end of the input: keep serving, for viewers to look (what nobody has seen is played as a recording), or
    /// exit, closing them [default: keep]
    #[arg(long, value_name = "keep|exit", help_heading = "Live input")]
    on_eof: Option<String>,
    /// The files that are named still grow: serve what is appended to them, beside other live input
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, help_heading = "Live input")]
    #[arg(default_missing_value = "true")]
    follow: Option<String>,
    /// With --follow: serve also what the files hold already
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, help_heading = "Live input")]
    #[arg(default_missing_value = "true")]
    from_start: Option<String>,
    /// Writers that may be connected to tcp-listen:// and unix-listen:// at once [default: 64]
    #[arg(long, value_name = "N", help_heading = "Live input")]
    max_writers: Option<String>,
    /// Print what happens on stdout, as JSON lines: clients, subscriptions, what clients publish and set, playback
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, help_heading = "Live input")]
    #[arg(default_missing_value = "true")]
    events: Option<String>,
    /// How long a program may take to answer a call of a service that it provides; 0: as long as it runs [default: 10s]
    #[arg(long, value_name = "DURATION", help_heading = "Live input")]
    call_timeout: Option<String>,
    #[command(flatten)]
    lines: LineArgs,

    /// Topics whose last message late subscribers get at once: auto (those that were latched or transient local
    /// when recorded), none, or patterns of offered names in addition to auto; repeatable [default: auto]
    #[arg(long, value_name = "auto|none|PATTERN", help_heading = "Delivery")]
    latch: Vec<String>,
    /// When a client is too slow: skip to the newest messages for it (drop), or let everybody wait for it (wait)
    /// [default: drop]
    #[arg(long, value_name = "drop|wait", help_heading = "Delivery")]
    on_slow_client: Option<String>,
    /// Data that may queue for one client before it counts as slow [default: 16MiB]
    #[arg(long, value_name = "BYTES", help_heading = "Delivery")]
    client_buffer: Option<String>,
    /// Close a client that takes nothing and sends nothing for this long, even no answer to a ping; 0: never
    /// [default: 75s]
    #[arg(long, value_name = "DURATION", help_heading = "Delivery")]
    client_timeout: Option<String>,
    /// Longest text that a client may send; longer ones are refused with a status [default: 1MiB]
    #[arg(long, value_name = "BYTES", help_heading = "Delivery")]
    client_text: Option<String>,
    /// Clients that may be connected at once; one more is refused. What each may have at once is limited by keys of the file
    /// (client-subscriptions and others) [default: 10000]
    #[arg(long, value_name = "N", help_heading = "Delivery")]
    max_clients: Option<String>,
    /// Largest message that a client may send; one that sends more is closed [default: 16MiB]
    #[arg(long, value_name = "BYTES", hide = true)]
    client_message: Option<String>,
    /// Clients that may be connected at once from one address [default: off]
    #[arg(long, value_name = "N|off", hide = true)]
    max_clients_per_address: Option<String>,
    /// Subscriptions of a client [default: 100000]
    #[arg(long, value_name = "N", hide = true)]
    client_subscriptions: Option<String>,
    /// Requests of a client that wait for an answer [default: 1000]
    #[arg(long, value_name = "N", hide = true)]
    client_requests: Option<String>,
    /// Channels on which a client publishes [default: 1000]
    #[arg(long, value_name = "N", hide = true)]
    client_channels: Option<String>,
    /// Parameters that a client follows by name [default: 10000]
    #[arg(long, value_name = "N", hide = true)]
    client_parameters: Option<String>,
    /// Longest id of a playback control request [default: 1KiB]
    #[arg(long, value_name = "BYTES", hide = true)]
    client_request_id: Option<String>,
    /// How finely viewers are told the time; 0: before every message with a new time [default: 1ms]
    #[arg(long, value_name = "DURATION", help_heading = "Delivery")]
    time_resolution: Option<String>,
    /// Compress messages for clients that offer it (permessage-deflate): less to send over a slow network, for more
    /// work; not tried for long where it gains nothing [default: off]
    #[arg(long, value_name = "on|off", help_heading = "Delivery")]
    compression: Option<String>,

    /// A parameter that viewers see and may set: gain=2.5, mode=auto, NAME:TYPE=VALUE with the types bool, int, float64,
    /// string, byte_array (base64), float64_array; repeatable; bounds and choices are for the settings file
    #[arg(long, value_name = "NAME=VALUE", help_heading = "Viewers' controls")]
    param: Vec<String>,
    /// A service that runs a command, with the request as JSON on stdin and the response as JSON on stdout:
    /// /reboot='systemctl reboot'; no shell; repeatable; schemas and limits are for the settings file
    #[arg(long, value_name = "NAME=COMMAND", help_heading = "Viewers' controls")]
    service: Vec<String>,
    /// Files that viewers may fetch: package://rover=/opt/rover gives them what is below that folder by URIs with this
    /// prefix; repeatable. What is attached to a recording they may fetch by its name
    #[arg(long, value_name = "PREFIX=FOLDER", help_heading = "Files for viewers")]
    assets: Vec<String>,
    /// Largest file that viewers may fetch [default: 64MiB]
    #[arg(long, value_name = "BYTES", help_heading = "Files for viewers")]
    max_asset: Option<String>,

    /// Also write all that is served into a new MCAP file; {time} in its name becomes the time of the start
    #[arg(long, value_name = "FILE", help_heading = "Recording", value_parser = NonEmptyStringValueParser::new())]
    record: Option<String>,
}

impl ServeArgs {
    /// The settings that were made on the command line.
    pub(crate) fn settings(&self) -> Vec<Setting> {
        let given = [
            ("source", self.source.iter().map(|source| source.to_string_lossy().into_owned()).collect()),
            ("host", one(&self.host)),
            ("port", one(&self.port)),
            ("read-only", one(&self.read_only)),
            ("allow-origin", self.allow_origin.clone()),
            ("no-page", one(&self.no_page)),
            ("layouts", one(&self.layouts)),
            ("ui", one(&self.ui)),
            ("name", one(&self.name)),
            ("rate", one(&self.rate)),
            ("loop", one(&self.looping)),
            ("start-paused", one(&self.start_paused)),
            ("start-on", one(&self.start_on)),
            ("start-on-clients", one(&self.start_on_clients)),
            ("at-end", one(&self.at_end)),
            ("skip-gaps", one(&self.skip_gaps)),
            ("shift", one(&self.shift)),
            ("start", one(&self.start)),
            ("end", one(&self.end)),
            ("playback-duration", one(&self.playback_duration)),
            ("topic", self.topic.clone()),
            ("exclude", self.exclude.clone()),
            ("remap", self.remap.clone()),
            ("prefix", one(&self.prefix)),
            ("throttle", self.throttle.clone()),
            ("order", one(&self.order)),
            ("live", one(&self.live)),
            ("paced", one(&self.paced)),
            ("on-eof", one(&self.on_eof)),
            ("follow", one(&self.follow)),
            ("from-start", one(&self.from_start)),
            ("max-writers", one(&self.max_writers)),
            ("events", one(&self.events)),
            ("call-timeout", one(&self.call_timeout)),
            ("latch", self.latch.clone()),
            ("on-slow-client", one(&self.on_slow_client)),
            ("client-buffer", one(&self.client_buffer)),
            ("client-timeout", one(&self.client_timeout)),
            ("client-text", one(&self.client_text)),
            ("max-clients", one(&self.max_clients)),
            ("client-message", one(&self.client_message)),
            ("max-clients-per-address", one(&self.max_clients_per_address)),
            ("client-subscriptions", one(&self.client_subscriptions)),
            ("client-requests", one(&self.client_requests)),
            ("client-channels", one(&self.client_channels)),
            ("client-parameters", one(&self.client_parameters)),
            ("client-request-id", one(&self.client_request_id)),
            ("time-resolution", one(&self.time_resolution)),
            ("compression", one(&self.compression)),
            ("param", self.param.clone()),
            ("service", self.service.clone()),
            ("assets", self.assets.clone()),
            ("max-asset", one(&self.max_asset)),
            ("record", one(&self.record)),
            ("ready-file", one(&self.ready_file)),
            ("no-progress", one(&self.no_progress)),
        ];
        flags(given).chain(self.lines.settings()).collect()
    }
}

#[cfg(test)]
mod tests {
    use crate::cli::config::keys::KEYS;
    use clap::{CommandFactory, Parser};

    use super::super::{Cli, Command};
    use super::*;

    fn serve(arguments: &[&str]) -> ServeArgs {
        let words = ["foxglove-bridge", "serve"].iter().chain(arguments);
        let Command::Serve(args) = Cli::try_parse_from(words).unwrap().command else { unreachable!() };
        *args
    }

    fn serve_command() -> clap::Command {
        let mut cli = Cli::command();
        cli.build();
        cli.find_subcommand("serve").unwrap().clone()
    }

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_key_has_a_flag_that_reaches_the_options() {
        for key in KEYS.iter().filter(|key| key.name != "source") {
            let flag = format!("--{}=x", key.name);
            let settings = serve(&[&flag]).settings();
            assert_eq!(settings.len(), 1, "{flag}");
            assert_eq!(
                (settings[0].key.name, settings[0].values.as_slice()),
                (key.name, &["x".to_owned()][..])
            );
        }
    }

    #[test]
    fn switches_are_on_by_their_name_and_take_no_argument_after_a_blank() {
        let settings = serve(&["-l", "a.mcap", "--start-paused=false"]).settings();
        let said: Vec<_> =
            settings.iter().map(|setting| (setting.key.name, setting.values.join(","))).collect();
        let expected = [("source", "a.mcap"), ("loop", "true"), ("start-paused", "false")];
        assert_eq!(said, expected.map(|(name, value)| (name, value.to_owned())));
    }

    #[test]
    fn help_tells_the_defaults_of_the_documented_file() {
        let file = include_str!("../../../config/foxglove-bridge.toml");
        let command = serve_command();
        let mut compared = 0;
        for line in file.lines() {
            let Some((name, value)) =
                line.strip_prefix('#').filter(|l| !l.starts_with(' ')).and_then(|l| l.split_once(" = "))
            else {
                continue;
            };
            let default = value.trim_matches(['"', '[', ']']);
            if matches!(default, "" | "false") {
                continue;
            }
            let argument = command.get_arguments().find(|arg| arg.get_long() == Some(name)).unwrap();
            let help = argument.get_help().unwrap().to_string();
            assert!(help.contains(&format!("[default: {default}]")), "--{name}: {help}");
            compared += 1;
        }
        assert_eq!(compared, 30);
    }
}
