//! What a server can be asked for besides messages: one file for each capability, with the trait of who provides it.
//!
//! A hub has one slot for each. What is declared to clients is which slots are filled when they join: provide everything
//! before the server runs. Clients that are connected by then know of it once they connect again, which is logged.
//!
//! Functions are the short way: [`Hub::service`], [`Hub::serve_assets`], [`Hub::on_publish`], [`Hub::serve_parameters`] and
//! [`Hub::on_playback_control`] take ones that may block. [`Hub::parameters`] keeps parameters without any function. They run on threads that the hub has for that, 16 at most. The
//! traits are the other way: providers are called on the thread that serves the client, without the hub's lock, and must
//! return at once; an answer is given through a [`Responder`](super::responder::Responder), then or later, on any thread. A
//! provider may use the hub.

use std::sync::Arc;

pub mod assets;
pub mod graph;
mod handlers;
pub mod parameters;
pub mod playback;
pub mod publish;
pub mod recording;
pub mod save;
mod service_builder;
pub mod services;

use super::outbox::Encoded;
use super::{Access, Hub, State, lock};
use crate::protocol::Capability;

pub use service_builder::ServiceBuilder;

/// A capability has a provider already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the capability {0} has a provider already")]
pub struct AlreadyProvided(pub &'static str);

/// Room for one provider.
pub(super) struct Slot<T>(Option<T>);

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> Slot<T> {
    /// Fills the slot. If it is full already, the provider is given back: to be dropped without the hub's lock.
    pub(super) fn fill(&mut self, provider: T) -> Result<(), T> {
        match self.0 {
            Some(_) => Err(provider),
            None => {
                self.0 = Some(provider);
                Ok(())
            }
        }
    }

    /// Empties the slot, and returns who was in it: to be dropped without the hub's lock.
    pub(super) fn empty(&mut self) -> Option<T> {
        self.0.take()
    }

    pub(super) fn as_ref(&self) -> Option<&T> {
        self.0.as_ref()
    }

    pub(super) fn as_mut(&mut self) -> Option<&mut T> {
        self.0.as_mut()
    }
}

impl Hub {
    /// Fills the slot of the capability of this name, and does what belongs to that under the same lock.
    fn provide<T>(
        &self,
        name: &'static str,
        provider: T,
        slot: impl FnOnce(&mut Slots) -> &mut Slot<T>,
        with: impl FnOnce(&mut State),
    ) -> Result<(), AlreadyProvided> {
        let mut state = lock(&self.0.state);
        let filled = slot(&mut state.slots).fill(provider);
        if filled.is_ok() {
            with(&mut state);
        }
        let clients = state.members.len();
        drop(state);
        if filled.is_ok() && clients > 0 {
            tracing::warn!(
                "{name} : provided now; clients that are connected already ({clients}) know of it once they connect again"
            );
        }
        filled.map_err(|_too_late| AlreadyProvided(name))
    }
}

/// The providers of a hub.
#[derive(Default)]
pub(super) struct Slots {
    /// Decides what of them is declared.
    pub(super) access: Access,
    pub(super) playback: Slot<Arc<dyn playback::Playback>>,
    pub(super) parameters: Slot<Arc<dyn parameters::Parameters>>,
    /// The provider of `parameters`, if it is the hub's own.
    pub(super) parameter_store: Option<parameters::ParameterStore>,
    pub(super) services: Slot<services::Services>,
    pub(super) assets: Slot<Arc<dyn assets::Assets>>,
    pub(super) publish: Slot<Arc<dyn publish::ClientPublish>>,
    /// Those of `publish`.
    pub(super) publish_encodings: Vec<String>,
    pub(super) graph: Slot<graph::ConnectionGraph>,
    pub(super) recordings: Slot<Arc<dyn recording::Recordings>>,
    pub(super) save: Slot<Arc<dyn save::Save>>,
}

impl Slots {
    /// What is declared to clients besides `time`.
    pub(super) fn declared(&self) -> Vec<Capability> {
        let mut declared = Vec::new();
        let mut declare = |filled: bool, capabilities: &[Capability]| {
            if filled {
                declared.extend_from_slice(capabilities);
            }
        };
        let acts = self.access == Access::Full;
        declare(acts && self.playback.as_ref().is_some(), &[Capability::PlaybackControl]);
        declare(acts && self.publish.as_ref().is_some(), &[Capability::ClientPublish]);
        declare(
            self.parameters.as_ref().is_some(),
            &[Capability::Parameters, Capability::ParametersSubscribe],
        );
        declare(acts && self.services.as_ref().is_some(), &[Capability::Services]);
        declare(self.graph.as_ref().is_some(), &[Capability::ConnectionGraph]);
        declare(self.assets.as_ref().is_some(), &[Capability::Assets]);
        declared
    }

    /// Message encodings that clients may use for what they publish and for calls, the preferred one first.
    pub(super) fn encodings(&self) -> Vec<String> {
        if self.access == Access::ReadOnly {
            return Vec::new();
        }
        let mut encodings = self.publish_encodings.clone();
        if self.services.as_ref().is_some() && !encodings.iter().any(|encoding| encoding == "json") {
            encodings.push("json".to_owned());
        }
        encodings
    }

    /// `advertiseServices` with all services, if clients are offered any.
    pub(super) fn services_encoded(&self) -> Option<Encoded> {
        self.services.as_ref().filter(|_| self.access == Access::Full).and_then(|services| services.encoded())
    }
}
