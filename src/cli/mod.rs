//! The command line: one file a command, and what they share on a terminal.
#![allow(clippy::print_stdout, reason = "stdout is what a command line is for")]

use std::ffi::OsString;
use std::io::{self, ErrorKind, Write};

use clap::Parser;

mod args;
mod bench;
mod call;
mod config;
mod control;
mod demo;
mod echo;
mod fetch;
mod figures;
mod info;
mod keyboard;
mod logging;
mod panics;
mod param;
mod progress;
mod publish;
mod record;
mod remote;
mod serve;
mod table;
mod unmatched;

use args::{Cli, Command};
use foxglove_bridge::internals::printable;
use logging::{Level, LogOutput};

/// Characters of an error that are shown: what it repeats of others is cut before that.
const LONGEST_ERROR: usize = 4000;

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
    /// Some of several inputs can't be read, which has been reported.
    Unreadable,
    /// Something is damaged, or was not recorded, which has been shown with the rest.
    Damaged,
    /// A thread panicked, which has been reported.
    Panicked,
}

/// Runs the command that the arguments ask for; the first is the program's name. A failure has been reported.
pub(crate) fn run(arguments: Vec<OsString>) -> Result<(), Failure> {
    let log = LogOutput::start()
        .map_err(|error| Failure::Runtime(anyhow::Error::from(error).context("starting to log")))?;
    log.set_format(args::log_format(&arguments));
    let outcome = run_command(arguments, &log);
    if let Err(failure) = &outcome {
        report(failure, &log);
    }
    log.flush();
    outcome
}

fn run_command(arguments: Vec<OsString>, log: &LogOutput) -> Result<(), Failure> {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(answer) if answer.use_stderr() => return Err(Failure::Usage(args::with_what_was_meant(answer))),
        Err(help) => return printed(help.print()).map(drop),
    };
    let format = cli.logging.format().map_err(Failure::Input)?;
    logging::start(cli.logging.verbosity(), format, log).map_err(|error| Failure::Input(error.into()))?;
    let panicked = panics::end_the_program(log, panics::PATIENCE);
    let outcome = match &cli.command {
        Command::Serve(args) => serve::run(args, &cli.logging, log, &panicked),
        Command::Demo(args) => demo::run(args, &cli.logging, log, &panicked),
        Command::Info(args) => info::run(args, !cli.logging.quiet, log),
        Command::Echo(args) => echo::run(args),
        Command::Record(args) => record::run(args, cli.logging.quiet, log, &panicked),
        Command::Call(args) => call::run(args),
        Command::Param(args) => param::run(args),
        Command::Fetch(args) => fetch::run(args),
        Command::Publish(args) => publish::run(args),
        Command::Bench(args) => {
            let bar = if cli.logging.quiet { bench::Bar::Hidden } else { bench::Bar::Shown };
            bench::run(args, bar, log)
        }
        Command::Play(args) => control::play(args),
        Command::Pause(args) => control::pause(args),
        Command::Seek(args) => control::seek(args),
        Command::Step(args) => control::step(args),
        Command::Rate(args) => control::rate(args),
    };
    if panicked.is_cancelled() { Err(Failure::Panicked) } else { outcome }
}

/// The last word of a failed command.
fn report(failure: &Failure, log: &LogOutput) {
    let text = match failure {
        Failure::Usage(answer) => {
            let plain = answer.render().to_string();
            let text = if logging::color() { answer.render().ansi().to_string() } else { plain.clone() };
            return log.say(Level::Error, &text, plain.trim().trim_start_matches("error: "), &[]);
        }
        Failure::Runtime(error) | Failure::Input(error) | Failure::PortInUse(error) => format!("{error:#}"),
        Failure::Panicked | Failure::Unreadable | Failure::Damaged => return,
    };
    let text = printable(&text, LONGEST_ERROR).to_string();
    log.say(Level::Error, &format!("error: {text}"), &text, &[]);
}

/// Whether stdout is still read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reader {
    Reads,
    /// It has had enough (`| head`), which is no failure.
    Gone,
}

/// Writes a result to stdout.
fn print(text: &str) -> Result<Reader, Failure> {
    print_bytes(text.as_bytes())
}

/// The same, whatever they are.
fn print_bytes(bytes: &[u8]) -> Result<Reader, Failure> {
    let mut stdout = io::stdout().lock();
    printed(stdout.write_all(bytes).and_then(|()| stdout.flush()))
}

/// What a write to stdout came to.
fn printed(result: io::Result<()>) -> Result<Reader, Failure> {
    match result {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::Runtime(anyhow::Error::from(error).context("writing to stdout")))
        }
        Ok(()) => Ok(Reader::Reads),
        Err(_) => Ok(Reader::Gone),
    }
}
