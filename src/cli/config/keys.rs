//! The keys: one for each option of `serve`, with the parser of its values.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use super::{PREFIX, ServeOptions, param, service, size};
use foxglove_bridge::assets::AssetFolder;
use foxglove_bridge::hub::{Access, Latch, SlowClient};
use foxglove_bridge::input::OnEof;
use foxglove_bridge::pattern::TopicPattern;
use foxglove_bridge::playback::{AtEnd, Rate, StartOn, TimeShift};
use foxglove_bridge::server::{AllowedOrigin, BadOrigin, CLIENT_MESSAGE, Http, UNFINISHED};
use foxglove_bridge::source::json_lines::{LARGEST_MAX_LINE, LineForm, TimeUnit};
use foxglove_bridge::source::live::SchemaFor;
use foxglove_bridge::source::throttle::ThrottleRule;
use foxglove_bridge::source::{Order, Remap};
use foxglove_bridge::time::{TimeSpec, parse_duration};

/// What follows each other faster than this is played as it was recorded.
const SHORTEST_GAP: Duration = Duration::from_secs(1);

/// Every request of a viewer has room.
const SMALLEST_CLIENT_TEXT: usize = 1 << 10;

/// A frame of this size is not split.
const LARGEST_MAX_ASSET: usize = 1 << 30;

/// An option of `serve`: `--name`, `FOXGLOVE_BRIDGE_NAME`, and `name = …` in the file.
#[derive(Debug)]
pub(crate) struct Key {
    /// The key as in the file, in kebab case.
    pub(crate) name: &'static str,
    /// Whether it takes any number of values.
    pub(crate) list: bool,
    /// Whether it is left out of help and documentation.
    pub(crate) hidden: bool,
    /// Which part of its values names files that are read: in a settings file they are relative to that.
    pub(crate) reads: Reads,
    /// Whether a value can be a table in the file; its parser gets it as JSON.
    pub(crate) tables: bool,
    set: Setter,
}

/// Which part of a value is the path of a file that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reads {
    Nothing,
    /// All of it, but for stdin and sockets.
    Whole,
    /// What follows the first `=`.
    AfterEquals,
    /// What follows `=`, if it ends in `.json`.
    JsonAfterEquals,
}

#[derive(Debug)]
enum Setter {
    One(fn(&mut ServeOptions, &str) -> Result<(), String>),
    List(fn(&mut ServeOptions, &[String]) -> Result<(), String>),
}

const fn one(name: &'static str, set: fn(&mut ServeOptions, &str) -> Result<(), String>) -> Key {
    Key { name, list: false, hidden: false, reads: Reads::Nothing, tables: false, set: Setter::One(set) }
}

const fn list(name: &'static str, set: fn(&mut ServeOptions, &[String]) -> Result<(), String>) -> Key {
    Key { name, list: true, hidden: false, reads: Reads::Nothing, tables: false, set: Setter::List(set) }
}

/// All keys, in the order of the documentation.
pub(crate) static KEYS: &[Key] = &[
    Key {
        reads: Reads::Whole,
        ..list("source", |options, values| {
            options.sources = values.iter().map(Into::into).collect();
            Ok(())
        })
    },
    one("host", |options, text| host(text).map(|host| options.host = host)),
    one("port", |options, text| port(text).map(|port| options.port = port)),
    one("read-only", |options, text| {
        boolean(text).map(|on| options.hub.access = if on { Access::ReadOnly } else { Access::Full })
    }),
    list("allow-origin", |options, values| {
        let origins: Result<Vec<AllowedOrigin>, BadOrigin> =
            values.iter().map(|value| value.parse()).collect();
        origins.map(|origins| options.allow_origin = origins).map_err(|error| error.to_string())
    }),
    one("no-page", |options, text| {
        boolean(text).map(|off| options.web.http = if off { Http::HealthOnly } else { Http::Full })
    }),
    Key {
        reads: Reads::Whole,
        ..one("layouts", |options, text| {
            options.web.layouts = (!text.is_empty()).then(|| text.into());
            Ok(())
        })
    },
    Key {
        reads: Reads::Whole,
        ..one("ui", |options, text| {
            options.web.viewer = (!text.is_empty()).then(|| text.into());
            Ok(())
        })
    },
    one("name", |options, text| {
        options.name = (!text.is_empty()).then(|| text.to_owned());
        Ok(())
    }),
    one("rate", |options, text| text.parse::<Rate>().map(|rate| options.playback.rate = rate)),
    one("loop", |options, text| boolean(text).map(|on| options.playback.looping = on)),
    one("start-paused", |options, text| boolean(text).map(|on| options.playback.start_paused = on)),
    one("start-on", |options, text| start_on(text).map(|start| options.playback.start_on = start)),
    Key {
        hidden: true,
        ..one("start-on-clients", |options, text| {
            start_on_clients(text).map(|start| options.playback.start_on = start)
        })
    },
    one("at-end", |options, text| at_end(text).map(|at_end| options.playback.at_end = at_end)),
    one("skip-gaps", |options, text| skip_gaps(text).map(|longest| options.playback.skip_gaps = longest)),
    one("shift", |options, text| shift(text).map(|shift| options.playback.shift = shift)),
    one("start", |options, text| unless_empty(text, TimeSpec::from_str).map(|t| options.recording.start = t)),
    one("end", |options, text| unless_empty(text, TimeSpec::from_str).map(|t| options.recording.end = t)),
    one("playback-duration", |options, text| {
        unless_empty(text, some_duration).map(|duration| options.recording.duration = duration)
    }),
    list("topic", |options, values| {
        patterns(values).map(|patterns| options.recording.topics.filter.include = patterns)
    }),
    list("exclude", |options, values| {
        patterns(values).map(|patterns| options.recording.topics.filter.exclude = patterns)
    }),
    list("remap", |options, values| {
        let remap: Result<Vec<Remap>, _> = values.iter().map(|value| value.parse()).collect();
        remap.map(|remap| options.recording.topics.remap = remap)
    }),
    one("prefix", |options, text| {
        options.recording.topics.prefix = text.to_owned();
        Ok(())
    }),
    list("throttle", |options, values| {
        let rules: Result<Vec<ThrottleRule>, _> = values.iter().map(|value| value.parse()).collect();
        rules.map(|rules| options.throttle = rules)
    }),
    one("order", |options, text| order(text).map(|order| options.recording.order = order)),
    one("live", |options, text| boolean(text).map(|on| options.live.immediate = on)),
    one("paced", |options, text| boolean(text).map(|on| options.live.paced = on)),
    one("on-eof", |options, text| on_eof(text).map(|on_eof| options.live.on_eof = on_eof)),
    one("follow", |options, text| boolean(text).map(|on| options.live.follow = on)),
    one("from-start", |options, text| boolean(text).map(|on| options.live.from_start = on)),
    one("max-writers", |options, text| max_writers(text).map(|limit| options.live.max_writers = limit)),
    one("events", |options, text| boolean(text).map(|on| options.events = on)),
    one("call-timeout", |options, text| {
        parse_duration(text).map(|d| options.call_timeout = d).map_err(|error| error.to_string())
    }),
    one("default-topic", |options, text| {
        options.json_lines.default_topic = (!text.is_empty()).then(|| text.to_owned());
        Ok(())
    }),
    Key {
        reads: Reads::JsonAfterEquals,
        ..list("schema", |options, values| {
            let schemas: Result<Vec<SchemaFor>, _> = values.iter().map(|value| value.parse()).collect();
            schemas.map(|schemas| options.json_lines.schemas = schemas)
        })
    },
    one("json-as", |options, text| text.parse().map(|json_as| options.types.json_as = json_as)),
    Key {
        reads: Reads::Whole,
        ..list("proto", |options, values| {
            options.types.proto = values.iter().map(PathBuf::from).collect();
            Ok(())
        })
    },
    Key {
        reads: Reads::Whole,
        ..list("proto-path", |options, values| {
            options.types.proto_path = values.iter().map(PathBuf::from).collect();
            Ok(())
        })
    },
    one("raw", |options, text| form(options, text, LineForm::Raw)),
    one("csv", |options, text| form(options, text, LineForm::Csv)),
    one("time-field", |options, text| {
        options.json_lines.time_field = (!text.is_empty()).then(|| text.to_owned());
        Ok(())
    }),
    one("time-unit", |options, text| {
        unless_empty(text, TimeUnit::from_str).map(|unit| options.json_lines.time_unit = unit)
    }),
    one("nan", |options, text| text.parse().map(|nan| options.json_lines.nan = nan)),
    one("strict", |options, text| boolean(text).map(|strict| options.json_lines.strict = strict)),
    one("max-line", |options, text| max_line(text).map(|bytes| options.json_lines.max_line = bytes)),
    list("latch", |options, values| latch(values).map(|latch| options.hub.latch = latch)),
    one("on-slow-client", |options, text| slow(text).map(|slow| options.hub.on_slow_client = slow)),
    one("client-buffer", |options, text| size::parse(text).map(|bytes| options.hub.client_buffer = bytes)),
    one("client-timeout", |options, text| {
        parse_duration(text).map(|d| options.client_timeout = d).map_err(|error| error.to_string())
    }),
    one("client-text", |options, text| client_text(text).map(|bytes| options.client_text = bytes)),
    one("client-message", |options, text| client_message(text).map(|bytes| options.client_message = bytes)),
    one("max-clients", |options, text| limit(text).map(|limit| options.max_clients = limit)),
    one("max-clients-per-address", |options, text| {
        limit_or_off(text).map(|limit| options.max_clients_per_address = limit)
    }),
    one("client-subscriptions", |options, text| {
        limit(text).map(|limit| options.hub.limits.subscriptions = limit)
    }),
    one("client-requests", |options, text| limit(text).map(|limit| options.hub.limits.requests = limit)),
    one("client-channels", |options, text| limit(text).map(|limit| options.hub.limits.channels = limit)),
    one("client-parameters", |options, text| limit(text).map(|limit| options.hub.limits.parameters = limit)),
    one("client-request-id", |options, text| {
        size::parse(text).map(|bytes| options.hub.limits.request_id = bytes)
    }),
    one("time-resolution", |options, text| {
        parse_duration(text).map(|d| options.hub.time_resolution = d).map_err(|error| error.to_string())
    }),
    one("compression", |options, text| on_off(text).map(|on| options.compression = on)),
    Key { tables: true, ..list("param", |options, values| param::add(&mut options.params, values)) },
    Key { tables: true, ..list("service", |options, values| service::add(&mut options.services, values)) },
    Key {
        reads: Reads::AfterEquals,
        ..list("assets", |options, values| {
            let folders: Result<Vec<AssetFolder>, _> = values.iter().map(|value| value.parse()).collect();
            folders.map(|folders| options.assets.folders = folders).map_err(|error| error.to_string())
        })
    },
    one("max-asset", |options, text| max_asset(text).map(|bytes| options.assets.largest = bytes)),
    one("record", |options, text| {
        options.record = (!text.is_empty()).then(|| text.into());
        Ok(())
    }),
    one("ready-file", |options, text| {
        options.ready_file = (!text.is_empty()).then(|| text.into());
        Ok(())
    }),
    one("no-progress", |options, text| boolean(text).map(|off| options.progress = !off)),
];

impl Key {
    /// The key of this name.
    pub(crate) fn find(name: &str) -> Option<&'static Self> {
        KEYS.iter().find(|key| key.name == name)
    }

    /// Its environment variable.
    pub(crate) fn variable(&self) -> String {
        format!("{PREFIX}{}", self.name.replace('-', "_").to_ascii_uppercase())
    }

    /// Sets the option; the error says what can be written instead.
    pub(crate) fn apply(&self, options: &mut ServeOptions, values: &[String]) -> Result<(), String> {
        match (&self.set, values) {
            (Setter::List(set), values) => set(options, values),
            (Setter::One(set), [value]) => set(options, value),
            (Setter::One(_), _) => Err("takes one value, not a list".to_owned()),
        }
    }
}

/// Splits at commas, but not within `{}`, `[]` or `()`, where globs and regular expressions have their own.
pub(crate) fn split_list(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut depth = 0usize;
    for c in text.chars() {
        match c {
            '{' | '[' | '(' => depth += 1,
            '}' | ']' | ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        if let Some(part) = parts.last_mut() {
            part.push(c);
        }
    }
    parts.iter().map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
}

fn unless_empty<T, E: ToString>(text: &str, parse: fn(&str) -> Result<T, E>) -> Result<Option<T>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    parse(text).map(Some).map_err(|error| error.to_string())
}

/// A length of time in which something can be played.
fn some_duration(text: &str) -> Result<Duration, String> {
    match parse_duration(text).map_err(|error| error.to_string())? {
        Duration::ZERO => Err(format!("'{text}' plays nothing: write how much to play, like 30s or 1h30m")),
        duration => Ok(duration),
    }
}

/// Room for a request, and no more than a client may send at all.
fn client_text(text: &str) -> Result<usize, String> {
    match size::parse(text)? {
        bytes @ SMALLEST_CLIENT_TEXT..=CLIENT_MESSAGE => Ok(bytes),
        _ => Err(format!(
            "'{text}' is out of range: write {} KiB to {} MiB",
            SMALLEST_CLIENT_TEXT >> 10,
            CLIENT_MESSAGE >> 20
        )),
    }
}

/// Room for a text, and no more than messages of all clients may take.
fn client_message(text: &str) -> Result<usize, String> {
    match size::parse(text)? {
        bytes @ SMALLEST_CLIENT_TEXT..=UNFINISHED => Ok(bytes),
        _ => Err(format!(
            "'{text}' is out of range: write {} KiB to {} MiB",
            SMALLEST_CLIENT_TEXT >> 10,
            UNFINISHED >> 20
        )),
    }
}

/// A limit of things that are counted.
fn limit(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(limit @ 1..=1_000_000) => Ok(limit),
        _ => Err(format!("'{text}' is not a limit: write 1 to 1000000")),
    }
}

fn limit_or_off(text: &str) -> Result<Option<usize>, String> {
    if text == "off" { Ok(None) } else { limit(text).map(Some).map_err(|error| format!("{error}, or off")) }
}

fn boolean(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" => Ok(true),
        "false" | "no" | "off" | "0" => Ok(false),
        _ => Err(format!("'{text}' is neither true nor false")),
    }
}

fn host(text: &str) -> Result<IpAddr, String> {
    // an IPv6 address as it stands in a URL
    let text = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    if text == "localhost" {
        return Ok(IpAddr::V4(Ipv4Addr::LOCALHOST));
    }
    text.parse().map_err(|_error| {
        format!(
            "'{text}' is not an address to listen on: \
             write 127.0.0.1 for this computer only, 0.0.0.0 or :: for all networks"
        )
    })
}

fn port(text: &str) -> Result<u16, String> {
    text.parse().map_err(|_error| {
        // Kubernetes sets NAME_PORT=tcp://… in every pod beside a service of that name
        let hint = if text.starts_with("tcp://") {
            "; Kubernetes sets this variable for a service of the same name: set enableServiceLinks to false"
        } else {
            ""
        };
        format!("'{text}' is not a port: write a number from 0 to 65535, 0 for any free one{hint}")
    })
}

fn start_on(text: &str) -> Result<StartOn, String> {
    match text {
        "client" => Ok(StartOn::Clients(1)),
        "launch" => Ok(StartOn::Launch),
        _ => Err(format!("'{text}' is neither client nor launch")),
    }
}

fn start_on_clients(text: &str) -> Result<StartOn, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err(format!("'{text}' is not a number of clients: write 1 or more")),
        Ok(clients) => Ok(StartOn::Clients(clients)),
    }
}

fn at_end(text: &str) -> Result<AtEnd, String> {
    match text {
        "stay" => Ok(AtEnd::Stay),
        "exit" => Ok(AtEnd::Exit),
        _ => Err(format!("'{text}' is neither stay nor exit")),
    }
}

fn skip_gaps(text: &str) -> Result<Option<Duration>, String> {
    if text == "off" {
        return Ok(None);
    }
    match parse_duration(text) {
        Ok(longest) if longest >= SHORTEST_GAP => Ok(Some(longest)),
        Ok(_) => Err(format!("'{text}' is less than a second; what is shorter is no pause")),
        Err(error) => Err(format!("{error}, or off")),
    }
}

fn shift(text: &str) -> Result<TimeShift, String> {
    match text {
        "off" => Ok(TimeShift::Off),
        "now" => Ok(TimeShift::Now),
        _ => Err(format!("'{text}' is neither off nor now")),
    }
}

fn on_eof(text: &str) -> Result<OnEof, String> {
    match text {
        "keep" => Ok(OnEof::Keep),
        "exit" => Ok(OnEof::Exit),
        _ => Err(format!("'{text}' is neither keep nor exit")),
    }
}

/// Each writer is a thread with a buffer of its own.
fn max_writers(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(limit @ 1..=1000) => Ok(limit),
        _ => Err(format!("'{text}' is not a number of writers: write 1 to 1000")),
    }
}

fn order(text: &str) -> Result<Order, String> {
    match text {
        "log" => Ok(Order::Log),
        "publish" => Ok(Order::Publish),
        _ => Err(format!("'{text}' is neither log nor publish")),
    }
}

/// Turns a form of lines on or off; there is one at a time.
fn form(options: &mut ServeOptions, text: &str, form: LineForm) -> Result<(), String> {
    let lines = &mut options.json_lines.form;
    match boolean(text)? {
        true if *lines != form && *lines != LineForm::Keyed => {
            Err("lines are either --raw or --csv; leave one out".to_owned())
        }
        true => {
            *lines = form;
            Ok(())
        }
        false => {
            if *lines == form {
                *lines = LineForm::Keyed;
            }
            Ok(())
        }
    }
}

fn max_line(text: &str) -> Result<usize, String> {
    match size::parse(text)? {
        bytes @ 0..=LARGEST_MAX_LINE => Ok(bytes),
        _ => Err(format!(
            "'{text}' is more than a line can have: write at most {} MiB",
            LARGEST_MAX_LINE >> 20
        )),
    }
}

/// Each client may have some of this size in memory.
fn max_asset(text: &str) -> Result<usize, String> {
    match size::parse(text)? {
        bytes @ 0..=LARGEST_MAX_ASSET => Ok(bytes),
        _ => Err(format!("'{text}' is too large: write at most {} GiB", LARGEST_MAX_ASSET >> 30)),
    }
}

fn slow(text: &str) -> Result<SlowClient, String> {
    match text {
        "drop" => Ok(SlowClient::Drop),
        "wait" => Ok(SlowClient::Wait),
        _ => Err(format!("'{text}' is neither drop nor wait")),
    }
}

fn on_off(text: &str) -> Result<bool, String> {
    match text {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err(format!("'{text}' is neither on nor off")),
    }
}

fn latch(values: &[String]) -> Result<Latch, String> {
    let words: Vec<&str> = values.iter().map(String::as_str).collect();
    match words.as_slice() {
        [] | ["auto"] => Ok(Latch::Auto),
        ["none"] => Ok(Latch::Off),
        words if words.contains(&"none") => {
            Err("'none' stands alone: leave out the other values, or 'none'".to_owned())
        }
        // patterns add to what auto finds, so naming auto beside them changes nothing
        _ => {
            let named: Vec<String> = values.iter().filter(|value| *value != "auto").cloned().collect();
            patterns(&named).map(Latch::Topics)
        }
    }
}

fn patterns(values: &[String]) -> Result<Vec<TopicPattern>, String> {
    values.iter().map(|text| text.parse::<TopicPattern>().map_err(|error| error.to_string())).collect()
}
