//! What is written to stderr, on a thread of its own.
//!
//! A terminal that takes nothing (Ctrl-S, `| less`, a stalled connection) blocks that thread and nobody else: lines
//! wait in a queue of [`LIMIT`] bytes, what comes beyond is left out and counted. A stderr that is closed takes
//! nothing any more, and that is no failure. The progress bar is the last line: only its newest state is kept, and
//! lines appear above it.

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use foxglove_bridge::internals::is_harmless;
use jiff::Timestamp;
use serde_json::{Map, Value};
use tracing_subscriber::fmt::MakeWriter;

use super::LogFormat;

use crate::cli::progress::columns;

mod stderr;

/// Bytes of lines that wait to be written.
const LIMIT: usize = 1 << 20;

/// A program that ends waits this long for a terminal that takes nothing …
const PATIENCE: Duration = Duration::from_millis(300);

/// … and this long for one that takes lines slowly.
const LONGEST_PATIENCE: Duration = Duration::from_secs(2);

/// In the background, whether the bar may be drawn again is looked for this often.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// Clears the line that the cursor is in.
const CLEAR: &str = "\r\x1b[2K";

/// The same, one line further up.
const CLEAR_ABOVE: &str = "\x1b[1A\x1b[2K";

/// How important a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    /// For the user.
    Info,
    /// Something was left out.
    Warn,
    /// It failed.
    Error,
}

/// The way to stderr; clones share it. Nothing waits in it.
#[derive(Clone)]
pub(crate) struct LogOutput {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// There is something to write, or something was written.
    changed: Condvar,
}

#[derive(Default)]
struct State {
    format: LogFormat,
    lines: VecDeque<Vec<u8>>,
    bytes: usize,
    /// Lines that found no room since the last one that did.
    left_out: u64,
    bar: Option<String>,
    bar_changed: bool,
    /// The thread is writing.
    writing: bool,
    /// Counts what was written.
    written: u64,
}

impl LogOutput {
    /// Starts the thread that writes to stderr.
    pub(crate) fn start() -> io::Result<Self> {
        Self::start_with(stderr::write, stderr::owns_terminal, columns)
    }

    /// `write` is called with whole lines; while `may_draw` says no, the bar is not drawn. `columns`: of the terminal.
    fn start_with(
        mut write: impl FnMut(&[u8]) + Send + 'static,
        may_draw: impl Fn() -> bool + Send + 'static,
        columns: impl Fn() -> usize + Send + 'static,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let output = Self { shared: shared.clone() };
        std::thread::Builder::new().name("log".into()).spawn(move || {
            // characters of the bar that is on the screen
            let (mut drawn, mut hidden) = (None, false);
            loop {
                let Work { lines, bar } = shared.next(hidden);
                let mut text = Vec::new();
                if let Some(length) = drawn {
                    text.extend_from_slice(clear(length, columns()).as_bytes());
                }
                text.extend_from_slice(&lines);
                let shown = bar.as_ref().filter(|_| may_draw());
                hidden = bar.is_some() && shown.is_none();
                drawn = shown.map(|bar| bar.chars().count());
                text.extend_from_slice(shown.map_or("", String::as_str).as_bytes());
                write(&text);
            }
        })?;
        Ok(output)
    }

    /// From now on what is said is written in this form.
    pub(crate) fn set_format(&self, format: LogFormat) {
        self.shared.lock().format = format;
    }

    /// Writes something that does not depend on what is logged. As JSON it is an object with `message` and `fields`,
    /// as text it is `text`, which may have several lines.
    pub(crate) fn say(&self, level: Level, text: &str, message: &str, fields: &[(&str, &str)]) {
        let mut state = self.shared.lock();
        let line = rendered(state.format, level, text, message, fields);
        state.push(line);
        drop(state);
        self.shared.changed.notify_all();
    }

    /// Shows a bar below the lines, in the place of the one before; None: no bar. Between lines of JSON there is none.
    pub(crate) fn set_bar(&self, bar: Option<String>) {
        let mut state = self.shared.lock();
        let bar = bar.filter(|_| state.format == LogFormat::Text);
        if state.bar != bar {
            state.bar = bar;
            state.bar_changed = true;
            drop(state);
            self.shared.changed.notify_all();
        }
    }

    /// Draws the bar again: something else may have been written where it was.
    pub(crate) fn redraw(&self) {
        self.shared.lock().bar_changed = true;
        self.shared.changed.notify_all();
    }

    /// Waits until everything is written, but not for a terminal that takes nothing.
    pub(crate) fn flush(&self) {
        let mut state = self.shared.lock();
        let begin = Instant::now();
        let (mut progress, mut written) = (begin, state.written);
        while state.is_waiting() {
            let now = Instant::now();
            if state.written != written {
                (progress, written) = (now, state.written);
            }
            let Some(patience) =
                (progress + PATIENCE).min(begin + LONGEST_PATIENCE).checked_duration_since(now)
            else {
                return;
            };
            let waited = self.shared.changed.wait_timeout(state, patience + Duration::from_millis(1));
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl fmt::Debug for LogOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogOutput").finish_non_exhaustive()
    }
}

/// Clears a bar of this length. A terminal that has become narrower than it has made several lines of it.
fn clear(length: usize, columns: usize) -> String {
    let above = length.saturating_sub(1) / columns.max(1);
    CLEAR.to_owned() + &CLEAR_ABOVE.repeat(above)
}

/// What is written at once.
struct Work {
    lines: Vec<u8>,
    bar: Option<String>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// On the thread: waits for something to write. `hidden`: there is a bar that may be drawn before long.
    fn next(&self, hidden: bool) -> Work {
        let mut state = self.lock();
        if std::mem::take(&mut state.writing) {
            state.written += 1;
            self.changed.notify_all();
        }
        while state.lines.is_empty() && !state.bar_changed {
            let patience = if hidden { LOOK_AGAIN } else { Duration::MAX };
            let (waited, timeout) =
                self.changed.wait_timeout(state, patience).unwrap_or_else(PoisonError::into_inner);
            state = waited;
            if timeout.timed_out() {
                break;
            }
        }
        state.writing = true;
        state.bar_changed = false;
        state.bytes = 0;
        let mut lines: Vec<u8> = std::mem::take(&mut state.lines).into_iter().flatten().collect();
        let left_out = std::mem::take(&mut state.left_out);
        if left_out > 0 {
            let text = format!("{left_out} log lines were left out here: stderr was not read");
            lines.extend(rendered(state.format, Level::Warn, &text, &text, &[]));
        }
        Work { lines, bar: state.bar.clone() }
    }
}

impl State {
    fn push(&mut self, line: Vec<u8>) {
        if self.bytes + line.len() > LIMIT {
            self.left_out += 1;
        } else {
            self.bytes += line.len();
            self.lines.push_back(line);
        }
    }

    fn is_waiting(&self) -> bool {
        self.writing || self.bar_changed || !self.lines.is_empty()
    }
}

/// Takes one event, which the formatter hands over in one piece. Never fails: a program does not stop because nobody
/// reads what it logs.
impl Write for LogOutput {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut state = self.shared.lock();
        let one_line = if state.format == LogFormat::Text { one_line(line) } else { line.to_vec() };
        state.push(one_line);
        drop(state);
        self.shared.changed.notify_all();
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for LogOutput {
    type Writer = Self;

    fn make_writer(&'a self) -> Self::Writer {
        self.clone()
    }
}

/// An event as one line: what others wrote does not end it, nor controls the terminal. (The formatter has escaped the
/// escape characters within, those that are left are its colors.)
fn one_line(event: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(event);
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let mut line = String::with_capacity(text.len() + 1);
    for c in text.chars() {
        if is_harmless(c) || c == '\x1b' { line.push(c) } else { line.extend(c.escape_unicode()) }
    }
    line.push('\n');
    line.into_bytes()
}

fn rendered(format: LogFormat, level: Level, text: &str, message: &str, fields: &[(&str, &str)]) -> Vec<u8> {
    let mut line = match format {
        LogFormat::Text => text.trim_end().to_owned(),
        LogFormat::Json => {
            let level = match level {
                Level::Info => "INFO",
                Level::Warn => "WARN",
                Level::Error => "ERROR",
            };
            let now = Timestamp::now().to_string();
            let own = [("timestamp", now.as_str()), ("level", level), ("message", message)];
            let all = own.iter().chain(fields).map(|(name, value)| ((*name).to_owned(), Value::from(*value)));
            Value::Object(all.collect::<Map<_, _>>()).to_string()
        }
    };
    line.push('\n');
    line.into_bytes()
}

#[cfg(test)]
mod tests;
