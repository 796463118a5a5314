//! `serve`: plays recordings to viewers, or forwards live input.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::cli::config::{self, Built, ConfigError, ServeOptions};
use crate::cli::logging::{Level, LogOutput};
use foxglove_bridge::hub::Hub;
use foxglove_bridge::internals::{counted, layouts, printable};
use foxglove_bridge::server::{BindError, Http, Origins, Server};
use foxglove_bridge::sink::{Keep, OnDisk, Recorded, Recorder, SinkError, WriterOptions};
use foxglove_bridge::source;
use tokio_util::sync::CancellationToken;

use super::args::{LogArgs, ServeArgs};
use super::keyboard::{self, Action, Keyboard};
use super::progress::{self, PlayBar};
use super::{Failure, LONGEST_ERROR, figures, panics};

mod engine;
mod exec;
pub(super) mod hints;
mod idle;
mod inputs;
mod keeping;
pub(super) mod lines;
mod names;
mod offers;
mod ready;
pub(super) mod signals;
pub(super) mod startup;
pub(super) mod stdin;
mod talk;

use engine::{Engine, Finish};
use exec::Commands;
use inputs::Inputs;
use startup::{Links, Surroundings};
use talk::Talk;

/// Serves until the end, a key or a signal. `panicked` is cancelled when a thread has died.
pub(crate) fn run(
    args: &ServeArgs,
    logging: &LogArgs,
    log: &LogOutput,
    panicked: &CancellationToken,
) -> Result<(), Failure> {
    let options = options(args).map_err(|error| match error {
        ConfigError::File { path, source } => {
            Failure::Input(anyhow::Error::from(source).context(format!("--config {}", path.display())))
        }
        error => Failure::Input(error.into()),
    })?;
    if let Some(ready) = &options.ready_file {
        // of a run that was killed
        ready::remove(ready);
    }
    signals::raise_descriptors();
    let inputs = Inputs::open(&options, log).map_err(Failure::Input)?;
    let runtime = start_runtime()?;
    let ready = options.ready_file.clone();
    let outcome = runtime.block_on(serve(options, inputs, logging.quiet, log, panicked));
    // what still waits for a client or the disk does not hold the program
    runtime.shutdown_background();
    if let Some(ready) = ready {
        ready::remove(&ready);
    }
    outcome
}

pub(super) fn bind_failure(error: BindError) -> Failure {
    match error {
        BindError::InUse(_) => Failure::PortInUse(anyhow::anyhow!(
            "{error}; choose another with --port, or --port 0 for any free one"
        )),
        // its text has that of its source
        BindError::Other(..) => Failure::Runtime(anyhow::anyhow!("{error}")),
    }
}

/// The runtime of a server, whose threads [`panics`] knows by their name.
pub(super) fn start_runtime() -> Result<tokio::runtime::Runtime, Failure> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.enable_all().thread_name(panics::WORKER).build();
    runtime.map_err(runtime_failure("starting the runtime"))
}

fn runtime_failure(what: &'static str) -> impl FnOnce(io::Error) -> Failure {
    move |error| Failure::Runtime(anyhow::Error::from(error).context(what))
}

async fn serve(
    options: ServeOptions,
    inputs: Inputs,
    quiet: bool,
    log: &LogOutput,
    panicked: &CancellationToken,
) -> Result<(), Failure> {
    let stop = panicked.child_token();
    signals::survive_full_files().map_err(runtime_failure("waiting for signals"))?;
    signals::handle(stop.clone(), log.clone());
    let server = Server::bind(SocketAddr::new(options.host, options.port))
        .await
        .map_err(bind_failure)?
        .with_compression(options.compression)
        .with_client_text(options.client_text)
        .with_client_message(options.client_message)
        .with_max_clients(options.max_clients)
        .with_max_clients_of_address(options.max_clients_per_address.unwrap_or(usize::MAX))
        .with_client_timeout(options.client_timeout)
        .with_origins(origins(&options))
        .with_http(options.web.http)
        .with_http_hint(hints::PAGE);
    let mut server = offers::folders(server, &options.web).map_err(Failure::Input)?;
    if let Some(counts) = &inputs.lines {
        server = offers::count_lines(server, counts);
    }
    let name = options.name.clone().unwrap_or_else(|| inputs.name());
    let hub = Hub::with_registry(name, options.hub.clone(), inputs.registry.clone());
    let commands = offer_controls(&hub, &options)?;
    let talk = Talk::new(&hub, &options).map_err(Failure::Runtime)?;
    offers::offer(&hub, talk.observer(), &options.assets, inputs.attachments()).map_err(Failure::Input)?;
    let recorder = options.record.as_deref().map(|path| start_recording(path, &hub, &options)).transpose()?;
    let keep = if inputs.recording.is_some() { Keep::Live } else { Keep::All };
    let kept = keeping::start(&hub, &options, keep, &stop)?;
    signals::save_on_user_signal(&hub);
    let links = Links::new(server.address(), &Surroundings::look());
    let links = match options.web.http {
        Http::Full => {
            let links = if options.web.viewer.is_some() { links.with_viewer() } else { links };
            let layouts = options.web.layouts.as_deref().map(layouts).unwrap_or_default();
            links.with_files(&inputs.offered_files()).with_layouts(&layouts)
        }
        Http::HealthOnly => links.without_page(),
    };
    let server = server.with_about(links.about(&inputs));
    if !quiet {
        links.say(&inputs.contents(), log);
    }
    startup::warn_if_open(options.host, options.hub.access);
    if let Some(path) = &options.ready_file {
        ready::write(path, links.url()).map_err(Failure::Input)?;
    }
    talk.listening(links.url());
    let finish = Finish::new(server.finisher(), server.readiness());
    let engine = Engine::start(inputs, &hub, &options, &finish, talk.clone())
        .map_err(runtime_failure("starting playback"))?;
    let keyboard = listen_to_keys(&engine, &hub, &stop, log);
    let bar = options.progress && !quiet && progress::on_terminal() && !talk.shares_terminal();
    let showing = bar.then(|| tokio::spawn(show(PlayBar::new(log), engine.clone(), hub.clone())));
    server.run(hub, stop.clone().cancelled_owned()).await;
    // also where what is served has ended by itself
    stop.cancel();
    if let Some(showing) = showing {
        showing.abort();
        // it ends by being aborted
        showing.await.ok();
    }
    commands.stop().await;
    drop(keyboard);
    let recorded = tokio::task::spawn_blocking(move || {
        engine.stop();
        let recorded = recorder.map(finish_recording).transpose();
        talk.close();
        recorded
    })
    .await;
    if let Some(kept) = kept {
        // it has told of its failures
        kept.await.ok();
    }
    if let Some(error) = finish.failure() {
        return Err(Failure::Input(hints::with_way_out(error)));
    }
    match recorded {
        Ok(Err(error)) => Err(Failure::Runtime(anyhow::Error::from(error).context("--record"))),
        Err(error) => Err(Failure::Runtime(anyhow::Error::from(error).context("ending playback"))),
        Ok(Ok(_)) => Ok(()),
    }
}

/// Offers the parameters and services that the options name.
fn offer_controls(hub: &Hub, options: &ServeOptions) -> Result<Commands, Failure> {
    if !options.params.is_empty() {
        let parameters = hub.parameters().map_err(|error| Failure::Runtime(error.into()))?;
        for spec in &options.params {
            parameters.declare(spec.clone()).map_err(|error| Failure::Input(error.into()))?;
        }
    }
    Commands::offer(hub, &options.services).map_err(|error| Failure::Input(error.into()))
}

/// Which pages may connect.
fn origins(options: &ServeOptions) -> Origins {
    let more = options.allow_origin.iter().cloned();
    more.fold(Origins::default(), Origins::and).with_way_out(hints::of_origin)
}

fn start_recording(path: &Path, hub: &Hub, options: &ServeOptions) -> Result<Recorder, Failure> {
    let played =
        source::recording_files(&options.recordings()).map_err(|error| Failure::Input(error.into()))?;
    let writer = WriterOptions { split: options.split, keep: played, ..WriterOptions::default() };
    let recorder = Recorder::with_options(path, hub, writer)
        .map_err(|error| Failure::Input(anyhow::Error::from(error).context("--record")))?;
    tracing::info!("recording into {}", recorder.path().display());
    Ok(recorder)
}

/// Completes the recording and tells what is in it.
fn finish_recording(recorder: Recorder) -> Result<(), SinkError> {
    say_recorded(&recorder.finish()?);
    Ok(())
}

/// Logs what was recorded, and what was not.
pub(super) fn say_recorded(recorded: &Recorded) {
    let Recorded { messages, bytes, lost, on_disk, .. } = *recorded;
    let files = recorded.files();
    tracing::info!("recorded {}, {}, in {files}", counted(messages, "message"), figures::bytes(bytes));
    if lost > 0 {
        let verb = if lost == 1 { "is" } else { "are" };
        tracing::warn!("{} {verb} not in {files}: the disk was too slow", counted(lost, "message"));
    }
    if on_disk == OnDisk::NotYet {
        tracing::warn!("{files}: complete, but the system is still writing to the disk");
    }
}

/// Keys of the terminal, if there is one.
fn listen_to_keys(engine: &Engine, hub: &Hub, stop: &CancellationToken, log: &LogOutput) -> Option<Keyboard> {
    let from = if engine.reads_stdin() { keyboard::From::BesideStdin } else { keyboard::From::Stdin };
    let (engine, hub, stop, log) = (engine.clone(), hub.clone(), stop.clone(), log.clone());
    let keyboard = Keyboard::listen(from, move |action| match action {
        Action::Playback(request) => engine.request(request),
        Action::Help => {
            let help = if engine.plays() { keyboard::HELP } else { keyboard::HELP_LIVE };
            log.say(Level::Info, help, help, &[]);
        }
        Action::Save => keeping::save(&hub),
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

/// File, environment and flags in one. What does not fit to what is served, and is not asked for by a flag, is left out
/// with a warning.
fn options(args: &ServeArgs) -> Result<ServeOptions, ConfigError> {
    let file = args.config.clone().or_else(|| {
        config::variable("FOXGLOVE_BRIDGE_CONFIG").filter(|path| !path.is_empty()).map(PathBuf::from)
    });
    let mut settings = file.map(|path| config::file_settings(&path)).transpose()?.unwrap_or_default();
    settings.extend(config::environment_settings(config::variable));
    settings.extend(args.settings());
    let Built { mut options, mut warnings } = config::build(settings)?;
    if !args.source.is_empty() {
        // settings are text, and a file's name need not be
        options.sources.clone_from(&args.source);
    }
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    warnings.extend(config::unknown_variables(names));
    for warning in warnings {
        tracing::warn!("{}", printable(&warning, LONGEST_ERROR));
    }
    config::check_files(&options)?;
    Ok(options)
}
