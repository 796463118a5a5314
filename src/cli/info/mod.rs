//! `info`: what is in recordings, or what a server offers, for people or as JSON.

use std::path::PathBuf;
use std::sync::Arc;

use foxglove_bridge::payload::Types;
use foxglove_bridge::source::SourceError;
use foxglove_bridge::source::json_lines::LinesRead;
use foxglove_bridge::source::summary::{RecordingSummary, ScanProgress};

use super::args::InfoArgs;
use super::progress::ScanBar;
use super::remote::{is_url, meant_as_address};
use super::{Failure, Reader, print, report};
use crate::cli::config::{self, ServeOptions};
use crate::cli::logging::LogOutput;
use crate::cli::serve::hints;
use input::{Depth, Input};
use parts::Part;
use totals::Totals;

mod attachment;
mod input;
mod json;
mod length;
mod parts;
mod payloads;
mod server;
mod tables;
#[cfg(test)]
mod testing;
mod text;
mod totals;

/// Prints what is in the inputs, or copies an attachment out of one.
pub(crate) fn run(args: &InfoArgs, progress: bool, log: &LogOutput) -> Result<(), Failure> {
    if let Some(url) = args.files.iter().filter_map(|file| file.to_str()).find(|file| is_url(file)) {
        if args.files.len() > 1 || args.check || args.chunks || args.attachment.is_some() {
            return Err(Failure::Input(anyhow::anyhow!(
                "{url} is a server: name it alone, without --check, --chunks and --attachment"
            )));
        }
        return server::show(url, args);
    }
    if let Some(failure) = args.files.iter().filter_map(|file| file.to_str()).find_map(meant_as_address) {
        return Err(failure);
    }
    let mut bars = Bars { is_wanted: progress, log };
    if let Some(attachment) = &args.attachment {
        return attachment::copy(args, attachment, &mut bars);
    }
    let how = how_lines_are_read(args).map_err(Failure::Input)?;
    let stdin = PathBuf::from(input::STDIN);
    if args.files.iter().filter(|file| **file == stdin).count() > 1 {
        return Err(Failure::Input(anyhow::anyhow!("there is one stdin; name - once")));
    }
    // by what is named and not by what is found, so that a script knows which it gets
    let shape = match args.files.as_slice() {
        [one] if !one.is_dir() => Shape::One,
        _ => Shape::Several,
    };
    let depth = if args.check { Depth::All } else { Depth::Summary };
    let form = if args.json { Form::Json } else { Form::Text };
    let parts = [(args.schemas, Part::Schemas), (args.chunks, Part::Chunks)];
    let parts = parts.into_iter().filter_map(|(is_wanted, part)| is_wanted.then_some(part)).collect();
    let mut output = Output { form, parts, shape, room: room(), shown: 0, totals: Totals::default(), log };
    for file in &args.files {
        let inputs = match input::named(file) {
            Ok(inputs) => inputs,
            Err(error) => vec![Input::Unreadable { name: file.display().to_string(), error }],
        };
        for input in inputs {
            let name = input.name();
            let summary = input.summary(depth, &how, &mut bars.of(&name));
            if output.show(&name, summary)? == Reader::Gone {
                return Ok(());
            }
        }
    }
    output.end()
}

fn how_lines_are_read(args: &InfoArgs) -> anyhow::Result<LinesRead> {
    let ServeOptions { json_lines, types, .. } = config::build(args.settings())?.options;
    let types = Types::load(&types).map_err(|error| hints::of_types(&error))?;
    Ok(LinesRead { options: Arc::new(json_lines), types: Arc::new(types), hints: hints::with_flags })
}

/// Columns of the terminal that stdout is; elsewhere there is any number.
fn room() -> usize {
    #[cfg(unix)]
    let columns = rustix::termios::tcgetwinsize(std::io::stdout()).ok().map(|size| size.ws_col);
    #[cfg(not(unix))]
    let columns: Option<u16> = None;
    columns.filter(|columns| *columns > 0).map_or(usize::MAX, usize::from)
}

/// Progress bars, where they are wanted.
struct Bars<'a> {
    is_wanted: bool,
    log: &'a LogOutput,
}

impl Bars<'_> {
    /// What shows how far the reading of an input has come, until it is dropped.
    fn of(&mut self, name: &str) -> impl FnMut(ScanProgress) + use<> {
        let mut bar = self.is_wanted.then(|| ScanBar::new(name, self.log));
        move |done| {
            if let Some(bar) = &mut bar {
                bar.update(done);
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Text,
    Json,
}

/// Whether one input is named, or several: as JSON the first is an object, the second an array.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    One,
    Several,
}

/// What is printed, input by input.
struct Output<'a> {
    form: Form,
    /// Beside the overview.
    parts: Vec<Part>,
    shape: Shape,
    /// Columns of the terminal.
    room: usize,
    shown: usize,
    totals: Totals,
    log: &'a LogOutput,
}

impl Output<'_> {
    fn show(
        &mut self,
        name: &str,
        summary: Result<RecordingSummary, SourceError>,
    ) -> Result<Reader, Failure> {
        let text = match (&summary, self.form) {
            (Err(_), Form::Text) => None,
            (Ok(summary), Form::Text) => Some(text::render(name, summary, &self.parts, self.room)),
            (Ok(summary), Form::Json) => Some(json::render(name, summary, &self.parts)),
            (Err(error), Form::Json) => Some(json::render_error(name, &error.to_string())),
        };
        match summary {
            Ok(summary) => self.totals.add(&summary),
            Err(error) if self.shape == Shape::One => {
                return Err(Failure::Input(hints::of_recording(error)));
            }
            Err(error) => {
                self.totals.unreadable += 1;
                report(&Failure::Input(hints::of_recording(error)), self.log);
            }
        }
        let Some(text) = text else { return Ok(Reader::Reads) };
        self.shown += 1;
        let before = match (self.form, self.shape, self.shown) {
            (_, Shape::One, _) | (Form::Text, _, 1) => "",
            (Form::Text, Shape::Several, _) => "\n\n",
            (Form::Json, Shape::Several, 1) => "[\n",
            (Form::Json, Shape::Several, _) => ",\n",
        };
        let end = if (self.form, self.shape) == (Form::Json, Shape::Several) { "" } else { "\n" };
        print(&format!("{before}{}{end}", text.trim_end_matches('\n')))
    }

    /// The last words, and what the exit code says.
    fn end(self) -> Result<(), Failure> {
        let last = match (self.form, self.shape, self.shown) {
            (_, Shape::One, _) => String::new(),
            (Form::Json, Shape::Several, 0) => "[]\n".to_owned(),
            (Form::Json, Shape::Several, _) => "\n]\n".to_owned(),
            (Form::Text, Shape::Several, 0) => String::new(),
            (Form::Text, Shape::Several, _) => format!("\n\n{}", self.totals.render()),
        };
        match print(&last)? {
            Reader::Gone => Ok(()),
            Reader::Reads if self.totals.unreadable > 0 => Err(Failure::Unreadable),
            Reader::Reads if self.totals.damaged > 0 || self.totals.misfitting > 0 => Err(Failure::Damaged),
            Reader::Reads => Ok(()),
        }
    }
}

/// Of a shorter recording, in seconds, a rate says nothing.
const SHORTEST: f64 = 0.01;

/// Messages per second of a channel, on average over the recording; None where that says nothing.
fn rate(summary: &RecordingSummary, messages: u64) -> Option<f64> {
    let seconds = summary.range?.duration().as_secs_f64();
    (messages > 1 && seconds >= SHORTEST).then(|| messages as f64 / seconds)
}

#[cfg(test)]
mod tests {
    use foxglove_bridge::time::{TimeRange, Timestamp};

    use super::testing::summary;
    use super::*;

    #[test]
    fn a_rate_needs_two_messages_and_time_between_them() {
        assert_eq!(rate(&summary(), 1000), Some(50.0));
        assert_eq!(rate(&summary(), 1), None);
        let start = Timestamp(5);
        let range = Some(TimeRange { start, end: Timestamp(start.nanos() + 6) });
        assert_eq!(rate(&RecordingSummary { range, ..summary() }, 5), None, "in a few ns");
        assert_eq!(rate(&RecordingSummary { range: None, ..summary() }, 5), None);
    }
}
