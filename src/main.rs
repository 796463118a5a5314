//! Runs what was asked for, and turns the outcome into an exit code: 0 done, 1 failed while running, 2 wrong options or
//! unreadable input, 3 port in use, 4 what was shown is damaged, or what was
//! recorded may lack something.

use std::process::ExitCode;

mod cli;
mod demo;

use cli::Failure;

fn main() -> ExitCode {
    match cli::run(std::env::args_os().collect()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Runtime(_) | Failure::Panicked) => ExitCode::from(1),
        Err(Failure::Input(_) | Failure::Usage(_) | Failure::Unreadable) => ExitCode::from(2),
        Err(Failure::PortInUse(_)) => ExitCode::from(3),
        Err(Failure::Damaged) => ExitCode::from(4),
    }
}
