//! The parameters of a hub: declared once, read, set and followed by clients and by the program.
//!
//! Values change under one lock, below which the hub's lock and those of queues are taken: every client gets changes and
//! answers in the order in which values held.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, Weak};

use super::spec::{ParameterSpec, Rules, ValueType, shown, weight};
use crate::hub::requests::call;
use crate::hub::responder::Responder;
use crate::hub::{AlreadyProvided, ClientId, Hub, Shared as HubShared, lock};
use crate::protocol::{Parameter, ParameterType, ParameterValue};

mod clients;

use clients::Keeper;

/// Parameters of one hub.
const MOST: usize = 10_000;

/// Bytes of all names and values: the description of a robot has room, and an answer with all of them is not too large.
const MOST_BYTES: usize = 4 << 20;

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

/// What a client wants of a parameter that is kept by a handler; see [`ParameterStore::declare_handled`].
#[derive(Debug, Clone, PartialEq)]
pub struct ParameterRequest {
    /// Who asks.
    pub client: ClientId,
    /// What it is to become: of its type, and within its bounds and choices.
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

/// Why a parameter is not declared, or has not the value that it was to have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParameterError {
    /// It is declared already.
    #[error("there is a parameter {0} already")]
    NameTaken(String),
    /// It is not declared.
    #[error("there is no parameter {0}")]
    Unknown(String),
    /// It can't have this value.
    #[error("parameter {name} can't be {value}: {rule}")]
    Refused {
        /// Its name.
        name: String,
        /// The value, shortened; `removed` if it was to be removed.
        value: String,
        /// What it must be.
        rule: String,
    },
    /// There are too many, or they are too large.
    #[error(
        "parameter {name} is not kept: a server has at most {MOST} parameters, of {MOST_BYTES} bytes together"
    )]
    TooMuch {
        /// Its name.
        name: String,
    },
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

#[derive(Default)]
struct State {
    held: BTreeMap<String, Held>,
    bytes: usize,
    new: NewParameters,
    changes: VecDeque<ParameterChange>,
    /// A thread calls the listeners.
    is_reporting: bool,
}

struct Held {
    parameter: Parameter,
    value_type: ValueType,
    rules: Rules,
    handler: Option<Handler>,
}

impl ParameterSpec {
    /// Whether it can be declared: its value is within its own bounds and choices.
    pub fn check(&self) -> Result<(), ParameterError> {
        Held::new(self.clone(), None).map(drop)
    }
}

impl Held {
    fn new(spec: ParameterSpec, handler: Option<Handler>) -> Result<Self, ParameterError> {
        let ParameterSpec { parameter, rules } = spec;
        let Parameter { name, parameter_type, value } = parameter;
        let Some(value) = value else {
            let (value, rule) = ("nothing".to_owned(), "it needs a value that JSON has".to_owned());
            return Err(ParameterError::Refused { name, value, rule });
        };
        let value_type = ValueType::of(&value, parameter_type);
        let parameter = Parameter { name, parameter_type: value_type.said(), value: None };
        let mut held = Self { parameter, value_type, rules, handler };
        let fits = held.fit(&value, None).map_err(|rule| refused(&held.parameter.name, &value, rule))?;
        held.parameter.value = Some(fits);
        Ok(held)
    }

    /// What a value becomes here, if it can.
    fn fit(&self, value: &ParameterValue, said: Option<ParameterType>) -> Result<ParameterValue, String> {
        if said == Some(ParameterType::ByteArray) && self.value_type == ValueType::Text {
            return Err("it must be text, not bytes".to_owned());
        }
        let value = self.value_type.fit(value)?;
        self.rules.check(&value, &self.value_type)?;
        Ok(value)
    }

    fn weight(&self) -> usize {
        self.parameter.name.len() + self.parameter.value.as_ref().map_or(0, weight)
    }
}

fn refused(name: &str, value: &ParameterValue, rule: String) -> ParameterError {
    ParameterError::Refused { name: name.to_owned(), value: shown(value), rule }
}

impl State {
    fn insert(&mut self, spec: ParameterSpec, handler: Option<Handler>) -> Result<Parameter, ParameterError> {
        let held = Held::new(spec, handler)?;
        if self.held.contains_key(&held.parameter.name) {
            return Err(ParameterError::NameTaken(held.parameter.name));
        }
        if self.held.len() >= MOST || self.bytes + held.weight() > MOST_BYTES {
            return Err(ParameterError::TooMuch { name: held.parameter.name });
        }
        self.bytes += held.weight();
        let parameter = held.parameter.clone();
        self.held.insert(parameter.name.clone(), held);
        Ok(parameter)
    }

    /// Gives a parameter a value that fits; None if it has that already.
    fn replace(&mut self, name: &str, value: ParameterValue) -> Result<Option<Parameter>, ParameterError> {
        let unknown = || ParameterError::Unknown(name.to_owned());
        let held = self.held.get_mut(name).ok_or_else(unknown)?;
        if held.parameter.value.as_ref() == Some(&value) {
            return Ok(None);
        }
        let bytes = self.bytes - held.weight() + name.len() + weight(&value);
        if bytes > MOST_BYTES {
            return Err(ParameterError::TooMuch { name: name.to_owned() });
        }
        self.bytes = bytes;
        held.parameter.value = Some(value);
        Ok(Some(held.parameter.clone()))
    }

    fn remove(&mut self, name: &str) -> Option<Held> {
        let held = self.held.remove(name)?;
        self.bytes -= held.weight();
        Some(held)
    }

    fn values<'a>(&self, names: impl IntoIterator<Item = &'a String>) -> Vec<Parameter> {
        names.into_iter().filter_map(|name| Some(self.held.get(name)?.parameter.clone())).collect()
    }
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

    /// Sets a parameter, or declares it if there is none of its name.
    pub fn set_or_declare(&self, parameter: Parameter) -> Result<(), ParameterError> {
        self.change(ChangedBy::Program, |state| {
            let Parameter { name, parameter_type, value } = &parameter;
            match (state.held.get(name), value) {
                (Some(held), Some(value)) => {
                    let fits = held.fit(value, *parameter_type);
                    let value = fits.map_err(|rule| refused(name, value, rule))?;
                    state.replace(name, value)
                }
                _ => state.insert(parameter.into(), None).map(Some),
            }
        })
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
                call("a listener to parameters", || listener(&change));
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
    /// The parameters of this hub. The first call declares to clients that join from then on that there can be some.
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
