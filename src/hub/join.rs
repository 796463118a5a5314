//! A client joins: what it is sent first.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use tokio::sync::Notify;

use super::advertise::Form;
use super::capability::parameters::Followed;
use super::new_session::Declared;
use super::outbox::{ControlKind, Outbox, Sessions};
use super::{Access, Client, ClientId, ClientInfo, Hub, HubEvent, Member, Queue, encoded_time, lock};
use crate::protocol::ServerMessage;
use crate::time::Timestamp;

impl Hub {
    /// A new client: it is sent what the server is and offers.
    pub(crate) fn join(&self, info: ClientInfo) -> Client {
        let (access, form) = (self.0.options.access, Form::of(&info.offer));
        // where playback control is not declared, nobody needs to know playback states
        let controls = access == Access::Full && info.offer.only_sdk();
        let sessions = if controls { Sessions::AtOnce } else { Sessions::AfterSilence };
        let mut outbox = Outbox::new(self.0.options.client_buffer, sessions);
        let mut state = lock(&self.0.state);
        let id = ClientId(state.next_client);
        state.next_client += 1;
        outbox.push_control(ControlKind::Session, self.server_info(&state, Declared::First));
        outbox.push_control(ControlKind::Session, state.channels.encoded(form));
        if state.slots.parameters.as_ref().is_some() {
            outbox.declare_parameters();
        }
        if let Some(services) = state.slots.services_encoded() {
            outbox.push_control(ControlKind::Lasting, services);
        }
        for notice in state.notices.frames() {
            outbox.push_control(ControlKind::Other, notice.clone());
        }
        let knows_playback = access == Access::Full && info.offer.offers_sdk();
        if let Some(playback) = state.playback.as_ref().filter(|_| knows_playback) {
            let frame = ServerMessage::PlaybackState(playback.clone()).encode().into();
            outbox.push_control(ControlKind::State, frame);
        }
        if let Some(time) = state.time {
            outbox.push_control(ControlKind::Time(time), encoded_time(time));
        }
        if let Some(closing) = &state.closing {
            outbox.close(closing.clone());
        }
        let queue = Arc::new(Queue {
            outbox: Mutex::new(outbox),
            wake: Notify::new(),
            outlet: OnceLock::new(),
            messages: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
        });
        self.0.observers.tell(&HubEvent::Joined { client: id, info: &info });
        let member = Member {
            queue: queue.clone(),
            info,
            since: Timestamp::now(),
            form,
            access,
            controls,
            followed: Followed::default(),
            follows_graph: false,
        };
        state.members.insert(id, member);
        self.0.clients.store(state.members.len(), Ordering::Relaxed);
        drop(state);
        Client::new(id, queue, self.clone())
    }
}
