mod embedder;
mod handlers;
mod notices;
mod order;
mod panics;
mod purges;
mod random;
mod slow;
