//! A playback as the rest of the program sees it: something to start, to ask, and to drop.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread::JoinHandle;
use std::time::Instant;

use super::PlaybackOptions;
use super::clock::Clock;
use super::inbox::{Event, PlayerHandle};
use super::worker::Worker;
use crate::hub::restart::RestartWatch;
use crate::hub::stats::Activity;
use crate::hub::{DemandChange, Hub};
use crate::protocol::Status;
use crate::source::reader::Reader;
use crate::source::{Playable, RecordingInfo, SourceError};
use crate::time::{TimeRange, Timestamp};

/// A playback on its own thread; stops when dropped.
pub struct Player {
    handle: PlayerHandle,
    thread: Option<JoinHandle<()>>,
}

impl Player {
    /// Offers the source's channels in the hub and starts to play as the options say.
    ///
    /// `has_past`: the recording begins before what is played, so the start has a state to send. `on_finished` is
    /// called after the last message if [`super::AtEnd::Exit`] is set, or if a stream can't be read any further.
    pub fn start(
        source: Playable,
        hub: Hub,
        options: PlaybackOptions,
        has_past: bool,
        on_finished: impl FnOnce(Result<(), SourceError>) + Send + 'static,
    ) -> std::io::Result<Self> {
        let (is_stream, info) = match &source {
            Playable::Recording(recording) => (false, recording.info().clone()),
            Playable::Stream(_) => (true, RecordingInfo::default()),
        };
        let publisher = hub.publisher();
        publisher.announce(&info.channels);
        for warning in &info.warnings {
            publisher.notice(&Status::warning(warning.clone()));
        }
        let (sender, inbox) = channel();
        let handle = PlayerHandle { inbox: sender.clone(), snapshot: Arc::default() };
        if let Some(range) = info.range
            && let Err(error) = hub.provide_playback(Arc::new(handle.clone()), range)
        {
            return Err(std::io::Error::other(error));
        }
        let on_demand = handle.clone();
        hub.on_demand(move |change| {
            if let DemandChange::Subscribed { client, without_message, .. } = change {
                on_demand.send(Event::Subscribed(*client, without_message.to_vec()));
            }
        });
        let on_room = handle.clone();
        publisher.on_room(move || on_room.send(Event::Room));
        let reader = Reader::spawn(source, move |event| {
            sender.send(Event::Reader(event)).ok();
        })?;
        let range = info.range.unwrap_or(TimeRange { start: Timestamp::MIN, end: Timestamp::MIN });
        let now = Instant::now();
        let worker = Worker {
            inbox,
            reader,
            hub,
            publisher,
            options,
            range,
            is_empty: info.range.is_none(),
            stream: is_stream.then(RestartWatch::default),
            has_past,
            snapshot: handle.snapshot.clone(),
            clock: Clock::new(range.start, options.rate),
            activity: if options.start_paused { Activity::Paused } else { Activity::Waiting },
            // nobody can subscribe to nothing
            start_at: (!is_stream && info.channels.is_empty()).then_some(now),
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
            long_wait_told: false,
            failure: None,
            finished: None,
        };
        if !worker.is_empty {
            // clients that join before time starts are told that it stands
            worker.publisher.playback_changed(worker.state(now, None));
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
