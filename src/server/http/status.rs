//! `/api/status`: what this server is and does.

use std::sync::Arc;

use axum::extract::State;
use serde::Serialize;

use super::Api;
use super::answer::{Json, nanos};
use super::folders::VIEWER;
use super::playback::Playback;
use crate::hub::capability::recording::RecordedFile;
use crate::hub::capability::save::Held;
use crate::hub::{Access, HubSnapshot};
use crate::server::about::{About, SourceKind};

/// Everything at a glance.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Status {
    name: String,
    version: &'static str,
    mode: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    contents: Option<String>,
    sources: Vec<Source>,
    addresses: Vec<String>,
    files: Vec<File>,
    clients: usize,
    pub(super) warnings: Vec<Warning>,
    messages_sent: u64,
    bytes_sent: u64,
    messages_dropped: u64,
    ready: bool,
    read_only: bool,
    pub(super) playback: Option<Playback>,
    kept: Option<Kept>,
    /// Where a viewer is offered.
    viewer: Option<&'static str>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct Source {
    name: String,
    kind: &'static str,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct File {
    name: String,
    size: u64,
}

/// What people should know.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Warning {
    level: &'static str,
    text: String,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct Kept {
    start_ns: Option<String>,
    end_ns: Option<String>,
    messages: u64,
    bytes: u64,
    saving: usize,
}

impl Kept {
    fn of(held: Held) -> Self {
        Self {
            start_ns: held.range.map(|range| nanos(range.start)),
            end_ns: held.range.map(|range| nanos(range.end)),
            messages: held.messages,
            bytes: held.bytes,
            saving: held.saving,
        }
    }
}

fn kind(kind: SourceKind) -> &'static str {
    match kind {
        SourceKind::Recording => "recording",
        SourceKind::Stream => "stream",
        SourceKind::Live => "live",
    }
}

/// What all sources are together; `plays`: there is something that can be sought.
fn mode(about: &About, plays: bool) -> &'static str {
    let mut kinds = about.sources.iter().map(|source| source.kind);
    match kinds.next() {
        // stdin that has ended before anybody looked is played as a recording
        None | Some(SourceKind::Live) if plays && about.sources.len() <= 1 => "recording",
        None => "live",
        Some(first) if kinds.all(|other| other == first) => kind(first),
        Some(_) => "mixed",
    }
}

impl Api {
    /// Everything at a glance, given what the hub does now.
    pub(super) async fn status(&self, snapshot: &HubSnapshot) -> Status {
        let playback = self.playback().await;
        let warning = |text: &String| Warning { level: "warning", text: text.clone() };
        Status {
            name: self.hub.name().to_owned(),
            version: env!("CARGO_PKG_VERSION"),
            mode: mode(&self.offered.about, playback.is_some()),
            contents: self.offered.about.contents.clone(),
            sources: self
                .offered
                .about
                .sources
                .iter()
                .map(|source| Source { name: source.name.clone(), kind: kind(source.kind) })
                .collect(),
            addresses: self.offered.about.addresses.clone(),
            files: self.files().await,
            clients: snapshot.clients.len(),
            warnings: snapshot.notices.iter().map(warning).collect(),
            messages_sent: snapshot.messages_sent,
            bytes_sent: snapshot.bytes_sent,
            messages_dropped: snapshot.messages_dropped,
            ready: self.not_ready().is_none(),
            read_only: self.hub.access() == Access::ReadOnly,
            playback,
            kept: self.hub.saver().map(|saver| Kept::of(saver.held())),
            viewer: self.offered.folders.viewer.as_ref().map(|_folder| VIEWER),
        }
    }

    async fn files(&self) -> Vec<File> {
        let Some(recordings) = self.hub.recordings() else { return Vec::new() };
        let files = tokio::task::spawn_blocking(move || recordings.files()).await;
        let file = |RecordedFile { name, size, .. }| File { name, size };
        // who panics has no files
        files.unwrap_or_default().into_iter().map(file).collect()
    }
}

pub(super) async fn answer(State(api): State<Arc<Api>>) -> Json<Status> {
    Json(api.status(&api.hub.snapshot()).await)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::about::ServedSource;

    #[test]
    fn the_mode_is_that_of_all_sources() {
        use SourceKind::{Live, Recording, Stream};
        for (kinds, plays, expected) in [
            (&[][..], false, "live"),
            (&[], true, "recording"),
            (&[Recording], true, "recording"),
            (&[Live], false, "live"),
            (&[Live], true, "recording"),
            (&[Live, Live], false, "live"),
            (&[Stream], false, "stream"),
            (&[Recording, Live], false, "mixed"),
        ] {
            let source = |kind: &SourceKind| ServedSource { name: String::new(), kind: *kind };
            let about = About { sources: kinds.iter().map(source).collect(), ..About::default() };
            assert_eq!(mode(&about, plays), expected, "{kinds:?}");
        }
    }
}
