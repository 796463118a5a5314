//! One command: what goes in, what comes out, and its end.

use std::io;
use std::path::Path;
use std::pin::pin;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};

/// Bytes that a command may write on stdout.
const LARGEST_OUTPUT: usize = 1 << 20;

/// Bytes of a line of stderr that are kept.
const LONGEST_LINE: usize = 1 << 10;

/// What a command has written is read for this long after its end: something that it has started may hold the pipes.
const AFTER_END: Duration = Duration::from_millis(250);

/// What became of a command.
#[derive(Debug)]
pub(super) struct Output {
    pub(super) status: ExitStatus,
    pub(super) stdout: Vec<u8>,
    /// The last line of stderr that is not empty.
    pub(super) last_line: String,
}

/// Whether the system finds a program when it is to be started; unknown, and so true, where it looks elsewhere too.
pub(super) fn is_found(program: &str) -> bool {
    if cfg!(not(unix)) {
        return true;
    }
    if program.contains('/') {
        return Path::new(program).is_file();
    }
    std::env::var_os("PATH")
        .is_none_or(|path| std::env::split_paths(&path).any(|folder| folder.join(program).is_file()))
}

/// Runs a command to its end; killed with all that it has started, if this is dropped before. `on_line` gets each line of
/// stderr.
pub(super) async fn run(words: &[String], input: &[u8], on_line: impl Fn(&str)) -> Result<Output, String> {
    let Some((program, arguments)) = words.split_first() else { return Err("no program".to_owned()) };
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.kill_on_drop(true);
    #[cfg(unix)]
    command.process_group(0);
    let failed = |error: io::Error| format!("{program}: {error}");
    let mut child = command.spawn().map_err(failed)?;
    let mut group = Group::of(&child);
    let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (Some(stdin), Some(out), Some(err)) = pipes else { return Err(format!("{program}: no pipes")) };
    let (mut stdout, mut lines) = (Vec::new(), Lines::default());
    let status = {
        let mut piped = pin!(async {
            tokio::try_join!(write(stdin, input), read(out, &mut stdout), lines.read(err, &on_line))
        });
        tokio::select! {
            done = &mut piped => {
                done?;
                child.wait().await
            }
            status = child.wait() => {
                if let Ok(done) = tokio::time::timeout(AFTER_END, piped).await {
                    done?;
                }
                status
            }
        }
    };
    group.has_ended();
    lines.end(&on_line);
    Ok(Output { status: status.map_err(failed)?, stdout, last_line: lines.last })
}

/// A command need not read its input.
async fn write(mut stdin: ChildStdin, input: &[u8]) -> Result<(), String> {
    for bytes in [input, b"\n"] {
        if stdin.write_all(bytes).await.is_err() {
            break;
        }
    }
    Ok(())
}

async fn read(mut stdout: ChildStdout, output: &mut Vec<u8>) -> Result<(), String> {
    // what can't be read is missing in the JSON
    while let Ok(1..) = stdout.read_buf(output).await {
        if output.len() > LARGEST_OUTPUT {
            return Err(format!("the command wrote more than {} MiB", LARGEST_OUTPUT >> 20));
        }
    }
    Ok(())
}

/// Lines of stderr, each cut to a bound.
#[derive(Default)]
struct Lines {
    line: Vec<u8>,
    last: String,
}

impl Lines {
    async fn read(&mut self, mut stderr: ChildStderr, on_line: &impl Fn(&str)) -> Result<(), String> {
        let mut buffer = [0; 4096];
        while let Ok(length @ 1..) = stderr.read(&mut buffer).await {
            for part in buffer[..length].split_inclusive(|byte| *byte == b'\n') {
                let room = LONGEST_LINE.saturating_sub(self.line.len());
                self.line.extend_from_slice(&part[..part.len().min(room)]);
                if part.ends_with(b"\n") {
                    self.end(on_line);
                }
            }
        }
        Ok(())
    }

    fn end(&mut self, on_line: &impl Fn(&str)) {
        let line = String::from_utf8_lossy(self.line.trim_ascii()).into_owned();
        self.line.clear();
        if !line.is_empty() {
            on_line(&line);
            self.last = line;
        }
    }
}

/// What a command has started, killed when dropped unless the command has ended by itself.
#[cfg(unix)]
struct Group(Option<rustix::process::Pid>);

#[cfg(unix)]
impl Group {
    fn of(child: &Child) -> Self {
        let pid = child.id().and_then(|id| i32::try_from(id).ok());
        Self(pid.and_then(rustix::process::Pid::from_raw))
    }

    fn has_ended(&mut self) {
        self.0 = None;
    }
}

#[cfg(unix)]
impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            let killed = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
            if let Err(error) = killed {
                tracing::debug!("a command of a service can't be killed: {error}");
            }
        }
    }
}

/// Elsewhere the command alone is killed.
#[cfg(not(unix))]
struct Group;

#[cfg(not(unix))]
impl Group {
    fn of(_child: &Child) -> Self {
        Self
    }

    fn has_ended(&mut self) {}
}

#[cfg(all(test, unix))]
mod tests {
    use std::cell::RefCell;
    use std::time::Instant;

    use super::*;

    async fn sh(script: &str, input: &str) -> (Result<Output, String>, Vec<String>) {
        let words = ["sh", "-c", script].map(str::to_owned);
        let lines = RefCell::new(Vec::new());
        let output = run(&words, input.as_bytes(), |line| lines.borrow_mut().push(line.to_owned())).await;
        (output, lines.into_inner())
    }

    #[tokio::test]
    async fn a_command_gets_its_input_and_gives_its_output() {
        let (output, lines) = sh("cat; echo one >&2; echo; printf two >&2; exit 3", r#"{"a":1}"#).await;
        let output = output.unwrap();
        assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(3), &b"{\"a\":1}\n\n"[..]));
        assert_eq!((lines, output.last_line.as_str()), (vec!["one".to_owned(), "two".to_owned()], "two"));
    }

    #[tokio::test]
    async fn a_command_that_reads_nothing_is_no_error() {
        let (output, _) = sh("exec true", &"x".repeat(1 << 20)).await;
        assert!(output.unwrap().status.success());
    }

    #[tokio::test]
    async fn too_much_output_is_an_error_and_long_lines_are_cut() {
        let (output, _) = sh("yes", "").await;
        assert_eq!(output.unwrap_err(), "the command wrote more than 1 MiB");
        let (output, lines) = sh("head -c 100000 /dev/zero | tr '\\0' x >&2", "").await;
        assert!(output.unwrap().status.success());
        assert_eq!(lines.iter().map(String::len).collect::<Vec<_>>(), [LONGEST_LINE]);
    }

    #[tokio::test]
    async fn a_command_that_leaves_something_behind_is_not_waited_for() {
        let started = Instant::now();
        let (output, _) = sh("sleep 30 & echo 1", "").await;
        assert_eq!(output.unwrap().stdout, b"1\n");
        assert!(started.elapsed() < Duration::from_secs(10));
    }

    #[tokio::test]
    async fn a_command_that_is_dropped_is_killed_with_what_it_has_started() {
        let folder = tempfile::tempdir().unwrap();
        let (pids, done) = (folder.path().join("pids"), folder.path().join("done"));
        let script = format!("(sleep 2; touch {}) & echo $! > {}; wait", done.display(), pids.display());
        let dropped = tokio::time::timeout(Duration::from_secs(1), sh(&script, "")).await;
        assert!(dropped.is_err() && pids.exists());
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert!(!done.exists());
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_is_named() {
        let error = run(&["/no/such".to_owned()], b"", |_line| {}).await.unwrap_err();
        assert!(error.starts_with("/no/such: "), "{error}");
        let found = ["sh", "/bin/sh", "/no/such", "/bin", "nosuchprogram"].map(is_found);
        assert_eq!(found, [true, true, false, false, false]);
    }
}
