//! Signals. SIGINT, SIGTERM, SIGHUP and SIGQUIT stop the server in good order, another one a second later or more at once.
//! What was ignored when the program began, as `nohup` and `&` in scripts have it, stays ignored.

use std::io;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::cli::keyboard;
use crate::cli::logging::LogOutput;
use foxglove_bridge::hub::Hub;

/// Signals that come within this time of the first count as that one. GNU `timeout` signals the program and then its group,
/// a terminal that is closed and systemd send several; a person who insists does so for longer.
const ONE_REQUEST: Duration = Duration::from_secs(1);

/// Handles signals from now on, on a task; the first that asks for it cancels `stop`.
pub(in crate::cli) fn handle(stop: CancellationToken, log: LogOutput) {
    match Signals::listen() {
        Ok(signals) => drop(tokio::spawn(signals.run(stop, log))),
        Err(error) => tracing::error!("signals can't be awaited: {error}"),
    }
}

/// Has SIGUSR1 save what is kept, unless it was ignored. Where nothing is kept it says so: by itself the signal ends a program.
#[cfg(unix)]
pub(super) fn save_on_user_signal(hub: &Hub) {
    use rustix::process::Signal;

    let mut asked = match listen(Signal::USR1) {
        Ok(asked) => asked,
        Err(error) => return tracing::error!("SIGUSR1 can't be awaited: {error}"),
    };
    let hub = hub.clone();
    tokio::spawn(async move {
        loop {
            received(&mut asked).await;
            super::keeping::save(&hub);
        }
    });
}

/// There is no such signal.
#[cfg(not(unix))]
pub(super) fn save_on_user_signal(_hub: &Hub) {}

/// What a signal that asks for the end brings about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    /// The end in good order.
    Stop,
    /// Nothing more than the one before.
    Same,
    /// The end at once.
    Exit,
}

/// The signals so far that ask for the end.
#[derive(Debug, Default)]
struct Asked {
    first: Option<Instant>,
}

impl Asked {
    fn again(&mut self, now: Instant) -> Answer {
        match self.first {
            None => {
                self.first = Some(now);
                Answer::Stop
            }
            Some(first) if now < first + ONE_REQUEST => Answer::Same,
            Some(_) => Answer::Exit,
        }
    }

    fn answer(&mut self, stop: &CancellationToken) {
        match self.again(Instant::now()) {
            Answer::Stop => stop.cancel(),
            Answer::Same => {}
            Answer::Exit => exit_now(),
        }
    }
}

/// The user insists.
#[allow(clippy::exit, reason = "the user insists")]
fn exit_now() -> ! {
    keyboard::restore();
    std::process::exit(130)
}

/// A signal that is listened to; None if it is ignored.
#[cfg(unix)]
type Listened = Option<tokio::signal::unix::Signal>;

#[cfg(unix)]
struct Signals {
    interrupt: Listened,
    terminate: Listened,
    hangup: Listened,
    quit: Listened,
    suspend: Listened,
    resume: Listened,
}

#[cfg(unix)]
impl Signals {
    fn listen() -> io::Result<Self> {
        use rustix::process::Signal;

        Ok(Self {
            interrupt: listen(Signal::INT)?,
            terminate: listen(Signal::TERM)?,
            hangup: listen(Signal::HUP)?,
            quit: listen(Signal::QUIT)?,
            suspend: listen(Signal::TSTP)?,
            resume: listen(Signal::CONT)?,
        })
    }

    async fn run(mut self, stop: CancellationToken, log: LogOutput) {
        let mut asked = Asked::default();
        loop {
            tokio::select! {
                () = received(&mut self.interrupt) => asked.answer(&stop),
                () = received(&mut self.terminate) => asked.answer(&stop),
                () = received(&mut self.hangup) => asked.answer(&stop),
                () = received(&mut self.quit) => asked.answer(&stop),
                () = received(&mut self.suspend) => suspend_now(&log),
                () = received(&mut self.resume) => log.redraw(),
            }
        }
    }
}

/// Listens to a signal, unless it was ignored when the program began.
#[cfg(unix)]
fn listen(wanted: rustix::process::Signal) -> io::Result<Listened> {
    use tokio::signal::unix::{SignalKind, signal};

    let number = wanted.as_raw();
    let is_ignored = ignored() & (1 << (number - 1)) != 0;
    (!is_ignored).then(|| signal(SignalKind::from_raw(number))).transpose()
}

/// Completes at the next signal of a kind; never if it is ignored.
#[cfg(unix)]
async fn received(signal: &mut Listened) {
    match signal {
        // None: the runtime ends
        Some(signal) => {
            if signal.recv().await.is_none() {
                std::future::pending::<()>().await;
            }
        }
        None => std::future::pending().await,
    }
}

/// Stops as the shell asks by Ctrl-Z, with the terminal as it was. Where nobody could continue it (the group of the
/// session's leader, as with `ssh -t`), it goes on, as it would without a handler.
#[cfg(unix)]
fn suspend_now(log: &LogOutput) {
    use rustix::process::{Signal, getpgrp, getpid, getsid, kill_process};

    if getsid(None).is_ok_and(|session| session == getpgrp()) {
        return;
    }
    keyboard::restore();
    log.flush();
    if let Err(error) = kill_process(getpid(), Signal::STOP) {
        tracing::debug!("the program can't be stopped: {error}");
    }
}

/// The signals that were ignored when the program began, one bit each, the lowest for signal 1.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    line.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

/// Where that can't be seen, SIGHUP and SIGQUIT are left as they are.
#[cfg(all(unix, not(any(target_os = "linux", target_os = "android"))))]
fn ignored() -> u64 {
    use rustix::process::Signal;
    [Signal::HUP, Signal::QUIT].iter().map(|signal| 1 << (signal.as_raw() - 1)).sum()
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Self)
    }

    async fn run(self, stop: CancellationToken, _log: LogOutput) {
        let mut asked = Asked::default();
        while tokio::signal::ctrl_c().await.is_ok() {
            asked.answer(&stop);
        }
    }
}

/// A file that has reached its largest size (`ulimit -f`) is an error of the write, as a full disk is, and does not end
/// the program.
#[cfg(unix)]
pub(in crate::cli) fn survive_full_files() -> io::Result<()> {
    use rustix::process::Signal;
    use tokio::signal::unix::{SignalKind, signal};
    // the handler stays; nobody has to listen
    signal(SignalKind::from_raw(Signal::XFSZ.as_raw())).map(drop)
}

#[cfg(not(unix))]
pub(in crate::cli) fn survive_full_files() -> io::Result<()> {
    Ok(())
}

/// As many descriptors as the system allows: each client, writer and recording has one.
#[cfg(unix)]
pub(in crate::cli) fn raise_descriptors() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    // more is of no use, and some systems refuse "unlimited", or more than the second of these
    const ENOUGH: [u64; 2] = [1 << 16, 10_240];
    let limit = getrlimit(Resource::Nofile);
    for enough in ENOUGH {
        let wanted = limit.maximum.map_or(enough, |maximum| maximum.min(enough));
        if limit.current.is_none_or(|current| current >= wanted) {
            return;
        }
        match setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), ..limit }) {
            Ok(()) => return,
            Err(error) => tracing::debug!("{wanted} descriptors are refused: {error}"),
        }
    }
}

#[cfg(not(unix))]
pub(in crate::cli) fn raise_descriptors() {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_close_together_are_one_and_a_later_one_ends_at_once() {
        let (mut asked, begin) = (Asked::default(), Instant::now());
        let mut after = |millis| asked.again(begin + Duration::from_millis(millis));
        assert_eq!(
            [after(0), after(0), after(3), after(999)],
            [Answer::Stop, Answer::Same, Answer::Same, Answer::Same]
        );
        assert_eq!(after(1000), Answer::Exit, "counted from the first, so that a key that is held ends it");
    }
}
