//! Playback as parameters and services, for viewers that don't know playback control (Lichtblick), and for scripts.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use super::Player;
use crate::hub::capability::parameters::{ParameterError, ParameterStore};
use crate::hub::capability::services::{NameTaken, ServiceHandle};
use crate::hub::{AlreadyProvided, Hub};

mod parameters;
mod services;
#[cfg(test)]
mod tests;

/// How often the parameters are brought up to date, which limits how often clients get the position.
const INTERVAL: Duration = Duration::from_millis(500);

/// Why playback is not offered as parameters and services.
#[derive(Debug, thiserror::Error)]
pub enum NotOffered {
    /// The hub's parameters are kept by something else.
    #[error(transparent)]
    AlreadyProvided(#[from] AlreadyProvided),
    /// There is a parameter of the name.
    #[error(transparent)]
    Parameter(#[from] ParameterError),
    /// There is a service of the name.
    #[error(transparent)]
    Service(#[from] NameTaken),
    /// The system gives no thread.
    #[error("the system gives no thread: {0}")]
    NoThread(#[source] std::io::Error),
}

/// The parameters and services by which clients control a player; taken back when dropped.
///
/// | parameter | type | meaning |
/// | --- | --- | --- |
/// | `playback.rate` | `float64`, 0.01 to 1000 | the speed; `max` looks like 1000, which leaves it as it is |
/// | `playback.paused` | bool | whether time stands; at the end false plays again from the start |
/// | `playback.loop` | bool | start again at the end |
/// | `playback.position` | `float64` | seconds from the start; sent twice a second at most |
///
/// | service | request | as |
/// | --- | --- | --- |
/// | `/playback/play`, `/playback/pause`, `/playback/toggle` | `{}` | play at the end plays again from the start |
/// | `/playback/set_rate` | `{"rate":2}` or `{"rate":"max"}` | |
/// | `/playback/seek` | one of `{"time":T}`, `{"offset":S}`, `{"by":S}` | `T` as in JSON lines (RFC 3339, seconds, nanoseconds, `{"sec","nsec"}`); seconds from the start; seconds from here |
/// | `/playback/step` | `{"count":1,"topic":"/t"}` | pauses, and publishes as many messages (of the topic) |
/// | `/playback/burst` | `{"num_messages":10}` | pauses, and publishes as many messages at once; 0: all that are left |
///
/// Names and fields are those of `ros2 bag play` where it has such a service. Each answers with what holds after it:
/// `{"success":true,"message":"","status":"playing","time":"2026-01-02T03:04:05.000000000Z","position":1.5,"rate":1.0,"loop":false}`.
/// What can't be done is answered in the same form, since Lichtblick never shows a failure answer.
///
/// ```no_run
/// # use foxglove_bridge::{hub::Hub, playback::{PlaybackOptions, Player, Remote}, source::Playable};
/// # fn play(recording: Playable, hub: Hub) -> Result<(), Box<dyn std::error::Error>> {
/// let player = Player::start(recording, hub.clone(), PlaybackOptions::default(), |_outcome| {})?;
/// let remote = Remote::offer(&hub, &player)?;
/// # Ok(())
/// # }
/// ```
#[must_use = "what is offered is taken back when this is dropped"]
pub struct Remote {
    store: ParameterStore,
    services: Vec<ServiceHandle>,
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Remote {
    /// Offers them. None if clients may not control the player, or it plays a stream.
    pub fn offer(hub: &Hub, player: &Player) -> Result<Option<Self>, NotOffered> {
        let Some(range) = player.controlled() else { return Ok(None) };
        let (store, handle) = (hub.parameters()?, player.handle());
        let mut remote = Self { store: store.clone(), services: Vec::new(), stop: None, thread: None };
        parameters::declare(&store, &handle, range)?;
        remote.services = services::add(hub, &store, &handle, range)?;
        let (stop, stopped) = channel();
        let run = move || {
            while stopped.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) {
                parameters::update(&store, &handle.snapshot(), range);
            }
        };
        let thread = std::thread::Builder::new().name("playback parameters".into()).spawn(run);
        remote.thread = Some(thread.map_err(NotOffered::NoThread)?);
        remote.stop = Some(stop);
        Ok(Some(remote))
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        self.stop = None;
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread that updates the parameters of playback panicked");
        }
        self.services.clear();
        for name in parameters::NAMES {
            self.store.remove(name);
        }
    }
}
