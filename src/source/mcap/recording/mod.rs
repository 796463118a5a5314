//! Recordings in files, one or several, as one timeline that can be sought.

mod ahead;
mod backfill;
mod batch;
mod file;
mod files;
mod last;
pub mod merge;
mod overview;
mod segments;
mod timeline;

pub(in crate::source) use files::played_range;
pub(in crate::source) use timeline::Timeline;
