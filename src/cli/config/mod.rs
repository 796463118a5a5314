//! What `serve` is told: defaults, a TOML file, the environment and flags, merged once into plain structs.
//!
//! Every option is a key ([`keys::KEYS`]) with one parser, wherever its value comes from. [`build`] starts
//! from [`ServeOptions::default`], the only place that knows defaults, and applies settings in the order
//! file, environment, flag; the last one wins. After that no code looks at flags.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io::Read;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use foxglove_bridge::assets::{AssetFolder, LARGEST_ASSET};
use foxglove_bridge::hub::HubOptions;
use foxglove_bridge::hub::capability::parameters::ParameterSpec;
use foxglove_bridge::input::OnEof;
use foxglove_bridge::input::listen::Listener;
use foxglove_bridge::internals::nearest;
use foxglove_bridge::payload::TypeOptions;
use foxglove_bridge::playback::PlaybackOptions;
use foxglove_bridge::server::{
    AllowedOrigin, CLIENT_MESSAGE, CLIENT_TEXT, CLIENT_TIMEOUT, Http, MAX_CLIENTS,
};
use foxglove_bridge::source::RecordingOptions;
use foxglove_bridge::source::json_lines::{JsonLinesOptions, LineForm};
use foxglove_bridge::source::throttle::ThrottleRule;
use foxglove_bridge::time::TimeSpec;

mod address;
pub(crate) mod file;
mod fits;
pub(crate) mod keys;
mod param;
pub(crate) mod service;
pub(crate) mod size;
mod table;

use keys::Key;
use service::CommandService;

/// What the variables of all settings begin with.
pub(crate) const PREFIX: &str = "FOXGLOVE_BRIDGE_";

/// Variables that are no keys of the file.
const OTHER_VARIABLES: [&str; 2] = ["FOXGLOVE_BRIDGE_CONFIG", "FOXGLOVE_BRIDGE_LOG_FORMAT"];

/// The largest file of settings: far more than all keys with long lists.
const LARGEST_FILE: u64 = 1 << 20;

/// Everything `serve` needs to know.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ServeOptions {
    /// Recordings to play; never empty once built.
    pub(crate) sources: Vec<OsString>,
    /// Address to listen on.
    pub(crate) host: IpAddr,
    /// Port to listen on; 0: any free one.
    pub(crate) port: u16,
    /// Whose pages may connect, besides those that always may.
    pub(crate) allow_origin: Vec<AllowedOrigin>,
    /// What of the recording is played.
    pub(crate) recording: RecordingOptions,
    /// How JSON lines are read.
    pub(crate) json_lines: JsonLinesOptions,
    /// How it is played.
    pub(crate) playback: PlaybackOptions,
    /// Topics that are held to a rate.
    pub(crate) throttle: Vec<ThrottleRule>,
    /// How live input is treated.
    pub(crate) live: LiveOptions,
    /// How clients are served.
    pub(crate) hub: HubOptions,
    /// Parameters that clients see and set.
    pub(crate) params: Vec<ParameterSpec>,
    /// Services that run a command.
    pub(crate) services: Vec<CommandService>,
    /// Which types live messages can have, and what they are sent as.
    pub(crate) types: TypeOptions,
    /// Files that clients may fetch.
    pub(crate) assets: AssetOptions,
    /// How long a client may take nothing and send nothing before it is closed; zero: for ever.
    pub(crate) client_timeout: Duration,
    /// The longest text that is taken from a client, in bytes.
    pub(crate) client_text: usize,
    /// The largest message that is taken from a client, in bytes.
    pub(crate) client_message: usize,
    /// How many clients may be connected at once.
    pub(crate) max_clients: usize,
    /// How many of one address; None: as many as there may be at all.
    pub(crate) max_clients_per_address: Option<usize>,
    /// Whether messages are compressed for clients that offer it.
    pub(crate) compression: bool,
    /// Whether what happens is printed on stdout.
    pub(crate) events: bool,
    /// How long a program that provides a service may take to answer a call; zero: for ever.
    pub(crate) call_timeout: Duration,
    /// What is offered over HTTP.
    pub(crate) web: WebOptions,
    /// Server name told to viewers; the name of the source if None.
    pub(crate) name: Option<String>,
    /// Where what is served is recorded, if anywhere; see [`crate::sink::path_at`].
    pub(crate) record: Option<PathBuf>,
    /// The file that is written once the server listens, if any.
    pub(crate) ready_file: Option<PathBuf>,
    /// Whether a progress bar may be shown.
    pub(crate) progress: bool,
}

impl ServeOptions {
    /// What is played: the files and folders that are named, unless they are followed.
    pub(crate) fn recordings(&self) -> Vec<OsString> {
        if self.live.follow {
            return Vec::new();
        }
        self.sources.iter().filter(|spec| !is_live(spec)).cloned().collect()
    }
}

/// What is offered over HTTP beside connections.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct WebOptions {
    /// How much.
    pub(crate) http: Http,
    /// The folder of layouts, if there is one.
    pub(crate) layouts: Option<PathBuf>,
    /// The folder of a viewer that is a web page, if there is one.
    pub(crate) viewer: Option<PathBuf>,
}

/// Which files clients may fetch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AssetOptions {
    /// Where they are; whether they are there is looked at by who opens them.
    pub(crate) folders: Vec<AssetFolder>,
    /// The largest that is given out, in bytes.
    pub(crate) largest: usize,
}

impl Default for AssetOptions {
    fn default() -> Self {
        Self { folders: Vec::new(), largest: LARGEST_ASSET }
    }
}

/// How input is treated that is no recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LiveOptions {
    /// Send an MCAP stream at once; it is played by log time otherwise.
    pub(crate) immediate: bool,
    /// Play JSON lines by log time; they are sent at once otherwise. Implied by a rate that is asked for.
    pub(crate) paced: bool,
    /// What happens when every input has ended.
    pub(crate) on_eof: OnEof,
    /// The files that are named still grow: serve what is appended.
    pub(crate) follow: bool,
    /// Of files that are followed, serve also what they hold already.
    pub(crate) from_start: bool,
    /// How many writers may be connected to sockets at once.
    pub(crate) max_writers: usize,
}

impl Default for LiveOptions {
    fn default() -> Self {
        Self {
            immediate: false,
            paced: false,
            on_eof: OnEof::Keep,
            follow: false,
            from_start: false,
            max_writers: 64,
        }
    }
}

impl Default for ServeOptions {
    fn default() -> Self {
        Self {
            sources: Vec::new(),
            host: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port: 8765,
            allow_origin: Vec::new(),
            recording: RecordingOptions::default(),
            json_lines: JsonLinesOptions::default(),
            playback: PlaybackOptions::default(),
            throttle: Vec::new(),
            live: LiveOptions::default(),
            hub: HubOptions::default(),
            params: Vec::new(),
            services: Vec::new(),
            types: TypeOptions::default(),
            assets: AssetOptions::default(),
            client_timeout: CLIENT_TIMEOUT,
            client_text: CLIENT_TEXT,
            client_message: CLIENT_MESSAGE,
            max_clients: MAX_CLIENTS,
            max_clients_per_address: None,
            compression: false,
            events: false,
            call_timeout: Duration::from_secs(10),
            web: WebOptions::default(),
            name: None,
            record: None,
            ready_file: None,
            progress: true,
        }
    }
}

/// Where a setting was made, from the weakest to the strongest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Origin {
    /// A line of a TOML file, counted from 1.
    File {
        /// The file as the user named it.
        path: PathBuf,
        /// Line of the value.
        line: usize,
    },
    /// An environment variable.
    Environment,
    /// A flag or argument of the command line.
    Flag,
}

/// A key and what it is set to, still as text.
#[derive(Debug, Clone)]
pub(crate) struct Setting {
    /// Which option.
    pub(crate) key: &'static Key,
    /// One value, or for lists any number.
    pub(crate) values: Vec<String>,
    /// Where from; decides which setting wins.
    pub(crate) origin: Origin,
}

impl fmt::Display for Setting {
    /// The setting as the user wrote it, for error messages.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.origin {
            Origin::File { path, line } => write!(f, "{}:{line}: {}", path.display(), self.key.name),
            Origin::Environment => f.write_str(&self.key.variable()),
            Origin::Flag if self.key.name == "source" => f.write_str("SOURCE"),
            Origin::Flag => write!(f, "--{}", self.key.name),
        }
    }
}

/// Why settings make no options.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// A value that its key does not take.
    #[error("{setting}: {reason}")]
    Value {
        /// Where it is, for example `--rate` or `bridge.toml:3: rate`.
        setting: String,
        /// What is wrong with it, and what can be written.
        reason: String,
    },
    /// A key that does not exist.
    #[error("{}:{line}: unknown key '{key}'; {hint}", path.display())]
    UnknownKey {
        /// The file.
        path: PathBuf,
        /// Line of the key, from 1.
        line: usize,
        /// The key as written.
        key: String,
        /// The likeliest key, or all.
        hint: String,
    },
    /// Not TOML.
    #[error("{}:{line}: {reason}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Line where reading stopped, from 1.
        line: usize,
        /// What the parser says.
        reason: String,
    },
    /// The file can't be read.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Nothing to play.
    #[error("no source given; name a recording (foxglove-bridge serve drive.mcap), or - for stdin")]
    NoSource,
    /// An option that means nothing alone.
    #[error("{setting} needs --{needed} as well: {why}")]
    Missing {
        /// What is set, for example `--csv` or `bridge.toml:3: csv`.
        setting: String,
        /// The key that is not.
        needed: &'static str,
        /// What it is for.
        why: &'static str,
    },
    /// A flag that means nothing for what is served.
    #[error("{setting}: {why}")]
    DoesNotFit {
        /// The flag.
        setting: String,
        /// Why, and the way out.
        why: String,
    },
    /// A source that looks like an address, of a kind that is not known.
    #[error("{source_name}: {way_out}")]
    Address {
        /// As named.
        source_name: String,
        /// What to do instead.
        way_out: String,
    },
    /// A source that is neither a file nor a folder.
    #[error(
        "{path} is {what}, not a recording; what it gives can be read from stdin: foxglove-bridge serve - < {path}"
    )]
    NotAFile {
        /// As named.
        path: String,
        /// What it is.
        what: &'static str,
    },
    /// Playback would end before it starts.
    #[error("--end {end} lies before --start {start}; swap them, or leave one out")]
    EndBeforeStart {
        /// As given.
        start: String,
        /// As given.
        end: String,
    },
}

/// The outcome of [`build`].
#[derive(Debug)]
pub(crate) struct Built {
    /// What is to be done.
    pub(crate) options: ServeOptions,
    /// Settings that were left out, and why.
    pub(crate) warnings: Vec<String>,
}

/// Merges settings into options: flag over environment over file over default, in whatever order they come. What does
/// not fit to what is served is left out, or an error if it is a flag.
pub(crate) fn build(mut settings: Vec<Setting>) -> Result<Built, ConfigError> {
    // stable: within one origin the later setting wins
    settings.sort_by_key(|setting| setting.origin.strength());
    if applied(&settings)?.sources.is_empty() {
        return Err(ConfigError::NoSource);
    }
    let warnings = fits::fit(&mut settings)?;
    let mut options = applied(&settings)?;
    check_range(&options.recording, &settings)?;
    check_lines(&options.json_lines, &settings)?;
    // a rate that was asked for on the spot; that of a file may be meant for recordings
    let rate = |setting: &Setting| setting.key.name == "rate" && setting.origin.strength() > 0;
    options.live.paced |= !options.live.immediate && settings.iter().any(rate);
    Ok(Built { options, warnings })
}

/// The same for a command that serves no source: of the settings those of these keys alone.
pub(crate) fn build_without_source(
    keys: &[&str],
    mut settings: Vec<Setting>,
) -> Result<ServeOptions, ConfigError> {
    settings.retain(|setting| keys.contains(&setting.key.name));
    settings.sort_by_key(|setting| setting.origin.strength());
    applied(&settings)
}

/// The defaults with these settings, the strongest last.
fn applied(settings: &[Setting]) -> Result<ServeOptions, ConfigError> {
    let mut options = ServeOptions::default();
    for setting in settings {
        setting
            .key
            .apply(&mut options, &setting.values)
            .map_err(|reason| ConfigError::Value { setting: setting.to_string(), reason })?;
    }
    Ok(options)
}

/// Whether a source is named as one that is live: stdin, or a socket.
pub(crate) fn is_live(spec: impl AsRef<OsStr>) -> bool {
    spec.as_ref() == "-" || Listener::is_meant(spec)
}

/// Refuses addresses, and sources that can only be read once, like devices and pipes: recordings are read at any place.
pub(crate) fn check_files(options: &ServeOptions) -> Result<(), ConfigError> {
    for spec in options.sources.iter().filter(|spec| !is_live(spec)) {
        if let Some(way_out) = spec.to_str().and_then(address::way_out) {
            return Err(ConfigError::Address { source_name: spec.display().to_string(), way_out });
        }
        // a file that is missing is reported by who opens it
        let what = std::fs::metadata(spec).ok().and_then(|metadata| special(metadata.file_type()));
        if let Some(what) = what {
            return Err(ConfigError::NotAFile { path: spec.display().to_string(), what });
        }
    }
    Ok(())
}

#[cfg(unix)]
fn special(kind: std::fs::FileType) -> Option<&'static str> {
    use std::os::unix::fs::FileTypeExt;
    let kinds = [
        (kind.is_fifo(), "a pipe"),
        (kind.is_char_device() || kind.is_block_device(), "a device"),
        (kind.is_socket(), "a socket"),
    ];
    kinds.iter().find(|(is, _)| *is).map(|(_, what)| *what)
}

#[cfg(not(unix))]
fn special(_kind: std::fs::FileType) -> Option<&'static str> {
    None
}

impl Origin {
    fn strength(&self) -> u8 {
        match self {
            Self::File { .. } => 0,
            Self::Environment => 1,
            Self::Flag => 2,
        }
    }
}

/// Refuses an end before the start where that can be told without the recording.
fn check_range(recording: &RecordingOptions, settings: &[Setting]) -> Result<(), ConfigError> {
    let reversed = match (recording.start, recording.end) {
        (Some(TimeSpec::At(start)), Some(TimeSpec::At(end))) => end < start,
        (Some(TimeSpec::FromStart(start)), Some(TimeSpec::FromStart(end))) => end < start,
        _ => false,
    };
    if !reversed {
        return Ok(());
    }
    let text = |name: &str| {
        let last = settings.iter().rev().find(|setting| setting.key.name == name);
        last.map(|setting| setting.values.join(" ")).unwrap_or_default()
    };
    Err(ConfigError::EndBeforeStart { start: text("start"), end: text("end") })
}

/// Refuses options that mean nothing without another.
fn check_lines(options: &JsonLinesOptions, settings: &[Setting]) -> Result<(), ConfigError> {
    let JsonLinesOptions { form, default_topic, time_field, .. } = options;
    let key = match form {
        LineForm::Keyed if time_field.is_some() => "time-field",
        LineForm::Keyed | LineForm::Commands => return Ok(()),
        LineForm::Raw => "raw",
        LineForm::Csv => "csv",
    };
    if default_topic.is_none() {
        let why = "the topic of messages that are whole lines";
        let set = settings.iter().rev().find(|setting| setting.key.name == key);
        let setting = set.map_or_else(|| format!("--{key}"), ToString::to_string);
        return Err(ConfigError::Missing { setting, needed: "default-topic", why });
    }
    Ok(())
}

/// A variable of the environment; what of it is no text is replaced.
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
}

/// The settings made by environment variables, `FOXGLOVE_BRIDGE_` and the key in capitals.
///
/// `variable` reads one variable. An empty one counts as not set, as compose files pass on unset variables.
pub(crate) fn environment_settings(variable: impl Fn(&str) -> Option<String>) -> Vec<Setting> {
    let mut settings = Vec::new();
    for key in keys::KEYS {
        if let Some(text) = variable(&key.variable()).filter(|text| !text.is_empty()) {
            let values = if key.list { keys::split_list(&text) } else { vec![text] };
            settings.push(Setting { key, values, origin: Origin::Environment });
        }
    }
    settings
}

/// Variables that look like settings and are none, with what was meant. Those that Kubernetes makes for a service of this
/// name are left alone.
pub(crate) fn unknown_variables(names: impl IntoIterator<Item = String>) -> Vec<String> {
    let known: Vec<String> =
        keys::KEYS.iter().map(Key::variable).chain(OTHER_VARIABLES.map(str::to_owned)).collect();
    let visible: Vec<String> = keys::KEYS.iter().filter(|key| !key.hidden).map(Key::variable).collect();
    let of_service = |rest: &str| {
        rest.starts_with("SERVICE_HOST")
            || rest.starts_with("SERVICE_PORT")
            || rest.strip_prefix("PORT_").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    };
    let mut unknown: Vec<String> = names
        .into_iter()
        .filter(|name| {
            !known.contains(name) && name.strip_prefix(PREFIX).is_some_and(|rest| !of_service(rest))
        })
        .collect();
    unknown.sort();
    let warning = |name: String| {
        let rest = &name[PREFIX.len()..];
        let candidates = visible.iter().map(String::as_str).chain(OTHER_VARIABLES);
        let nearest = nearest(rest, candidates.map(|candidate| &candidate[PREFIX.len()..]));
        let hint =
            nearest.map_or_else(|| "see --help".to_owned(), |meant| format!("did you mean {PREFIX}{meant}?"));
        format!("{name}: there is no such setting; {hint}")
    };
    unknown.into_iter().map(warning).collect()
}

/// The settings of a TOML file.
pub(crate) fn file_settings(path: &Path) -> Result<Vec<Setting>, ConfigError> {
    let failed = |source| ConfigError::File { path: path.to_owned(), source };
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(failed)?;
    let length = file.take(LARGEST_FILE + 1).read_to_string(&mut text).map_err(failed)?;
    if length as u64 > LARGEST_FILE {
        return Err(failed(std::io::Error::other(format!(
            "has more than {} MiB, which is no file of settings",
            LARGEST_FILE >> 20
        ))));
    }
    file::settings(&text, path)
}

#[cfg(test)]
mod tests;
