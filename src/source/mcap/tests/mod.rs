//! Recordings made record by record: as files, from pipes, and while they grow.

mod both;
mod faults;
mod follow;
mod made;
mod overview;
mod script;
#[cfg(unix)]
mod sparse;
mod stream;
mod viewer;
