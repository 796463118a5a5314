//! `POST /api/save`: what was kept of live input, as a file.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use serde::Serialize;
use tokio::sync::oneshot;

use super::Api;
use super::answer::{Json, Refusal, nanos};
use super::body;
use crate::hub::capability::save::{NotSaved, Saved};
use crate::hub::responder::Responder;

#[derive(Debug, Serialize)]
pub(super) struct Answer {
    path: String,
    /// Where it is downloaded.
    url: String,
    start_ns: Option<String>,
    end_ns: Option<String>,
    messages: u64,
    bytes: u64,
    /// Messages that are missing.
    lost: u64,
}

impl From<Saved> for Answer {
    fn from(saved: Saved) -> Self {
        let name = saved.path.file_name().unwrap_or_default().to_string_lossy();
        Self {
            url: super::files::url(&name),
            path: saved.path.display().to_string(),
            start_ns: saved.range.map(|range| nanos(range.start)),
            end_ns: saved.range.map(|range| nanos(range.end)),
            messages: saved.messages,
            bytes: saved.bytes,
            lost: saved.lost,
        }
    }
}

/// Nothing can be chosen.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

pub(super) async fn answer(State(api): State<Arc<Api>>, request: Request) -> Result<Json<Answer>, Refusal> {
    api.may_act()?;
    let Nothing {} = body::json(request, "{}").await?;
    let none =
        || Refusal::not_found("nothing is kept of what is served; foxglove-bridge serve --keep does it");
    let saver = api.hub.saver().ok_or_else(none)?;
    let (answer, saved) = oneshot::channel();
    // who asked may have left
    saver.save(Responder::new(move |saved| drop(answer.send(saved))));
    match saved.await {
        Ok(Ok(Ok(saved))) => Ok(Json(saved.into())),
        Ok(Ok(Err(why))) => Err(refusal(why)),
        Ok(Err(_)) | Err(_) => Err(refusal(NotSaved::Ends)),
    }
}

fn refusal(why: NotSaved) -> Refusal {
    match why {
        NotSaved::Busy(_) => Refusal::later(why.to_string()),
        NotSaved::Ends => Refusal::new(StatusCode::SERVICE_UNAVAILABLE, why.to_string()),
        NotSaved::Failed(_) => Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, why.to_string()),
    }
}
