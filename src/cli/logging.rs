//! Log lines on stderr, as text or JSON, that don't tear a progress bar.
//!
//! Lines go through a [`LogOutput`]. What draws on the terminal tells it how to step aside for a line
//! ([`LogOutput::step_aside_with`]), so this module knows nothing of bars.

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use tracing::Subscriber;
use tracing_subscriber::filter::{EnvFilter, LevelFilter};
use tracing_subscriber::fmt::MakeWriter;

/// How a log line is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum LogFormat {
    /// One line of text.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

impl FromStr for LogFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(format!("'{text}' is neither text nor json")),
        }
    }
}

/// How much is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verbosity {
    /// Errors only.
    Quiet,
    /// 0: info, 1: what each client does, 2: each message, 3: the libraries as well.
    Verbose(u8),
}

impl Verbosity {
    /// As a filter in the notation of `RUST_LOG`.
    fn directives(self) -> &'static str {
        match self {
            Self::Quiet => "error",
            Self::Verbose(0) => "warn,foxglove_bridge=info",
            Self::Verbose(1) => "warn,foxglove_bridge=debug",
            Self::Verbose(2) => "warn,foxglove_bridge=trace",
            Self::Verbose(_) => "trace",
        }
    }
}

/// Why logging can't start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LogError {
    /// `RUST_LOG` can't be read.
    #[error("RUST_LOG: {0}; write for example foxglove_bridge=debug")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// This process logs already.
    #[error("logging was started before: {0}")]
    Started(#[from] tracing::subscriber::SetGlobalDefaultError),
}

/// Starts logging to stderr for the whole process. `RUST_LOG`, if set and not empty, wins over the verbosity.
pub(crate) fn start(verbosity: Verbosity, format: LogFormat) -> Result<LogOutput, LogError> {
    let rust_log = std::env::var("RUST_LOG").ok().filter(|text| !text.is_empty());
    let filter = EnvFilter::builder()
        .with_default_directive(LevelFilter::ERROR.into())
        .parse(rust_log.as_deref().unwrap_or(verbosity.directives()))?;
    let output = LogOutput::default();
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let color = io::stderr().is_terminal() && !no_color;
    tracing::subscriber::set_global_default(subscriber(filter, format, color, output.clone()))?;
    Ok(output)
}

fn subscriber<W>(
    filter: EnvFilter,
    format: LogFormat,
    color: bool,
    writer: W,
) -> Box<dyn Subscriber + Send + Sync>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(color).with_writer(writer);
    match format {
        LogFormat::Text => Box::new(builder.with_target(false).finish()),
        LogFormat::Json => Box::new(builder.json().flatten_event(true).finish()),
    }
}

/// Clears the terminal's last lines, runs the argument, draws again.
type StepAside = Arc<dyn Fn(&mut dyn FnMut()) + Send + Sync>;

/// Where log lines go: stderr, with whatever is drawn there stepping aside for a moment.
#[derive(Clone, Default)]
pub(crate) struct LogOutput {
    step_aside: Arc<Mutex<Option<StepAside>>>,
}

impl LogOutput {
    /// From now on each line is written within `step_aside`, which must call its argument.
    pub(crate) fn step_aside_with(&self, step_aside: impl Fn(&mut dyn FnMut()) + Send + Sync + 'static) {
        *self.step_aside.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(step_aside));
    }

    /// From now on lines are written straight away again.
    pub(crate) fn stop_stepping_aside(&self) {
        *self.step_aside.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Runs `write` while nothing else is drawn on the terminal; for other output beside a bar.
    pub(crate) fn write_with(&self, write: &mut dyn FnMut()) {
        // cloned, so that the lock is not held while the terminal is written
        let step_aside = self.step_aside.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match step_aside {
            Some(step_aside) => step_aside(write),
            None => write(),
        }
    }
}

impl fmt::Debug for LogOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogOutput").finish_non_exhaustive()
    }
}

impl Write for LogOutput {
    /// Takes a whole event, as the formatter hands it over in one piece.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut result = Ok(());
        self.write_with(&mut || result = io::stderr().write_all(line));
        result.map(|()| line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

impl<'a> MakeWriter<'a> for LogOutput {
    type Writer = Self;

    fn make_writer(&'a self) -> Self::Writer {
        self.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Collects what is logged.
    #[derive(Clone, Default)]
    struct Captured(Arc<Mutex<Vec<u8>>>);

    impl Write for Captured {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl<'a> MakeWriter<'a> for Captured {
        type Writer = Self;

        fn make_writer(&'a self) -> Self {
            self.clone()
        }
    }

    fn logged(verbosity: Verbosity, format: LogFormat) -> String {
        let captured = Captured::default();
        let filter = EnvFilter::new(verbosity.directives());
        tracing::subscriber::with_default(subscriber(filter, format, false, captured.clone()), || {
            tracing::error!(clients = 2, "failed");
            tracing::info!("served");
            tracing::debug!("joined");
            tracing::info!(target: "somebody_else", "hello");
        });
        let bytes = captured.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn verbosity_decides_what_is_logged() {
        let quiet = logged(Verbosity::Quiet, LogFormat::Text);
        assert!(quiet.contains("failed clients=2") && !quiet.contains("served"), "{quiet}");
        let normal = logged(Verbosity::Verbose(0), LogFormat::Text);
        assert!(normal.contains("served") && !normal.contains("joined") && !normal.contains("hello"));
        assert!(logged(Verbosity::Verbose(1), LogFormat::Text).contains("joined"));
        assert!(logged(Verbosity::Verbose(3), LogFormat::Text).contains("hello"));
    }

    #[test]
    fn json_is_one_object_a_line() {
        let text = logged(Verbosity::Verbose(0), LogFormat::Json);
        let lines: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0]["message"], "failed");
        assert_eq!(lines[0]["clients"], 2);
        assert_eq!(lines[1]["level"], "INFO");
    }

    #[test]
    fn what_is_drawn_steps_aside_for_each_line_until_told_otherwise() {
        let times = Arc::new(Mutex::new(0));
        let output = LogOutput::default();
        let counter = Arc::clone(&times);
        output.step_aside_with(move |write| {
            *counter.lock().unwrap() += 1;
            write();
        });
        let mut written = 0;
        output.write_with(&mut || written += 1);
        output.stop_stepping_aside();
        output.write_with(&mut || written += 1);
        assert_eq!((*times.lock().unwrap(), written), (1, 2));
    }
}
