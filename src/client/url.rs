//! Addresses of servers: `ws://host:port/path` and `wss://…` (RFC 6455 section 3).

use std::fmt;
use std::str::FromStr;

/// Whether a connection is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// `ws://`: it is not.
    Plain,
    /// `wss://`: by TLS.
    Tls,
}

/// Where a server is.
///
/// ```
/// use foxglove_bridge::client::ServerUrl;
///
/// let url: ServerUrl = "ws://robot.local:8765".parse()?;
/// assert_eq!((url.host.as_str(), url.port, url.path.as_str()), ("robot.local", 8765, "/"));
/// # Ok::<(), foxglove_bridge::client::UrlError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ServerUrl {
    /// Whether it is encrypted.
    pub scheme: Scheme,
    /// A name or an address; that of IPv6 without brackets.
    pub host: String,
    /// 80 and 443 where the URL names none.
    pub port: u16,
    /// The path with the query; at least `/`.
    pub path: String,
}

/// A text that is no address of a server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{url}' is not the address of a server: {reason}; write ws://HOST:PORT or wss://HOST:PORT")]
pub struct UrlError {
    /// The text as given.
    pub url: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

impl ServerUrl {
    /// Host and port, as in the header `Host`; the port is left out where the scheme implies it.
    pub(super) fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        if self.port == default_port(self.scheme) { host } else { format!("{host}:{}", self.port) }
    }
}

fn default_port(scheme: Scheme) -> u16 {
    match scheme {
        Scheme::Plain => 80,
        Scheme::Tls => 443,
    }
}

impl FromStr for ServerUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text).map_err(|reason| UrlError { url: text.to_owned(), reason })
    }
}

fn parse(text: &str) -> Result<ServerUrl, &'static str> {
    if text.bytes().any(|byte| byte <= b' ' || byte == 0x7F) {
        return Err("it has spaces or control characters in it");
    }
    let (scheme, rest) = text.split_once("://").ok_or("it has no scheme")?;
    let scheme = match scheme.to_ascii_lowercase().as_str() {
        "ws" => Scheme::Plain,
        "wss" => Scheme::Tls,
        _ => return Err("its scheme is neither ws nor wss"),
    };
    let rest = rest.split('#').next().unwrap_or_default();
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    if authority.contains('@') {
        return Err("a user in it is not supported, a token goes into a header");
    }
    let (host, port) = match authority.strip_prefix('[') {
        Some(inner) => {
            let (host, rest) = inner.split_once(']').ok_or("a bracket is not closed")?;
            if host.parse::<std::net::Ipv6Addr>().is_err() {
                return Err("what is in brackets is no IPv6 address");
            }
            match rest.strip_prefix(':') {
                Some(port) => (host, Some(port)),
                None if rest.is_empty() => (host, None),
                None => return Err("after the bracket a port is expected"),
            }
        }
        None => match authority.split_once(':') {
            Some((_, port)) if port.contains(':') => return Err("an IPv6 address needs brackets"),
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    if host.is_empty() {
        return Err("it has no host");
    }
    let port = match port {
        None | Some("") => default_port(scheme),
        Some(port) => {
            let number = port.parse().ok().filter(|number| *number != 0);
            number.ok_or("its port is no number from 1 to 65535")?
        }
    };
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    Ok(ServerUrl { scheme, host: host.to_owned(), port, path })
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.scheme {
            Scheme::Plain => "ws",
            Scheme::Tls => "wss",
        };
        let path = if self.path == "/" { "" } else { &self.path };
        write!(f, "{scheme}://{}{path}", self.authority())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> (Scheme, String, u16, String) {
        let url: ServerUrl = text.parse().unwrap();
        (url.scheme, url.host, url.port, url.path)
    }

    #[test]
    fn the_parts_of_an_address_are_read() {
        for (text, scheme, host, port, path) in [
            ("ws://localhost:8765", Scheme::Plain, "localhost", 8765, "/"),
            ("ws://localhost:8765/", Scheme::Plain, "localhost", 8765, "/"),
            ("WSS://robot.lan/ws?a=b#c", Scheme::Tls, "robot.lan", 443, "/ws?a=b"),
            ("ws://10.0.0.1?x", Scheme::Plain, "10.0.0.1", 80, "/?x"),
            ("ws://[::1]:9000", Scheme::Plain, "::1", 9000, "/"),
            ("wss://[fe80::1]", Scheme::Tls, "fe80::1", 443, "/"),
        ] {
            assert_eq!(parts(text), (scheme, host.to_owned(), port, path.to_owned()), "{text}");
        }
    }

    #[test]
    fn an_address_is_written_as_it_is_read() {
        for text in ["ws://localhost:8765", "wss://robot.lan/ws?a=b", "ws://[::1]:9000", "ws://h"] {
            assert_eq!(text.parse::<ServerUrl>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_address_says_why() {
        for (text, part) in [
            ("localhost:8765", "no scheme"),
            ("http://localhost:8765", "neither ws nor wss"),
            ("ws://", "no host"),
            ("ws://:8765", "no host"),
            ("ws://::1:8765", "brackets"),
            ("ws://[::1", "not closed"),
            ("ws://[::1]8765", "a port is expected"),
            ("ws://[host]", "no IPv6"),
            ("ws://h:0", "port"),
            ("ws://h:65536", "port"),
            ("ws://h:80x", "port"),
            ("ws://user:secret@h", "token"),
            ("ws://h/a b", "spaces"),
            ("ws://h/\r\nX: y", "spaces"),
        ] {
            let error = text.parse::<ServerUrl>().unwrap_err();
            assert!(error.reason.contains(part), "{text}: {error}");
        }
    }
}
