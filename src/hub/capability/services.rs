//! The capability `services`: procedures of the server that clients call.
//!
//! ```
//! use std::sync::Arc;
//!
//! use bytes::Bytes;
//! use foxglove_bridge::hub::capability::services::{Service, ServiceCall, ServiceSpec};
//! use foxglove_bridge::hub::responder::Responder;
//! use foxglove_bridge::hub::{Hub, HubOptions};
//! use foxglove_bridge::protocol::ServiceMessage;
//!
//! /// Answers `{"x":2}` with `{"y":4}`.
//! struct Double;
//!
//! impl Service for Double {
//!     fn call(&self, call: ServiceCall, answer: Responder<Result<Bytes, String>>) {
//!         let doubled = serde_json::from_slice::<serde_json::Value>(&call.payload)
//!             .map_err(|error| error.to_string())
//!             .and_then(|request| request["x"].as_f64().ok_or("x is missing".to_owned()))
//!             .map(|x| format!(r#"{{"y":{}}}"#, 2.0 * x).into());
//!         answer.respond(doubled);
//!     }
//! }
//!
//! let number = |name: &str, field: &str| ServiceMessage {
//!     encoding: "json".to_owned(),
//!     schema_name: name.to_owned(),
//!     schema_encoding: Some("jsonschema".to_owned()),
//!     schema: format!(r#"{{"type":"object","properties":{{"{field}":{{"type":"number"}}}}}}"#),
//! };
//! let hub = Hub::new("robot", HubOptions::default());
//! let services = hub.provide_services()?;
//! let spec = ServiceSpec {
//!     name: "/double".to_owned(),
//!     service_type: "Double".to_owned(),
//!     request: number("DoubleRequest", "x"),
//!     response: number("DoubleResponse", "y"),
//! };
//! // offered until this is dropped
//! let double = services.add(spec, Arc::new(Double))?;
//! # drop(double);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use crate::hub::outbox::{ControlKind, Encoded};
use crate::hub::responder::Responder;
use crate::hub::workers::Workers;
use crate::hub::{Access, AlreadyProvided, ClientId, Hub, lock};
use crate::protocol::{self, ServerMessage, ServiceId, ServiceMessage};

/// What a service is, as it is advertised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceSpec {
    /// Its name, unique within the server.
    pub name: String,
    /// Name of its type, for example `std_srvs/SetBool`.
    pub service_type: String,
    /// Encoding and schema of requests. Viewers need a schema that has a definition of its name.
    pub request: ServiceMessage,
    /// The same of responses.
    pub response: ServiceMessage,
}

/// One call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceCall {
    /// Who calls.
    pub client: ClientId,
    /// Message encoding of the payload; the response has the same.
    pub encoding: String,
    /// The request.
    pub payload: Bytes,
}

/// Answers calls of one service.
pub trait Service: Send + Sync {
    /// Answers a call with the response, or with what went wrong. Returns at once; what takes long is done on another
    /// thread, which takes the responder along.
    fn call(&self, call: ServiceCall, answer: Responder<Result<Bytes, String>>);
}

/// The services of a server.
#[derive(Default)]
pub(in crate::hub) struct Services {
    last_id: u32,
    by_id: BTreeMap<ServiceId, Registered>,
}

struct Registered {
    advertised: protocol::Service,
    service: Arc<dyn Service>,
}

impl Services {
    /// `advertiseServices` with all of them; None if there are none.
    pub(in crate::hub) fn encoded(&self) -> Option<Encoded> {
        let all: Vec<_> = self.by_id.values().map(|registered| registered.advertised.clone()).collect();
        (!all.is_empty()).then(|| ServerMessage::AdvertiseServices(all).encode().into())
    }

    /// What they are called.
    pub(in crate::hub) fn names(&self) -> Vec<String> {
        self.by_id.values().map(|registered| registered.advertised.name.clone()).collect()
    }

    /// What the service of this id is called.
    pub(in crate::hub) fn name(&self, id: ServiceId) -> Option<String> {
        self.by_id.get(&id).map(|registered| registered.advertised.name.clone())
    }

    /// The service of this id.
    pub(in crate::hub) fn find(&self, id: ServiceId) -> Option<Arc<dyn Service>> {
        self.by_id.get(&id).map(|registered| registered.service.clone())
    }
}

/// Adds services to a hub. There is one for each hub; clones share it.
#[derive(Clone)]
#[must_use = "without it no service can be added"]
pub struct ServiceRegistry {
    hub: Hub,
}

/// A service with the name is there already.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is a service {0} already")]
pub struct NameTaken(pub String);

impl ServiceRegistry {
    /// Offers a service to clients until the handle is dropped. Ids are not used again.
    pub fn add(&self, spec: ServiceSpec, service: Arc<dyn Service>) -> Result<ServiceHandle, NameTaken> {
        let mut state = lock(&self.hub.0.state);
        let state = &mut *state;
        let Some(services) = state.slots.services.as_mut() else { return Err(NameTaken(spec.name)) };
        if services.by_id.values().any(|registered| registered.advertised.name == spec.name) {
            return Err(NameTaken(spec.name));
        }
        services.last_id += 1;
        let id = ServiceId(services.last_id);
        let advertised = protocol::Service {
            id,
            name: spec.name,
            service_type: spec.service_type,
            request: Some(spec.request),
            request_schema: None,
            response: Some(spec.response),
            response_schema: None,
        };
        let frame = Encoded::from(ServerMessage::AdvertiseServices(vec![advertised.clone()]).encode());
        services.by_id.insert(id, Registered { advertised, service });
        if state.slots.access == Access::Full {
            state.broadcast(ControlKind::Lasting, &frame);
        }
        self.hub.connections_changed();
        Ok(ServiceHandle { hub: self.hub.clone(), id })
    }

    /// As [`ServiceRegistry::add`], with a function that may block. It runs on one of 16 threads that the hub has for
    /// that, and what it returns is the answer. Where 10,000 calls wait for a thread already, a call fails.
    pub fn add_blocking(
        &self,
        spec: ServiceSpec,
        handler: impl Fn(ServiceCall) -> Result<Bytes, String> + Send + Sync + 'static,
    ) -> Result<ServiceHandle, NameTaken> {
        let workers = self.hub.0.workers.clone();
        self.add(spec, Arc::new(Blocking { workers, handler: Arc::new(handler) }))
    }
}

/// A function that may block.
struct Blocking<F> {
    workers: Workers,
    handler: Arc<F>,
}

impl<F: Fn(ServiceCall) -> Result<Bytes, String> + Send + Sync + 'static> Service for Blocking<F> {
    fn call(&self, call: ServiceCall, answer: Responder<Result<Bytes, String>>) {
        let handler = self.handler.clone();
        if let Err(error) = self.workers.run(Box::new(move || answer.respond(handler(call)))) {
            tracing::warn!("a call of a service is not carried out: {error}");
        }
    }
}

/// A service that is offered; taken back when dropped.
#[must_use = "the service is taken back when this is dropped"]
pub struct ServiceHandle {
    hub: Hub,
    id: ServiceId,
}

impl ServiceHandle {
    /// The id by which clients call it.
    pub fn id(&self) -> ServiceId {
        self.id
    }
}

impl Drop for ServiceHandle {
    fn drop(&mut self) {
        let mut state = lock(&self.hub.0.state);
        let gone = state.slots.services.as_mut().and_then(|services| services.by_id.remove(&self.id));
        let frame = Encoded::from(ServerMessage::UnadvertiseServices(vec![self.id]).encode());
        if state.slots.access == Access::Full {
            state.broadcast(ControlKind::Lasting, &frame);
        }
        drop(state);
        self.hub.connections_changed();
        // whatever the service owns is dropped without the lock
        drop(gone);
    }
}

impl Hub {
    /// What adds services to this hub. The first call declares to clients that join from then on that there can be some.
    pub fn services(&self) -> ServiceRegistry {
        lock(&self.0.state).slots.services.fill(Services::default()).ok();
        ServiceRegistry { hub: self.clone() }
    }

    /// Declares that there can be services, to clients that join from now on, and gives what adds them.
    pub fn provide_services(&self) -> Result<ServiceRegistry, AlreadyProvided> {
        self.provide("services", Services::default(), |slots| &mut slots.services, |_state| {})?;
        Ok(ServiceRegistry { hub: self.clone() })
    }
}
