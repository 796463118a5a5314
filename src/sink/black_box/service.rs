//! `/recording/save`: for viewers and scripts.

use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::hub::Hub;
use crate::hub::capability::save::{NotSaved, Save, Saved};
use crate::hub::capability::services::{NameTaken, Service, ServiceCall, ServiceHandle, ServiceSpec};
use crate::hub::responder::{NoAnswer, Responder};
use crate::protocol::ServiceMessage;

const RESPONSE: &str = r#""success":{"type":"boolean"},"message":{"type":"string"},"path":{"type":"string"},"messages":{"type":"integer"},"bytes":{"type":"integer"}"#;

/// Offers it until the handle is dropped.
pub(super) fn offer(hub: &Hub, save: Arc<dyn Save>) -> Result<ServiceHandle, NameTaken> {
    let message = |schema_name: &str, properties: &str| ServiceMessage {
        encoding: "json".to_owned(),
        schema_name: schema_name.to_owned(),
        schema_encoding: Some("jsonschema".to_owned()),
        schema: format!(r#"{{"type":"object","properties":{{{properties}}}}}"#),
    };
    let spec = ServiceSpec {
        name: "/recording/save".to_owned(),
        service_type: "recording/Save".to_owned(),
        request: message("recording/SaveRequest", ""),
        response: message("recording/SaveResponse", RESPONSE),
    };
    hub.services().add(spec, Arc::new(Saving(save)))
}

struct Saving(Arc<dyn Save>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {}

#[derive(Debug, Default, Serialize)]
struct Response {
    success: bool,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    messages: u64,
    bytes: u64,
}

impl From<Result<Saved, NotSaved>> for Response {
    fn from(saved: Result<Saved, NotSaved>) -> Self {
        match saved {
            Ok(Saved { path, messages, bytes, lost, .. }) => {
                let message = match lost {
                    0 => String::new(),
                    lost => format!("{lost} messages are missing: the disk is too slow"),
                };
                let path = Some(path.to_string_lossy().into_owned());
                Self { success: true, message, path, messages, bytes }
            }
            Err(why) => Self { message: why.to_string(), ..Self::default() },
        }
    }
}

impl Service for Saving {
    fn call(&self, call: ServiceCall, answer: Responder<Result<Bytes, String>>) {
        if call.encoding != "json" {
            return answer.respond(Err(format!("the encoding is {:?}, it must be json", call.encoding)));
        }
        let request = if call.payload.trim_ascii().is_empty() { b"{}" } else { call.payload.as_ref() };
        let respond = |response: Response| {
            serde_json::to_vec(&response).map(Bytes::from).map_err(|error| error.to_string())
        };
        match serde_json::from_slice(request) {
            Ok(Request {}) => self.0.save(Responder::new(move |saved: Result<_, NoAnswer>| {
                let saved = saved.unwrap_or_else(|none| Err(NotSaved::Failed(none.to_string())));
                answer.respond(respond(saved.into()));
            })),
            Err(error) => {
                let message = format!("the request can't be read: {error}");
                answer.respond(respond(Response { message, ..Response::default() }));
            }
        }
    }
}
