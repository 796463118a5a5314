//! What browsers let pages of other origins read and ask (the Fetch standard, "CORS protocol"). Who may ask at all is
//! decided before, in `guard.rs`.

use std::sync::Arc;
use std::time::Duration;

use axum::http::{Method, header};
use tower_http::cors::{AllowOrigin, CorsLayer};

use super::{Api, guard};

/// How long a browser may remember what a page may ask.
const PREFLIGHT_LASTS: Duration = Duration::from_secs(600);

/// Names the origin of an allowed page in each answer, and answers all `OPTIONS`.
pub(super) fn layer(api: Arc<Api>) -> CorsLayer {
    let may_read =
        AllowOrigin::predicate(move |_origin, request| guard::admit_page(&api, &request.headers).is_ok());
    CorsLayer::new()
        .allow_origin(may_read)
        .allow_methods([Method::GET, Method::HEAD, Method::POST])
        .allow_headers([header::CONTENT_TYPE, header::RANGE, header::IF_RANGE, header::IF_NONE_MATCH])
        .allow_private_network(true)
        .max_age(PREFLIGHT_LASTS)
        .expose_headers([
            header::ACCEPT_RANGES,
            header::CONTENT_LENGTH,
            header::CONTENT_RANGE,
            header::ETAG,
            header::LAST_MODIFIED,
        ])
        .vary([header::ORIGIN])
}
