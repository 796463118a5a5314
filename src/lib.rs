//! Brings robot data to any viewer that speaks the Foxglove WebSocket protocol.
pub mod config;
pub mod hub;
pub mod logging;
pub mod model;
pub mod pattern;
pub mod playback;
pub mod protocol;
pub mod server;
pub mod source;
pub mod time;
