//! MCAP: recordings on disk as one timeline, streams, and files that still grow.
//!
//! Three wings on one ground floor. `survey` finds out what a file holds: by its summary section, or by reading it
//! through once. `recording` plays files that were surveyed: their chunks are decoded ahead of need and merged.
//! `stream` reads from front to back, once. The ground floor is what all of them need: records, the walker over them,
//! chunks, and what channel ids mean.

mod channels;
mod chunk;
mod damage;
mod faults;
mod fields;
mod pool;
mod recording;
mod records;
mod stream;
mod survey;
#[cfg(test)]
mod tests;
mod walker;

#[doc(hidden)]
pub use recording::merge;
pub(super) use recording::{Timeline, played_range};
pub use stream::{Follow, FollowOptions, McapStream};
pub(super) use survey::info::{check, stream_summary, summary};
pub use survey::{AttachmentCrc, Attachments, RecordedAttachment};
