//! `echo`: messages of a server or a recording on stdout.
//!
//! Of a server the newest messages count: while stdout stands still the connection is read on, and the oldest that wait are
//! dropped and counted. A recording waits for stdout.

use std::io::{self, Write};

use anyhow::anyhow;
use foxglove_bridge::client::{Client, Ended, Event, Message, Messages, Overflow, Queue, Reconnect, Topics};
use foxglove_bridge::pattern::TopicPattern;

use super::args::EchoArgs;
use super::remote::{is_url, with_client};
use super::{Failure, Reader, printed};

mod csv;
mod decoded;
mod field;
mod lines;
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
    topics: Vec<TopicPattern>,
    figure: Option<Figure>,
) -> Result<(), Failure> {
    let mut events = client.events();
    let topics = match topics.is_empty() {
        true => Topics::All,
        false => Topics::Any(topics.into_iter().map(Topics::Matching).collect()),
    };
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
        Done::Ended => match client.ended().await {
            Ended::Finished => Ok(()),
            ended => Err(Failure::Runtime(anyhow!("{ended}"))),
        },
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
    patience: Option<std::time::Duration>,
) -> Result<Done, Failure> {
    loop {
        let message = match messages.try_next() {
            Some(message) => message,
            None => {
                if printer.flush()? == Reader::Gone {
                    return Ok(Done::Enough);
                }
                let next = match patience {
                    None => messages.next().await,
                    Some(patience) => {
                        tokio::time::timeout(patience, messages.next()).await.map_err(|_elapsed| {
                            Failure::Runtime(anyhow!("no message came within {} s", patience.as_secs_f32()))
                        })?
                    }
                };
                match next {
                    Some(message) => message,
                    None => return Ok(Done::Ended),
                }
            }
        };
        if printer.message(&message)? == Wanted::Nothing {
            return Ok(Done::Enough);
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
    /// Appends a message, as whole lines; nothing if there is nothing of it to print.
    fn write(&mut self, message: &Message, out: &mut Vec<u8>);
}

/// Prints messages, up to a count.
struct Printer {
    form: Box<dyn Form>,
    left: Option<u64>,
    waiting: Vec<u8>,
}

impl Printer {
    fn new(args: &EchoArgs) -> anyhow::Result<Self> {
        let fields = args.field.iter().map(|path| path.parse()).collect::<Result<Vec<_>, String>>();
        let fields = fields.map_err(|reason| anyhow!("--field {reason}"))?;
        let form: Box<dyn Form> = match (args.raw, args.csv, fields.is_empty()) {
            (true, ..) => Box::new(raw::Raw::default()),
            (_, true, _) => Box::new(csv::Csv::new(fields)),
            (.., false) => Box::new(field::Fields::new(fields)),
            (.., true) => Box::new(lines::Lines::new()?),
        };
        let left = if args.once { Some(1) } else { args.count };
        Ok(Self { form, left, waiting: Vec::new() })
    }

    /// Prints a message; whether another one is wanted.
    fn message(&mut self, message: &Message) -> Result<Wanted, Failure> {
        let before = self.waiting.len();
        self.form.write(message, &mut self.waiting);
        let is_last = match &mut self.left {
            Some(left) if self.waiting.len() > before => {
                *left -= 1;
                *left == 0
            }
            Some(_) | None => false,
        };
        let is_due = is_last || self.waiting.len() >= BUFFER;
        let is_read = !is_due || self.flush()? == Reader::Reads;
        Ok(if is_read && !is_last { Wanted::More } else { Wanted::Nothing })
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
