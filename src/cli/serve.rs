//! `serve`: plays recordings to viewers.

use std::io::Write;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use foxglove_bridge::config::{self, ConfigError, ServeOptions};
use foxglove_bridge::hub::Hub;
use foxglove_bridge::logging::LogOutput;
use foxglove_bridge::playback::{Player, PlayerHandle, Request};
use foxglove_bridge::server::{BindError, Server};
use foxglove_bridge::source::{self, Source, SourceInfo};
use tokio_util::sync::CancellationToken;

use super::Failure;
use super::args::{LogArgs, ServeArgs};
use super::keyboard::{Action, Keyboard};
use super::progress::{self, PlayBar, ScanBar, span};

/// Plays until the end, a key or a signal.
pub(crate) fn run(args: &ServeArgs, logging: &LogArgs, log: &LogOutput) -> Result<(), Failure> {
    let options = options(args).map_err(|error| Failure::Input(error.into()))?;
    let source = open(&options, log)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Runtime(anyhow::Error::from(error).context("starting the runtime")))?;
    let bar = options.progress && !logging.quiet && progress::on_terminal();
    runtime.block_on(serve(options, source, bar, logging.quiet, log))
}

/// Opens the one recording that is named.
fn open(options: &ServeOptions, log: &LogOutput) -> Result<Box<dyn Source>, Failure> {
    let [spec] = options.sources.as_slice() else {
        let problem = match options.sources.len() {
            0 => "no recording is named; try: foxglove-bridge serve recording.mcap",
            _ => "only one recording can be served at a time",
        };
        return Err(Failure::Input(anyhow::anyhow!(problem)));
    };
    let mut scan = ScanBar::new(spec, log);
    source::open(spec, &options.recording, &mut |progress| scan.update(progress))
        .map_err(|error| Failure::Input(error.into()))
}

async fn serve(
    options: ServeOptions,
    source: Box<dyn Source>,
    bar: bool,
    quiet: bool,
    log: &LogOutput,
) -> Result<(), Failure> {
    let runtime_failure = |what: &'static str| {
        move |error: std::io::Error| Failure::Runtime(anyhow::Error::from(error).context(what))
    };
    let server = Server::bind(SocketAddr::new(options.host, options.port))
        .await
        .map_err(|error| match error {
            BindError::InUse(_) => Failure::PortInUse(error.into()),
            BindError::Other(..) => Failure::Runtime(error.into()),
        })?
        .with_compression(options.compression);
    let info = source.info().clone();
    let hub = Hub::new(options.name.unwrap_or_else(|| info.name.clone()), options.hub);
    let (stop, finished) = (CancellationToken::new(), CancellationToken::new());
    if !quiet {
        let lines = startup_lines(server.address(), host_name().as_deref(), &info);
        log.write_with(&mut || {
            // a closed stderr leaves nobody to tell
            std::io::stderr().write_all(lines.as_bytes()).ok();
        });
    }
    let on_finished = finished.clone();
    let has_past = options.recording.start.is_some();
    let player = Player::start(source, hub.clone(), options.playback, has_past, move || on_finished.cancel())
        .map_err(runtime_failure("starting the player"))?;
    let keyboard = listen_to_keys(player.handle(), &stop);
    let showing = bar.then(|| tokio::spawn(show(PlayBar::start(log), player.handle(), hub.clone())));
    tokio::spawn(stop_on_signal(stop.clone()));
    let outcome = server.run(hub, stop, finished).await;
    if let Some(showing) = showing {
        showing.abort();
        // it ends by being aborted
        showing.await.ok();
    }
    drop(keyboard);
    tokio::task::spawn_blocking(move || drop(player)).await.ok();
    outcome.map_err(runtime_failure("serving"))
}

/// Keys of the terminal, if there is one.
fn listen_to_keys(player: PlayerHandle, stop: &CancellationToken) -> Option<Keyboard> {
    const SEEK: i64 = 5_000_000_000;
    let stop = stop.clone();
    let keyboard = Keyboard::listen(move |action| match action {
        Action::TogglePause => player.request(Request::Toggle),
        Action::Step => player.request(Request::Step),
        Action::SeekBack => player.request(Request::SeekBy(-SEEK)),
        Action::SeekForward => player.request(Request::SeekBy(SEEK)),
        Action::Faster => player.request(Request::SpeedBy(2.0)),
        Action::Slower => player.request(Request::SpeedBy(0.5)),
        Action::ToggleLoop => player.request(Request::ToggleLoop),
        Action::Quit => stop.cancel(),
    });
    keyboard.unwrap_or_else(|error| {
        tracing::warn!("keys can't be read: {error}");
        None
    })
}

/// Keeps the bar up to date.
async fn show(mut bar: PlayBar, player: PlayerHandle, hub: Hub) {
    let mut refresh = tokio::time::interval(progress::REFRESH);
    loop {
        refresh.tick().await;
        let mut snapshot = player.snapshot();
        hub.fill(&mut snapshot);
        bar.update(&snapshot, std::time::Instant::now());
    }
}

/// The first SIGINT or SIGTERM stops in good order, the second at once.
async fn stop_on_signal(stop: CancellationToken) {
    for attempt in 0.. {
        if let Err(error) = signal().await {
            tracing::error!("signals can't be awaited: {error}");
            return;
        }
        if attempt > 0 {
            #[allow(clippy::exit, reason = "the user insists")]
            std::process::exit(130);
        }
        stop.cancel();
    }
}

#[cfg(unix)]
async fn signal() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted,
        _ = terminate.recv() => Ok(()),
    }
}

#[cfg(not(unix))]
async fn signal() -> std::io::Result<()> {
    tokio::signal::ctrl_c().await
}

/// File, environment and flags in one.
fn options(args: &ServeArgs) -> Result<ServeOptions, ConfigError> {
    let variable = |name: &str| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned());
    let file = args
        .config
        .clone()
        .or_else(|| variable("FOXGLOVE_BRIDGE_CONFIG").filter(|path| !path.is_empty()).map(PathBuf::from));
    let mut settings = file.map(|path| config::file_settings(&path)).transpose()?.unwrap_or_default();
    settings.extend(config::environment_settings(variable));
    settings.extend(args.settings());
    config::build(settings)
}

/// What to tell the user once the server listens: what is served, and where viewers find it.
///
/// `address` is the bound one, with its real port; `host_name` is what other computers call this one, if known.
pub(crate) fn startup_lines(address: SocketAddr, host_name: Option<&str>, info: &SourceInfo) -> String {
    let port = address.port();
    let ip = address.ip();
    let host = match ip {
        IpAddr::V6(v6) if !ip.is_unspecified() && !ip.is_loopback() => format!("[{v6}]"),
        IpAddr::V4(v4) if !ip.is_unspecified() && v4 != std::net::Ipv4Addr::LOCALHOST => v4.to_string(),
        IpAddr::V4(_) | IpAddr::V6(_) => "localhost".to_owned(),
    };
    let query = format!("?ds=foxglove-websocket&ds.url={}", encoded(&format!("ws://{host}:{port}")));
    let mut lines = vec![
        format!("Serving {}", contents(info)),
        format!("  WebSocket   ws://{host}:{port}"),
        format!("  Foxglove    https://app.foxglove.dev/~/view{query}"),
        format!("  Lichtblick  http://localhost:8080/{query} (a Lichtblick running locally)"),
    ];
    if ip.is_unspecified() {
        let name = host_name.unwrap_or("<name or address of this computer>");
        lines.insert(2, format!("              ws://{name}:{port} from other computers"));
    }
    lines.join("\n") + "\n"
}

/// `drive.mcap (20.0 s, 12 channels, 2885 messages)`, as far as it is known.
fn contents(info: &SourceInfo) -> String {
    let count = |number: u64, noun: &str| format!("{number} {noun}{}", if number == 1 { "" } else { "s" });
    let mut facts = Vec::new();
    facts.extend(info.range.map(|range| span(range.duration())));
    facts.push(count(info.channels.len() as u64, "channel"));
    facts.extend(info.message_count.map(|messages| count(messages, "message")));
    format!("{} ({})", info.name, facts.join(", "))
}

/// The name of this computer, for links from others; None where it is not known or would mislead.
pub(crate) fn host_name() -> Option<String> {
    #[cfg(unix)]
    let name = rustix::system::uname().nodename().to_str().ok().map(str::to_owned);
    #[cfg(not(unix))]
    let name = std::env::var("COMPUTERNAME").ok();
    // in a container it is the container's id, which nobody can resolve
    let container = |name: &String| name.len() == 12 && name.chars().all(|c| c.is_ascii_hexdigit());
    name.filter(|name| !name.is_empty() && !container(name))
}

/// Percent-encoded as one value of a URL's query.
fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use foxglove_bridge::time::{TimeRange, Timestamp};

    use super::*;

    fn lines(address: &str, host_name: Option<&str>) -> String {
        let info = SourceInfo {
            name: "drive.mcap".to_owned(),
            range: Some(TimeRange { start: Timestamp(5), end: Timestamp(20_000_000_005) }),
            message_count: Some(2885),
            ..SourceInfo::default()
        };
        startup_lines(address.parse().unwrap(), host_name, &info)
    }

    #[test]
    fn the_first_lines_say_what_is_served_and_link_to_viewers() {
        let url = "?ds=foxglove-websocket&ds.url=ws%3A%2F%2Flocalhost%3A8765";
        let expected = format!(
            "Serving drive.mcap (20.0 s, 0 channels, 2885 messages)\n\
            \x20 WebSocket   ws://localhost:8765\n\
            \x20 Foxglove    https://app.foxglove.dev/~/view{url}\n\
            \x20 Lichtblick  http://localhost:8080/{url} (a Lichtblick running locally)\n"
        );
        assert_eq!(lines("127.0.0.1:8765", Some("robot")), expected);
    }

    #[test]
    fn an_address_on_all_networks_is_told_by_the_name_of_the_computer() {
        for all in ["0.0.0.0:9000", "[::]:9000"] {
            let text = lines(all, Some("robot"));
            assert!(text.contains("ws://localhost:9000\n"), "{text}");
            assert!(text.contains("ws://robot:9000 from other computers"), "{text}");
        }
        assert!(lines("0.0.0.0:1", None).contains("<name or address of this computer>"));
    }

    #[test]
    fn a_single_address_is_told_as_it_is() {
        assert!(lines("192.168.1.7:8765", None).contains("  ws://192.168.1.7:8765\n"));
        assert!(lines("[fe80::1]:8765", None).contains("  ws://[fe80::1]:8765\n"));
        assert!(lines("[fe80::1]:8765", None).contains("ds.url=ws%3A%2F%2F%5Bfe80%3A%3A1%5D%3A8765"));
        assert!(lines("[::1]:8765", None).contains("  ws://localhost:8765\n"));
        assert!(host_name().is_none_or(|name| !name.is_empty()));
    }
}
