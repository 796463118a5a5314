mod order;
mod panics;
mod random;
