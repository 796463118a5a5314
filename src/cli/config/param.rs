//! `--param`: parameters that viewers see and set, as `NAME=VALUE`, `NAME:TYPE=VALUE`, or as a table.

use foxglove_bridge::hub::capability::parameters::{ParameterAccess, ParameterSpec};
use foxglove_bridge::protocol::{Parameter, ParameterType, ParameterValue};
use serde::Deserialize;
use serde_json::Value;

/// What the names of the parameters of playback begin with.
const PLAYBACK: &str = "playback.";

/// A type that can be written after a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Type {
    Bool,
    Int,
    Float64,
    String,
    ByteArray,
    Float64Array,
}

impl Type {
    fn named(name: &str) -> Option<Self> {
        Self::deserialize(Value::String(name.to_owned())).ok()
    }

    fn said(self) -> Option<ParameterType> {
        match self {
            Self::Float64 => Some(ParameterType::Float64),
            Self::ByteArray => Some(ParameterType::ByteArray),
            Self::Float64Array => Some(ParameterType::Float64Array),
            Self::Bool | Self::Int | Self::String => None,
        }
    }

    fn has(self, value: &ParameterValue) -> bool {
        match self {
            Self::Bool => matches!(value, ParameterValue::Bool(_)),
            Self::Int => matches!(value, ParameterValue::Number(number) if !number.is_f64()),
            Self::String => matches!(value, ParameterValue::String(_)),
            // what they say is checked with the bounds
            Self::Float64 | Self::ByteArray | Self::Float64Array => true,
        }
    }
}

/// `[[param]]` in the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Table {
    name: String,
    value: Value,
    #[serde(rename = "type")]
    value_type: Option<Type>,
    min: Option<f64>,
    max: Option<f64>,
    choices: Option<Vec<Value>>,
    #[serde(default)]
    read_only: bool,
}

/// The parameters, those of later texts in place of earlier ones of their names.
pub(super) fn add(params: &mut Vec<ParameterSpec>, texts: &[String]) -> Result<(), String> {
    for text in texts {
        let spec = parse(text)?;
        match params.iter_mut().find(|known| known.name() == spec.name()) {
            Some(known) => *known = spec,
            None => params.push(spec),
        }
    }
    Ok(())
}

fn parse(text: &str) -> Result<ParameterSpec, String> {
    let table = if text.starts_with('{') {
        serde_json::from_str(text).map_err(|error| error.to_string())?
    } else {
        let Some((name, value)) = text.split_once('=') else {
            return Err(format!("'{text}' names no value: write NAME=VALUE, like gain=2.5"));
        };
        let (name, value_type) = match name.rsplit_once(':') {
            None => (name, None),
            Some((plain, text)) => {
                (plain, Some(Type::named(text).ok_or_else(|| no_type(text, name, value))?))
            }
        };
        Table {
            name: name.to_owned(),
            value: json_or_text(value, value_type)?,
            value_type,
            min: None,
            max: None,
            choices: None,
            read_only: false,
        }
    };
    spec(table)
}

fn no_type(text: &str, name: &str, value: &str) -> String {
    let value = json_or_text(value, None).unwrap_or_default();
    let table = serde_json::json!({ "name": name, "value": value });
    format!(
        "'{text}' is not a type: write bool, int, float64, string, byte_array or float64_array; \
         a name with a colon is written as a table: '{table}'"
    )
}

/// JSON; what does not look like it is text.
fn json_or_text(text: &str, value_type: Option<Type>) -> Result<Value, String> {
    let is_text = matches!(value_type, Some(Type::String | Type::ByteArray));
    match serde_json::from_str(text) {
        Ok(value @ Value::String(_)) => Ok(value),
        _ if is_text => Ok(Value::String(text.to_owned())),
        Ok(value) => Ok(value),
        Err(error) if text.starts_with(['{', '[', '"']) => Err(format!("'{text}' is not JSON: {error}")),
        Err(_text) => Ok(Value::String(text.to_owned())),
    }
}

fn spec(table: Table) -> Result<ParameterSpec, String> {
    let Table { name, value, value_type, min, max, choices, read_only } = table;
    if name.is_empty() {
        return Err("a parameter needs a name".to_owned());
    }
    if name.starts_with(PLAYBACK) {
        return Err(format!("'{name}': names that begin with {PLAYBACK} are those of the program"));
    }
    let in_parameter = |why: String| format!("parameter {name}: {why}");
    let value = ParameterValue::try_from(value).map_err(in_parameter)?;
    if value_type.is_some_and(|named| !named.has(&value)) {
        return Err(in_parameter("its value has another type than its type says".to_owned()));
    }
    let parameter_type = value_type.and_then(Type::said);
    let parameter = Parameter { name: name.clone(), parameter_type, value: Some(value) };
    let mut spec = ParameterSpec::from(parameter);
    if let Some(min) = min {
        spec = spec.min(min);
    }
    if let Some(max) = max {
        spec = spec.max(max);
    }
    if let Some(choices) = choices {
        let choices: Result<Vec<_>, _> = choices.into_iter().map(ParameterValue::try_from).collect();
        spec = spec.choices(choices.map_err(in_parameter)?);
    }
    if read_only {
        spec = spec.access(ParameterAccess::ReadOnly);
    }
    spec.check().map_err(|error| error.to_string())?;
    Ok(spec)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<ParameterSpec, String> {
        let mut params = Vec::new();
        add(&mut params, &[text.to_owned()])?;
        Ok(params.remove(0))
    }

    #[test]
    fn values_are_json_or_text_with_a_type_if_need_be() {
        let typed = |name: &str, parameter_type, value: Value| {
            let value = Some(ParameterValue::try_from(value).unwrap());
            ParameterSpec::from(Parameter { name: name.to_owned(), parameter_type, value })
        };
        let json = |name: &str, value| typed(name, None, value);
        for (text, expected) in [
            ("gain=2.5", json("gain", 2.5.into())),
            ("n=7", json("n", 7.into())),
            ("on=true", json("on", true.into())),
            ("mode=auto", json("mode", "auto".into())),
            ("mode=", json("mode", "".into())),
            ("mode=\"7\"", json("mode", "7".into())),
            ("mode:string=7", json("mode", "7".into())),
            ("a=b=c", json("a", "b=c".into())),
            (r#"{"name":"/ns:gain","value":1}"#, json("/ns:gain", 1.into())),
            ("list=[1,2]", json("list", vec![1, 2].into())),
            ("gain:float64=7", typed("gain", Some(ParameterType::Float64), 7.into())),
            ("key:byte_array=AQI=", typed("key", Some(ParameterType::ByteArray), "AQI=".into())),
            ("xs:float64_array=[1]", typed("xs", Some(ParameterType::Float64Array), vec![1].into())),
        ] {
            assert_eq!(parsed(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_can_not_be_a_parameter_is_an_error_that_names_it() {
        for (text, expected) in [
            ("gain", "'gain' names no value"),
            ("=1", "a parameter needs a name"),
            ("a={", "'{' is not JSON"),
            ("a=null", "parameter a: null is not a value"),
            (
                "gain:double=2",
                "'double' is not a type: write bool, int, float64, string, byte_array or float64_array; \
                 a name with a colon is written as a table: '{\"name\":\"gain:double\",\"value\":2}'",
            ),
            ("a:int=x", "parameter a: its value has another type"),
            ("a:float64=x", "parameter a can't be \"x\": it must be a number"),
            ("a:byte_array=?", "parameter a can't be \"?\": it must be bytes in base64"),
            ("playback.rate=1", "'playback.rate': names that begin with playback."),
            (r#"{"name":"a","value":7,"max":5}"#, "parameter a can't be 7: the most that it can be is 5"),
            (r#"{"name":"a","value":7,"most":5}"#, "unknown field `most`"),
            (r#"{"name":"a"}"#, "missing field `value`"),
        ] {
            let error = parsed(text).unwrap_err();
            assert!(error.starts_with(expected), "{text}: {error}");
        }
    }

    #[test]
    fn a_table_has_bounds_and_choices_and_a_later_value_takes_the_place_of_an_earlier_one() {
        let mut params = Vec::new();
        let table = r#"{"name":"mode","value":"auto","choices":["auto","manual"],"read-only":true}"#;
        add(&mut params, &[table.to_owned(), "n=1".to_owned()]).unwrap();
        let mode = ParameterSpec::new("mode", "auto").choices(["auto", "manual"]);
        let mode = mode.access(ParameterAccess::ReadOnly);
        assert_eq!(params, [mode.clone(), ParameterSpec::new("n", 1)]);
        add(&mut params, &["n=2".to_owned()]).unwrap();
        assert_eq!(params, [mode, ParameterSpec::new("n", 2)]);
    }
}
