//! Decodes segments ahead of need, on threads of their own, in the order in which they will be played.
//!
//! Bound: [`READ_AHEAD`] bytes of decoded data that has not been taken yet, twice as many where segments are so large that
//! threads would be idle, and at least one segment. One that is very large, or larger than the index says, is not decoded
//! ahead. After a seek it is one segment, and more with each that is taken: seeks
//! come in swarms, and what is decoded for one is in the way of the next.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use super::file::OpenFile;
use super::merge::{Place, Position};
use super::segments::Decoded;
use crate::source::SourceError;
use crate::source::mcap::channels::Selection;
use crate::source::mcap::records::to_usize;
use crate::source::mcap::survey::Segment;
use crate::time::TimeRange;

/// Decoded data that waits to be played, in bytes.
const READ_AHEAD: usize = 8 << 20;

/// A segment larger than this is decoded when it is needed, and nothing else is in memory.
const LARGE: usize = 64 << 20;

/// Segments that may be ahead for each that was taken since a seek.
const RAMP: usize = 2;

/// More threads than this do not make playback faster.
const MAX_THREADS: usize = 4;

/// A segment to decode.
pub(super) struct Job {
    pub(super) file: Arc<OpenFile>,
    pub(super) segment: Segment,
    pub(super) selection: Arc<Selection>,
}

struct DecodeRequest {
    job: Job,
    generation: u64,
    reply: SyncSender<Reply>,
}

type Reply = Result<Ready, SourceError>;

/// What became of a request.
pub(super) enum Ready {
    Decoded(Decoded),
    /// It was not decoded, since it has more bytes than the index says.
    Larger {
        /// As many.
        size: u64,
    },
}

struct Pending {
    key: Position,
    place: Option<Place>,
    bytes: usize,
    reply: Receiver<Reply>,
}

/// See the module's documentation. The threads end when this is dropped.
pub(super) struct Ahead {
    jobs: Option<Sender<DecodeRequest>>,
    generation: Arc<AtomicU64>,
    pending: VecDeque<Pending>,
    bytes: usize,
    /// Segments taken since the last seek.
    taken: usize,
    threads: Vec<std::thread::JoinHandle<()>>,
}

impl Ahead {
    pub(super) fn start(range: TimeRange) -> std::io::Result<Self> {
        let (jobs, inbox) = channel::<DecodeRequest>();
        let inbox = Arc::new(Mutex::new(inbox));
        let generation = Arc::new(AtomicU64::new(0));
        let count = std::thread::available_parallelism().map_or(1, usize::from).min(MAX_THREADS);
        let mut threads = Vec::new();
        for number in 0..count {
            let (inbox, generation) = (inbox.clone(), generation.clone());
            let thread = std::thread::Builder::new()
                .name(format!("decode-{number}"))
                .spawn(move || work(&inbox, &generation, range))?;
            threads.push(thread);
        }
        Ok(Self { jobs: Some(jobs), generation, pending: VecDeque::new(), bytes: 0, taken: 0, threads })
    }

    /// Forgets what was asked for.
    pub(super) fn clear(&mut self) {
        self.generation.fetch_add(1, Ordering::Relaxed);
        self.pending.clear();
        self.bytes = 0;
        self.taken = 0;
    }

    /// Whether a segment of a size may be asked for, while so many bytes are being played.
    pub(super) fn has_room(&self, size: u64, playing: usize) -> bool {
        let size = to_usize(size);
        if size > LARGE {
            return self.pending.is_empty() && playing == 0;
        }
        let limit = if self.pending.len() < self.threads.len() { 2 * READ_AHEAD } else { READ_AHEAD };
        let is_within = self.bytes < limit && self.bytes.saturating_add(size) <= LARGE;
        self.pending.is_empty() || (is_within && self.pending.len() < RAMP * self.taken)
    }

    /// Where what was asked for first stands.
    pub(super) fn next_key(&self) -> Option<Position> {
        self.pending.front().map(|pending| pending.key)
    }

    /// Asks for a segment; `place` comes back with it.
    pub(super) fn request(&mut self, key: Position, place: Place, job: Job) {
        let bytes = to_usize(job.segment.size);
        self.bytes = self.bytes.saturating_add(bytes);
        let reply = self.send(job);
        self.pending.push_back(Pending { key, place: Some(place), bytes, reply });
    }

    /// Asks again for what was asked for of a file.
    pub(super) fn request_again(&mut self, file: u32, job: impl Fn(Place) -> Option<Job>) {
        let mut pending = std::mem::take(&mut self.pending);
        for pending in &mut pending {
            if let Some(job) = pending.place.filter(|place| place.file == file).and_then(&job) {
                pending.reply = self.send(job);
            }
        }
        self.pending = pending;
    }

    fn send(&self, job: Job) -> Receiver<Reply> {
        let (reply, receiver) = sync_channel(1);
        let request = DecodeRequest { job, generation: self.generation.load(Ordering::Relaxed), reply };
        if let Some(jobs) = &self.jobs
            && jobs.send(request).is_err()
        {
            tracing::error!("the decoding threads have stopped");
        }
        receiver
    }

    /// Puts an error in the place of a segment that can't be asked for.
    pub(super) fn fail(&mut self, key: Position, error: SourceError) {
        let (reply, receiver) = sync_channel(1);
        self.pending.push_back(Pending { key, place: None, bytes: 0, reply: receiver });
        // there is room for one, and its receiver is there
        reply.send(Err(error)).ok();
    }

    /// What was asked for first; waits for it. Its place is None for [`Ahead::fail`].
    pub(super) fn take(&mut self) -> Option<(Option<Place>, Reply)> {
        let pending = self.pending.pop_front()?;
        self.taken += 1;
        self.bytes = self.bytes.saturating_sub(pending.bytes);
        let stopped = |_| {
            Err(SourceError::Unusable {
                name: "decoding".into(),
                reason: "the thread that decodes the recording has stopped; this is a fault of the program"
                    .into(),
            })
        };
        Some((pending.place, pending.reply.recv().unwrap_or_else(stopped)))
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        self.clear();
        self.jobs = None;
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a decoding thread panicked");
            }
        }
    }
}

fn work(inbox: &Mutex<Receiver<DecodeRequest>>, generation: &AtomicU64, range: TimeRange) {
    loop {
        let request = inbox.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(DecodeRequest { job, generation: asked_in, reply }) = request else { return };
        if asked_in != generation.load(Ordering::Relaxed) {
            continue;
        }
        let size = job.file.reader.size(&job.segment);
        let decoded = if size > job.segment.size {
            Ok(Ready::Larger { size })
        } else {
            job.file.decode(&job.segment, &job.selection, range).map(Ready::Decoded)
        };
        // whoever closes the file then, closes it
        drop(job);
        // after a seek there is no receiver
        drop(reply.send(decoded));
    }
}
