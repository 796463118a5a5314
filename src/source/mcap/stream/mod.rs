//! Recordings that are read once, from front to back: from pipes, and from files that still grow.

mod definitions;
pub(super) mod follow;
mod growing;
mod linear;
mod pipe;

pub use follow::{Follow, FollowOptions};
pub use pipe::McapStream;
pub(super) use pipe::Reading;
