//! Brings robot data to any viewer that speaks the Foxglove WebSocket protocol.
//!
//! A program's own [channels](hub::handles), [recordings](playback) and [live streams](input) put messages into a
//! [`hub`]. The [`server`] serves the hub to viewers; a [`sink`] writes what is served into a file. `docs/library.md` is the
//! guide; `docs/architecture.md` walks through the insides.
//!
//! The program's own parts (command line, configuration file, progress bar) are the feature `cli`, which is on by default;
//! `default-features = false` gives the library alone.
//!
//! # A server of your own
//!
//! Publishes a hundred times a second:
//!
//! ```no_run
//! use std::{thread, time::Duration};
//!
//! use foxglove_bridge::hub::{Hub, HubOptions};
//! use foxglove_bridge::server::Server;
//!
//! #[derive(serde::Serialize)]
//! struct Imu {
//!     ax: f64,
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let hub = Hub::new("robot", HubOptions::default());
//! let imu = hub.channel("/imu").json()?;
//! // serves until it is dropped
//! let server = Server::start("127.0.0.1:8765", &hub)?;
//! println!("ws://{}", server.address());
//! for n in 0.. {
//!     imu.log(&Imu { ax: f64::from(n).sin() });
//!     thread::sleep(Duration::from_millis(10));
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # What an embedder uses
//!
//! | to | use |
//! | --- | --- |
//! | publish messages | [`hub::Hub::channel`] |
//! | serve them | [`server::Server::start`], or [`server::Server::run`] on a Tokio runtime |
//! | tell of it over HTTP, or leave that out | [`server::Server::with_about`], [`server::Server::with_metric`]; [`server::Http`] |
//! | know whether anybody wants them | [`hub::handles::ChannelHandle::is_subscribed`], [`hub::Hub::on_demand`], [`hub::Hub::snapshot`] |
//! | offer services, parameters, assets, a graph, playback control | [`hub::capability`] |
//! | take what viewers publish; offer it to the others | [`hub::Hub::on_publish`]; [`input::Published`] |
//! | let viewers fetch files; keep the connection graph | [`assets::Assets`]; [`hub::Hub::provide_connections`] |
//! | play recordings, and control that | [`source::open`], [`playback::Player`], [`playback::Remote`] |
//! | play recordings of your own kind | the trait [`source::Recording`] |
//! | pass on JSON lines or MCAP as they come | [`source::json_lines`], [`source::McapStream`], [`input::Live`] |
//! | publish batches of messages | [`hub::Publisher`], [`model::Batch`], [`hub::Hub::registry`] for ids |
//! | record what is served; write MCAP files of your own | [`sink::Recorder`]; [`sink::McapWriter`] |
//! | keep what was published last, and save it when asked | [`sink::BlackBox`] |
//! | read payloads as JSON | [`payload::Decoder`] |
//! | take messages from a server, ask it, control it | [`client`] |
//! | speak the protocol in a way of your own | [`protocol`] |
//!
//! Claim the channels of everything that publishes into one hub from its [registry](hub::Hub::registry): two registries
//! give the same ids to different channels. Handles do so by themselves.
//!
//! Players, inputs, recorders and servers run on threads of their own, and everything can be used on any thread. The library
//! logs through the crate `tracing`, and through nothing else: what is damaged, refused or slow is seen only where a
//! subscriber (such as `tracing-subscriber`) is set up.
//!
//! # A recording
//!
//! Plays it to whoever connects, from their first subscription on, and ends after its last message:
//!
//! ```no_run
//! use foxglove_bridge::hub::{Hub, HubOptions};
//! use foxglove_bridge::playback::{AtEnd, PlaybackOptions, Player};
//! use foxglove_bridge::server::Server;
//! use foxglove_bridge::source::{self, Playable, RecordingOptions};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let hub = Hub::new("drive", HubOptions::default());
//! let options = RecordingOptions::default();
//! let recording = source::open(&["drive.mcap"], &options, hub.registry(), &mut |_progress| {})?;
//! let server = Server::start("127.0.0.1:8765", &hub)?;
//! let finisher = server.finisher();
//! let options = PlaybackOptions { at_end: AtEnd::Exit, ..PlaybackOptions::default() };
//! let recording = Playable::Recording(recording);
//! let player = Player::start(recording, hub, options, move |_outcome| finisher.finish())?;
//! server.wait();
//! // it plays until it is dropped
//! drop(player);
//! # Ok(())
//! # }
//! ```
pub mod assets;
pub mod client;
mod folder;
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

/// Types of protobuf, in the version that [`hub::handles`] takes.
#[doc(no_inline)]
pub use prost_reflect;

/// Insides that the benches measure and the program shares. No part of the API: they change without notice.
#[doc(hidden)]
pub mod internals {
    pub use crate::folder::names::encoded;
    pub use crate::hub::outbox::{Outbox, Progress, Sessions, Slice};
    pub use crate::hub::queue::{Feed, Item};
    pub use crate::hub::subscriptions::ChannelSet;
    pub use crate::log_limit::LogLimit;
    pub use crate::playback::clock::Clock;
    pub use crate::printable::{SHORT, bytes, counted, is_harmless, printable};
    pub use crate::protocol::data::{message_data_header, time_frame};
    pub use crate::server::{Layout, computer_name, layouts};
    pub use crate::source::mcap::merge::{Decoded, Extended, Merge, Place};
    pub use crate::suggest::nearest;
    pub use crate::websocket;
}
