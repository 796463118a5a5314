//! Times in JSON: read as text, so that no digit is lost in a float.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;

use crate::numeric_time::{self, NEGATIVE, TimeUnit, Zone};
use crate::printable::printable;
use crate::time::Timestamp;

pub(super) use crate::numeric_time::OVERFLOW;

/// A time, and whether its offset from UTC was taken for granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Parsed {
    pub(super) at: Timestamp,
    pub(super) zone: Zone,
}

/// Why a value is not a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NoTime {
    value: String,
    pub(super) why: &'static str,
}

impl fmt::Display for NoTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.value, self.why)
    }
}

/// The time that a JSON value means, given as its text: an RFC 3339 string, a number, a number in a string, or an
/// object of seconds and nanoseconds. Below a nanosecond it is rounded down.
///
/// Numbers are of `unit`. Without one, it follows from the size of whole numbers, all others are seconds.
pub(super) fn parse(value: &str, unit: Option<TimeUnit>) -> Result<Parsed, NoTime> {
    let sure = |at| Parsed { at, zone: Zone::Given };
    let number = |text: &str| numeric_time::number(text, unit);
    let parsed = match value.as_bytes().first() {
        Some(b'"') => {
            let text: Cow<'_, str> = match value.get(1..value.len().saturating_sub(1)) {
                Some(inner) if !inner.contains('\\') => inner.into(),
                _ => serde_json::from_str::<String>(value).unwrap_or_default().into(),
            };
            let text = text.trim();
            match number(text) {
                Some(number) => number.map(sure),
                None => iso(text),
            }
        }
        Some(b'{') => object(value).map(sure),
        _ => number(value).unwrap_or(Err(NO_TIME)).map(sure),
    };
    parsed.map_err(|why| NoTime { value: shortened(value), why })
}

const NO_TIME: &str =
    "is not a time: write \"2026-01-02T03:04:05.123456789Z\", a number, or {\"sec\":1,\"nsec\":2}";

fn iso(text: &str) -> Result<Parsed, &'static str> {
    let (nanos, zone) = numeric_time::iso(text).ok_or(NO_TIME)?;
    if nanos < 0 {
        return Err(NEGATIVE);
    }
    let at = u64::try_from(nanos).map(Timestamp).map_err(|_error| OVERFLOW)?;
    Ok(Parsed { at, zone })
}

/// Seconds and nanoseconds under the names that ROS 1, ROS 2, protobuf and viewers give them.
#[derive(Deserialize)]
struct Parts {
    #[serde(alias = "secs", alias = "seconds")]
    sec: i64,
    #[serde(alias = "nsecs", alias = "nanosec", alias = "nanos", alias = "nanoseconds")]
    nsec: i64,
}

fn object(value: &str) -> Result<Timestamp, &'static str> {
    let parts: Parts = serde_json::from_str(value).map_err(|_error| NO_TIME)?;
    if parts.sec < 0 || parts.nsec < 0 {
        return Err(NEGATIVE);
    }
    let nanos = i128::from(parts.sec) * 1_000_000_000 + i128::from(parts.nsec);
    u64::try_from(nanos).map(Timestamp).map_err(|_error| OVERFLOW)
}

/// A value for an error message: whole if it is short.
pub(super) fn shortened(value: &str) -> String {
    const LONGEST: usize = 40;
    printable(value, LONGEST).to_string()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn nanos(value: &str) -> u64 {
        parse(value, None).unwrap_or_else(|error| panic!("{error}")).at.nanos()
    }

    #[test]
    fn every_notation_is_read_to_the_nanosecond() {
        let time = 1_490_149_580_103_843_113;
        assert_eq!(nanos("1490149580.103843113"), time);
        assert_eq!(nanos("\"1490149580.103843113\""), time);
        assert_eq!(nanos("\"2017-03-22T02:26:20.103843113Z\""), time);
        assert_eq!(nanos("\"2017-03-22T03:26:20.103843113+01:00\""), time);
        assert_eq!(nanos("1490149580103843113"), time);
        assert_eq!(nanos("\"1490149580103843113\""), time);
        assert_eq!(nanos("{\"sec\":1490149580,\"nsec\":103843113}"), time);
        assert_eq!(nanos("{ \"nanosec\": 103843113, \"sec\": 1490149580 }"), time);
        assert_eq!(nanos("{\"secs\":1490149580,\"nsecs\":103843113}"), time);
        assert_eq!(nanos("0.000000000"), 0);
        assert_eq!(nanos("1.5"), 1_500_000_000);
        assert_eq!(nanos("0.0000000019999999999999999999999999999999999999999999999999999"), 1);
        assert_eq!(nanos("18446744073709551615"), u64::MAX);
        assert_eq!(nanos("18446744073.709551615"), u64::MAX);
    }

    #[test]
    fn whole_numbers_tell_their_unit_by_their_size() {
        assert_eq!(nanos("1490149580"), 1_490_149_580_000_000_000);
        assert_eq!(nanos("1490149580103"), 1_490_149_580_103_000_000);
        assert_eq!(nanos("1490149580103843"), 1_490_149_580_103_843_000);
        assert_eq!(nanos("100000000000000"), 100_000_000_000_000_000);
        assert_eq!(nanos("100000000000000000"), 100_000_000_000_000_000);
    }

    #[test]
    fn exponents_are_exact() {
        assert_eq!(nanos("1.7e9"), 1_700_000_000_000_000_000);
        assert_eq!(nanos("1.490149580103843e+18"), 1_490_149_580_103_843_000);
        assert_eq!(nanos("14901495801038431e-7"), 1_490_149_580_103_843_100);
        assert_eq!(nanos("0e999"), 0);
        assert!(parse("1e99999999", None).is_err());
        assert!(parse("1e-99999999", None).is_ok());
    }

    #[test]
    fn a_unit_is_taken_at_its_word() {
        let sure = |nanos| Ok(Parsed { at: Timestamp(nanos), zone: Zone::Given });
        assert_eq!(parse("1500.5", Some(TimeUnit::Millis)), sure(1_500_500_000));
        assert_eq!(parse("42", Some(TimeUnit::Nanos)), sure(42));
        assert_eq!(parse("\"42\"", Some(TimeUnit::Micros)), sure(42_000));
        assert_eq!(parse("1490149580103", Some(TimeUnit::Seconds)).unwrap_err().why, OVERFLOW);
    }

    #[test]
    fn a_time_that_does_not_say_its_offset_is_utc() {
        let zone = |value: &str| parse(value, None).unwrap().zone;
        assert_eq!(nanos("\"2017-03-22T02:26:20.5\""), 1_490_149_580_500_000_000);
        assert_eq!(nanos("\"2017-03-22 02:26:20\""), 1_490_149_580_000_000_000);
        assert_eq!(zone("\"2017-03-22T02:26:20\""), Zone::Assumed);
        assert_eq!(zone("\"2017-03-22T02:26:20Z\""), Zone::Given);
    }

    #[test]
    fn what_is_no_time_is_refused_with_the_way_out() {
        for (value, part) in [
            ("-1", "before 1970"),
            ("\"1969-12-31T23:59:59Z\"", "before 1970"),
            ("{\"sec\":-1,\"nsec\":0}", "before 1970"),
            ("18446744073709551616", "beyond what can be sent"),
            ("99999999999.5", "beyond what can be sent"),
            ("\"9999-01-01T00:00:00Z\"", "beyond what can be sent"),
            ("{\"sec\":9223372036854775807,\"nsec\":0}", "beyond what can be sent"),
            ("\"yesterday\"", "2026-01-02"),
            ("\"\"", "2026-01-02"),
            ("true", "2026-01-02"),
            ("[1]", "2026-01-02"),
            ("{\"sec\":1}", "2026-01-02"),
            ("\"1e\"", "2026-01-02"),
            ("\"1e+-5\"", "2026-01-02"),
        ] {
            let error = parse(value, None).unwrap_err().to_string();
            assert!(error.contains(part) && error.starts_with(value), "{value}: {error}");
        }
    }

    proptest! {
        #[test]
        fn any_time_is_read_back_from_every_notation(time: u64) {
            let (sec, nsec) = (time / 1_000_000_000, time % 1_000_000_000);
            prop_assert_eq!(nanos(&format!("{sec}.{nsec:09}")), time);
            prop_assert_eq!(nanos(&format!("\"{sec}.{nsec:09}\"")), time);
            prop_assert_eq!(nanos(&format!("{{\"sec\":{sec},\"nsec\":{nsec}}}")), time);
            prop_assert_eq!(parse(&time.to_string(), Some(TimeUnit::Nanos)).unwrap().at, Timestamp(time));
            let utc = jiff::Timestamp::from_nanosecond(i128::from(time)).unwrap();
            prop_assert_eq!(nanos(&format!("\"{utc:.9}\"")), time);
        }

        #[test]
        fn nothing_panics(text in ".*", digits in "[-0-9.eE+\":{}]{0,30}") {
            drop((parse(&text, None), parse(&digits, Some(TimeUnit::Seconds))));
        }
    }
}
