//! What feeds the hub and is no player: live input, which is sent as it comes in.
//!
//! [`Live`] runs each stream on a thread of its own and gives what it reads to the hub's publisher; [`listen`] has the
//! sockets on which writers connect; [`Published`] offers what clients publish. Playback by log time is not here: a stream that is paced goes through a player.

mod http;
mod kept;
pub mod listen;
mod live;
mod published;
#[cfg(test)]
mod tests;

pub use kept::{EndOfPipe, Keeping};
pub use live::{Live, OnEof, OpenWriter, Writers};
pub use published::{FromClient, Observer, Published};
