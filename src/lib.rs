//! Brings robot data to any viewer that speaks the Foxglove WebSocket protocol.
//!
//! A [`source`] yields channels and messages; [`playback`] decides when each is due, [`input`] passes live ones on; the [`hub`] knows channels and who
//! wants them; a session speaks the [`protocol`] with one client through a queue in the hub; the [`server`] accepts the
//! connections. What that looks like in files, and who may import whom, stands in `docs/architecture.md`.
//!
//! # Example
//!
//! Serves a recording until it has been played, to whoever connects:
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use foxglove_bridge::{config::ServeOptions, hub::Hub, playback::Player, registry::Registry, server::Server, source};
//!
//! let options = ServeOptions::default();
//! let source = source::open(&["drive.mcap".into()], &options.recording, &Registry::default(), &mut |_progress| {})?;
//! let source = source::Playable::Recording(source);
//! let hub = Hub::new("drive", options.hub);
//! let server = Server::bind(([127, 0, 0, 1], 8765).into()).await?;
//! let finisher = server.finisher();
//! let player = Player::start(source, hub.clone(), options.playback, false, move |_outcome| finisher.finish())?;
//! server.run(hub, std::future::pending()).await?;
//! drop(player);
//! # Ok(())
//! # }
//! ```
pub mod config;
pub mod hub;
pub mod input;
pub mod logging;
pub mod model;
pub mod pattern;
pub mod payload;
pub mod playback;
pub mod protocol;
pub mod registry;
pub mod server;
pub mod sink;
pub mod source;
mod suggest;
pub mod time;
pub mod websocket;
