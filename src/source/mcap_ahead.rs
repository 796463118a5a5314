//! Decodes pieces ahead of need, on threads of their own, in the order in which they will be played.
//!
//! Bound: [`READ_AHEAD`] bytes of decoded data that nobody has taken yet, twice as many where pieces are so large that
//! threads would be idle, and at least one piece.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use super::SourceError;
use super::mcap_chunk::{Decoded, Decoder, Selection};
use super::mcap_contents::{Piece, to_usize};

/// Decoded data that waits to be played, in bytes.
const READ_AHEAD: usize = 8 << 20;

/// More threads than this do not make one recording faster.
const MAX_THREADS: usize = 4;

struct Job {
    piece: Piece,
    generation: u64,
    reply: SyncSender<Result<Decoded, SourceError>>,
}

struct Pending {
    index: usize,
    bytes: usize,
    reply: Receiver<Result<Decoded, SourceError>>,
}

/// See the module's documentation. The threads end when this is dropped.
pub(super) struct Ahead {
    jobs: Option<Sender<Job>>,
    generation: Arc<AtomicU64>,
    pending: VecDeque<Pending>,
    bytes: usize,
    threads: Vec<std::thread::JoinHandle<()>>,
}

impl Ahead {
    pub(super) fn start(decoder: &Arc<Decoder>, selection: &Arc<Selection>) -> std::io::Result<Self> {
        let (jobs, inbox) = channel::<Job>();
        let inbox = Arc::new(Mutex::new(inbox));
        let generation = Arc::new(AtomicU64::new(0));
        let count = std::thread::available_parallelism().map_or(1, usize::from).min(MAX_THREADS);
        let mut threads = Vec::new();
        for number in 0..count {
            let (inbox, generation) = (inbox.clone(), generation.clone());
            let (decoder, selection) = (decoder.clone(), selection.clone());
            let thread = std::thread::Builder::new()
                .name(format!("decode-{number}"))
                .spawn(move || work(&inbox, &generation, &decoder, &selection))?;
            threads.push(thread);
        }
        Ok(Self { jobs: Some(jobs), generation, pending: VecDeque::new(), bytes: 0, threads })
    }

    /// Forgets what was asked for.
    pub(super) fn clear(&mut self) {
        self.generation.fetch_add(1, Ordering::Relaxed);
        self.pending.clear();
        self.bytes = 0;
    }

    /// Whether more may be asked for.
    pub(super) fn has_room(&self) -> bool {
        let limit = if self.pending.len() < self.threads.len() { 2 * READ_AHEAD } else { READ_AHEAD };
        self.pending.is_empty() || self.bytes < limit
    }

    /// Asks for a piece; `index` comes back with it.
    pub(super) fn request(&mut self, index: usize, piece: &Piece) {
        let (reply, receiver) = sync_channel(1);
        let bytes = to_usize(piece.size);
        self.bytes += bytes;
        self.pending.push_back(Pending { index, bytes, reply: receiver });
        let job = Job { piece: piece.clone(), generation: self.generation.load(Ordering::Relaxed), reply };
        if let Some(jobs) = &self.jobs
            && jobs.send(job).is_err()
        {
            tracing::error!("the decoding threads have stopped");
        }
    }

    /// The piece that was asked for first; waits for it.
    pub(super) fn take(&mut self) -> Option<(usize, Result<Decoded, SourceError>)> {
        let pending = self.pending.pop_front()?;
        self.bytes = self.bytes.saturating_sub(pending.bytes);
        let stopped = |_| {
            Err(SourceError::Unusable {
                name: "decoding".into(),
                reason: "the thread that decodes the recording has stopped; this is a fault of the program"
                    .into(),
            })
        };
        Some((pending.index, pending.reply.recv().unwrap_or_else(stopped)))
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

fn work(inbox: &Mutex<Receiver<Job>>, generation: &AtomicU64, decoder: &Decoder, selection: &Selection) {
    loop {
        let job = inbox.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else { return };
        if job.generation != generation.load(Ordering::Relaxed) {
            continue;
        }
        let decoded = decoder.decode(&job.piece, selection);
        // nobody waits after a seek
        drop(job.reply.send(decoded));
    }
}
