//! What a stream holds, by its first bytes.

/// What a stream seems to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An MCAP file.
    Mcap,
    /// JSON lines; also a stream without a byte.
    JsonLines,
    /// Something compressed with gzip, to be decompressed before.
    Gzip,
    /// Something compressed with Zstandard, to be decompressed before.
    Zstd,
    /// None of these. As lines it makes sense only where each line is read on its own.
    Unknown,
}

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// What a stream holds, by as many of its first bytes as there are at hand: one is enough, five leave no doubt.
pub fn sniff(first: &[u8]) -> Kind {
    let begins = |magic: &[u8]| {
        first.iter().zip(magic).all(|(a, b)| a == b) && !(first.is_empty() || magic.is_empty())
    };
    if begins(b"\x89MCAP") {
        return Kind::Mcap;
    }
    if begins(b"\x1F\x8B") {
        return Kind::Gzip;
    }
    if begins(b"\x28\xB5\x2F\xFD") {
        return Kind::Zstd;
    }
    if begins(BYTE_ORDER_MARK) {
        return match first.get(BYTE_ORDER_MARK.len()..) {
            Some(rest) => text(rest),
            None => Kind::JsonLines,
        };
    }
    text(first)
}

fn text(first: &[u8]) -> Kind {
    match first.first() {
        None | Some(b'{' | b'#' | b' ' | b'\t' | b'\r' | b'\n') => Kind::JsonLines,
        Some(_) => Kind::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_recognized_by_its_first_bytes_and_by_fewer() {
        let kinds: [(&[u8], Kind); 12] = [
            (b"\x89MCAP0\r\n", Kind::Mcap),
            (b"\x1F\x8B\x08\x00", Kind::Gzip),
            (b"\x28\xB5\x2F\xFD\x04", Kind::Zstd),
            (b"{\"topic\":\"/a\"}", Kind::JsonLines),
            (b"# a comment", Kind::JsonLines),
            (b"  {", Kind::JsonLines),
            (b"\r\n{", Kind::JsonLines),
            (b"\xEF\xBB\xBF{\"topic\":", Kind::JsonLines),
            (b"\xEF\xBB\xBF1,2,3", Kind::Unknown),
            (b"time,x,y\n", Kind::Unknown),
            (b"[1,2]", Kind::Unknown),
            (b"#ROSBAG V2.0\n", Kind::JsonLines),
        ];
        for (bytes, kind) in kinds {
            assert_eq!(sniff(bytes), kind, "{bytes:?}");
        }
        for bytes in [&b"\x89"[..], b"\x1F", b"\x28", b"{", b"\xEF"] {
            assert_ne!(sniff(bytes), Kind::Unknown, "{bytes:?}");
        }
        assert_eq!(sniff(b""), Kind::JsonLines);
        assert_eq!(sniff(b"\x89PNG\r"), Kind::Unknown);
    }
}
