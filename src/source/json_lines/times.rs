//! Times in JSON: read as text, so that no digit is lost in a float.

use std::str::FromStr;

use serde::Deserialize;

use crate::time::Timestamp;

/// The unit of times that are given as plain numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeUnit {
    /// Seconds.
    Seconds,
    /// Milliseconds.
    Millis,
    /// Microseconds.
    Micros,
    /// Nanoseconds.
    Nanos,
}

impl TimeUnit {
    /// As a power of ten of nanoseconds.
    fn power(self) -> i64 {
        match self {
            Self::Seconds => 9,
            Self::Millis => 6,
            Self::Micros => 3,
            Self::Nanos => 0,
        }
    }

    /// The unit in which a whole number is a time of our days: up to the year 5138 for seconds and milliseconds.
    fn of_size(number: u64) -> Self {
        match number {
            0..100_000_000_000 => Self::Seconds,
            100_000_000_000..100_000_000_000_000 => Self::Millis,
            100_000_000_000_000..100_000_000_000_000_000 => Self::Micros,
            100_000_000_000_000_000.. => Self::Nanos,
        }
    }
}

impl FromStr for TimeUnit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "s" => Ok(Self::Seconds),
            "ms" => Ok(Self::Millis),
            "us" | "µs" => Ok(Self::Micros),
            "ns" => Ok(Self::Nanos),
            _ => Err(format!("'{text}' is not a unit of time: write s, ms, us or ns")),
        }
    }
}

const NEGATIVE: &str = "lies before 1970, which a time can't";
const OVERFLOW: &str = "lies after the year 2554, which a time can't; time_unit says what the number counts";

/// The time that a JSON value means, given as its text: an RFC 3339 string, a number, a number in a string, or an
/// object of seconds and nanoseconds. Below a nanosecond it is rounded down.
///
/// Numbers are of `unit`. Without one, it follows from the size of whole numbers, all others are seconds.
pub(super) fn parse(value: &str, unit: Option<TimeUnit>) -> Result<Timestamp, String> {
    let fault = |why: &str| format!("{} {why}", shortened(value));
    match value.as_bytes().first() {
        Some(b'"') => {
            let text: std::borrow::Cow<'_, str> = match value.get(1..value.len().saturating_sub(1)) {
                Some(inner) if !inner.contains('\\') => inner.into(),
                _ => serde_json::from_str::<String>(value).map_err(|error| error.to_string())?.into(),
            };
            let text = text.trim();
            match Decimal::parse(text) {
                Some(number) => number.time(unit).map_err(fault),
                None => rfc3339(text).map_err(fault),
            }
        }
        Some(b'{') => object(value).map_err(fault),
        _ => match Decimal::parse(value) {
            Some(number) => number.time(unit).map_err(fault),
            None => Err(fault(NO_TIME)),
        },
    }
}

const NO_TIME: &str =
    "is not a time: write \"2026-01-02T03:04:05.123456789Z\", a number, or {\"sec\":1,\"nsec\":2}";

fn rfc3339(text: &str) -> Result<Timestamp, &'static str> {
    let time = text.parse::<jiff::Timestamp>().map_err(|_error| {
        let without_offset = text.parse::<jiff::civil::DateTime>().is_ok();
        if without_offset { "does not say its offset from UTC: append Z, or +01:00" } else { NO_TIME }
    })?;
    let nanos = time.as_nanosecond();
    if nanos < 0 {
        return Err(NEGATIVE);
    }
    u64::try_from(nanos).map(Timestamp).map_err(|_error| OVERFLOW)
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

/// A decimal number as text: sign, digits, and the power of ten of the last digit.
struct Decimal<'a> {
    negative: bool,
    whole: &'a str,
    fraction: &'a str,
    has_point: bool,
    exponent: Option<i64>,
}

impl<'a> Decimal<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let (negative, text) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            // beyond any time, and far from the end of i64
            Some((mantissa, power)) if power.len() <= 9 => (mantissa, Some(power.parse().ok()?)),
            Some(_) => return None,
            None => (text, None),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let sound = digits(whole) && digits(fraction) && whole.len() + fraction.len() > 0;
        let has_point = mantissa.len() > whole.len();
        sound.then_some(Self { negative, whole, fraction, has_point, exponent })
    }

    /// The power of ten of the last digit.
    fn scale(&self) -> i64 {
        self.exponent.unwrap_or(0) - i64::try_from(self.fraction.len()).unwrap_or(i64::MAX / 2)
    }

    /// The number times a power of ten, rounded down; None beyond u64.
    fn times(&self, power: i64) -> Option<u64> {
        let power = self.scale() + power;
        let digits = self.whole.len() + self.fraction.len();
        let dropped = usize::try_from(-power).unwrap_or(0);
        let mut number = 0u64;
        for byte in self.whole.bytes().chain(self.fraction.bytes()).take(digits.saturating_sub(dropped)) {
            number = number.checked_mul(10)?.checked_add(u64::from(byte - b'0'))?;
        }
        if number == 0 || power <= 0 {
            return Some(number);
        }
        10u64.checked_pow(u32::try_from(power).ok()?)?.checked_mul(number)
    }

    fn time(&self, unit: Option<TimeUnit>) -> Result<Timestamp, &'static str> {
        if self.negative {
            return Err(NEGATIVE);
        }
        // with an exponent the point says nothing: 1.7e9 is a whole number
        let is_whole = if self.exponent.is_some() { self.scale() >= 0 } else { !self.has_point };
        let unit = match unit {
            Some(unit) => unit,
            None if is_whole => TimeUnit::of_size(self.times(0).ok_or(OVERFLOW)?),
            None => TimeUnit::Seconds,
        };
        self.times(unit.power()).map(Timestamp).ok_or(OVERFLOW)
    }
}

/// A value for an error message: whole if it is short.
pub(super) fn shortened(value: &str) -> String {
    const LONGEST: usize = 40;
    match value.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &value[..end]),
        None => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn nanos(value: &str) -> u64 {
        parse(value, None).unwrap_or_else(|error| panic!("{error}")).nanos()
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
        assert_eq!(parse("1500.5", Some(TimeUnit::Millis)), Ok(Timestamp(1_500_500_000)));
        assert_eq!(parse("42", Some(TimeUnit::Nanos)), Ok(Timestamp(42)));
        assert_eq!(parse("\"42\"", Some(TimeUnit::Micros)), Ok(Timestamp(42_000)));
        assert!(parse("1490149580103", Some(TimeUnit::Seconds)).unwrap_err().contains("time_unit"));
    }

    #[test]
    fn what_is_no_time_is_refused_with_the_way_out() {
        for (value, part) in [
            ("-1", "before 1970"),
            ("\"1969-12-31T23:59:59Z\"", "before 1970"),
            ("{\"sec\":-1,\"nsec\":0}", "before 1970"),
            ("18446744073709551616", "2554"),
            ("99999999999.5", "2554"),
            ("\"9999-01-01T00:00:00Z\"", "2554"),
            ("{\"sec\":9223372036854775807,\"nsec\":0}", "2554"),
            ("\"2026-01-02T03:04:05\"", "append Z"),
            ("\"yesterday\"", "2026-01-02"),
            ("\"\"", "2026-01-02"),
            ("true", "2026-01-02"),
            ("[1]", "2026-01-02"),
            ("{\"sec\":1}", "2026-01-02"),
            ("\"1e\"", "2026-01-02"),
            ("\"1e+-5\"", "2026-01-02"),
        ] {
            let error = parse(value, None).unwrap_err();
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
            prop_assert_eq!(parse(&time.to_string(), Some(TimeUnit::Nanos)), Ok(Timestamp(time)));
            let utc = jiff::Timestamp::from_nanosecond(i128::from(time)).unwrap();
            prop_assert_eq!(nanos(&format!("\"{utc:.9}\"")), time);
        }

        #[test]
        fn nothing_panics(text in ".*", digits in "[-0-9.eE+\":{}]{0,30}") {
            drop((parse(&text, None), parse(&digits, Some(TimeUnit::Seconds))));
        }
    }
}
