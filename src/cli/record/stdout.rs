//! Stdout as it is: without the buffer of the standard library, which holds back what a reader waits for.

use std::io::{self, IsTerminal, Write};

use anyhow::bail;

/// What it is called in messages.
pub(super) const NAME: &str = "stdout";

/// Refuses a terminal, which MCAP would garble.
pub(super) fn check() -> anyhow::Result<()> {
    if io::stdout().is_terminal() {
        bail!(
            "-o -: stdout is a terminal, and MCAP is not text; name a file, or send it on: -o - > run.mcap, or \
             -o - | foxglove-bridge serve -"
        );
    }
    Ok(())
}

/// Stdout for a recording.
#[cfg(unix)]
pub(super) fn open() -> io::Result<impl Write + Send> {
    use std::os::fd::AsFd;
    Ok(Patient(std::fs::File::from(io::stdout().as_fd().try_clone_to_owned()?)))
}

#[cfg(not(unix))]
pub(super) fn open() -> io::Result<impl Write + Send> {
    Ok(io::stdout())
}

/// Waits where others have made the descriptor one that does not, as some shells and SSH do.
#[cfg(unix)]
struct Patient<D>(D);

#[cfg(unix)]
impl<D: Write + std::os::fd::AsFd> Write for Patient<D> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        use rustix::event::{PollFd, PollFlags, poll};
        loop {
            match self.0.write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    match poll(&mut [PollFd::new(&self.0, PollFlags::OUT)], None) {
                        Ok(_) | Err(rustix::io::Errno::INTR) => {}
                        Err(error) => return Err(error.into()),
                    }
                }
                outcome => return outcome,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::io::Read;
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn a_descriptor_that_does_not_block_is_waited_for() {
        let (mut reader, writer) = UnixStream::pair().unwrap();
        writer.set_nonblocking(true).unwrap();
        let sent = vec![7; 4 << 20];
        let expected = sent.clone();
        let writing = std::thread::spawn(move || Patient(writer).write_all(&sent));
        let mut received = Vec::new();
        reader.read_to_end(&mut received).unwrap();
        writing.join().unwrap().unwrap();
        assert!(received == expected);
    }
}
