//! What a server can be asked for besides messages: one file for each capability, with the trait of who provides it.

pub mod playback;
