//! The thread that plays: a [`Machine`] with a hub, a reader and the clocks of this computer.
//!
//! One inbox: requests, what the reader has read, and queues that have become emptier arrive there, and the wait for
//! them ends when the machine wants to be advanced. A thread and not a task, since the timers of the async runtime tick
//! in milliseconds.

use std::ops::Range;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::inbox::{Event, PlayerHandle};
use super::machine::{LONG_WAIT_ID, Machine};
use super::recordings::Played;
use super::stage::Stage;
use super::{ControlBy, PlaybackOptions};
use crate::hub::capability::recording::Recordings;
use crate::hub::stats::Snapshot;
use crate::hub::{ClientId, DemandChange, Direction, Hub, Publisher, PublisherNode, SlowClient, lock};
use crate::model::{Batch, Channel, ChannelId};
use crate::protocol::PlaybackState;
use crate::source::reader::Reader;
use crate::source::{Overview, Playable, RecordingInfo, SourceError};
use crate::time::{TimeRange, Timestamp};

/// A playback on its own thread. When it is dropped it stops: then nobody can control it any more, and the hub is free for
/// another one. Its channels stay, for viewers to look.
#[must_use = "it stops when dropped"]
pub struct Player {
    handle: PlayerHandle,
    controlled: Option<TimeRange>,
    thread: Option<JoinHandle<()>>,
}

impl Player {
    /// Offers the source's channels in the hub and starts to play as the options say. What is asked of the hub about a
    /// recording ([`Recordings`]) is answered while this lives.
    ///
    /// `on_finished` is called once, on the player's thread: after the last message if
    /// [`AtEnd::Exit`](crate::playback::AtEnd::Exit) is set, or with the error if a stream can't be read any further. Clients may not have been sent the
    /// last messages by then: [`Finisher::finish`](crate::server::Finisher::finish) closes them after those.
    ///
    /// # Errors
    ///
    /// The system gives no thread; or clients are to control this player, and the hub has another one
    /// ([`AlreadyProvided`](crate::hub::AlreadyProvided)); or the source's channels are from another
    /// [`Registry`](crate::registry::Registry) than others in the hub, and have the same ids. What is wrong with a recording is no error here: it is logged,
    /// shown to viewers, and passed over.
    pub fn start(
        mut source: Playable,
        hub: Hub,
        options: PlaybackOptions,
        on_finished: impl FnOnce(Result<(), SourceError>) + Send + 'static,
    ) -> std::io::Result<Self> {
        let kind = source.kind();
        let info = match &source {
            Playable::Recording(recording) => recording.info().clone(),
            // it is read as it comes
            Playable::Stream(_) => RecordingInfo::default(),
        };
        let (sender, inbox) = channel();
        let handle = PlayerHandle { inbox: sender.clone(), snapshot: Arc::default() };
        let range = info.range.filter(|_| options.control == ControlBy::Clients);
        let name = match &source {
            Playable::Recording(_) => info.name.clone(),
            Playable::Stream(stream) => stream.name().to_owned(),
        };
        let recordings = match &source {
            Playable::Recording(recording) => recording.overview(),
            Playable::Stream(_) => None,
        };
        let place = Place::take(hub, &handle, &name, range)?.with_recordings(recordings);
        let Place { hub, publisher, node, .. } = &place;
        publisher.check_ids(&info.channels).map_err(std::io::Error::other)?;
        publisher.announce(&info.channels);
        node.publishes(&info.channels);
        if let Playable::Recording(recording) = &mut source {
            recording.latch(&hub.latched_channels());
        }
        for warning in &info.warnings {
            tracing::warn!("{warning}");
            publisher.notice(warning);
        }
        let reader = Reader::spawn(source, move |event| {
            sender.send(Event::Reader(event)).ok();
        })?;
        let mut stage = Outside { place, reader, outcome: None };
        let machine = Machine::new(kind, &info, options, &mut stage, Instant::now());
        let snapshot = handle.snapshot.clone();
        let thread = std::thread::Builder::new()
            .name("player".into())
            .spawn(move || run(machine, &mut stage, &inbox, &snapshot, on_finished))?;
        Ok(Self { handle, controlled: range, thread: Some(thread) })
    }

    /// First and last time of what clients may control; None if they may not, and for a stream.
    pub fn controlled(&self) -> Option<TimeRange> {
        self.controlled
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

fn run(
    mut machine: Machine,
    stage: &mut Outside,
    inbox: &Receiver<Event>,
    snapshot: &Mutex<Snapshot>,
    on_finished: impl FnOnce(Result<(), SourceError>),
) {
    let mut on_finished = Some(on_finished);
    loop {
        let now = Instant::now();
        let deadline = machine.advance(stage, now);
        *lock(snapshot) = machine.snapshot(now);
        // who is called finds the last position in the snapshot
        if let Some(outcome) = stage.outcome.take()
            && let Some(on_finished) = on_finished.take()
        {
            on_finished(outcome);
        }
        let mut next = match deadline {
            Some(deadline) => match inbox.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(event) => Some(event),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return,
            },
            None => match inbox.recv() {
                Ok(event) => Some(event),
                Err(_closed) => return,
            },
        };
        while let Some(event) = next {
            let now = Instant::now();
            match event {
                Event::Request(request, answer) => machine.on_request(request, answer, stage, now),
                Event::Reader(event) => machine.on_read(event, stage, now),
                Event::Subscribed(client, without_state) => {
                    machine.on_subscribed(client, without_state, stage, now);
                }
                Event::Look(answer) => answer.respond(machine.snapshot(now)),
                Event::Room => {}
                Event::Stop => return,
            }
            next = inbox.try_recv().ok();
        }
    }
}

/// A player's place in a hub; given back when dropped.
struct Place {
    hub: Hub,
    publisher: Publisher,
    /// In the connection graph.
    node: PublisherNode,
    /// Clients may control the player.
    is_offered: bool,
    /// What the hub has of us.
    recordings: Option<Arc<dyn Recordings>>,
}

impl Place {
    /// With a `range` clients may control the player.
    fn take(hub: Hub, player: &PlayerHandle, name: &str, range: Option<TimeRange>) -> std::io::Result<Self> {
        if let Some(range) = range {
            hub.provide_playback(Arc::new(player.clone()), range).map_err(std::io::Error::other)?;
        }
        let handle = player.clone();
        hub.on_demand(move |change| {
            if let DemandChange::Subscribed { client, without_message, .. } = change {
                handle.send(Event::Subscribed(*client, without_message.to_vec()));
            }
        });
        let (publisher, handle) = (hub.publisher(), player.clone());
        publisher.on_room(move || handle.send(Event::Room));
        let node = hub.publisher_node(name);
        Ok(Self { hub, publisher, node, is_offered: range.is_some(), recordings: None })
    }

    /// Answers what is asked about the recording, unless somebody else does already.
    fn with_recordings(mut self, overview: Option<Arc<dyn Overview>>) -> Self {
        let played = overview.map(|overview| -> Arc<dyn Recordings> { Arc::new(Played::new(overview)) });
        self.recordings = played.filter(|played| self.hub.provide_recordings(played.clone()).is_ok());
        self
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.publisher.clear(LONG_WAIT_ID);
        if let Some(recordings) = &self.recordings {
            self.hub.withdraw_recordings(recordings);
        }
        if self.is_offered {
            self.hub.withdraw_playback();
        }
    }
}

/// What a machine acts on.
struct Outside {
    place: Place,
    reader: Reader,
    /// How playback ended, to be reported.
    outcome: Option<Result<(), SourceError>>,
}

impl Stage for Outside {
    fn announce(&mut self, channels: &[Arc<Channel>]) {
        self.place.publisher.announce(channels);
        self.place.node.publishes(channels);
    }

    fn retire(&mut self, channels: &[ChannelId]) {
        self.place.publisher.retire(channels);
    }

    fn publish(&mut self, batch: &Arc<Batch>, range: Range<usize>, policy: SlowClient, now: Instant) {
        self.place.publisher.publish(batch, range, policy, now);
    }

    fn late(&mut self, late: Duration) {
        self.place.publisher.count_lag(late);
    }

    fn backfill(&mut self, batch: Batch, to: Option<ClientId>, now: Instant) {
        self.place.publisher.backfill(batch, to, now);
    }

    fn seek(&mut self, state: PlaybackState, time: Timestamp, direction: Direction) {
        self.place.publisher.seek(state, time, direction);
    }

    fn lap(&mut self, state: PlaybackState, policy: SlowClient, now: Instant) {
        self.place.publisher.lap(state, policy, now);
    }

    fn restart(&mut self, time: Timestamp, policy: SlowClient, now: Instant) {
        self.place.publisher.restart(time, policy, now);
    }

    fn changed(&mut self, state: PlaybackState) {
        self.place.publisher.playback_changed(state);
    }

    fn tick(&mut self, time: Timestamp) {
        self.place.publisher.tick(time);
    }

    fn notice(&mut self, text: &str) {
        self.place.publisher.notice(text);
    }

    fn condition(&mut self, id: &'static str, text: &str) {
        self.place.publisher.condition(id, text);
    }

    fn clear(&mut self, id: &'static str) {
        self.place.publisher.clear(id);
    }

    fn has_room(&mut self, lead: usize) -> bool {
        self.place.publisher.has_room(lead)
    }

    fn laps_are_sessions(&self) -> bool {
        self.place.publisher.laps_are_sessions()
    }

    fn subscribers(&self) -> usize {
        self.place.hub.subscribers()
    }

    fn wanted_channels(&self) -> Vec<ChannelId> {
        self.place.hub.wanted_channels()
    }

    fn on_slow_client(&self) -> SlowClient {
        self.place.publisher.on_slow_client()
    }

    fn wall_clock(&self) -> Timestamp {
        Timestamp::now()
    }

    fn read_next(&mut self, epoch: u64) {
        self.reader.next(epoch);
    }

    fn read_seek(&mut self, to: Timestamp, epoch: u64, channels: Vec<ChannelId>) {
        self.reader.seek(to, epoch, channels);
    }

    fn read_backfill(&mut self, before: Timestamp, epoch: u64, channels: Vec<ChannelId>, client: ClientId) {
        self.reader.backfill(before, epoch, channels, client.token());
    }

    fn finished(&mut self, outcome: Result<(), SourceError>) {
        self.outcome = Some(outcome);
    }
}
