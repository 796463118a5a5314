//! Times as others write them in data: numbers, told apart by their size, and ISO 8601. Read as text, so that no digit
//! is lost in a float.

use std::str::FromStr;

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

/// Why a number is no time.
pub(crate) const NEGATIVE: &str = "lies before 1970, which a time can't";
/// The same: times are sent as nanoseconds in 64 bits.
pub(crate) const OVERFLOW: &str = "lies beyond what can be sent (the year 2554)";

/// Whether a time said its offset from UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Zone {
    /// It did.
    Given,
    /// It did not: it is taken as UTC.
    Assumed,
}

/// The time that a number means, given as text; None if it is not a number.
///
/// Numbers are of `unit`. Without one, it follows from the size of whole numbers, all others are seconds. Below a
/// nanosecond it is rounded down.
pub(crate) fn number(text: &str, unit: Option<TimeUnit>) -> Option<Result<Timestamp, &'static str>> {
    Decimal::parse(text).map(|number| number.time(unit))
}

/// Nanoseconds since 1970 of an ISO 8601 time, with an offset from UTC (RFC 3339) or without; None if it is none.
pub(crate) fn iso(text: &str) -> Option<(i128, Zone)> {
    if let Ok(time) = text.parse::<jiff::Timestamp>() {
        return Some((time.as_nanosecond(), Zone::Given));
    }
    let civil = text.parse::<jiff::civil::DateTime>().ok()?;
    let time = civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    Some((time.timestamp().as_nanosecond(), Zone::Assumed))
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
