//! Services as functions: a line for each.

use std::fmt::Display;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::services::{NameTaken, ServiceCall, ServiceHandle, ServiceSpec};
use crate::hub::Hub;
use crate::protocol::ServiceMessage;

/// Any object: viewers need a schema.
const ANY_OBJECT: &str = r#"{"type":"object"}"#;

/// A service in the making; see [`Hub::service`].
#[must_use = "there is no service before it has a handler"]
pub struct ServiceBuilder {
    hub: Hub,
    spec: ServiceSpec,
}

impl Hub {
    /// Begins a service of this name. What answers its calls ends it: [`ServiceBuilder::json`]. Services may be added
    /// and dropped at any time. That there can be services is declared by the first one, to clients that join after it; where
    /// that is late, [`Hub::provide_services`] declares it early.
    ///
    /// ```
    /// use foxglove_bridge::hub::{Hub, HubOptions};
    ///
    /// #[derive(serde::Deserialize)]
    /// struct Request {
    ///     x: f64,
    /// }
    ///
    /// #[derive(serde::Serialize)]
    /// struct Response {
    ///     y: f64,
    /// }
    ///
    /// let hub = Hub::new("robot", HubOptions::default());
    /// let double = hub.service("/double").json(|request: Request| {
    ///     if request.x.is_finite() { Ok(Response { y: 2.0 * request.x }) } else { Err("x is not finite") }
    /// })?;
    /// # drop(double);
    /// # Ok::<(), foxglove_bridge::hub::capability::services::NameTaken>(())
    /// ```
    pub fn service(&self, name: impl Into<String>) -> ServiceBuilder {
        let name = name.into();
        let service_type = match name.trim_start_matches('/') {
            "" => "service".to_owned(),
            name => name.to_owned(),
        };
        let message = |what: &str| json_message(format!("{service_type}{what}"), ANY_OBJECT.to_owned());
        let (request, response) = (message("Request"), message("Response"));
        ServiceBuilder { hub: self.clone(), spec: ServiceSpec { name, service_type, request, response } }
    }
}

impl ServiceBuilder {
    /// The name of its type, for example `std_srvs/SetBool`; that of the service unless set.
    pub fn service_type(mut self, name: impl Into<String>) -> Self {
        self.spec.service_type = name.into();
        self
    }

    /// A JSON Schema for requests, and its name, which must not be empty; any object unless set. Viewers offer the fields
    /// of it to who writes a call.
    pub fn request_schema(mut self, name: impl Into<String>, schema: impl Into<String>) -> Self {
        self.spec.request = json_message(name.into(), schema.into());
        self
    }

    /// The same of responses.
    pub fn response_schema(mut self, name: impl Into<String>, schema: impl Into<String>) -> Self {
        self.spec.response = json_message(name.into(), schema.into());
        self
    }

    /// Answers calls, from JSON to JSON, until the handle is dropped. The handler may block: it runs on one of 16 threads
    /// that the hub has for that, several calls at once. Its error is what the caller is told.
    pub fn json<Request, Response, Failure>(
        self,
        handler: impl Fn(Request) -> Result<Response, Failure> + Send + Sync + 'static,
    ) -> Result<ServiceHandle, NameTaken>
    where
        Request: DeserializeOwned,
        Response: Serialize,
        Failure: Display,
    {
        let answer = move |call: ServiceCall| {
            if call.encoding != "json" {
                return Err(format!("the encoding of requests is json, not {}", call.encoding));
            }
            let request = serde_json::from_slice(&call.payload)
                .map_err(|error| format!("the request can't be read: {error}"))?;
            let response = handler(request).map_err(|failure| failure.to_string())?;
            let bytes = serde_json::to_vec(&response)
                .map_err(|error| format!("the response can't be written: {error}"))?;
            Ok(Bytes::from(bytes))
        };
        self.hub.services().add_blocking(self.spec, answer)
    }
}

fn json_message(schema_name: String, schema: String) -> ServiceMessage {
    let (encoding, schema_encoding) = ("json".to_owned(), Some("jsonschema".to_owned()));
    ServiceMessage { encoding, schema_name, schema_encoding, schema }
}
