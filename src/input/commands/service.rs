//! A service whose calls are lines: handed on to the program that declared it.

use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;
use serde_json::value::RawValue;

use super::calls::{Answer, Calls, InputId, gone};
use crate::hub::capability::services::{Service, ServiceCall, ServiceSpec};
use crate::input::printer::{NotSent, Printer};
use crate::model::Schema;
use crate::printable::{SHORT, printable};
use crate::protocol::ServiceMessage;
use crate::source::json_lines::ServiceLine;

/// Hands calls on as lines, and leaves the answers to [`Calls`].
pub(super) struct Relay {
    pub(super) name: Arc<str>,
    pub(super) input: InputId,
    pub(super) to: Printer,
    pub(super) calls: Arc<Calls>,
}

/// `{"op":"call"}`.
#[derive(Serialize)]
struct CallLine<'a> {
    op: &'a str,
    id: u64,
    service: &'a str,
    client: u64,
    data: &'a RawValue,
}

impl Service for Relay {
    fn call(&self, call: ServiceCall, answer: Answer) {
        if call.encoding != "json" {
            let encoding = printable(&call.encoding, SHORT);
            return answer.respond(Err(format!("{} takes requests as json, not as '{encoding}'", self.name)));
        }
        let text = one_line(&call.payload);
        let data: &RawValue = match serde_json::from_slice(&text) {
            Ok(data) => data,
            Err(error) => return answer.respond(Err(format!("the request is not JSON: {error}"))),
        };
        let Some(id) = self.calls.begin(self.input, &self.name, answer) else { return };
        let line = CallLine { op: "call", id, service: &self.name, client: call.client.token(), data };
        let sent = serde_json::to_vec(&line).map_err(|error| format!("the call can't be handed on: {error}"));
        let sent = sent.and_then(|line| {
            self.to.offer(line).map_err(|not_sent| match not_sent {
                NotSent::Closed => gone(&self.name),
                NotSent::Full => {
                    format!("the program that provides {} does not read what it is sent", self.name)
                }
            })
        });
        if let Err(reason) = sent {
            self.calls.fail(id, reason);
        }
    }
}

/// JSON without line breaks, which stand nowhere but between its tokens; of nothing an empty object.
pub(in crate::input) fn one_line(json: &Bytes) -> Bytes {
    if json.trim_ascii().is_empty() {
        return Bytes::from_static(b"{}");
    }
    let breaks = |byte: &u8| matches!(byte, b'\n' | b'\r');
    if !json.iter().any(breaks) {
        return json.clone();
    }
    json.iter().map(|byte| if breaks(byte) { b' ' } else { *byte }).collect()
}

/// How a service is advertised. Its calls go by as JSON.
pub(super) fn spec(line: ServiceLine) -> ServiceSpec {
    let message = |schema: Schema| ServiceMessage {
        encoding: "json".to_owned(),
        schema_name: schema.name,
        schema_encoding: Some(schema.encoding),
        schema: String::from_utf8_lossy(&schema.data).into_owned(),
    };
    ServiceSpec {
        name: line.name,
        service_type: line.service_type,
        request: message(line.request),
        response: message(line.response),
    }
}
