//! `demo services`: procedures that viewers call, with JSON Schemas that Lichtblick shows.

use std::time::Duration;

use foxglove_bridge::hub::Hub;
use foxglove_bridge::hub::capability::services::{ServiceHandle, ServiceRegistry, ServiceSpec};
use foxglove_bridge::protocol::ServiceMessage;
use serde_json::{Value, json};

use super::Running;

/// The response, or what went wrong.
pub(super) type Answer = Result<Value, String>;

const TWO_NUMBERS: &str = r#"{"type":"object","properties":{"a":{"type":"number"},"b":{"type":"number"}}}"#;
const SUM: &str = r#"{"type":"object","properties":{"sum":{"type":"number"}}}"#;
const SET_BOOL: &str = r#"{"type":"object","properties":{"data":{"type":"boolean"}}}"#;
const DONE: &str =
    r#"{"type":"object","properties":{"success":{"type":"boolean"},"message":{"type":"string"}}}"#;
const ANYTHING: &str = r#"{"type":"object"}"#;

pub(super) fn start(hub: &Hub) -> anyhow::Result<Running> {
    let services = hub.provide_services()?;
    Ok(Box::new([
        add(&services, "/add", "example/Add", [TWO_NUMBERS, SUM], |asked| {
            let number = |name: &str| asked[name].as_f64().ok_or_else(|| format!("{name} is no number"));
            Ok(json!({"sum": number("a")? + number("b")?}))
        })?,
        add(&services, "/set_bool", "std_srvs/SetBool", [SET_BOOL, DONE], |asked| {
            let data = asked["data"].as_bool().ok_or("data is neither true nor false")?;
            Ok(json!({"success": true, "message": format!("it is {data} now")}))
        })?,
        add(&services, "/echo", "example/Echo", [ANYTHING, ANYTHING], Ok)?,
        // it has a thread meanwhile: nobody else waits for it
        add(&services, "/slow", "std_srvs/Trigger", [ANYTHING, DONE], |_| {
            std::thread::sleep(Duration::from_secs(3));
            Ok(json!({"success": true, "message": "that took three seconds"}))
        })?,
        // for clients that know failures
        add(&services, "/fails", "std_srvs/Trigger", [ANYTHING, DONE], |_| {
            Err("this one always fails".to_owned())
        })?,
        // some viewers wait for ever after a failure: they are answered that it failed
        add(&services, "/refuses", "std_srvs/Trigger", [ANYTHING, DONE], |_| {
            Ok(json!({"success": false, "message": "this one always refuses"}))
        })?,
    ]))
}

/// Offers a service that takes and gives JSON; `schemas` are JSON Schemas of request and response. The function may block.
pub(super) fn add(
    services: &ServiceRegistry,
    name: &str,
    service_type: &str,
    schemas: [&str; 2],
    call: impl Fn(Value) -> Answer + Send + Sync + 'static,
) -> anyhow::Result<ServiceHandle> {
    let message = |part: &str, schema: &str| ServiceMessage {
        encoding: "json".to_owned(),
        schema_name: format!("{service_type}_{part}"),
        schema_encoding: Some("jsonschema".to_owned()),
        schema: schema.to_owned(),
    };
    let [request, response] =
        [("Request", schemas[0]), ("Response", schemas[1])].map(|(part, schema)| message(part, schema));
    let spec =
        ServiceSpec { name: name.to_owned(), service_type: service_type.to_owned(), request, response };
    let handle = services.add_blocking(spec, move |asked| {
        let asked = serde_json::from_slice(&asked.payload)
            .map_err(|error| format!("the request is no JSON: {error}"))?;
        call(asked).map(|answer| answer.to_string().into())
    })?;
    Ok(handle)
}
