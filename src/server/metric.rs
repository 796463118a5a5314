//! Figures of the program that embeds a server, among those of `/metrics`.

use std::fmt;
use std::sync::Arc;

/// Whether a figure only grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricKind {
    /// It counts from the start of the program.
    Counter,
    /// It goes up and down.
    Gauge,
}

/// A figure for Prometheus; clones share it.
///
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicU64, Ordering};
///
/// use foxglove_bridge::server::{Metric, MetricKind};
///
/// let frames = Arc::new(AtomicU64::new(0));
/// let read = { let frames = frames.clone(); move || frames.load(Ordering::Relaxed) as f64 };
/// let metric = Metric::new("camera_frames_total", MetricKind::Counter, "Frames of the camera", read);
/// ```
#[derive(Clone)]
pub struct Metric {
    /// The name without what tells a counter.
    pub(super) family: String,
    pub(super) kind: MetricKind,
    pub(super) help: String,
    read: Arc<dyn Fn() -> f64 + Send + Sync>,
}

impl Metric {
    /// `name`: of letters, digits and `_`, that of a counter ends in `_total`, which is added if it does not. `help`: one line.
    /// `read` is called at each request, and must return at once.
    ///
    /// # Panics
    ///
    /// If `name` is not such a name: Prometheus would refuse all figures.
    pub fn new(
        name: &str,
        kind: MetricKind,
        help: &str,
        read: impl Fn() -> f64 + Send + Sync + 'static,
    ) -> Self {
        let family = match kind {
            MetricKind::Counter => name.strip_suffix("_total").unwrap_or(name),
            MetricKind::Gauge => name,
        };
        let is_name = family.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && family.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        assert!(is_name, "'{name}' is no name of a metric");
        // OpenMetrics has lines, and the encoder puts the text into one as it is
        let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
        Self { family: family.to_owned(), kind, help, read: Arc::new(read) }
    }

    pub(super) fn read(&self) -> f64 {
        (self.read)()
    }
}

impl fmt::Debug for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metric").field("family", &self.family).finish_non_exhaustive()
    }
}
