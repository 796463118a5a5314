//! Tells HTTP requests from lines: a page in a browser can send one to any port of this computer, and its body may be lines.

use std::io::{self, Read};

use crate::source::Incoming;

/// Of every request, with the blank behind it; the last is the preface of HTTP/2.
const METHODS: [&str; 10] =
    ["GET ", "HEAD ", "POST ", "PUT ", "DELETE ", "CONNECT ", "OPTIONS ", "TRACE ", "PATCH ", "PRI "];

/// A first line that is longer is a request with a long address, or nothing that is of use.
const LONGEST: usize = 8 << 10;

/// What the first bytes of a writer are.
#[derive(Debug, PartialEq, Eq)]
enum Beginning {
    Request,
    Other,
    /// More of them have to tell.
    Open,
}

/// What a writer sends; None if that is an HTTP request.
pub(super) fn unless_request(mut incoming: Incoming) -> io::Result<Option<Incoming>> {
    let mut first = Vec::new();
    let mut piece = [0; 1024];
    loop {
        match beginning(&first) {
            Beginning::Request => return Ok(None),
            Beginning::Other => return Ok(Some(incoming.after(first))),
            Beginning::Open => {}
        }
        match incoming.read(&mut piece)? {
            0 => return Ok(Some(incoming.after(first))),
            count => first.extend_from_slice(&piece[..count]),
        }
    }
}

fn beginning(first: &[u8]) -> Beginning {
    if !METHODS.iter().any(|method| first.starts_with(method.as_bytes())) {
        let may_be = METHODS.iter().any(|method| method.as_bytes().starts_with(first));
        return if may_be { Beginning::Open } else { Beginning::Other };
    }
    match first.iter().position(|byte| *byte == b'\n') {
        Some(end) if first[..end].windows(5).any(|part| part == b"HTTP/") => Beginning::Request,
        Some(_) => Beginning::Other,
        None if first.len() > LONGEST => Beginning::Request,
        None => Beginning::Open,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_told_from_lines_byte_by_byte() {
        for (text, expected) in [
            (
                "POST / HTTP/1.1\r\nHost: localhost:9000\r\n\r\n{\"topic\":\"/a\",\"data\":{}}\n",
                Beginning::Request,
            ),
            ("GET /x?y HTTP/1.0\r\n", Beginning::Request),
            ("PRI * HTTP/2.0\r\n", Beginning::Request),
            ("{\"topic\":\"/a\",\"data\":{}}\n", Beginning::Other),
            ("\n", Beginning::Other),
            ("GETTING ready\n", Beginning::Other),
            ("POST of a robot\n", Beginning::Other),
            ("", Beginning::Open),
            ("POS", Beginning::Open),
            ("POST / HTTP/1.1", Beginning::Open),
        ] {
            let whole = beginning(text.as_bytes());
            assert_eq!(whole, expected, "{text:?}");
            let cut = (0..=text.len())
                .map(|end| beginning(&text.as_bytes()[..end]))
                .find(|one| *one != Beginning::Open);
            assert_eq!(cut.unwrap_or(Beginning::Open), expected, "{text:?} in parts");
        }
        let long = format!("GET /{}", "x".repeat(LONGEST));
        assert_eq!(beginning(long.as_bytes()), Beginning::Request);
    }
}
