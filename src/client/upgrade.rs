//! The opening handshake of a client (RFC 6455 section 4.1): the request, and whether the answer opens a WebSocket.

use std::fmt::Write as _;

use super::error::ConnectError;
use super::url::ServerUrl;
use crate::protocol::Subprotocol;
use crate::websocket::handshake;
use crate::websocket::negotiation::{self, Agreement};

/// The largest head of an answer that is read.
pub(super) const LARGEST_HEAD: usize = 16 << 10;

/// What the client asks for.
pub(super) struct Upgrade<'a> {
    pub(super) url: &'a ServerUrl,
    /// New for each connection.
    pub(super) key: &'a str,
    pub(super) token: Option<&'a str>,
    pub(super) user_agent: &'a str,
}

/// What was agreed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Opened {
    pub(super) subprotocol: Subprotocol,
    pub(super) compression: Option<Agreement>,
}

impl Upgrade<'_> {
    /// The request: offers all subprotocols that we speak, the newest first, and compression.
    pub(super) fn request(&self) -> String {
        let offered: Vec<_> = Subprotocol::ALL.into_iter().map(Subprotocol::as_str).collect();
        let mut request = format!(
            "GET {} HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: {}\r\nSec-WebSocket-Key: {}\r\nSec-WebSocket-Protocol: {}\r\n\
             Sec-WebSocket-Extensions: {}\r\nUser-Agent: {}\r\n",
            self.url.path,
            self.url.authority(),
            handshake::VERSION,
            self.key,
            offered.join(", "),
            negotiation::offer(),
            self.user_agent,
        );
        if let Some(token) = self.token {
            let written = write!(request, "Authorization: Bearer {token}\r\n");
            debug_assert!(written.is_ok(), "writing to a String");
        }
        request.push_str("\r\n");
        request
    }

    /// What the head of the answer says; `body` is the beginning of what follows it, to be shown.
    pub(super) fn answered(&self, head: &[u8], body: &[u8]) -> Result<Opened, ConnectError> {
        let not_http = || ConnectError::NotWebSocket("its answer is not HTTP".to_owned());
        let head = Head::parse(head).ok_or_else(not_http)?;
        if head.status != 101 {
            let text = [String::from_utf8_lossy(body).trim().to_owned(), head.phrase.to_owned()];
            let text = text.into_iter().find(|text| !text.is_empty()).unwrap_or_default();
            return Err(ConnectError::Refused { status: head.status, text });
        }
        let missing = |what: &str| Err(ConnectError::NotWebSocket(what.to_owned()));
        if !handshake::has_token(head.values("upgrade"), "websocket")
            || !handshake::has_token(head.values("connection"), "upgrade")
        {
            return missing("its answer does not switch to WebSocket");
        }
        if head.values("sec-websocket-accept").collect::<Vec<_>>()
            != [handshake::accept_key(self.key.as_bytes())]
        {
            return missing("its answer is to another request");
        }
        let compression = negotiation::accept_answer(head.values("sec-websocket-extensions"))
            .map_err(|error| ConnectError::NotWebSocket(error.to_string()))?;
        let chosen: Vec<&str> = head.values("sec-websocket-protocol").collect();
        let subprotocol = match chosen.as_slice() {
            [name] => Subprotocol::from_name(name),
            _ => None,
        };
        match subprotocol {
            Some(subprotocol) => Ok(Opened { subprotocol, compression }),
            None => Err(ConnectError::Subprotocol(chosen.join(", "))),
        }
    }
}

/// The bytes of the head at the beginning of an answer, its empty line included; None: it has not arrived in full.
pub(super) fn head_length(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|window| window == b"\r\n\r\n").map(|start| start + 4)
}

struct Head<'a> {
    status: u16,
    phrase: &'a str,
    fields: Vec<(&'a str, &'a str)>,
}

impl<'a> Head<'a> {
    fn parse(bytes: &'a [u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        let mut lines = text.trim_end_matches("\r\n").split("\r\n");
        let rest = lines.next()?.strip_prefix("HTTP/1.1 ")?;
        let (status, phrase) = rest.split_once(' ').unwrap_or((rest, ""));
        let status = status.parse().ok().filter(|status| (100..1000).contains(status))?;
        let fields = lines.map(|line| line.split_once(':').map(|(name, value)| (name, value.trim())));
        Some(Self { status, phrase, fields: fields.collect::<Option<_>>()? })
    }

    fn values(&self, name: &str) -> impl Iterator<Item = &'a str> {
        self.fields.iter().filter(move |field| field.0.eq_ignore_ascii_case(name)).map(|field| field.1)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
    const GOOD: &str = "HTTP/1.1 101 Switching Protocols\r\nupgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\n\
         Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: foxglove.sdk.v1\r\n\r\n";

    fn url() -> ServerUrl {
        "ws://robot:8765/ws".parse().unwrap()
    }

    fn answered(head: &str, body: &str) -> Result<Opened, ConnectError> {
        Upgrade { url: &url(), key: KEY, token: None, user_agent: "t" }
            .answered(head.as_bytes(), body.as_bytes())
    }

    #[test]
    fn the_request_offers_all_subprotocols_and_carries_the_token() {
        let request = Upgrade { url: &url(), key: KEY, token: Some("s3cret"), user_agent: "t/1" }.request();
        let lines: Vec<&str> = request.split("\r\n").collect();
        assert_eq!(lines[0], "GET /ws HTTP/1.1");
        for line in [
            "Host: robot:8765",
            "Sec-WebSocket-Protocol: foxglove.sdk.v1.1, foxglove.sdk.v1, foxglove.websocket.v1",
            "Sec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover",
            "Authorization: Bearer s3cret",
        ] {
            assert!(lines.contains(&line), "{line} in {request}");
        }
        assert!(request.ends_with("\r\n\r\n"));
    }

    #[test]
    fn a_good_answer_opens_the_connection() {
        let opened = answered(GOOD, "").unwrap();
        assert_eq!(opened, Opened { subprotocol: Subprotocol::SdkV1, compression: None });
        let compressed = GOOD.replace("upgrade:", "Sec-WebSocket-Extensions: permessage-deflate\r\nupgrade:");
        assert!(answered(&compressed, "").unwrap().compression.is_some());
    }

    #[test]
    fn a_refusal_shows_what_the_server_says() {
        let error = answered("HTTP/1.1 401 Unauthorized\r\n\r\n", "the token is wrong\n").unwrap_err();
        assert_eq!(error.to_string(), "the server refuses: HTTP 401: the token is wrong");
        let error = answered("HTTP/1.1 503 Busy\r\nA: b\r\n\r\n", "").unwrap_err();
        assert_eq!(error.to_string(), "the server refuses: HTTP 503: Busy");
    }

    #[test]
    fn answers_that_open_nothing_say_why() {
        for (from, to, part) in [
            ("HTTP/1.1", "SSH-2.0", "not HTTP"),
            ("WebSocket", "h2c", "does not switch"),
            ("Upgrade\r", "close\r", "does not switch"),
            ("s3pP", "s3pQ", "another request"),
            ("foxglove.sdk.v1", "mqtt", "'mqtt'"),
            ("Sec-WebSocket-Protocol: foxglove.sdk.v1\r\n", "", "none of our subprotocols"),
            ("upgrade:", "Sec-WebSocket-Extensions: x\r\nupgrade:", "compression"),
        ] {
            let error = answered(&GOOD.replacen(from, to, 1), "").unwrap_err().to_string();
            assert!(error.contains(part), "{from}: {error}");
        }
    }

    proptest! {
        #[test]
        fn any_answer_is_judged(head in proptest::collection::vec(any::<u8>(), 0..200)) {
            let upgrade = Upgrade { url: &url(), key: KEY, token: None, user_agent: "t" };
            prop_assert!(upgrade.answered(&head, &head).is_err());
        }
    }
}
