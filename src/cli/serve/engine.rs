//! What plays or forwards, whichever it is.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use foxglove_bridge::config::ServeOptions;
use foxglove_bridge::hub::Hub;
use foxglove_bridge::hub::capability::playback::{Playback, PlaybackRequest};
use foxglove_bridge::hub::responder::Responder;
use foxglove_bridge::hub::stats::Snapshot;
use foxglove_bridge::playback::{AtEnd, Live, OnEof, PlaybackOptions, Player, Writers};
use foxglove_bridge::server::Finisher;
use foxglove_bridge::source::listen::SocketFile;
use foxglove_bridge::source::throttle::Throttle;
use foxglove_bridge::source::{Kind, Source, SourceError};

use super::inputs::{Inputs, LiveInputs, Stdin};

/// Ends the server once everything has been published, and keeps how that ended.
#[derive(Debug, Clone)]
pub(super) struct Finish {
    finisher: Finisher,
    failure: Arc<Mutex<Option<SourceError>>>,
}

impl Finish {
    pub(super) fn new(finisher: Finisher) -> Self {
        Self { finisher, failure: Arc::default() }
    }

    /// Why the input could not be read to its end.
    pub(super) fn failure(&self) -> Option<SourceError> {
        lock(&self.failure).take()
    }

    fn with(&self, outcome: Result<(), SourceError>) {
        *lock(&self.failure) = outcome.err();
        self.finisher.finish();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Plays or forwards; clones share it.
#[derive(Clone)]
pub(super) struct Engine {
    /// None until it is known what comes in on stdin.
    running: Arc<Mutex<Option<Running>>>,
    throttle: Arc<Throttle>,
    socket_files: Arc<Mutex<Vec<SocketFile>>>,
    reads_stdin: bool,
}

enum Running {
    Player(Player),
    Live(Live),
}

impl Engine {
    pub(super) fn start(
        inputs: Inputs,
        hub: &Hub,
        options: &ServeOptions,
        finish: &Finish,
    ) -> io::Result<Self> {
        let throttle = Throttle::new(options.throttle.clone());
        let reads_stdin = matches!(&inputs, Inputs::Live(live) if live.stdin.is_some());
        let socket_files = Arc::default();
        let engine = Self { running: Arc::default(), throttle, socket_files, reads_stdin };
        match inputs {
            Inputs::Recordings(source) => {
                let has_past = options.recording.start.is_some();
                engine.play(source, hub, options.playback, has_past, finish)?;
            }
            Inputs::Live(live) => engine.forward(*live, hub, options, finish)?,
        }
        Ok(engine)
    }

    fn play(
        &self,
        source: Box<dyn Source>,
        hub: &Hub,
        options: PlaybackOptions,
        has_past: bool,
        finish: &Finish,
    ) -> io::Result<()> {
        let (source, finish) = (self.throttle.wrap(source), finish.clone());
        let player =
            Player::start(source, hub.clone(), options, has_past, move |outcome| finish.with(outcome))?;
        *lock(&self.running) = Some(Running::Player(player));
        Ok(())
    }

    fn forward(
        &self,
        inputs: LiveInputs,
        hub: &Hub,
        options: &ServeOptions,
        finish: &Finish,
    ) -> io::Result<()> {
        let LiveInputs { streams, stdin, listeners, lines, socket_files, .. } = inputs;
        lock(&self.socket_files).extend(socket_files);
        let throttle = self.throttle.clone();
        let writers = Writers {
            listeners,
            limit: options.live.max_writers,
            open: Arc::new(move |name, incoming| throttle.wrap(lines.of(name, incoming))),
        };
        let others = !(streams.is_empty() && writers.listeners.is_empty());
        if others {
            self.start_live(streams, Some(writers), hub, options.live.on_eof, finish)?;
        }
        let Some(stdin) = stdin else { return Ok(()) };
        let (engine, hub, options, finish) = (self.clone(), hub.clone(), options.clone(), finish.clone());
        // what it is shows with the first bytes, and those may be long in coming
        let run = move || {
            if let Err(error) = engine.start_stdin(stdin, others, &hub, &options, &finish) {
                finish.with(Err(error));
            }
        };
        std::thread::Builder::new().name("stdin".into()).spawn(run).map(drop)
    }

    fn start_stdin(
        &self,
        stdin: Stdin,
        others: bool,
        hub: &Hub,
        options: &ServeOptions,
        finish: &Finish,
    ) -> Result<(), SourceError> {
        let io = |error| SourceError::Io { name: Stdin::NAME.into(), error };
        let (kind, source) = stdin.open()?;
        if kind == Kind::Mcap && others {
            let reason = "an MCAP stream can't be combined with sockets; serve it on a port of its own";
            return Err(SourceError::Unusable { name: Stdin::NAME.into(), reason: reason.into() });
        }
        let paced = if kind == Kind::Mcap { !options.live.immediate } else { options.live.paced };
        if others {
            if let Some(Running::Live(live)) = &*lock(&self.running) {
                live.add(self.throttle.wrap(source)).map_err(io)?;
            }
            Ok(())
        } else if paced {
            let ends = options.live.on_eof == OnEof::Exit;
            let at_end = if ends { AtEnd::Exit } else { options.playback.at_end };
            self.play(source, hub, PlaybackOptions { at_end, ..options.playback }, false, finish).map_err(io)
        } else {
            self.start_live(vec![source], None, hub, options.live.on_eof, finish).map_err(io)
        }
    }

    fn start_live(
        &self,
        streams: Vec<Box<dyn Source>>,
        writers: Option<Writers>,
        hub: &Hub,
        on_eof: OnEof,
        finish: &Finish,
    ) -> io::Result<()> {
        let streams = streams.into_iter().map(|stream| self.throttle.wrap(stream)).collect();
        let finish = finish.clone();
        let live = Live::start(streams, writers, hub.clone(), on_eof, move |outcome| finish.with(outcome))?;
        *lock(&self.running) = Some(Running::Live(live));
        Ok(())
    }

    /// Whether stdin is taken.
    pub(super) fn reads_stdin(&self) -> bool {
        self.reads_stdin
    }

    /// What it is doing; figures on clients are filled in by the hub.
    pub(super) fn snapshot(&self) -> Snapshot {
        match &*lock(&self.running) {
            Some(Running::Player(player)) => player.handle().snapshot(),
            Some(Running::Live(live)) => live.snapshot(),
            None => Snapshot::default(),
        }
    }

    /// Asks for something; live input can't be asked for anything.
    pub(super) fn request(&self, request: PlaybackRequest) {
        if let Some(Running::Player(player)) = &*lock(&self.running) {
            player.handle().request(request, Responder::ignore());
        }
    }

    /// Ends it, and waits for it.
    pub(super) fn stop(self) {
        drop(lock(&self.running).take());
        lock(&self.socket_files).clear();
        let throttled = self.throttle.left_out();
        if throttled > 0 {
            tracing::info!("{throttled} messages were left out by --throttle");
        }
    }
}
