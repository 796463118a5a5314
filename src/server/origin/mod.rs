//! Which pages may connect: `Origin` and `Host` of a WebSocket upgrade.
//!
//! A browser lets any page of the web open a WebSocket to any address, also one that only this computer reaches, and says
//! in `Origin` (RFC 6454) which page it is. A page can also have its own name point to that address (DNS rebinding): then
//! `Origin` and `Host` are alike, and both are a name that is not this computer's. Programs that are no browsers send no
//! `Origin`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

mod allowed;

pub use allowed::{AllowedOrigin, BadOrigin};
use allowed::{Scheme, split, split_host};

/// Pages of viewers.
const VIEWERS: [&str; 3] =
    ["https://app.foxglove.dev", "https://*.foxglove.dev", "https://lichtblick-suite.github.io"];

/// Schemes that no page of the web has, but the desktop programs of viewers: they load their page from a file, and have
/// schemes of their own.
const DESKTOP: [&str; 3] = ["file", "foxglove", "lichtblick"];

/// Which pages may connect to a server.
///
/// By default those of this computer (any port), those that were loaded from the same host by its IP address, as
/// `localhost`, or by this computer's name, those of known viewers (Foxglove, Lichtblick), and the desktop programs of
/// these. Who sends no `Origin`, and so is no browser, may connect. A server that listens on a loopback address takes
/// connections that were made to a loopback name only.
///
/// ```
/// use foxglove_bridge::server::Origins;
///
/// let origins = Origins::default().and("https://viewer.example".parse()?);
/// # Ok::<(), foxglove_bridge::server::BadOrigin>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Origins {
    more: Vec<AllowedOrigin>,
    way_out: Option<fn(&str) -> String>,
}

impl Origins {
    /// Allows the pages of one more origin. A server that listens on a loopback address also takes connections to its host.
    #[must_use]
    pub fn and(mut self, origin: AllowedOrigin) -> Self {
        self.more.push(origin);
        self
    }

    /// What is added to the answer to a page that is refused, and to the line of the log: how to allow the origin that is
    /// handed over.
    #[must_use]
    pub fn with_way_out(self, way_out: fn(&str) -> String) -> Self {
        Self { way_out: Some(way_out), ..self }
    }
}

/// Who is let in at one address.
#[derive(Debug, Clone)]
pub(super) struct Gate {
    origins: Origins,
    /// Listens on a loopback address: only connections to a loopback name are meant for it.
    is_loopback: bool,
    /// This computer's names.
    names: Vec<String>,
}

impl Gate {
    /// `name`: this computer's, as the system knows it.
    pub(super) fn new(origins: Origins, listens_on: IpAddr, name: Option<String>) -> Self {
        let name = name.unwrap_or_default().to_ascii_lowercase();
        let short = name.split('.').next().unwrap_or_default();
        let mut names = vec![name.clone(), short.to_owned(), format!("{short}.local")];
        names.retain(|known| !known.is_empty() && !short.is_empty());
        Self { origins, is_loopback: listens_on.to_canonical().is_loopback(), names }
    }

    /// Whether a request is let in; else why not. `origins`: the values of all headers `Origin`, None for one that is no
    /// text.
    pub(super) fn admit<'a>(
        &self,
        mut origins: impl Iterator<Item = Option<&'a str>>,
        host: &str,
    ) -> Result<(), String> {
        self.admit_host(host)?;
        if self.admits_any() {
            return Ok(());
        }
        let host = split_host(host).map(|(host, _port)| host);
        match (origins.next(), origins.next()) {
            (None, _) => Ok(()),
            (Some(Some(origin)), None) if self.allows(origin, host.as_deref()) => Ok(()),
            (Some(Some(origin)), None) => {
                Err(self.refused(format!("pages of {origin} may not connect to this server"), origin))
            }
            _ => Err("a request must have one header Origin at most, of ASCII characters".to_owned()),
        }
    }

    /// Whether a request to a host is meant for this server, whoever asks; else why not.
    pub(super) fn admit_host(&self, host: &str) -> Result<(), String> {
        let host = split_host(host).map(|(host, _port)| host);
        if !self.is_loopback || self.admits_any() || host.as_deref().is_some_and(|host| self.serves(host)) {
            return Ok(());
        }
        let host = host.unwrap_or_default();
        let reason =
            format!("this server takes connections to this computer's loopback names, not to '{host}'");
        Err(self.refused(reason, &format!("http://{host}")))
    }

    fn admits_any(&self) -> bool {
        self.origins.more.iter().any(AllowedOrigin::is_any)
    }

    fn refused(&self, reason: String, origin: &str) -> String {
        match self.origins.way_out {
            Some(way_out) => format!("{reason}; {}", way_out(origin)),
            None => reason,
        }
    }

    /// Whether a connection to a host is meant for a server on a loopback address.
    fn serves(&self, host: &str) -> bool {
        is_loopback(host) || self.origins.more.iter().any(|allowed| allowed.is_host(host))
    }

    fn allows(&self, origin: &str, host: Option<&str>) -> bool {
        if self.origins.more.iter().any(|allowed| allowed.is_origin(origin)) {
            return true;
        }
        let Some((scheme, rest)) = split(origin) else { return false };
        match scheme {
            Scheme::Other(scheme) => DESKTOP.contains(&scheme.as_str()),
            Scheme::Http | Scheme::Https => {
                let Some((page, _port)) = split_host(rest) else { return false };
                is_loopback(&page)
                    || (Some(page.as_str()) == host && self.is_own(&page))
                    || VIEWERS.iter().any(|viewer| {
                        viewer.parse().is_ok_and(|viewer: AllowedOrigin| viewer.is_origin(origin))
                    })
            }
        }
    }

    /// Whether nobody else can have a host point to this computer.
    fn is_own(&self, host: &str) -> bool {
        address(host).is_some() || self.names.iter().any(|name| name == host)
    }
}

/// Whether a host is this computer, wherever it is used (RFC 6761 section 6.3).
fn is_loopback(host: &str) -> bool {
    host == "localhost"
        || host.ends_with(".localhost")
        || address(host).is_some_and(|address| address.to_canonical().is_loopback())
}

/// The address, if a host is one.
fn address(host: &str) -> Option<IpAddr> {
    match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(host) => host.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        None => host.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
    }
}

#[cfg(test)]
mod tests;
