//! Which part of a file is asked for.

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
        range.and_then(|range| Self::parse(range, size)).unwrap_or(Self::Whole)
    }

    fn parse(range: &str, size: u64) -> Option<Self> {
        let (unit, range) = range.split_once('=')?;
        let (first, last) = range.trim().split_once('-')?;
        if !unit.trim().eq_ignore_ascii_case("bytes") {
            return None;
        }
        let (first, last) = match (number(first)?, number(last)?) {
            (Some(first), Some(last)) if first > last => return None,
            (Some(first), last) => (first, last.unwrap_or(u64::MAX)),
            // the last so many bytes
            (None, Some(0)) => return Some(Self::Unsatisfiable),
            (None, Some(length)) => (size.saturating_sub(length), u64::MAX),
            (None, None) => return None,
        };
        if first >= size {
            return Some(Self::Unsatisfiable);
        }
        Some(Self::Range { first, last: last.min(size - 1) })
    }
}

/// A number that may be missing, and larger than any file; None if it is something else.
fn number(text: &str) -> Option<Option<u64>> {
    match text {
        "" => Some(None),
        digits if digits.bytes().all(|digit| digit.is_ascii_digit()) => {
            Some(Some(digits.parse().unwrap_or(u64::MAX)))
        }
        _ => None,
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
            ("Bytes= 10-19 ", range(10, 19)),
            ("bytes=90-", range(90, 99)),
            ("bytes=90-1000", range(90, 99)),
            ("bytes=90-99999999999999999999999", range(90, 99)),
            ("bytes=-10", range(90, 99)),
            ("bytes=-1000", range(0, 99)),
            ("bytes=100-", Part::Unsatisfiable),
            ("bytes=99999999999999999999999-", Part::Unsatisfiable),
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
        for asked in ["bytes=0-", "bytes=0-0", "bytes=-5"] {
            assert_eq!(Part::asked(Some(asked), 0), Part::Unsatisfiable, "{asked}");
        }
    }
}
