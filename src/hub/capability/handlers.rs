//! Providers as functions that may block. Those of which the order counts are called one after the other.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, Weak};
use std::time::Instant;

use bytes::Bytes;

use super::assets::Assets;
use super::parameters::{Parameters, weight};
use super::playback::{Asker, Playback, PlaybackRequest};
use super::publish::ClientPublish;
use crate::hub::outbox::ControlKind;
use crate::hub::responder::{NoAnswer, Responder};
use crate::hub::serial::Serial;
use crate::hub::workers::Workers;
use crate::hub::{AlreadyProvided, ClientId, Hub, Shared, lock};
use crate::log_limit::LogLimit;
use crate::protocol::{ClientChannel, ClientChannelId, Parameter, PlaybackState, ServerMessage, Status};
use crate::time::TimeRange;

/// Bytes of what one client has published that wait for the handler.
const PUBLISHED: usize = 4 << 20;

/// Bytes of requests about parameters, and of playback control, of all clients, that wait for the handler.
const REQUESTS: usize = 4 << 20;

/// Clients that publish on no channel any more, and of whose messages some wait for the handler.
const ENDED: usize = 16;

impl Hub {
    /// Answers requests for assets: with the content of a URI, or why there is none. The handler may block; several run at
    /// once.
    ///
    /// ```
    /// use foxglove_bridge::hub::{Hub, HubOptions};
    ///
    /// let hub = Hub::new("robot", HubOptions::default());
    /// hub.serve_assets(|uri| match uri.as_str() {
    ///     "package://rover/wheel.stl" => std::fs::read("/opt/rover/wheel.stl").map_err(|error| error.to_string()),
    ///     _ => Err(format!("there is no {uri}")),
    /// })?;
    /// # Ok::<(), foxglove_bridge::hub::AlreadyProvided>(())
    /// ```
    pub fn serve_assets<Content: Into<Bytes>>(
        &self,
        handler: impl Fn(String) -> Result<Content, String> + Send + Sync + 'static,
    ) -> Result<(), AlreadyProvided> {
        let handler = move |uri| handler(uri).map(Into::into);
        self.provide_assets(Arc::new(AssetHandler {
            workers: self.0.workers.clone(),
            handler: Arc::new(handler),
        }))
    }

    /// Takes what clients publish: who, on which of its channels, the payload. `encodings` are those that are taken, the
    /// preferred one first: viewers use the first that they know.
    ///
    /// The handler may block. What one client publishes it gets in order, one message after the other; of several clients
    /// it may get messages at once. While 4 MiB of a client wait for it, further messages of that client are dropped, which
    /// the client is told in a status, and the log.
    ///
    /// ```
    /// use foxglove_bridge::hub::{Hub, HubOptions};
    ///
    /// let hub = Hub::new("robot", HubOptions::default());
    /// hub.on_publish(["json"], |client, channel, payload| {
    ///     println!("client {client} on {}: {}", channel.topic, String::from_utf8_lossy(&payload));
    /// })?;
    /// # Ok::<(), foxglove_bridge::hub::AlreadyProvided>(())
    /// ```
    pub fn on_publish(
        &self,
        encodings: impl IntoIterator<Item = impl Into<String>>,
        handler: impl Fn(ClientId, &ClientChannel, Bytes) + Send + Sync + 'static,
    ) -> Result<(), AlreadyProvided> {
        self.provide_publish(Arc::new(PublishHandler {
            hub: Arc::downgrade(&self.0),
            workers: self.0.workers.clone(),
            encodings: encodings.into_iter().map(Into::into).collect(),
            clients: Mutex::default(),
            log: Mutex::new(LogLimit::new(1)),
            handler: Arc::new(handler),
        }))
    }

    /// Keeps parameters by two functions: for a program that has them elsewhere. [`Hub::parameters`] is shorter where the hub
    /// may keep them. The functions may block and are called one after the other. `get` gives those of these
    /// names, and all if there are no names. `set` carries out what a client asks for (one without a value is to be
    /// removed) and gives what holds then, of the same names; clients that follow them are sent that.
    ///
    /// ```
    /// use std::sync::{Arc, Mutex};
    ///
    /// use foxglove_bridge::hub::{Hub, HubOptions};
    /// use foxglove_bridge::protocol::Parameter;
    ///
    /// let speed = Arc::new(Mutex::new(1.5));
    /// let is = |speed: f64| Parameter::float64("speed", speed).into_iter().collect();
    /// let hub = Hub::new("robot", HubOptions::default());
    /// hub.serve_parameters(
    ///     { let speed = speed.clone(); move |_names| is(*speed.lock().unwrap()) },
    ///     move |parameters, _client| {
    ///         let mut speed = speed.lock().unwrap();
    ///         let wanted = parameters.iter().filter(|parameter| parameter.name == "speed");
    ///         if let Some(wanted) = wanted.filter_map(|parameter| parameter.value.as_ref()?.as_f64()).last() {
    ///             *speed = wanted.clamp(0.0, 3.0);
    ///         }
    ///         is(*speed)
    ///     },
    /// )?;
    /// # Ok::<(), foxglove_bridge::hub::AlreadyProvided>(())
    /// ```
    pub fn serve_parameters(
        &self,
        get: impl Fn(Vec<String>) -> Vec<Parameter> + Send + Sync + 'static,
        set: impl Fn(Vec<Parameter>, ClientId) -> Vec<Parameter> + Send + Sync + 'static,
    ) -> Result<(), AlreadyProvided> {
        self.provide_parameters(Arc::new(ParameterHandler {
            hub: Arc::downgrade(&self.0),
            serial: Serial::new(self.0.workers.clone(), REQUESTS),
            get: Arc::new(get),
            set: Arc::new(set),
        }))
    }

    /// Has playback controlled: of a simulation, of an own recording. The handler carries a request out, and answers with
    /// the state after it, which every client is sent, after the messages that were logged before. After a seek the state
    /// says so (`did_seek`); answer it before messages of the new time are logged. The handler may block; requests come
    /// one after the other. `range` is what clients may seek in. Changes without a request are reported by
    /// [`Publisher::playback_changed`](crate::hub::Publisher::playback_changed).
    pub fn on_playback_control(
        &self,
        range: TimeRange,
        handler: impl Fn(PlaybackRequest, Responder<PlaybackState>) + Send + Sync + 'static,
    ) -> Result<(), AlreadyProvided> {
        let playback = Arc::new(PlaybackHandler {
            hub: Arc::downgrade(&self.0),
            serial: Serial::new(self.0.workers.clone(), REQUESTS),
            handler: Arc::new(handler),
        });
        self.provide_playback(playback, range)
    }
}

struct AssetHandler<F> {
    workers: Workers,
    handler: Arc<F>,
}

impl<F: Fn(String) -> Result<Bytes, String> + Send + Sync + 'static> Assets for AssetHandler<F> {
    fn fetch(&self, uri: String, answer: Responder<Result<Bytes, String>>) {
        let handler = self.handler.clone();
        if let Err(error) = self.workers.run(Box::new(move || answer.respond(handler(uri)))) {
            tracing::warn!("an asset is not fetched: {error}");
        }
    }
}

struct PublishHandler<F> {
    /// The hub owns this.
    hub: Weak<Shared>,
    workers: Workers,
    encodings: Vec<String>,
    /// Also those that have ended their channels, until the handler has had their messages: what a client publishes after
    /// that comes after them.
    clients: Mutex<HashMap<ClientId, Publishing>>,
    log: Mutex<LogLimit>,
    handler: Arc<F>,
}

/// What one client publishes.
struct Publishing {
    serial: Serial,
    channels: HashMap<ClientChannelId, Arc<ClientChannel>>,
    /// Messages are being dropped, and the client has been sent a status.
    is_dropping: bool,
}

impl Publishing {
    /// It has no channel, and its messages have been handled.
    fn is_over(&self) -> bool {
        self.channels.is_empty() && self.serial.is_idle()
    }
}

impl<F: Fn(ClientId, &ClientChannel, Bytes) + Send + Sync + 'static> ClientPublish for PublishHandler<F> {
    fn encodings(&self) -> Vec<String> {
        self.encodings.clone()
    }

    fn advertise(&self, client: ClientId, channel: &ClientChannel) -> Result<(), String> {
        if !self.encodings.contains(&channel.encoding) {
            let (encoding, known) = (&channel.encoding, self.encodings.join(", "));
            return Err(format!("the encoding '{encoding}' is not taken, only {known}"));
        }
        let new = || Publishing {
            serial: Serial::new(self.workers.clone(), PUBLISHED),
            channels: HashMap::new(),
            is_dropping: false,
        };
        let mut clients = lock(&self.clients);
        clients.retain(|_client, publishing| !publishing.is_over());
        let ended = clients.values().filter(|publishing| publishing.channels.is_empty()).count();
        if ended >= ENDED && !clients.contains_key(&client) {
            return Err("messages of clients that have left still wait; try again later".to_owned());
        }
        let publishing = clients.entry(client).or_insert_with(new);
        publishing.channels.insert(channel.id, Arc::new(channel.clone()));
        Ok(())
    }

    fn unadvertise(&self, client: ClientId, channel: ClientChannelId) {
        let mut clients = lock(&self.clients);
        if let Some(publishing) = clients.get_mut(&client) {
            publishing.channels.remove(&channel);
            if publishing.is_over() {
                clients.remove(&client);
            }
        }
    }

    fn message(&self, client: ClientId, channel: ClientChannelId, payload: Bytes) {
        let mut clients = lock(&self.clients);
        let Some(publishing) = clients.get_mut(&client) else { return };
        let Some(channel) = publishing.channels.get(&channel).cloned() else { return };
        let (handler, topic) = (self.handler.clone(), channel.topic.clone());
        let bytes = payload.len();
        let refused =
            publishing.serial.run(bytes, Box::new(move || handler(client, &channel, payload))).err();
        let was_dropping = std::mem::replace(&mut publishing.is_dropping, refused.is_some());
        drop(clients);
        let Some(full) = refused else { return };
        if let Some(left_out) = lock(&self.log).admit(Instant::now()) {
            tracing::warn!("client {client}: a message on {topic} is dropped: {full}{left_out}");
        }
        if let (false, Some(shared)) = (was_dropping, self.hub.upgrade()) {
            let status = Status::warning(format!("messages on {topic} are dropped: {full}"));
            if let Some(member) = lock(&shared.state).members.get(&client) {
                member.queue.control(ControlKind::Other, ServerMessage::Status(status).encode().into());
            }
        }
    }
}

struct ParameterHandler<G, S> {
    /// The hub owns this.
    hub: Weak<Shared>,
    serial: Serial,
    get: Arc<G>,
    set: Arc<S>,
}

impl<G, S> Parameters for ParameterHandler<G, S>
where
    G: Fn(Vec<String>) -> Vec<Parameter> + Send + Sync + 'static,
    S: Fn(Vec<Parameter>, ClientId) -> Vec<Parameter> + Send + Sync + 'static,
{
    fn get(&self, names: Vec<String>, answer: Responder<Vec<Parameter>>) {
        let (get, bytes) = (self.get.clone(), names.iter().map(String::len).sum());
        if let Err(full) = self.serial.run(bytes, Box::new(move || answer.respond(get(names)))) {
            tracing::warn!("parameters are not read: {full}");
        }
    }

    fn set(&self, parameters: Vec<Parameter>, by: ClientId, answer: Responder<Vec<Parameter>>) {
        let (set, hub) = (self.set.clone(), self.hub.clone());
        let bytes = weight(&parameters);
        let job = move || {
            let holds = set(parameters, by);
            if let Some(shared) = hub.upgrade() {
                Hub(shared).parameters_changed(&holds);
            }
            answer.respond(holds);
        };
        if let Err(full) = self.serial.run(bytes, Box::new(job)) {
            tracing::warn!("parameters are not set: {full}");
        }
    }
}

struct PlaybackHandler<F> {
    /// The hub owns this.
    hub: Weak<Shared>,
    serial: Serial,
    handler: Arc<F>,
}

impl<F: Fn(PlaybackRequest, Responder<PlaybackState>) + Send + Sync + 'static> Playback
    for PlaybackHandler<F>
{
    fn request(&self, request: PlaybackRequest, answer: Responder<PlaybackState>) {
        let (handler, hub) = (self.handler.clone(), self.hub.clone());
        let request_id = match &request.by {
            Asker::Client { request_id, .. } => Some(request_id.clone()),
            Asker::Program => None,
        };
        let bytes = request_id.as_ref().map_or(0, String::len);
        let published = Responder::new(move |state: Result<PlaybackState, NoAnswer>| {
            let Ok(state) = state else { return };
            let state = PlaybackState { request_id, ..state };
            if let Some(shared) = hub.upgrade() {
                Hub(shared).publisher().playback_changed(state.clone());
            }
            answer.respond(state);
        });
        if let Err(full) = self.serial.run(bytes, Box::new(move || handler(request, published))) {
            tracing::warn!("playback is not controlled: {full}");
        }
    }
}
