//! Which subprotocol to speak: what clients offer in `Sec-WebSocket-Protocol`, and what we choose of it.

use std::fmt;

/// A subprotocol that we speak. They differ in the server's `advertise` alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Subprotocol {
    /// `foxglove.websocket.v1`: Lichtblick, npm `@foxglove/ws-protocol`, and all that came before the SDK.
    WebsocketV1,
    /// `foxglove.sdk.v1`: the Foxglove app and SDK; its clients know about playback control.
    SdkV1,
    /// `foxglove.sdk.v1.1`: the same with a table of schemas in `advertise` ([`AdvertiseTable`](super::AdvertiseTable)).
    SdkV1_1,
}

impl Subprotocol {
    /// All that we speak, the newest first.
    pub const ALL: [Self; 3] = [Self::SdkV1_1, Self::SdkV1, Self::WebsocketV1];

    /// The name, as in the header.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::WebsocketV1 => "foxglove.websocket.v1",
            Self::SdkV1 => "foxglove.sdk.v1",
            Self::SdkV1_1 => "foxglove.sdk.v1.1",
        }
    }

    /// The subprotocol of exactly this name: names that differ in case or have more after them are others.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|subprotocol| subprotocol.as_str() == name)
    }

    /// Whether it is a version of the SDK's protocol.
    fn is_sdk(self) -> bool {
        matches!(self, Self::SdkV1 | Self::SdkV1_1)
    }
}

impl fmt::Display for Subprotocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The subprotocols that a client offers, in its order.
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

    /// The newest offered subprotocol that we speak, whatever the client's order: as the server of the SDK chooses.
    pub fn choose(&self) -> Option<Subprotocol> {
        Subprotocol::ALL.into_iter().find(|subprotocol| self.offers(*subprotocol))
    }

    /// Whether a version of the SDK's protocol is offered: the client probably knows about playback control.
    pub fn offers_sdk(&self) -> bool {
        Subprotocol::ALL.into_iter().any(|subprotocol| subprotocol.is_sdk() && self.offers(subprotocol))
    }

    /// Whether versions of the SDK's protocol are offered and `foxglove.websocket.v1` is not.
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
    fn the_newest_common_subprotocol_is_spoken_whatever_the_order() {
        use Subprotocol::{SdkV1, SdkV1_1, WebsocketV1};
        for (headers, chosen) in [
            (&["foxglove.websocket.v1"][..], WebsocketV1),
            (&["foxglove.websocket.v1, foxglove.sdk.v1"], SdkV1),
            (&["foxglove.sdk.v1,foxglove.websocket.v1"], SdkV1),
            (&["mqtt", " foxglove.sdk.v1 ", "foxglove.websocket.v1"], SdkV1),
            (&["foxglove.sdk.v1.1"], SdkV1_1),
            (&["foxglove.sdk.v1, foxglove.sdk.v1.1"], SdkV1_1),
            (&["foxglove.websocket.v1", "foxglove.sdk.v1.1"], SdkV1_1),
            (&["foxglove.sdk.v2, foxglove.sdk.v1"], SdkV1),
        ] {
            assert_eq!(offer(headers).choose(), Some(chosen), "{headers:?}");
        }
    }

    #[test]
    fn names_that_are_not_quite_ours_are_not_chosen() {
        for header in [
            "",
            " , ,",
            "foxglove.sdk.v2",
            "foxglove.sdk.v11",
            "foxglove.sdk.v1.10",
            "foxglove.sdk.v1.1.1",
            "Foxglove.SDK.v1",
            "foxglove.sdk",
        ] {
            assert_eq!(offer(&[header]).choose(), None, "{header}");
            assert!(!offer(&[header]).offers_sdk(), "{header}");
        }
        assert_eq!(offer(&[]).choose(), None);
    }

    #[test]
    fn an_offer_tells_whether_the_client_is_of_the_sdk() {
        for sdk in ["foxglove.sdk.v1", "foxglove.sdk.v1.1", "foxglove.sdk.v1.1, foxglove.sdk.v1"] {
            let alone = offer(&[sdk]);
            assert!(alone.offers_sdk() && alone.only_sdk(), "{sdk}");
            let beside = offer(&["foxglove.websocket.v1", sdk]);
            assert!(beside.offers_sdk() && !beside.only_sdk(), "{sdk}");
        }
        let old = offer(&["foxglove.websocket.v1"]);
        assert!(!old.offers_sdk() && !old.only_sdk());
    }

    #[test]
    fn an_offer_prints_what_was_offered() {
        assert_eq!(offer(&["a,b ,,", " c"]).to_string(), "a, b, c");
        assert_eq!(offer(&[""]).to_string(), "none");
    }
}
