//! Live input, with viewers that note what they are sent.

mod live;
mod sockets;
mod viewer;
