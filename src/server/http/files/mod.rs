//! `/files/`: the recordings that are played and what was saved of live input, as they are, whole or by ranges of bytes (RFC 9110 section 14).
//!
//! Bound: as many files are open as [`Downloads`] has places, and of each a piece or two are in memory.

use std::io::{self, SeekFrom};
use std::sync::Arc;
use std::time::SystemTime;

use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, Response, StatusCode, header};
use serde::Serialize;
use tokio::task::spawn_blocking;

use super::Api;
use super::answer::{Json, Refusal};
use super::file_body::FileBody;
use crate::folder::names::encoded;
use crate::hub::capability::recording::{ReadSeek, RecordedFile, Recordings};
use crate::hub::capability::save::Save;
use crate::server::accept::Hangup;
use crate::server::headers;
use crate::server::validator::{Answered, Validators};
pub(super) use downloads::Downloads;
use range::Part;

mod downloads;
mod range;

#[derive(Debug, Serialize)]
pub(super) struct Files {
    files: Vec<Listed>,
}

#[derive(Debug, Serialize)]
struct Listed {
    name: String,
    size: u64,
    url: String,
}

/// Where a file of this name is.
pub(super) fn url(name: &str) -> String {
    format!("/files/{}", encoded(name))
}

/// Who has files.
struct Sources {
    recordings: Option<Arc<dyn Recordings>>,
    saver: Option<Arc<dyn Save>>,
}

impl Sources {
    fn of(api: &Api) -> Result<Self, Refusal> {
        let sources = Self { recordings: api.hub.recordings(), saver: api.hub.saver() };
        if sources.recordings.is_none() && sources.saver.is_none() {
            return Err(Refusal::not_found(
                "no recording is played, and nothing is kept that could be saved",
            ));
        }
        Ok(sources)
    }

    fn files(&self) -> Vec<RecordedFile> {
        let played = self.recordings.iter().flat_map(|recordings| recordings.files());
        played.chain(self.saver.iter().flat_map(|saver| saver.files())).collect()
    }

    /// Of two files with one name that which is played.
    fn open(&self, name: &str) -> io::Result<(RecordedFile, Box<dyn ReadSeek>)> {
        let played = self.recordings.as_ref().map(|recordings| recordings.open(name));
        match (played, &self.saver) {
            (Some(Err(error)), Some(saver)) if error.kind() == io::ErrorKind::NotFound => saver.open(name),
            (Some(opened), _) => opened,
            (None, Some(saver)) => saver.open(name),
            (None, None) => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

/// A thread that reads a file panicked.
fn broken() -> Refusal {
    Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "the file can't be read")
}

pub(super) async fn list(State(api): State<Arc<Api>>) -> Result<Json<Files>, Refusal> {
    let sources = Sources::of(&api)?;
    let files = spawn_blocking(move || sources.files()).await.map_err(|_panicked| broken())?;
    let listed = |file: RecordedFile| Listed { url: url(&file.name), name: file.name, size: file.size };
    Ok(Json(Files { files: files.into_iter().map(listed).collect() }))
}

pub(super) async fn send(
    State(api): State<Arc<Api>>,
    name: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Response<Body>, Refusal> {
    let Path(name) = name?;
    let sources = Sources::of(&api)?;
    let place = api.downloads.place()?;
    let asked = name.clone();
    // the place stays taken if who asked leaves meanwhile
    let opened = spawn_blocking(move || (sources.open(&asked), place)).await;
    let (opened, place) = opened.map_err(|_panicked| broken())?;
    let (file, mut read) = opened.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Refusal::not_found(format!("there is no file {name}; /files/ lists them")),
        _ => Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, format!("{name} can't be opened: {error}")),
    })?;
    let validators = Validators::of(file.size, file.modified, SystemTime::now());
    let headers = request.headers();
    let part = match validators.answer(headers) {
        Answered::Whole => Part::Whole,
        Answered::AsAsked if request.method() == Method::GET => {
            Part::asked(headers::text(headers, header::RANGE), file.size)
        }
        Answered::AsAsked => Part::Whole,
        Answered::NotModified => return Ok(about(StatusCode::NOT_MODIFIED, &validators)),
        Answered::Failed => return Ok(about(StatusCode::PRECONDITION_FAILED, &validators)),
    };
    let (status, from, length) = match part {
        Part::Whole => (StatusCode::OK, 0, file.size),
        Part::Range { first, last } => (StatusCode::PARTIAL_CONTENT, first, last - first + 1),
        Part::Unsatisfiable => {
            let mut response = about(StatusCode::RANGE_NOT_SATISFIABLE, &validators);
            insert(&mut response, header::CONTENT_RANGE, &format!("bytes */{}", file.size));
            return Ok(response);
        }
    };
    let mut response = about(status, &validators);
    if let Part::Range { first, last } = part {
        insert(&mut response, header::CONTENT_RANGE, &format!("bytes {first}-{last}/{}", file.size));
    }
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_LENGTH, length.into());
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    if request.method() != Method::HEAD {
        // it moves no disk
        read.seek(SeekFrom::Start(from)).map_err(|_failed| broken())?;
        let hangup = request.extensions().get::<Hangup>().cloned().unwrap_or_default();
        *response.body_mut() = Body::new(FileBody::new(place.of(read, hangup), length));
    }
    Ok(response)
}

/// An answer without a body.
fn about(status: StatusCode, validators: &Validators) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response.headers_mut().insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    validators.tell(&mut response);
    response
}

fn insert(response: &mut Response<Body>, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}
