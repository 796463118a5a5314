//! Brings robot data to any viewer that speaks the Foxglove WebSocket protocol.
//!
//! Inputs put messages into a [`hub`]: [`playback`] plays recordings, [`input`] passes on live streams, and a program of
//! your own publishes through a [`hub::Publisher`]. The [`server`] serves the hub to viewers; a [`sink`] writes what is
//! served into a file. What that looks like in files, and who may import whom, stands in `docs/architecture.md`.
//!
//! The program's own parts (command line, configuration file, progress bar) are the feature `cli`, which is on by default;
//! `default-features = false` gives the library alone.
//!
//! # A server of your own
//!
//! ```
//! use std::time::Instant;
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
//! let imu = Registry::default().claim(ChannelSpec::json("/imu"))?.channel;
//! let publisher = hub.publisher();
//! publisher.announce(&[imu.clone()]);
//! let server = Server::bind(([127, 0, 0, 1], 0).into()).await?;
//! println!("ws://{}", server.address());
//! let robot = async move {
//!     for second in 0..3 {
//!         let mut batch = Batch::default();
//!         batch.push_copy(&Entry::at(imu.id, Timestamp(second * 1_000_000_000)), br#"{"ax":0.1}"#);
//!         publisher.publish_live(batch, Instant::now());
//!     }
//! };
//! // serves until the robot stops
//! server.run(hub, robot).await?;
//! # Ok(())
//! # }
//! ```
//!
//! # A recording
//!
//! Serves it until it has been played, to whoever connects:
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
//! let files = ["drive.mcap".to_owned()];
//! let recording = source::open(&files, &RecordingOptions::default(), &Registry::default(), &mut |_progress| {})?;
//! let hub = Hub::new("drive", HubOptions::default());
//! let server = Server::bind(([127, 0, 0, 1], 8765).into()).await?;
//! let finisher = server.finisher();
//! let options = PlaybackOptions { at_end: AtEnd::Exit, ..PlaybackOptions::default() };
//! let recording = Playable::Recording(recording);
//! let player = Player::start(recording, hub.clone(), options, move |_outcome| finisher.finish())?;
//! server.run(hub, std::future::pending()).await?;
//! drop(player);
//! # Ok(())
//! # }
//! ```
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
