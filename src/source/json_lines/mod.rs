//! JSON lines.
#![allow(dead_code)]
mod buffer;
mod line;
mod nan;
mod times;
pub use nan::NanPolicy;
pub use times::TimeUnit;
