//! The parameters of a hub: declared once, read, set and followed by clients and by the program.
//!
//! Values change under one lock, below which the hub's lock and those of queues are taken: every client gets changes and
//! answers in the order in which values held.

use std::fmt;
use std::sync::{Arc, Mutex, Weak};

use super::spec::ParameterSpec;
use crate::hub::guard::call;
use crate::hub::responder::{NoAnswer, Responder};
use crate::hub::{AlreadyProvided, ClientId, Hub, Shared as HubShared, lock};
use crate::protocol::{Parameter, ParameterValue};

mod clients;
mod held;

use clients::Keeper;
pub use held::ParameterError;
use held::{State, refused};

/// Changes that may wait until listeners are called.
const MOST_CHANGES: usize = 1000;

/// Who changes a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangedBy {
    /// A client.
    Client(ClientId),
    /// The program.
    Program,
}

/// A parameter that has changed.
#[derive(Debug, Clone, PartialEq)]
pub struct ParameterChange {
    /// What holds now; without a value it was removed.
    pub parameter: Parameter,
    /// Who changed it.
    pub by: ChangedBy,
}

/// What a parameter that is kept by a handler is to become; see [`ParameterStore::declare_handled`].
#[derive(Debug, Clone, PartialEq)]
pub struct ParameterRequest {
    /// Who asks.
    pub by: ChangedBy,
    /// The value: of its type, and within its bounds and choices.
    pub value: ParameterValue,
}

/// Whether clients may set parameters that are not declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NewParameters {
    /// No: what is set by a mistyped name would be a parameter that nobody reads.
    #[default]
    Refused,
    /// Such a parameter is added, and may be removed.
    Added,
}

type OnChange = Arc<dyn Fn(&ParameterChange) + Send + Sync>;
type Handler = Arc<dyn Fn(ParameterRequest, Responder<Result<(), String>>) + Send + Sync>;

/// The parameters of a hub ([`Hub::parameters`]); clones share them.
///
/// A parameter keeps the type of its first value: a float that a viewer sets by `7` becomes `7.0`, an integer that it sets
/// by `7.0` becomes `7`, and anything else is refused. Who is refused gets a status that names parameter, value and rule,
/// and is answered with the value that holds. Every change goes to all clients that follow the parameter, the one that has
/// set it included.
///
/// ```
/// use foxglove_bridge::hub::capability::parameters::{ChangedBy, ParameterSpec};
/// use foxglove_bridge::hub::{Hub, HubOptions};
///
/// let hub = Hub::new("robot", HubOptions::default());
/// let parameters = hub.parameters()?;
/// parameters.declare(ParameterSpec::float64("gain", 2.0).range(0.0..=10.0))?;
/// parameters.declare(ParameterSpec::new("mode", "auto").choices(["auto", "manual"]))?;
/// parameters.on_change(|change| {
///     if let ChangedBy::Client(client) = change.by {
///         println!("client {client} set {:?}", change.parameter);
///     }
/// });
/// parameters.set("gain", 3)?;
/// assert_eq!(parameters.get("gain").and_then(|gain| gain.value?.as_f64()), Some(3.0));
/// assert!(parameters.set("gain", 11).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct ParameterStore(Arc<Shared>);

struct Shared {
    hub: Weak<HubShared>,
    state: Mutex<State>,
    listeners: Mutex<Vec<OnChange>>,
}

impl ParameterStore {
    fn of(hub: &Hub) -> Self {
        let hub = Arc::downgrade(&hub.0);
        Self(Arc::new(Shared { hub, state: Mutex::default(), listeners: Mutex::default() }))
    }

    /// Adds a parameter; clients may set it as the spec says.
    pub fn declare(&self, spec: impl Into<ParameterSpec>) -> Result<(), ParameterError> {
        self.insert(spec.into(), None)
    }

    /// Adds a parameter whose value is kept elsewhere. What a client sets is not stored, but handed to `handler`, which
    /// carries it out, stores by [`ParameterStore::set`] what holds then, and answers; or answers why not. It returns at
    /// once; the answer may come later, on any thread. Meanwhile the client waits for its own.
    pub fn declare_handled(
        &self,
        spec: impl Into<ParameterSpec>,
        handler: impl Fn(ParameterRequest, Responder<Result<(), String>>) + Send + Sync + 'static,
    ) -> Result<(), ParameterError> {
        self.insert(spec.into(), Some(Arc::new(handler)))
    }

    fn insert(&self, spec: ParameterSpec, handler: Option<Handler>) -> Result<(), ParameterError> {
        self.change(ChangedBy::Program, |state| state.insert(spec, handler).map(Some))
    }

    /// Removes a parameter. Returns whether there was one.
    pub fn remove(&self, name: &str) -> bool {
        let mut removed = None;
        let gone = self.change(ChangedBy::Program, |state| {
            removed = state.remove(name);
            Ok(removed.as_ref().map(|_| Parameter::unset(name)))
        });
        // with its handler, which may use the store
        gone.is_ok() && removed.is_some()
    }

    /// The parameter of this name.
    pub fn get(&self, name: &str) -> Option<Parameter> {
        Some(lock(&self.0.state).held.get(name)?.parameter.clone())
    }

    /// Whether a handler keeps the value of this parameter.
    pub(crate) fn is_handled(&self, name: &str) -> bool {
        lock(&self.0.state).held.get(name).is_some_and(|held| held.handler.is_some())
    }

    /// All parameters, by name.
    pub fn all(&self) -> Vec<Parameter> {
        lock(&self.0.state).held.values().map(|held| held.parameter.clone()).collect()
    }

    /// Gives a parameter another value: of its type, within its bounds and choices. Those that clients may only read
    /// change too.
    pub fn set(&self, name: &str, value: impl Into<ParameterValue>) -> Result<(), ParameterError> {
        let value = value.into();
        self.change(ChangedBy::Program, |state| {
            let held = state.held.get(name).ok_or_else(|| ParameterError::Unknown(name.to_owned()))?;
            let value = held.fit(&value, None).map_err(|rule| refused(name, &value, rule))?;
            state.replace(name, value)
        })
    }

    /// As [`ParameterStore::set`], with a float. NaN and infinities are refused.
    pub fn set_float64(&self, name: &str, value: f64) -> Result<(), ParameterError> {
        match ParameterValue::float(value) {
            Some(value) => self.set(name, value),
            None => {
                let (name, rule) = (name.to_owned(), "JSON does not have it".to_owned());
                Err(ParameterError::Refused { name, value: value.to_string(), rule })
            }
        }
    }

    /// Sets a parameter, or declares it if there is none of its name. One that has a handler is given to that, and changes
    /// when the handler says so; if it refuses the value, that is logged.
    pub fn set_or_declare(&self, parameter: Parameter) -> Result<(), ParameterError> {
        let by = ChangedBy::Program;
        // called without the lock: a handler may use the store
        let mut handled = None;
        self.change(by, |state| {
            let Parameter { name, parameter_type, value } = &parameter;
            let (Some(held), Some(value)) = (state.held.get(name), value) else {
                return state.insert(parameter.into(), None).map(Some);
            };
            let fits = held.fit(value, *parameter_type).map_err(|rule| refused(name, value, rule))?;
            if let Some(handler) = &held.handler {
                handled = Some((handler.clone(), name.clone(), ParameterRequest { by, value: fits }));
                return Ok(None);
            }
            state.replace(name, fits)
        })?;
        if let Some((handler, name, request)) = handled {
            let answer = Responder::new(move |answer: Result<Result<(), String>, NoAnswer>| {
                if let Err(why) = answer.unwrap_or_else(|none| Err(none.to_string())) {
                    tracing::warn!("parameter {name} is not set: {why}");
                }
            });
            call("a parameter", || handler(request, answer));
        }
        Ok(())
    }

    /// Whether clients may set parameters that are not declared. They may not unless this is called.
    pub fn new_parameters(&self, new: NewParameters) {
        lock(&self.0.state).new = new;
    }

    /// Calls this after each change, in the order of the changes, for as long as there is the hub. It must return at once
    /// and may use the store. What has changed meanwhile waits for it: a client that makes more than 1,000 changes wait
    /// is refused.
    pub fn on_change(&self, listener: impl Fn(&ParameterChange) + Send + Sync + 'static) {
        lock(&self.0.listeners).push(Arc::new(listener));
    }

    /// Changes something, and sends it to those who follow it.
    fn change(
        &self,
        by: ChangedBy,
        change: impl FnOnce(&mut State) -> Result<Option<Parameter>, ParameterError>,
    ) -> Result<(), ParameterError> {
        let mut state = lock(&self.0.state);
        let changed = change(&mut state);
        if let Ok(Some(parameter)) = &changed {
            if let Some(hub) = self.hub() {
                hub.parameters_changed(std::slice::from_ref(parameter));
            }
            state.changes.push_back(ParameterChange { parameter: parameter.clone(), by });
        }
        drop(state);
        self.report();
        changed.map(|_| ())
    }

    /// Calls the listeners, unless another thread, or this one further up, is at it: that one goes on with these changes.
    fn report(&self) {
        let mut state = lock(&self.0.state);
        if std::mem::replace(&mut state.is_reporting, true) {
            return;
        }
        while let Some(change) = state.changes.pop_front() {
            drop(state);
            let listeners = lock(&self.0.listeners).clone();
            for listener in listeners {
                call("parameters", || listener(&change));
            }
            state = lock(&self.0.state);
        }
        state.is_reporting = false;
    }

    fn hub(&self) -> Option<Hub> {
        self.0.hub.upgrade().map(Hub)
    }
}

impl fmt::Debug for ParameterStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.all()).finish()
    }
}

impl Hub {
    /// The parameters of this hub, which it keeps, with types and bounds: what nearly every program wants. Every call returns
    /// the same store. The first call declares to clients that join from then on that there can be some.
    ///
    /// # Errors
    ///
    /// Parameters are provided by something else ([`Hub::provide_parameters`]).
    pub fn parameters(&self) -> Result<ParameterStore, AlreadyProvided> {
        let mut state = lock(&self.0.state);
        if let Some(store) = &state.slots.parameter_store {
            return Ok(store.clone());
        }
        let store = ParameterStore::of(self);
        let filled = state.slots.parameters.fill(Arc::new(Keeper(store.clone())));
        if filled.is_ok() {
            state.slots.parameter_store = Some(store.clone());
        }
        drop(state);
        filled.map(|()| store).map_err(|_too_late| AlreadyProvided("parameters"))
    }
}

#[cfg(test)]
mod tests;
