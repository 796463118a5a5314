//! Lines that go out: to stdout, or back to a writer on a socket.
//!
//! Nobody who hands a line in waits. Lines wait in a queue with a bound in bytes for a thread that writes them, which is
//! started with the first one: who is never written to costs nothing. What finds no room is left out; once there is room
//! again a line says how many those were. A write that fails is the end.

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, Write};
#[cfg(unix)]
use std::os::fd::AsFd;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use crate::hub::lock;
#[cfg(unix)]
use crate::source::writable_within;

/// Bytes of lines that wait for stdout, unless a single one has more …
const LIMIT: usize = 8 << 20;

/// … and for each of many writers.
const WRITER_LIMIT: usize = 1 << 20;

/// What a line takes beside its bytes.
const LINE: usize = 64;

/// Bytes that are handed to one write: a pipe that is ready takes these without waiting (`PIPE_BUF` of Linux).
const AT_ONCE: usize = 4096;

/// Lines are joined up to about this.
const JOINED: usize = 64 << 10;

/// Where nothing can be written, it is looked for this often whether there is still somebody who wants it.
const LOOK: Duration = Duration::from_millis(50);

/// At the end, a reader that takes nothing is waited for this long …
const PATIENCE: Duration = Duration::from_millis(300);

/// … and one that takes lines slowly this long.
const LONGEST_PATIENCE: Duration = Duration::from_secs(2);

/// What lines can be written to: something whose descriptor can be waited for.
#[cfg(unix)]
pub trait Out: Write + AsFd + Send {}
#[cfg(unix)]
impl<T: Write + AsFd + Send> Out for T {}

/// What lines can be written to.
#[cfg(not(unix))]
pub trait Out: Write + Send {}
#[cfg(not(unix))]
impl<T: Write + Send> Out for T {}

/// Why a line is not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotSent {
    /// What was sent before has not been read.
    #[error("it does not read what it is sent")]
    Full,
    /// Nobody reads it any more.
    #[error("it has gone")]
    Closed,
}

/// The way out for lines; clones share it, and the last one closes it.
#[derive(Clone)]
pub struct Printer(Arc<Handle>);

/// Ends the thread, which has a share of the same state.
struct Handle(Arc<Shared>);

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.close();
    }
}

struct Shared {
    name: String,
    limit: usize,
    state: Mutex<State>,
    /// A line has come, lines were written, or it ends.
    changed: Condvar,
}

struct State {
    /// Until the thread takes it.
    out: Option<Box<dyn Out>>,
    lines: VecDeque<Vec<u8>>,
    /// Of lines that wait or are being written.
    bytes: usize,
    /// Lines that found no room since the last one that did.
    dropped: u64,
    phase: Phase,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Open,
    /// What waits is still written, as far as it is read.
    Ending,
    Ended,
}

impl Printer {
    /// Writes to `out`, by a thread; `name` is what people know it by. 8 MiB of lines can wait.
    pub fn new(name: impl Into<String>, out: impl Out + 'static) -> Self {
        Self::with_limit(name.into(), LIMIT, Box::new(out))
    }

    /// The way back to a writer on a socket. 1 MiB of lines can wait.
    pub(super) fn to_writer(name: String, out: impl Out + 'static) -> Self {
        Self::with_limit(name, WRITER_LIMIT, Box::new(out))
    }

    fn with_limit(name: String, limit: usize, out: Box<dyn Out>) -> Self {
        let state =
            State { out: Some(out), lines: VecDeque::new(), bytes: 0, dropped: 0, phase: Phase::Open };
        let shared = Shared { name, limit, state: Mutex::new(state), changed: Condvar::new() };
        Self(Arc::new(Handle(Arc::new(shared))))
    }

    /// What people know it by.
    pub fn name(&self) -> &str {
        &self.shared().name
    }

    /// Sends a line, which is text without a newline; one that finds no room is counted.
    pub(super) fn print(&self, line: Vec<u8>) {
        if self.offer(line) == Err(NotSent::Full) {
            lock(&self.shared().state).dropped += 1;
        }
    }

    /// Sends a line, if there is room for it.
    pub(super) fn offer(&self, mut line: Vec<u8>) -> Result<(), NotSent> {
        line.push(b'\n');
        let mut state = lock(&self.shared().state);
        if state.phase != Phase::Open {
            return Err(NotSent::Closed);
        }
        if state.bytes > 0 && state.bytes + line.len() + LINE > self.shared().limit {
            return Err(NotSent::Full);
        }
        let dropped = std::mem::take(&mut state.dropped);
        if dropped > 0 {
            state.push(format!("{{\"op\":\"dropped\",\"count\":{dropped}}}\n").into());
        }
        state.push(line);
        if let Some(out) = state.out.take() {
            let shared = self.shared().clone();
            let thread = std::thread::Builder::new().name("printer".into());
            if let Err(error) = thread.spawn(move || shared.run(out)) {
                tracing::warn!("{}: no thread to write lines: {error}", self.shared().name);
                state.end();
                return Err(NotSent::Closed);
            }
        }
        drop(state);
        self.shared().changed.notify_all();
        Ok(())
    }

    /// Ends it: no line is taken any more, and what waits is written as far as it is read. Waits for that, though not for
    /// long.
    pub fn close(&self) {
        self.shared().close();
    }

    fn shared(&self) -> &Arc<Shared> {
        &self.0.0
    }
}

impl fmt::Debug for Printer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Printer").field(&self.shared().name).finish()
    }
}

impl State {
    fn push(&mut self, line: Vec<u8>) {
        self.bytes += line.len() + LINE;
        self.lines.push_back(line);
    }

    fn end(&mut self) {
        self.phase = Phase::Ended;
        self.lines.clear();
        self.bytes = 0;
    }
}

impl Shared {
    fn close(&self) {
        let mut state = lock(&self.state);
        if state.phase == Phase::Ended {
            return;
        }
        if state.out.take().is_some() {
            // there was nothing to write
            state.end();
            return;
        }
        state.phase = Phase::Ending;
        self.changed.notify_all();
        let waited =
            self.changed.wait_timeout_while(state, LONGEST_PATIENCE, |state| state.phase != Phase::Ended);
        waited.unwrap_or_else(PoisonError::into_inner).0.end();
    }

    fn run(&self, mut out: Box<dyn Out>) {
        while let Some((text, bytes)) = self.next() {
            if let Err(error) = self.write(&mut *out, &text) {
                let name = &self.name;
                match error.kind() {
                    // writers come and go as they like
                    _ if self.limit == WRITER_LIMIT => {
                        tracing::debug!("{name}: {error}; no more lines go there")
                    }
                    io::ErrorKind::BrokenPipe => tracing::info!("{name} was closed: no more lines go there"),
                    io::ErrorKind::TimedOut => tracing::debug!("{name}: not all lines were read"),
                    _ => tracing::warn!("{name}: {error}; no more lines go there"),
                }
                break;
            }
            let mut state = lock(&self.state);
            state.bytes = state.bytes.saturating_sub(bytes);
        }
        lock(&self.state).end();
        self.changed.notify_all();
    }

    /// Waits for lines: some of them joined, and the room that they take. None at the end.
    fn next(&self) -> Option<(Vec<u8>, usize)> {
        let waiting = |state: &mut State| state.lines.is_empty() && state.phase == Phase::Open;
        let waited = self.changed.wait_while(lock(&self.state), waiting);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner);
        let mut text = state.lines.pop_front()?;
        let mut bytes = text.len() + LINE;
        while state.lines.front().is_some_and(|line| text.len() + line.len() <= JOINED) {
            let Some(line) = state.lines.pop_front() else { break };
            bytes += line.len() + LINE;
            text.extend_from_slice(&line);
        }
        Some((text, bytes))
    }

    fn write(&self, out: &mut dyn Out, mut text: &[u8]) -> io::Result<()> {
        let mut stalled = Duration::ZERO;
        while !text.is_empty() {
            let written = match ready(out) {
                Ok(true) => out.write(&text[..text.len().min(AT_ONCE)]),
                Ok(false) => Err(io::ErrorKind::WouldBlock.into()),
                Err(error) => Err(error),
            };
            match written {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => {
                    text = &text[count..];
                    stalled = Duration::ZERO;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                    match lock(&self.state).phase {
                        Phase::Open => {}
                        Phase::Ending if stalled < PATIENCE => stalled += LOOK,
                        Phase::Ending | Phase::Ended => return Err(io::ErrorKind::TimedOut.into()),
                    }
                }
                Err(error) => return Err(error),
            }
        }
        out.flush()
    }
}

/// Waits a moment until something can be written.
#[cfg(unix)]
fn ready(out: &dyn Out) -> io::Result<bool> {
    writable_within(out.as_fd(), LOOK)
}

/// The write itself waits.
#[cfg(not(unix))]
fn ready(_out: &dyn Out) -> io::Result<bool> {
    Ok(true)
}

#[cfg(test)]
mod tests;
