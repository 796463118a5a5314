//! `echo`: messages of a server or a recording on stdout.
//!
//! Of a server the newest messages count: while stdout stands still the connection is read on, and the oldest that wait are
//! dropped and counted. A recording waits for stdout.

use std::io::{self, Write};
use std::time::Duration;

use anyhow::anyhow;
use foxglove_bridge::client::{Client, Ended, Event, Message, Messages, Overflow, Queue, Reconnect, Topics};
use foxglove_bridge::internals::{SHORT, printable};
use foxglove_bridge::pattern::TopicPattern;
use tokio::time::{Instant, timeout_at};

use super::args::EchoArgs;
use super::remote::{is_url, meant_as_address, with_client};
use super::{Failure, Reader, printed, unmatched};

mod csv;
mod decoded;
mod field;
mod lines;
mod members;
mod rates;
mod raw;
mod recording;

use rates::{Figure, Rates, Shape};

/// What waits for stdout, in bytes; more is written at once.
const BUFFER: usize = 64 << 10;

/// Messages of a server that wait for stdout.
const QUEUE: Queue = Queue { bytes: 64 << 20, overflow: Overflow::DropOldest };

pub(crate) fn run(args: &EchoArgs) -> Result<(), Failure> {
    let topics: Result<Vec<TopicPattern>, _> = args.topics.iter().map(|topic| topic.parse()).collect();
    let topics = topics.map_err(|error| Failure::Input(error.into()))?;
    let figure = match (args.hz, args.bw, args.delay) {
        (true, ..) => Some(Figure::Frequency),
        (_, true, _) => Some(Figure::Bandwidth),
        (.., true) => Some(Figure::Delay),
        (false, false, false) => None,
    };
    if args.json && figure.is_none() {
        return Err(Failure::Input(anyhow!(
            "--json is for --hz, --bw and --delay; messages are JSON unless something else is asked for"
        )));
    }
    if is_url(&args.source) {
        if args.start.is_some() || args.end.is_some() {
            return Err(Failure::Input(anyhow!(
                "--start and --end are for recordings; seek moves the playback of a server"
            )));
        }
        return with_client(&args.source, &args.server, Reconnect::AfterLoss, |client| {
            from_server(client, args, topics, figure)
        });
    }
    if let Some(failure) = meant_as_address(&args.source) {
        return Err(failure);
    }
    if figure.is_some() {
        return Err(Failure::Input(anyhow!(
            "--hz, --bw and --delay are for servers; info shows the rates of a recording"
        )));
    }
    recording::print(args, topics, &mut Printer::new(args).map_err(Failure::Input)?)
}

async fn from_server(
    client: Client,
    args: &EchoArgs,
    patterns: Vec<TopicPattern>,
    figure: Option<Figure>,
) -> Result<(), Failure> {
    let mut events = client.events();
    let topics = match patterns.is_empty() {
        true => Topics::All,
        false => Topics::Any(patterns.iter().cloned().map(Topics::Matching).collect()),
    };
    let unmatched = unmatched::watch(&client, patterns, args.server.timeout);
    let mut messages = client.subscribe_with(topics, QUEUE);
    let watching = tokio::spawn(async move {
        while let Some(event) = events.next().await {
            if let Event::Disconnected { reason, retry_in: Some(_) } = event {
                tracing::warn!("{reason}; connecting again");
            }
        }
    });
    let outcome = match figure {
        Some(figure) => {
            let shape = if args.json { Shape::Json } else { Shape::Text };
            Rates::new(figure, shape, args.count).print(&mut messages).await
        }
        None => {
            let mut printer = Printer::new(args).map_err(Failure::Input)?;
            print_messages(&mut messages, &mut printer, args.server.timeout).await
        }
    };
    watching.abort();
    if messages.dropped() > 0 {
        tracing::warn!("{} messages were left out, since stdout takes them too slowly", messages.dropped());
    }
    match outcome? {
        Done::Enough => Ok(()),
        Done::Ended => {
            // it ends now, and does not panic
            unmatched.await.ok();
            match client.ended().await {
                Ended::Finished => Ok(()),
                ended => Err(Failure::Runtime(anyhow!("{ended}"))),
            }
        }
    }
}

/// Why nothing more is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Done {
    /// As many as were asked for, or as somebody reads.
    Enough,
    /// No more come.
    Ended,
}

async fn print_messages(
    messages: &mut Messages,
    printer: &mut Printer,
    patience: Option<Duration>,
) -> Result<Done, Failure> {
    let mut last = Instant::now();
    loop {
        let message = match messages.try_next() {
            Some(message) => message,
            None => {
                if printer.flush()? == Reader::Gone {
                    return Ok(Done::Enough);
                }
                let next = match patience {
                    None => messages.next().await,
                    // a message that is passed over does not count
                    Some(patience) => timeout_at(last + patience, messages.next())
                        .await
                        .map_err(|_elapsed| printer.nothing_within(patience))?,
                };
                match next {
                    Some(message) => message,
                    None => return Ok(Done::Ended),
                }
            }
        };
        let printed = printer.printed;
        if printer.message(&message)? == Wanted::Nothing {
            return Ok(Done::Enough);
        }
        if printer.printed > printed {
            last = Instant::now();
        }
    }
}

/// Whether another message is to be printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    More,
    Nothing,
}

/// How a message is printed.
trait Form {
    /// Appends a message, as whole lines.
    fn write(&mut self, message: &Message, out: &mut Vec<u8>) -> Written;

    /// What the last message has in place of the fields that are wanted, for people.
    fn has_instead(&self) -> Option<String> {
        None
    }
}

/// What was appended of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Written {
    Lines,
    /// Nothing: it has none of the fields that are wanted.
    WithoutFields,
    /// Nothing: it can't be decoded, which was warned of.
    Undecoded,
}

/// Prints messages, up to a count.
struct Printer {
    form: Box<dyn Form>,
    left: Option<u64>,
    waiting: Vec<u8>,
    /// Messages of which something was printed.
    printed: u64,
    /// The fields that messages must have, for people.
    fields: String,
    /// Whether these are of the first message, and not named: others may have been meant too.
    fields_are_found: bool,
    has_passed_over: bool,
}

impl Printer {
    fn new(args: &EchoArgs) -> anyhow::Result<Self> {
        let fields = args.field.iter().map(|path| path.parse()).collect::<Result<Vec<_>, String>>();
        let fields = fields.map_err(|reason| anyhow!("--field {reason}"))?;
        let form: Box<dyn Form> = match (args.raw, args.csv, fields.is_empty()) {
            (true, ..) => Box::new(raw::Raw::default()),
            (_, true, _) => Box::new(csv::Csv::new(fields, args.json_options())),
            (.., false) => Box::new(field::Fields::new(fields, args.json_options())),
            (.., true) => Box::new(lines::Lines::new(args.json_options())?),
        };
        let left = if args.once { Some(1) } else { args.count };
        let fields_are_found = args.field.is_empty();
        let fields =
            if fields_are_found { "field of the first message".into() } else { args.field.join(", ") };
        Ok(Self {
            form,
            left,
            waiting: Vec::new(),
            printed: 0,
            fields,
            fields_are_found,
            has_passed_over: false,
        })
    }

    /// Prints a message; whether another one is wanted.
    fn message(&mut self, message: &Message) -> Result<Wanted, Failure> {
        let written = self.form.write(message, &mut self.waiting);
        let is_printed = written == Written::Lines;
        self.printed += u64::from(is_printed);
        let is_news = self.printed == 0 || self.fields_are_found;
        if written == Written::WithoutFields && is_news && !std::mem::replace(&mut self.has_passed_over, true)
        {
            let topic = printable(&message.channel.topic, SHORT);
            let instead = self.form.has_instead().map(|has| format!(" ({has})")).unwrap_or_default();
            tracing::warn!(
                "{topic}: its message has no {}{instead}; messages without it are passed over",
                self.fields
            );
        }
        let is_last = match &mut self.left {
            Some(left) if is_printed => {
                *left -= 1;
                *left == 0
            }
            Some(_) | None => false,
        };
        let is_due = is_last || self.waiting.len() >= BUFFER;
        let is_read = !is_due || self.flush()? == Reader::Reads;
        Ok(if is_read && !is_last { Wanted::More } else { Wanted::Nothing })
    }

    /// Fails if there were messages, and none had the fields that were named.
    fn end(&self) -> Result<(), Failure> {
        if self.printed > 0 || !self.has_passed_over {
            return Ok(());
        }
        Err(Failure::Runtime(anyhow!("no message has {}", self.fields)))
    }

    /// The failure of having waited for so long.
    fn nothing_within(&self, patience: Duration) -> Failure {
        let with = match self.has_passed_over {
            true => format!(" with {}", self.fields),
            false => String::new(),
        };
        Failure::Runtime(anyhow!("no message{with} came within {} s", patience.as_secs_f32()))
    }

    fn flush(&mut self) -> Result<Reader, Failure> {
        if self.waiting.is_empty() {
            return Ok(Reader::Reads);
        }
        let mut stdout = io::stdout().lock();
        let written = stdout.write_all(&self.waiting).and_then(|()| stdout.flush());
        self.waiting.clear();
        printed(written)
    }
}
