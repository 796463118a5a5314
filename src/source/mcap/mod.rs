//! MCAP: recordings on disk as one timeline, streams, and files that still grow.
//!
//! Three ways lead to messages. Recordings are opened by their index (`index.rs`) or read through once (`scan.rs`), and
//! their chunks are decoded ahead of need and merged (`timeline.rs`). Streams and growing files are read from front to
//! back (`linear.rs`). All of them unpack chunks alike (`chunk.rs`).

mod ahead;
mod backfill;
mod batch;
mod chunk;
mod contents;
mod definitions;
mod file;
mod follow;
mod frames;
mod growing;
mod index;
mod linear;
pub mod merge;
mod overview;
mod scan;
mod stream;
mod summary;
#[cfg(test)]
mod tests;
mod timeline;

pub use follow::{Follow, FollowOptions};
pub use stream::McapStream;
pub(super) use summary::summary;
pub(super) use timeline::Timeline;
