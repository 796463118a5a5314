//! `demo`: serves one of the demos, or names them.

use std::net::SocketAddr;

use foxglove_bridge::hub::{Access, Hub, HubOptions};
use foxglove_bridge::internals::nearest;
use foxglove_bridge::server::Server;
use tokio_util::sync::CancellationToken;

use super::args::{DemoArgs, LogArgs};
use super::config::{self, ServeOptions};
use super::logging::LogOutput;
use super::serve::startup::{Links, Surroundings, warn_if_open};
use super::serve::{bind_failure, signals, start_runtime};
use super::{Failure, print};
use crate::demo::{self, DEMOS, Demo};

/// Serves until a signal, or shows which demos there are.
pub(crate) fn run(
    args: &DemoArgs,
    logging: &LogArgs,
    log: &LogOutput,
    panicked: &CancellationToken,
) -> Result<(), Failure> {
    let Some(name) = &args.name else { return print(&list()).map(drop) };
    let demo = demo::find(name).ok_or_else(|| unknown(name))?;
    let settings =
        config::environment_settings(config::variable).into_iter().chain(args.settings()).collect();
    let options = config::build_without_source(&["host", "port"], settings)
        .map_err(|error| Failure::Input(error.into()))?;
    signals::raise_descriptors();
    let runtime = start_runtime()?;
    let outcome = runtime.block_on(serve(demo, &options, logging.quiet, log, panicked));
    runtime.shutdown_background();
    outcome
}

async fn serve(
    demo: &Demo,
    options: &ServeOptions,
    quiet: bool,
    log: &LogOutput,
    panicked: &CancellationToken,
) -> Result<(), Failure> {
    let stop = panicked.child_token();
    signals::handle(stop.clone(), log.clone());
    let address = SocketAddr::new(options.host, options.port);
    let server = Server::bind(address).await.map_err(bind_failure)?;
    let hub = Hub::new(format!("demo {}", demo.name), HubOptions::default());
    let running = (demo.start)(&hub)
        .map_err(|error| Failure::Runtime(error.context(format!("starting the demo {}", demo.name))))?;
    if !quiet {
        let contents = format!("the demo {} ({})", demo.name, demo.about);
        Links::new(server.address(), &Surroundings::look()).say(&contents, log);
    }
    // a demo has no --read-only
    warn_if_open(options.host, Access::Full);
    server.run(hub, stop.cancelled_owned()).await;
    drop(running);
    Ok(())
}

/// One line for each demo.
fn list() -> String {
    let lines = DEMOS.iter().map(|demo| format!("  {:<9} {}\n", demo.name, demo.about));
    format!("Demos, to be started with foxglove-bridge demo NAME:\n{}", lines.collect::<String>())
}

fn unknown(name: &str) -> Failure {
    let names: Vec<&str> = DEMOS.iter().map(|demo| demo.name).collect();
    let meant = match nearest(name, names.iter().copied()) {
        Some(near) => format!("did you mean {near}?"),
        None => format!("there are {}", names.join(", ")),
    };
    Failure::Input(anyhow::anyhow!("there is no demo '{name}'; {meant}"))
}
