//! Single keys on a terminal, to control playback and to save.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use foxglove_bridge::hub::capability::playback::{Command, LoopChange, PlaybackRequest, RateChange, Seek};

#[cfg(not(unix))]
#[path = "other.rs"]
mod terminal;
#[cfg(unix)]
#[path = "unix.rs"]
mod terminal;

use terminal::Terminal;
pub(crate) use terminal::restore;

/// How long a stop may take to be noticed.
const POLL: Duration = Duration::from_millis(100);

/// How far an arrow key seeks, in ns.
const SEEK: i64 = 5_000_000_000;

/// What `?` shows.
pub(crate) const HELP: &str = "\
Keys:
  space  pause, play        .    one message
  ← →    5 s back, on       ↑ ↓  faster, slower
  l      loop               s    save what --keep holds
  ?      these keys         q    quit";

/// The same where nothing is played: live input is sent as it comes.
pub(crate) const HELP_LIVE: &str = "\
Keys:
  s      save what --keep holds
  ?      these keys         q      quit
Live input is sent as it comes: it can't be paused, sought or repeated.";

/// A key that may mean something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    Char(char),
    Left,
    Right,
    Up,
    Down,
}

/// What a key asks for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Action {
    /// Something of playback.
    Playback(PlaybackRequest),
    /// Save what is kept.
    Save,
    /// Show the keys.
    Help,
    /// End the program.
    Quit,
}

/// What a key means.
fn action(key: Key) -> Option<Action> {
    let request = match key {
        Key::Char(' ') => Command::Toggle.into(),
        Key::Char('.') => Command::Step { count: 1, topic: None }.into(),
        Key::Left => Seek::By(-SEEK).into(),
        Key::Right => Seek::By(SEEK).into(),
        Key::Up => RateChange::By(2.0).into(),
        Key::Down => RateChange::By(0.5).into(),
        Key::Char('l' | 'L') => LoopChange::Toggle.into(),
        Key::Char('s' | 'S') => return Some(Action::Save),
        Key::Char('?' | 'h' | 'H') => return Some(Action::Help),
        Key::Char('q' | 'Q') => return Some(Action::Quit),
        Key::Char(_) => return None,
    };
    Some(Action::Playback(request))
}

/// Whose keys are listened to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum From {
    /// stdin, if it is a terminal.
    Stdin,
    /// The terminal that controls this program and shows what it logs, unless data is typed there.
    BesideStdin,
}

/// Listens to keys while it lives.
#[derive(Debug)]
pub(crate) struct Keyboard {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Keyboard {
    /// Calls `on_action` on a thread of its own for each key that means something, whenever this program is in the
    /// foreground of its terminal. None where there is no terminal.
    pub(crate) fn listen(
        from: From,
        mut on_action: impl FnMut(Action) + Send + 'static,
    ) -> io::Result<Option<Self>> {
        let Some(mut terminal) = Terminal::open(from)? else { return Ok(None) };
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::Builder::new().name("keyboard".to_owned()).spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                match terminal.next(POLL) {
                    Ok(Some(keys)) => keys.into_iter().filter_map(action).for_each(&mut on_action),
                    Ok(None) => return,
                    Err(error) => {
                        tracing::warn!("keys are no longer read: {error}");
                        return;
                    }
                }
            }
        })?;
        Ok(Some(Self { stop, thread: Some(thread) }))
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
        restore();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_mean_what_the_help_says() {
        let asks = |key, request: PlaybackRequest| assert_eq!(action(key), Some(Action::Playback(request)));
        asks(Key::Char(' '), Command::Toggle.into());
        asks(Key::Char('.'), Command::Step { count: 1, topic: None }.into());
        asks(Key::Left, Seek::By(-5_000_000_000).into());
        asks(Key::Right, Seek::By(5_000_000_000).into());
        asks(Key::Up, RateChange::By(2.0).into());
        asks(Key::Down, RateChange::By(0.5).into());
        asks(Key::Char('l'), LoopChange::Toggle.into());
        assert_eq!(action(Key::Char('s')), Some(Action::Save));
        assert_eq!(action(Key::Char('?')), Some(Action::Help));
        assert_eq!(action(Key::Char('q')), Some(Action::Quit));
        assert_eq!(action(Key::Char('x')), None);
    }

    #[test]
    fn every_key_is_in_the_help_of_serve() {
        assert!(crate::cli::args::SERVE_EXAMPLES.contains(HELP.trim_start_matches("Keys:\n")));
        for key in "space . ← → ↑ ↓ l s ? q".split(' ') {
            assert!(HELP.contains(key), "{key}");
        }
    }
}
