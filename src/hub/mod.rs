//! Who is connected, what they want, what there is, and the queues between inputs and sockets.
//!
//! Inputs publish through a [`Publisher`], sessions see the hub as a `Client`, capabilities have slots
//! ([`capability`]). The hub has one lock over plain data, held for a moment and never across an await; each client's
//! queue has its own below it (order: hub, then queue). Publishing is one push of a shared batch to each client that
//! wants any of it. Whatever must not be overtaken — a seek and what it makes obsolete — happens under the hub's lock.

use std::collections::BTreeMap;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, AtomicUsize};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use tokio::sync::Notify;

use self::advertise::Form;
use self::capability::Slots;
use self::capability::parameters::Followed;
use self::channels::Channels;
use self::client_time::ClientTime;
use self::connections::{Keeper, Nodes};
use self::demand::Demand;
use self::firsts::Firsts;
use self::lag::Lag;
use self::logger::Logger;
use self::notices::Notices;
use self::observer::Observers;
use self::outbox::{Closing, ControlKind, Encoded, Outbox};
use self::restart::RestartWatch;
use self::room::Room;
use self::subscriptions::ChannelSet;
use self::traffic::Traffic;
use self::watches::Watches;
use crate::model::{Batch, Channel};
use crate::payload::Types;
use crate::protocol::{Offer, PlaybackState, ServerMessage, time_frame};
use crate::registry::Registry;
use crate::time::{TimeRange, Timestamp};

mod advertise;
pub mod capability;
mod channels;
mod client;
mod client_assets;
mod client_publish;
mod client_time;
mod connections;
mod demand;
mod firsts;
mod guard;
pub mod handles;
mod join;
mod lag;
mod latch;
mod logger;
mod new_session;
mod notices;
mod observer;
mod options;
mod order;
#[doc(hidden)]
pub mod outbox;
mod publisher;
#[doc(hidden)]
pub mod queue;
mod requests;
pub mod responder;
pub(crate) mod restart;
mod room;
mod serial;
mod snapshot;
pub mod stats;
#[doc(hidden)]
pub mod subscriptions;
mod tap;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod traffic;
mod watches;
mod weak;
mod woken;
mod workers;

pub use capability::AlreadyProvided;
pub(crate) use client::{Client, SendNow};
pub(crate) use client_publish::Known;
pub use connections::PublisherNode;
pub use demand::DemandChange;
pub(crate) use lag::LagSnapshot;
pub(crate) use latch::LatchStore;
pub use observer::HubEvent;
pub use options::{Access, ClientLimits, HubOptions, Latch, SlowClient};
pub(crate) use order::Direction;
pub use publisher::Publisher;
pub(crate) use requests::Unsupported;
pub use snapshot::{ClientSnapshot, HubSnapshot, TopicSnapshot};
pub(crate) use tap::{Next, Published, Tap, Wake};
pub(crate) use watches::Message;
pub(crate) use weak::WeakHub;
pub(crate) use workers::Workers;

/// Text and id of the status that tells a client that it is too slow. Viewers show one alert for each distinct text,
/// and Lichtblick has a hint for exactly this one.
const SLOW_CLIENT: &str = "Send buffer limit reached";
const SLOW_CLIENT_ID: &str = "slow-client";

/// Identifies a connection; never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(u64);

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl ClientId {
    /// The id as a number that can travel with a request.
    pub(crate) fn token(self) -> u64 {
        self.0
    }

    /// The client that [`ClientId::token`] named.
    pub(crate) fn from_token(token: u64) -> Self {
        Self(token)
    }
}

/// Who connects.
#[derive(Debug, Clone, Default)]
pub struct ClientInfo {
    /// Where from; None where that is not known.
    pub address: Option<SocketAddr>,
    /// What the client calls itself (`User-Agent`); may be empty.
    pub agent: String,
    /// The subprotocols that it offers.
    pub offer: Offer,
}

/// Handle to the hub; clones share it.
///
/// Make one by [`Hub::new`], and publish by [`Hub::channel`], or in batches by [`Hub::publisher`]. What viewers may ask for:
///
/// | to offer | use |
/// | --- | --- |
/// | services | [`Hub::service`] |
/// | parameters | [`Hub::parameters`], which keeps them; [`Hub::serve_parameters`] if they are kept elsewhere |
/// | assets | [`Hub::serve_assets`] |
/// | to take what clients publish | [`Hub::on_publish`] |
/// | playback control | [`Hub::on_playback_control`] |
/// | the connection graph | [`Hub::provide_connections`] |
///
/// `provide_…` does the same by traits whose methods return at once and may answer later, see [`capability`].
///
/// ```
/// use foxglove_bridge::hub::{Hub, HubOptions};
/// use serde_json::json;
///
/// let hub = Hub::new("robot", HubOptions::default());
/// let imu = hub.channel("/imu").json()?;
/// imu.log(&json!({ "ax": 0.1 }));
/// # Ok::<(), foxglove_bridge::hub::handles::ChannelError>(())
/// ```
#[derive(Clone)]
pub struct Hub(Arc<Shared>);

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub").field("name", &self.0.name).finish_non_exhaustive()
    }
}

struct Shared {
    name: String,
    options: HubOptions,
    registry: Registry,
    /// Tells this hub from others, and this run of the program from other runs, in session ids: a client that connects
    /// again learns from it whether channel ids are still good.
    run: u64,
    state: Mutex<State>,
    room: Room,
    demand: Demand,
    observers: Observers,
    counters: Counters,
    /// How many clients there are; to be read without the lock.
    clients: AtomicUsize,
    left: Notify,
    workers: Workers,
    logger: Logger,
    builtin_types: OnceLock<Types>,
    /// Where the hub itself keeps the connection graph.
    connections: OnceLock<Arc<Keeper>>,
}

/// Counts from the start of the server.
#[derive(Debug, Default)]
struct Counters {
    messages: AtomicU64,
    bytes: AtomicU64,
    dropped: AtomicU64,
    recorded: AtomicU64,
    lag: Lag,
}

#[derive(Default)]
struct State {
    channels: Channels,
    members: BTreeMap<ClientId, Member>,
    taps: Vec<Arc<tap::TapQueue>>,
    next_client: u64,
    latch: LatchStore,
    firsts: Firsts,
    traffic: Traffic,
    watches: Watches,
    session: u64,
    slots: Slots,
    playback: Option<PlaybackState>,
    range: Option<TimeRange>,
    time: Option<Timestamp>,
    client_time: ClientTime,
    /// By which playback has published last: what clients publish must not have that dropped.
    playback_policy: SlowClient,
    /// Of live input.
    watch: RestartWatch,
    live_messages: u64,
    notices: Notices,
    /// Who publishes, for the connection graph.
    nodes: Nodes,
    closing: Option<Closing>,
    /// Channels of the slice that is being published; kept for its allocation.
    slice_channels: ChannelSet,
}

struct Member {
    queue: Arc<Queue>,
    info: ClientInfo,
    /// When it joined.
    since: Timestamp,
    form: Form,
    access: Access,
    /// Knows playback states: offered nothing else than the newer subprotocol, or has sent a control request.
    controls: bool,
    followed: Followed,
    follows_graph: bool,
}

struct Queue {
    outbox: Mutex<Outbox>,
    wake: Notify,
    /// How to send without waking the client's task.
    outlet: OnceLock<Weak<dyn SendNow>>,
    /// Messages and bytes of payload written to the client.
    messages: AtomicU64,
    bytes: AtomicU64,
}

/// Locks plain data, which no panic elsewhere leaves half changed.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Queue {
    fn control(&self, kind: ControlKind, frame: Encoded) {
        lock(&self.outbox).push_control(kind, frame);
        self.wake.notify_one();
    }

    /// Sends what is queued, or wakes the client's task. Not under a lock.
    fn send_now(&self) {
        let outlet = self.outlet.get().and_then(Weak::upgrade);
        if !outlet.is_some_and(|outlet| outlet.send_now()) {
            self.wake.notify_one();
        }
    }
}

impl Hub {
    /// A hub without channels and clients, with a registry of its own. `name` is what viewers show beside the URL (`name`
    /// of `serverInfo`).
    pub fn new(name: impl Into<String>, options: HubOptions) -> Self {
        Self::with_registry(name, options, Registry::default())
    }

    /// The same with a registry from which channels have been claimed before the hub was made, for example by
    /// [`source::open`](crate::source::open).
    pub fn with_registry(name: impl Into<String>, options: HubOptions, registry: Registry) -> Self {
        Self(Arc::new(Shared {
            name: name.into(),
            state: Mutex::new(State {
                slots: Slots { access: options.access, ..Slots::default() },
                ..State::default()
            }),
            options,
            registry,
            run: RandomState::new().hash_one(0u8),
            room: Room::default(),
            demand: Demand::default(),
            observers: Observers::default(),
            counters: Counters::default(),
            clients: AtomicUsize::new(0),
            left: Notify::new(),
            workers: Workers::default(),
            logger: Logger::default(),
            builtin_types: OnceLock::new(),
            connections: OnceLock::new(),
        }))
    }

    /// The ids and topics of the hub's channels: everything that publishes into the hub claims its channels here.
    pub fn registry(&self) -> &Registry {
        &self.0.registry
    }

    /// What puts messages into the hub.
    pub fn publisher(&self) -> Publisher {
        Publisher(self.clone())
    }

    /// Whether late subscribers of a channel get its last message.
    pub(crate) fn latches(&self, channel: &Channel) -> bool {
        latch::is_latched(channel, &self.0.options.latch)
    }

    /// What viewers show beside the URL.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The channel that is offered on a topic.
    pub fn channel_on(&self, topic: &str) -> Option<Arc<Channel>> {
        lock(&self.0.state).channels.on_topic(topic).cloned()
    }

    /// What clients may do.
    pub fn access(&self) -> Access {
        self.0.options.access
    }

    /// What happens to slow clients when nothing else is asked for.
    pub(crate) fn on_slow_client(&self) -> SlowClient {
        self.0.options.on_slow_client
    }

    /// Sends a message to every client that is connected.
    pub(crate) fn broadcast(&self, message: &ServerMessage) {
        lock(&self.0.state).broadcast(ControlKind::Other, &message.encode().into());
    }

    /// Closes every connection, also those still to come. With `drain`, what is queued is sent before.
    pub(crate) fn close(&self, code: u16, reason: &'static str, drain: bool) {
        self.flush_logged();
        let closing = Closing { code, reason, drain };
        let mut state = lock(&self.0.state);
        for member in state.members.values() {
            lock(&member.queue.outbox).close(closing.clone());
            member.queue.wake.notify_one();
        }
        state.closing = Some(closing);
    }

    /// Takes connections, also after [`Hub::close`].
    pub(crate) fn reopen(&self) {
        lock(&self.0.state).closing = None;
    }

    /// Waits until no client is connected.
    pub(crate) async fn all_left(&self) {
        loop {
            let left = self.0.left.notified();
            if lock(&self.0.state).members.is_empty() {
                return;
            }
            left.await;
        }
    }
}

impl State {
    fn broadcast(&self, kind: ControlKind, frame: &Encoded) {
        for member in self.members.values() {
            member.queue.control(kind, frame.clone());
        }
    }
}

fn encoded_time(time: Timestamp) -> Encoded {
    Encoded::Binary(time_frame(time).to_vec().into())
}

/// Fills in the channels of a part of a batch, and returns its bytes of payload and its newest time.
fn summarize(batch: &Batch, range: Range<usize>, channels: &mut ChannelSet) -> (usize, Timestamp) {
    channels.clear();
    batch.entries[range].iter().fold((0, Timestamp::MIN), |(bytes, newest), entry| {
        channels.insert(entry.channel);
        (bytes + entry.length as usize, newest.max(entry.log_time))
    })
}
