mod embedder;
mod forms;
mod notices;
mod order;
mod panics;
mod purges;
mod random;
mod slow;
