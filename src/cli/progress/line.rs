//! A line of figures that fits the terminal, with a bar in its middle.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle, TermLike};

/// A bar with fewer columns shows nothing.
const SHORTEST_BAR: usize = 8;

/// How much is done of something.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Share {
    pub(super) done: u64,
    pub(super) total: u64,
}

/// A figure of the line.
pub(crate) struct Part {
    /// The least is left out first.
    rank: u8,
    is_left: bool,
    text: String,
}

impl Part {
    /// On the left.
    pub(crate) fn left(rank: u8, text: String) -> Self {
        Self { rank, is_left: true, text }
    }

    /// On the right.
    pub(crate) fn right(rank: u8, text: String) -> Self {
        Self { rank, is_left: false, text }
    }
}

/// As many parts as fit, with a bar between left and right if there is room and a share for it.
pub(crate) fn fitted(mut parts: Vec<Part>, share: Option<Share>, columns: usize) -> String {
    // the last column stays free: some terminals begin a new line after it
    let columns = columns.saturating_sub(1);
    let width = |parts: &[Part]| parts.iter().map(|part| part.text.chars().count() + 2).sum::<usize>();
    while parts.len() > 1 && width(&parts) > columns + 2 {
        let least = parts.iter().enumerate().min_by_key(|(_, part)| part.rank);
        let Some(least) = least.map(|(index, _)| index) else { break };
        parts.remove(least);
    }
    let room = columns.saturating_sub(width(&parts));
    let joined = |is_left| {
        let texts = parts.iter().filter(|part| part.is_left == is_left).map(|part| part.text.as_str());
        texts.collect::<Vec<_>>().join("  ")
    };
    match share.filter(|_| room >= SHORTEST_BAR) {
        Some(share) => with_bar(joined(true), joined(false), share, columns),
        None => {
            let texts: Vec<_> = parts.iter().map(|part| part.text.as_str()).collect();
            texts.join("  ").chars().take(columns).collect()
        }
    }
}

/// The line with a bar between its two texts.
fn with_bar(left: String, right: String, share: Share, columns: usize) -> String {
    let canvas = Canvas { columns, line: Arc::default() };
    let target = ProgressDrawTarget::term_like(Box::new(canvas.clone()));
    let bar = ProgressBar::with_draw_target(Some(share.total.max(1)), target)
        .with_style(style())
        .with_position(share.done)
        .with_prefix(left)
        .with_message(right);
    bar.tick();
    canvas.line().trim_end().to_owned()
}

fn style() -> ProgressStyle {
    let style = ProgressStyle::with_template("{prefix}  {wide_bar}  {msg}");
    style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("━╸─")
}

/// What a bar is drawn on: a line in memory, as only the thread that logs may wait for the terminal.
#[derive(Debug, Clone)]
struct Canvas {
    columns: usize,
    line: Arc<Mutex<String>>,
}

impl Canvas {
    fn line(&self) -> MutexGuard<'_, String> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TermLike for Canvas {
    fn width(&self) -> u16 {
        u16::try_from(self.columns).unwrap_or(u16::MAX)
    }

    fn move_cursor_up(&self, _lines: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_down(&self, _lines: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_right(&self, _columns: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_left(&self, _columns: usize) -> io::Result<()> {
        Ok(())
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.write_str(text)
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        self.line().push_str(text.trim_start_matches('\r'));
        Ok(())
    }

    fn clear_line(&self) -> io::Result<()> {
        self.line().clear();
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_long_as_the_share_that_was_played() {
        let bar = |done| with_bar("a".to_owned(), "b".to_owned(), Share { done, total: 2 }, 14);
        assert_eq!(bar(0), "a  ────────  b");
        assert_eq!(bar(1), "a  ━━━━╸───  b");
        assert_eq!(bar(2), "a  ━━━━━━━━  b");
    }
}
