//! A thread that panics ends the program: one that lives on without it looks alive and does nothing.

use std::panic::PanicHookInfo;
use std::process;
use std::thread;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::logging::{Level, LogOutput};

/// Ending in good order, with the recording completed, may take this long.
pub(super) const PATIENCE: Duration = Duration::from_secs(8);

/// Tasks of clients run on threads of this name: one that panics loses its client, and the threads go on.
pub(super) const WORKER: &str = "worker";

/// From now on a panic is reported to `log`, and ends the program with code 1. What is returned is cancelled by it, for
/// those who end in good order; whoever does not within `patience` is ended.
pub(super) fn end_the_program(log: &LogOutput, patience: Duration) -> CancellationToken {
    let panicked = CancellationToken::new();
    let (log, cancelled) = (log.clone(), panicked.clone());
    std::panic::set_hook(Box::new(move |panic| {
        let current = thread::current();
        let name = current.name().unwrap_or("without a name");
        // its own lock may be held
        if name == "log" {
            exit();
        }
        let (place, what) = (place(panic), what(panic));
        if name == WORKER {
            let text = format!(
                "a client's task panicked at {place}: {what}; please report this fault of the program"
            );
            return log.say(Level::Error, &format!("error: {text}"), &text, &[]);
        }
        let text =
            format!("the thread {name} panicked at {place}: {what}; please report this fault of the program");
        log.say(Level::Error, &format!("error: {text}"), &text, &[]);
        cancelled.cancel();
        let watch = {
            let log = log.clone();
            move || {
                thread::sleep(patience);
                log.flush();
                exit();
            }
        };
        if name == "main" || thread::Builder::new().name("last".into()).spawn(watch).is_err() {
            log.flush();
            exit();
        }
    }));
    panicked
}

#[allow(clippy::exit, reason = "the program is broken")]
fn exit() -> ! {
    super::keyboard::restore();
    process::exit(1)
}

fn place(panic: &PanicHookInfo<'_>) -> String {
    panic.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string)
}

fn what(panic: &PanicHookInfo<'_>) -> String {
    let payload = panic.payload();
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("unknown").to_owned()
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};
    use std::time::Instant;

    use super::*;

    /// Run by the test below, in a process of its own.
    #[test]
    #[ignore = "ends the process"]
    fn a_thread_panics() {
        let log = LogOutput::start().unwrap();
        let panicked = end_the_program(&log, Duration::from_millis(200));
        thread::Builder::new().name("player".into()).spawn(|| panic!("no message {}", 7)).unwrap();
        thread::sleep(Duration::from_secs(60));
        assert!(panicked.is_cancelled());
    }

    #[test]
    fn a_panic_ends_the_program_with_code_1_and_says_why() {
        let begin = Instant::now();
        let output = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "cli::panics::tests::a_thread_panics",
                "--ignored",
                "--nocapture",
                "--test-threads=1",
            ])
            .stdout(Stdio::null())
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("error: the thread player panicked at src/cli/panics.rs:"), "{said}");
        assert!(said.contains(": no message 7; please report"), "{said}");
        assert!(begin.elapsed() < Duration::from_secs(30));
    }
}
