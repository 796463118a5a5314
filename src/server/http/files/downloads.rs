//! Places for those who are sent a file, which are not held by who hardly takes it.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::task::AbortOnDropHandle;

use crate::hub::capability::recording::ReadSeek;
use crate::server::accept::Hangup;
use crate::server::http::answer::Refusal;

/// Files that are sent at once.
pub(in crate::server::http) const AT_ONCE: usize = 64;

/// Bytes of a file that are taken at least, 256 KiB a minute …
const LEAST: u64 = 1280 << 10;

/// … in each such time, else the connection ends. The system ends no connection before
/// ([`Timeouts`](crate::server::accept::Timeouts)).
const WITHIN: Duration = Duration::from_secs(300);

/// See the module's documentation.
pub(in crate::server::http) struct Downloads {
    places: Arc<Semaphore>,
    within: Duration,
}

impl Default for Downloads {
    fn default() -> Self {
        Self::with_least_in(WITHIN)
    }
}

impl Downloads {
    /// [`LEAST`] bytes must be taken in each such time.
    pub(in crate::server::http) fn with_least_in(within: Duration) -> Self {
        Self { places: Arc::new(Semaphore::new(AT_ONCE)), within }
    }

    /// A place for one more, if there is one.
    pub(super) fn place(&self) -> Result<Place, Refusal> {
        let Ok(permit) = self.places.clone().try_acquire_owned() else {
            let text = format!("{AT_ONCE} files are being sent, and no more at once; try again in a while");
            return Err(Refusal::later(text));
        };
        Ok(Place { permit, within: self.within })
    }

    #[cfg(test)]
    pub(in crate::server::http) fn free(&self) -> usize {
        self.places.available_permits()
    }
}

/// The place of one that is sent a file.
pub(super) struct Place {
    permit: OwnedSemaphorePermit,
    within: Duration,
}

impl Place {
    /// A file that is sent from now on. `hangup`: ends the connection over which it is.
    pub(super) fn of(self, file: Box<dyn ReadSeek>, hangup: Hangup) -> Download {
        let taken = Arc::new(AtomicU64::new(0));
        let watch = tokio::spawn(watch(taken.clone(), self.within, hangup));
        Download { file, taken, _permit: self.permit, _watch: AbortOnDropHandle::new(watch) }
    }
}

/// A file that is sent. It is read as it is taken, but for a piece.
pub(super) struct Download {
    file: Box<dyn ReadSeek>,
    /// Bytes.
    taken: Arc<AtomicU64>,
    _permit: OwnedSemaphorePermit,
    _watch: AbortOnDropHandle<()>,
}

impl Read for Download {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let bytes = self.file.read(into)?;
        self.taken.fetch_add(bytes as u64, Ordering::Relaxed);
        Ok(bytes)
    }
}

/// Hangs up once too little is taken.
async fn watch(taken: Arc<AtomicU64>, within: Duration, hangup: Hangup) {
    let mut before = 0;
    loop {
        tokio::time::sleep(within).await;
        let now = taken.load(Ordering::Relaxed);
        if now - before < LEAST {
            tracing::debug!("a file is not sent further: less than {LEAST} bytes were taken in {within:?}");
            return hangup.hang_up();
        }
        before = now;
    }
}
