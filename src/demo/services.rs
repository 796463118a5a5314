//! `demo services`: procedures that viewers call, with JSON Schemas that Lichtblick shows.

use std::time::Duration;

use foxglove_bridge::hub::Hub;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Running;

#[derive(Deserialize)]
struct Add {
    a: f64,
    b: f64,
}

#[derive(Serialize)]
struct Sum {
    sum: f64,
}

#[derive(Deserialize)]
struct SetBool {
    data: bool,
}

/// What services of ROS answer that do something. Some viewers wait for ever after a failure: that it failed is an answer
/// for them.
#[derive(Serialize)]
pub(super) struct Done {
    success: bool,
    message: String,
}

/// JSON Schema of [`Done`].
pub(super) const DONE: &str =
    r#"{"type":"object","properties":{"success":{"type":"boolean"},"message":{"type":"string"}}}"#;

const ADD: &str = r#"{"type":"object","properties":{"a":{"type":"number"},"b":{"type":"number"}}}"#;
const SUM: &str = r#"{"type":"object","properties":{"sum":{"type":"number"}}}"#;
const SET_BOOL: &str = r#"{"type":"object","properties":{"data":{"type":"boolean"}}}"#;

impl Done {
    pub(super) fn well(message: impl Into<String>) -> Self {
        Self { success: true, message: message.into() }
    }

    pub(super) fn refused(message: impl Into<String>) -> Self {
        Self { success: false, message: message.into() }
    }
}

pub(super) fn start(hub: &Hub) -> anyhow::Result<Running> {
    let sum = hub.service("/add").request_schema("Add", ADD).response_schema("Sum", SUM);
    let sum = sum.json(|Add { a, b }: Add| Ok::<_, String>(Sum { sum: a + b }))?;
    let set_bool =
        hub.service("/set_bool").service_type("std_srvs/SetBool").request_schema("SetBool", SET_BOOL);
    let set_bool = set_bool
        .response_schema("Done", DONE)
        .json(|SetBool { data }: SetBool| Ok::<_, String>(Done::well(format!("it is {data} now"))))?;
    let echo = hub.service("/echo").json(|request: Value| Ok::<_, String>(request))?;
    // it has a thread meanwhile: nobody else waits for it
    let slow = hub.service("/slow").response_schema("Done", DONE).json(|_: Value| {
        std::thread::sleep(Duration::from_secs(3));
        Ok::<_, String>(Done::well("that took three seconds"))
    })?;
    let fails = hub.service("/fails").json(|_: Value| Err::<Done, _>("this one always fails"))?;
    let refuses = hub.service("/refuses").response_schema("Done", DONE);
    let refuses = refuses.json(|_: Value| Ok::<_, String>(Done::refused("this one always refuses")))?;
    Ok(Box::new([sum, set_bool, echo, slow, fails, refuses]))
}
