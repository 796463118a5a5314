//! A playback as the rest of the program sees it: something to start, to ask, and to drop.

use std::collections::VecDeque;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use super::PlaybackOptions;
use super::clock::Clock;
use super::worker::Worker;
use crate::hub::playback::PlaybackProvider;
use crate::hub::stats::{Activity, Snapshot};
use crate::hub::{ClientId, Hub};
use crate::model::ChannelId;
use crate::protocol::{PlaybackControlRequest, Status};
use crate::source::Source;
use crate::source::reader::{Reader, ReaderEvent};
use crate::time::{TimeRange, Timestamp};

/// What can be asked of a player from within the program; clients ask by [`PlaybackControlRequest`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Request {
    /// Play if it stands still, else pause. At the end: play again from the start.
    Toggle,
    /// Pause, and publish one message.
    Step,
    /// Seek by this many nanoseconds.
    SeekBy(i64),
    /// Multiply the speed.
    SpeedBy(f64),
    /// Start again at the end, or not.
    ToggleLoop,
}

/// What arrives in the inbox of a playback's thread.
pub(super) enum Event {
    Request(Request),
    Control(PlaybackControlRequest),
    Reader(ReaderEvent),
    Subscribed(ClientId, Vec<ChannelId>),
    Room,
    Stop,
}

/// Asks things of a player; clones share it.
#[derive(Clone)]
pub struct PlayerHandle {
    inbox: Sender<Event>,
    snapshot: Arc<Mutex<Snapshot>>,
}

impl PlayerHandle {
    /// Asks for something; does nothing once the player has stopped.
    pub fn request(&self, request: Request) {
        self.send(Event::Request(request));
    }

    /// What playback is doing; its figures on clients are filled in by the hub.
    pub fn snapshot(&self) -> Snapshot {
        self.snapshot.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn send(&self, event: Event) {
        // a player that has stopped needs nothing any more
        self.inbox.send(event).ok();
    }
}

impl PlaybackProvider for PlayerHandle {
    fn control(&self, request: PlaybackControlRequest) {
        self.send(Event::Control(request));
    }

    fn subscribed(&self, client: ClientId, without_state: Vec<ChannelId>) {
        self.send(Event::Subscribed(client, without_state));
    }

    fn room(&self) {
        self.send(Event::Room);
    }
}

/// A playback on its own thread; stops when dropped.
pub struct Player {
    handle: PlayerHandle,
    thread: Option<JoinHandle<()>>,
}

impl Player {
    /// Offers the source's channels in the hub and starts to play as the options say.
    ///
    /// `has_past`: the recording begins before what is played, so the start has a state to send. `on_finished` is
    /// called after the last message if [`AtEnd::Exit`] is set.
    pub fn start(
        source: Box<dyn Source>,
        hub: Hub,
        options: PlaybackOptions,
        has_past: bool,
        on_finished: impl FnOnce() + Send + 'static,
    ) -> std::io::Result<Self> {
        let info = source.info().clone();
        hub.advertise(&info.channels);
        for warning in &info.warnings {
            hub.notice(&Status::warning(warning.clone()));
        }
        let (sender, inbox) = channel();
        let handle = PlayerHandle { inbox: sender.clone(), snapshot: Arc::default() };
        hub.set_provider(Box::new(handle.clone()), info.range);
        let reader = Reader::spawn(source, move |event| {
            sender.send(Event::Reader(event)).ok();
        })?;
        let range = info.range.unwrap_or(TimeRange { start: Timestamp::MIN, end: Timestamp::MIN });
        let now = Instant::now();
        let worker = Worker {
            inbox,
            reader,
            hub,
            options,
            range,
            is_empty: info.range.is_none(),
            has_past,
            snapshot: handle.snapshot.clone(),
            clock: Clock::new(range.start, options.rate),
            activity: if options.start_paused { Activity::Paused } else { Activity::Waiting },
            // nobody can subscribe to nothing
            start_at: info.channels.is_empty().then_some(now),
            looping: options.looping,
            epoch: 0,
            asked: 0,
            ready: VecDeque::new(),
            cursor: 0,
            read_all: false,
            seeking: false,
            show_position: false,
            step: false,
            lap_started: now,
            last_publish: None,
            next_tick: now,
            blocked_since: None,
            drain_since: None,
            long_wait_told: false,
            finished: false,
        };
        if !worker.is_empty {
            // clients that join before time starts are told that it stands
            worker.hub.playback_changed(worker.state(now, None));
        }
        let thread =
            std::thread::Builder::new().name("player".into()).spawn(move || worker.run(on_finished))?;
        Ok(Self { handle, thread: Some(thread) })
    }

    /// A handle to this player.
    pub fn handle(&self) -> PlayerHandle {
        self.handle.clone()
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        self.handle.send(Event::Stop);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the player's thread panicked");
        }
    }
}
