//! Files that are given out as they are: layouts for viewers, and a viewer itself.
//!
//! Links are followed within a folder, none leads out of it. Of layouts those that lie in the folder itself are listed.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, Uri, header};
use serde::Serialize;

use super::Api;
use super::answer::Refusal;
use super::file_body::FileBody;
use crate::folder::{self, names};
use crate::server::headers;
use crate::server::validator::Validators;

mod kinds;

/// Folders out of which files are given.
#[derive(Debug, Clone, Default)]
pub(in crate::server) struct Folders {
    pub(in crate::server) layouts: Option<PathBuf>,
    pub(in crate::server) viewer: Option<PathBuf>,
}

/// Layouts that are listed at most.
const LAYOUTS: usize = 100;

/// Where the viewer is.
pub(super) const VIEWER: &str = "/viewer";

/// `/layouts/NAME.json`.
pub(super) async fn layout(
    State(api): State<Arc<Api>>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response<Body>, Refusal> {
    let none = || Refusal::not_found("no layouts are offered; foxglove-bridge serve --layouts DIR does it");
    let folder = api.offered.folders.layouts.clone().ok_or_else(none)?;
    let rest = uri.path().strip_prefix("/layouts").unwrap_or_default();
    if !rest.ends_with(".json") {
        return Err(Refusal::not_found(format!("{} is no layout: those end in .json", uri.path())));
    }
    file(folder, &uri, rest, &headers).await
}

/// A file of the viewer.
pub(super) async fn viewer(
    State(api): State<Arc<Api>>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response<Body>, Refusal> {
    let none = || Refusal::not_found("no viewer is offered; foxglove-bridge serve --ui DIR does it");
    let folder = api.offered.folders.viewer.clone().ok_or_else(none)?;
    let rest = uri.path().strip_prefix(VIEWER).unwrap_or_default();
    if rest.ends_with('/') {
        return file(folder, &uri, &format!("{rest}index.html"), &headers).await;
    }
    file(folder, &uri, rest, &headers).await
}

/// Leads to the viewer, which connects to the host that was asked.
pub(super) async fn to_viewer(
    State(api): State<Arc<Api>>,
    headers: HeaderMap,
) -> Result<Response<Body>, Refusal> {
    if api.offered.folders.viewer.is_none() {
        return Err(Refusal::not_found("no viewer is offered; foxglove-bridge serve --ui DIR does it"));
    }
    let host = headers::text(&headers, header::HOST).unwrap_or_default();
    let location =
        HeaderValue::try_from(link(host)).map_err(|_odd| Refusal::bad_request("the header Host is odd"))?;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::FOUND;
    response.headers_mut().insert(header::LOCATION, location);
    Ok(response)
}

/// The viewer's address with the one that it connects to.
fn link(host: &str) -> String {
    format!("{VIEWER}/?ds=foxglove-websocket&ds.url=ws%3A%2F%2F{}", names::encoded(host))
}

/// A layout that is offered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Layout {
    name: String,
    /// Its path on the server.
    pub url: String,
}

/// Layouts that lie in the folder itself, by name; at most a hundred.
pub fn layouts(folder: &Path) -> Vec<Layout> {
    // a folder that is gone has none
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let files = entries.filter(|entry| entry.path().is_file());
    let names = files.filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<String> = names.filter(|name| name.ends_with(".json")).collect();
    names.sort();
    names.truncate(LAYOUTS);
    names
        .into_iter()
        .map(|name| Layout { url: format!("/layouts/{}", names::encoded(&name)), name })
        .collect()
}

/// A file below a folder, unless who asks has it.
async fn file(
    folder: PathBuf,
    asked: &Uri,
    rest: &str,
    headers: &HeaderMap,
) -> Result<Response<Body>, Refusal> {
    let refused = |reason: &str| Refusal::not_found(format!("{}: {reason}", asked.path()));
    let names = names::names(rest).map_err(refused)?;
    let kind = kinds::kind(names.last().map_or("", String::as_str));
    let opened = tokio::task::spawn_blocking(move || open(&folder, &names)).await;
    let opened =
        opened.map_err(|error| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
    let (file, size, modified) = opened.map_err(|reason| refused(&reason))?;
    let validators = Validators::of(size, modified, SystemTime::now());
    let mut response = validators.respond(headers, || Body::new(FileBody::new(file, size)));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    Ok(response)
}

/// The file, its size, and when it was changed.
fn open(folder: &Path, names: &[String]) -> Result<(File, u64, Option<SystemTime>), String> {
    let facts = |file: File| {
        let metadata = file.metadata()?;
        let modified = metadata.modified().ok();
        Ok::<_, io::Error>((file, metadata.len(), modified))
    };
    let file = folder::open(folder, names).map_err(|refused| refused.to_string())?;
    facts(file).map_err(|error| folder::reading(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_viewer_connects_to_the_host_that_was_asked() {
        let expected = "/viewer/?ds=foxglove-websocket&ds.url=ws%3A%2F%2F192.168.1.7%3A8765";
        assert_eq!(link("192.168.1.7:8765"), expected);
        assert!(link("a\r\nb&c").ends_with("a%0D%0Ab%26c"));
    }

    #[test]
    fn layouts_are_listed_by_name_and_nothing_else_is() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.json", "a b.json", "c.txt"] {
            fs::write(folder.path().join(name), "{}").unwrap();
        }
        fs::create_dir(folder.path().join("d.json")).unwrap();
        let layout = |name: &str, url: &str| Layout { name: name.into(), url: url.into() };
        let expected = [layout("a b.json", "/layouts/a%20b.json"), layout("b.json", "/layouts/b.json")];
        assert_eq!(layouts(folder.path()), expected);
        assert_eq!(layouts(&folder.path().join("none")), []);
    }
}
