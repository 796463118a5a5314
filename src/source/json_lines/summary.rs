//! JSON lines from the outside: read through once, of which only counts are kept.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::recording::{Counted, PROGRESS, UNKNOWN, open_text};
use super::{JsonLines, JsonLinesOptions};
use crate::model::{Channel, ChannelId, Entry};
use crate::payload::Types;
use crate::printable::counted;
use crate::registry::Registry;
use crate::source::live::LiveChannels;
use crate::source::paths::file_name;
use crate::source::summary::{ChannelSummary, Format, RecordingSummary, distinct};
use crate::source::{Hints, ScanProgress, SourceError, Stop, Stream, TopicRules};
use crate::time::{TimeRange, Timestamp};

/// How lines are read that are looked at.
#[derive(Debug, Clone)]
pub struct LinesRead {
    /// What lines are.
    pub options: Arc<JsonLinesOptions>,
    /// The types that messages can have.
    pub types: Arc<Types>,
    /// How the way out of what is wrong is named.
    pub hints: Hints,
}

/// Looks at a file of JSON lines without playing it. `progress` is called now and then.
pub fn file_summary(
    path: &Path,
    how: &LinesRead,
    progress: &mut dyn FnMut(ScanProgress),
) -> Result<RecordingSummary, SourceError> {
    let name = path.display().to_string();
    let io = |error| SourceError::Io { name: name.clone(), error };
    let file = open_text(path)?;
    let total = file.metadata().map_err(io)?.len();
    summary(&name, file, how, &mut |done| progress(ScanProgress { done: done.min(total), total }))
}

/// The same of lines that are read to their end. `progress` is told how many bytes were read.
pub(in crate::source) fn summary(
    name: &str,
    read: impl Read + Send,
    how: &LinesRead,
    progress: &mut dyn FnMut(u64),
) -> Result<RecordingSummary, SourceError> {
    let LinesRead { options, types, hints } = how;
    let rules = TopicRules::default();
    let channels = LiveChannels::new(rules, types.clone(), &options.schemas, Registry::default())?;
    let stop = Stop::new().map_err(|error| SourceError::Io { name: name.to_owned(), error })?;
    let done = Arc::new(AtomicU64::new(0));
    let read = Counted { read, count: done.clone() };
    let mut lines = JsonLines::new(name.to_owned(), read, &stop, options.clone(), channels)
        .with_hints(*hints)
        .with_clock(|| UNKNOWN)
        .paced();
    let mut seen = Seen::default();
    let mut reported = 0;
    while let Some(batch) = lines.next()? {
        for channel in batch.announcements {
            seen.channels.entry(channel.id).or_insert_with(|| (channel, Tally::default()));
        }
        batch.entries.iter().for_each(|entry| seen.count(entry));
        let read = done.load(Ordering::Relaxed);
        if read >= reported + PROGRESS {
            reported = read;
            progress(read);
        }
    }
    let bad = lines.counts().bad.load(Ordering::Relaxed);
    Ok(seen.conclude(&file_name(Path::new(name)), bad, done.load(Ordering::Relaxed)))
}

/// What has been read so far.
#[derive(Default)]
struct Seen {
    channels: BTreeMap<ChannelId, (Arc<Channel>, Tally)>,
    /// Of all channels.
    pause: Pause,
}

/// The longest time without a message, as lines come.
#[derive(Debug, Clone, Copy, Default)]
struct Pause {
    latest: Option<Timestamp>,
    longest: Option<TimeRange>,
}

impl Pause {
    fn add(&mut self, time: Timestamp) {
        if let Some(start) = self.latest.filter(|latest| *latest < time) {
            let pause = TimeRange { start, end: time };
            if self.longest.is_none_or(|longest| longest.duration() < pause.duration()) {
                self.longest = Some(pause);
            }
        }
        self.latest = self.latest.max(Some(time));
    }
}

/// Messages of a channel.
#[derive(Default)]
struct Tally {
    count: u64,
    bytes: u64,
    /// Of those with a time.
    range: Option<TimeRange>,
    pause: Pause,
    /// Whether there are some before the first line with a time.
    has_untimed: bool,
}

impl Seen {
    fn count(&mut self, entry: &Entry) {
        let Some((_, tally)) = self.channels.get_mut(&entry.channel) else { return };
        tally.count += 1;
        tally.bytes += u64::from(entry.length);
        match entry.log_time {
            UNKNOWN => tally.has_untimed = true,
            time => {
                tally.range = Some(with(tally.range, time));
                tally.pause.add(time);
                self.pause.add(time);
            }
        }
    }

    /// Messages before the first line with a time have its time, as when they are played.
    fn conclude(self, name: &str, bad: u64, size_bytes: u64) -> RecordingSummary {
        let ranges = || self.channels.values().filter_map(|(_, tally)| tally.range);
        let range = ranges().reduce(|all, range| with(Some(with(Some(all), range.start)), range.end));
        let message_count = self.channels.values().map(|(_, tally)| tally.count).sum();
        let mut warnings = Vec::new();
        if range.is_none() && message_count > 0 {
            warnings.push(format!("{name}: no line has a time (log_time)"));
        }
        let mut damage = Vec::new();
        if bad > 0 {
            let reason = format!("{} can't be used", counted(bad, "line"));
            warnings.push(format!("{name}: {reason}"));
            damage.push(reason);
        }
        let start = range.map(|range| range.start);
        let schemas = distinct(self.channels.values().filter_map(|(channel, _)| channel.schema.as_ref()));
        let channels = self.channels.into_values().map(|(channel, tally)| {
            let untimed = start.filter(|_| tally.has_untimed);
            ChannelSummary {
                payloads: None,
                id: channel.id.0,
                topic: channel.topic.clone(),
                message_encoding: channel.message_encoding.clone(),
                schema_name: channel.schema.as_ref().map(|schema| schema.name.clone()),
                schema_encoding: channel.schema.as_ref().map(|schema| schema.encoding.clone()),
                message_count: tally.count,
                payload_bytes: Some(tally.bytes),
                range: untimed.map_or(tally.range, |start| Some(with(tally.range, start))),
                longest_gap: tally.pause.longest,
                latched: channel.latched,
                metadata: channel.metadata.clone(),
            }
        });
        RecordingSummary {
            format: Format::JsonLines,
            size_bytes,
            complete: true,
            checked: true,
            range,
            longest_gap: self.pause.longest,
            message_count,
            channels: channels.collect(),
            schemas,
            warnings,
            damage,
            ..RecordingSummary::default()
        }
    }
}

/// A range that reaches to a time as well.
fn with(range: Option<TimeRange>, time: Timestamp) -> TimeRange {
    let range = range.unwrap_or(TimeRange { start: time, end: time });
    TimeRange { start: range.start.min(time), end: range.end.max(time) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::TypeOptions;
    use crate::source::Hint;

    fn how() -> LinesRead {
        let types = Types::load(&TypeOptions::default()).unwrap();
        LinesRead { options: Arc::default(), types: Arc::new(types), hints: Hint::in_library }
    }

    fn of(lines: &str) -> RecordingSummary {
        summary("lines", lines.as_bytes(), &how(), &mut |_read| {}).unwrap()
    }

    fn range(first: u64, last: u64) -> Option<TimeRange> {
        let second = |second: u64| Timestamp(second * 1_000_000_000);
        Some(TimeRange { start: second(first), end: second(last) })
    }

    #[test]
    fn channels_have_counts_sizes_and_times() {
        let seen = of(concat!(
            "{\"op\":\"channel\",\"topic\":\"/c\",\"latch\":true}\n",
            "{\"topic\":\"/a\",\"data\":{\"early\":1}}\n",
            "{\"topic\":\"/b\",\"log_time\":7,\"data\":{}}\n",
            "{\"topic\":\"/a\",\"log_time\":9,\"data\":{}}\n",
            "{\"topic\":\"/b\",\"log_time\":5,\"data\":{}}\n",
            "{\"topic\":\"/b\",\"data\":{}}\n",
        ));
        let facts: Vec<_> = seen
            .channels
            .iter()
            .map(|channel| {
                let (count, bytes) = (channel.message_count, channel.payload_bytes.unwrap());
                (channel.topic.as_str(), count, bytes, channel.range, channel.latched)
            })
            .collect();
        let wanted =
            [("/c", 0, 0, None, true), ("/a", 2, 13, range(7, 9), false), ("/b", 3, 6, range(5, 7), false)];
        assert_eq!(
            facts, wanted,
            "a line without a time has that of the line before it, or of the first that has one"
        );
        assert_eq!((seen.range, seen.message_count), (range(5, 9), 5));
        let gaps = [seen.longest_gap, seen.channels[1].longest_gap, seen.channels[2].longest_gap];
        assert_eq!(gaps, [range(7, 9), range(7, 9), None], "in the order of lines");
        assert_eq!((seen.warnings.len(), seen.damage.len()), (0, 0));
    }

    #[test]
    fn lines_without_any_time_have_no_range_and_that_is_said() {
        let seen = of("{\"topic\":\"/a\",\"data\":{}}\n");
        assert_eq!((seen.range, seen.message_count), (None, 1));
        assert_eq!(seen.warnings, ["lines: no line has a time (log_time)"]);
        assert_eq!(of("").warnings, [""; 0]);
    }

    #[test]
    fn lines_that_cannot_be_used_are_counted_as_damage() {
        let seen = of("{\"topic\":\"/a\",\"log_time\":1,\"data\":{}}\n{\"topic\"\n7\n");
        assert_eq!(seen.damage, ["2 lines can't be used"]);
        assert!(summary("lines", &b"7\n"[..], &how(), &mut |_read| {}).is_err());
    }
}
