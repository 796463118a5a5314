//! Messages that are logged one by one are gathered, so that what publishing costs is paid once for many.
//!
//! The first message after a pause is published at once, by the thread that logs it. Those that follow it soon are
//! gathered, and published by that thread once [`FULL`] bytes are there, or else by the flusher, [`GATHER`] after the
//! messages before them. Batches go out in the order in which they were gathered, so that the messages of one thread keep
//! theirs, whatever their channels are. Locks: `flushing`, then the hub's; `pending` is held for a copy alone.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::{Hub, SlowClient, lock};
use crate::model::{Batch, Entry};

mod flusher;
#[cfg(test)]
mod tests;

use flusher::Flusher;

/// Messages that follow others within this time are gathered. Viewers draw every 16 ms; with less time the flusher would be
/// woken for fewer messages each time.
pub(super) const GATHER: Duration = Duration::from_micros(200);

/// Bytes that are published without waiting for more: what a client's task encodes in one go.
const FULL: usize = 120 << 10;

/// Bytes that are gathered at most, and one message of each thread. There who logs waits until another thread has
/// published what was gathered before.
const MOST: usize = 1 << 20;

/// What is gathered. See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Logger {
    /// Held while messages are published.
    flushing: Mutex<()>,
    pending: Mutex<Pending>,
    /// Bytes that are gathered or being published; 0: everything that was logged has been published.
    unpublished: AtomicUsize,
    flusher: Flusher,
}

#[derive(Debug)]
struct Pending {
    /// Payloads, one after the other: the first buffer.
    copied: Vec<u8>,
    /// The buffers after it.
    shared: Vec<Bytes>,
    entries: Vec<Entry>,
    bytes: usize,
    policy: SlowClient,
    /// When messages were taken last.
    taken: Option<Instant>,
    /// Bytes copied and messages of the last batch: the next one will be much like it.
    usual: (usize, usize),
}

impl Default for Pending {
    fn default() -> Self {
        Self {
            copied: Vec::new(),
            shared: Vec::new(),
            entries: Vec::new(),
            bytes: 0,
            policy: SlowClient::Drop,
            taken: None,
            usual: (0, 0),
        }
    }
}

/// A payload on its way.
#[derive(Debug)]
pub(super) enum Payload<'a> {
    /// It is copied.
    Copied(&'a [u8]),
    /// It is not.
    Shared(Bytes),
}

impl Payload<'_> {
    fn len(&self) -> usize {
        match self {
            Self::Copied(bytes) => bytes.len(),
            Self::Shared(bytes) => bytes.len(),
        }
    }

    /// As a batch of its own.
    pub(super) fn batch(self, entry: &Entry) -> Batch {
        let mut pending = Pending::default();
        pending.push(entry, self);
        pending.take().0
    }
}

impl Pending {
    fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn push(&mut self, entry: &Entry, payload: Payload<'_>) {
        if self.is_empty() {
            self.copied.reserve_exact(self.usual.0);
            self.entries.reserve_exact(self.usual.1);
        }
        // below 4 GiB, as handles see to
        let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
        self.bytes += payload.len() + size_of::<Entry>();
        let (buffer, offset) = match payload {
            Payload::Copied(bytes) => {
                let offset = self.copied.len();
                self.copied.extend_from_slice(bytes);
                (0, offset)
            }
            Payload::Shared(bytes) => {
                self.shared.push(bytes);
                (self.shared.len(), 0)
            }
        };
        let (buffer, offset) =
            (u32::try_from(buffer).unwrap_or(u32::MAX), u32::try_from(offset).unwrap_or(u32::MAX));
        self.entries.push(Entry { buffer, offset, length, ..*entry });
    }

    fn take(&mut self) -> (Batch, SlowClient) {
        self.usual = (self.copied.len().min(FULL), self.entries.len().min(FULL / size_of::<Entry>()));
        self.bytes = 0;
        let mut copied = std::mem::take(&mut self.copied);
        if copied.capacity() > 2 * copied.len() {
            // a slow client may keep it for long
            copied.shrink_to_fit();
        }
        let mut buffers = vec![Bytes::from(copied)];
        buffers.append(&mut self.shared);
        let entries = std::mem::take(&mut self.entries);
        (Batch { buffers, entries, ..Batch::default() }, self.policy)
    }

    /// Whether nothing was published for a while.
    fn is_quiet(&self, now: Instant) -> bool {
        self.taken.is_none_or(|taken| now.saturating_duration_since(taken) >= GATHER)
    }
}

impl Hub {
    /// Takes a message: it is published at once, or soon. The policy is that of clients for which it is too much.
    pub(super) fn log(&self, entry: &Entry, payload: Payload<'_>, policy: SlowClient) {
        let logger = &self.0.logger;
        let mut pending = self.pending_for(policy);
        let is_first = pending.is_empty();
        pending.push(entry, payload);
        let bytes = pending.bytes;
        logger.unpublished.store(bytes, Ordering::Release);
        let now = if bytes >= FULL {
            drop(pending);
            if bytes >= MOST {
                return self.flush(lock(&logger.flushing), Instant::now());
            }
            Instant::now()
        } else if is_first {
            let now = Instant::now();
            let due = pending.taken.map(|taken| taken + GATHER);
            let is_quiet = pending.is_quiet(now);
            drop(pending);
            if !is_quiet && logger.flusher.call(self, due.unwrap_or(now)) {
                return;
            }
            now
        } else {
            return;
        };
        match logger.flushing.try_lock() {
            Ok(flushing) => self.flush(flushing, now),
            Err(TryLockError::Poisoned(poisoned)) => self.flush(poisoned.into_inner(), now),
            // another thread publishes what was gathered before; this is soon due
            Err(TryLockError::WouldBlock) => {
                if !logger.flusher.call(self, now + GATHER) {
                    self.flush(lock(&logger.flushing), now);
                }
            }
        }
    }

    /// What is gathered, once it has nothing of another policy.
    fn pending_for(&self, policy: SlowClient) -> MutexGuard<'_, Pending> {
        loop {
            let mut pending = lock(&self.0.logger.pending);
            if pending.is_empty() || pending.policy == policy {
                pending.policy = policy;
                return pending;
            }
            drop(pending);
            self.flush(lock(&self.0.logger.flushing), Instant::now());
        }
    }

    /// Whether the next message that is logged begins a batch.
    pub(super) fn begins_batch(&self) -> bool {
        lock(&self.0.logger.pending).is_empty()
    }

    /// Publishes what is gathered; once it returns all that was logged before has been published. Not under the hub's lock.
    pub(crate) fn flush_logged(&self) {
        if self.0.logger.unpublished.load(Ordering::Acquire) > 0 {
            self.flush(lock(&self.0.logger.flushing), Instant::now());
        }
    }

    fn flush(&self, flushing: MutexGuard<'_, ()>, now: Instant) {
        let logger = &self.0.logger;
        let mut pending = lock(&logger.pending);
        if !pending.is_empty() {
            let (batch, policy) = pending.take();
            pending.taken = Some(now);
            drop(pending);
            self.publisher().publish_with(batch, policy, now);
            pending = lock(&logger.pending);
        }
        logger.unpublished.store(pending.bytes, Ordering::Release);
        drop(pending);
        drop(flushing);
    }
}
