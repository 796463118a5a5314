//! Single keys on a terminal, to control playback.
//!
//! crossterm's raw mode also stops the terminal from turning `\n` into a new line at its start, so log lines would
//! run down like stairs. [`RawMode`] switches that back on: only input is raw.

use std::io::{self, IsTerminal};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Once};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use crossterm::terminal;
use foxglove_bridge::hub::capability::playback::{Command, LoopChange, PlaybackRequest, RateChange, Seek};

/// How long a stop may take to be noticed.
const POLL: Duration = Duration::from_millis(100);

/// How far an arrow key seeks, in ns.
const SEEK: i64 = 5_000_000_000;

/// What a key asks for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Action {
    /// Something of playback.
    Playback(PlaybackRequest),
    /// End the program.
    Quit,
}

/// What a key means.
pub(crate) fn action(key: KeyEvent) -> Option<Action> {
    if key.kind == KeyEventKind::Release {
        return None;
    }
    if key.modifiers.contains(KeyModifiers::CONTROL) {
        // raw input: the terminal does not make a signal of Ctrl-C
        return matches!(key.code, KeyCode::Char('c' | 'C')).then_some(Action::Quit);
    }
    let request = match key.code {
        KeyCode::Char(' ') => Command::Toggle.into(),
        KeyCode::Char('.') => Command::Step { count: 1, topic: None }.into(),
        KeyCode::Left => Seek::By(-SEEK).into(),
        KeyCode::Right => Seek::By(SEEK).into(),
        KeyCode::Up => RateChange::By(2.0).into(),
        KeyCode::Down => RateChange::By(0.5).into(),
        KeyCode::Char('l' | 'L') => LoopChange::Toggle.into(),
        KeyCode::Char('q' | 'Q') => return Some(Action::Quit),
        _ => return None,
    };
    Some(Action::Playback(request))
}

/// Listens to keys while it lives.
#[derive(Debug)]
pub(crate) struct Keyboard {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    /// Dropped after the thread was joined.
    _raw: RawMode,
}

impl Keyboard {
    /// Calls `on_action` on a thread of its own for each key that means something. None where no keys can be read:
    /// stdin is not a terminal, or belongs to another program at the moment (this one runs in the background).
    pub(crate) fn listen(mut on_action: impl FnMut(Action) + Send + 'static) -> io::Result<Option<Self>> {
        if !io::stdin().is_terminal() || !in_foreground() {
            return Ok(None);
        }
        let raw = RawMode::enter()?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::Builder::new().name("keyboard".to_owned()).spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                match next_key() {
                    Ok(Some(key)) => {
                        if let Some(action) = action(key) {
                            on_action(action);
                        }
                    }
                    Ok(None) => {}
                    Err(error) => {
                        tracing::warn!("keys are no longer read: {error}");
                        return;
                    }
                }
            }
        })?;
        Ok(Some(Self { stop, thread: Some(thread), _raw: raw }))
    }
}

impl Drop for Keyboard {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the keyboard's thread panicked");
        }
    }
}

fn next_key() -> io::Result<Option<KeyEvent>> {
    if !event::poll(POLL)? {
        return Ok(None);
    }
    match event::read()? {
        Event::Key(key) => Ok(Some(key)),
        _ => Ok(None),
    }
}

/// The terminal hands over each key at once while this lives; restored on drop, and before a panic is reported.
#[derive(Debug)]
struct RawMode;

impl RawMode {
    fn enter() -> io::Result<Self> {
        static RESTORE_ON_PANIC: Once = Once::new();
        RESTORE_ON_PANIC.call_once(|| {
            let report = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |panic| {
                restore();
                report(panic);
            }));
        });
        terminal::enable_raw_mode()?;
        // made first: if the next line fails, the mode is restored
        let raw = Self;
        cook_output()?;
        Ok(raw)
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        restore();
    }
}

fn restore() {
    if let Err(error) = terminal::disable_raw_mode() {
        tracing::warn!("the terminal could not be restored, `reset` does it: {error}");
    }
}

#[cfg(unix)]
fn cook_output() -> io::Result<()> {
    use rustix::termios::{OptionalActions, OutputModes, tcgetattr, tcsetattr};

    let stdin = io::stdin();
    let mut modes = tcgetattr(&stdin)?;
    modes.output_modes |= OutputModes::OPOST | OutputModes::ONLCR;
    tcsetattr(&stdin, OptionalActions::Now, &modes)?;
    Ok(())
}

/// On Windows raw mode concerns input alone.
#[cfg(not(unix))]
fn cook_output() -> io::Result<()> {
    Ok(())
}

/// A program in the background that changes the terminal's mode is stopped by the kernel.
#[cfg(unix)]
fn in_foreground() -> bool {
    rustix::termios::tcgetpgrp(io::stdin()).is_ok_and(|group| group == rustix::process::getpgrp())
}

#[cfg(not(unix))]
fn in_foreground() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(code: KeyCode) -> Option<Action> {
        action(KeyEvent::new(code, KeyModifiers::NONE))
    }

    #[test]
    fn keys_mean_what_the_help_says() {
        let asks = |code, request: PlaybackRequest| assert_eq!(press(code), Some(Action::Playback(request)));
        asks(KeyCode::Char(' '), Command::Toggle.into());
        asks(KeyCode::Char('.'), Command::Step { count: 1, topic: None }.into());
        asks(KeyCode::Left, Seek::By(-5_000_000_000).into());
        asks(KeyCode::Right, Seek::By(5_000_000_000).into());
        asks(KeyCode::Up, RateChange::By(2.0).into());
        asks(KeyCode::Down, RateChange::By(0.5).into());
        asks(KeyCode::Char('l'), LoopChange::Toggle.into());
        assert_eq!(press(KeyCode::Char('q')), Some(Action::Quit));
        assert_eq!(press(KeyCode::Char('x')), None);
        assert_eq!(press(KeyCode::Enter), None);
    }

    #[test]
    fn control_c_quits_and_no_other_control_key_does_anything() {
        let control = |c| action(KeyEvent::new(KeyCode::Char(c), KeyModifiers::CONTROL));
        assert_eq!(control('c'), Some(Action::Quit));
        assert_eq!(control('l'), None);
    }

    #[test]
    fn letting_go_of_a_key_is_not_pressing_it() {
        let release = KeyEvent::new_with_kind(KeyCode::Char('q'), KeyModifiers::NONE, KeyEventKind::Release);
        assert_eq!(action(release), None);
    }
}
