//! What the client has asked for until further notice, and asks for again on each connection: channels on which it
//! publishes, parameters that it follows, the connection graph.

use std::collections::{BTreeMap, BTreeSet};

use crate::protocol::{Capability, ClientChannel, ClientChannelId, ClientMessage};

/// Which parameters are followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Followed {
    /// All.
    All,
    /// Those of these names.
    Named(Vec<String>),
}

impl Followed {
    /// An empty list means all on the wire, and all that it means here.
    pub(crate) fn from_names(names: Vec<String>) -> Self {
        if names.is_empty() { Self::All } else { Self::Named(names) }
    }

    fn into_names(self) -> Vec<String> {
        match self {
            Self::All => Vec::new(),
            Self::Named(names) => names,
        }
    }
}

/// What a client does, or does no longer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    Advertise(ClientChannel),
    Unadvertise(ClientChannelId),
    Follow(Followed),
    Unfollow(Followed),
    FollowGraph,
    UnfollowGraph,
}

impl Change {
    /// What tells the server.
    pub(super) fn message(self) -> ClientMessage {
        match self {
            Self::Advertise(channel) => ClientMessage::Advertise(vec![channel]),
            Self::Unadvertise(id) => ClientMessage::Unadvertise(vec![id]),
            Self::Follow(followed) => ClientMessage::SubscribeParameterUpdates(followed.into_names()),
            Self::Unfollow(followed) => ClientMessage::UnsubscribeParameterUpdates(followed.into_names()),
            Self::FollowGraph => ClientMessage::SubscribeConnectionGraph,
            Self::UnfollowGraph => ClientMessage::UnsubscribeConnectionGraph,
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Standing {
    channels: BTreeMap<ClientChannelId, ClientChannel>,
    all_parameters: bool,
    parameters: BTreeSet<String>,
    graph: bool,
}

impl Standing {
    /// Notes a change; false if it changes nothing.
    pub(super) fn note(&mut self, change: &Change) -> bool {
        match change {
            Change::Advertise(channel) => self.channels.insert(channel.id, channel.clone()).is_none(),
            Change::Unadvertise(id) => self.channels.remove(id).is_some(),
            Change::Follow(Followed::All) => !std::mem::replace(&mut self.all_parameters, true),
            Change::Follow(Followed::Named(names)) => {
                self.parameters.extend(names.iter().cloned());
                true
            }
            Change::Unfollow(Followed::All) => {
                self.parameters.clear();
                self.all_parameters = false;
                true
            }
            Change::Unfollow(Followed::Named(names)) => {
                self.parameters.retain(|name| !names.contains(name));
                true
            }
            Change::FollowGraph => !std::mem::replace(&mut self.graph, true),
            Change::UnfollowGraph => std::mem::replace(&mut self.graph, false),
        }
    }

    /// What a server that offers a capability is asked, on a new connection.
    pub(super) fn messages(&self, capability: &Capability) -> Vec<ClientMessage> {
        let mut messages = Vec::new();
        match capability {
            Capability::ClientPublish if !self.channels.is_empty() => {
                messages.push(ClientMessage::Advertise(self.channels.values().cloned().collect()));
            }
            Capability::ParametersSubscribe => {
                if self.all_parameters {
                    messages.push(ClientMessage::SubscribeParameterUpdates(Vec::new()));
                }
                if !self.parameters.is_empty() {
                    let names = self.parameters.iter().cloned().collect();
                    messages.push(ClientMessage::SubscribeParameterUpdates(names));
                }
            }
            Capability::ConnectionGraph if self.graph => {
                messages.push(ClientMessage::SubscribeConnectionGraph);
            }
            Capability::ClientPublish
            | Capability::ConnectionGraph
            | Capability::Parameters
            | Capability::Services
            | Capability::Assets
            | Capability::Time
            | Capability::PlaybackControl
            | Capability::Other(_) => {}
        }
        messages
    }
}
