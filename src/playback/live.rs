//! Live input: messages go out as they come in.
//!
//! Each input is a stream on a thread of its own, so that a slow or broken one hurts no other; the threads are not
//! waited for at the end, as they stand in reads that nothing can end. What one read has given is published at once.
//! With [`SlowClient::Wait`] an input is not read further while a client's queue is full; with [`SlowClient::Drop`]
//! queues are bounded by themselves.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::DRAIN_LIMIT;
use super::restart::RestartWatch;
use crate::hub::playback::PlaybackProvider;
use crate::hub::stats::{Activity, Snapshot};
use crate::hub::{ClientId, Hub, SlowClient, lock};
use crate::model::{Batch, ChannelId};
use crate::protocol::{PlaybackControlRequest, Status};
use crate::source::listen::{Incoming, Listener};
use crate::source::{Source, SourceError};
use crate::time::Timestamp;

/// A wait looks again this often, even if nothing says that anything has changed.
const PATIENCE: Duration = Duration::from_millis(200);

/// After a failure to accept a writer (no file descriptors left) the next attempt waits this long.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// What happens when every input has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnEof {
    /// Stay: a viewer can still look.
    Keep,
    /// Close every client once all is sent, and exit.
    Exit,
}

/// Makes a stream of what a writer sends; its name comes first.
pub type OpenWriter = dyn Fn(String, Incoming) -> Box<dyn Source> + Send + Sync;

/// Writers on sockets.
pub struct Writers {
    /// Where they connect to.
    pub listeners: Vec<Listener>,
    /// How many there may be at once, on all listeners.
    pub limit: usize,
    /// Makes a stream of each.
    pub open: Arc<OpenWriter>,
}

/// Publishes live input until it is dropped.
pub struct Live(Arc<Shared>);

struct Shared {
    hub: Hub,
    on_eof: OnEof,
    feed: Mutex<Feed>,
    room: Room,
    stopped: AtomicBool,
    inputs: AtomicUsize,
    writers: AtomicUsize,
    on_finished: Mutex<Option<OnFinished>>,
}

type OnFinished = Box<dyn FnOnce(Result<(), SourceError>) + Send>;

/// What all inputs share while they publish.
#[derive(Default)]
struct Feed {
    watch: RestartWatch,
    /// Messages received.
    received: u64,
}

/// Tells waiting inputs that a queue has become emptier.
#[derive(Default)]
struct Room {
    changes: Mutex<u64>,
    changed: Condvar,
}

struct Provider(Arc<Shared>);

impl PlaybackProvider for Provider {
    fn control(&self, _client: ClientId, _request: PlaybackControlRequest) {}

    fn subscribed(&self, _client: ClientId, _without_state: Vec<ChannelId>) {}

    fn room(&self) {
        *lock(&self.0.room.changes) += 1;
        self.0.room.changed.notify_all();
    }
}

impl Live {
    /// Starts a thread for each stream and each listener.
    ///
    /// `on_finished` is called once: with an error if a stream can't be read any further in a way that the user has to
    /// mend, else when all inputs have ended and [`OnEof::Exit`] is set.
    pub fn start(
        streams: Vec<Box<dyn Source>>,
        writers: Option<Writers>,
        hub: Hub,
        on_eof: OnEof,
        on_finished: impl FnOnce(Result<(), SourceError>) + Send + 'static,
    ) -> std::io::Result<Self> {
        let listeners = writers.as_ref().map_or(0, |writers| writers.listeners.len());
        let shared = Arc::new(Shared {
            hub: hub.clone(),
            on_eof,
            feed: Mutex::default(),
            room: Room::default(),
            stopped: AtomicBool::new(false),
            inputs: AtomicUsize::new(streams.len() + listeners),
            writers: AtomicUsize::new(0),
            on_finished: Mutex::new(Some(Box::new(on_finished))),
        });
        hub.set_provider(Box::new(Provider(shared.clone())), None);
        for stream in streams {
            shared.clone().spawn_input(stream)?;
        }
        if let Some(Writers { listeners, limit, open }) = writers {
            for listener in listeners {
                let (shared, open) = (shared.clone(), open.clone());
                spawn("listener", move || listen(&shared, &listener, limit, &*open))?;
            }
        }
        Ok(Self(shared))
    }

    /// Starts a thread for one more stream.
    pub fn add(&self, stream: Box<dyn Source>) -> std::io::Result<()> {
        self.0.inputs.fetch_add(1, Ordering::Relaxed);
        self.0.clone().spawn_input(stream)
    }

    /// What comes in; its figures on clients are filled in by the hub.
    pub fn snapshot(&self) -> Snapshot {
        let feed = lock(&self.0.feed);
        let ended = self.0.inputs.load(Ordering::Relaxed) == 0;
        Snapshot {
            activity: if ended { Activity::Ended } else { Activity::Playing },
            position: (feed.received > 0).then(|| feed.watch.newest()),
            messages_received: feed.received,
            ..Snapshot::default()
        }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.0.stopped.store(true, Ordering::Relaxed);
    }
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
    std::thread::Builder::new().name(name.into()).spawn(run).map(drop)
}

fn listen(shared: &Arc<Shared>, listener: &Listener, limit: usize, open: &OpenWriter) {
    let mut full_told = false;
    loop {
        let (name, incoming) = match listener.accept() {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!("{}: a writer could not be accepted: {error}", listener.name());
                std::thread::sleep(ACCEPT_PAUSE);
                continue;
            }
        };
        if shared.writers.load(Ordering::Relaxed) >= limit {
            if !std::mem::replace(&mut full_told, true) {
                tracing::warn!("{name} is turned away: {limit} writers are connected; see --max-writers");
            }
            continue;
        }
        full_told = false;
        shared.writers.fetch_add(1, Ordering::Relaxed);
        tracing::debug!("writer {name} connected");
        let source = open(name.clone(), incoming);
        let of_writer = shared.clone();
        let spawned = spawn("writer", move || {
            of_writer.run_writer(source, &name);
            of_writer.writers.fetch_sub(1, Ordering::Relaxed);
        });
        if let Err(error) = spawned {
            shared.writers.fetch_sub(1, Ordering::Relaxed);
            tracing::error!("{}: no thread for another writer: {error}", listener.name());
        }
    }
}

impl Shared {
    fn spawn_input(self: Arc<Self>, stream: Box<dyn Source>) -> std::io::Result<()> {
        spawn("input", move || self.run(stream))
    }

    /// Publishes what a stream yields until it ends.
    fn run(&self, mut source: Box<dyn Source>) {
        self.hub.advertise(&source.info().channels);
        for warning in &source.info().warnings {
            self.hub.notice(&Status::warning(warning.clone()));
        }
        match self.forward(&mut *source) {
            Ok(()) => tracing::debug!("{} has ended", source.info().name),
            Err(error) => self.finish(Err(error)),
        }
        if self.inputs.fetch_sub(1, Ordering::Relaxed) == 1 {
            match self.on_eof {
                OnEof::Exit => self.finish(Ok(())),
                OnEof::Keep => tracing::info!("the input has ended; the server stays, for viewers to look"),
            }
        }
    }

    /// The same for a writer on a socket: what is wrong with it ends this connection only.
    fn run_writer(&self, mut source: Box<dyn Source>, name: &str) {
        match self.forward(&mut *source) {
            Ok(()) => tracing::debug!("writer {name} disconnected"),
            Err(error) => tracing::warn!("writer disconnected: {error}"),
        }
    }

    fn finish(&self, outcome: Result<(), SourceError>) {
        if let Some(on_finished) = lock(&self.on_finished).take() {
            on_finished(outcome);
        }
    }

    fn forward(&self, source: &mut dyn Source) -> Result<(), SourceError> {
        while !self.stopped.load(Ordering::Relaxed) {
            match source.next() {
                Ok(Some(batch)) => self.publish(batch),
                Ok(None) => return Ok(()),
                Err(error @ SourceError::Changed { .. }) => tracing::warn!("{error}"),
                Err(error @ SourceError::Damaged { .. }) => {
                    tracing::error!("{error}; what follows is served");
                    let text = "a damaged part of the input is left out; the server's log says where";
                    self.hub.notice(&Status::warning(text.to_owned()));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn publish(&self, batch: Batch) {
        if !batch.retired.is_empty() {
            self.wait_until(Hub::is_drained);
            self.hub.retire(&batch.retired);
        }
        self.hub.advertise(&batch.announcements);
        let batch = &Arc::new(batch);
        let mut from = 0;
        while from < batch.entries.len() {
            if self.hub.on_slow_client() == SlowClient::Wait {
                self.wait_until(|hub| hub.has_room(usize::MAX));
            }
            let mut feed = lock(&self.feed);
            let restart = feed.watch.first_restart(&batch.entries[from..], Instant::now());
            let upto = restart.map_or(batch.entries.len(), |index| from + index);
            if upto > from {
                feed.received += (upto - from) as u64;
                self.hub.publish(batch, from..upto, self.hub.on_slow_client(), Instant::now());
                from = upto;
            }
            let newest = feed.watch.newest();
            drop(feed);
            if restart.is_some() {
                self.restart(newest, batch.entries[from].log_time);
            }
        }
    }

    fn restart(&self, before: Timestamp, time: Timestamp) {
        tracing::info!("time went back from {before} to {time}: viewers start anew");
        self.wait_until(Hub::is_drained);
        let mut feed = lock(&self.feed);
        feed.watch.restart(Instant::now());
        self.hub.restart(time, Instant::now());
    }

    /// Waits for the hub; not longer than [`DRAIN_LIMIT`] if slow clients are not waited for.
    fn wait_until(&self, satisfied: impl Fn(&Hub) -> bool) {
        let limit = (self.hub.on_slow_client() == SlowClient::Drop).then(|| Instant::now() + DRAIN_LIMIT);
        while !self.stopped.load(Ordering::Relaxed) && limit.is_none_or(|limit| Instant::now() < limit) {
            let seen = *lock(&self.room.changes);
            if satisfied(&self.hub) {
                return;
            }
            let changes = lock(&self.room.changes);
            let waited = self.room.changed.wait_timeout_while(changes, PATIENCE, |changes| *changes == seen);
            drop(waited.unwrap_or_else(PoisonError::into_inner));
        }
    }
}
