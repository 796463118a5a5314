//! Whether a file is still the one that a client knows (RFC 9110 sections 8.8 and 13).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};

use super::headers;

/// A file that was changed so lately can change again without another time.
const UNSETTLED: Duration = Duration::from_secs(2);

/// What tells a file from what it was or will be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Validators {
    /// By size and time of the last change; weak while it may still be written to.
    etag: Option<String>,
    /// When it was changed, in seconds; None while that may be said of several states of it.
    modified: Option<String>,
}

/// What the conditions of a request come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answered {
    /// With the range that is asked for.
    AsAsked,
    /// With the whole file, since it is not the one of which a range is asked for.
    Whole,
    /// The client has it already.
    NotModified,
    /// The client wants another one.
    Failed,
}

impl Validators {
    /// Of a file of this size, and when it was changed last.
    pub(super) fn of(size: u64, modified: Option<SystemTime>, now: SystemTime) -> Self {
        let Some(modified) = modified else { return Self { etag: None, modified: None } };
        let nanos = modified.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
        let is_settled = now.duration_since(modified).is_ok_and(|age| age >= UNSETTLED);
        let weak = if is_settled { "" } else { "W/" };
        let date = jiff::Timestamp::try_from(modified).ok().filter(|_date| is_settled);
        Self {
            etag: Some(format!("{weak}\"{size:x}-{nanos:x}\"")),
            modified: date.map(|date| date.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()),
        }
    }

    /// Of what is known by a tag of its content alone.
    pub(super) fn of_content(tag: &str) -> Self {
        Self { etag: Some(format!("\"{tag}\"")), modified: None }
    }

    /// The answer to a request for the whole of it.
    pub(super) fn respond(&self, headers: &HeaderMap, body: impl FnOnce() -> Body) -> Response<Body> {
        let (status, body) = match self.answer(headers) {
            Answered::Whole | Answered::AsAsked => (StatusCode::OK, body()),
            Answered::NotModified => (StatusCode::NOT_MODIFIED, Body::empty()),
            Answered::Failed => (StatusCode::PRECONDITION_FAILED, Body::empty()),
        };
        let mut response = Response::new(body);
        *response.status_mut() = status;
        self.tell(&mut response);
        response
    }

    /// Tells them in an answer, which may be kept but is to be asked for again, since the file can change.
    pub(super) fn tell<B>(&self, response: &mut Response<B>) {
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        for (name, value) in [(header::ETAG, &self.etag), (header::LAST_MODIFIED, &self.modified)] {
            if let Some(value) = value.as_ref().and_then(|value| HeaderValue::from_str(value).ok()) {
                headers.insert(name, value);
            }
        }
    }

    /// What the conditions of a request say, in the order of RFC 9110 section 13.2.2. Dates are compared as they are written.
    pub(super) fn answer(&self, headers: &HeaderMap) -> Answered {
        let one = |name: HeaderName| headers::text(headers, name);
        if headers.contains_key(header::IF_MATCH)
            && !self.is_any_of(headers, header::IF_MATCH, Self::is_strongly)
        {
            return Answered::Failed;
        }
        if headers.contains_key(header::IF_NONE_MATCH) {
            if self.is_any_of(headers, header::IF_NONE_MATCH, Self::is_weakly) {
                return Answered::NotModified;
            }
        } else if self.modified.is_some() && one(header::IF_MODIFIED_SINCE) == self.modified.as_deref() {
            return Answered::NotModified;
        }
        match one(header::IF_RANGE) {
            Some(tag) if tag.contains('"') && !self.is_strongly(tag) => Answered::Whole,
            Some(date) if !date.contains('"') && Some(date) != self.modified.as_deref() => Answered::Whole,
            None if headers.contains_key(header::IF_RANGE) => Answered::Whole,
            _ => Answered::AsAsked,
        }
    }

    /// Whether one of the tags in a header stands for the file as it is.
    fn is_any_of(&self, headers: &HeaderMap, name: HeaderName, is: impl Fn(&Self, &str) -> bool) -> bool {
        headers::texts(headers, name)
            .flat_map(|list| list.split(','))
            .map(str::trim)
            .any(|tag| tag == "*" || is(self, tag))
    }

    fn is_strongly(&self, tag: &str) -> bool {
        !tag.starts_with("W/") && self.etag.as_deref() == Some(tag)
    }

    fn is_weakly(&self, tag: &str) -> bool {
        let opaque = |tag: &str| tag.trim_start_matches("W/").to_owned();
        self.etag.as_deref().is_some_and(|own| opaque(own) == opaque(tag))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn validators(age: u64) -> Validators {
        let modified = UNIX_EPOCH + Duration::from_nanos(1_700_000_000_000_000_001);
        Validators::of(255, Some(modified), modified + Duration::from_secs(age))
    }

    const ETAG: &str = "\"ff-17979cfe362a0001\"";
    const DATE: &str = "Tue, 14 Nov 2023 22:13:20 GMT";

    fn answer(validators: &Validators, headers: &[(HeaderName, &str)]) -> Answered {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name, value.parse().unwrap());
        }
        validators.answer(&map)
    }

    #[test]
    fn a_file_is_known_by_size_and_time_once_it_is_settled() {
        let settled = validators(2);
        assert_eq!((settled.etag.as_deref(), settled.modified.as_deref()), (Some(ETAG), Some(DATE)));
        assert_eq!(validators(1), Validators { etag: Some(format!("W/{ETAG}")), modified: None });
        assert_eq!(Validators::of(255, None, UNIX_EPOCH), Validators { etag: None, modified: None });
    }

    #[test]
    fn conditions_are_held_to_it() {
        use header::{IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE};
        let weak = format!("W/{ETAG}");
        let list = format!("\"other\", {weak}");
        for (headers, expected) in [
            (vec![], Answered::AsAsked),
            (vec![(IF_RANGE, ETAG)], Answered::AsAsked),
            (vec![(IF_RANGE, DATE)], Answered::AsAsked),
            (vec![(IF_RANGE, "\"other\"")], Answered::Whole),
            (vec![(IF_RANGE, weak.as_str())], Answered::Whole),
            (vec![(IF_RANGE, "Tue, 14 Nov 2023 22:13:21 GMT")], Answered::Whole),
            (vec![(IF_RANGE, "nonsense")], Answered::Whole),
            (vec![(IF_NONE_MATCH, ETAG)], Answered::NotModified),
            (vec![(IF_NONE_MATCH, list.as_str())], Answered::NotModified),
            (vec![(IF_NONE_MATCH, "*")], Answered::NotModified),
            (vec![(IF_NONE_MATCH, "\"other\""), (IF_MODIFIED_SINCE, DATE)], Answered::AsAsked),
            (vec![(IF_MODIFIED_SINCE, DATE)], Answered::NotModified),
            (vec![(IF_MATCH, "*")], Answered::AsAsked),
            (vec![(IF_MATCH, ETAG)], Answered::AsAsked),
            (vec![(IF_MATCH, weak.as_str())], Answered::Failed),
            (vec![(IF_MATCH, "\"other\""), (IF_NONE_MATCH, ETAG)], Answered::Failed),
        ] {
            assert_eq!(answer(&validators(9), &headers), expected, "{headers:?}");
        }
        // what may still be written to is never continued
        assert_eq!(answer(&validators(0), &[(IF_RANGE, weak.as_str())]), Answered::Whole);
        assert_eq!(answer(&validators(0), &[(IF_RANGE, DATE)]), Answered::Whole);
        assert_eq!(answer(&validators(0), &[(IF_NONE_MATCH, ETAG)]), Answered::NotModified);
    }
}
