//! `bench`: many viewers of a server at once, and what they get.
//!
//! Payloads are neither kept nor decoded, and no message waits in a queue: what is counted has come by then.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::anyhow;
use foxglove_bridge::client::{
    Client, ClientOptions, ConnectError, Ended, Event, Events, Payloads, Reconnect, Topics,
};
use foxglove_bridge::pattern::{PatternError, TopicFilter, TopicPattern};
use foxglove_bridge::protocol::Level;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

use super::args::BenchArgs;
use super::logging::LogOutput;
use super::remote::{failure, options};
use super::serve::signals;
use super::{Failure, print, unmatched};
use progress::Progress;
use report::Counts;
use tally::{Conditions, Tally};

mod compare;
mod histogram;
mod progress;
mod report;
mod speed;
mod tally;
#[cfg(test)]
mod testing;
mod text;

/// Clients that connect at once.
const AT_ONCE: usize = 64;

/// How often events are looked at, and the progress is shown.
const LOOK: Duration = Duration::from_millis(100);

/// How long closing all connections may take.
const CLOSING: Duration = Duration::from_secs(5);

/// Different statuses of the server that are shown.
const MOST_STATUSES: usize = 5;

/// What came of it.
#[derive(Debug)]
struct Outcome {
    url: String,
    name: String,
    asked: u32,
    /// How long connecting took, of each client that did.
    connected: Vec<Duration>,
    /// Why connections ended that were to last.
    lost: Vec<Ended>,
    /// The server has closed all connections.
    is_over: bool,
    /// Warnings and errors of the server, and how often each came.
    statuses: BTreeMap<String, u64>,
    counts: Counts,
}

/// A client that has connected.
struct Viewer {
    client: Client,
    events: Events,
    tally: Arc<Mutex<Tally>>,
    ended: Option<Ended>,
}

/// Whether bars may be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bar {
    Shown,
    Hidden,
}

pub(crate) fn run(args: &BenchArgs, bar: Bar, log: &LogOutput) -> Result<(), Failure> {
    let patterns = |texts: &[String]| texts.iter().map(|text| text.parse()).collect::<Result<Vec<_>, _>>();
    let wrong = |error: PatternError| Failure::Input(error.into());
    let include: Vec<TopicPattern> = patterns(&args.topic).map_err(wrong)?;
    let filter = TopicFilter { include, exclude: patterns(&args.exclude).map_err(wrong)? };
    signals::raise_descriptors();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime =
        runtime.map_err(|error| Failure::Runtime(anyhow::Error::from(error).context("starting")))?;
    runtime.block_on(async {
        let stop = CancellationToken::new();
        signals::handle(stop.clone(), log.clone());
        let connecting = connect_all(args);
        let (connected, refused) = tokio::select! {
            connected = connecting => connected,
            () = stop.cancelled() => return Err(Failure::Runtime(anyhow!("ended before all clients had connected"))),
        };
        let refusals = refused.len();
        let first = refused.into_iter().next();
        if let (true, Some(error)) = (connected.is_empty(), first) {
            return Err(failure(&args.url, error));
        } else if refusals > 0 {
            tracing::warn!("{refusals} of {} clients could not connect", args.clients);
        }
        let first = connected.first();
        let unmatched = first.map(|(client, _)| unmatched::watch(client, filter.include.clone(), None));
        let outcome = measure(args, connected, filter, &stop, Progress::new(args, bar, log)).await;
        if let Some(unmatched) = unmatched {
            // its connection has ended; it does not panic
            unmatched.await.ok();
        }
        let report = match args.json {
            true => format!("{:#}\n", text::json(&outcome, args.topics)),
            false => text::text(&outcome, args.topics),
        };
        print(&report)?;
        match outcome.lost.first() {
            Some(why) => {
                Err(Failure::Runtime(anyhow!("{} of {} connections ended: {why}", outcome.lost.len(), args.clients)))
            }
            None if refusals > 0 => {
                Err(Failure::Runtime(anyhow!("{refusals} of {} clients could not connect", args.clients)))
            }
            None => Ok(()),
        }
    })
}

/// Those that connected, with the time that it took, and why others did not.
async fn connect_all(args: &BenchArgs) -> (Vec<(Client, Duration)>, Vec<ConnectError>) {
    let options = ClientOptions { payloads: Payloads::Skipped, ..options(&args.server, Reconnect::Never) };
    let gate = Arc::new(Semaphore::new(AT_ONCE));
    let mut connecting = JoinSet::new();
    for _ in 0..args.clients {
        let (gate, url, options) = (gate.clone(), args.url.clone(), options.clone());
        connecting.spawn(async move {
            let _permit = gate.acquire().await;
            let began = Instant::now();
            let client = Client::connect_with(&url, options).await;
            client.map(|client| (client, began.elapsed()))
        });
    }
    let (mut connected, mut refused) = (Vec::new(), Vec::new());
    for outcome in connecting.join_all().await {
        match outcome {
            Ok(client) => connected.push(client),
            Err(error) => refused.push(error),
        }
    }
    (connected, refused)
}

async fn measure(
    args: &BenchArgs,
    connected: Vec<(Client, Duration)>,
    filter: TopicFilter,
    stop: &CancellationToken,
    mut progress: Progress,
) -> Outcome {
    let name = match connected.first() {
        Some((client, _)) => client.server_info().await.map_or_else(String::new, |info| info.name.clone()),
        None => String::new(),
    };
    let conditions = Arc::new(Conditions::new());
    let times = connected.iter().map(|(_, time)| *time).collect();
    let (mut viewers, mut measuring) = (Vec::new(), Vec::new());
    for (client, _) in connected {
        let tally = Arc::new(Mutex::new(Tally::new(conditions.clone())));
        let counting = tally.clone();
        measuring
            .push(client.measure(Topics::from(filter.clone()), move |arrival| lock(&counting).add(arrival)));
        viewers.push(Viewer { events: client.events(), client, tally, ended: None });
    }
    let mut statuses = BTreeMap::new();
    let mut looks = interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let until = tokio::time::sleep(args.duration);
    tokio::pin!(until);
    let is_over = loop {
        tokio::select! {
            () = &mut until => break false,
            () = stop.cancelled() => break false,
            _ = looks.tick() => {}
        }
        for (number, viewer) in viewers.iter_mut().enumerate() {
            let speed = (number == 0).then_some(&conditions.speed);
            look(viewer, speed, &mut statuses).await;
        }
        if viewers.iter().all(|viewer| viewer.ended.is_some()) {
            break true;
        }
        progress.show(|| {
            viewers
                .iter()
                .map(|viewer| lock(&viewer.tally).so_far())
                .fold((0, 0), |(a, b), (c, d)| (a + c, b + d))
        });
    };
    let now = Instant::now();
    let tallies: Vec<Tally> = viewers
        .iter()
        .map(|viewer| std::mem::replace(&mut *lock(&viewer.tally), Tally::new(conditions.clone())))
        .collect();
    drop(progress);
    drop(measuring);
    let counts = Counts::of(&tallies, (!is_over).then_some(now));
    let lost =
        viewers.iter().filter_map(|viewer| viewer.ended.clone()).filter(|ended| *ended != Ended::Finished);
    let lost = lost.collect();
    close_all(viewers).await;
    Outcome {
        url: args.url.clone(),
        name,
        asked: args.clients,
        connected: times,
        lost,
        is_over,
        statuses,
        counts,
    }
}

/// What happened to a client since the last time. Nobody waits for events, so that they cost nothing as they come.
async fn look(viewer: &mut Viewer, speed: Option<&speed::Speed>, statuses: &mut BTreeMap<String, u64>) {
    while let Some(event) = viewer.events.try_next() {
        match (event, speed) {
            (Event::Playback(state), Some(speed)) => speed.on_state(&state),
            (Event::Status(status), _)
                if status.level != Level::Info
                    && (statuses.len() < MOST_STATUSES || statuses.contains_key(&status.message)) =>
            {
                *statuses.entry(status.message).or_default() += 1;
            }
            (Event::Disconnected { .. }, _) => viewer.ended = Some(viewer.client.ended().await),
            _ => {}
        }
    }
}

async fn close_all(viewers: Vec<Viewer>) {
    let mut closing = JoinSet::new();
    for Viewer { client, .. } in viewers {
        closing.spawn(async move { client.close().await });
    }
    if timeout(CLOSING, closing.join_all()).await.is_err() {
        tracing::debug!("some connections did not close in time");
    }
}

/// A panic in a meter ends the program anyway.
fn lock(tally: &Mutex<Tally>) -> std::sync::MutexGuard<'_, Tally> {
    tally.lock().unwrap_or_else(PoisonError::into_inner)
}
