//! The bars on stderr: one while playing, one while a damaged file is scanned. Each is one line that fits the
//! terminal: where it is narrow, what matters least is left out.

use std::io::{self, IsTerminal};
use std::time::Duration;

mod line;
mod play;
mod scan;
mod throughput;

pub(crate) use line::{Part, Share, fitted};
pub(crate) use play::PlayBar;
pub(crate) use scan::ScanBar;
pub(crate) use throughput::Throughput;

/// How often [`PlayBar::update`] is worth calling.
pub(crate) const REFRESH: Duration = Duration::from_millis(100);

/// Whether bars can be shown at all.
pub(crate) fn on_terminal() -> bool {
    io::stderr().is_terminal()
}

/// Columns of the terminal that stderr is.
pub(crate) fn columns() -> usize {
    #[cfg(unix)]
    let columns = rustix::termios::tcgetwinsize(io::stderr()).map(|size| size.ws_col);
    #[cfg(not(unix))]
    let columns = crossterm::terminal::size().map(|(columns, _)| columns);
    // some terminals don't know
    match columns {
        Ok(columns @ 1..) => columns.into(),
        Ok(0) | Err(_) => 80,
    }
}
