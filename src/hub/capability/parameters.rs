//! The capabilities `parameters` and `parametersSubscribe`: named values that clients read, set and follow.
//!
//! ```
//! use std::collections::BTreeMap;
//! use std::sync::{Arc, Mutex};
//!
//! use foxglove_bridge::hub::capability::parameters::Parameters;
//! use foxglove_bridge::hub::responder::Responder;
//! use foxglove_bridge::hub::{ClientId, Hub, HubOptions};
//! use foxglove_bridge::protocol::{Parameter, ParameterValue};
//!
//! /// Gains that viewers may change, but neither add nor remove.
//! struct Gains {
//!     hub: Hub,
//!     values: Mutex<BTreeMap<String, ParameterValue>>,
//! }
//!
//! impl Parameters for Gains {
//!     fn get(&self, names: Vec<String>, answer: Responder<Vec<Parameter>>) {
//!         let values = self.values.lock().unwrap();
//!         let wanted = values.iter().filter(|(name, _)| names.is_empty() || names.contains(name));
//!         answer.respond(wanted.map(|(name, value)| Parameter::new(name, value.clone())).collect());
//!     }
//!
//!     fn set(&self, parameters: Vec<Parameter>, _by: ClientId, answer: Responder<Vec<Parameter>>) {
//!         let mut values = self.values.lock().unwrap();
//!         let mut holds = Vec::new();
//!         for Parameter { name, value, .. } in parameters {
//!             let Some(known) = values.get_mut(&name) else { continue };
//!             if let Some(value) = value.filter(|value| value.as_f64().is_some()) {
//!                 *known = value;
//!             }
//!             holds.push(Parameter::new(name, known.clone()));
//!         }
//!         drop(values);
//!         self.hub.parameters_changed(&holds);
//!         answer.respond(holds);
//!     }
//! }
//!
//! let hub = Hub::new("robot", HubOptions::default());
//! let values = Mutex::new(BTreeMap::from([("kp".to_owned(), ParameterValue::from(2))]));
//! hub.provide_parameters(Arc::new(Gains { hub: hub.clone(), values }))?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::hub::outbox::ControlKind;
use crate::hub::responder::Responder;
use crate::hub::{AlreadyProvided, ClientId, Hub, lock};
use crate::protocol::{Parameter, ParameterValues, ServerMessage};

/// Keeps parameters. Returns at once from both; answers may come later.
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
    /// Adds names; all parameters if there are none. False, and none of them is added, if there would be more than `limit`.
    pub(in crate::hub) fn add(&mut self, names: Vec<String>, limit: usize) -> bool {
        if names.is_empty() {
            self.all = true;
        }
        let new: BTreeSet<String> = names.into_iter().filter(|name| !self.names.contains(name)).collect();
        if self.names.len() + new.len() > limit {
            return false;
        }
        self.names.extend(new);
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
