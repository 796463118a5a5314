//! `playback.*`: what holds, and what clients set.

use std::time::Duration;

use crate::hub::capability::parameters::{
    ChangedBy, ParameterError, ParameterRequest, ParameterSpec, ParameterStore,
};
use crate::hub::capability::playback::{
    Asker, Command, LoopChange, Playback, PlaybackRequest, Rate, RateChange, Seek,
};
use crate::hub::responder::{NoAnswer, Responder};
use crate::hub::stats::{Activity, Snapshot};
use crate::playback::PlayerHandle;
use crate::protocol::ParameterValue;
use crate::time::TimeRange;

const RATE: &str = "playback.rate";
const PAUSED: &str = "playback.paused";
const LOOP: &str = "playback.loop";
const POSITION: &str = "playback.position";

pub(super) const NAMES: [&str; 4] = [RATE, PAUSED, LOOP, POSITION];

/// Declares them with values that [`update`] replaces.
pub(super) fn declare(
    store: &ParameterStore,
    player: &PlayerHandle,
    range: TimeRange,
) -> Result<(), ParameterError> {
    let specs = [
        ParameterSpec::float64(RATE, 1.0).range(Rate::RANGE),
        ParameterSpec::new(PAUSED, true),
        ParameterSpec::new(LOOP, false),
        ParameterSpec::float64(POSITION, 0.0).range(0.0..=range.duration().as_secs_f64()),
    ];
    for (spec, name) in specs.into_iter().zip(NAMES) {
        let (player, held) = (player.clone(), store.clone());
        store.declare_handled(spec, move |asked, answer| {
            let Some(request) = request(name, &asked, &player, range) else { return };
            let held = held.clone();
            player.carry_out(
                request,
                Responder::new(move |after: Result<Snapshot, NoAnswer>| {
                    // without a snapshot the answer is dropped, and says so
                    if let Ok(after) = after {
                        update(&held, &after, range);
                        answer.respond(Ok(()));
                    }
                }),
            );
        })?;
    }
    let held = store.clone();
    player.look(Responder::new(move |now: Result<Snapshot, NoAnswer>| {
        if let Ok(now) = now {
            update(&held, &now, range);
        }
    }));
    Ok(())
}

/// What is asked of playback by setting a parameter. None can't be: the store checks types.
fn request(
    name: &str,
    asked: &ParameterRequest,
    player: &PlayerHandle,
    range: TimeRange,
) -> Option<PlaybackRequest> {
    let request = match (name, &asked.value) {
        (RATE, value) => RateChange::To(Rate::Times(value.as_f64()?)).into(),
        (PAUSED, ParameterValue::Bool(true)) => Command::Pause.into(),
        (PAUSED, ParameterValue::Bool(false)) => PlaybackRequest::play_or_restart(&player.snapshot()),
        (LOOP, ParameterValue::Bool(on)) => LoopChange::To(*on).into(),
        (POSITION, value) => {
            let offset = Duration::try_from_secs_f64(value.as_f64()?).ok()?;
            Seek::To(range.start.saturating_add(offset)).into()
        }
        _ => return None,
    };
    // 1000 stands for `max`, as it does in the playback control requests of clients
    let by = match asked.by {
        ChangedBy::Client(client) => Asker::Client { client, request_id: String::new() },
        ChangedBy::Program => Asker::Program,
    };
    Some(PlaybackRequest { by, ..request })
}

/// Seconds from the start, in milliseconds.
pub(super) fn position(now: &Snapshot, range: TimeRange) -> Option<f64> {
    let passed = now.position?.since(range.start);
    Some(Duration::new(passed.as_secs(), passed.subsec_millis() * 1_000_000).as_secs_f64())
}

/// The speed as clients see it.
pub(super) fn rate(now: &Snapshot) -> Option<f64> {
    Some(now.speed?.min(*Rate::RANGE.end()))
}

/// Stores what holds now.
pub(super) fn update(store: &ParameterStore, now: &Snapshot, range: TimeRange) {
    let floats = [(RATE, rate(now)), (POSITION, position(now, range))];
    let floats = floats.map(|(name, value)| value.map_or(Ok(()), |value| store.set_float64(name, value)));
    let bools = [(PAUSED, now.activity != Activity::Playing), (LOOP, now.looping)];
    let bools = bools.map(|(name, value)| store.set(name, value));
    for error in floats.into_iter().chain(bools).filter_map(Result::err) {
        tracing::debug!("{error}");
    }
}
