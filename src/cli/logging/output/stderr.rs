//! stderr itself, and the terminal that it may be.

#[cfg(not(unix))]
use std::io::{self, Write};

/// Writes everything, or as much as stderr takes before it is closed: then nobody is there who could be told.
#[cfg(unix)]
pub(super) fn write(mut bytes: &[u8]) {
    use rustix::event::{PollFd, PollFlags, poll};
    use rustix::io::Errno;
    // without the lock of the standard library, which nobody else must wait for
    let stderr = rustix::stdio::stderr();
    while !bytes.is_empty() {
        match rustix::io::write(stderr, bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(Errno::INTR) => {}
            // another program has made the terminal non-blocking
            Err(Errno::AGAIN) => match poll(&mut [PollFd::new(&stderr, PollFlags::OUT)], None) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(_) => return,
            },
            Err(_) => return,
        }
    }
}

#[cfg(not(unix))]
pub(super) fn write(bytes: &[u8]) {
    io::stderr().write_all(bytes).ok();
}

/// Whether this program is in the foreground of the terminal: in the background a bar would be drawn over what the
/// shell shows.
#[cfg(unix)]
pub(super) fn owns_terminal() -> bool {
    use rustix::process::getpgrp;
    rustix::termios::tcgetpgrp(rustix::stdio::stderr()).is_ok_and(|group| group == getpgrp())
}

#[cfg(not(unix))]
pub(super) fn owns_terminal() -> bool {
    true
}
