//! Handlers that may block and are to be called one after the other: what one client publishes, sets and asks to play.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex};

use super::guard::guarded;
use super::lock;
use super::workers::{Job, Workers};

/// Jobs that are run before others have a turn on the thread.
const TURN: usize = 16;

/// What a job takes beside what it holds, in bytes.
const OVERHEAD: usize = 128;

/// There is no room for one more job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{} MiB wait for the handler already", .0 >> 20)]
pub(crate) struct Full(usize);

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
    pub(super) fn run(&self, bytes: usize, job: Job) -> Result<(), Full> {
        let mut waiting = lock(&self.0.waiting);
        if waiting.bytes >= self.0.limit {
            return Err(Full(self.0.limit));
        }
        waiting.bytes += bytes + OVERHEAD;
        waiting.jobs.push_back((bytes + OVERHEAD, job));
        if std::mem::replace(&mut waiting.is_running, true) {
            return Ok(());
        }
        drop(waiting);
        self.go_on();
        Ok(())
    }

    fn go_on(&self) {
        let this = self.clone();
        if let Err(error) = self.0.workers.run(Box::new(move || this.turn())) {
            tracing::warn!("what waits for a handler is dropped: {error}");
            let dropped = std::mem::take(&mut *lock(&self.0.waiting));
            // what its jobs hold may answer, and call again
            drop(dropped);
        }
    }

    fn turn(&self) {
        for _ in 0..TURN {
            let mut waiting = lock(&self.0.waiting);
            let Some((bytes, job)) = waiting.jobs.pop_front() else {
                waiting.is_running = false;
                return;
            };
            drop(waiting);
            guarded(job);
            lock(&self.0.waiting).bytes -= bytes;
        }
        self.go_on();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

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
        assert_eq!(lock(&serial.0.waiting).bytes, 0);
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
