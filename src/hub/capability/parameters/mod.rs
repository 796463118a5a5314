//! The capabilities `parameters` and `parametersSubscribe`: named values that clients read, set and follow.
//!
//! A program declares its parameters in the [`ParameterStore`] of the hub ([`Hub::parameters`]). One that keeps them
//! elsewhere implements [`Parameters`].

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

mod spec;
mod store;

pub use spec::{ParameterAccess, ParameterSpec};
pub use store::{
    ChangedBy, NewParameters, ParameterChange, ParameterError, ParameterRequest, ParameterStore,
};

use crate::hub::guard::call;
use crate::hub::new_session::Forgetting;
use crate::hub::outbox::ControlKind;
use crate::hub::responder::Responder;
use crate::hub::{AlreadyProvided, ClientId, Hub, Member, Queue, lock};
use crate::protocol::{Parameter, ParameterValues, ServerMessage, Status};

/// Keeps parameters. Returns at once from both; answers may come later.
///
/// ```
/// use std::collections::BTreeMap;
/// use std::sync::{Arc, Mutex};
///
/// use foxglove_bridge::hub::capability::parameters::Parameters;
/// use foxglove_bridge::hub::responder::Responder;
/// use foxglove_bridge::hub::{ClientId, Hub, HubOptions};
/// use foxglove_bridge::protocol::Parameter;
///
/// /// Whatever viewers set.
/// struct Notes {
///     hub: Hub,
///     all: Mutex<BTreeMap<String, Parameter>>,
/// }
///
/// impl Parameters for Notes {
///     fn get(&self, names: Vec<String>, answer: Responder<Vec<Parameter>>) {
///         let all = self.all.lock().unwrap();
///         let wanted = all.values().filter(|one| names.is_empty() || names.contains(&one.name));
///         answer.respond(wanted.cloned().collect());
///     }
///
///     fn set(&self, parameters: Vec<Parameter>, _by: ClientId, answer: Responder<Vec<Parameter>>) {
///         let mut all = self.all.lock().unwrap();
///         for parameter in parameters.iter().filter(|parameter| parameter.value.is_some()) {
///             all.insert(parameter.name.clone(), parameter.clone());
///         }
///         self.hub.parameters_changed(&parameters);
///         answer.respond(parameters);
///     }
/// }
///
/// let hub = Hub::new("robot", HubOptions::default());
/// hub.provide_parameters(Arc::new(Notes { hub: hub.clone(), all: Mutex::default() }))?;
/// # Ok::<(), foxglove_bridge::hub::AlreadyProvided>(())
/// ```
pub trait Parameters: Send + Sync {
    /// The parameters of these names that exist; all of them if there are no names.
    fn get(&self, names: Vec<String>, answer: Responder<Vec<Parameter>>);

    /// Sets parameters; one without a value is removed. The answer is what holds then, of the same names: a value that
    /// was refused is answered with the one before. Whoever keeps parameters reports changes by
    /// [`Hub::parameters_changed`].
    fn set(&self, parameters: Vec<Parameter>, by: ClientId, answer: Responder<Vec<Parameter>>);
}

/// Bytes that parameters take in memory, about.
pub(super) fn weight(parameters: &[Parameter]) -> usize {
    let weight = |one: &Parameter| {
        size_of::<Parameter>() + one.name.len() + one.value.as_ref().map_or(0, spec::weight)
    };
    parameters.iter().map(weight).sum()
}

/// Which parameters a client follows.
#[derive(Debug, Default)]
pub(in crate::hub) struct Followed {
    all: bool,
    names: BTreeSet<String>,
}

impl Followed {
    /// Adds names; all parameters if there are none. False, and none of them is added, if there would be more than `limit`.
    pub(in crate::hub) fn add(&mut self, names: Vec<String>, limit: usize) -> bool {
        if names.is_empty() {
            self.all = true;
        }
        // viewers follow the same names again after each new session
        let mut new: BTreeSet<_> = names.into_iter().filter(|name| !self.names.contains(name)).collect();
        let fits = self.names.len() + new.len() <= limit;
        if fits {
            self.names.append(&mut new);
        }
        fits
    }

    /// Takes names out; all of them if there are none.
    pub(in crate::hub) fn remove(&mut self, names: &[String]) {
        if names.is_empty() {
            *self = Self::default();
        }
        for name in names {
            self.names.remove(name);
        }
    }

    /// The names; none for all. None if it follows nothing.
    fn names(&self) -> Option<Vec<String>> {
        let names = if self.all { Vec::new() } else { self.names.iter().cloned().collect() };
        (self.all || !names.is_empty()).then_some(names)
    }

    fn wants(&self, name: &str) -> bool {
        self.all || self.names.contains(name)
    }
}

impl Hub {
    /// Registers who keeps parameters, where neither [`Hub::parameters`] nor [`Hub::serve_parameters`] will do; clients that join from now on know that there are some.
    pub fn provide_parameters(&self, parameters: Arc<dyn Parameters>) -> Result<(), AlreadyProvided> {
        self.provide("parameters", parameters, |slots| &mut slots.parameters, |_state| {})
    }

    /// Sends parameters that have changed to the clients that follow them; one that was removed without its value.
    pub fn parameters_changed(&self, parameters: &[Parameter]) {
        let state = lock(&self.0.state);
        state.members.values().for_each(|member| member.send_followed(parameters));
    }

    /// Sends one client what holds of the parameters that it follows.
    fn repeat_parameters(&self, client: ClientId, parameters: &[Parameter]) {
        if let Some(member) = lock(&self.0.state).members.get(&client) {
            member.send_followed(parameters);
        }
    }

    /// New sessions have been queued: viewers get what they follow, which they forget then, and for which those don't ask
    /// that are not told of the capability once more. Called without the lock.
    pub(in crate::hub) fn repeat_followed(&self, forgotten: Forgetting) {
        if forgotten == Forgetting::Nobody {
            return;
        }
        let state = lock(&self.0.state);
        let Some(provider) = state.slots.parameters.as_ref().cloned() else { return };
        let followed = |member: &Member| Some((member.queue.clone(), member.followed.names()?));
        let members = state.members.values().filter(|member| forgotten.by(member));
        let followed: Vec<_> = members.filter_map(followed).collect();
        drop(state);
        for (queue, names) in followed {
            let answer = Responder::new(move |answer: Result<Vec<Parameter>, _>| {
                if let Ok(parameters) = answer {
                    send_values(&queue, parameters);
                }
            });
            call("parameters", || provider.get(names, answer));
        }
    }

    fn send_status(&self, client: ClientId, status: Status) {
        if let Some(member) = lock(&self.0.state).members.get(&client) {
            member.queue.control(ControlKind::Other, ServerMessage::Status(status).encode().into());
        }
    }
}

impl Member {
    /// Sends those of these parameters that the client follows.
    fn send_followed(&self, parameters: &[Parameter]) {
        let wanted = parameters.iter().filter(|parameter| self.followed.wants(&parameter.name));
        let parameters: Vec<Parameter> = wanted.cloned().collect();
        if !parameters.is_empty() {
            send_values(&self.queue, parameters);
        }
    }
}

fn send_values(queue: &Queue, parameters: Vec<Parameter>) {
    let mut names = DefaultHasher::new();
    parameters.iter().for_each(|parameter| parameter.name.hash(&mut names));
    let values = ServerMessage::ParameterValues(ParameterValues { parameters, id: None });
    // viewers forget them at a new session: not before one that waits
    queue.control(ControlKind::Values(names.finish()), values.encode().into());
}
