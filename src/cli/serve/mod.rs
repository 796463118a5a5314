//! `serve`: plays recordings to viewers, or forwards live input.

use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::cli::config::{self, ConfigError, ServeOptions};
use crate::cli::logging::LogOutput;
use foxglove_bridge::hub::Hub;
use foxglove_bridge::server::{BindError, Server};
use foxglove_bridge::sink::{self, Recorded, Recorder, SinkError};
use foxglove_bridge::time::Timestamp;
use tokio_util::sync::CancellationToken;

use super::Failure;
use super::args::{LogArgs, ServeArgs};
use super::keyboard::{Action, Keyboard};
use super::progress::{self, PlayBar};

mod engine;
mod idle;
mod inputs;
mod startup;
mod stdin;

use engine::{Engine, Finish};
use inputs::Inputs;

/// Serves until the end, a key or a signal.
pub(crate) fn run(args: &ServeArgs, logging: &LogArgs, log: &LogOutput) -> Result<(), Failure> {
    let options = options(args).map_err(|error| match error {
        ConfigError::File { path, source } => {
            Failure::Input(anyhow::Error::from(source).context(format!("--config {}", path.display())))
        }
        error => Failure::Input(error.into()),
    })?;
    let inputs = Inputs::open(&options, log).map_err(Failure::Input)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Runtime(anyhow::Error::from(error).context("starting the runtime")))?;
    let bar = options.progress && !logging.quiet && progress::on_terminal();
    runtime.block_on(serve(options, inputs, bar, logging.quiet, log))
}

async fn serve(
    options: ServeOptions,
    inputs: Inputs,
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
            BindError::InUse(_) => Failure::PortInUse(anyhow::anyhow!(
                "{error}; choose another with --port, or --port 0 for any free one"
            )),
            BindError::Other(..) => Failure::Runtime(error.into()),
        })?
        .with_compression(options.compression)
        .with_client_timeout(options.client_timeout);
    let name = options.name.clone().unwrap_or_else(|| inputs.name());
    let hub = Hub::new(name, options.hub.clone());
    let recorder = options.record.as_deref().map(|path| start_recording(path, &hub)).transpose()?;
    if !quiet {
        let host_name = startup::host_name();
        let lines = startup::lines(server.address(), host_name.as_deref(), &inputs.contents());
        log.write_with(&mut || {
            // a closed stderr leaves nobody to tell
            std::io::stderr().write_all(lines.as_bytes()).ok();
        });
    }
    let stop = CancellationToken::new();
    let finish = Finish::new(server.finisher());
    let engine =
        Engine::start(inputs, &hub, &options, &finish).map_err(runtime_failure("starting playback"))?;
    // keys are read from stdin
    let keyboard = (!engine.reads_stdin()).then(|| listen_to_keys(&engine, &stop)).flatten();
    let showing = bar.then(|| tokio::spawn(show(PlayBar::start(log), engine.clone(), hub.clone())));
    tokio::spawn(stop_on_signal(stop.clone()));
    let outcome = server.run(hub, stop.cancelled_owned()).await;
    if let Some(showing) = showing {
        showing.abort();
        // it ends by being aborted
        showing.await.ok();
    }
    drop(keyboard);
    let recorded = tokio::task::spawn_blocking(move || {
        engine.stop();
        recorder.map(finish_recording).transpose()
    })
    .await;
    outcome.map_err(runtime_failure("serving"))?;
    if let Some(error) = finish.failure() {
        return Err(Failure::Input(error.into()));
    }
    match recorded {
        Ok(Err(error)) => Err(Failure::Runtime(anyhow::Error::from(error).context("--record"))),
        Ok(Ok(_)) | Err(_) => Ok(()),
    }
}

fn start_recording(path: &Path, hub: &Hub) -> Result<Recorder, Failure> {
    let path = sink::path_at(path, now());
    let recorder = Recorder::start(&path, hub)
        .map_err(|error| Failure::Input(anyhow::Error::from(error).context("--record")))?;
    tracing::info!("recording into {}", path.display());
    Ok(recorder)
}

/// Completes the recording and tells what is in it.
fn finish_recording(recorder: Recorder) -> Result<(), SinkError> {
    let Recorded { path, messages, bytes, lost } = recorder.finish()?;
    let path = path.display();
    tracing::info!("recorded {messages} messages, {:.1} MB, in {path}", bytes as f64 / 1e6);
    if lost > 0 {
        tracing::warn!("{lost} messages are not in {path}: the disk was too slow");
    }
    Ok(())
}

/// The time of this computer's clock.
fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Timestamp::MIN.saturating_add(since)
}

/// Keys of the terminal, if there is one.
fn listen_to_keys(engine: &Engine, stop: &CancellationToken) -> Option<Keyboard> {
    let (engine, stop) = (engine.clone(), stop.clone());
    let keyboard = Keyboard::listen(move |action| match action {
        Action::Playback(request) => engine.request(request),
        Action::Quit => stop.cancel(),
    });
    keyboard.unwrap_or_else(|error| {
        tracing::warn!("keys can't be read: {error}");
        None
    })
}

/// Keeps the bar up to date.
async fn show(mut bar: PlayBar, engine: Engine, hub: Hub) {
    let mut refresh = tokio::time::interval(progress::REFRESH);
    loop {
        refresh.tick().await;
        let mut snapshot = engine.snapshot();
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
    let mut options = config::build(settings)?;
    if !args.source.is_empty() {
        // settings are text, and a file's name need not be
        options.sources.clone_from(&args.source);
    }
    Ok(options)
}
