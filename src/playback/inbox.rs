//! What arrives in the inbox of a playback's thread, and the handle that puts it there.

use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};

use crate::hub::ClientId;
use crate::hub::capability::playback::{Asker, Command, Playback, PlaybackRequest, Rate, RateChange, Seek};
use crate::hub::responder::Responder;
use crate::hub::stats::Snapshot;
use crate::model::ChannelId;
use crate::protocol::{PlaybackCommand, PlaybackControlRequest, PlaybackState};
use crate::source::reader::ReaderEvent;

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
    pub(super) inbox: Sender<Event>,
    pub(super) snapshot: Arc<Mutex<Snapshot>>,
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

    pub(super) fn send(&self, event: Event) {
        // a player that has stopped needs nothing any more
        self.inbox.send(event).ok();
    }
}

impl Playback for PlayerHandle {
    fn request(&self, request: PlaybackRequest, _answer: Responder<PlaybackState>) {
        let Asker::Client { request_id, .. } = request.by else { return };
        let Some(RateChange::To(Rate::Times(speed))) = request.rate else { return };
        let command = match request.command {
            Some(Command::Play) => PlaybackCommand::Play,
            _ => PlaybackCommand::Pause,
        };
        let seek = match request.seek {
            Some(Seek::To(time)) => Some(time),
            _ => None,
        };
        #[allow(clippy::cast_possible_truncation)]
        self.send(Event::Control(PlaybackControlRequest { command, speed: speed as f32, seek, request_id }));
    }
}
