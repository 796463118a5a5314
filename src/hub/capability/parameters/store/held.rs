//! What is held: each parameter with its type and rules, within the bounds of the store.

use std::collections::{BTreeMap, VecDeque};

use super::{Handler, NewParameters, ParameterChange};
use crate::hub::capability::parameters::spec::{ParameterSpec, Rules, ValueType, shown, weight};
use crate::protocol::{Parameter, ParameterType, ParameterValue};

/// Parameters of one hub.
pub(super) const MOST: usize = 10_000;

/// Bytes of all names and values: the description of a robot has room, and an answer with all of them is not too large.
pub(super) const MOST_BYTES: usize = 4 << 20;

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

/// All parameters, and the changes that listeners were not called for yet.
#[derive(Default)]
pub(super) struct State {
    pub(super) held: BTreeMap<String, Held>,
    pub(super) bytes: usize,
    pub(super) new: NewParameters,
    pub(super) changes: VecDeque<ParameterChange>,
    /// A thread calls the listeners.
    pub(super) is_reporting: bool,
}

pub(super) struct Held {
    pub(super) parameter: Parameter,
    value_type: ValueType,
    pub(super) rules: Rules,
    pub(super) handler: Option<Handler>,
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
    pub(super) fn fit(
        &self,
        value: &ParameterValue,
        said: Option<ParameterType>,
    ) -> Result<ParameterValue, String> {
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

pub(super) fn refused(name: &str, value: &ParameterValue, rule: String) -> ParameterError {
    ParameterError::Refused { name: name.to_owned(), value: shown(value), rule }
}

impl State {
    pub(super) fn insert(
        &mut self,
        spec: ParameterSpec,
        handler: Option<Handler>,
    ) -> Result<Parameter, ParameterError> {
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
    pub(super) fn replace(
        &mut self,
        name: &str,
        value: ParameterValue,
    ) -> Result<Option<Parameter>, ParameterError> {
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

    pub(super) fn remove(&mut self, name: &str) -> Option<Held> {
        let held = self.held.remove(name)?;
        self.bytes -= held.weight();
        Some(held)
    }

    pub(super) fn values<'a>(&self, names: impl IntoIterator<Item = &'a String>) -> Vec<Parameter> {
        names.into_iter().filter_map(|name| Some(self.held.get(name)?.parameter.clone())).collect()
    }
}
