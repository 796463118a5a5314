//! What arrives in the inbox of a player's thread, and the handle that puts it there.

use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex};

use crate::hub::capability::playback::{Playback, PlaybackRequest};
use crate::hub::responder::{NoAnswer, Responder};
use crate::hub::stats::Snapshot;
use crate::hub::{ClientId, lock};
use crate::model::ChannelId;
use crate::protocol::PlaybackState;
use crate::source::reader::ReaderEvent;

/// What arrives in the inbox of a player's thread.
pub(super) enum Event {
    Request(PlaybackRequest, Responder<PlaybackState>),
    Reader(ReaderEvent),
    /// A client, and the channels for which the hub had no message to give it.
    Subscribed(ClientId, Vec<ChannelId>),
    /// Asks what playback is doing once all requests before this have been carried out.
    Look(Responder<Snapshot>),
    /// A queue has become emptier.
    Room,
    Stop,
}

/// Asks things of a [`Player`](super::Player); clones share it. Once the player has stopped requests get no answer.
#[derive(Clone)]
pub struct PlayerHandle {
    pub(super) inbox: Sender<Event>,
    pub(super) snapshot: Arc<Mutex<Snapshot>>,
}

impl PlayerHandle {
    /// What playback is doing; its figures on clients are filled in by the hub.
    pub fn snapshot(&self) -> Snapshot {
        lock(&self.snapshot).clone()
    }

    /// Carries a request out, and answers with what playback is doing then.
    pub(super) fn carry_out(&self, request: PlaybackRequest, answer: Responder<Snapshot>) {
        let handle = self.clone();
        let answer = Responder::new(move |state: Result<PlaybackState, NoAnswer>| {
            // without a state the answer is dropped, and says so
            if state.is_ok() {
                handle.look(answer);
            }
        });
        self.request(request, answer);
    }

    pub(super) fn send(&self, event: Event) {
        // a player that has stopped needs nothing any more
        self.inbox.send(event).ok();
    }
}

impl Playback for PlayerHandle {
    fn request(&self, request: PlaybackRequest, answer: Responder<PlaybackState>) {
        self.send(Event::Request(request, answer));
    }

    fn look(&self, answer: Responder<Snapshot>) {
        self.send(Event::Look(answer));
    }
}
