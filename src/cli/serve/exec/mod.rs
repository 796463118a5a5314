//! Services that run a command (`--service`): the request on its stdin, the response on its stdout.
//!
//! Calls have tasks of their own, so that slow commands keep no other handler from its thread. A command of a client that
//! has left goes on: what is half done may be worse than what nobody waits for.

use std::fmt::Display;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use foxglove_bridge::hub::Hub;
use foxglove_bridge::hub::capability::services::{
    NameTaken, Service, ServiceCall, ServiceHandle, ServiceSpec,
};
use foxglove_bridge::hub::responder::Responder;
use foxglove_bridge::internals::{LogLimit, SHORT, printable};
use foxglove_bridge::protocol::ServiceMessage;
use foxglove_bridge::time::duration_text;
use serde_json::value::RawValue;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::cli::config::service::CommandService;

mod command;

use command::Output;

/// Calls of one service that wait until fewer commands run.
const MOST_WAITING: usize = 100;

/// Lines of stderr of one service that are logged in ten seconds.
const LOGGED_LINES: u32 = 20;

/// Failures of one service that are logged in ten seconds.
const LOGGED_FAILURES: u32 = 5;

/// For killed commands to be gone.
const PATIENCE: Duration = Duration::from_secs(1);

/// The commands that are offered; they are killed with it.
pub(super) struct Commands {
    offered: Vec<ServiceHandle>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Commands {
    /// Offers them. To be called within the runtime.
    pub(super) fn offer(hub: &Hub, services: &[CommandService]) -> Result<Self, NameTaken> {
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let offer = |service: &CommandService| {
            if let Some(program) = service.exec.first().filter(|program| !command::is_found(program)) {
                tracing::warn!("service {}: there is no program '{program}'", service.name);
            }
            let exec = Exec {
                service: service.clone(),
                places: Arc::new(Semaphore::new(service.concurrency + MOST_WAITING)),
                running: Semaphore::new(service.concurrency),
                log: Mutex::new(LogLimit::new(LOGGED_LINES)),
                failures: Mutex::new(LogLimit::new(LOGGED_FAILURES)),
                stop: stop.clone(),
            };
            let (tasks, runtime) = (tasks.clone(), Handle::current());
            hub.services().add(spec(service), Arc::new(Calls { exec: Arc::new(exec), tasks, runtime }))
        };
        let offered = services.iter().map(offer).collect::<Result<_, _>>()?;
        Ok(Self { offered, stop, tasks })
    }

    /// Kills those that run.
    pub(super) async fn stop(self) {
        drop(self.offered);
        self.stop.cancel();
        self.tasks.close();
        if tokio::time::timeout(PATIENCE, self.tasks.wait()).await.is_err() {
            tracing::warn!("a command of a service does not end");
        }
    }
}

fn spec(service: &CommandService) -> ServiceSpec {
    let message = |part: &str, schema: &str| ServiceMessage {
        encoding: "json".to_owned(),
        // viewers need a name
        schema_name: format!("{}{part}", service.service_type),
        schema_encoding: Some("jsonschema".to_owned()),
        schema: schema.to_owned(),
    };
    ServiceSpec {
        name: service.name.clone(),
        service_type: service.service_type.clone(),
        request: message("Request", &service.request_schema),
        response: message("Response", &service.response_schema),
    }
}

/// What calls of one service have in common.
struct Exec {
    service: CommandService,
    /// For calls that run or wait.
    places: Arc<Semaphore>,
    running: Semaphore,
    log: Mutex<LogLimit>,
    failures: Mutex<LogLimit>,
    stop: CancellationToken,
}

struct Calls {
    exec: Arc<Exec>,
    tasks: TaskTracker,
    runtime: Handle,
}

impl Service for Calls {
    fn call(&self, call: ServiceCall, answer: Responder<Result<Bytes, String>>) {
        let request = match request(&call) {
            Ok(request) => request,
            Err(why) => return answer.respond(Err(why)),
        };
        let Ok(place) = self.exec.places.clone().try_acquire_owned() else {
            return answer.respond(Err("too many calls of this service wait; try again later".to_owned()));
        };
        let exec = self.exec.clone();
        let carry_out = async move {
            answer.respond(exec.carry_out(request).await);
            drop(place);
        };
        self.tasks.spawn_on(carry_out, &self.runtime);
    }
}

/// The JSON of a call; Err: what is wrong with it.
fn request(call: &ServiceCall) -> Result<Bytes, String> {
    if call.encoding != "json" {
        return Err(format!("the encoding is {:?}, it must be json", call.encoding));
    }
    if call.payload.trim_ascii().is_empty() {
        return Ok(Bytes::from_static(b"{}"));
    }
    let json: Result<&RawValue, _> = serde_json::from_slice(&call.payload);
    json.map(|_| call.payload.clone()).map_err(|error| format!("the request is not JSON: {error}"))
}

impl Exec {
    async fn carry_out(&self, request: Bytes) -> Result<Bytes, String> {
        let CommandService { name, timeout, .. } = &self.service;
        let run = async {
            // never closed
            let _running = self.running.acquire().await;
            tracing::debug!("service {name}: {:?} starts", self.service.exec);
            command::run(&self.service.exec, &request, |line| self.log(line)).await
        };
        // a command whose future is dropped is killed
        let output = tokio::select! {
            biased;
            () = self.stop.cancelled() => Err("the server ends".to_owned()),
            output = tokio::time::timeout(*timeout, run) => {
                output.unwrap_or_else(|_late| Err(format!("no answer within {}", duration_text(*timeout))))
            }
        };
        let response = output.and_then(response);
        if let Err(why) = &response
            && let Some(left_out) = admit(&self.failures)
        {
            tracing::warn!("service {name}: a call failed: {}{left_out}", printable(why, 4 * SHORT));
        }
        response
    }

    fn log(&self, line: &str) {
        if let Some(left_out) = admit(&self.log) {
            tracing::info!("service {}: {}{left_out}", self.service.name, printable(line, 4 * SHORT));
        }
    }
}

fn admit(limit: &Mutex<LogLimit>) -> Option<impl Display + use<>> {
    limit.lock().unwrap_or_else(PoisonError::into_inner).admit(Instant::now())
}

/// What a command that has ended is answered with.
fn response(output: Output) -> Result<Bytes, String> {
    let Output { status, stdout, last_line } = output;
    if !status.success() {
        let why = if last_line.is_empty() { "the command failed" } else { &last_line };
        return Err(format!("{why} ({status})"));
    }
    let stdout = stdout.trim_ascii();
    if stdout.is_empty() {
        return Ok(Bytes::from_static(b"{}"));
    }
    match serde_json::from_slice::<&RawValue>(stdout) {
        Ok(json) => Ok(Bytes::copy_from_slice(json.get().as_bytes())),
        Err(error) => Err(format!("the output of the command is not JSON: {error}")),
    }
}
