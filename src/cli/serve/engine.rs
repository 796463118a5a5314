//! What plays and what forwards.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use crate::cli::config::ServeOptions;
use foxglove_bridge::hub::Hub;
use foxglove_bridge::hub::capability::playback::{Command, Playback, PlaybackRequest};
use foxglove_bridge::hub::responder::Responder;
use foxglove_bridge::hub::stats::Snapshot;
use foxglove_bridge::input::{EndOfPipe, Keeping, Live, OnEof, Writers};
use foxglove_bridge::internals::counted;
use foxglove_bridge::playback::{AtEnd, ControlBy, PlaybackOptions, Player, Remote};
use foxglove_bridge::server::{Finisher, Readiness};
use foxglove_bridge::source::throttle::Throttle;
use foxglove_bridge::source::{
    Extent, Kind, MemoryRecording, Playable, Recording, RecordingInfo, SourceError, Stop, Stream,
};

use super::inputs::{Inputs, LiveInputs};
use super::lines::Pace;
use super::names::contents_of;
use super::stdin::{self, Piped, Stdin, Unknown};
use super::talk::Talk;

/// Ends the server once everything that is served has ended, and keeps how that was.
#[derive(Debug, Clone)]
pub(super) struct Finish {
    finisher: Finisher,
    readiness: Readiness,
    failure: Arc<Mutex<Option<SourceError>>>,
    /// What has not ended.
    parts: Arc<AtomicUsize>,
}

impl Finish {
    pub(super) fn new(finisher: Finisher, readiness: Readiness) -> Self {
        Self { finisher, readiness, failure: Arc::default(), parts: Arc::default() }
    }

    /// Why something could not be read to its end.
    pub(super) fn failure(&self) -> Option<SourceError> {
        lock(&self.failure).take()
    }

    /// One more thing to wait for; all are to be named before the first is started.
    fn part(&self) -> Part {
        self.parts.fetch_add(1, Ordering::SeqCst);
        Part(self.clone())
    }
}

fn tell_of_replay(info: &RecordingInfo, extent: Extent, left_out: u64) {
    let contents = contents_of(info);
    match extent {
        Extent::All => tracing::info!(
            "stdin has ended before anybody subscribed: it is played as a recording, from the first subscription on: \
             {contents}"
        ),
        Extent::LastMessages => tracing::info!(
            "stdin has ended before anybody subscribed, and spans less than a second: who subscribes gets the last \
             message of each topic"
        ),
    }
    if left_out > 0 {
        let messages = counted(left_out, "older message");
        tracing::warn!("{messages} of stdin not kept; a viewer that is there in time gets all");
    }
}

/// One of the things that [`Finish`] waits for.
struct Part(Finish);

impl Part {
    fn end(self, outcome: Result<(), SourceError>) {
        let Self(finish) = self;
        let is_last = finish.parts.fetch_sub(1, Ordering::SeqCst) == 1;
        let failed = outcome.is_err();
        if let Err(error) = outcome {
            finish.readiness.not_ready(format!("the input failed: {error}"));
            lock(&finish.failure).get_or_insert(error);
        }
        if failed || is_last {
            finish.finisher.finish();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Plays and forwards; clones share it.
#[derive(Clone)]
pub(super) struct Engine {
    running: Arc<Mutex<Running>>,
    throttle: Arc<Throttle>,
    stop: Stop,
    /// Waits for the first bytes of stdin.
    sniffing: Arc<Mutex<Option<JoinHandle<()>>>>,
    reads_stdin: bool,
    is_live: bool,
    talk: Talk,
}

/// Neither until it is known what comes in on stdin.
#[derive(Default)]
struct Running {
    /// Goes before its player.
    remote: Option<Remote>,
    player: Option<Player>,
    live: Option<Live>,
}

impl Engine {
    pub(super) fn start(
        inputs: Inputs,
        hub: &Hub,
        options: &ServeOptions,
        finish: &Finish,
        talk: Talk,
    ) -> io::Result<Self> {
        let Inputs { recording, live, commands, stop, .. } = inputs;
        let reads_stdin = commands.is_some() || live.as_ref().is_some_and(|live| live.stdin.is_some());
        let (throttle, is_live) = (Throttle::new(options.throttle.clone()), live.is_some());
        let (running, sniffing) = (Arc::default(), Arc::default());
        let engine = Self { running, throttle, stop, sniffing, reads_stdin, is_live, talk };
        let recording = recording.map(|recording| (recording, finish.part()));
        let live = live.map(|live| (live, finish.part()));
        if let Some((recording, part)) = recording {
            let recording = Playable::Recording(engine.throttle.recording(recording));
            // live sources have no range and can't be sought
            let control = if live.is_some() { ControlBy::Program } else { options.playback.control };
            let playback = PlaybackOptions { control, ..options.playback };
            engine.play(recording, hub, playback, part)?;
        }
        if let Some((live, part)) = live {
            engine.forward(live, hub, options, part)?;
        }
        if let Some(stdin) = commands {
            engine.take_commands(stdin, hub, finish)?;
        }
        Ok(engine)
    }

    /// Carries out what comes in while a recording plays, whose end does not wait for it.
    fn take_commands(&self, stdin: Stdin, hub: &Hub, finish: &Finish) -> io::Result<()> {
        let finish = finish.clone();
        let on_finished = move |outcome| match outcome {
            Ok(()) => tracing::info!("stdin has ended; the recording goes on"),
            Err(error) => finish.part().end(Err(error)),
        };
        let stdin: Box<dyn Stream> = Box::new(Unknown::new(stdin, &self.talk));
        let live = Live::start(vec![stdin], None, hub, &self.stop, OnEof::Exit, on_finished)?;
        lock(&self.running).live = Some(live);
        Ok(())
    }

    fn play(&self, source: Playable, hub: &Hub, options: PlaybackOptions, part: Part) -> io::Result<()> {
        let on_finished = move |outcome| part.end(outcome);
        let player = Player::start(source, hub.clone(), options, on_finished)?;
        let remote = Remote::offer(hub, &player).unwrap_or_else(|error| {
            tracing::warn!("viewers without playback control can't control this playback: {error}");
            None
        });
        let mut running = lock(&self.running);
        (running.remote, running.player) = (remote, Some(player));
        Ok(())
    }

    fn forward(&self, inputs: LiveInputs, hub: &Hub, options: &ServeOptions, part: Part) -> io::Result<()> {
        let LiveInputs { mut streams, stdin, listeners, lines, .. } = inputs;
        let has_others =
            lock(&self.running).player.is_some() || !(streams.is_empty() && listeners.is_empty());
        match stdin {
            // alone it may be played by log time, once it is known what it is
            Some(stdin) if !(has_others || options.live.immediate) => {
                let pace = if options.live.paced { Pace::ByTime } else { Pace::AsTheyCome };
                return self.sniff(Stdin { pace, ..stdin }, hub, options, part);
            }
            Some(stdin) => streams.push(Box::new(Unknown::new(stdin, &self.talk))),
            None => {}
        }
        let (throttle, talk) = (self.throttle.clone(), self.talk.clone());
        let writers = Writers {
            listeners,
            limit: options.live.max_writers,
            open: Arc::new(move |name, incoming, back| {
                let lines = lines.of(name, incoming, Pace::AsTheyCome);
                throttle.stream(talk.with_writer(lines, back))
            }),
        };
        self.start_live(streams, Some(writers), hub, options.live.on_eof, part)
    }

    /// Starts what stdin turns out to be, on a thread: the first bytes may be long in coming.
    fn sniff(&self, stdin: Stdin, hub: &Hub, options: &ServeOptions, part: Part) -> io::Result<()> {
        let (engine, hub, options) = (self.clone(), hub.clone(), options.clone());
        let run = move || match stdin.open(&engine.talk) {
            Ok(None) => {}
            Ok(Some(piped)) => engine.start_stdin(piped, &hub, &options, part),
            Err(error) => part.end(Err(error)),
        };
        let thread = std::thread::Builder::new().name("stdin".into()).spawn(run)?;
        *lock(&self.sniffing) = Some(thread);
        Ok(())
    }

    fn start_stdin(&self, piped: Piped, hub: &Hub, options: &ServeOptions, part: Part) {
        let finish = part.0.clone();
        let started = if piped.kind == Kind::Mcap || options.live.paced {
            let ends = options.live.on_eof == OnEof::Exit;
            let at_end = if ends { AtEnd::Exit } else { options.playback.at_end };
            let stream = Playable::Stream(self.throttle.stream(piped.stream));
            let playback = PlaybackOptions { at_end, looping: false, ..options.playback };
            self.play(stream, hub, playback, part)
        } else if options.live.on_eof == OnEof::Keep {
            self.keep(piped, hub, options, part)
        } else {
            self.start_live(vec![piped.stream], None, hub, options.live.on_eof, part)
        };
        if let Err(error) = started {
            finish.part().end(Err(SourceError::Io { name: stdin::NAME.into(), error }));
        }
    }

    /// Forwards stdin; what it has given before anybody subscribed is played as a recording if it ends before that.
    fn keep(&self, piped: Piped, hub: &Hub, options: &ServeOptions, part: Part) -> io::Result<()> {
        let Piped { stream, registry, .. } = piped;
        let part = Arc::new(Mutex::new(Some(part)));
        let (engine, to, playback, of_end) = (self.clone(), hub.clone(), options.playback, part.clone());
        let keeping = Keeping::new(stream, hub, &registry, move |end| {
            engine.on_end_of_pipe(end, &to, playback, &of_end)
        });
        // asked to tell of its end; no part is left if it goes on otherwise: what was kept is played, or the program ends
        let on_finished = move |outcome: Result<(), SourceError>| match (outcome, lock(&part).take()) {
            (Err(error), Some(part)) => part.end(Err(error)),
            (Ok(()), Some(_)) => tracing::info!("the input has ended; the server stays, for viewers to look"),
            (_, None) => {}
        };
        let streams = vec![self.throttle.stream(Box::new(keeping))];
        let live = Live::start(streams, None, hub, &self.stop, OnEof::Exit, on_finished)?;
        lock(&self.running).live = Some(live);
        Ok(())
    }

    fn on_end_of_pipe(
        &self,
        end: EndOfPipe,
        hub: &Hub,
        playback: PlaybackOptions,
        part: &Mutex<Option<Part>>,
    ) {
        match end {
            EndOfPipe::Watched => {}
            EndOfPipe::Nothing => {
                if let Some(part) = lock(part).take_if(|_| playback.at_end == AtEnd::Exit) {
                    part.end(Ok(()));
                }
            }
            EndOfPipe::Unwatched { recording, extent, left_out } => {
                let Some(part) = lock(part).take() else { return };
                let finish = part.0.clone();
                tell_of_replay(recording.info(), extent, left_out);
                if let Err(error) = self.replay(*recording, extent, hub, playback, part) {
                    finish.part().end(Err(SourceError::Io { name: stdin::NAME.into(), error }));
                }
            }
        }
    }

    /// Plays what stdin has given to nobody.
    fn replay(
        &self,
        recording: MemoryRecording,
        extent: Extent,
        hub: &Hub,
        playback: PlaybackOptions,
        part: Part,
    ) -> io::Result<()> {
        let Some(range) = recording.info().range else { return Ok(()) };
        let playback = match extent {
            Extent::All => playback,
            Extent::LastMessages => {
                PlaybackOptions { looping: false, control: ControlBy::Program, ..playback }
            }
        };
        let publisher = hub.publisher();
        publisher.replay(range.start, Instant::now());
        let recording = Playable::Recording(self.throttle.recording(Box::new(recording)));
        self.play(recording, hub, playback, part)?;
        // clients that are there already learn that it can be controlled
        publisher.restart(range.start, publisher.on_slow_client(), Instant::now());
        if hub.subscribers() > 0 {
            // who subscribed before the player could see it
            self.request(Command::Play.into());
        }
        Ok(())
    }

    fn start_live(
        &self,
        streams: Vec<Box<dyn Stream>>,
        writers: Option<Writers>,
        hub: &Hub,
        on_eof: OnEof,
        part: Part,
    ) -> io::Result<()> {
        let streams = streams.into_iter().map(|stream| self.throttle.stream(stream)).collect();
        let on_finished = move |outcome| part.end(outcome);
        let live = Live::start(streams, writers, hub, &self.stop, on_eof, on_finished)?;
        lock(&self.running).live = Some(live);
        Ok(())
    }

    /// Whether stdin is taken.
    pub(super) fn reads_stdin(&self) -> bool {
        self.reads_stdin
    }

    /// What it is doing; figures on clients are filled in by the hub.
    pub(super) fn snapshot(&self) -> Snapshot {
        let running = lock(&self.running);
        let live = running.live.as_ref().map(Live::snapshot);
        match (&running.player, live) {
            (Some(player), live) => {
                let messages_received = live.map_or(0, |live| live.messages_received);
                Snapshot { messages_received, ..player.handle().snapshot() }
            }
            (None, live) => live.unwrap_or_default(),
        }
    }

    /// Whether something is played, and not only forwarded.
    pub(super) fn plays(&self) -> bool {
        lock(&self.running).player.is_some()
    }

    /// Asks for something; live input can't be asked for anything, which is said.
    pub(super) fn request(&self, request: PlaybackRequest) {
        match &lock(&self.running).player {
            Some(player) => player.handle().request(request, Responder::ignore()),
            None => tracing::info!("live input is sent as it comes: it can't be paused, sought or repeated"),
        }
    }

    /// Ends it, and waits for it.
    pub(super) fn stop(self) {
        self.stop.stop();
        let sniffing = lock(&self.sniffing).take();
        if sniffing.is_some_and(|thread| cfg!(unix) && thread.join().is_err()) {
            tracing::error!("the thread that reads stdin panicked");
        }
        // a thread that ends may still want the lock
        let running = std::mem::take(&mut *lock(&self.running));
        drop(running);
        let throttled = self.throttle.left_out();
        if throttled > 0 {
            let messages = counted(throttled, "message");
            tracing::info!("{messages} left out by --throttle");
        }
        if self.is_live {
            // of what comes in, only the end tells
            for rule in self.throttle.unused() {
                tracing::warn!("--throttle {}={}: it applied to no topic", rule.topics, rule.hertz);
            }
        }
    }
}
