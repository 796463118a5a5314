//! `--service`: services that run a command, as `NAME=PROGRAM ARGUMENT…` or as a table.

use std::path::Path;
use std::time::Duration;

use foxglove_bridge::time::parse_duration;
use serde::Deserialize;
use serde_json::Value;

/// What the names of the services of playback begin with.
const PLAYBACK: &str = "/playback/";

/// How long a call may take if nothing else is said.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A command that is a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CommandService {
    pub(crate) name: String,
    pub(crate) service_type: String,
    /// The program and its arguments; never empty.
    pub(crate) exec: Vec<String>,
    /// JSON Schema, as text.
    pub(crate) request_schema: String,
    pub(crate) response_schema: String,
    /// From the call on.
    pub(crate) timeout: Duration,
    /// Commands that run at once.
    pub(crate) concurrency: usize,
}

/// `[[service]]` in the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Table {
    name: String,
    #[serde(rename = "type")]
    service_type: Option<String>,
    exec: Vec<String>,
    request_schema: Option<Value>,
    response_schema: Option<Value>,
    timeout: Option<Value>,
    concurrency: Option<usize>,
}

/// The services, those of later texts in place of earlier ones of their names.
pub(super) fn add(services: &mut Vec<CommandService>, texts: &[String]) -> Result<(), String> {
    for text in texts {
        let service = parse(text)?;
        match services.iter_mut().find(|known| known.name == service.name) {
            Some(known) => *known = service,
            None => services.push(service),
        }
    }
    Ok(())
}

fn parse(text: &str) -> Result<CommandService, String> {
    if text.starts_with('{') {
        return service(serde_json::from_str(text).map_err(|error| error.to_string())?);
    }
    let Some((name, command)) = text.split_once('=') else {
        return Err(format!("'{text}' names no command: write NAME=COMMAND, like /reboot=systemctl reboot"));
    };
    let exec = command.split_whitespace().map(str::to_owned).collect();
    service(Table {
        name: name.to_owned(),
        service_type: None,
        exec,
        request_schema: None,
        response_schema: None,
        timeout: None,
        concurrency: None,
    })
}

fn service(table: Table) -> Result<CommandService, String> {
    let Table { name, service_type, exec, request_schema, response_schema, timeout, concurrency } = table;
    if name.is_empty() {
        return Err("a service needs a name".to_owned());
    }
    if name.starts_with(PLAYBACK) {
        return Err(format!("'{name}': names that begin with {PLAYBACK} are those of the program"));
    }
    let in_service = |why: String| format!("service {name}: {why}");
    if exec.first().is_none_or(String::is_empty) {
        return Err(in_service("exec names no program".to_owned()));
    }
    let timeout = match timeout {
        None => TIMEOUT,
        Some(Value::String(text)) => parse_duration(&text).map_err(|error| in_service(error.to_string()))?,
        Some(other) => parse_duration(&other.to_string()).map_err(|error| in_service(error.to_string()))?,
    };
    if timeout.is_zero() {
        return Err(in_service("timeout: nothing can be done in no time".to_owned()));
    }
    let concurrency = match concurrency.unwrap_or(1) {
        concurrency @ 1..=1000 => concurrency,
        other => return Err(in_service(format!("concurrency: {other} is out of range: write 1 to 1000"))),
    };
    let read = |field: &str, value| schema(value).map_err(|why| in_service(format!("{field}: {why}")));
    Ok(CommandService {
        service_type: service_type.filter(|text| !text.is_empty()).unwrap_or_else(|| "exec".to_owned()),
        request_schema: read("request-schema", request_schema)?,
        response_schema: read("response-schema", response_schema)?,
        exec,
        timeout,
        concurrency,
        name,
    })
}

/// A JSON Schema: an object, the text of one, or the name of a file with one.
fn schema(value: Option<Value>) -> Result<String, String> {
    let schema = match value {
        None => return Ok(r#"{"type":"object"}"#.to_owned()),
        Some(Value::String(path)) if path.ends_with(".json") => {
            let text =
                std::fs::read_to_string(Path::new(&path)).map_err(|error| format!("{path}: {error}"))?;
            serde_json::from_str(&text).map_err(|error| format!("{path}: {error}"))?
        }
        Some(Value::String(text)) => serde_json::from_str(&text).map_err(|error| error.to_string())?,
        Some(value) => value,
    };
    // viewers need an object
    match &schema {
        Value::Object(fields) if fields.get("type") == Some(&Value::from("object")) => Ok(schema.to_string()),
        _ => Err("a schema must be of an object: {\"type\":\"object\",…}".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<CommandService, String> {
        let mut services = Vec::new();
        add(&mut services, &[text.to_owned()])?;
        Ok(services.remove(0))
    }

    #[test]
    fn a_command_is_split_at_blanks_and_a_table_says_more() {
        let any = r#"{"type":"object"}"#.to_owned();
        let reboot = CommandService {
            name: "/reboot".to_owned(),
            service_type: "exec".to_owned(),
            exec: vec!["systemctl".to_owned(), "reboot".to_owned()],
            request_schema: any.clone(),
            response_schema: any.clone(),
            timeout: TIMEOUT,
            concurrency: 1,
        };
        assert_eq!(parsed("/reboot=systemctl  reboot").as_ref(), Ok(&reboot));
        let table = r#"{"name":"/reboot","type":"std_srvs/Trigger","exec":["systemctl","reboot"],"timeout":"2s",
            "concurrency":3,"request-schema":"{\"type\":\"object\"}","response-schema":{"type":"object"}}"#;
        let service_type = "std_srvs/Trigger".to_owned();
        let timeout = Duration::from_secs(2);
        assert_eq!(parsed(table), Ok(CommandService { service_type, timeout, concurrency: 3, ..reboot }));
    }

    #[test]
    fn what_can_not_be_a_service_is_an_error_that_names_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("request.json");
        std::fs::write(&file, r#"{"type":"array"}"#).unwrap();
        let of_file = format!(r#"{{"name":"/a","exec":["a"],"request-schema":"{}"}}"#, file.display());
        for (text, expected) in [
            ("/reboot", "'/reboot' names no command"),
            ("=a", "a service needs a name"),
            ("/a=", "service /a: exec names no program"),
            ("/playback/play=a", "'/playback/play': names that begin with /playback/"),
            (r#"{"name":"/a"}"#, "missing field `exec`"),
            (r#"{"name":"/a","exec":["a"],"shell":true}"#, "unknown field `shell`"),
            (r#"{"name":"/a","exec":["a"],"timeout":0}"#, "service /a: timeout:"),
            (r#"{"name":"/a","exec":["a"],"timeout":"soon"}"#, "service /a: "),
            (r#"{"name":"/a","exec":["a"],"concurrency":0}"#, "service /a: concurrency: 0 is out of range"),
            (r#"{"name":"/a","exec":["a"],"request-schema":"{"}"#, "service /a: request-schema: "),
            (
                r#"{"name":"/a","exec":["a"],"response-schema":{}}"#,
                "service /a: response-schema: a schema must",
            ),
            (
                r#"{"name":"/a","exec":["a"],"request-schema":"none.json"}"#,
                "service /a: request-schema: none.json",
            ),
            (of_file.as_str(), "service /a: request-schema: a schema must"),
        ] {
            let error = parsed(text).unwrap_err();
            assert!(error.starts_with(expected), "{text}: {error}");
        }
    }
}
