//! The parts of an opening handshake (RFC 6455 section 4) that are not HTTP itself.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use sha1::{Digest, Sha1};

/// The value of `Sec-WebSocket-Version` (section 4.1, 9).
pub const VERSION: &str = "13";

/// The value of a client's `Sec-WebSocket-Key`: 16 random bytes, new for each connection (section 4.1, 7).
pub fn request_key(nonce: [u8; 16]) -> String {
    BASE64_STANDARD.encode(nonce)
}

/// Whether this can be a client's `Sec-WebSocket-Key` (section 4.2.1, 5).
pub fn is_request_key(key: &[u8]) -> bool {
    BASE64_STANDARD.decode(key).is_ok_and(|nonce| nonce.len() == 16)
}

/// The value of `Sec-WebSocket-Accept` that answers a key (section 4.2.2, 5.4); the client compares it (section 4.1).
pub fn accept_key(request_key: &[u8]) -> String {
    let mut sha1 = Sha1::new();
    sha1.update(request_key);
    sha1.update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    BASE64_STANDARD.encode(sha1.finalize())
}

/// Whether the values of a header (`Connection`, `Upgrade`) have a token in their comma separated lists, in upper or
/// lower case.
pub fn has_token<'a>(values: impl IntoIterator<Item = &'a str>, token: &str) -> bool {
    let mut tokens = values.into_iter().flat_map(|value| value.split(','));
    tokens.any(|value| value.trim().eq_ignore_ascii_case(token))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_accept_key_is_that_of_the_specification() {
        assert_eq!(accept_key(b"dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn a_key_is_sixteen_bytes_in_base64() {
        let key = request_key(*b"the sample nonce");
        assert_eq!(key, "dGhlIHNhbXBsZSBub25jZQ==");
        assert!(is_request_key(key.as_bytes()));
        for bad in
            ["", "AAAA", "AAAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAAAA=", "not base64 at all!!!!!!!"]
        {
            assert!(!is_request_key(bad.as_bytes()), "{bad}");
        }
    }

    #[test]
    fn tokens_are_found_in_lists() {
        assert!(has_token(["keep-alive, Upgrade"], "upgrade") && has_token(["a", " upgrade "], "upgrade"));
        assert!(!has_token(["upgraded, up grade", ""], "upgrade") && !has_token([], "upgrade"));
    }
}
