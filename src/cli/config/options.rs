//! What `serve` does, as plain structs, and their defaults.

use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use foxglove_bridge::assets::{AssetFolder, LARGEST_ASSET};
use foxglove_bridge::hub::HubOptions;
use foxglove_bridge::hub::capability::parameters::ParameterSpec;
use foxglove_bridge::input::OnEof;
use foxglove_bridge::payload::TypeOptions;
use foxglove_bridge::playback::PlaybackOptions;
use foxglove_bridge::server::{
    AllowedOrigin, CLIENT_MESSAGE, CLIENT_TEXT, CLIENT_TIMEOUT, Http, MAX_CLIENTS,
};
use foxglove_bridge::sink::Split;
use foxglove_bridge::source::RecordingOptions;
use foxglove_bridge::source::json_lines::JsonLinesOptions;
use foxglove_bridge::source::throttle::ThrottleRule;

use super::Kept;
use super::service::CommandService;
use super::sources::is_live;

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
    /// Where what is served is recorded, if anywhere; see [`foxglove_bridge::sink::McapWriter::create`].
    pub(crate) record: Option<PathBuf>,
    /// Where that goes on in a new file.
    pub(crate) split: Split,
    /// How much of what live sources have sent is kept, if any.
    pub(crate) keep: Option<Kept>,
    /// The folder into which that is saved.
    pub(crate) save_dir: PathBuf,
    /// How much of what follows is saved with it.
    pub(crate) save_after: Duration,
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
            split: Split::default(),
            keep: None,
            save_dir: PathBuf::from("."),
            save_after: Duration::ZERO,
            ready_file: None,
            progress: true,
        }
    }
}
