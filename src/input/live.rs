//! Live input: messages go out as they come in.
//!
//! Each input is a stream on a thread of its own, so that a slow or broken one hurts no other. What one read has given
//! is published at once. With [`SlowClient::Wait`] an input is not read further while a client's queue is full; with
//! [`SlowClient::Drop`] queues are bounded by themselves.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Instant;

use super::Printer;
use super::http;
use super::listen::{Accepted, Listener};
use crate::hub::stats::{Activity, Snapshot};
use crate::hub::{Hub, Publisher, PublisherNode, SlowClient, lock};
use crate::log_limit::LogLimit;
use crate::model::Batch;
use crate::source::{Backoff, ErrorKind, Incoming, SourceError, Stop, Stream};

/// Lines about writers that are turned away or disconnected, within ten seconds.
const WRITER_LINES: u32 = 20;

/// What happens when every input has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnEof {
    /// Stay: a viewer can still look.
    Keep,
    /// Call `on_finished` of [`Live::start`]: the program closes every client once all is sent, and ends.
    Exit,
}

/// Makes a stream of what a writer sends. Its name comes first, what is sent to it last.
pub type OpenWriter = dyn Fn(String, Incoming, Printer) -> Box<dyn Stream> + Send + Sync;

/// Writers on sockets.
pub struct Writers {
    /// Where they connect to.
    pub listeners: Vec<Listener>,
    /// How many there may be at once, on all listeners.
    pub limit: usize,
    /// Makes a stream of each.
    pub open: Arc<OpenWriter>,
}

/// Publishes live input until it is dropped. Then sockets are closed, and every thread has ended.
#[must_use = "it stops when dropped"]
pub struct Live {
    shared: Arc<Shared>,
    /// What ends the inputs.
    stops: Vec<Stop>,
}

struct Shared {
    publisher: Publisher,
    on_eof: OnEof,
    stop: Stop,
    /// Streams and listeners that have not ended.
    inputs: AtomicUsize,
    writers: AtomicUsize,
    /// What of writers that are turned away or disconnected is logged.
    log: Mutex<LogLimit>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    on_finished: Mutex<Option<OnFinished>>,
}

type OnFinished = Box<dyn FnOnce(Result<(), SourceError>) + Send>;

impl Live {
    /// Starts a thread for each stream and each listener; `stop` ends the listeners and their writers.
    ///
    /// `on_finished` is called once: with an error if a stream (not a writer on a socket) ends with a
    /// [fatal](ErrorKind::Fatal) one, else when all inputs have ended and [`OnEof::Exit`] is set.
    ///
    /// # Errors
    ///
    /// The system gives no thread.
    pub fn start(
        streams: Vec<Box<dyn Stream>>,
        writers: Option<Writers>,
        hub: &Hub,
        stop: &Stop,
        on_eof: OnEof,
        on_finished: impl FnOnce(Result<(), SourceError>) + Send + 'static,
    ) -> std::io::Result<Self> {
        let listeners = writers.as_ref().map_or(0, |writers| writers.listeners.len());
        let shared = Arc::new(Shared {
            publisher: hub.publisher(),
            on_eof,
            stop: stop.clone(),
            inputs: AtomicUsize::new(streams.len() + listeners),
            writers: AtomicUsize::new(0),
            log: Mutex::new(LogLimit::new(WRITER_LINES)),
            threads: Mutex::default(),
            on_finished: Mutex::new(Some(Box::new(on_finished))),
        });
        let stops = streams.iter().map(|stream| stream.stop()).chain([stop]).cloned().collect();
        // dropped if a thread can't be started, which ends the others
        let live = Self { shared, stops };
        for stream in streams {
            live.shared.spawn("input", move |shared| shared.run(stream))?;
        }
        if let Some(Writers { listeners, limit, open }) = writers {
            for listener in listeners {
                let open = open.clone();
                live.shared.spawn("listener", move |shared| listen(&shared, &listener, limit, &open))?;
            }
        }
        Ok(live)
    }

    /// Counts the threads that run, also after it was dropped.
    #[cfg(test)]
    pub(super) fn threads_left(&self) -> impl Fn() -> usize + use<> {
        let shared = Arc::downgrade(&self.shared);
        // each has a share until it ends
        move || shared.strong_count()
    }

    /// What comes in; its figures on clients are filled in by the hub.
    pub fn snapshot(&self) -> Snapshot {
        let (position, messages_received) = self.shared.publisher.live_progress();
        let ended = self.shared.inputs.load(Ordering::Relaxed) == 0;
        let activity = if ended { Activity::Ended } else { Activity::Playing };
        Snapshot { activity, position, messages_received, ..Snapshot::default() }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.stops.iter().for_each(Stop::stop);
        if !Stop::ENDS_READS {
            return;
        }
        // a listener that is still there may add a writer
        while let Some(thread) = { lock(&self.shared.threads).pop() } {
            if thread.join().is_err() {
                tracing::error!("the thread of an input panicked");
            }
        }
    }
}

/// A writer's place among those that may be connected at once.
struct Place(Arc<Shared>);

impl Place {
    fn of(shared: &Arc<Shared>, limit: usize) -> Option<Self> {
        let taken = shared.writers.fetch_add(1, Ordering::Relaxed);
        let place = Self(shared.clone());
        (taken < limit).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.writers.fetch_sub(1, Ordering::Relaxed);
    }
}

fn listen(shared: &Arc<Shared>, listener: &Listener, limit: usize, open: &Arc<OpenWriter>) {
    let (mut backoff, mut is_full_logged) = (Backoff::default(), false);
    loop {
        let Accepted { name, incoming, back } = match listener.accept(&shared.stop) {
            Ok(Some(accepted)) => accepted,
            Ok(None) => return,
            Err(error) => {
                if backoff.failed(error.kind(), Instant::now()) {
                    tracing::warn!("{error}; it is tried again");
                }
                shared.pause(&mut backoff);
                continue;
            }
        };
        backoff.succeeded();
        let Some(place) = Place::of(shared, limit) else {
            if !std::mem::replace(&mut is_full_logged, true) {
                shared.warn(format_args!(
                    "{name} is turned away: {limit} writers are connected, as many as --max-writers allows"
                ));
            }
            continue;
        };
        is_full_logged = false;
        tracing::debug!("writer {name} connected");
        let open = open.clone();
        let spawned = shared.spawn("writer", move |shared| {
            match http::unless_request(incoming) {
                Ok(Some(incoming)) => shared.run_writer(open(name, incoming, back)),
                Ok(None) => shared.warn(format_args!(
                    "writer {name} sends an HTTP request and is disconnected: this is no web server"
                )),
                Err(error) => tracing::debug!("writer {name}: {error}"),
            }
            drop(place);
        });
        if let Err(error) = spawned {
            shared.warn(format_args!("{}: no thread for another writer: {error}", listener.name()));
        }
    }
}

impl Shared {
    fn spawn(
        self: &Arc<Self>,
        name: &str,
        run: impl FnOnce(Arc<Self>) + Send + 'static,
    ) -> std::io::Result<()> {
        let shared = self.clone();
        let thread = std::thread::Builder::new().name(name.into()).spawn(move || run(shared))?;
        let mut threads = lock(&self.threads);
        // those of writers come and go
        threads.retain(|thread| !thread.is_finished());
        threads.push(thread);
        Ok(())
    }

    /// Publishes what a stream yields until it ends.
    fn run(&self, mut stream: Box<dyn Stream>) {
        match self.forward(&mut *stream) {
            Ok(()) => tracing::debug!("{} has ended", stream.name()),
            Err(error) => {
                self.finish(Err(error));
                self.inputs.fetch_sub(1, Ordering::Relaxed);
                return;
            }
        }
        if self.inputs.fetch_sub(1, Ordering::Relaxed) == 1 && !self.stop.is_stopped() {
            match self.on_eof {
                OnEof::Exit => self.finish(Ok(())),
                OnEof::Keep => tracing::info!("the input has ended; the server stays, for viewers to look"),
            }
        }
    }

    /// The same for a writer on a socket: what is wrong with it ends this connection only.
    fn run_writer(&self, mut stream: Box<dyn Stream>) {
        match self.forward(&mut *stream) {
            Ok(()) => tracing::debug!("writer {} disconnected", stream.name()),
            Err(error) => self.warn(format_args!("writer disconnected: {error}")),
        }
    }

    /// Logs what is wrong with a writer; there may be many.
    fn warn(&self, fault: fmt::Arguments<'_>) {
        if let Some(left_out) = lock(&self.log).admit(Instant::now()) {
            tracing::warn!("{fault}{left_out}");
        }
    }

    fn finish(&self, outcome: Result<(), SourceError>) {
        if let Some(on_finished) = lock(&self.on_finished).take() {
            on_finished(outcome);
        }
    }

    fn forward(&self, stream: &mut dyn Stream) -> Result<(), SourceError> {
        let node = self.publisher.hub().publisher_node(stream.name());
        let mut backoff = Backoff::default();
        while !self.stop.is_stopped() {
            match stream.next() {
                Ok(Some(batch)) => {
                    if backoff.succeeded() {
                        tracing::info!("{}: reading goes on", stream.name());
                    }
                    self.publish(batch, &node);
                }
                Ok(None) => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Fatal => return Err(error),
                Err(error) => {
                    if backoff.failed(error.kind(), Instant::now()) {
                        self.on_failed(&error);
                    }
                    self.pause(&mut backoff);
                }
            }
        }
        Ok(())
    }

    fn on_failed(&self, error: &SourceError) {
        if matches!(error, SourceError::Changed { .. }) {
            tracing::warn!("{error}");
        } else if error.kind() == ErrorKind::RetryAfterPause {
            tracing::warn!("{error}; it is tried again");
        } else {
            tracing::error!("{error}; what follows is served");
            let text = "a damaged part of the input is left out; the server's log says where";
            self.publisher.notice(text);
        }
    }

    /// Waits as long as failures ask for.
    fn pause(&self, backoff: &mut Backoff) {
        if let Some(until) = backoff.until() {
            self.stop.wait(until.saturating_duration_since(Instant::now()));
            backoff.may_try(Instant::now());
        }
    }

    fn publish(&self, batch: Batch, node: &PublisherNode) {
        if self.publisher.on_slow_client() == SlowClient::Wait {
            self.publisher.wait_for_room(&|| self.stop.is_stopped());
        }
        node.stops(&batch.retired);
        let announced = batch.announcements.clone();
        self.publisher.publish_live(batch, Instant::now());
        node.publishes(&announced);
    }
}
