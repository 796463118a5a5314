//! The keys: one for each option of `serve`, with the parser of its values.

use std::path::PathBuf;
use std::str::FromStr;

use super::values::{
    at_end, boolean, client_message, client_text, form, host, latch, limit, limit_or_off, max_asset,
    max_line, max_writers, on_eof, on_off, order, patterns, port, shift, skip_gaps, slow, some_duration,
    start_on, start_on_clients, unless_empty,
};
use super::{ServeOptions, keep, param, service, size, split};
use foxglove_bridge::assets::AssetFolder;
use foxglove_bridge::hub::Access;
use foxglove_bridge::playback::Rate;
use foxglove_bridge::server::{AllowedOrigin, BadOrigin, Http};
use foxglove_bridge::source::Remap;
use foxglove_bridge::source::json_lines::{LineForm, TimeUnit};
use foxglove_bridge::source::live::SchemaFor;
use foxglove_bridge::source::throttle::ThrottleRule;
use foxglove_bridge::time::{TimeSpec, parse_duration};

/// What the variables of all settings begin with.
pub(super) const PREFIX: &str = "FOXGLOVE_BRIDGE_";

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
    one("split-size", |options, text| {
        unless_empty(text, split::size).map(|bytes| options.split.size = bytes)
    }),
    one("split-duration", |options, text| {
        unless_empty(text, split::duration).map(|duration| options.split.duration = duration)
    }),
    one("max-files", |options, text| {
        unless_empty(text, split::files).map(|files| options.split.max_files = files)
    }),
    one("disk-budget", |options, text| {
        unless_empty(text, split::budget).map(|bytes| options.split.disk_budget = bytes)
    }),
    list("keep", |options, values| keep::parse(values).map(|kept| options.keep = kept)),
    one("save-dir", |options, text| {
        options.save_dir = if text.is_empty() { ".".into() } else { text.into() };
        Ok(())
    }),
    one("save-after", |options, text| {
        parse_duration(text).map(|d| options.save_after = d).map_err(|error| error.to_string())
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
