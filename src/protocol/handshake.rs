//! Which subprotocol to speak: what clients offer in `Sec-WebSocket-Protocol`, and what we choose of it.

use std::fmt;

/// A subprotocol that we speak. The wire format of both is the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Subprotocol {
    /// `foxglove.websocket.v1`: Lichtblick, npm `@foxglove/ws-protocol`, and all that came before the SDK.
    WebsocketV1,
    /// `foxglove.sdk.v1`: the Foxglove app and SDK; its clients know about playback control.
    SdkV1,
}

impl Subprotocol {
    /// All that we speak, in the order in which our own client offers them.
    pub const ALL: [Self; 2] = [Self::SdkV1, Self::WebsocketV1];

    /// The name, as in the header.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::WebsocketV1 => "foxglove.websocket.v1",
            Self::SdkV1 => "foxglove.sdk.v1",
        }
    }

    /// The subprotocol of exactly this name: names that differ in case or have more after them are others.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|subprotocol| subprotocol.as_str() == name)
    }
}

impl fmt::Display for Subprotocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The subprotocols that a client offers, in its order of preference.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Offer {
    names: Vec<String>,
}

impl Offer {
    /// Reads the values of all `Sec-WebSocket-Protocol` headers of a request, each a list with commas.
    pub fn parse<'a>(headers: impl Iterator<Item = &'a str>) -> Self {
        let names = headers.flat_map(|header| header.split(',')).map(str::trim);
        Self { names: names.filter(|name| !name.is_empty()).map(str::to_owned).collect() }
    }

    /// The first offered subprotocol that we speak.
    pub fn choose(&self) -> Option<Subprotocol> {
        self.names.iter().find_map(|name| Subprotocol::from_name(name))
    }

    /// Whether `foxglove.sdk.v1` is offered: the client probably knows about playback control.
    pub fn offers_sdk(&self) -> bool {
        self.offers(Subprotocol::SdkV1)
    }

    /// Whether `foxglove.sdk.v1` is offered and `foxglove.websocket.v1` is not.
    pub fn only_sdk(&self) -> bool {
        self.offers_sdk() && !self.offers(Subprotocol::WebsocketV1)
    }

    fn offers(&self, subprotocol: Subprotocol) -> bool {
        self.names.iter().any(|name| name == subprotocol.as_str())
    }
}

impl fmt::Display for Offer {
    /// The names as offered, with commas; `none` when there are none.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.names.is_empty() { f.write_str("none") } else { f.write_str(&self.names.join(", ")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(headers: &[&str]) -> Offer {
        Offer::parse(headers.iter().copied())
    }

    #[test]
    fn the_client_decides_which_of_our_subprotocols_is_spoken() {
        use Subprotocol::{SdkV1, WebsocketV1};
        assert_eq!(offer(&["foxglove.websocket.v1, foxglove.sdk.v1"]).choose(), Some(WebsocketV1));
        assert_eq!(offer(&["foxglove.sdk.v1,foxglove.websocket.v1"]).choose(), Some(SdkV1));
        assert_eq!(offer(&["mqtt", " foxglove.sdk.v1 ", "foxglove.websocket.v1"]).choose(), Some(SdkV1));
        assert_eq!(offer(&["foxglove.sdk.v1.1, foxglove.sdk.v1"]).choose(), Some(SdkV1));
    }

    #[test]
    fn names_that_are_not_quite_ours_are_not_chosen() {
        for header in ["", " , ,", "foxglove.sdk.v1.1", "foxglove.sdk.v2", "Foxglove.SDK.v1", "foxglove.sdk"]
        {
            assert_eq!(offer(&[header]).choose(), None, "{header}");
        }
        assert_eq!(offer(&[]).choose(), None);
    }

    #[test]
    fn an_offer_tells_whether_the_client_is_of_the_sdk() {
        let both = offer(&["foxglove.websocket.v1, foxglove.sdk.v1"]);
        assert!(both.offers_sdk() && !both.only_sdk());
        let sdk = offer(&["foxglove.sdk.v1"]);
        assert!(sdk.offers_sdk() && sdk.only_sdk());
        let old = offer(&["foxglove.websocket.v1"]);
        assert!(!old.offers_sdk() && !old.only_sdk());
    }

    #[test]
    fn an_offer_prints_what_was_offered() {
        assert_eq!(offer(&["a,b ,,", " c"]).to_string(), "a, b, c");
        assert_eq!(offer(&[""]).to_string(), "none");
    }
}
