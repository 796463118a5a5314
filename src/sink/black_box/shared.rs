//! Between the thread that keeps and those who ask it.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::ring::Ring;
use super::{BlackBoxOptions, SAVES};
use crate::hub::capability::recording::{ReadSeek, RecordedFile};
use crate::hub::capability::save::{Held, NotSaved, Save, Saved};
use crate::hub::responder::Responder;
use crate::hub::{Wake, lock};

/// Saved files that are remembered, to be given out.
const REMEMBERED: usize = 1000;

/// What the thread that keeps and those who ask it have in common.
pub(super) struct Shared {
    pub(super) options: BlackBoxOptions,
    /// What the names of files begin with.
    pub(super) name: String,
    pub(super) ring: Mutex<Ring>,
    inbox: Mutex<Inbox>,
    /// The files that were saved, the oldest first.
    saved: Mutex<VecDeque<PathBuf>>,
    /// Something is in the inbox, or a file is complete.
    changed: Condvar,
    wake: Wake,
}

#[derive(Default)]
struct Inbox {
    requests: Vec<Request>,
    /// Files that were asked for and are not complete.
    saving: usize,
    is_ending: bool,
}

/// A file that is asked for.
pub(super) struct Request {
    pub(super) at: Instant,
    pub(super) answer: Responder<Result<Saved, NotSaved>>,
    pub(super) place: Place,
}

/// Whether more is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum GoesOn {
    Yes,
    No,
}

/// One of the files that may be written at the same time.
pub(super) struct Place(Arc<Shared>);

impl Drop for Place {
    fn drop(&mut self) {
        lock(&self.0.inbox).saving -= 1;
        self.0.changed.notify_all();
    }
}

/// Asks the thread that keeps.
pub(super) struct Asker(pub(super) Arc<Shared>);

impl Save for Asker {
    fn save(&self, answer: Responder<Result<Saved, NotSaved>>) {
        let mut inbox = lock(&self.0.inbox);
        let refused = match inbox.saving {
            _ if inbox.is_ending => NotSaved::Ends,
            SAVES => NotSaved::Busy(SAVES),
            _ => {
                inbox.saving += 1;
                let place = Place(self.0.clone());
                inbox.requests.push(Request { at: Instant::now(), answer, place });
                drop(inbox);
                self.0.wake.wake();
                self.0.changed.notify_all();
                return;
            }
        };
        drop(inbox);
        tracing::warn!("nothing is saved: {refused}");
        answer.respond(Err(refused));
    }

    fn held(&self) -> Held {
        let held = lock(&self.0.ring).held();
        Held { saving: lock(&self.0.inbox).saving, ..held }
    }

    fn files(&self) -> Vec<RecordedFile> {
        let saved = lock(&self.0.saved).clone();
        saved.iter().filter_map(|path| RecordedFile::look(&file_name(path), path).ok()).collect()
    }

    fn open(&self, name: &str) -> io::Result<(RecordedFile, Box<dyn ReadSeek>)> {
        let known = lock(&self.0.saved).iter().find(|path| file_name(path) == name).cloned();
        RecordedFile::open(name, &known.ok_or(io::ErrorKind::NotFound)?)
    }
}

impl Shared {
    pub(super) fn new(options: BlackBoxOptions, name: String, wake: Wake) -> Self {
        let ring = Ring::new(options.window, options.bytes, Instant::now());
        let (ring, changed) = (Mutex::new(ring), Condvar::new());
        Self { options, name, ring, inbox: Mutex::default(), saved: Mutex::default(), changed, wake }
    }

    /// Remembers a file that is complete.
    pub(super) fn remember(&self, path: PathBuf) {
        let mut saved = lock(&self.saved);
        // one that was moved away, whose name was free again
        saved.retain(|known| *known != path);
        if saved.len() == REMEMBERED {
            saved.pop_front();
        }
        saved.push_back(path);
    }

    /// Takes what was asked for.
    pub(super) fn take_requests(&self, requests: &mut Vec<Request>) -> GoesOn {
        let mut inbox = lock(&self.inbox);
        requests.append(&mut inbox.requests);
        if inbox.is_ending { GoesOn::No } else { GoesOn::Yes }
    }

    /// Waits until something is asked for, or until the end; that comes once nothing is left to do.
    pub(super) fn wait_for_requests(&self, requests: &mut Vec<Request>) -> GoesOn {
        let waits = |inbox: &mut Inbox| inbox.requests.is_empty() && !inbox.is_ending;
        let waited = self.changed.wait_while(lock(&self.inbox), waits);
        let mut inbox = waited.unwrap_or_else(PoisonError::into_inner);
        if inbox.requests.is_empty() {
            return GoesOn::No;
        }
        requests.append(&mut inbox.requests);
        GoesOn::Yes
    }

    /// Takes no more requests, and has the files completed with what is there.
    pub(super) fn end(&self) {
        lock(&self.inbox).is_ending = true;
        self.wake.wake();
        self.changed.notify_all();
    }

    /// Waits until all files are complete, but no longer than this; how many are not.
    pub(super) fn all_saved(&self, limit: Duration) -> usize {
        let inbox = lock(&self.inbox);
        let waited = self.changed.wait_timeout_while(inbox, limit, |inbox| inbox.saving > 0);
        waited.unwrap_or_else(PoisonError::into_inner).0.saving
    }
}

/// Under which a saved file is asked for.
fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
