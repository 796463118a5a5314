//! The bars on stderr: one while playing, one while a damaged file is scanned. Each is one line that fits the
//! terminal: where it is narrow, what matters least is left out.

use std::collections::VecDeque;
use std::io::{self, IsTerminal};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::cli::figures::bytes;
use crate::cli::logging::LogOutput;
use foxglove_bridge::hub::stats::{Activity, Snapshot};
use foxglove_bridge::internals::printable;
use foxglove_bridge::source::summary::ScanProgress;
use foxglove_bridge::time::{Timestamp, duration_text};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle, TermLike};

/// How often [`PlayBar::update`] is worth calling.
pub(crate) const REFRESH: Duration = Duration::from_millis(100);
/// The rates shown are the mean of this time: short enough to follow, long enough to read.
const RATE_WINDOW: Duration = Duration::from_secs(1);
/// A scan that is over sooner shows nothing.
const PATIENCE: Duration = Duration::from_millis(300);
/// A bar with fewer columns shows nothing.
const SHORTEST_BAR: usize = 8;
/// The position has a date in recordings that are longer.
const DAY: Duration = Duration::from_secs(24 * 3600);

/// Whether bars can be shown at all.
pub(crate) fn on_terminal() -> bool {
    io::stderr().is_terminal()
}

/// Time, speed, clients and data rates while playing; log lines appear above it. Cleared on drop.
#[derive(Debug)]
pub(crate) struct PlayBar {
    log: LogOutput,
    bytes: Throughput,
    messages: Throughput,
}

impl PlayBar {
    /// For stderr that is a terminal.
    pub(crate) fn new(log: &LogOutput) -> Self {
        Self { log: log.clone(), bytes: Throughput::default(), messages: Throughput::default() }
    }

    /// Shows the figures of a moment.
    pub(crate) fn update(&mut self, snapshot: &Snapshot, now: Instant) {
        let bytes_per_second = self.bytes.measure(snapshot.bytes_sent, now);
        let messages_per_second = self.messages.measure(snapshot.messages_received, now);
        let parts = parts(snapshot, bytes_per_second, messages_per_second);
        self.log.set_bar(Some(fitted(parts, progress(snapshot), columns())));
    }
}

impl Drop for PlayBar {
    fn drop(&mut self) {
        self.log.set_bar(None);
    }
}

/// How much of a file has been scanned; appears only if that takes a while. Cleared on drop.
#[derive(Debug)]
pub(crate) struct ScanBar {
    name: String,
    log: LogOutput,
    next: Instant,
    shown: bool,
}

impl ScanBar {
    /// Starts to count the time; `name` is the file's.
    pub(crate) fn new(name: &str, log: &LogOutput) -> Self {
        Self { name: name.to_owned(), log: log.clone(), next: Instant::now() + PATIENCE, shown: false }
    }

    /// Shows how far the scan has come, if it has taken long enough and stderr is a terminal.
    pub(crate) fn update(&mut self, progress: ScanProgress) {
        let now = Instant::now();
        if now < self.next || !on_terminal() {
            return;
        }
        self.next = now + REFRESH;
        self.shown = true;
        let columns = columns();
        let megabytes = |bytes: u64| bytes as f64 / 1e6;
        let name = format!("scanning {}", printable(&self.name, columns / 3));
        let done = format!("{:.1} of {:.1} MB", megabytes(progress.done), megabytes(progress.total));
        let parts = vec![Part::left(1, name), Part::right(2, done)];
        let share = Share { done: progress.done, total: progress.total };
        self.log.set_bar(Some(fitted(parts, Some(share), columns)));
    }
}

impl Drop for ScanBar {
    fn drop(&mut self) {
        if self.shown {
            self.log.set_bar(None);
        }
    }
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

/// How much is done of something.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Share {
    done: u64,
    total: u64,
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

/// How many a second over the last [`RATE_WINDOW`].
#[derive(Debug, Default)]
pub(crate) struct Throughput {
    samples: VecDeque<(Instant, u64)>,
}

impl Throughput {
    /// The rate, now that there are so many.
    pub(crate) fn measure(&mut self, count: u64, now: Instant) -> f64 {
        self.samples.push_back((now, count));
        while self.samples.len() > 2 && now.duration_since(self.samples[1].0) >= RATE_WINDOW {
            self.samples.pop_front();
        }
        let (then, before) = self.samples[0];
        let seconds = now.duration_since(then).as_secs_f64();
        if seconds > 0.0 { count.saturating_sub(before) as f64 / seconds } else { 0.0 }
    }
}

/// Nanoseconds played, and in all.
fn played(snapshot: &Snapshot) -> (u64, u64) {
    match (snapshot.position, snapshot.range) {
        (Some(position), Some(range)) => {
            (range.clamp(position).nanos() - range.start.nanos(), range.end.nanos() - range.start.nanos())
        }
        _ => (0, 0),
    }
}

/// How much has been played; None for what has no length.
fn progress(snapshot: &Snapshot) -> Option<Share> {
    snapshot.speed.and(snapshot.range)?;
    let (done, total) = played(snapshot);
    // what takes no time is always at its end
    Some(if total == 0 { Share { done: 1, total: 1 } } else { Share { done, total } })
}

fn parts(snapshot: &Snapshot, bytes_per_second: f64, messages_per_second: f64) -> Vec<Part> {
    let activity = match (snapshot.speed, snapshot.activity) {
        (None, Activity::Ended) => "input ended",
        (None, _) => "live",
        (Some(_), Activity::Waiting) => "waiting for a viewer",
        (Some(_), Activity::Playing) => "playing",
        (Some(_), Activity::Paused) => "paused",
        (Some(_), Activity::Ended) => "ended",
    };
    let (done, total) = played(snapshot);
    let (done, total) = (Duration::from_nanos(done), Duration::from_nanos(total));
    let mut parts = vec![Part::left(9, activity.to_owned())];
    parts.extend(
        snapshot.speed.map(|speed| {
            Part::left(6, if speed.is_finite() { format!("{speed}x") } else { "max".to_owned() })
        }),
    );
    parts.extend(snapshot.position.map(|position| Part::left(4, clock(position, total > DAY))));
    match (snapshot.speed, snapshot.range) {
        (None, _) => {
            parts.push(Part::right(3, format!("{} messages in", snapshot.messages_received)));
            parts.push(Part::right(8, format!("{messages_per_second:.0} messages/s")));
        }
        (Some(_), Some(_)) => {
            parts.push(Part::right(8, format!("{} of {}", duration_text(done), duration_text(total))))
        }
        (Some(_), None) => {}
    }
    if snapshot.looping {
        parts.push(Part::right(3, "loop".to_owned()));
    }
    let clients = if snapshot.clients == 1 { "client" } else { "clients" };
    parts.push(Part::right(5, format!("{} {clients}", snapshot.clients)));
    parts.push(Part::right(2, format!("{:.1} MB/s", bytes_per_second / 1e6)));
    if snapshot.messages_dropped > 0 {
        parts.push(Part::right(7, format!("{} dropped", snapshot.messages_dropped)));
    }
    if snapshot.bytes_recorded > 0 {
        parts.push(Part::right(3, format!("rec {}", bytes(snapshot.bytes_recorded))));
    }
    parts
}

/// The time of day in UTC, after the date if that is asked for; for clocks that count from zero, seconds.
fn clock(time: Timestamp, with_date: bool) -> String {
    let text = time.to_string();
    match text.split_once('T') {
        Some((date, clock)) => {
            let clock: String = clock.chars().take("00:00:00.0".len()).collect();
            if with_date { format!("{date} {clock}") } else { clock }
        }
        None => format!("{:.1} s", Duration::from_nanos(time.nanos()).as_secs_f64()),
    }
}

#[cfg(test)]
mod tests {
    use foxglove_bridge::time::TimeRange;

    use super::*;

    const START: u64 = 1_767_261_600_000_000_000;

    fn snapshot() -> Snapshot {
        Snapshot {
            activity: Activity::Playing,
            position: Some(Timestamp(START + 7_340_000_000)),
            range: Some(TimeRange { start: Timestamp(START), end: Timestamp(START + 125_000_000_000) }),
            speed: Some(0.5),
            clients: 2,
            ..Snapshot::default()
        }
    }

    fn shown(snapshot: &Snapshot, columns: usize) -> String {
        fitted(parts(snapshot, 12_340_000.0, 50.0), progress(snapshot), columns)
    }

    #[test]
    fn the_bar_tells_time_speed_clients_and_rates() {
        let line = shown(&snapshot(), 80);
        assert!(line.starts_with("playing  0.5x  10:00:07.3  ╸─"), "{line}");
        assert!(line.ends_with("─  7.3 s of 2:05  2 clients  12.3 MB/s"), "{line}");
        assert_eq!(line.chars().count(), 79);
        let worse = Snapshot { looping: true, clients: 1, messages_dropped: 17, ..snapshot() };
        assert!(shown(&worse, 100).ends_with("7.3 s of 2:05  loop  1 client  12.3 MB/s  17 dropped"));
        let recorded = Snapshot { bytes_recorded: 12_340_000, ..snapshot() };
        assert!(shown(&recorded, 100).ends_with("2 clients  12.3 MB/s  rec 12.3 MB"));
    }

    #[test]
    fn on_a_narrow_terminal_what_matters_least_is_left_out() {
        let worse = Snapshot { looping: true, messages_dropped: 17, bytes_recorded: 1_000_000, ..snapshot() };
        assert_eq!(shown(&worse, 60), "playing  0.5x  7.3 s of 2:05  2 clients  17 dropped");
        assert_eq!(shown(&worse, 40), "playing  7.3 s of 2:05  17 dropped");
        assert_eq!(shown(&snapshot(), 40), "playing  0.5x  7.3 s of 2:05  2 clients");
        for columns in 1..120 {
            let line = shown(&worse, columns);
            assert!(line.chars().count() < columns.max(1), "{columns}: {line}");
        }
    }

    #[test]
    fn a_bar_is_as_long_as_the_share_that_was_played() {
        let bar = |done| with_bar("a".to_owned(), "b".to_owned(), Share { done, total: 2 }, 14);
        assert_eq!(bar(0), "a  ────────  b");
        assert_eq!(bar(1), "a  ━━━━╸───  b");
        assert_eq!(bar(2), "a  ━━━━━━━━  b");
    }

    #[test]
    fn the_position_has_its_date_in_a_recording_of_more_than_a_day() {
        let end = Timestamp(START + 2 * 86_400_000_000_000);
        let long = Snapshot { range: Some(TimeRange { start: Timestamp(START), end }), ..snapshot() };
        assert!(
            shown(&long, 100).starts_with("playing  0.5x  2026-01-01 10:00:07.3  "),
            "{}",
            shown(&long, 100)
        );
    }

    #[test]
    fn clocks_that_count_from_zero_are_shown_in_seconds() {
        assert_eq!(clock(Timestamp(8_297_777_777), true), "8.3 s");
        let waiting = Snapshot { speed: Some(f64::INFINITY), ..Snapshot::default() };
        assert_eq!(shown(&waiting, 80), "waiting for a viewer  max  0 clients  12.3 MB/s");
    }

    #[test]
    fn the_position_stays_within_the_range() {
        assert_eq!(played(&snapshot()), (7_340_000_000, 125_000_000_000));
        let beyond = Snapshot { position: Some(Timestamp::MAX), ..snapshot() };
        assert_eq!(played(&beyond), (125_000_000_000, 125_000_000_000));
        assert_eq!(played(&Snapshot::default()), (0, 0));
    }

    #[test]
    fn the_data_rate_is_the_mean_of_the_last_second() {
        let start = Instant::now();
        let mut throughput = Throughput::default();
        assert_eq!(throughput.measure(0, start), 0.0);
        let mut rate = 0.0;
        for tenth in 1..=50u64 {
            // 1000 B/s for two seconds, then 3000 B/s
            let bytes = if tenth <= 20 { tenth * 100 } else { 2000 + (tenth - 20) * 300 };
            rate = throughput.measure(bytes, start + Duration::from_millis(tenth * 100));
        }
        assert!((rate - 3000.0).abs() < 1.0, "{rate}");
        assert!(throughput.samples.len() <= 12);
    }

    #[test]
    fn live_input_shows_rates_and_clients() {
        let live = Snapshot { messages_received: 7, clients: 1, ..Snapshot::default() };
        assert_eq!(shown(&live, 80), "live  7 messages in  50 messages/s  1 client  12.3 MB/s");
        assert_eq!(shown(&live, 40), "live  50 messages/s  1 client");
        let ended = Snapshot { activity: Activity::Ended, position: Some(Timestamp(START)), ..live };
        assert!(shown(&ended, 80).starts_with("input ended  10:00:00.0  7 messages in"));
        let stream = Snapshot { speed: Some(2.0), activity: Activity::Playing, range: None, ..ended };
        assert_eq!(shown(&stream, 80), "playing  2x  10:00:00.0  1 client  12.3 MB/s");
    }
}
