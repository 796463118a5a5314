mod order;
mod random;
