//! stdout as what programs read: events, and what their commands bring about.

use std::io::{self, IsTerminal};
use std::sync::Arc;

use anyhow::Context;
use foxglove_bridge::hub::Hub;
use foxglove_bridge::input::{Back, Commands, Events, Observer, Printer};
use foxglove_bridge::source::json_lines::JsonLines;
use foxglove_bridge::source::{Incoming, Stream};

use crate::cli::config::{ServeOptions, is_live};

/// What goes to stdout, and who carries out commands.
#[derive(Clone)]
pub(super) struct Talk {
    stdout: Printer,
    events: Option<Events>,
    /// Where commands may come in.
    commands: Option<Commands>,
}

impl Talk {
    /// Prints events if they are asked for. There can be services and parameters if there is stdin, or a socket.
    pub(super) fn new(hub: &Hub, options: &ServeOptions) -> anyhow::Result<Self> {
        let stdout = Printer::new("stdout", raw_stdout().context("stdout")?);
        let commands = if options.sources.iter().any(is_live) {
            Some(Commands::new(hub.services(), hub.parameters()?, options.call_timeout))
        } else {
            None
        };
        let events = options.events.then(|| {
            let events = Events::of(hub, stdout.clone());
            hub.parameters().map(|parameters| events.with_parameters(&parameters))
        });
        let events = events.transpose()?;
        Ok(Self { stdout, events, commands })
    }

    /// Whether the bar would be drawn between the lines of stdout.
    pub(super) fn shares_terminal(&self) -> bool {
        self.events.is_some() && io::stdout().is_terminal()
    }

    /// Who prints what clients publish, if that is asked for.
    pub(super) fn observer(&self) -> Option<Observer> {
        let events = self.events.clone()?;
        Some(Arc::new(move |from| events.message(from.client, from.channel, from.time, from.payload)))
    }

    pub(super) fn listening(&self, url: &str) {
        if let Some(events) = &self.events {
            events.listening(url);
        }
    }

    /// Lines of stdin.
    pub(super) fn with_stdin(&self, lines: JsonLines<Incoming>) -> Box<dyn Stream> {
        let back = if self.events.is_some() { Back::StdoutWithEvents } else { Back::Stdout };
        self.carried_out(lines, self.stdout.clone(), back)
    }

    /// Lines of a writer on a socket, to whom what comes of them goes.
    pub(super) fn with_writer(&self, lines: JsonLines<Incoming>, to: Printer) -> Box<dyn Stream> {
        self.carried_out(lines, to, Back::Writer)
    }

    fn carried_out(&self, lines: JsonLines<Incoming>, to: Printer, back: Back) -> Box<dyn Stream> {
        match &self.commands {
            Some(commands) => Box::new(commands.carry_out(lines, to, back)),
            None => Box::new(lines),
        }
    }

    /// Writes what waits for stdout, if it is read.
    pub(super) fn close(&self) {
        self.stdout.close();
    }
}

/// stdout without the lock and the buffer of the standard library.
#[cfg(unix)]
fn raw_stdout() -> io::Result<std::fs::File> {
    use std::os::fd::AsFd;
    Ok(std::fs::File::from(io::stdout().as_fd().try_clone_to_owned()?))
}

#[cfg(not(unix))]
fn raw_stdout() -> io::Result<io::Stdout> {
    Ok(io::stdout())
}
