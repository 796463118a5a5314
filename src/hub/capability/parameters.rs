//! The capabilities `parameters` and `parametersSubscribe`: named values that clients read, set and follow.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::hub::outbox::ControlKind;
use crate::hub::responder::Responder;
use crate::hub::{AlreadyProvided, ClientId, Hub, lock};
use crate::protocol::{Parameter, ParameterValues, ServerMessage};

/// Names of parameters that one client may follow.
const MAX_NAMES: usize = 10_000;

/// Keeps parameters.
pub trait Parameters: Send + Sync {
    /// The parameters of these names that exist; all of them if there are no names.
    fn get(&self, names: Vec<String>, answer: Responder<Vec<Parameter>>);

    /// Sets parameters; one without a value is removed. The answer is what holds then, of the same names: a value that
    /// was refused is answered with the one before. Whoever keeps parameters reports changes by
    /// [`Hub::parameters_changed`].
    fn set(&self, parameters: Vec<Parameter>, by: ClientId, answer: Responder<Vec<Parameter>>);
}

/// Which parameters a client follows.
#[derive(Debug, Default)]
pub(in crate::hub) struct Followed {
    all: bool,
    names: BTreeSet<String>,
}

impl Followed {
    /// Adds names; all parameters if there are none. False if those are too many.
    pub(in crate::hub) fn add(&mut self, names: Vec<String>) -> bool {
        if names.is_empty() {
            self.all = true;
        }
        if self.names.len() + names.len() > MAX_NAMES {
            return false;
        }
        self.names.extend(names);
        true
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

    fn wants(&self, name: &str) -> bool {
        self.all || self.names.contains(name)
    }
}

impl Hub {
    /// Registers who keeps parameters; clients that join from now on know that there are some.
    pub fn provide_parameters(&self, parameters: Arc<dyn Parameters>) -> Result<(), AlreadyProvided> {
        self.provide("parameters", parameters, |slots| &mut slots.parameters, |_state| {})
    }

    /// Sends parameters that have changed to the clients that follow them.
    pub fn parameters_changed(&self, parameters: &[Parameter]) {
        let state = lock(&self.0.state);
        for member in state.members.values() {
            let wanted: Vec<Parameter> = parameters
                .iter()
                .filter(|parameter| member.followed.wants(&parameter.name))
                .cloned()
                .collect();
            if !wanted.is_empty() {
                let values = ParameterValues { parameters: wanted, id: None };
                member
                    .queue
                    .control(ControlKind::Other, ServerMessage::ParameterValues(values).encode().into());
            }
        }
    }
}
