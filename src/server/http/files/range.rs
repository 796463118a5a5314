//! Which part of a file is asked for.

use http_range_header::RangeUnsatisfiableError::{Rejected, Unsatisfiable};
use http_range_header::{RangeRejected, parse_range_header};

/// See the module's documentation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Whole,
    /// From the first to the last byte.
    Range {
        first: u64,
        last: u64,
    },
    /// There is nothing of what is asked for.
    Unsatisfiable,
}

impl Part {
    /// What a header `Range` asks for of a file of this size. One that is not understood, or names several ranges, is passed
    /// over, as RFC 9110 section 14.2 allows.
    pub(super) fn asked(range: Option<&str>, size: u64) -> Self {
        let Some(range) = range else { return Self::Whole };
        let ranges = parse_range_header(range).and_then(|ranges| match ranges.len() {
            1 => ranges.validate(size),
            _ => Ok(Vec::new()),
        });
        match ranges.as_deref() {
            Ok([range]) => Self::Range { first: *range.start(), last: *range.end() },
            // a number of more than 30 digits lies beyond the end of any file
            Err(Unsatisfiable | Rejected(RangeRejected::TooManyDigits)) => Self::Unsatisfiable,
            Ok(_) | Err(_) => Self::Whole,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_range_is_a_part() {
        let part = |range| Part::asked(Some(range), 100);
        let range = |first, last| Part::Range { first, last };
        for (asked, expected) in [
            ("bytes=0-0", range(0, 0)),
            ("bytes=10-19", range(10, 19)),
            ("Bytes= 10-19", range(10, 19)),
            ("bytes=90-", range(90, 99)),
            ("bytes=90-1000", range(90, 99)),
            ("bytes=90-99999999999999999999999", range(90, 99)),
            ("bytes=-10", range(90, 99)),
            ("bytes=-1000", range(0, 99)),
            ("bytes=100-", Part::Unsatisfiable),
            ("bytes=99999999999999999999999-", Part::Unsatisfiable),
            ("bytes=9999999999999999999999999999999-", Part::Unsatisfiable),
            ("bytes=-0", Part::Unsatisfiable),
        ] {
            assert_eq!(part(asked), expected, "{asked}");
        }
    }

    #[test]
    fn what_is_not_understood_is_passed_over() {
        for asked in [
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=5-4",
            "bytes=1-2,5-6",
            "bytes=+1-2",
            "lines=1-2",
            "bytes=a-b",
            "bytes=1--2",
        ] {
            assert_eq!(Part::asked(Some(asked), 100), Part::Whole, "{asked}");
        }
        assert_eq!(Part::asked(None, 100), Part::Whole);
    }

    #[test]
    fn an_empty_file_has_no_part() {
        for asked in ["bytes=0-", "bytes=0-0", "bytes=-0"] {
            assert_eq!(Part::asked(Some(asked), 0), Part::Unsatisfiable, "{asked}");
        }
        assert_eq!(Part::asked(Some("bytes=-5"), 0), Part::Whole, "its last five bytes are none");
    }
}
