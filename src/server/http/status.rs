//! `/api/status`: what this server is and does.

use std::sync::Arc;

use axum::extract::State;
use serde::Serialize;

use super::Api;
use super::answer::{Json, nanos};
use super::folders::{self, Layout, VIEWER};
use super::playback::Playback;
use crate::hub::capability::recording::RecordedFile;
use crate::hub::capability::save::Held;
use crate::hub::{Access, HubSnapshot};
use crate::printable::counted;
use crate::server::about::{About, ServedSource, SourceKind};

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
    layouts: Vec<Layout>,
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
        SourceKind::Live => "live",
    }
}

/// What all sources are together; `plays`: there is something that can be sought.
fn mode(sources: &[ServedSource], plays: bool) -> &'static str {
    let mut kinds = sources.iter().map(|source| source.kind);
    match kinds.next() {
        None if plays => "recording",
        None => "live",
        Some(first) if kinds.all(|other| other == first) => kind(first),
        Some(_) => "mixed",
    }
}

/// What is served now: stdin that has ended before anybody subscribed is played as a recording.
fn now(about: &About, playback: Option<&Playback>, channels: usize) -> (Option<String>, Vec<ServedSource>) {
    match (&about.sources[..], playback) {
        ([ServedSource { name, kind: SourceKind::Live }], Some(playback)) => {
            let channels = counted(channels as u64, "channel");
            let contents = format!("{name} ({:.1} s, {channels})", playback.duration_s());
            (Some(contents), vec![ServedSource { name: name.clone(), kind: SourceKind::Recording }])
        }
        _ => (about.contents.clone(), about.sources.clone()),
    }
}

impl Api {
    /// Everything at a glance, given what the hub does now.
    pub(super) async fn status(&self, snapshot: &HubSnapshot) -> Status {
        let playback = self.playback().await;
        let (contents, sources) = now(&self.offered.about, playback.as_ref(), snapshot.topics.len());
        let warning = |text: &String| Warning { level: "warning", text: text.clone() };
        Status {
            name: self.hub.name().to_owned(),
            version: env!("CARGO_PKG_VERSION"),
            mode: mode(&sources, playback.is_some()),
            contents,
            sources: sources
                .into_iter()
                .map(|source| Source { name: source.name, kind: kind(source.kind) })
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
            layouts: self.layouts().await,
            viewer: self.offered.folders.viewer.as_ref().map(|_folder| VIEWER),
        }
    }

    async fn layouts(&self) -> Vec<Layout> {
        let Some(folder) = self.offered.folders.layouts.clone() else { return Vec::new() };
        tokio::task::spawn_blocking(move || folders::layouts(&folder)).await.unwrap_or_default()
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
    use crate::hub::stats::Snapshot;
    use crate::time::{TimeRange, Timestamp};

    fn source(kind: SourceKind) -> ServedSource {
        ServedSource { name: "stdin".to_owned(), kind }
    }

    #[test]
    fn the_mode_is_that_of_all_sources() {
        use SourceKind::{Live, Recording};
        for (kinds, plays, expected) in [
            (&[][..], false, "live"),
            (&[], true, "recording"),
            (&[Recording], true, "recording"),
            (&[Live], false, "live"),
            (&[Live, Live], false, "live"),
            (&[Recording, Live], true, "mixed"),
        ] {
            let sources: Vec<_> = kinds.iter().map(|kind| source(*kind)).collect();
            assert_eq!(mode(&sources, plays), expected, "{kinds:?}");
        }
    }

    #[test]
    fn stdin_that_is_played_as_a_recording_is_one_in_every_key() {
        let live = source(SourceKind::Live);
        let contents = Some("stdin (live)".to_owned());
        let about = About { contents: contents.clone(), sources: vec![live.clone()], ..About::default() };
        assert_eq!(now(&about, None, 3), (contents, vec![live]));
        let range = TimeRange { start: Timestamp(0), end: Timestamp(6_000_000_000) };
        let playback = Playback::of(&Snapshot { range: Some(range), ..Snapshot::default() });
        let (contents, sources) = now(&about, playback.as_ref(), 3);
        assert_eq!(contents.as_deref(), Some("stdin (6.0 s, 3 channels)"));
        assert_eq!(sources, [source(SourceKind::Recording)]);
    }
}
