//! The handle to one channel.

use std::cell::Cell;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use bytes::Bytes;

use super::{Encode, Raw};
use crate::hub::demand::Wanted;
use crate::hub::firsts::GRACE;
use crate::hub::logger::Payload;
use crate::hub::{ClientId, Hub, SlowClient, lock};
use crate::log_limit::LogLimit;
use crate::model::{Channel, Entry};
use crate::time::Timestamp;

/// Payloads from this size on are not copied beside those of other messages.
const LARGE: usize = 16 << 10;

thread_local! {
    /// In which messages are encoded, so that there is an allocation for large ones only.
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// A message that is left out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a message of {topic} is left out: {reason}")]
pub struct LogError {
    /// The topic.
    pub topic: String,
    /// What is wrong with the message; names the field where there is one.
    pub reason: String,
}

/// Logs messages of one channel; see [`handles`](super). Clones share the channel, which ends when it is closed or the
/// last of them is dropped: what was logged before is still sent.
///
/// ```
/// use foxglove_bridge::hub::{Hub, HubOptions};
/// use foxglove_bridge::time::Timestamp;
/// use serde_json::json;
///
/// let hub = Hub::new("robot", HubOptions::default());
/// let pose = hub.channel("/pose").json()?;
/// pose.log(&json!({ "x": 1 }));
/// // made only if somebody wants it
/// pose.log_with(|| json!({ "x": 2 }));
/// // from another thread, at a time of its own, and with the error
/// let clone = pose.clone();
/// let logged = std::thread::spawn(move || clone.try_log(Timestamp(7), &json!({ "x": 3 })));
/// assert!(logged.join().is_ok_and(|logged| logged.is_ok()));
/// # Ok::<(), foxglove_bridge::hub::handles::ChannelError>(())
/// ```
#[must_use = "the channel ends when its last handle is dropped"]
pub struct ChannelHandle<E: Encode>(Arc<Inner<E>>);

struct Inner<E> {
    hub: Hub,
    channel: Arc<Channel>,
    wanted: Wanted,
    announced: Instant,
    /// Within [`GRACE`] of that; looked at when a message is logged.
    is_new: AtomicBool,
    is_open: Mutex<bool>,
    /// Of messages that can't be encoded.
    log: Mutex<LogLimit>,
    encode: E,
}

impl<E: Encode> Clone for ChannelHandle<E> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<E: Encode> fmt::Debug for ChannelHandle<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ChannelHandle").field(&self.0.channel.topic).finish()
    }
}

impl<E: Encode> ChannelHandle<E> {
    pub(super) fn new(hub: Hub, channel: Arc<Channel>, encode: E) -> Self {
        hub.publisher().announce(std::slice::from_ref(&channel));
        let wanted = hub.0.demand.watch(channel.id, hub.latches(&channel));
        let (announced, is_new) = (Instant::now(), AtomicBool::new(true));
        let (is_open, log) = (Mutex::new(true), Mutex::new(LogLimit::new(1)));
        Self(Arc::new(Inner { hub, channel, wanted, announced, is_new, is_open, log, encode }))
    }

    /// Logs a message as of now. One that can't be encoded is left out, which the log says once in ten seconds.
    #[inline]
    pub fn log(&self, message: &E::Message) {
        if self.0.takes() {
            self.log_at(Timestamp::now(), message);
        }
    }

    /// Makes a message and logs it as of now, if somebody wants it, or may be about to: in the first two seconds of a channel
    /// messages are kept for viewers that subscribe to it as soon as they see it.
    #[inline]
    pub fn log_with(&self, make: impl FnOnce() -> E::Message)
    where
        E::Message: Sized,
    {
        if self.0.takes() {
            self.log_at(Timestamp::now(), &make());
        }
    }

    /// Logs a message of a time, which is its log time and its publish time. When a topic that was up to date (at most a
    /// second older than the newest message of the hub) goes back by more than a second, all viewers get a new session, as
    /// when a simulation starts again. Use one clock for all channels of a hub: [`ChannelHandle::log`] uses that of the
    /// computer.
    #[inline]
    pub fn log_at(&self, time: Timestamp, message: &E::Message) {
        if self.0.takes()
            && let Err(error) = self.try_log(time, message)
        {
            self.0.report(&error);
        }
    }

    /// As [`ChannelHandle::log_at`], with an error instead of a line in the log. A message that nobody wants, or that comes
    /// after [`ChannelHandle::close`], is left out without an error.
    pub fn try_log(&self, time: Timestamp, message: &E::Message) -> Result<(), LogError> {
        self.encoded(message, |payload| self.0.log(time, payload, SlowClient::Drop))
    }

    /// As [`ChannelHandle::try_log`], for a hub with [`SlowClient::Wait`]: nothing is dropped, so it blocks while the queue
    /// of a client or of a recorder is full. In a hub with [`SlowClient::Drop`] it does not block.
    pub fn log_wait(&self, time: Timestamp, message: &E::Message) -> Result<(), LogError> {
        if self.waits() {
            self.0.hub.publisher().wait_for_room(&|| !self.0.takes());
        }
        self.encoded(message, |payload| self.0.log(time, payload, self.0.hub.on_slow_client()))
    }

    /// As [`ChannelHandle::log_wait`], without blocking the thread.
    pub async fn log_async(&self, time: Timestamp, message: &E::Message) -> Result<(), LogError> {
        if self.waits() {
            self.0.hub.publisher().room().await;
        }
        self.encoded(message, |payload| self.0.log(time, payload, self.0.hub.on_slow_client()))
    }

    /// Logs a message for one client alone, after all that was logged before, if that client subscribes to the channel. It
    /// is neither recorded nor kept for late subscribers.
    pub fn log_to(&self, client: ClientId, time: Timestamp, message: &E::Message) -> Result<(), LogError> {
        self.encoded(message, |payload| {
            let batch = payload.batch(&Entry::at(self.0.channel.id, time));
            self.0.hub.publisher().publish_to(client, batch, Instant::now());
        })
    }

    /// Whether anybody wants messages: a client, a recorder, or late subscribers, as the channel is latched. Costs a load of
    /// an atomic.
    #[inline]
    pub fn is_subscribed(&self) -> bool {
        self.0.wanted.is_set()
    }

    /// The channel as viewers see it. Its topic is another one than was asked for if that was taken by a channel of
    /// another form: `/imu#2`.
    pub fn channel(&self) -> &Arc<Channel> {
        &self.0.channel
    }

    /// Ends the channel for all clones of this handle: what was logged before is still sent, what is logged later is not.
    /// Others that have claimed the same channel keep it.
    pub fn close(&self) {
        self.0.close();
    }

    /// As if the first two seconds were over.
    #[cfg(test)]
    pub(crate) fn age(&self) {
        self.0.is_new.store(false, Ordering::Relaxed);
    }

    /// Whether there is to be room first: asked for once for each batch.
    fn waits(&self) -> bool {
        let hub = &self.0.hub;
        self.0.takes() && hub.on_slow_client() == SlowClient::Wait && hub.begins_batch()
    }

    /// Hands out the payload of a message, if somebody wants it.
    fn encoded(&self, message: &E::Message, then: impl FnOnce(Payload<'_>)) -> Result<(), LogError> {
        if !self.0.takes() {
            return Ok(());
        }
        let mut scratch = SCRATCH.take();
        scratch.clear();
        let encoded = self.0.encode.encode(message, &mut scratch).and_then(|()| check_length(scratch.len()));
        let result = encoded.map_err(|reason| self.0.error(reason));
        if result.is_ok() && scratch.len() >= LARGE {
            then(Payload::Shared(std::mem::take(&mut scratch).into()));
        } else if result.is_ok() {
            then(Payload::Copied(&scratch));
        }
        if scratch.capacity() <= 2 * LARGE {
            SCRATCH.set(scratch);
        }
        result
    }
}

impl ChannelHandle<Raw> {
    /// As [`ChannelHandle::try_log`], with a payload that is shared: a large one is not copied on its way to the sockets.
    pub fn log_bytes(&self, time: Timestamp, payload: Bytes) -> Result<(), LogError> {
        if self.0.takes() {
            check_length(payload.len()).map_err(|reason| self.0.error(reason))?;
            if payload.len() < LARGE {
                self.0.log(time, Payload::Copied(&payload), SlowClient::Drop);
            } else {
                self.0.log(time, Payload::Shared(payload), SlowClient::Drop);
            }
        }
        Ok(())
    }
}

fn check_length(length: usize) -> Result<(), String> {
    u32::try_from(length)
        .map(|_fits| ())
        .map_err(|_too_large| format!("it has {length} bytes; 4 GiB is the limit"))
}

impl<E> Inner<E> {
    /// Whether a message would reach anybody, now or within the moment in which first messages are kept.
    #[inline]
    fn takes(&self) -> bool {
        self.wanted.is_set() || (self.is_new.load(Ordering::Relaxed) && self.is_still_new())
    }

    #[cold]
    fn is_still_new(&self) -> bool {
        let is_new = self.announced.elapsed() < GRACE;
        if !is_new {
            self.is_new.store(false, Ordering::Relaxed);
        }
        is_new
    }

    fn log(&self, time: Timestamp, payload: Payload<'_>, policy: SlowClient) {
        self.hub.log(&Entry::at(self.channel.id, time), payload, policy);
    }

    fn error(&self, reason: String) -> LogError {
        LogError { topic: self.channel.topic.clone(), reason }
    }

    fn report(&self, error: &LogError) {
        if let Some(left_out) = lock(&self.log).admit(Instant::now()) {
            tracing::error!("{error}{left_out}");
        }
    }

    fn close(&self) {
        if !std::mem::take(&mut *lock(&self.is_open)) {
            return;
        }
        self.is_new.store(false, Ordering::Relaxed);
        self.hub.0.demand.unwatch(self.channel.id, &self.wanted);
        if self.hub.registry().release(self.channel.id) {
            self.hub.publisher().retire(&[self.channel.id]);
        }
    }
}

impl<E> Drop for Inner<E> {
    fn drop(&mut self) {
        self.close();
    }
}
