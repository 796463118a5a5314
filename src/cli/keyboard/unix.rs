//! A terminal that hands over each key at once, while this program is in its foreground.
//!
//! Only echo and the wait for whole lines are switched off: Ctrl-C, Ctrl-Z and Ctrl-\ remain signals, for the whole
//! pipeline. In the background the terminal is neither read nor changed: the kernel would stop the program.

use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::os::fd::AsFd;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetpgrp, tcsetattr,
};

use super::{From, Key};

/// The terminal as it was before keys were read; None: it is as it was.
static SAVED: Mutex<Option<Saved>> = Mutex::new(None);

struct Saved {
    tty: File,
    modes: Termios,
}

fn saved() -> MutexGuard<'static, Option<Saved>> {
    SAVED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A terminal whose keys are read.
pub(super) struct Terminal {
    tty: File,
    keys: Keys,
}

impl Terminal {
    pub(super) fn open(from: From) -> io::Result<Option<Self>> {
        let stdin = io::stdin();
        let tty = match (stdin.is_terminal(), from) {
            (true, From::Stdin) => File::from(stdin.as_fd().try_clone_to_owned()?),
            // where nothing is shown on the terminal nobody expects keys there
            (false, From::BesideStdin) if io::stderr().is_terminal() => {
                match File::options().read(true).write(true).open("/dev/tty") {
                    Ok(tty) => tty,
                    // no terminal controls it
                    Err(_) => return Ok(None),
                }
            }
            _ => return Ok(None),
        };
        Ok(Some(Self { tty, keys: Keys::default() }))
    }

    /// Waits for keys, at most so long; None: the terminal is closed.
    pub(super) fn next(&mut self, patience: Duration) -> io::Result<Option<Vec<Key>>> {
        if !in_foreground(&self.tty) {
            // whose turn it is has set the modes that it wants
            *saved() = None;
            thread::sleep(patience);
            return Ok(Some(Vec::new()));
        }
        self.enter()?;
        let patience = Timespec::try_from(patience).unwrap_or_default();
        match poll(&mut [PollFd::new(&self.tty, PollFlags::IN)], Some(&patience)) {
            Ok(0) | Err(Errno::INTR) => {
                self.keys.forget_start();
                return Ok(Some(Vec::new()));
            }
            Ok(_) => {}
            Err(error) => return Err(error.into()),
        }
        if !in_foreground(&self.tty) {
            return Ok(Some(Vec::new()));
        }
        let mut bytes = [0; 64];
        match self.tty.read(&mut bytes) {
            Ok(0) => Ok(None),
            Ok(length) => Ok(Some(self.keys.take(&bytes[..length]))),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(Some(Vec::new())),
            Err(error) if Errno::from_io_error(&error) == Some(Errno::IO) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Switches to single keys, unless that was done.
    fn enter(&self) -> io::Result<()> {
        let mut saved = saved();
        if saved.is_none() {
            let before = tcgetattr(&self.tty)?;
            let mut modes = before.clone();
            modes.local_modes &= !(LocalModes::ICANON | LocalModes::ECHO);
            modes.special_codes[SpecialCodeIndex::VMIN] = 1;
            modes.special_codes[SpecialCodeIndex::VTIME] = 0;
            let tty = self.tty.try_clone()?;
            tcsetattr(&self.tty, OptionalActions::Now, &modes)?;
            *saved = Some(Saved { tty, modes: before });
        }
        Ok(())
    }
}

/// The terminal becomes again what it was before keys were read.
pub(crate) fn restore() {
    if let Some(Saved { tty, modes }) = saved().take()
        && in_foreground(&tty)
        && let Err(error) = tcsetattr(&tty, OptionalActions::Now, &modes)
    {
        tracing::debug!("the terminal could not be restored, `reset` does it: {error}");
    }
}

fn in_foreground(tty: &File) -> bool {
    tcgetpgrp(tty).is_ok_and(|group| group == rustix::process::getpgrp())
}

/// Bytes of a terminal to keys. What begins a sequence is kept until the rest of it comes.
#[derive(Debug, Default)]
struct Keys {
    start: Vec<u8>,
}

impl Keys {
    fn take(&mut self, bytes: &[u8]) -> Vec<Key> {
        let mut keys = Vec::new();
        self.start.extend_from_slice(bytes);
        let mut rest = self.start.as_slice();
        while let [first, after @ ..] = rest {
            rest = match (first, after) {
                (0x1B, []) | (0x1B, [b'O']) => break,
                (0x1B, [b'O' | b'[', b'A'..=b'D', after @ ..]) => {
                    keys.push(match rest[2] {
                        b'A' => Key::Up,
                        b'B' => Key::Down,
                        b'C' => Key::Right,
                        _ => Key::Left,
                    });
                    after
                }
                // other keys, up to the last byte of their sequence
                (0x1B, [b'[', after @ ..]) => {
                    match after.iter().position(|byte| (0x40..=0x7E).contains(byte)) {
                        Some(last) => &after[last + 1..],
                        None if after.len() > 16 => &[],
                        None => break,
                    }
                }
                (0x1B, [_, after @ ..]) => after,
                (first, after) => {
                    if first.is_ascii_graphic() || *first == b' ' {
                        keys.push(Key::Char(char::from(*first)));
                    }
                    after
                }
            };
        }
        self.start = rest.to_vec();
        keys
    }

    /// Nothing followed: it was the key Esc.
    fn forget_start(&mut self) {
        self.start.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrows_are_keys_however_they_arrive() {
        let mut keys = Keys::default();
        assert_eq!(keys.take(b"l\x1b[A\x1bOB"), [Key::Char('l'), Key::Up, Key::Down]);
        assert_eq!(keys.take(b"\x1b"), []);
        assert_eq!(keys.take(b"["), []);
        assert_eq!(keys.take(b"C\x1b[D "), [Key::Right, Key::Left, Key::Char(' ')]);
        assert!(keys.start.is_empty());
    }

    #[test]
    fn what_is_no_key_means_nothing() {
        let mut keys = Keys::default();
        // Ctrl-right, F5, Alt-q, a letter of two bytes, Return, Ctrl-D
        assert_eq!(keys.take(b"\x1b[1;5C\x1b[15~\x1bq\xc3\xa4\r\x04"), []);
        keys.take(b"\x1b");
        keys.forget_start();
        assert_eq!(keys.take(b"q"), [Key::Char('q')]);
    }
}
