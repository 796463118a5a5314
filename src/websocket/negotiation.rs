//! Which compression both ends agree on: the header `Sec-WebSocket-Extensions` (RFC 6455 section 9.1) and
//! permessage-deflate in it (RFC 7692 section 7.1).
//!
//! What clients send is small and rare, and not worth the memory of a window: our servers demand, and our
//! clients offer, that each of a client's messages is compressed on its own (`client_no_context_takeover`).

use std::fmt;

use super::Role;
use super::deflate::Context;

/// The extension.
const NAME: &str = "permessage-deflate";

/// The largest window, of 32 KiB: what an end has if nothing else is agreed on.
const MAX_WINDOW_BITS: u8 = 15;

/// The smallest window that DEFLATE implementations can write: one of 8 bits becomes one of 9 in zlib.
const MIN_WINDOW_BITS: u8 = 9;

/// What was agreed on. Its text is the value of the server's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Agreement {
    /// Each of the server's messages is compressed on its own (section 7.1.1.1).
    pub server_no_context_takeover: bool,
    /// The server's window has at most 2^n bytes, n from 8 to 15 (section 7.1.2.1); None: 15.
    pub server_max_window_bits: Option<u8>,
}

impl Agreement {
    /// What the messages of an end may refer to.
    pub fn context(&self, sender: Role) -> Context {
        match sender {
            Role::Server if !self.server_no_context_takeover => Context::Takeover,
            Role::Server | Role::Client => Context::Alone,
        }
    }
}

/// The server's answer is none that the offer allows: the client must fail the connection (RFC 6455 section 4.1).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the server's answer to the offered compression is invalid: {0:?}")]
pub struct InvalidAnswer(pub String);

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

/// A client's offer: the value of its header (section 7.1).
pub fn offer() -> String {
    format!("{NAME}; client_no_context_takeover")
}

/// The client's side: what the values of the answer's header say to [`offer`]; None: the server does not compress.
pub fn accept_answer<'a>(
    values: impl IntoIterator<Item = &'a str>,
) -> Result<Option<Agreement>, InvalidAnswer> {
    let answers = values.into_iter().flat_map(|value| split(value, ',')).filter(|answer| !answer.is_empty());
    let answers: Vec<_> = answers.collect();
    match answers.as_slice() {
        [] => Ok(None),
        [answer] => parse(answer)
            // it needs an offer (section 7.1.2.2)
            .filter(|(_, parameters)| !parameters.contains(&"client_max_window_bits"))
            .map(|(agreement, _)| Some(agreement))
            .ok_or_else(|| InvalidAnswer((*answer).to_owned())),
        _ => Err(InvalidAnswer(answers.join(", "))),
    }
}

/// The server's side: the first offer in the values of the header that can be accepted; one that can't be read counts
/// as not made (section 7.1).
pub fn negotiate<'a>(values: impl IntoIterator<Item = &'a str>) -> Option<Agreement> {
    let mut offers = values.into_iter().flat_map(|value| split(value, ',')).filter_map(parse);
    // a window of 8 bits can't be written
    let is_possible =
        |agreement: &Agreement| agreement.server_max_window_bits.is_none_or(|bits| bits >= MIN_WINDOW_BITS);
    offers.find_map(|(agreement, _)| is_possible(&agreement).then_some(agreement))
}

/// One extension, and the names of its parameters; None if it is not permessage-deflate, or has parameters that are
/// unknown, invalid or given twice.
fn parse(extension: &str) -> Option<(Agreement, Vec<&str>)> {
    let mut parts = split(extension, ';');
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
                agreement.server_max_window_bits = Some(window_bits(value)?);
            }
            ("client_no_context_takeover" | "client_max_window_bits", None) => {}
            // inflating takes any window
            ("client_max_window_bits", Some(value)) => drop(window_bits(value)?),
            _ => return None,
        }
    }
    Some((agreement, seen))
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

    #[test]
    fn a_client_takes_what_its_offer_allows() {
        let agreed =
            |bits, alone| Agreement { server_max_window_bits: bits, server_no_context_takeover: alone };
        for (values, agreement) in [
            (&[][..], None),
            (&[""][..], None),
            (&["permessage-deflate"][..], Some(agreed(None, false))),
            (&["permessage-deflate; client_no_context_takeover"][..], Some(agreed(None, false))),
            // section 7.1.2.1: also where the client did not ask for it
            (&["permessage-deflate; server_max_window_bits=8"][..], Some(agreed(Some(8), false))),
            (&["permessage-deflate; server_no_context_takeover"][..], Some(agreed(None, true))),
        ] {
            assert_eq!(accept_answer(values.iter().copied()), Ok(agreement), "{values:?}");
        }
    }

    #[test]
    fn a_client_refuses_what_it_did_not_offer() {
        for values in [
            &["permessage-deflate; client_max_window_bits=15"][..],
            &["permessage-deflate; client_max_window_bits"][..],
            &["permessage-deflate; server_max_window_bits"][..],
            &["permessage-deflate; server_max_window_bits=16"][..],
            &["permessage-deflate; unheard_of"][..],
            &["x-webkit-deflate-frame"][..],
            &["permessage-deflate, permessage-deflate"][..],
            &["permessage-deflate", "permessage-deflate"][..],
        ] {
            assert!(accept_answer(values.iter().copied()).is_err(), "{values:?}");
        }
    }

    #[test]
    fn our_client_and_our_server_agree() {
        let answer = negotiate([offer().as_str()]);
        let accepted = accept_answer([answer.unwrap().to_string().as_str()]);
        assert_eq!(accepted, Ok(answer));
        assert_eq!(answer.unwrap().context(Role::Client), Context::Alone);
        assert_eq!(answer.unwrap().context(Role::Server), Context::Takeover);
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
