//! Parameters: named values of a server that clients read, set and follow.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::{Number, Value};

use super::text::{self, FieldError, Object};
use super::wire::DecodeError;

/// What JSON can't say about a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ParameterType {
    /// `byte_array`: the value is the base64 of bytes.
    ByteArray,
    /// `float64`: the value is a float, even if it is written without a fraction.
    Float64,
    /// `float64_array`: the same of every item.
    Float64Array,
}

impl ParameterType {
    fn decode(value: Value) -> Result<Self, FieldError> {
        match text::string(value)?.as_str() {
            "byte_array" => Ok(Self::ByteArray),
            "float64" => Ok(Self::Float64),
            "float64_array" => Ok(Self::Float64Array),
            _ => Err(FieldError::new("expected byte_array, float64 or float64_array")),
        }
    }
}

const NULL: &str = "null is not a value of a parameter";

/// The value of a parameter, at any depth.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum ParameterValue {
    /// An integer or a finite float. Keeps apart `7` and `7.0`, which some peers write for the same value.
    Number(Number),
    /// True or false.
    Bool(bool),
    /// Text, or bytes in base64.
    String(String),
    /// A list.
    Array(Vec<ParameterValue>),
    /// Named values.
    Object(BTreeMap<String, ParameterValue>),
}

impl ParameterValue {
    /// A float; None for NaN and infinities, which JSON does not have.
    pub fn float(value: f64) -> Option<Self> {
        Number::from_f64(value).map(Self::Number)
    }

    /// The number as a float; None for other values.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Number(number) => number.as_f64(),
            Self::Bool(_) | Self::String(_) | Self::Array(_) | Self::Object(_) => None,
        }
    }

    fn decode(value: Value) -> Result<Self, FieldError> {
        Ok(match value {
            Value::Null => return Err(FieldError::new(NULL)),
            Value::Bool(value) => Self::Bool(value),
            Value::Number(number) => Self::Number(number),
            Value::String(text) => Self::String(text),
            array @ Value::Array(_) => Self::Array(text::list(Self::decode)(array)?),
            Value::Object(fields) => Self::Object(
                fields
                    .into_iter()
                    .map(|(name, value)| match Self::decode(value) {
                        Ok(value) => Ok((name, value)),
                        Err(error) => Err(error.in_field(&name)),
                    })
                    .collect::<Result<_, _>>()?,
            ),
        })
    }

    /// Whether the value is what its type says.
    fn check(&self, parameter_type: ParameterType) -> Result<(), FieldError> {
        let is_number = |value: &Self| matches!(value, Self::Number(_));
        match (parameter_type, self) {
            (ParameterType::ByteArray, Self::String(text)) => match STANDARD.decode(text) {
                Ok(_) => Ok(()),
                Err(error) => Err(FieldError::new(format!("a byte_array must be base64: {error}"))),
            },
            (ParameterType::ByteArray, _) => Err(FieldError::new("a byte_array must be base64 text")),
            (ParameterType::Float64, value) if is_number(value) => Ok(()),
            (ParameterType::Float64, _) => Err(FieldError::new("a float64 must be a number")),
            (ParameterType::Float64Array, Self::Array(items)) => {
                match items.iter().position(|i| !is_number(i)) {
                    None => Ok(()),
                    Some(index) => {
                        Err(FieldError::new("an item of a float64_array must be a number").in_item(index))
                    }
                }
            }
            (ParameterType::Float64Array, _) => {
                Err(FieldError::new("a float64_array must be an array of numbers"))
            }
        }
    }
}

impl From<i64> for ParameterValue {
    fn from(value: i64) -> Self {
        Self::Number(value.into())
    }
}

impl From<bool> for ParameterValue {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<&str> for ParameterValue {
    fn from(value: &str) -> Self {
        Self::String(value.to_owned())
    }
}

impl TryFrom<Value> for ParameterValue {
    type Error = String;

    /// JSON has one value that parameters don't have: null.
    fn try_from(value: Value) -> Result<Self, Self::Error> {
        Self::decode(value).ok().ok_or_else(|| NULL.to_owned())
    }
}

impl From<String> for ParameterValue {
    fn from(value: String) -> Self {
        Self::String(value)
    }
}

impl<T: Into<ParameterValue>> From<Vec<T>> for ParameterValue {
    fn from(items: Vec<T>) -> Self {
        Self::Array(items.into_iter().map(Into::into).collect())
    }
}

/// A parameter, or its absence.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Parameter {
    /// Unique within a server.
    pub name: String,
    /// What JSON can't say about the value; None where it can.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub parameter_type: Option<ParameterType>,
    /// None for a parameter that is not set; in `setParameters` it asks to remove it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<ParameterValue>,
}

impl Parameter {
    /// A value that JSON can say.
    pub fn new(name: impl Into<String>, value: impl Into<ParameterValue>) -> Self {
        Self { name: name.into(), parameter_type: None, value: Some(value.into()) }
    }

    /// A float; None for NaN and infinities, which JSON does not have.
    pub fn float64(name: impl Into<String>, value: f64) -> Option<Self> {
        let value = Some(ParameterValue::float(value)?);
        Some(Self { name: name.into(), parameter_type: Some(ParameterType::Float64), value })
    }

    /// Bytes.
    pub fn byte_array(name: impl Into<String>, bytes: &[u8]) -> Self {
        let value = Some(ParameterValue::String(STANDARD.encode(bytes)));
        Self { name: name.into(), parameter_type: Some(ParameterType::ByteArray), value }
    }

    /// A parameter that is not set.
    pub fn unset(name: impl Into<String>) -> Self {
        Self { name: name.into(), parameter_type: None, value: None }
    }

    /// The bytes of a byte array; None for any other parameter, and for what is not base64.
    pub fn to_bytes(&self) -> Option<Vec<u8>> {
        match (self.parameter_type, &self.value) {
            (Some(ParameterType::ByteArray), Some(ParameterValue::String(text))) => {
                STANDARD.decode(text).ok()
            }
            _ => None,
        }
    }

    /// Reads a parameter as it stands in a message: an object with `name`, `value` and `type`.
    pub(crate) fn from_json(value: Value) -> Result<Self, DecodeError> {
        Self::decode(value).map_err(|error| error.in_op("parameter"))
    }

    fn decode(value: Value) -> Result<Self, FieldError> {
        let mut fields = Object::from_value(value)?;
        let name = fields.required("name", text::string)?;
        let parameter_type = fields.optional("type", ParameterType::decode)?;
        let value = fields.optional("value", |value| {
            let value = ParameterValue::decode(value)?;
            parameter_type.map_or(Ok(()), |parameter_type| value.check(parameter_type))?;
            Ok(value)
        })?;
        Ok(Self { name, parameter_type, value })
    }
}

/// A client asks for values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GetParameters {
    /// Empty for all.
    pub parameter_names: Vec<String>,
    /// To be repeated in the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

impl GetParameters {
    pub(super) fn decode(fields: &mut Object) -> Result<Self, FieldError> {
        Ok(Self {
            parameter_names: fields.required("parameterNames", text::list(text::string))?,
            id: fields.optional("id", text::string)?,
        })
    }
}

/// A client sets values, and removes those that have none.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SetParameters {
    /// In the order in which to set them.
    pub parameters: Vec<Parameter>,
    /// With an id the client wants the values in answer; it is to be repeated there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

impl SetParameters {
    pub(super) fn decode(fields: &mut Object) -> Result<Self, FieldError> {
        Ok(Self {
            parameters: fields.required("parameters", text::list(Parameter::decode))?,
            id: fields.optional("id", text::string)?,
        })
    }
}

/// The server tells values: in answer, or because they changed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ParameterValues {
    /// Those that are set.
    pub parameters: Vec<Parameter>,
    /// Of the request that this answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

impl ParameterValues {
    pub(super) fn decode(fields: &mut Object) -> Result<Self, FieldError> {
        Ok(Self {
            parameters: fields.required("parameters", text::list(Parameter::decode))?,
            id: fields.optional("id", text::string)?,
        })
    }
}
