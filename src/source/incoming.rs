//! Bytes that come in from a descriptor, and end when the server does.

use std::io::{self, Read};
use std::time::Duration;

use super::Stop;

/// What is read from stdin, a pipe or a socket.
///
/// On Unix a read waits for the descriptor and for the [`Stop`]; one that is stopped is an error. Whether the descriptor
/// is non-blocking (of stdin, another program may have made it so) makes no difference.
pub struct Incoming {
    read: Box<dyn Read + Send>,
    stop: Stop,
}

impl Incoming {
    /// Reads from a descriptor.
    #[cfg(unix)]
    pub fn new(descriptor: impl Read + std::os::fd::AsFd + Send + 'static, stop: &Stop) -> Self {
        Self::timed(descriptor, stop, None)
    }

    /// The same; a read that waits longer than `patience` is [`io::ErrorKind::TimedOut`], and can be tried again.
    #[cfg(unix)]
    pub fn impatient(
        descriptor: impl Read + std::os::fd::AsFd + Send + 'static,
        stop: &Stop,
        patience: Duration,
    ) -> Self {
        Self::timed(descriptor, stop, Some(patience))
    }

    #[cfg(unix)]
    fn timed(
        descriptor: impl Read + std::os::fd::AsFd + Send + 'static,
        stop: &Stop,
        patience: Option<Duration>,
    ) -> Self {
        let polled = Polled { descriptor, stop: stop.clone(), patience };
        Self { read: Box::new(polled), stop: stop.clone() }
    }

    /// As [`Incoming::new`], since nothing can be timed here.
    #[cfg(not(unix))]
    pub fn impatient(read: impl Read + Send + 'static, stop: &Stop, _patience: Duration) -> Self {
        Self::new(read, stop)
    }

    /// Reads from something that can't be polled here: only what is read after the next bytes sees the stop.
    #[cfg(not(unix))]
    pub fn new(read: impl Read + Send + 'static, stop: &Stop) -> Self {
        Self { read: Box::new(read), stop: stop.clone() }
    }

    /// The same with bytes that were read before.
    #[must_use]
    pub fn after(self, first: Vec<u8>) -> Self {
        Self { read: Box::new(io::Cursor::new(first).chain(self.read)), stop: self.stop }
    }

    /// What ends it.
    pub fn stop(&self) -> &Stop {
        &self.stop
    }
}

impl Read for Incoming {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.read.read(into)
    }
}

impl std::fmt::Debug for Incoming {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Incoming").finish_non_exhaustive()
    }
}

#[cfg(unix)]
struct Polled<D> {
    descriptor: D,
    stop: Stop,
    patience: Option<Duration>,
}

#[cfg(unix)]
impl<D: Read + std::os::fd::AsFd> Read for Polled<D> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            self.stop.wait_until_readable_for(&self.descriptor, self.patience)?;
            match self.descriptor.read(into) {
                // somebody else was faster
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                outcome => return outcome,
            }
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn what_is_not_there_yet_is_waited_for_on_a_descriptor_that_does_not_block() {
        let stop = Stop::new().unwrap();
        let (reader, mut writer) = std::os::unix::net::UnixStream::pair().unwrap();
        reader.set_nonblocking(true).unwrap();
        let mut incoming = Incoming::new(reader, &stop).after(b"a".to_vec());
        let writing = std::thread::spawn(move || {
            std::thread::sleep(std::time::Duration::from_millis(20));
            writer.write_all(b"b").unwrap();
        });
        let mut text = String::new();
        incoming.read_to_string(&mut text).unwrap();
        assert_eq!(text, "ab");
        writing.join().unwrap();
    }

    #[test]
    fn an_impatient_read_can_be_tried_again() {
        let stop = Stop::new().unwrap();
        let (reader, mut writer) = io::pipe().unwrap();
        let mut incoming = Incoming::impatient(reader, &stop, Duration::from_millis(5));
        assert_eq!(incoming.read(&mut [0]).unwrap_err().kind(), io::ErrorKind::TimedOut);
        writer.write_all(b"x").unwrap();
        assert_eq!(incoming.read(&mut [0]).unwrap(), 1);
    }

    #[test]
    fn a_read_ends_when_it_is_stopped() {
        let stop = Stop::new().unwrap();
        let (reader, _writer) = io::pipe().unwrap();
        let mut incoming = Incoming::new(reader, &stop);
        let reading = std::thread::spawn(move || incoming.read(&mut [0]).is_err());
        stop.stop();
        assert!(reading.join().unwrap());
    }
}
