//! Parses, runs, and turns the outcome into an exit code: 0 done, 1 failed while running, 2 wrong options or
//! unreadable input, 3 port in use.
#![allow(clippy::print_stderr, reason = "the last word of a failed command")]

use std::process::ExitCode;

mod cli;

use cli::Failure;

fn main() -> ExitCode {
    let (code, error) = match cli::run(std::env::args_os()) {
        Ok(()) => return ExitCode::SUCCESS,
        Err(Failure::Usage(answer)) => {
            // a closed stderr leaves nobody to tell
            answer.print().ok();
            return ExitCode::from(2);
        }
        Err(Failure::Runtime(error)) => (1, error),
        Err(Failure::Input(error)) => (2, error),
        Err(Failure::PortInUse(error)) => (3, error),
    };
    eprintln!("error: {error:#}");
    ExitCode::from(code)
}
