mod embedder;
mod notices;
mod order;
mod panics;
mod parameters;
mod purges;
mod random;
mod slow;
