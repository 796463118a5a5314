//! The task that makes events while somebody listens.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval};

use super::board::{Kind, event};
use super::{Api, Events};
use crate::server::http::clients::Clients;
use crate::server::http::status::{Status, Warning};
use crate::server::http::topics::Topics;

/// How often playback is looked at.
const PLAYBACK: Duration = Duration::from_millis(100);

/// How often the rest is, at most.
const REST: Duration = Duration::from_secs(1);

/// With more topics than this they are sent less often: so many a second.
const TOPICS: usize = 1000;

/// Makes events until nobody listens, or the server ends.
pub(super) async fn run(api: Arc<Api>) {
    let mut ticks = interval(PLAYBACK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut state = State::default();
    loop {
        tokio::select! {
            () = api.stopping.cancelled() => return,
            _ = ticks.tick() => {}
        }
        if api.events.may_end() {
            return;
        }
        state.look(&api).await;
    }
}

/// What was told last.
#[derive(Default)]
struct State {
    status: Option<Status>,
    warnings: Vec<Warning>,
    next_rest: Option<Instant>,
    next_topics: Option<Instant>,
}

impl State {
    async fn look(&mut self, api: &Arc<Api>) {
        if let Some(playback) = api.playback().await {
            post(&api.events, Kind::Playback, event(Kind::Playback, &playback));
        }
        let now = Instant::now();
        if self.next_rest.is_some_and(|next| now < next) {
            return;
        }
        let snapshot = api.hub.snapshot();
        let status = api.status(&snapshot).await;
        for warning in &status.warnings {
            if self.status.is_some() && !self.warnings.contains(warning) {
                post(&api.events, Kind::Warning, event(Kind::Warning, warning));
            }
        }
        self.warnings.clone_from(&status.warnings);
        // a position that moves is told by itself
        let mut told = status.clone();
        told.playback = None;
        if self.status.as_ref() != Some(&told) {
            post(&api.events, Kind::Status, event(Kind::Status, &status));
            self.status = Some(told);
        }
        post(&api.events, Kind::Clients, event(Kind::Clients, &Clients::of(&snapshot)));
        if self.next_topics.is_none_or(|next| now >= next) {
            let counts = api.counts.get(&api.hub).await;
            let topics = Topics::of(&snapshot, counts.as_deref());
            post(&api.events, Kind::Topics, event(Kind::Topics, &topics));
            let seconds = u32::try_from(snapshot.topics.len() / TOPICS).unwrap_or(u32::MAX);
            self.next_topics = Some(now + REST * seconds);
        }
        self.next_rest = Some(now + REST);
    }
}

/// Listeners are woken if there is something new.
fn post(events: &Events, kind: Kind, event: Vec<u8>) {
    events.board.send_if_modified(|board| board.post(kind, event));
}
