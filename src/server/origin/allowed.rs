//! Origins as they are written: in a header, and by who allows them.

use std::str::FromStr;

/// Pages that may connect, as they are named.
///
/// ```
/// use foxglove_bridge::server::AllowedOrigin;
///
/// for name in ["https://viewer.example", "http://10.0.0.7:8080", "https://*.viewer.example", "null", "*"] {
///     assert!(name.parse::<AllowedOrigin>().is_ok());
/// }
/// assert!("viewer.example".parse::<AllowedOrigin>().is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowedOrigin(Allowed);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Allowed {
    /// Any page, and connections to any host: `*`.
    Any,
    /// Pages whose origin the browser keeps to itself: `null`. Any page of the web can make one.
    Null,
    /// Those of a scheme, a host and a port.
    Of(Named),
}

/// One origin, or those of all subdomains of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Named {
    scheme: Scheme,
    host: String,
    subdomains: bool,
    port: Option<u16>,
}

/// Why a text names no origin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' is not an origin: write SCHEME://HOST or SCHEME://HOST:PORT (https://viewer.example), null, or * for any"
)]
pub struct BadOrigin(String);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Scheme {
    Http,
    Https,
    /// Of a program, in lower case.
    Other(String),
}

impl Scheme {
    fn default_port(&self) -> Option<u16> {
        match self {
            Self::Http => Some(80),
            Self::Https => Some(443),
            Self::Other(_) => None,
        }
    }
}

impl FromStr for AllowedOrigin {
    type Err = BadOrigin;

    fn from_str(text: &str) -> Result<Self, BadOrigin> {
        match text {
            "*" => return Ok(Self(Allowed::Any)),
            "null" => return Ok(Self(Allowed::Null)),
            _ => {}
        }
        let bad = || BadOrigin(text.to_owned());
        // as it is copied from an address bar
        let (scheme, rest) = split(text.strip_suffix('/').unwrap_or(text)).ok_or_else(bad)?;
        let (rest, subdomains) = match rest.strip_prefix("*.") {
            Some(rest) => (rest, true),
            None => (rest, false),
        };
        let (host, port) = split_host(rest).ok_or_else(bad)?;
        let port = port.or(scheme.default_port());
        Ok(Self(Allowed::Of(Named { scheme, host, subdomains, port })))
    }
}

impl AllowedOrigin {
    /// Whether every page may connect, and to every host.
    pub(super) fn is_any(&self) -> bool {
        self.0 == Allowed::Any
    }

    /// Whether a header `Origin` names it.
    pub(super) fn is_origin(&self, origin: &str) -> bool {
        match &self.0 {
            Allowed::Any => true,
            Allowed::Null => origin == "null",
            Allowed::Of(named) => split(origin).is_some_and(|(scheme, rest)| {
                scheme == named.scheme
                    && split_host(rest).is_some_and(|(host, port)| {
                        named.is_host(&host) && port.or(scheme.default_port()) == named.port
                    })
            }),
        }
    }

    /// Whether a host is its.
    pub(super) fn is_host(&self, host: &str) -> bool {
        match &self.0 {
            Allowed::Any => true,
            Allowed::Null => false,
            Allowed::Of(named) => named.is_host(host),
        }
    }
}

impl Named {
    fn is_host(&self, host: &str) -> bool {
        match (self.subdomains, host.strip_suffix(&self.host)) {
            (false, rest) => rest == Some(""),
            (true, rest) => rest.and_then(|rest| rest.strip_suffix('.')).is_some_and(|sub| !sub.is_empty()),
        }
    }
}

/// Scheme, and what follows `://`: host and port. An origin has nothing more, and a browser never sends that.
pub(super) fn split(origin: &str) -> Option<(Scheme, &str)> {
    let (scheme, rest) = origin.split_once("://")?;
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
    if !is_scheme || rest.contains(['/', '?', '#', '@', '\\']) {
        return None;
    }
    let scheme = match scheme.to_ascii_lowercase().as_str() {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        other => Scheme::Other(other.to_owned()),
    };
    Some((scheme, rest))
}

/// Host in lower case, and port, of `HOST` or `HOST:PORT`; an empty port is none (RFC 3986 section 3.2.3). The dot at the
/// end of a full name is left out.
pub(super) fn split_host(text: &str) -> Option<(String, Option<u16>)> {
    let (host, port) = match text.rfind(':').filter(|colon| !text[*colon..].contains(']')) {
        Some(colon) if colon + 1 == text.len() => (&text[..colon], None),
        Some(colon) => (&text[..colon], Some(text[colon + 1..].parse().ok()?)),
        None => (text, None),
    };
    let host = host.strip_suffix('.').unwrap_or(host);
    let is_address = host.starts_with('[') && host.ends_with(']');
    let is_host = !host.is_empty()
        && host.chars().all(|c| {
            c.is_ascii_alphanumeric()
                || matches!(c, '-' | '_' | '.')
                || is_address && matches!(c, '[' | ']' | ':')
        });
    is_host.then(|| (host.to_ascii_lowercase(), port))
}
