//! What ends the threads of inputs, whatever they wait for.

use std::io;
#[cfg(unix)]
use std::io::{PipeReader, PipeWriter};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// Ends every input that was opened with it. Clones share it; once stopped it stays that.
///
/// On Unix a pipe becomes readable for those who wait for a descriptor. Elsewhere there
/// is no way out of a read that has begun: its thread is left behind, and ends with the program.
#[derive(Debug, Clone)]
pub struct Stop(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    /// At its end once the writer is dropped.
    #[cfg(unix)]
    stopped: PipeReader,
}

#[derive(Debug)]
struct State {
    is_stopped: bool,
    #[cfg(unix)]
    pipe: Option<PipeWriter>,
}

impl Stop {
    /// Whether a read that waits is ended, and its thread can be joined.
    pub(crate) const ENDS_READS: bool = cfg!(unix);

    /// Not stopped yet. The error is that of the system where no pipe can be made.
    pub fn new() -> io::Result<Self> {
        #[cfg(unix)]
        let (stopped, pipe) = io::pipe()?;
        Ok(Self(Arc::new(Shared {
            state: Mutex::new(State {
                is_stopped: false,
                #[cfg(unix)]
                pipe: Some(pipe),
            }),
            changed: Condvar::new(),
            #[cfg(unix)]
            stopped,
        })))
    }

    /// Ends everything that waits, now and from now on.
    pub fn stop(&self) {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.is_stopped = true;
        #[cfg(unix)]
        drop(state.pipe.take());
        drop(state);
        self.0.changed.notify_all();
    }

    /// Whether it was stopped.
    pub fn is_stopped(&self) -> bool {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner).is_stopped
    }

    /// Lets this much time pass, or less if it is stopped meanwhile.
    pub fn wait(&self, time: Duration) {
        let state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.0.changed.wait_timeout_while(state, time, |state| !state.is_stopped);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    /// Waits until a read of a descriptor (or an `accept`) would return; an error if it is stopped before. What can't be
    /// polled counts as readable.
    #[cfg(unix)]
    pub(crate) fn wait_until_readable(&self, descriptor: impl std::os::fd::AsFd) -> io::Result<()> {
        self.wait_until_readable_for(descriptor, None)
    }

    /// The same for so long at most, after which it is [`io::ErrorKind::TimedOut`].
    #[cfg(unix)]
    pub(crate) fn wait_until_readable_for(
        &self,
        descriptor: impl std::os::fd::AsFd,
        time: Option<Duration>,
    ) -> io::Result<()> {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        let mut waited =
            [PollFd::new(&self.0.stopped, PollFlags::IN), PollFd::new(&descriptor, PollFlags::IN)];
        let time = time.and_then(|time| Timespec::try_from(time).ok());
        loop {
            match poll(&mut waited, time.as_ref()) {
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
                Ok(0) => return Err(io::ErrorKind::TimedOut.into()),
                Ok(_) if !waited[0].revents().is_empty() => return Err(io::Error::other("stopped")),
                Ok(_) if !waited[1].revents().is_empty() => return Ok(()),
                Ok(_) => {}
            }
        }
    }
}

/// Waits until something can be written to a descriptor, for so long at most: whether that is so. What can't be polled
/// counts as writable, and so does what is closed: the write says so.
#[cfg(unix)]
pub(crate) fn writable_within(descriptor: impl std::os::fd::AsFd, time: Duration) -> io::Result<bool> {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let time = Timespec::try_from(time).ok();
    match poll(&mut [PollFd::new(&descriptor, PollFlags::OUT)], time.as_ref()) {
        Err(rustix::io::Errno::INTR) => Ok(false),
        Err(error) => Err(error.into()),
        Ok(ready) => Ok(ready > 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_ends_when_it_is_stopped_and_takes_no_time_afterwards() {
        let stop = Stop::new().unwrap();
        stop.wait(Duration::from_millis(1));
        assert!(!stop.is_stopped());
        let other = stop.clone();
        let waiting = std::thread::spawn(move || other.wait(Duration::from_secs(3600)));
        stop.stop();
        waiting.join().unwrap();
        stop.wait(Duration::from_secs(3600));
        assert!(stop.is_stopped());
    }

    #[cfg(unix)]
    #[test]
    fn a_descriptor_is_waited_for_until_it_can_be_read_or_it_is_stopped() {
        use std::io::Write;
        let stop = Stop::new().unwrap();
        let (reader, mut writer) = io::pipe().unwrap();
        writer.write_all(b"x").unwrap();
        stop.wait_until_readable(&reader).unwrap();
        let (silent, _kept) = io::pipe().unwrap();
        let other = stop.clone();
        let waiting = std::thread::spawn(move || other.wait_until_readable(&silent).unwrap_err());
        stop.stop();
        waiting.join().unwrap();
        assert!(stop.wait_until_readable(&reader).is_err(), "stopped is more than readable");
    }
}
