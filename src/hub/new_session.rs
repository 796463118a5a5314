//! A new session for clients that stay connected: what it begins with, and who forgets what it knows of parameters.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::advertise::Form;
use super::outbox::{Cause, Encoded, Outbox};
use super::{Hub, Member, State};
use crate::protocol::{Capability, ServerInfo, ServerMessage};
use crate::time::Timestamp;

/// Whether a connection knows of the capability `parameters` when it is sent `serverInfo`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Declared {
    /// It is declared.
    First,
    /// It was declared before and is left out: Lichtblick 1.28 takes no capability back, and at each declaration it starts
    /// one more timer that asks for all parameters every 15 s, for as long as it is connected.
    Again,
}

/// Who forgets what it knows of parameters, as a new session was queued for it.
#[must_use = "it is to be sent what it follows once more, when the hub's lock is free"]
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Forgetting {
    Nobody,
    /// Those that know no playback states.
    Others,
    Everybody,
}

impl Forgetting {
    pub(super) fn by(self, member: &Member) -> bool {
        match self {
            Self::Nobody => false,
            Self::Others => !member.controls,
            Self::Everybody => true,
        }
    }
}

/// The frames with which a new session begins, for each form that a client needs: as when a client joins, but for
/// playback and time.
pub(super) struct NewSession {
    /// Those that declare all capabilities, and those for clients that know of parameters.
    frames: BTreeMap<Form, [Arc<[Encoded]>; 2]>,
    has_parameters: bool,
}

impl NewSession {
    pub(super) fn push(&self, member: &Member, outbox: &mut Outbox, time: Timestamp, cause: Cause) {
        let Some([first, again]) = self.frames.get(&member.form) else { return };
        // who knows playback states goes by what the newest `serverInfo` declares
        if outbox.knows_parameters() && !member.controls {
            return outbox.push_session(again, time, cause);
        }
        if self.has_parameters {
            outbox.declare_parameters();
        }
        outbox.push_session(first, time, cause);
    }
}

impl State {
    pub(super) fn new_session(&mut self, hub: &Hub) -> NewSession {
        self.session += 1;
        let services = self.slots.services_encoded();
        let frames = |form, declared| {
            let first = [hub.server_info(self, declared), self.channels.encoded(form)];
            first.into_iter().chain(services.clone()).chain(self.notices.frames().cloned()).collect()
        };
        let forms: BTreeSet<Form> = self.members.values().map(|member| member.form).collect();
        let both = |form| (form, [Declared::First, Declared::Again].map(|declared| frames(form, declared)));
        let has_parameters = self.slots.parameters.as_ref().is_some();
        NewSession { frames: forms.into_iter().map(both).collect(), has_parameters }
    }
}

impl Hub {
    pub(super) fn server_info(&self, state: &State, declared: Declared) -> Encoded {
        let mut capabilities = vec![Capability::Time];
        capabilities.extend(state.slots.declared());
        capabilities.retain(|one| declared == Declared::First || *one != Capability::Parameters);
        let range = state.range.filter(|_| capabilities.contains(&Capability::PlaybackControl));
        ServerMessage::ServerInfo(ServerInfo {
            name: self.0.name.clone(),
            capabilities,
            supported_encodings: state.slots.encodings(),
            metadata: BTreeMap::new(),
            session_id: Some(format!("{}-{}", self.0.run, state.session)),
            data_start_time: range.map(|range| range.start),
            data_end_time: range.map(|range| range.end),
        })
        .encode()
        .into()
    }
}
