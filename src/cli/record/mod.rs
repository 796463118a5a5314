//! `record`: what a server sends, or what comes on stdin, into an MCAP file.
//!
//! One thread decodes what comes and another one writes it; the writer compresses on threads of its own. Nothing is dropped
//! in between: while the disk takes no more, the server or the pipe is held back.

use std::path::Path;
use std::time::Duration;

use anyhow::bail;
use foxglove_bridge::client::Reconnect;
use foxglove_bridge::sink::{SinkError, WriterOptions};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::args::RecordArgs;
use super::config::{self, ServeOptions};
use super::logging::LogOutput;
use super::remote::{is_url, meant_as_address, with_client};
use super::serve::{self, signals};
use super::{Failure, Reader, progress};
use bar::{RecordBar, State};
use file::File;
use server::Server;
use stdin::Stdin;

mod bar;
mod file;
mod merge;
mod missing;
mod past;
mod server;
mod stdin;
mod stdout;

/// What stands for stdin, or for stdout.
const PIPE: &str = "-";

/// What is written longer than this after a signal is logged. A second signal counts from about then on.
const SOON: Duration = Duration::from_secs(1);

/// Records until the end of what is recorded or of what was asked for, or until a signal. `panicked` is cancelled when a
/// thread has died.
pub(crate) fn run(
    args: &RecordArgs,
    quiet: bool,
    log: &LogOutput,
    panicked: &CancellationToken,
) -> Result<(), Failure> {
    let options = options(args).map_err(Failure::Input)?;
    let bar = !args.no_progress && !quiet && progress::on_terminal();
    let mut run = Run { args, options, stop: panicked.child_token(), bar: bar.then(|| RecordBar::new(log)) };
    if args.source == PIPE {
        let runtime = serve::start_runtime()?;
        let recorded = runtime.block_on(async {
            let file = run.begin(log)?;
            let stdin = Stdin::open(&run.options).map_err(Failure::Input)?;
            run.record(stdin, file).await
        });
        // where a read of stdin can't be ended it does not hold the program
        runtime.shutdown_background();
        return recorded;
    }
    with_client(&args.source, &args.server, Reconnect::AfterLoss, async |client| {
        let file = run.begin(log)?;
        let server = Server::subscribe(client, run.options.recording.topics.filter.clone());
        run.record(server, file).await
    })
}

fn options(args: &RecordArgs) -> anyhow::Result<ServeOptions> {
    let source = &args.source;
    if !is_url(source) && meant_as_address(source).is_some() {
        bail!("{source} is not the address of a server; write ws://HOST:PORT or wss://HOST:PORT");
    }
    if source != PIPE && !is_url(source) {
        bail!(
            "{source} is neither the address of a server (ws://HOST:PORT) nor -; a file is read from stdin: \
             foxglove-bridge record - -o NEW < FILE"
        );
    }
    let options = config::build(args.settings())?.options;
    if is_stdout(&args.output) {
        if options.split.is_split() {
            bail!(
                "-o -: stdout takes one recording; --split-size, --split-duration, --max-files and --disk-budget are for \
                 files"
            );
        }
        stdout::check()?;
    }
    let defaults = ServeOptions::default();
    if source != PIPE && (&options.json_lines, &options.types) != (&defaults.json_lines, &defaults.types) {
        bail!("options for JSON lines are for stdin (-); what a server sends is stored as it is");
    }
    Ok(options)
}

fn is_stdout(output: &Path) -> bool {
    output.as_os_str() == PIPE
}

/// Where messages come from.
trait Source {
    /// Waits for what comes next, and writes it. Cancel safe.
    async fn next(&mut self, file: &mut File) -> Result<Came, Trouble>;

    /// Takes no more from whoever sends, and writes what has been received.
    async fn stop(&mut self, file: &mut File) -> Result<(), Trouble>;

    /// How much of it is known to be missing so far, and whether more comes at the moment.
    fn state(&self) -> State;

    /// What may be missing in the recording, in the end; None if nothing is known of.
    fn missing(&self) -> Option<String>;
}

/// What has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Came {
    Some,
    /// Nothing comes any more.
    End,
}

/// Why recording ends early.
#[derive(Debug)]
enum Trouble {
    /// The file can't be written.
    File(SinkError),
    /// Nothing more can be had; what there was is written.
    Source(Failure),
}

impl From<SinkError> for Trouble {
    fn from(error: SinkError) -> Self {
        Self::File(error)
    }
}

/// One run of the command.
struct Run<'a> {
    args: &'a RecordArgs,
    options: ServeOptions,
    stop: CancellationToken,
    bar: Option<RecordBar>,
}

impl Run<'_> {
    /// Makes the file, which signals complete from now on.
    fn begin(&self, log: &LogOutput) -> Result<File, Failure> {
        signals::survive_full_files().map_err(|error| Failure::Runtime(error.into()))?;
        signals::handle(self.stop.clone(), log.clone());
        tokio::spawn(say_if_it_takes_long(self.stop.clone()));
        let file = if is_stdout(&self.args.output) {
            File::stdout(self.args.count)?
        } else {
            let writer = WriterOptions { split: self.options.split, ..WriterOptions::default() };
            File::create(&self.args.output, writer, self.args.count)?
        };
        let source = if self.args.source == PIPE { serve::stdin::NAME } else { &self.args.source };
        tracing::info!("recording {source} into {}", file.path().display());
        Ok(file)
    }

    async fn record(&mut self, mut source: impl Source, mut file: File) -> Result<(), Failure> {
        let recorded = self.take(&mut source, &mut file).await;
        let recorded = match recorded {
            Ok(()) => source.stop(&mut file).await,
            trouble => trouble,
        };
        self.bar = None;
        match recorded {
            Ok(()) => {
                if file.messages == 0 && self.args.source == PIPE {
                    tracing::warn!("there was no message on stdin");
                }
                if file.finish()? == Reader::Gone {
                    return Ok(());
                }
            }
            // whoever reads stdout has had enough
            Err(Trouble::File(SinkError::Closed(_))) => return Ok(()),
            Err(Trouble::File(error)) => return Err(file.abandon(error)),
            Err(Trouble::Source(failure)) => {
                file.finish_unless_empty()?;
                return Err(failure);
            }
        }
        match source.missing() {
            None => Ok(()),
            Some(missing) => {
                tracing::warn!("the recording may not be complete: {missing}");
                Err(Failure::Damaged)
            }
        }
    }

    async fn take(&mut self, source: &mut impl Source, file: &mut File) -> Result<(), Trouble> {
        let begin = Instant::now();
        let end = self.args.duration.and_then(|duration| begin.checked_add(duration));
        let mut ticks = interval(progress::REFRESH);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !file.is_complete() {
            tokio::select! {
                biased;
                () = self.stop.cancelled() => break,
                () = sleep_until(end.unwrap_or(begin)), if end.is_some() => break,
                now = ticks.tick() => {
                    file.flush_if_due(now.into_std())?;
                    self.show(source, file, now - begin);
                }
                came = source.next(file) => if came? == Came::End {
                    break;
                },
            }
        }
        Ok(())
    }

    fn show(&mut self, source: &impl Source, file: &File, elapsed: Duration) {
        if let Some(bar) = &mut self.bar {
            bar.update(source.state(), file, elapsed);
        }
    }
}

/// Says that a disk, or whoever reads stdout, is waited for once the end was asked for.
async fn say_if_it_takes_long(stop: CancellationToken) {
    stop.cancelled().await;
    sleep(SOON).await;
    tracing::info!("what was received is still being written; another signal ends that at once");
}
