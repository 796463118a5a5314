//! Tables of the TOML file, as the JSON text that their key's parser reads.

use std::path::Path;

use serde_json::{Map, Number, Value};
use toml::de::{DeTable, DeValue};

/// Fields of tables that name files: those of a JSON Schema, and programs that are not searched for.
const SCHEMAS: [&str; 2] = ["request-schema", "response-schema"];

/// A table as JSON. Files that it names are beside the settings file in `folder`, unless their paths are absolute.
pub(super) fn json(table: &DeTable<'_>, folder: &Path) -> Result<String, String> {
    let mut fields = object(table)?;
    let joined = |path: &str| Value::String(folder.join(path).to_string_lossy().into_owned());
    for name in SCHEMAS {
        if let Some(Value::String(text)) = fields.get_mut(name)
            && text.ends_with(".json")
        {
            fields[name] = joined(text.clone().as_str());
        }
    }
    if let Some(Value::Array(words)) = fields.get_mut("exec")
        && let Some(Value::String(program)) = words.first_mut()
        && program.contains('/')
    {
        words[0] = joined(program.clone().as_str());
    }
    Ok(Value::Object(fields).to_string())
}

fn object(table: &DeTable<'_>) -> Result<Map<String, Value>, String> {
    let field = |(name, value): (&toml::Spanned<std::borrow::Cow<'_, str>>, &toml::Spanned<DeValue<'_>>)| {
        let name = name.get_ref().to_string();
        let value = value_of(value.get_ref()).map_err(|why| format!("{name}: {why}"))?;
        Ok((name, value))
    };
    table.iter().map(field).collect()
}

fn value_of(value: &DeValue<'_>) -> Result<Value, String> {
    Ok(match value {
        DeValue::String(text) => Value::String(text.to_string()),
        DeValue::Integer(integer) => {
            let number = i64::from_str_radix(integer.as_str(), integer.radix());
            Value::Number(number.map_err(|error| error.to_string())?.into())
        }
        DeValue::Float(float) => {
            let number = float.as_str().parse().ok().and_then(Number::from_f64);
            Value::Number(number.ok_or_else(|| format!("{} is no number of JSON", float.as_str()))?)
        }
        DeValue::Boolean(boolean) => Value::Bool(*boolean),
        DeValue::Datetime(time) => Value::String(time.to_string()),
        DeValue::Array(items) => {
            let items: Result<_, _> = items.iter().map(|item| value_of(item.get_ref())).collect();
            Value::Array(items?)
        }
        DeValue::Table(table) => Value::Object(object(table)?),
    })
}
