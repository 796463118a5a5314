//! The threads behind a writer: chunks are compressed by several at once, and written by one in their order.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use zstd::bulk::Compressor;

use super::super::SinkError;
use super::chunk::Chunk;
use super::parts::{Ended, Parts};
use super::sealed::{COMPRESSION_LEVEL, Sealed};
use crate::model::Extra;

/// Bytes of chunks that are with the threads, for each that compresses, before they are compressed.
const IN_FLIGHT: usize = 4 << 20;

/// See the module's documentation.
pub(super) struct Pipeline {
    /// None once no more chunks come.
    ways: Option<Ways>,
    shared: Arc<Shared>,
    limit: usize,
    ended: Receiver<Ended>,
}

struct Ways {
    jobs: Sender<Job>,
    orders: Sender<Order>,
}

/// For a thread that compresses.
struct Job {
    chunk: Chunk,
    sealed: SyncSender<Sealed>,
}

/// For the thread that writes.
enum Order {
    Write(Receiver<Sealed>, usize),
    Extra(Extra, usize),
    Split,
}

#[derive(Default)]
struct Shared {
    flow: Mutex<Flow>,
    room: Condvar,
    spare: Mutex<Spare>,
    written: AtomicU64,
}

/// Memory that was used before.
#[derive(Default)]
struct Spare {
    chunks: Vec<Chunk>,
    buffers: Vec<Vec<u8>>,
}

#[derive(Default)]
struct Flow {
    bytes: usize,
    /// The thread that writes has ended.
    has_ended: bool,
}

/// The thread that writes has ended before it was asked to.
pub(super) struct HasEnded;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A compressor, as each thread has one.
pub(super) fn compressor() -> io::Result<Compressor<'static>> {
    Compressor::new(COMPRESSION_LEVEL)
}

impl Pipeline {
    /// Starts the threads.
    pub(super) fn start(parts: Parts, threads: usize) -> io::Result<Self> {
        let shared = Arc::<Shared>::default();
        shared.written.store(parts.bytes(), Ordering::Relaxed);
        let (jobs, taken) = channel();
        let taken = Arc::new(Mutex::new(taken));
        for _ in 0..threads {
            let (taken, shared, compressor) = (taken.clone(), shared.clone(), compressor()?);
            let worker = thread::Builder::new().name("recorder-zstd".into());
            worker.spawn(move || compress(&taken, &shared, compressor))?;
        }
        let (orders, ordered) = channel();
        let (outcome, ended) = sync_channel(1);
        let held = End(shared.clone());
        thread::Builder::new().name("recorder-file".into()).spawn(move || {
            let ended = write(parts, &ordered, &held.0);
            // whoever started it may have given up waiting
            outcome.send(ended).ok();
            drop(held);
        })?;
        Ok(Self { ways: Some(Ways { jobs, orders }), shared, limit: threads * IN_FLIGHT, ended })
    }

    /// Hands a chunk over, and gives an empty one for it. Waits while the threads have enough to do.
    pub(super) fn write(&self, chunk: Chunk) -> Result<Chunk, HasEnded> {
        self.wait_for_room(chunk.len());
        self.write_last(chunk)?;
        Ok(lock(&self.shared.spare).chunks.pop().unwrap_or_default())
    }

    fn wait_for_room(&self, bytes: usize) {
        let mut flow = lock(&self.shared.flow);
        while !flow.has_ended && flow.bytes > 0 && flow.bytes + bytes > self.limit {
            flow = self.shared.room.wait(flow).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Hands an attachment, metadata or a profile over. Waits as [`Pipeline::write`] does.
    pub(super) fn write_extra(&self, extra: Extra) -> Result<(), HasEnded> {
        let bytes = match &extra {
            Extra::Attachment(attachment) => attachment.data.len(),
            Extra::Metadata(_) | Extra::Profile(_) => 0,
        };
        self.wait_for_room(bytes);
        let mut flow = lock(&self.shared.flow);
        if flow.has_ended {
            return Err(HasEnded);
        }
        flow.bytes += bytes;
        drop(flow);
        let ways = self.ways.as_ref().ok_or(HasEnded)?;
        ways.orders.send(Order::Extra(extra, bytes)).map_err(|_gone| HasEnded)
    }

    /// The same without waiting, for one that no other follows.
    pub(super) fn write_last(&self, chunk: Chunk) -> Result<(), HasEnded> {
        let bytes = chunk.len();
        let mut flow = lock(&self.shared.flow);
        if flow.has_ended {
            return Err(HasEnded);
        }
        flow.bytes += bytes;
        drop(flow);
        let ways = self.ways.as_ref().ok_or(HasEnded)?;
        let (sealed, chunk_sealed) = sync_channel(1);
        ways.orders.send(Order::Write(chunk_sealed, bytes)).map_err(|_gone| HasEnded)?;
        ways.jobs.send(Job { chunk, sealed }).map_err(|_gone| HasEnded)
    }

    /// The next chunk begins a file.
    pub(super) fn split(&self) -> Result<(), HasEnded> {
        let ways = self.ways.as_ref().ok_or(HasEnded)?;
        ways.orders.send(Order::Split).map_err(|_gone| HasEnded)
    }

    /// Whether chunks can come; they can't once the end was asked for.
    pub(super) fn is_open(&self) -> bool {
        self.ways.is_some()
    }

    /// No more chunks come: waits for the end. None after `limit`, and if the thread panicked.
    pub(super) fn end(&mut self, limit: Duration) -> Result<Ended, RecvTimeoutError> {
        self.ways = None;
        self.ended.recv_timeout(limit)
    }

    /// Bytes in files so far.
    pub(super) fn written(&self) -> u64 {
        self.shared.written.load(Ordering::Relaxed)
    }
}

/// Runs on each thread that compresses.
fn compress(taken: &Mutex<Receiver<Job>>, shared: &Shared, mut compressor: Compressor<'_>) {
    loop {
        let job = lock(taken).recv();
        let Ok(Job { chunk, sealed }) = job else { return };
        let buffer = lock(&shared.spare).buffers.pop().unwrap_or_default();
        // after an error of the disk nobody wants it
        sealed.send(Sealed::of(chunk, &mut compressor, buffer)).ok();
    }
}

/// Runs on the thread that writes, until no more orders come or something fails.
fn write(mut parts: Parts, ordered: &Receiver<Order>, shared: &Shared) -> Ended {
    let error = write_all(&mut parts, ordered, shared).err();
    let ended = parts.finish(error);
    shared.written.fetch_max(ended.parts.iter().map(|part| part.bytes).sum(), Ordering::Relaxed);
    ended
}

fn write_all(parts: &mut Parts, ordered: &Receiver<Order>, shared: &Shared) -> Result<(), SinkError> {
    parts.begin()?;
    for order in ordered {
        match order {
            Order::Split => parts.split(),
            Order::Extra(extra, bytes) => {
                parts.write_extra(extra)?;
                shared.written.store(parts.bytes(), Ordering::Relaxed);
                lock(&shared.flow).bytes -= bytes;
                shared.room.notify_one();
            }
            Order::Write(sealed, bytes) => {
                let sealed = sealed.recv().map_err(|_panicked| SinkError::Write {
                    path: PathBuf::from(parts.path()),
                    reason: "a thread that compresses panicked".to_owned(),
                })?;
                parts.write(&sealed)?;
                shared.written.store(parts.bytes(), Ordering::Relaxed);
                let (chunk, buffer) = sealed.into_spare();
                let mut spare = lock(&shared.spare);
                spare.chunks.push(chunk);
                spare.buffers.push(buffer);
                drop(spare);
                lock(&shared.flow).bytes -= bytes;
                shared.room.notify_one();
            }
        }
    }
    Ok(())
}

/// Tells, whatever ends the thread that writes, that it has ended.
struct End(Arc<Shared>);

impl Drop for End {
    fn drop(&mut self) {
        lock(&self.0.flow).has_ended = true;
        self.0.room.notify_one();
    }
}
