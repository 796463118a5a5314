//! A console that hands over each key at once.

use std::io::{self, IsTerminal};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use crossterm::terminal;

use super::{From, Key};

/// Whether the console hands over single keys.
static RAW: AtomicBool = AtomicBool::new(false);

/// A console whose keys are read.
pub(super) struct Terminal;

impl Terminal {
    pub(super) fn open(from: From) -> io::Result<Option<Self>> {
        if from == From::BesideStdin || !io::stdin().is_terminal() {
            return Ok(None);
        }
        terminal::enable_raw_mode()?;
        RAW.store(true, Ordering::Relaxed);
        Ok(Some(Self))
    }

    /// Waits for a key, at most so long.
    pub(super) fn next(&mut self, patience: Duration) -> io::Result<Option<Vec<Key>>> {
        if !event::poll(patience)? {
            return Ok(Some(Vec::new()));
        }
        let Event::Key(key) = event::read()? else { return Ok(Some(Vec::new())) };
        if key.kind == KeyEventKind::Release {
            return Ok(Some(Vec::new()));
        }
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            // no signal here
            let quit = matches!(key.code, KeyCode::Char('c' | 'C'));
            return Ok(Some(quit.then_some(Key::Char('q')).into_iter().collect()));
        }
        let key = match key.code {
            KeyCode::Char(key) => Key::Char(key),
            KeyCode::Left => Key::Left,
            KeyCode::Right => Key::Right,
            KeyCode::Up => Key::Up,
            KeyCode::Down => Key::Down,
            _ => return Ok(Some(Vec::new())),
        };
        Ok(Some(vec![key]))
    }
}

/// The console becomes again what it was before keys were read.
pub(crate) fn restore() {
    if RAW.swap(false, Ordering::Relaxed)
        && let Err(error) = terminal::disable_raw_mode()
    {
        tracing::debug!("the console could not be restored: {error}");
    }
}
