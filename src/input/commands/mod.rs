//! Commands in lines, carried out on the hub: services that other programs provide, and parameters.
//!
//! A [`TwoWay`] stream is lines with a way back. Its commands are carried out between the messages before and after them.
//! A service goes with the input that declared it: the calls that it has not answered fail then. Parameters stay.

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde::Serialize;

use super::printer::Printer;
use crate::hub::capability::parameters::ParameterStore;
use crate::hub::capability::services::{NameTaken, ServiceHandle, ServiceRegistry};
use crate::hub::lock;
use crate::log_limit::LogLimit;
use crate::model::Batch;
use crate::printable::{LONG, printable};
use crate::source::json_lines::{Command, JsonLines, Line, ServiceLine};
use crate::source::{SourceError, Stop, Stream};

mod calls;
mod parameters;
mod service;

use calls::{Calls, InputId};
use parameters::Parameters;
pub(super) use parameters::change_line;
pub(super) use service::one_line;
use service::{Relay, spec};

/// Services of all inputs at once …
const MAX_SERVICES: usize = 1000;

/// … and the bytes of what describes them.
const MAX_SERVICE_BYTES: usize = 16 << 20;

/// Lines of the log about commands that are refused, within ten seconds.
const REFUSAL_LINES: u32 = 20;

/// How an input hears of what it has caused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Back {
    /// It is a writer on a socket: calls, changes of its parameters, and why a command was refused.
    Writer,
    /// It is stdin, and its program reads stdout: calls, and changes of its parameters. Refusals are in the log.
    Stdout,
    /// The same, where [events](super::Events) say what changes.
    StdoutWithEvents,
}

/// Carries out commands; clones share it.
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
///
/// use foxglove_bridge::hub::{Hub, HubOptions};
/// use foxglove_bridge::input::{Back, Commands, Printer};
/// use foxglove_bridge::payload::{TypeOptions, Types};
/// use foxglove_bridge::registry::Registry;
/// use foxglove_bridge::source::json_lines::JsonLines;
/// use foxglove_bridge::source::live::LiveChannels;
/// use foxglove_bridge::source::{Stop, Stream, TopicRules};
///
/// let hub = Hub::new("robot", HubOptions::default());
/// let commands = Commands::new(hub.provide_services()?, hub.parameters()?, Duration::from_secs(10));
/// let types = Arc::new(Types::load(&TypeOptions::default())?);
/// let channels = LiveChannels::new(TopicRules::default(), types, &[], Registry::default())?;
/// let text = &br#"{"op":"parameter","name":"gain","value":2}"#[..];
/// let lines = JsonLines::new("a program".into(), text, &Stop::new()?, Arc::default(), channels);
/// // what comes of its commands goes back to the program; here nobody reads it
/// let (_reader, writer) = std::io::pipe()?;
/// let mut stream = commands.carry_out(lines, Printer::new("a program", writer), Back::Writer);
/// while let Some(_batch) = stream.next()? { /* is published */ }
/// assert!(hub.parameters()?.get("gain").is_some());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Commands(Arc<Shared>);

struct Shared {
    services: ServiceRegistry,
    parameters: Parameters,
    calls: Arc<Calls>,
    offered: Mutex<Offered>,
    log: Mutex<LogLimit>,
}

/// What all inputs offer.
#[derive(Default)]
struct Offered {
    services: usize,
    bytes: usize,
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.calls.end();
    }
}

impl Commands {
    /// Services are added to `services`, parameters set in `parameters`. A call that was not answered after `call_timeout` fails; zero: it waits for as long
    /// as its input is there.
    pub fn new(services: ServiceRegistry, parameters: ParameterStore, call_timeout: Duration) -> Self {
        Self(Arc::new(Shared {
            services,
            parameters: Parameters::new(parameters),
            calls: Arc::new(Calls::new(call_timeout)),
            offered: Mutex::default(),
            log: Mutex::new(LogLimit::new(REFUSAL_LINES)),
        }))
    }

    /// The same lines, with their commands carried out. What comes of them goes `to` who wrote them.
    pub fn carry_out<R: Read + Send>(&self, lines: JsonLines<R>, to: Printer, back: Back) -> TwoWay<R> {
        let id = self.0.calls.begin_input();
        let input = Input {
            name: lines.name().to_owned(),
            id,
            back,
            to,
            services: BTreeMap::new(),
            shared: self.0.clone(),
        };
        TwoWay { lines, input }
    }
}

/// JSON lines whose commands are carried out. What they have declared ends with it.
pub struct TwoWay<R> {
    lines: JsonLines<R>,
    input: Input,
}

impl<R: Read + Send> Stream for TwoWay<R> {
    fn name(&self) -> &str {
        self.lines.name()
    }

    fn next(&mut self) -> Result<Option<Batch>, SourceError> {
        loop {
            match self.lines.next_line()? {
                Some(Line::Batch(batch)) => return Ok(Some(batch)),
                Some(Line::Command { line, command }) => self.input.on_command(line, command),
                None => {
                    self.input.end();
                    return Ok(None);
                }
            }
        }
    }

    fn stop(&self) -> &Stop {
        self.lines.stop()
    }
}

/// One input, and what it has declared.
struct Input {
    name: String,
    id: InputId,
    back: Back,
    to: Printer,
    services: BTreeMap<String, Declared>,
    shared: Arc<Shared>,
}

/// A service that is offered.
struct Declared {
    _handle: ServiceHandle,
    bytes: usize,
}

/// `{"op":"error"}`.
#[derive(Serialize)]
struct ErrorLine<'a> {
    op: &'a str,
    line: u64,
    message: &'a str,
}

impl Input {
    fn on_command(&mut self, line: u64, command: Command) {
        let done = match command {
            Command::Service(service) => self.offer(service),
            Command::RemoveService(name) => match self.services.remove(&name) {
                Some(declared) => {
                    self.shared.take_back(&declared);
                    Ok(())
                }
                None => Err(format!("this input has no service {name}")),
            },
            Command::Response { id, result } => self.shared.calls.respond(self.id, id, result),
            Command::Parameter { name, value, parameter_type } => {
                let to = (self.back != Back::StdoutWithEvents).then_some(&self.to);
                self.shared.parameters.set((self.id, to), name, value, parameter_type)
            }
            Command::RemoveParameter(name) => self.shared.parameters.remove(self.id, &name),
        };
        if let Err(reason) = done {
            self.refuse(line, &reason);
        }
    }

    /// Offers a service; one of the same name of this input makes room for it.
    fn offer(&mut self, service: ServiceLine) -> Result<(), String> {
        let name = service.name.clone();
        let bytes = name.len() + service.request.data.len() + service.response.data.len();
        if let Some(before) = self.services.remove(&name) {
            self.shared.take_back(&before);
        }
        let mut offered = lock(&self.shared.offered);
        if offered.services >= MAX_SERVICES || offered.bytes + bytes > MAX_SERVICE_BYTES {
            let most = format!("{MAX_SERVICES} services, with schemas of {} MiB", MAX_SERVICE_BYTES >> 20);
            return Err(format!("service {name}: there can't be more than {most}"));
        }
        let relay = Relay {
            name: name.as_str().into(),
            input: self.id,
            to: self.to.clone(),
            calls: self.shared.calls.clone(),
        };
        let handle = self.shared.services.add(spec(service), Arc::new(relay));
        let _handle = handle.map_err(|NameTaken(name)| {
            format!("there is a service {name} already; it has to be removed first, or its provider to end")
        })?;
        offered.services += 1;
        offered.bytes += bytes;
        drop(offered);
        tracing::debug!("{} provides the service {name}", self.name);
        self.services.insert(name, Declared { _handle, bytes });
        Ok(())
    }

    fn refuse(&self, line: u64, reason: &str) {
        let name = &self.name;
        if let Some(left_out) = lock(&self.shared.log).admit(Instant::now()) {
            tracing::warn!("{name}: line {line}: {}{left_out}", printable(reason, LONG));
        }
        if self.back == Back::Writer
            && let Ok(error) = serde_json::to_vec(&ErrorLine { op: "error", line, message: reason })
        {
            self.to.print(error);
        }
    }

    /// Takes back what goes with the input.
    fn end(&mut self) {
        for declared in std::mem::take(&mut self.services).into_values() {
            self.shared.take_back(&declared);
        }
        self.shared.calls.end_input(self.id);
        self.shared.parameters.end_input(self.id);
        if self.back == Back::Writer {
            self.to.close();
        }
    }
}

impl Drop for Input {
    fn drop(&mut self) {
        self.end();
    }
}

impl Shared {
    fn take_back(&self, declared: &Declared) {
        let mut offered = lock(&self.offered);
        offered.services -= 1;
        offered.bytes -= declared.bytes;
    }
}

#[cfg(test)]
mod tests;
