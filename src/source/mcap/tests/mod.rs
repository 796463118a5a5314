//! Recordings made record by record: as files, from pipes, and while they grow.

mod both;
mod faults;
mod follow;
mod made;
mod script;
mod stream;
mod viewer;
