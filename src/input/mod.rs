//! What feeds the hub and is no player: live input, which is sent as it comes in.
//!
//! [`Live`] runs each stream on a thread of its own and gives what it reads to the hub's publisher; [`listen`] has the
//! sockets on which writers connect; [`Published`] offers what clients publish. Playback by log time is not here: a stream that is paced goes through a player.

mod commands;
mod connection;
mod events;
mod http;
mod kept;
pub mod listen;
mod live;
mod printer;
mod published;
#[cfg(test)]
mod tests;

pub use commands::{Back, Commands, TwoWay};
pub use events::Events;
pub use kept::{EndOfPipe, Keeping};
pub use live::{Live, OnEof, OpenWriter, Writers};
pub use printer::{NotSent, Out, Printer};
pub use published::{FromClient, Observer, Published};
