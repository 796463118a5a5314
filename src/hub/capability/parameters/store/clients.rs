//! The store as clients see it: what they may set, and what they are answered.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use super::{
    ChangedBy, MOST_CHANGES, NewParameters, ParameterError, ParameterRequest, ParameterStore, refused,
};
use crate::hub::capability::parameters::Parameters;
use crate::hub::capability::parameters::spec::{ParameterAccess, ParameterSpec, shown};
use crate::hub::guard::call;
use crate::hub::responder::{NoAnswer, Responder};
use crate::hub::{ClientId, lock};
use crate::protocol::{Parameter, Status};

impl ParameterStore {
    /// Does what a client asks of one parameter. None: a handler answers later.
    fn set_by(&self, client: ClientId, wanted: Parameter, answering: &Arc<Answering>) {
        let name = wanted.name.clone();
        // dropped without the lock: a handler may use the store
        let (mut handled, mut removed) = (None, None);
        let done = self.change(ChangedBy::Client(client), |state| {
            if state.changes.len() >= MOST_CHANGES {
                let (value, rule) = ("set".to_owned(), "too many changes wait; try again later".to_owned());
                return Err(ParameterError::Refused { name: wanted.name, value, rule });
            }
            let Parameter { name, parameter_type, value } = &wanted;
            let Some(held) = state.held.get(name) else {
                return match (state.new, value) {
                    (NewParameters::Added, Some(_)) => {
                        let spec = ParameterSpec::from(wanted).access(ParameterAccess::SetOrRemove);
                        state.insert(spec, None).map(Some)
                    }
                    // it is removed already
                    (NewParameters::Added, None) => Ok(None),
                    (NewParameters::Refused, _) => Err(ParameterError::Unknown(wanted.name)),
                };
            };
            let allowed = match (held.rules.access, value) {
                (ParameterAccess::ReadOnly, _) => Err("clients may only read it"),
                (ParameterAccess::Set, None) => Err("clients may set it, but not remove it"),
                (ParameterAccess::Set | ParameterAccess::SetOrRemove, _) => Ok(()),
            };
            if let Err(rule) = allowed {
                let value = value.as_ref().map_or_else(|| "removed".to_owned(), shown);
                let (name, rule) = (name.clone(), rule.to_owned());
                return Err(ParameterError::Refused { name, value, rule });
            }
            let Some(value) = value else {
                removed = state.remove(name);
                return Ok(Some(Parameter::unset(wanted.name)));
            };
            let fits = held.fit(value, *parameter_type).map_err(|rule| refused(name, value, rule))?;
            if let Some(handler) = &held.handler {
                handled =
                    Some((handler.clone(), ParameterRequest { by: ChangedBy::Client(client), value: fits }));
                return Ok(None);
            }
            state.replace(name, fits)
        });
        drop(removed);
        if let Err(error) = done {
            answering.refuse(&name, &error.to_string());
        }
        if let Some((handler, request)) = handled {
            let (answering, value) = (answering.clone(), shown(&request.value));
            let answer = Responder::new(move |answer: Result<Result<(), String>, NoAnswer>| {
                let answer = answer.unwrap_or_else(|none| Err(none.to_string()));
                if let Err(rule) = answer {
                    let refused = ParameterError::Refused { name: name.clone(), value, rule };
                    answering.refuse(&name, &refused.to_string());
                }
            });
            call("parameters", || handler(request, answer));
        }
    }
}

/// The answer to `setParameters`, which is given when this is dropped: when the last parameter has been set or refused.
struct Answering {
    store: ParameterStore,
    client: ClientId,
    names: BTreeSet<String>,
    refused: Mutex<BTreeSet<String>>,
    answer: Mutex<Option<Responder<Vec<Parameter>>>>,
}

impl Answering {
    fn refuse(&self, name: &str, why: &str) {
        lock(&self.refused).insert(name.to_owned());
        tracing::debug!("client {}: {why}", self.client);
        if let Some(hub) = self.store.hub() {
            // the newest of a parameter takes the place of those before it
            let status = Status::error(why).with_id(format!("parameter {name}"));
            hub.send_status(self.client, status);
        }
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        let state = lock(&self.store.0.state);
        // a viewer shows what it has set until it gets something else, and without an id there is no answer
        let held = state.values(lock(&self.refused).iter());
        if let Some(hub) = self.store.hub() {
            hub.repeat_parameters(self.client, &held);
        }
        if let Some(answer) = lock(&self.answer).take() {
            answer.respond(state.values(&self.names));
        }
    }
}

/// The store as clients see it.
pub(super) struct Keeper(pub(super) ParameterStore);

impl Parameters for Keeper {
    fn get(&self, names: Vec<String>, answer: Responder<Vec<Parameter>>) {
        let state = lock(&self.0.0.state);
        let names: BTreeSet<String> = names.into_iter().collect();
        answer.respond(match names.is_empty() {
            true => state.held.values().map(|held| held.parameter.clone()).collect(),
            false => state.values(&names),
        });
    }

    fn set(&self, parameters: Vec<Parameter>, by: ClientId, answer: Responder<Vec<Parameter>>) {
        let Self(store) = self;
        let names = parameters.iter().map(|parameter| parameter.name.clone()).collect();
        let (refused, answer) = (Mutex::default(), Mutex::new(Some(answer)));
        let answering = Arc::new(Answering { store: store.clone(), client: by, names, refused, answer });
        for parameter in parameters {
            store.set_by(by, parameter, &answering);
        }
    }
}
