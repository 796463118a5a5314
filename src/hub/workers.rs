//! Threads for handlers that may block: reading files, waiting for a device, computing.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use super::guard::guarded;
use super::{Hub, lock};

/// Threads at most: what blocks waits for disks, devices and other programs, seldom for the processor.
pub(super) const THREADS: usize = 16;

/// Calls that wait for a thread at most, of all clients together.
const WAITING: usize = 10_000;

/// A thread that had nothing to do for this long ends.
const IDLE: Duration = Duration::from_secs(10);

pub(super) type Job = Box<dyn FnOnce() + Send>;

/// Why something is not run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotRun {
    #[error("{WAITING} calls wait already")]
    Busy,
    #[error("the system gives no thread: {0}")]
    NoThread(#[source] io::Error),
}

/// At most [`THREADS`] threads, which are started when they are needed; clones share them.
#[derive(Clone, Default)]
pub(crate) struct Workers(Arc<Pool>);

#[derive(Default)]
struct Pool {
    state: Mutex<State>,
    added: Condvar,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    threads: usize,
    idle: usize,
}

impl fmt::Debug for Workers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Workers")
    }
}

impl Workers {
    /// Runs something that may block. If it can't be run it is dropped, with the responders that it holds, which answer then.
    pub(crate) fn run(&self, job: Job) -> Result<(), NotRun> {
        let mut state = lock(&self.0.state);
        if state.jobs.len() >= WAITING {
            return Err(NotRun::Busy);
        }
        if state.idle > state.jobs.len() || state.threads >= THREADS {
            state.jobs.push_back(job);
            self.0.added.notify_one();
            return Ok(());
        }
        let pool = self.0.clone();
        let thread = std::thread::Builder::new().name("handler".into());
        match thread.spawn(move || pool.work()) {
            Ok(_detached) => state.threads += 1,
            // those that are there take it
            Err(_none) if state.threads > 0 => {}
            Err(error) => return Err(NotRun::NoThread(error)),
        }
        state.jobs.push_back(job);
        Ok(())
    }
}

impl Hub {
    /// The threads on which the hub's handlers may block.
    pub(crate) fn workers(&self) -> Workers {
        self.0.workers.clone()
    }
}

impl Pool {
    fn work(&self) {
        while let Some(job) = self.next() {
            guarded("a handler", job);
        }
    }

    /// The next job; None if there was none for long.
    fn next(&self) -> Option<Job> {
        let mut state = lock(&self.state);
        state.idle += 1;
        let waited = self.added.wait_timeout_while(state, IDLE, |state| state.jobs.is_empty());
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.idle -= 1;
        let job = state.jobs.pop_front();
        if job.is_none() {
            state.threads -= 1;
        }
        job
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn many_jobs_share_a_few_threads_and_none_is_lost() {
        let workers = Workers::default();
        let (sender, done) = channel();
        for n in 0..200 {
            let sender = sender.clone();
            let job = move || sender.send((n, std::thread::current().id())).unwrap();
            workers.run(Box::new(job)).unwrap();
        }
        drop(sender);
        let mut done: Vec<_> = done.iter().collect();
        done.sort_unstable_by_key(|(n, _)| *n);
        assert_eq!(done.iter().map(|(n, _)| *n).collect::<Vec<_>>(), (0..200).collect::<Vec<_>>());
        let threads: std::collections::HashSet<_> = done.iter().map(|(_, thread)| *thread).collect();
        assert!(threads.len() <= THREADS);
    }

    #[test]
    fn a_job_that_panics_costs_itself_alone() {
        let workers = Workers::default();
        for _ in 0..2 * THREADS {
            workers.run(Box::new(|| panic!("a handler with a fault"))).unwrap();
        }
        let (sender, done) = channel();
        workers.run(Box::new(move || sender.send(7).unwrap())).unwrap();
        assert_eq!(done.recv(), Ok(7));
    }

    #[test]
    fn jobs_that_wait_have_a_bound_and_what_is_refused_is_dropped() {
        let workers = Workers::default();
        let (release, gate) = channel::<()>();
        let (gate, running) = (Arc::new(Mutex::new(gate)), Arc::new(AtomicUsize::new(0)));
        let block = || {
            let (gate, running) = (gate.clone(), running.clone());
            workers.run(Box::new(move || {
                running.fetch_add(1, Ordering::SeqCst);
                lock(&gate).recv().unwrap_or(());
            }))
        };
        for _ in 0..THREADS {
            block().unwrap();
        }
        while running.load(Ordering::SeqCst) < THREADS {
            std::thread::yield_now();
        }
        assert_eq!((0..WAITING + 10).filter(|_| block().is_err()).count(), 10);
        let (sender, answers) = channel::<()>();
        let job = move || sender.send(()).unwrap();
        assert!(matches!(workers.run(Box::new(job)), Err(NotRun::Busy)));
        assert!(answers.recv().is_err(), "dropped with what it held");
        drop(release);
    }
}
