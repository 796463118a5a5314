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

/// First bytes that are enough for [`foreign`].
pub(super) const FOREIGN_HEAD: usize = 64;

/// What else than an MCAP recording begins with these bytes, and the way out: words that follow a file's name. None if
/// nothing is known of it.
pub fn foreign(first: &[u8]) -> Option<&'static str> {
    other_format(first).or_else(|| {
        let is_empty = first.len() >= FOREIGN_HEAD && first.iter().all(|byte| *byte == 0);
        if beginning(first).starts_with('{') {
            Some("is JSON, not an MCAP recording; JSON lines are taken from stdin, and from files named .jsonl")
        } else {
            is_empty.then_some("begins with zeros: its content was never written, or is lost")
        }
    })
}

/// What else than an MCAP recording or lines of text begins with these bytes, as [`foreign`].
pub fn other_format(first: &[u8]) -> Option<&'static str> {
    if let Some(known) = MAGICS.iter().find(|(magic, _)| first.starts_with(magic)) {
        return Some(known.1);
    }
    let text = beginning(first);
    (text.starts_with("<!doctype html") || text.starts_with("<html"))
        .then_some("is a web page, not a recording (a page to sign in, or of an error?); download it again")
}

/// The first text, in lower case.
fn beginning(first: &[u8]) -> String {
    let text = String::from_utf8_lossy(&first[..first.len().min(FOREIGN_HEAD)]).to_ascii_lowercase();
    text.trim_start_matches(['\u{feff}', ' ', '\t', '\r', '\n']).to_owned()
}

/// A file's first bytes; the first one that fits counts.
const MAGICS: [(&[u8], &str); 18] = [
    (b"\x89MCAP0\n", TEXT_MODE),
    (b"\x89MCAP0\r\r\n", TEXT_MODE),
    (b"\x89MCAP", "is an MCAP file of another version of the format; record or convert it as version 0"),
    (
        b"#ROSBAG V2.0",
        "is a ROS 1 bag, not an MCAP file; convert it with 'rosbags-convert --src old.bag --dst my_bag --dst-storage \
         mcap' (pip install rosbags)",
    ),
    (
        b"#ROSBAG",
        "is a ROS 1 bag of an old version; convert it with 'rosbag fix', then with 'rosbags-convert'",
    ),
    (
        b"SQLite format 3",
        "is an SQLite file (of a ROS 2 bag?), not an MCAP file; convert its folder with 'rosbags-convert --src old_bag \
         --dst my_bag --dst-storage mcap' (pip install rosbags)",
    ),
    (
        b"version https://git-lfs",
        "is a pointer of Git LFS, not the recording itself; fetch that with 'git lfs pull'",
    ),
    (b"ULog\x01\x12\x35", "is a PX4 ULog file, not an MCAP file; convert it to MCAP first"),
    (b"\x28\xB5\x2F\xFD", "is compressed with zstd; decompress it first with 'zstd -d'"),
    (b"\x1F\x8B", "is compressed with gzip; decompress it first with 'gunzip'"),
    (b"\x04\x22\x4D\x18", "is compressed with lz4; decompress it first with 'lz4 -d'"),
    (b"\xFD7zXZ\0", "is compressed with xz; decompress it first with 'xz -d'"),
    (b"BZh", "is compressed with bzip2; decompress it first with 'bunzip2'"),
    (b"PK\x03\x04", "is a zip archive; extract the recording from it first with 'unzip'"),
    (b"7z\xBC\xAF\x27\x1C", "is a 7z archive; extract the recording from it first with '7z x'"),
    (b"\xEF\xBB\xBF\x89MCAP", TEXT_MODE),
    (b"\xFF\xFE", UTF_16),
    (b"\xFE\xFF", UTF_16),
];

const UTF_16: &str = "is text in UTF-16; convert it to UTF-8 first: 'iconv -f UTF-16 -t UTF-8'";

const TEXT_MODE: &str = "is an MCAP file that was damaged by a copy in text mode, which changes line ends (CR LF to LF \
                         or back); copy the original again, in binary mode";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_recording_is_named_with_the_way_out() {
        for (first, word) in [
            (&b"\x89MCAP0\n\x01"[..], "text mode"),
            (b"\x89MCAP0\r\r\n\x01", "text mode"),
            (b"\x89MCAP1\r\n", "another version"),
            (b"#ROSBAG V2.0\n", "rosbags-convert --src old.bag"),
            (b"#ROSBAG V1.1\n", "rosbag fix"),
            (b"SQLite format 3\0", "rosbags-convert --src old_bag"),
            (b"version https://git-lfs.github.com/spec/v1\noid", "git lfs pull"),
            (b"ULog\x01\x12\x35\x01", "ULog"),
            (b"\x28\xB5\x2F\xFD\x04", "zstd -d"),
            (b"\x1F\x8B\x08", "gunzip"),
            (b"\x04\x22\x4D\x18\x04", "lz4 -d"),
            (b"\xFD7zXZ\0\0", "xz -d"),
            (b"BZh91AY", "bunzip2"),
            (b"PK\x03\x04\x14", "unzip"),
            (b"\r\n<!DOCTYPE HTML>", "web page"),
            (b"<html lang=en>", "web page"),
            (b"\xFF\xFE{\0", "iconv"),
            (b"{\"topic\":\"/a\"}", "stdin"),
            (&[0; 64], "zeros"),
        ] {
            let said = foreign(first).unwrap_or_default();
            assert!(said.contains(word), "{first:?}: {said}");
        }
        for unknown in [&b""[..], b"\x89MC", b"time,x\n1,2\n", &[0; 63]] {
            assert_eq!(foreign(unknown), None, "{unknown:?}");
        }
    }

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
