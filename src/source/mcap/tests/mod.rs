//! Sources that are read once, on recordings made record by record.

mod follow;
mod made;
mod stream;
mod viewer;
