//! `param`: parameters of a server.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, anyhow};
use foxglove_bridge::client::{Client, Event, Events, Reconnect};
use foxglove_bridge::protocol::{Level, Parameter, ParameterType, ParameterValue};
use serde_json::Value;

use super::args::{ParamAction, ParamArgs};
use super::remote::{answered, once, read_stdin, with_client};
use super::{Failure, Reader, print};

/// How long the reason of a refusal is waited for, after the answer or the last event.
const REASONS: Duration = Duration::from_millis(200);

pub(crate) fn run(args: &ParamArgs) -> Result<(), Failure> {
    let (url, server) = (&args.url, &args.server);
    match &args.action {
        ParamAction::List => once(url, server, async |client| {
            let names = all(&client).await?.into_iter().map(|parameter| parameter.name + "\n");
            print(&names.collect::<String>()).map(drop)
        }),
        ParamAction::Get { names } => once(url, server, |client| get(client, names)),
        ParamAction::Set { name, value } => {
            let parameter = parameter(name, value_of(value)).map_err(Failure::Input)?;
            once(url, server, |client| set(client, vec![parameter]))
        }
        ParamAction::Unset { name } => once(url, server, |client| set(client, vec![Parameter::unset(name)])),
        ParamAction::Watch { names } => {
            with_client(url, server, Reconnect::AfterLoss, |client| watch(client, names))
        }
        ParamAction::Dump => once(url, server, async |client| {
            let text = serde_json::to_string_pretty(&all(&client).await?);
            print(&(text.context("writing JSON").map_err(Failure::Runtime)? + "\n")).map(drop)
        }),
        ParamAction::Load { file } => {
            let text = match file.to_str() {
                Some("-") => read_stdin()?,
                _ => std::fs::read(file)
                    .with_context(|| format!("reading {}", file.display()))
                    .map_err(Failure::Input)?,
            };
            let parameters =
                loaded(&text).with_context(|| file.display().to_string()).map_err(Failure::Input)?;
            once(url, server, |client| set(client, parameters))
        }
    }
}

async fn all(client: &Client) -> Result<Vec<Parameter>, Failure> {
    let mut parameters = answered("getting parameters", client.get_parameters([""; 0]).await)?;
    parameters.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(parameters)
}

async fn get(client: Client, names: &[String]) -> Result<(), Failure> {
    let parameters = match names {
        [] => all(&client).await?,
        names => answered("getting parameters", client.get_parameters(names).await)?,
    };
    let values = values(parameters);
    let missing = names.iter().find(|name| !values.contains_key(*name));
    if let Some(name) = missing {
        return Err(Failure::Runtime(anyhow!("the server has no parameter '{name}'")));
    }
    let text = match names {
        [one] => json(&values[one]),
        _ => json(&values),
    };
    print(&(text + "\n")).map(drop)
}

/// Prints the values that the server has then.
async fn set(client: Client, parameters: Vec<Parameter>) -> Result<(), Failure> {
    let wanted = parameters.clone();
    let mut events = client.events();
    while events.try_next().is_some() {}
    let now = values(answered("setting parameters", client.set_parameters(parameters).await)?);
    let text = match wanted.as_slice() {
        [one] => now.get(&one.name).map(json),
        _ => Some(json(&now)),
    };
    if let Some(text) = text {
        print(&(text + "\n"))?;
    }
    // a server that refuses answers with what it has
    let refused =
        wanted.iter().find(|parameter| !is_same(parameter.value.as_ref(), now.get(&parameter.name)));
    let Some(parameter) = refused else { return Ok(()) };
    let done = if parameter.value.is_some() { "set" } else { "unset" };
    let reasons = reasons(&mut events).await;
    let why = if reasons.is_empty() { String::new() } else { format!(": {}", reasons.join("; ")) };
    Err(Failure::Runtime(anyhow!("the server did not {done} '{}'{why}", parameter.name)))
}

/// What the server has to say on what it did not do. It comes close to the answer, before it or after it.
async fn reasons(events: &mut Events) -> Vec<String> {
    let mut reasons = Vec::new();
    while let Ok(Some(event)) = tokio::time::timeout(REASONS, events.next()).await {
        if let Event::Status(status) = event
            && status.level != Level::Info
        {
            reasons.push(status.message);
        }
    }
    reasons
}

/// Whether values are the same; numbers are by what they are worth: 1 and 1.0.
fn is_same(wanted: Option<&ParameterValue>, now: Option<&ParameterValue>) -> bool {
    match (wanted, now) {
        (Some(ParameterValue::Number(a)), Some(ParameterValue::Number(b))) => {
            a == b || a.as_f64() == b.as_f64()
        }
        (Some(ParameterValue::Array(a)), Some(ParameterValue::Array(b))) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_same(Some(a), Some(b)))
        }
        (Some(ParameterValue::Object(a)), Some(ParameterValue::Object(b))) => {
            a.len() == b.len() && a.iter().all(|(name, a)| is_same(Some(a), b.get(name)))
        }
        (wanted, now) => wanted == now,
    }
}

/// Each line has the parameters that changed, the first ones all that are watched.
async fn watch(client: Client, names: &[String]) -> Result<(), Failure> {
    let mut events = client.events();
    answered("watching parameters", client.follow_parameters(names).await)?;
    let now = answered("getting parameters", client.get_parameters(names).await)?;
    if print(&lines(now))? == Reader::Gone {
        return Ok(());
    }
    while let Some(event) = events.next().await {
        if let Event::Parameters(parameters) = event {
            if print(&lines(parameters))? == Reader::Gone {
                return Ok(());
            }
        } else if let Event::Disconnected { reason, retry_in: Some(_) } = event {
            tracing::warn!("{reason}; connecting again");
        }
    }
    Err(Failure::Runtime(anyhow!("{}", client.ended().await)))
}

fn lines(parameters: Vec<Parameter>) -> String {
    parameters.iter().map(|parameter| json(parameter) + "\n").collect()
}

fn values(parameters: Vec<Parameter>) -> BTreeMap<String, ParameterValue> {
    parameters.into_iter().filter_map(|parameter| Some((parameter.name, parameter.value?))).collect()
}

fn json(value: &impl serde::Serialize) -> String {
    // no value has keys other than strings
    serde_json::to_string(value).unwrap_or_default()
}

fn value_of(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_not_json| Value::String(text.to_owned()))
}

/// A parameter of a value; null unsets it. A number with a fraction is a float also where it is a whole one: 1.0.
fn parameter(name: &str, value: Value) -> anyhow::Result<Parameter> {
    let parameter_type =
        matches!(&value, Value::Number(number) if number.is_f64()).then_some(ParameterType::Float64);
    let value = if value.is_null() { None } else { Some(converted(value)?) };
    Ok(Parameter { name: name.to_owned(), parameter_type, value })
}

fn converted(value: Value) -> anyhow::Result<ParameterValue> {
    Ok(match value {
        Value::Null => return Err(anyhow!("null within a value is not possible")),
        Value::Bool(value) => ParameterValue::Bool(value),
        Value::Number(number) => ParameterValue::Number(number),
        Value::String(text) => ParameterValue::String(text),
        Value::Array(items) => {
            ParameterValue::Array(items.into_iter().map(converted).collect::<anyhow::Result<_>>()?)
        }
        Value::Object(fields) => ParameterValue::Object(
            fields
                .into_iter()
                .map(|(name, value)| Ok((name, converted(value)?)))
                .collect::<anyhow::Result<_>>()?,
        ),
    })
}

/// What `dump` wrote (a list of `{"name","type","value"}`), or an object of names and values.
fn loaded(text: &[u8]) -> anyhow::Result<Vec<Parameter>> {
    match serde_json::from_slice(text).context("not JSON")? {
        Value::Object(fields) => fields.into_iter().map(|(name, value)| parameter(&name, value)).collect(),
        Value::Array(items) => items.into_iter().map(dumped).collect(),
        _ => Err(anyhow!("neither a list of parameters nor an object of names and values")),
    }
}

fn dumped(item: Value) -> anyhow::Result<Parameter> {
    let name = item["name"].as_str().context("a parameter without a name")?.to_owned();
    let parameter_type = match item.get("type").and_then(Value::as_str) {
        None => None,
        Some("byte_array") => Some(ParameterType::ByteArray),
        Some("float64") => Some(ParameterType::Float64),
        Some("float64_array") => Some(ParameterType::Float64Array),
        Some(other) => return Err(anyhow!("'{name}' has the type '{other}', which there is not")),
    };
    let value = item.get("value").cloned().filter(|value| !value.is_null());
    Ok(Parameter { name, parameter_type, value: value.map(converted).transpose()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dumped_can_be_loaded() {
        let parameters = vec![
            Parameter::new("/a", 3),
            Parameter::float64("/b", 1.0).unwrap(),
            Parameter::byte_array("/c", &[0, 255]),
            Parameter {
                value: Some(converted(serde_json::json!({"x":[1,"y",true]})).unwrap()),
                ..Parameter::unset("/d")
            },
        ];
        assert_eq!(loaded(serde_json::to_string(&parameters).unwrap().as_bytes()).unwrap(), parameters);
    }

    #[test]
    fn an_object_of_names_and_values_can_be_loaded() {
        let loaded = loaded(br#"{"/a":3,"/b":1.0,"/c":null,"/d":"text"}"#).unwrap();
        let expected = [
            Parameter::new("/a", 3),
            Parameter::float64("/b", 1.0).unwrap(),
            Parameter::unset("/c"),
            Parameter::new("/d", "text"),
        ];
        assert_eq!(loaded, expected);
    }

    #[test]
    fn what_is_no_json_is_a_string() {
        assert_eq!(value_of("fast"), Value::String("fast".to_owned()));
        assert_eq!(value_of("\"3\""), Value::String("3".to_owned()));
        assert_eq!(value_of("3"), serde_json::json!(3));
    }

    #[test]
    fn numbers_are_compared_by_what_they_are_worth() {
        let same = |a: &str, b: &str| {
            let value = |text| converted(value_of(text)).unwrap();
            is_same(Some(&value(a)), Some(&value(b)))
        };
        for (a, b) in [("1", "1.0"), ("[1,{\"x\":2.0}]", "[1.0,{\"x\":2}]"), ("abc", "\"abc\"")] {
            assert!(same(a, b), "{a} {b}");
        }
        for (a, b) in [("abc", "1"), ("1", "2"), ("[1]", "[1,2]"), ("{\"x\":1}", "{\"y\":1}"), ("1", "true")]
        {
            assert!(!same(a, b), "{a} {b}");
        }
        assert!(is_same(None, None) && !is_same(None, Some(&ParameterValue::Bool(true))));
    }

    #[test]
    fn files_that_are_no_parameters_say_why() {
        for (text, part) in [
            ("x", "not JSON"),
            ("3", "neither"),
            (r#"[{"value":1}]"#, "without a name"),
            (r#"[{"name":"/a","type":"int"}]"#, "'int'"),
            (r#"{"/a":[null]}"#, "null within"),
        ] {
            let error = format!("{:#}", loaded(text.as_bytes()).unwrap_err());
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
