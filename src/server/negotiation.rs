//! Which compression a client and this server agree on: the header `Sec-WebSocket-Extensions` (RFC 6455 section 9.1)
//! and permessage-deflate in it (RFC 7692 section 7.1). Pure.

use std::fmt;

/// The extension that this server knows.
const NAME: &str = "permessage-deflate";

/// The largest window, of 32 KiB: what a client has if nothing else is agreed on.
const MAX_WINDOW_BITS: u8 = 15;

/// The smallest window that DEFLATE implementations keep to: one of 8 bits becomes one of 9 in zlib.
const MIN_WINDOW_BITS: u8 = 9;

/// What was agreed on. Its text is the value of the answer's header.
///
/// The answer always has `client_no_context_takeover`: what clients send is small and rare, and does not justify to
/// keep a window for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Agreement {
    /// Each of the server's messages must be compressed on its own.
    pub(super) server_no_context_takeover: bool,
    /// The server's window is to have 2^n bytes at the most.
    pub(super) server_max_window_bits: Option<u8>,
}

impl fmt::Display for Agreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{NAME}; client_no_context_takeover")?;
        if self.server_no_context_takeover {
            f.write_str("; server_no_context_takeover")?;
        }
        match self.server_max_window_bits {
            Some(bits) => write!(f, "; server_max_window_bits={bits}"),
            None => Ok(()),
        }
    }
}

/// The first offer in the values of the header that can be accepted; what can't be read counts as not offered.
pub(super) fn negotiate<'a>(values: impl IntoIterator<Item = &'a str>) -> Option<Agreement> {
    values.into_iter().flat_map(|value| split(value, ',')).find_map(accept)
}

fn accept(offer: &str) -> Option<Agreement> {
    let mut parts = split(offer, ';');
    if !parts.next()?.eq_ignore_ascii_case(NAME) {
        return None;
    }
    let mut seen = Vec::new();
    let mut agreement = Agreement { server_no_context_takeover: false, server_max_window_bits: None };
    for part in parts {
        let (name, value) = match part.split_once('=') {
            Some((name, value)) => (name.trim_end(), Some(unquote(value.trim_start())?)),
            None => (part, None),
        };
        if seen.contains(&name) {
            return None;
        }
        seen.push(name);
        match (name, value) {
            ("server_no_context_takeover", None) => agreement.server_no_context_takeover = true,
            ("server_max_window_bits", Some(value)) => {
                // one of 8 bits would have to be kept to, and can't
                let bits = window_bits(value).filter(|bits| *bits >= MIN_WINDOW_BITS)?;
                agreement.server_max_window_bits = Some(bits);
            }
            ("client_no_context_takeover" | "client_max_window_bits", None) => {}
            // inflating takes any window
            ("client_max_window_bits", Some(value)) => drop(window_bits(value)?),
            _ => return None,
        }
    }
    Some(agreement)
}

/// A number from 8 to 15, without leading zeros (section 7.1.2).
fn window_bits(value: &str) -> Option<u8> {
    let digits = value.bytes().all(|byte| byte.is_ascii_digit()) && !value.starts_with('0');
    value.parse().ok().filter(|bits| digits && (8..=MAX_WINDOW_BITS).contains(bits))
}

/// A token, or what a quoted string says; None if it is neither.
fn unquote(value: &str) -> Option<&str> {
    let inner = match value.strip_prefix('"') {
        Some(rest) => rest.strip_suffix('"')?,
        None => value,
    };
    (!inner.is_empty() && !inner.contains(['"', '\\'])).then_some(inner)
}

/// The parts between separators that are not within quotes, trimmed.
fn split(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    text.split(move |c| {
        quoted ^= c == '"';
        c == separator && !quoted
    })
    .map(str::trim)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn answer(offers: &[&str]) -> Option<String> {
        negotiate(offers.iter().copied()).map(|agreement| agreement.to_string())
    }

    fn accepted(parameters: &str) -> Option<String> {
        Some(format!("permessage-deflate; client_no_context_takeover{parameters}"))
    }

    #[test]
    fn offers_of_known_clients_are_accepted() {
        // Chromium and npm ws; Firefox; PyPI websockets
        assert_eq!(answer(&["permessage-deflate; client_max_window_bits"]), accepted(""));
        assert_eq!(answer(&["permessage-deflate"]), accepted(""));
        assert_eq!(
            answer(&["permessage-deflate; server_max_window_bits=12; client_max_window_bits=12"]),
            accepted("; server_max_window_bits=12")
        );
    }

    #[test]
    fn what_is_asked_of_the_server_is_granted() {
        assert_eq!(
            answer(&["permessage-deflate; server_no_context_takeover; server_max_window_bits=\"9\""]),
            accepted("; server_no_context_takeover; server_max_window_bits=9")
        );
        assert_eq!(answer(&["Permessage-Deflate;client_no_context_takeover"]), accepted(""));
    }

    #[test]
    fn what_cannot_be_kept_to_is_declined() {
        for offer in [
            "permessage-deflate; server_max_window_bits=8",
            "permessage-deflate; server_max_window_bits",
            "permessage-deflate; server_max_window_bits=16",
            "permessage-deflate; server_max_window_bits=012",
            "permessage-deflate; server_max_window_bits=+9",
            "permessage-deflate; server_max_window_bits=\"10",
            "permessage-deflate; client_max_window_bits=7",
            "permessage-deflate; server_no_context_takeover=1",
            "permessage-deflate; client_no_context_takeover; client_no_context_takeover",
            "permessage-deflate; unheard_of",
            "permessage-deflate;",
            "x-webkit-deflate-frame",
            "",
        ] {
            assert_eq!(answer(&[offer]), None, "{offer}");
        }
    }

    #[test]
    fn the_next_offer_counts_where_one_is_declined() {
        let fallback = "permessage-deflate; server_max_window_bits=8, permessage-deflate";
        assert_eq!(answer(&[fallback]), accepted(""));
        let first = "foo; a=\"x, permessage-deflate\", permessage-deflate; server_max_window_bits=10";
        assert_eq!(answer(&["bar", first, "permessage-deflate"]), accepted("; server_max_window_bits=10"));
    }

    proptest! {
        #[test]
        fn any_header_gets_an_answer_or_none(value in "(permessage-deflate|[a-z_;=, \"0-9]){0,12}") {
            if let Some(agreement) = negotiate([value.as_str()]) {
                prop_assert!(agreement.server_max_window_bits.is_none_or(|bits| (9..=15).contains(&bits)));
            }
        }
    }
}
