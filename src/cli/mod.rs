//! The command line: one file a command, and what they share on a terminal.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "stdout and stderr are what a command line is for"
)]

use std::ffi::OsString;
use std::io::{self, ErrorKind, Write};

use clap::Parser;

mod args;
mod config;
mod info;
mod keyboard;
mod logging;
mod progress;
mod serve;

use args::{Cli, Command};

/// Why a command did not do what was asked.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Wrong options, or input that can't be read; the message names it.
    Input(anyhow::Error),
    /// clap's answer to wrong arguments, with its own format.
    Usage(clap::Error),
    /// It failed while it ran.
    Runtime(anyhow::Error),
    /// The port is taken by somebody else.
    PortInUse(anyhow::Error),
}

/// Runs the command that the arguments ask for; the first is the program's name.
pub(crate) fn run(arguments: impl IntoIterator<Item = OsString>) -> Result<(), Failure> {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(answer) if answer.use_stderr() => return Err(Failure::Usage(answer)),
        Err(help) => return printed(help.print()),
    };
    let format = cli.logging.format().map_err(Failure::Input)?;
    let log =
        logging::start(cli.logging.verbosity(), format).map_err(|error| Failure::Input(error.into()))?;
    match &cli.command {
        Command::Serve(args) => serve::run(args, &cli.logging, &log),
        Command::Info(args) => info::run(args, !cli.logging.quiet, &log),
    }
}

/// Writes a result to stdout.
fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    printed(stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()))
}

/// A reader that has had enough of stdout (`| head`) is no failure.
fn printed(result: io::Result<()>) -> Result<(), Failure> {
    match result {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::Runtime(anyhow::Error::from(error).context("writing to stdout")))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}
