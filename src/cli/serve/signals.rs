//! Signals. SIGINT, SIGTERM, SIGHUP and SIGQUIT stop the server in good order, the second one at once. What was ignored
//! when the program began, as `nohup` and `&` in scripts have it, stays ignored.

use std::io;

use tokio_util::sync::CancellationToken;

use crate::cli::keyboard;
use crate::cli::logging::LogOutput;

/// Handles signals for as long as it is awaited; the first that asks for it cancels `stop`.
pub(super) async fn handle(stop: CancellationToken, log: LogOutput) {
    if let Err(error) = signals(stop, log).await {
        tracing::error!("signals can't be awaited: {error}");
    }
}

/// The user insists.
#[allow(clippy::exit, reason = "the second signal")]
fn exit_now() -> ! {
    keyboard::restore();
    std::process::exit(130)
}

#[cfg(unix)]
async fn signals(stop: CancellationToken, log: LogOutput) -> io::Result<()> {
    use rustix::process::Signal;
    use tokio::signal::unix::{SignalKind, signal};

    let ignored = ignored();
    let listen = |wanted: Signal| {
        let number = wanted.as_raw();
        let is_ignored = ignored & (1 << (number - 1)) != 0;
        (!is_ignored).then(|| signal(SignalKind::from_raw(number))).transpose()
    };
    let mut interrupt = listen(Signal::INT)?;
    let mut terminate = listen(Signal::TERM)?;
    let mut hangup = listen(Signal::HUP)?;
    let mut quit = listen(Signal::QUIT)?;
    let mut suspend = listen(Signal::TSTP)?;
    let mut resume = listen(Signal::CONT)?;
    let mut stopping = false;
    loop {
        tokio::select! {
            () = received(&mut interrupt) => {}
            () = received(&mut terminate) => {}
            () = received(&mut hangup) => {}
            () = received(&mut quit) => {}
            () = received(&mut suspend) => {
                suspend_now(&log);
                continue;
            }
            () = received(&mut resume) => {
                log.redraw();
                continue;
            }
        }
        if std::mem::replace(&mut stopping, true) {
            exit_now();
        }
        stop.cancel();
    }
}

/// Completes at the next signal of a kind; never if it is ignored.
#[cfg(unix)]
async fn received(signal: &mut Option<tokio::signal::unix::Signal>) {
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
async fn signals(stop: CancellationToken, _log: LogOutput) -> io::Result<()> {
    tokio::signal::ctrl_c().await?;
    stop.cancel();
    tokio::signal::ctrl_c().await?;
    exit_now()
}

/// A file that has reached its largest size (`ulimit -f`) is an error of the write, as a full disk is, and does not end
/// the program.
#[cfg(unix)]
pub(super) fn survive_full_files() -> io::Result<()> {
    use rustix::process::Signal;
    use tokio::signal::unix::{SignalKind, signal};
    // the handler stays; nobody has to listen
    signal(SignalKind::from_raw(Signal::XFSZ.as_raw())).map(drop)
}

#[cfg(not(unix))]
pub(super) fn survive_full_files() -> io::Result<()> {
    Ok(())
}

/// As many descriptors as the system allows: each client, writer and recording has one.
#[cfg(unix)]
pub(super) fn raise_descriptors() {
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
pub(super) fn raise_descriptors() {}
