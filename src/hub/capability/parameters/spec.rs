//! What a parameter is and may become: its type, bounds, choices, and who may change it.

use std::ops::RangeInclusive;

use serde_json::Number;

use crate::protocol::{Parameter, ParameterType, ParameterValue};

/// Characters of a value that an error repeats.
const SHOWN: usize = 60;

/// What clients may do with a parameter, besides reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ParameterAccess {
    /// Nothing.
    ReadOnly,
    /// Give it other values.
    #[default]
    Set,
    /// The same, and remove it.
    SetOrRemove,
}

/// A parameter to be declared: its first value, from which it has its type, and which others it can have.
///
/// ```
/// use foxglove_bridge::hub::capability::parameters::{ParameterAccess, ParameterSpec};
///
/// let gain = ParameterSpec::float64("gain", 2.0).range(0.0..=10.0);
/// let mode = ParameterSpec::new("mode", "auto").choices(["auto", "manual"]);
/// let serial_number = ParameterSpec::new("serial_number", 4711).access(ParameterAccess::ReadOnly);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct ParameterSpec {
    pub(super) parameter: Parameter,
    pub(super) rules: Rules,
}

/// What else than its type restricts a value.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Rules {
    pub(super) access: ParameterAccess,
    min: Option<f64>,
    max: Option<f64>,
    choices: Vec<ParameterValue>,
}

impl ParameterSpec {
    /// A parameter of the type that its value has. Numbers with a fraction are floats, others integers; a list keeps the
    /// type of its items if they have the same one.
    pub fn new(name: impl Into<String>, value: impl Into<ParameterValue>) -> Self {
        Parameter::new(name, value).into()
    }

    /// A float. NaN and infinities, which JSON does not have, are refused when it is declared.
    pub fn float64(name: impl Into<String>, value: f64) -> Self {
        let (parameter_type, value) = (Some(ParameterType::Float64), ParameterValue::float(value));
        Parameter { name: name.into(), parameter_type, value }.into()
    }

    /// Bytes, which clients see in base64.
    pub fn byte_array(name: impl Into<String>, bytes: &[u8]) -> Self {
        Parameter::byte_array(name, bytes).into()
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.parameter.name
    }

    /// Refuses numbers outside of this range, also as items of a list.
    pub fn range(self, range: RangeInclusive<f64>) -> Self {
        self.min(*range.start()).max(*range.end())
    }

    /// Refuses numbers below this one.
    pub fn min(mut self, min: f64) -> Self {
        self.rules.min = Some(min);
        self
    }

    /// Refuses numbers above this one.
    pub fn max(mut self, max: f64) -> Self {
        self.rules.max = Some(max);
        self
    }

    /// Refuses values other than these.
    pub fn choices(mut self, choices: impl IntoIterator<Item = impl Into<ParameterValue>>) -> Self {
        self.rules.choices = choices.into_iter().map(Into::into).collect();
        self
    }

    /// What clients may do with it; [`ParameterAccess::Set`] unless this is called.
    pub fn access(mut self, access: ParameterAccess) -> Self {
        self.rules.access = access;
        self
    }
}

impl From<Parameter> for ParameterSpec {
    /// A parameter with its first value and the type that it is declared with.
    fn from(parameter: Parameter) -> Self {
        Self { parameter, rules: Rules::default() }
    }
}

impl Rules {
    /// Why a value can't be taken; it has the right type. `like`: the type.
    pub(super) fn check(&self, value: &ParameterValue, like: &ValueType) -> Result<(), String> {
        self.check_range(value)?;
        let is_choice = |choice: &ParameterValue| like.fit(choice).as_ref() == Ok(value);
        if self.choices.is_empty() || self.choices.iter().any(is_choice) {
            return Ok(());
        }
        let choices: Vec<String> = self.choices.iter().map(shown).collect();
        Err(format!("it must be one of {}", choices.join(", ")))
    }

    fn check_range(&self, value: &ParameterValue) -> Result<(), String> {
        if let ParameterValue::Array(items) = value {
            return items.iter().try_for_each(|item| self.check_range(item));
        }
        let Some(number) = value.as_f64() else { return Ok(()) };
        match (self.min, self.max) {
            (Some(min), _) if number < min => Err(format!("the least that it can be is {min}")),
            (_, Some(max)) if number > max => Err(format!("the most that it can be is {max}")),
            _ => Ok(()),
        }
    }
}

/// The type of a parameter, which it keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ValueType {
    Bool,
    Integer,
    Float,
    Text,
    Bytes,
    /// Of items of any type if there is none.
    List(Option<Box<ValueType>>),
    Object,
}

impl ValueType {
    /// That of a value; `said` is what JSON can't say about it.
    pub(super) fn of(value: &ParameterValue, said: Option<ParameterType>) -> Self {
        match value {
            _ if said == Some(ParameterType::Float64) => Self::Float,
            _ if said == Some(ParameterType::ByteArray) => Self::Bytes,
            _ if said == Some(ParameterType::Float64Array) => Self::List(Some(Box::new(Self::Float))),
            ParameterValue::Number(number) if number.is_f64() => Self::Float,
            ParameterValue::Number(_) => Self::Integer,
            ParameterValue::String(_) => Self::Text,
            ParameterValue::Bool(_) => Self::Bool,
            ParameterValue::Array(items) => Self::List(Self::of_items(items).map(Box::new)),
            ParameterValue::Object(_) => Self::Object,
        }
    }

    /// The type that all items have.
    fn of_items(items: &[ParameterValue]) -> Option<Self> {
        let mut types = items.iter().map(|item| Self::of(item, None));
        let first = types.next()?;
        types.try_fold(first, |all, next| match (all, next) {
            (Self::Integer | Self::Float, Self::Float) | (Self::Float, Self::Integer) => Some(Self::Float),
            (all, next) if all == next => Some(all),
            _ => None,
        })
    }

    /// What JSON can't say about its values.
    pub(super) fn said(&self) -> Option<ParameterType> {
        match self {
            Self::Float => Some(ParameterType::Float64),
            Self::Bytes => Some(ParameterType::ByteArray),
            Self::List(Some(items)) if **items == Self::Float => Some(ParameterType::Float64Array),
            Self::Bool | Self::Integer | Self::Text | Self::List(_) | Self::Object => None,
        }
    }

    /// A value as one of this type: viewers write a float without a fraction as an integer, and the reverse. Err: what it
    /// must be.
    pub(super) fn fit(&self, value: &ParameterValue) -> Result<ParameterValue, String> {
        let fits = match (self, value) {
            (Self::Bool, ParameterValue::Bool(_))
            | (Self::Text, ParameterValue::String(_))
            | (Self::List(None), ParameterValue::Array(_))
            | (Self::Object, ParameterValue::Object(_)) => Some(value.clone()),
            (Self::Integer, ParameterValue::Number(number)) => integer(number).map(ParameterValue::Number),
            (Self::Float, ParameterValue::Number(number)) => number.as_f64().and_then(ParameterValue::float),
            (Self::Bytes, ParameterValue::String(_)) => is_base64(value).then(|| value.clone()),
            (Self::List(Some(items)), ParameterValue::Array(list)) => {
                let list: Result<_, _> = list.iter().map(|item| items.fit(item)).collect();
                list.ok().map(ParameterValue::Array)
            }
            _ => None,
        };
        fits.ok_or_else(|| format!("it must be {}", self.name()))
    }

    fn name(&self) -> String {
        match self {
            Self::Bool => "true or false".to_owned(),
            Self::Integer => "an integer".to_owned(),
            Self::Float => "a number".to_owned(),
            Self::Text => "text".to_owned(),
            Self::Bytes => "bytes in base64".to_owned(),
            Self::List(None) => "a list".to_owned(),
            Self::List(Some(items)) => format!("a list, each item {}", items.name()),
            Self::Object => "an object".to_owned(),
        }
    }
}

/// A number without a fraction as an integer, if it is one.
#[allow(clippy::cast_possible_truncation, reason = "what is too large is compared with what became of it")]
fn integer(number: &Number) -> Option<Number> {
    /// Floats hold every integer up to this one.
    const LARGEST: f64 = (1u64 << 53) as f64;
    match number.as_f64() {
        _ if !number.is_f64() => Some(number.clone()),
        Some(float) if float.fract() == 0.0 && float.abs() <= LARGEST => Some(Number::from(float as i64)),
        _ => None,
    }
}

fn is_base64(value: &ParameterValue) -> bool {
    let (parameter_type, value) = (Some(ParameterType::ByteArray), Some(value.clone()));
    Parameter { name: String::new(), parameter_type, value }.to_bytes().is_some()
}

/// A value as an error repeats it.
pub(super) fn shown(value: &ParameterValue) -> String {
    let text = serde_json::to_string(value).unwrap_or_default();
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// Bytes that a value takes in memory and on the wire, about.
pub(super) fn weight(value: &ParameterValue) -> usize {
    /// Of a value beside its content.
    const OVERHEAD: usize = 32;
    OVERHEAD
        + match value {
            ParameterValue::Bool(_) | ParameterValue::Number(_) => 0,
            ParameterValue::String(text) => text.len(),
            ParameterValue::Array(items) => items.iter().map(weight).sum(),
            ParameterValue::Object(fields) => {
                fields.iter().map(|(name, value)| name.len() + weight(value)).sum()
            }
        }
}
