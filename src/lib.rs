//! Brings robot data to any viewer that speaks the Foxglove WebSocket protocol.
//!
//! Inputs put messages into a [`hub`]: [`playback`] plays recordings, [`input`] passes on live streams, and a program of
//! your own publishes through a [`hub::Publisher`]. The [`server`] serves the hub to viewers; a [`sink`] writes what is
//! served into a file. `docs/architecture.md` walks through it, and says who may import whom.
//!
//! The program's own parts (command line, configuration file, progress bar) are the feature `cli`, which is on by default;
//! `default-features = false` gives the library alone.
//!
//! # What an embedder uses
//!
//! | to | use |
//! | --- | --- |
//! | publish messages | [`registry::Registry`] for ids, a [`hub::Publisher`], [`model::Batch`] |
//! | serve them | [`hub::Hub`], [`server::Server`] |
//! | know whether anybody wants them | [`hub::Hub::on_demand`], [`hub::Hub::subscriptions`], [`hub::Hub::snapshot`] |
//! | offer services, parameters, assets, a graph | [`hub::capability`] |
//! | take what viewers publish | [`hub::capability::publish`] |
//! | play recordings, and control that | [`source::open`], [`playback::Player`] |
//! | play recordings of your own kind | the trait [`source::Recording`] |
//! | pass on JSON lines or MCAP as they come | [`source::json_lines`], [`source::McapStream`], [`input::Live`] |
//! | record what is served | [`sink::Recorder`] |
//! | read payloads as JSON | [`payload::Decoder`] |
//! | take messages from a server, ask it, control it | [`client`] |
//! | speak the protocol in a way of your own | [`protocol`] |
//!
//! Claim the channels of everything that publishes into one hub from one [`registry::Registry`], and keep it: two
//! registries give the same ids to different channels.
//!
//! A [`server::Server`] needs a Tokio runtime with I/O and time. Players, inputs and recorders run on threads of their own,
//! and a publisher can be used on any thread. The library logs through the crate `tracing`, and through nothing else: what
//! is damaged, refused or slow is seen only where a subscriber (such as `tracing-subscriber`) is set up.
//!
//! # A server of your own
//!
//! Publishes two topics ten times a second, until Ctrl-C ends the program:
//!
//! ```no_run
//! use std::time::{Duration, Instant};
//!
//! use foxglove_bridge::hub::{Hub, HubOptions};
//! use foxglove_bridge::model::{Batch, Entry};
//! use foxglove_bridge::registry::{ChannelSpec, Registry};
//! use foxglove_bridge::server::Server;
//! use foxglove_bridge::time::Timestamp;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let hub = Hub::new("robot", HubOptions::default());
//! // one for all that publishes into the hub
//! let registry = Registry::default();
//! let counter = registry.claim(ChannelSpec::json("/counter"))?.channel;
//! let square = registry.claim(ChannelSpec::json("/square"))?.channel;
//! let publisher = hub.publisher();
//! publisher.announce(&[counter.clone(), square.clone()]);
//! let server = Server::bind(([127, 0, 0, 1], 8765).into()).await?;
//! println!("ws://{}", server.address());
//! let robot = async move {
//!     let mut ticks = tokio::time::interval(Duration::from_millis(100));
//!     for count in 0u64.. {
//!         ticks.tick().await;
//!         let now = Timestamp::now();
//!         let mut batch = Batch::default();
//!         batch.push_copy(&Entry::at(counter.id, now), format!(r#"{{"n":{count}}}"#).as_bytes());
//!         batch.push_copy(&Entry::at(square.id, now), format!(r#"{{"n":{}}}"#, count * count).as_bytes());
//!         publisher.publish_live(batch, Instant::now());
//!     }
//! };
//! // serves until this future is ready: one that ends when the robot does, or at a signal
//! server.run(hub, robot).await;
//! # Ok(())
//! # }
//! ```
//!
//! # A recording
//!
//! Plays it to whoever connects, from their first subscription on, and ends after its last message:
//!
//! ```no_run
//! use foxglove_bridge::hub::{Hub, HubOptions};
//! use foxglove_bridge::playback::{AtEnd, PlaybackOptions, Player};
//! use foxglove_bridge::registry::Registry;
//! use foxglove_bridge::server::Server;
//! use foxglove_bridge::source::{self, Playable, RecordingOptions};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let registry = Registry::default();
//! let options = RecordingOptions::default();
//! let recording = source::open(&["drive.mcap"], &options, &registry, &mut |_progress| {})?;
//! let hub = Hub::new("drive", HubOptions::default());
//! let server = Server::bind(([127, 0, 0, 1], 8765).into()).await?;
//! let finisher = server.finisher();
//! let options = PlaybackOptions { at_end: AtEnd::Exit, ..PlaybackOptions::default() };
//! let recording = Playable::Recording(recording);
//! let player = Player::start(recording, hub.clone(), options, move |_outcome| finisher.finish())?;
//! server.run(hub, std::future::pending()).await;
//! // it plays until it is dropped
//! drop(player);
//! # Ok(())
//! # }
//! ```
pub mod client;
pub mod hub;
pub mod input;
mod log_limit;
pub mod model;
mod numeric_time;
pub mod pattern;
pub mod payload;
pub mod playback;
mod printable;
pub mod protocol;
pub mod registry;
pub mod server;
pub mod sink;
pub mod source;
mod suggest;
pub mod time;
#[doc(hidden)]
pub mod websocket;

/// Insides that the benches measure and the program shares. No part of the API: they change without notice.
#[doc(hidden)]
pub mod internals {
    pub use crate::hub::outbox::{Outbox, Progress, Sessions, Slice};
    pub use crate::hub::queue::{Feed, Item};
    pub use crate::hub::subscriptions::ChannelSet;
    pub use crate::playback::clock::Clock;
    pub use crate::printable::{SHORT, counted, is_harmless, printable};
    pub use crate::protocol::data::{message_data_header, time_frame};
    pub use crate::source::mcap::merge::{Decoded, Extended, Merge, Place};
    pub use crate::suggest::nearest;
    pub use crate::websocket;
}
