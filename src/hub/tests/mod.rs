mod embedder;
mod firsts;
mod notices;
mod order;
mod panics;
mod purges;
mod random;
mod slow;
