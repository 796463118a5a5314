//! What the user hears of lines: counts, and bad lines at a bearable pace.
//!
//! Before the first line that can be used nothing is said of those that can't: a stream that is joined in its middle begins
//! with half a line, a serial port with the messages of a boot. If nothing usable comes, that is told after
//! [`PATIENCE`], and again after pauses that double.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::line::{BadLine, Kind};
use crate::printable::{LONG, counted, printable};
use crate::source::{Hint, Hints};

/// Between two reports of bad lines of one input, but for the first line of each kind.
const PAUSE: Duration = Duration::from_secs(1);

/// Kinds of which the first line is reported at once.
const KINDS: usize = 20;

/// How long something usable is waited for before that is told.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// Characters of what came in that are shown.
const SAMPLE: usize = 60;

/// What has been read of one input so far.
#[derive(Debug, Default)]
pub struct InputCounts {
    /// All lines, also blank ones and comments.
    pub lines: AtomicU64,
    /// Messages that were passed on.
    pub messages: AtomicU64,
    /// Commands that were not carried out, since they came from a file.
    pub commands: AtomicU64,
    /// Lines that could not be used.
    pub bad: AtomicU64,
}

/// Counts lines, and reports those that are bad.
#[derive(Debug)]
pub(super) struct Notes {
    name: String,
    pub(super) counts: Arc<InputCounts>,
    /// Those of several inputs together, if somebody wants to know.
    pub(super) totals: Option<Arc<InputCounts>>,
    pub(super) hints: Hints,
    /// What came before the first line that can be used; None once that has come.
    before: Option<Before>,
    /// Kinds of which a line was shown, at most [`KINDS`], and what is wrong with it: see [`subject`].
    shown: Vec<(Kind, String)>,
    reported: Option<Instant>,
    unreported: u64,
    warned_of_zone: bool,
    warned_of_commands: bool,
    noted_events: bool,
}

/// Lines before the first that can be used.
#[derive(Debug)]
struct Before {
    bad: u64,
    /// The first of them: what is wrong, and how it begins.
    first: Option<(String, String)>,
    /// When they are told.
    due: Option<Instant>,
    pause: Duration,
}

impl Notes {
    pub(super) fn new(name: String) -> Self {
        let before = Before { bad: 0, first: None, due: None, pause: PATIENCE };
        Self {
            name,
            counts: Arc::default(),
            totals: None,
            hints: Hint::in_library,
            before: Some(before),
            shown: Vec::new(),
            reported: None,
            unreported: 0,
            warned_of_zone: false,
            warned_of_commands: false,
            noted_events: false,
        }
    }

    /// Counts a line; the number of this one, from 1.
    pub(super) fn line(&self) -> u64 {
        self.total(|totals| &totals.lines);
        self.counts.lines.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(super) fn message(&self) {
        self.total(|totals| &totals.messages);
        self.counts.messages.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a bad line, without a word.
    pub(super) fn count_bad(&self) {
        self.total(|totals| &totals.bad);
        self.counts.bad.fetch_add(1, Ordering::Relaxed);
    }

    fn total(&self, figure: impl Fn(&InputCounts) -> &AtomicU64) {
        if let Some(totals) = &self.totals {
            figure(totals).fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A line could be used.
    pub(super) fn usable(&mut self) {
        let Some(before) = self.before.take() else { return };
        if let Some((reason, sample)) = before.first {
            let (name, lines) = (&self.name, counted(before.bad, "line"));
            tracing::info!("{name}: {lines} before the first that can be used: \"{sample}\": {reason}");
        }
    }

    /// Takes note of a bad line, and reports it unless that would be too much. `text`: the line, as far as it is known.
    pub(super) fn report(&mut self, line: u64, bad: &BadLine, text: &[u8], now: Instant) {
        if let Some(before) = &mut self.before {
            before.bad += 1;
            before.due.get_or_insert(now + PATIENCE);
            if before.first.is_none() {
                let reason = format!("line {line}, column {}: {}", bad.column, bad.told(self.hints));
                before.first = Some((reason, sample(text)));
            }
            self.on_time(text, now);
            return;
        }
        let Some(unreported) = self.due(bad, now) else { return };
        let more = match unreported {
            0 => String::new(),
            count => format!("; {} before it not shown", counted(count, "bad line")),
        };
        let (name, column, reason) = (&self.name, bad.column, bad.told(self.hints));
        tracing::warn!("{name}: line {line}, column {column}: {reason}; the line is skipped{more}");
    }

    /// Time has passed without a line; `begun`: what has come of the next one.
    pub(super) fn on_time(&mut self, begun: &[u8], now: Instant) {
        let Some(before) = &mut self.before else { return };
        // nothing at all is nothing to tell
        if before.first.is_none() && begun.is_empty() {
            return;
        }
        if *before.due.get_or_insert(now) > now {
            return;
        }
        before.due = Some(now + before.pause);
        before.pause *= 2;
        let name = &self.name;
        match &before.first {
            Some((reason, first)) => {
                let lines = counted(before.bad, "line");
                tracing::warn!(
                    "{name}: nothing that can be used so far in {lines}; the first is \"{first}\": {reason}"
                );
            }
            None => {
                let begun = sample(begun);
                tracing::warn!(
                    "{name}: no whole line so far; what came begins with \"{begun}\"; lines end with a newline"
                );
            }
        }
    }

    /// How many went unreported before, if this one is to be reported: the first of its kind, or one after a pause.
    fn due(&mut self, bad: &BadLine, now: Instant) -> Option<u64> {
        let kind = (bad.kind, subject(&bad.reason));
        let is_new = self.shown.len() < KINDS && !self.shown.contains(&kind);
        if is_new {
            self.shown.push(kind);
        } else if self.reported.is_some_and(|last| now.duration_since(last) < PAUSE) {
            self.unreported += 1;
            return None;
        }
        self.reported = Some(now);
        Some(std::mem::take(&mut self.unreported))
    }

    /// The first line of comma separated values, which names the fields, has numbers only.
    pub(super) fn names_are_numbers(&self, row: &str) {
        let (name, row) = (&self.name, sample(row.as_bytes()));
        tracing::warn!(
            "{name}: the first line names the fields, but \"{row}\" has numbers only; put a line with the names before it"
        );
    }

    /// A time did not say its offset from UTC.
    pub(super) fn assumed_zone(&mut self) {
        if !std::mem::replace(&mut self.warned_of_zone, true) {
            tracing::warn!(
                "{}: times without an offset from UTC are taken as UTC; append Z, or +01:00",
                self.name
            );
        }
    }

    /// A command is not carried out: it is from a file.
    pub(super) fn skip_command(&mut self) {
        self.counts.commands.fetch_add(1, Ordering::Relaxed);
        if !std::mem::replace(&mut self.warned_of_commands, true) {
            tracing::warn!(
                "{}: commands (op service, response, parameter) are carried out from stdin and sockets alone; those in \
                 files are skipped",
                self.name
            );
        }
    }

    /// A line is an event of another server.
    pub(super) fn event(&mut self) {
        if !std::mem::replace(&mut self.noted_events, true) {
            tracing::info!(
                "{}: events of another server are skipped, but for messages of clients",
                self.name
            );
        }
    }

    /// Sums up at the end of the input. If nothing of it could be used, why.
    pub(super) fn end(&self) -> Option<String> {
        let [lines, messages, bad] = [&self.counts.lines, &self.counts.messages, &self.counts.bad]
            .map(|count| count.load(Ordering::Relaxed));
        let told = [(lines, "line"), (messages, "message"), (bad, "bad line")];
        let [lines, messages, bad_lines] = told.map(|(number, noun)| counted(number, noun));
        let name = &self.name;
        match self.before.as_ref().and_then(|before| Some((before.bad, before.first.as_ref()?))) {
            Some((bad, (reason, first))) => {
                let lines = counted(bad, "line");
                return Some(format!("nothing can be used of {lines}; the first is \"{first}\": {reason}"));
            }
            None if bad > 0 => tracing::info!("{name}: end of input: {lines}, {messages}, {bad_lines}"),
            None => tracing::debug!("{name}: end of input: {lines}, {messages}"),
        }
        None
    }
}

/// What a reason is about, without the value: `field level of foxglove.Log`. Places in lists don't count.
fn subject(reason: &str) -> String {
    let subject = reason.split(": ").next().unwrap_or_default();
    subject.chars().filter(|c| !c.is_ascii_digit()).take(LONG).collect()
}

/// The beginning of a line, fit to be shown.
fn sample(line: &[u8]) -> String {
    let begin = &line[..line.len().min(SAMPLE * 4)];
    printable(String::from_utf8_lossy(begin).trim_end(), SAMPLE).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn bad(kind: Kind) -> BadLine {
        BadLine::new(kind, 1, "is bad")
    }

    #[test]
    fn bad_lines_are_reported_once_a_second_with_the_number_of_those_before() {
        let mut notes = Notes::new("stdin".into());
        let start = Instant::now();
        let due: Vec<_> = [0, 1, 999, 1000, 1001, 5000, 9000]
            .map(|ms| notes.due(&bad(Kind::Syntax), start + Duration::from_millis(ms)))
            .into();
        assert_eq!(due, [Some(0), None, None, Some(2), None, Some(1), Some(0)]);
    }

    #[test]
    fn the_first_line_of_each_kind_is_reported_at_once() {
        let mut notes = Notes::new("stdin".into());
        let now = Instant::now();
        let kinds = [Kind::Syntax, Kind::Syntax, Kind::Time, Kind::NoTopic, Kind::Time];
        assert_eq!(kinds.map(|kind| notes.due(&bad(kind), now)), [Some(0), None, Some(1), Some(0), None]);
    }

    #[test]
    fn another_wrong_field_is_another_kind_and_another_value_of_it_is_not() {
        let mut notes = Notes::new("stdin".into());
        let now = Instant::now();
        let mut due = |reason: &str| notes.due(&BadLine::new(Kind::Payload, 1, reason), now);
        assert_eq!(due("field level of foxglove.Log: no value is named 'WARNN'"), Some(0));
        assert_eq!(due("field level of foxglove.Log: no value is named 'ERR'"), None);
        assert_eq!(due("field lvel of foxglove.Log: there is no such field"), Some(1));
        assert_eq!(due("field points[1].x of foxglove.A: is a string"), Some(0));
        assert_eq!(due("field points[12].x of foxglove.A: is a string"), None);
        // there may be any number of them
        let shown = ('a'..='z').filter_map(|name| due(&format!("field {name} of foxglove.A: no"))).count();
        assert_eq!(shown, KINDS - 3);
    }

    #[test]
    fn lines_before_the_first_usable_one_are_told_after_a_while_and_at_doubling_intervals() {
        let mut notes = Notes::new("stdin".into());
        let start = Instant::now();
        let mut told = Vec::new();
        for second in 0..100u32 {
            let now = start + SECOND * second;
            let due = |notes: &Notes| notes.before.as_ref().and_then(|before| before.due);
            let before = due(&notes);
            notes.report(1, &bad(Kind::Syntax), b"boot \x1b[0m", now);
            if before.is_some() && due(&notes) != before {
                told.push(second);
            }
        }
        assert_eq!(told, [10, 20, 40, 80]);
        let reason = notes.end().unwrap();
        assert!(
            reason.contains("of 100 lines; the first is \"boot \\u{1b}[0m\": line 1, column 1: is bad"),
            "{reason}"
        );
        notes.usable();
        assert_eq!(notes.end(), None, "something was of use");
    }

    #[test]
    fn what_begins_and_does_not_end_is_told_and_silence_is_not() {
        let mut notes = Notes::new("stdin".into());
        let now = Instant::now();
        notes.on_time(b"", now);
        assert!(notes.before.as_ref().unwrap().due.is_none(), "an idle input is nothing to tell");
        notes.on_time(b"\xff\xff", now);
        assert_eq!(notes.before.as_ref().unwrap().due, Some(now + PATIENCE));
        assert_eq!(notes.end(), None);
    }
}
