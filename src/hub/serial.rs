//! Handlers that may block and are to be called one after the other: what one client publishes, sets and asks to play.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex};

use super::guard::guarded;
use super::lock;
use super::workers::{Job, NotRun, Workers};

/// Jobs that are run before others have a turn on the thread.
const TURN: usize = 16;

/// What a job takes beside what it holds, in bytes.
const OVERHEAD: usize = 128;

/// Why a job is not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotTaken {
    #[error("{} MiB wait for the handler already", .0 >> 20)]
    Full(usize),
    #[error(transparent)]
    NotRun(#[from] NotRun),
}

/// Runs jobs in their order, on one thread at a time. Clones share the queue.
///
/// Bound: `limit` bytes, and one job.
#[derive(Clone)]
pub(super) struct Serial(Arc<Shared>);

struct Shared {
    workers: Workers,
    limit: usize,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    jobs: VecDeque<(usize, Job)>,
    bytes: usize,
    /// A thread runs them.
    is_running: bool,
}

impl fmt::Debug for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Serial")
    }
}

impl Serial {
    pub(super) fn new(workers: Workers, limit: usize) -> Self {
        Self(Arc::new(Shared { workers, limit, waiting: Mutex::default() }))
    }

    /// Runs a job that holds so many bytes, after those before it. One that is refused is dropped.
    pub(super) fn run(&self, bytes: usize, job: Job) -> Result<(), NotTaken> {
        let mut waiting = lock(&self.0.waiting);
        if waiting.bytes >= self.0.limit {
            return Err(NotTaken::Full(self.0.limit));
        }
        if !waiting.is_running {
            self.ask_for_thread()?;
            waiting.is_running = true;
        }
        waiting.bytes += bytes + OVERHEAD;
        waiting.jobs.push_back((bytes + OVERHEAD, job));
        Ok(())
    }

    /// Whether no job waits or runs.
    pub(super) fn is_idle(&self) -> bool {
        !lock(&self.0.waiting).is_running
    }

    fn ask_for_thread(&self) -> Result<(), NotRun> {
        let this = self.clone();
        self.0.workers.run(Box::new(move || this.work()))
    }

    fn work(&self) {
        loop {
            for _ in 0..TURN {
                let mut waiting = lock(&self.0.waiting);
                let Some((bytes, job)) = waiting.jobs.pop_front() else {
                    waiting.is_running = false;
                    return;
                };
                drop(waiting);
                guarded("a handler", job);
                lock(&self.0.waiting).bytes -= bytes;
            }
            // too many others wait for a turn: what was taken is carried out all the same
            if self.ask_for_thread().is_ok() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;
    use crate::hub::workers::THREADS;

    #[test]
    fn jobs_run_in_their_order_also_after_one_that_panics() {
        let serial = Serial::new(Workers::default(), 1 << 20);
        let (sender, done) = channel();
        for n in 0..1000 {
            let sender = sender.clone();
            let job = move || {
                assert!(n != 500, "a handler with a fault");
                sender.send(n).unwrap();
            };
            serial.run(0, Box::new(job)).unwrap();
        }
        drop(sender);
        assert!(done.iter().eq((0..1000).filter(|n| *n != 500)));
        while !serial.is_idle() {
            std::thread::yield_now();
        }
        assert_eq!(lock(&serial.0.waiting).bytes, 0);
    }

    #[test]
    fn what_was_taken_is_run_also_while_too_many_others_wait_for_a_thread() {
        let workers = Workers::default();
        let serial = Serial::new(workers.clone(), 1 << 20);
        let (sender, done) = channel();
        let (release, gate) = channel::<()>();
        serial.run(0, Box::new(move || gate.recv().unwrap_or(()))).unwrap();
        for n in 0..10 * TURN {
            let sender = sender.clone();
            serial.run(0, Box::new(move || sender.send(n).unwrap())).unwrap();
        }
        let (release_others, gate) = channel::<()>();
        let gate = Arc::new(Mutex::new(gate));
        let (starts, started) = channel();
        let fill = || {
            let block = |starts: std::sync::mpsc::Sender<()>,
                         gate: Arc<Mutex<std::sync::mpsc::Receiver<()>>>| {
                move || {
                    starts.send(()).ok();
                    lock(&gate).recv().unwrap_or(());
                }
            };
            while workers.run(Box::new(block(starts.clone(), gate.clone()))).is_ok() {}
        };
        fill();
        // the threads beside the one that is blocked already take one each, for which others can wait then
        (1..THREADS).for_each(|_| started.recv().unwrap());
        fill();
        // one more finds no thread, and is refused instead of lost
        let late = Serial::new(workers.clone(), 1 << 20);
        assert!(matches!(late.run(0, Box::new(|| {})), Err(NotTaken::NotRun(_))));
        assert!(late.is_idle());
        drop((release, sender));
        assert!(done.iter().eq(0..10 * TURN));
        drop(release_others);
    }

    #[test]
    fn what_waits_is_bounded_in_bytes() {
        let serial = Serial::new(Workers::default(), 1 << 20);
        let (release, gate) = channel::<()>();
        serial.run(0, Box::new(move || gate.recv().unwrap())).unwrap();
        let admitted = (0..100).filter(|_| serial.run(100_000, Box::new(|| {})).is_ok()).count();
        assert_eq!(admitted, 11);
        release.send(()).unwrap();
        let (sender, done) = channel();
        while serial
            .run(
                0,
                Box::new({
                    let sender = sender.clone();
                    move || sender.send(()).unwrap()
                }),
            )
            .is_err()
        {
            std::thread::yield_now();
        }
        done.recv().unwrap();
    }
}
