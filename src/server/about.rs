//! What a server tells over HTTP of itself, beside what its hub knows.

use std::sync::{Arc, Mutex};

use crate::hub::lock;

/// What is served, for people who ask over HTTP (`/api/status`). The program `serve` fills it in; an embedder may.
///
/// ```
/// use foxglove_bridge::server::{About, ServedSource, SourceKind};
///
/// let about = About {
///     sources: vec![ServedSource { name: "gps".into(), kind: SourceKind::Live }],
///     ..About::default()
/// };
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct About {
    /// One line: `drive.mcap (20.0 s, 12 channels, 2885 messages)`.
    pub contents: Option<String>,
    /// Where messages come from.
    pub sources: Vec<ServedSource>,
    /// Where viewers connect: first the URL for this computer, then those for others. Empty: the address that the server
    /// listens on.
    pub addresses: Vec<String>,
}

/// Something that is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServedSource {
    /// For people.
    pub name: String,
    /// How it comes in.
    pub kind: SourceKind,
}

/// How messages come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceKind {
    /// It can be sought.
    Recording,
    /// Read once: sent as it comes, or, an MCAP stream, by its times.
    Live,
}

/// Whether a server can be used, as `GET /readyz` tells; clones share it. A server is ready until it is told otherwise, and
/// not while it ends.
///
/// ```
/// use foxglove_bridge::server::Readiness;
///
/// let readiness = Readiness::default();
/// readiness.not_ready("the camera is not connected");
/// assert_eq!(readiness.reason().as_deref(), Some("the camera is not connected"));
/// readiness.ready();
/// assert_eq!(readiness.reason(), None);
/// ```
#[derive(Debug, Clone, Default)]
pub struct Readiness(Arc<Mutex<Option<String>>>);

impl Readiness {
    /// It can be used.
    pub fn ready(&self) {
        *lock(&self.0) = None;
    }

    /// It can't be used, for a reason that is shown to whoever asks.
    pub fn not_ready(&self, reason: impl Into<String>) {
        *lock(&self.0) = Some(reason.into());
    }

    /// Why it can't be used; None if it can.
    pub fn reason(&self) -> Option<String> {
        lock(&self.0).clone()
    }
}
