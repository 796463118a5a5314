//! Log lines on stderr, as text or JSON.
//!
//! All that the program writes to stderr goes through a [`LogOutput`], so that nobody but its thread ever waits for the
//! terminal.

use std::io::{self, IsTerminal};
use std::str::FromStr;

use tracing::Subscriber;
use tracing_subscriber::filter::{EnvFilter, LevelFilter};
use tracing_subscriber::fmt::MakeWriter;

mod output;

pub(crate) use output::{Level, LogOutput};

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
    #[error("RUST_LOG: '{given}' is not a filter: {reason}; write for example foxglove_bridge=debug")]
    Filter {
        /// What it holds.
        given: String,
        /// What the parser says.
        reason: String,
    },
    /// This process logs already.
    #[error("logging was started before")]
    Started(#[from] tracing::subscriber::SetGlobalDefaultError),
}

/// Logs to `output` for the whole process. `RUST_LOG`, if set and not empty, wins over the verbosity.
pub(crate) fn start(verbosity: Verbosity, format: LogFormat, output: &LogOutput) -> Result<(), LogError> {
    let rust_log = std::env::var("RUST_LOG").ok().filter(|text| !text.is_empty());
    let directives = rust_log.as_deref().unwrap_or(verbosity.directives());
    let filter = EnvFilter::builder()
        .with_default_directive(LevelFilter::ERROR.into())
        .parse(directives)
        .map_err(|error| LogError::Filter { given: directives.to_owned(), reason: error.to_string() })?;
    output.set_format(format);
    tracing::subscriber::set_global_default(subscriber(filter, format, color(), output.clone()))?;
    Ok(())
}

/// Whether stderr shows colors.
pub(crate) fn color() -> bool {
    io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
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
    // it would print its own errors to stderr, which panics where that is closed
    let builder = builder.log_internal_errors(false);
    match format {
        LogFormat::Text => Box::new(builder.with_target(false).finish()),
        LogFormat::Json => Box::new(builder.json().flatten_event(true).finish()),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

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
}
