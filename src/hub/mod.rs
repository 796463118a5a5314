//! Who is connected, what they want, and the queues between playback and their sockets.
//!
//! The hub has one lock over plain data, held for a moment and never across an await; each client's queue has its
//! own below it (order: hub, then queue). Publishing is one push of a shared batch to each client that wants any of
//! it. Whatever must not be overtaken — a jump and what it makes obsolete — happens under the hub's lock.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use self::channels::Channels;
use self::latch::LatchStore;
use self::outbox::{Closing, ControlKind, Encoded, Outbox};
use self::playback::PlaybackProvider;
use self::subscriptions::ChannelSet;
use crate::model::{Batch, Channel, ChannelId};
use crate::pattern::TopicPattern;
use crate::protocol::{Capability, Offer, PlaybackState, ServerInfo, ServerMessage, Status, time_frame};
use crate::time::{TimeRange, Timestamp};

mod backlog;
pub mod capability;
mod channels;
mod client;
mod latch;
pub mod outbox;
pub(crate) mod playback;
mod publishing;
pub mod responder;
pub(crate) mod restart;
mod room;
pub mod stats;
pub mod subscriptions;
mod tap;

pub(crate) use backlog::Published;
pub(crate) use client::Client;
pub(crate) use tap::{Next, Tap};

/// Text and id of the status that tells a client that it is too slow. Viewers show one alert for each distinct text,
/// and Lichtblick has a hint for exactly this one.
const SLOW_CLIENT: &str = "Send buffer limit reached";
const SLOW_CLIENT_ID: &str = "slow-client";

/// What happens when a client takes data more slowly than it is published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SlowClient {
    /// Its backlog is collapsed to the newest message of each channel.
    Drop,
    /// Playback waits for it.
    Wait,
}

/// Which channels' last message is kept for late subscribers.
#[derive(Debug, Clone, PartialEq)]
pub enum Latch {
    /// Those that were latched when recorded: ROS 2 transient local durability, ROS 1 `latching`.
    Auto,
    /// None.
    Off,
    /// Those of these topics, and those of [`Latch::Auto`].
    Topics(Vec<TopicPattern>),
}

/// How the hub serves clients.
#[derive(Debug, Clone, PartialEq)]
pub struct HubOptions {
    /// Data queued for one client, in bytes.
    pub client_buffer: usize,
    /// What to do when a client's queue is full.
    pub on_slow_client: SlowClient,
    /// Which channels are latched.
    pub latch: Latch,
    /// A `time` goes out before the first message of each new interval of this length; zero: of each new time.
    pub time_resolution: Duration,
}

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

/// Handle to the hub; clones share it.
#[derive(Clone)]
pub struct Hub(Arc<Shared>);

struct Shared {
    name: String,
    options: HubOptions,
    state: Mutex<State>,
    /// The provider waits for a queue to become emptier.
    waiting: AtomicBool,
    provider: OnceLock<Box<dyn PlaybackProvider>>,
    counters: Counters,
    left: Notify,
}

/// Counts from the start of the server.
#[derive(Debug, Default)]
struct Counters {
    messages: AtomicU64,
    bytes: AtomicU64,
    dropped: AtomicU64,
    recorded: AtomicU64,
}

#[derive(Default)]
struct State {
    channels: Channels,
    members: BTreeMap<ClientId, Member>,
    taps: Vec<Arc<tap::TapQueue>>,
    next_client: u64,
    latch: LatchStore,
    session: u64,
    playback: Option<PlaybackState>,
    range: Option<TimeRange>,
    time: Option<Timestamp>,
    notices: Vec<Encoded>,
    closing: Option<Closing>,
    /// Channels of the slice that is being published; kept for its allocation.
    slice_channels: ChannelSet,
}

struct Member {
    queue: Arc<Queue>,
    offers_sdk: bool,
    /// Knows playback states: offered nothing else than the newer subprotocol, or has sent a control request.
    controls: bool,
}

#[derive(Debug)]
struct Queue {
    outbox: Mutex<Outbox>,
    wake: Notify,
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
}

impl Hub {
    /// A hub without channels and clients. `name` is what viewers show beside the URL.
    pub fn new(name: impl Into<String>, options: HubOptions) -> Self {
        Self(Arc::new(Shared {
            name: name.into(),
            options,
            state: Mutex::default(),
            waiting: AtomicBool::new(false),
            provider: OnceLock::new(),
            counters: Counters::default(),
            left: Notify::new(),
        }))
    }

    /// Registers what plays; the capability `playbackControl` is declared to clients from then on.
    pub(crate) fn set_provider(&self, provider: Box<dyn PlaybackProvider>, range: Option<TimeRange>) {
        let mut state = lock(&self.0.state);
        state.range = range;
        state.time = range.map(|range| range.start);
        if self.0.provider.set(provider).is_err() {
            tracing::error!("a second playback provider is ignored");
        }
    }

    /// What happens to slow clients when nothing else is asked for.
    pub(crate) fn on_slow_client(&self) -> SlowClient {
        self.0.options.on_slow_client
    }

    /// Offers channels to clients that are connected and to those that come.
    pub(crate) fn advertise(&self, channels: &[Arc<Channel>]) {
        if channels.is_empty() {
            return;
        }
        let mut state = lock(&self.0.state);
        let (advertise, refused) = state.channels.add(channels);
        for channel in channels {
            if latch::is_latched(channel, &self.0.options.latch) {
                state.latch.add_channel(channel.id);
            }
        }
        for tap in &state.taps {
            tap.push_channels(channels);
        }
        if let Some(frame) = advertise {
            state.broadcast(ControlKind::Other, &frame);
        }
        drop(state);
        for refused in refused {
            self.notice(&Status::warning(refused.to_string()));
        }
    }

    /// Takes channels back. What is still queued of them is dropped: wait for [`Hub::is_drained`] before.
    pub(crate) fn retire(&self, channels: &[ChannelId]) {
        if channels.is_empty() {
            return;
        }
        let mut state = lock(&self.0.state);
        let unadvertise = state.channels.remove(channels);
        for &channel in channels {
            state.latch.remove_channel(channel);
        }
        for member in state.members.values() {
            let lost = lock(&member.queue.outbox).retire(channels);
            self.0.counters.dropped.fetch_add(lost, Ordering::Relaxed);
            if let Some(frame) = &unadvertise {
                member.queue.control(ControlKind::Other, frame.clone());
            }
        }
    }

    /// Tells every client, now and when it joins. The text should be constant for one cause.
    pub(crate) fn notice(&self, status: &Status) {
        tracing::warn!("{}", status.message);
        let frame = Encoded::from(ServerMessage::Status(status.clone()).encode());
        let mut state = lock(&self.0.state);
        state.broadcast(ControlKind::Other, &frame);
        if !state.notices.contains(&frame) {
            state.notices.push(frame);
        }
    }

    /// Tells every client that is connected.
    pub(crate) fn broadcast(&self, message: &ServerMessage) {
        lock(&self.0.state).broadcast(ControlKind::Other, &message.encode().into());
    }

    /// A new client: it is told what the server is and offers.
    pub(crate) fn join(&self, offer: &Offer) -> Client {
        let mut outbox = Outbox::new(self.0.options.client_buffer);
        let mut state = lock(&self.0.state);
        let id = ClientId(state.next_client);
        state.next_client += 1;
        let info = self.server_info(&state);
        outbox.push_control(ControlKind::Session, info);
        outbox.push_control(ControlKind::Session, state.channels.encoded());
        for notice in &state.notices {
            outbox.push_control(ControlKind::Other, notice.clone());
        }
        if let Some(playback) = state.playback.as_ref().filter(|_| offer.offers_sdk()) {
            outbox.push_control(
                ControlKind::State,
                ServerMessage::PlaybackState(playback.clone()).encode().into(),
            );
        }
        if let Some(time) = state.time {
            push_time_control(&mut outbox, time);
        }
        if let Some(closing) = &state.closing {
            outbox.close(closing.clone());
        }
        let queue = Arc::new(Queue { outbox: Mutex::new(outbox), wake: Notify::new() });
        let member =
            Member { queue: queue.clone(), offers_sdk: offer.offers_sdk(), controls: offer.only_sdk() };
        state.members.insert(id, member);
        drop(state);
        Client { id, queue, hub: self.clone() }
    }

    fn server_info(&self, state: &State) -> Encoded {
        let mut capabilities = vec![Capability::Time];
        let range = state.range.filter(|_| self.0.provider.get().is_some());
        if range.is_some() {
            capabilities.push(Capability::PlaybackControl);
        }
        ServerMessage::ServerInfo(ServerInfo {
            name: self.0.name.clone(),
            capabilities,
            supported_encodings: Vec::new(),
            metadata: BTreeMap::new(),
            session_id: Some(format!("{}-{}", process_id(), state.session)),
            data_start_time: range.map(|range| range.start),
            data_end_time: range.map(|range| range.end),
        })
        .encode()
        .into()
    }

    /// The channels that somebody subscribed to or that are latched.
    pub(crate) fn wanted_channels(&self) -> Vec<ChannelId> {
        let state = lock(&self.0.state);
        let mut wanted = state.latch.channels().clone();
        for member in state.members.values() {
            wanted.union_with(lock(&member.queue.outbox).subscriptions().channels());
        }
        wanted.iter().collect()
    }

    /// Clients with at least one subscription.
    pub(crate) fn subscribers(&self) -> usize {
        let state = lock(&self.0.state);
        state.members.values().filter(|member| !lock(&member.queue.outbox).subscriptions().is_empty()).count()
    }

    /// Closes every connection, also those still to come. With `drain`, what is queued is sent before.
    pub(crate) fn close(&self, code: u16, reason: &'static str, drain: bool) {
        let closing = Closing { code, reason, drain };
        let mut state = lock(&self.0.state);
        for member in state.members.values() {
            lock(&member.queue.outbox).close(closing.clone());
            member.queue.wake.notify_one();
        }
        state.closing = Some(closing);
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

    /// Adds what the hub knows to a snapshot.
    pub fn fill(&self, snapshot: &mut stats::Snapshot) {
        snapshot.clients = lock(&self.0.state).members.len();
        snapshot.messages_sent = self.0.counters.messages.load(Ordering::Relaxed);
        snapshot.bytes_sent = self.0.counters.bytes.load(Ordering::Relaxed);
        snapshot.messages_dropped = self.0.counters.dropped.load(Ordering::Relaxed);
        snapshot.bytes_recorded = self.0.counters.recorded.load(Ordering::Relaxed);
    }
}

impl State {
    fn broadcast(&self, kind: ControlKind, frame: &Encoded) {
        for member in self.members.values() {
            member.queue.control(kind, frame.clone());
        }
    }
}

fn push_time_control(outbox: &mut Outbox, time: Timestamp) {
    outbox.push_control(ControlKind::Time(time), Encoded::Binary(time_frame(time).to_vec().into()));
}

/// Fills in the channels of a part of a batch, and returns its bytes of payload and its newest time.
fn summarize(batch: &Batch, range: Range<usize>, channels: &mut ChannelSet) -> (usize, Timestamp) {
    channels.clear();
    batch.entries[range].iter().fold((0, Timestamp::MIN), |(bytes, newest), entry| {
        channels.insert(entry.channel);
        (bytes + entry.length as usize, newest.max(entry.log_time))
    })
}

/// Tells this run of the server from others, so that a reconnecting client knows whether channel ids are still good.
fn process_id() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    static ID: OnceLock<u64> = OnceLock::new();
    *ID.get_or_init(|| RandomState::new().hash_one(0u8))
}
