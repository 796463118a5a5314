//! Lines that are no JSON objects: what they seem to be, and the way out.

use super::line::{BadLine, Kind};
use crate::source::Hint;

/// What is wrong with such a line.
pub(super) fn bad_line(line: &str, column: usize) -> BadLine {
    let bad = |reason: &str| BadLine::new(Kind::NotAnObject, column, reason);
    if line.starts_with('[') {
        return bad(
            "the line is a JSON array, not an object; print its elements one a line, like `jq -c '.[]'` does",
        );
    }
    if is_nmea(line) {
        return bad(
            "the line is NMEA 0183, which is not read; a converter has to print JSON, as `gpspipe -w` does",
        );
    }
    let bad = bad("the line is not a JSON object, {\"topic\":…,\"data\":{…}}");
    if is_table(line) { bad.with(Hint::Csv) } else { bad }
}

/// `$GPGGA,…*47`, or `!AIVDM,…`.
fn is_nmea(line: &str) -> bool {
    let Some((name, _)) = line.split_once(',') else { return false };
    let letters = name.strip_prefix(['$', '!']).unwrap_or_default();
    (3..=8).contains(&letters.len())
        && letters.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}

/// Values of one word each, with separators between them.
fn is_table(line: &str) -> bool {
    let value = |value: &str| {
        let word = value.trim().trim_matches('"');
        !word.contains([' ', '{', '[', ':']) || word.parse::<jiff::civil::DateTime>().is_ok()
    };
    [',', ';', '\t'].into_iter().any(|separator| line.contains(separator) && line.split(separator).all(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_other_formats_get_their_own_way_out() {
        for (line, part, hint) in [
            ("[1,2]", "JSON array", None),
            ("$GPGGA,123519,4807.038,N*47", "NMEA 0183", None),
            ("!AIVDM,1,1,,B,1*5C", "NMEA 0183", None),
            ("time,x,y", "not a JSON object", Some(Hint::Csv)),
            ("1.5;2;\"a\"", "not a JSON object", Some(Hint::Csv)),
            ("ets Jun  8 2016, rst:0x1", "not a JSON object", None),
            ("hello", "not a JSON object", None),
            (":{\"n\":1}}", "not a JSON object", None),
        ] {
            let bad = bad_line(line, 3);
            assert!(bad.reason.contains(part) && bad.column == 3, "{line}: {bad:?}");
            assert_eq!(bad.hint, hint, "{line}");
        }
    }
}
