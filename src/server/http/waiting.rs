//! Answers that are made and not taken yet: who asks for large ones and does not read them costs no more memory than a bound.

use std::sync::Arc;

use axum::body::{Body, Bytes, to_bytes};
use axum::http::{Response, StatusCode};
use axum::response::IntoResponse;
use hyper::body::Body as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::answer::{InMemory, Refusal};

/// All answers together, in units of [`UNIT`]: 256 MiB.
const MOST: u32 = 256 << 10;

/// Bytes.
const UNIT: u64 = 1 << 10;

/// Smaller answers are always given; the system takes most of them off at once.
const SMALL: u64 = 64 << 10;

/// See the module's documentation.
pub(super) struct Waiting(Arc<Semaphore>);

impl Default for Waiting {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MOST as usize)))
    }
}

impl Waiting {
    /// The answer, which counts until the last of it has been written; or that there is no room for it.
    pub(super) async fn admit(&self, response: Response<Body>) -> Response<Body> {
        let size = response.body().size_hint().lower();
        if size <= SMALL || response.extensions().get::<InMemory>().is_none() {
            return response;
        }
        // one that is larger than all may be has the room by itself
        let units = u32::try_from(size.div_ceil(UNIT)).unwrap_or(MOST).min(MOST);
        let Ok(place) = self.0.clone().try_acquire_many_owned(units) else {
            let text = "too many large answers wait for those who asked; take them, or try again in a while";
            return Refusal::later(text).into_response();
        };
        let (head, body) = response.into_parts();
        match to_bytes(body, usize::MAX).await {
            Ok(bytes) => Response::from_parts(head, Bytes::from_owner(Held { bytes, _place: place }).into()),
            Err(error) => Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
        }
    }
}

/// An answer with the room that it takes.
struct Held {
    bytes: Bytes,
    _place: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::http::answer::whole;

    async fn admitted(waiting: &Waiting, size: usize) -> Response<Body> {
        waiting.admit(whole(StatusCode::OK, "text/plain", vec![b'x'; size])).await
    }

    #[tokio::test]
    async fn large_answers_count_until_they_have_been_taken() {
        let waiting = Waiting(Arc::new(Semaphore::new(200)));
        let first = admitted(&waiting, 150 << 10).await;
        assert_eq!(first.status(), StatusCode::OK);
        assert_eq!(admitted(&waiting, 100 << 10).await.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(
            admitted(&waiting, 10 << 10).await.status(),
            StatusCode::OK,
            "small ones are always given"
        );
        let taken = to_bytes(first.into_body(), usize::MAX).await.unwrap();
        assert_eq!(taken.len(), 150 << 10);
        assert_eq!(
            admitted(&waiting, 100 << 10).await.status(),
            StatusCode::SERVICE_UNAVAILABLE,
            "not written yet"
        );
        drop(taken);
        assert_eq!(admitted(&waiting, 100 << 10).await.status(), StatusCode::OK);
    }
}
