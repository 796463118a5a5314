//! The thread that publishes what was gathered, where no further message does.

use std::sync::{Arc, Condvar, Mutex, Weak};
use std::time::Instant;

use super::super::Shared;
use super::{GATHER, Hub, PoisonError, lock};

/// Handle to the thread, which is started when it is first needed and ends with the hub.
#[derive(Debug, Default)]
pub(super) struct Flusher(Arc<Call>);

#[derive(Debug, Default)]
struct Call {
    state: Mutex<State>,
    called: Condvar,
}

#[derive(Debug, Default)]
enum State {
    /// There is no thread.
    #[default]
    Absent,
    /// It waits for a call.
    Idle,
    /// It publishes at this time, and goes on as long as there is something.
    Called(Instant),
    /// The hub is gone.
    Ended,
}

impl Flusher {
    /// What is gathered is to be published at this time. False if the system gives no thread for that.
    pub(super) fn call(&self, hub: &Hub, due: Instant) -> bool {
        let mut state = lock(&self.0.state);
        match *state {
            State::Called(_) => return true,
            State::Absent => {
                let (call, hub) = (self.0.clone(), Arc::downgrade(&hub.0));
                let thread = std::thread::Builder::new().name("foxglove-log".into());
                if let Err(error) = thread.spawn(move || call.run(&hub)) {
                    tracing::debug!("there is no thread that gathers messages: {error}");
                    return false;
                }
            }
            State::Idle | State::Ended => {}
        }
        *state = State::Called(due);
        drop(state);
        self.0.called.notify_one();
        true
    }
}

#[cfg(test)]
impl Flusher {
    /// There as long as the thread is, or the hub.
    pub(super) fn alive(&self) -> Weak<impl Sized + use<>> {
        Arc::downgrade(&self.0)
    }
}

impl Drop for Flusher {
    fn drop(&mut self) {
        *lock(&self.0.state) = State::Ended;
        self.0.called.notify_one();
    }
}

impl Call {
    fn run(&self, hub: &Weak<Shared>) {
        while let Some(mut due) = self.next() {
            loop {
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
                let Some(shared) = hub.upgrade() else { return };
                let hub = Hub(shared);
                hub.flush_logged();
                let mut state = lock(&self.state);
                // under this lock: who logs after it calls again
                if !matches!(*state, State::Called(_)) || hub.begins_batch() {
                    if matches!(*state, State::Called(_)) {
                        *state = State::Idle;
                    }
                    break;
                }
                drop(state);
                due = Instant::now() + GATHER;
            }
        }
    }

    /// When to publish next; None once the hub is gone.
    fn next(&self) -> Option<Instant> {
        let state = lock(&self.state);
        let waited = self.called.wait_while(state, |state| matches!(state, State::Idle));
        match *waited.unwrap_or_else(PoisonError::into_inner) {
            State::Called(due) => Some(due),
            State::Absent | State::Idle | State::Ended => None,
        }
    }
}
