//! `google.protobuf.Timestamp` and `Duration`: as text, or as an object of seconds and nanoseconds; a time also as a
//! number. A time that does not say its offset from UTC is UTC.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, Unexpected, Visitor};
use serde_json::value::RawValue;

use super::wire;
use crate::numeric_time::{self, Zone};
use crate::printable::printable;

const NANOS: i128 = 1_000_000_000;

/// The years 1 to 9999, which the type is defined for; seconds since 1970.
pub(in crate::payload) const TIMESTAMPS: std::ops::RangeInclusive<i64> = -62_135_596_800..=253_402_300_799;

/// About 10,000 years, which the type is defined for; seconds.
pub(in crate::payload) const DURATIONS: std::ops::RangeInclusive<i64> = -315_576_000_000..=315_576_000_000;

/// Both types have these fields.
#[derive(Debug, PartialEq)]
pub(super) struct Time {
    seconds: i64,
    nanos: i32,
}

impl Time {
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        for (number, value) in [(1, self.seconds), (2, i64::from(self.nanos))] {
            if value != 0 {
                wire::key(out, number, 0);
                wire::varint(out, value.cast_unsigned());
            }
        }
    }

    /// A point in time: nanoseconds count forward, also before 1970.
    fn point(nanos: i128) -> Option<Self> {
        let time = Self::of(nanos.div_euclid(NANOS), nanos.rem_euclid(NANOS))?;
        TIMESTAMPS.contains(&time.seconds).then_some(time)
    }

    /// A span of time: seconds and nanoseconds have the same sign.
    fn span(nanos: i128) -> Option<Self> {
        let time = Self::of(nanos / NANOS, nanos % NANOS)?;
        let is_whole = time.nanos == 0 || time.seconds.abs() < *DURATIONS.end();
        (DURATIONS.contains(&time.seconds) && is_whole).then_some(time)
    }

    fn of(seconds: i128, nanos: i128) -> Option<Self> {
        Some(Self { seconds: i64::try_from(seconds).ok()?, nanos: i32::try_from(nanos).ok()? })
    }
}

/// A time in any notation that a line's own times have; numbers are read as text, so that no digit is lost.
pub(super) fn timestamp<'de, D: Deserializer<'de>>(deserializer: D) -> Result<(Time, Zone), D::Error> {
    let text = <&RawValue>::deserialize(deserializer)?.get();
    if let Some(number) = numeric_time::number(text, None) {
        let time = number.map_err(|why| D::Error::custom(format!("{} {why}", printable(text, 40))))?;
        let time = Time::point(i128::from(time.nanos()));
        let time = time.ok_or_else(|| D::Error::custom("not between the years 1 and 9999"))?;
        return Ok((time, Zone::Given));
    }
    serde_json::Deserializer::from_str(text).deserialize_any(TimestampVisitor).map_err(|error| {
        let text = error.to_string();
        D::Error::custom(text.rsplit_once(" at line ").map_or(text.as_str(), |(reason, _)| reason))
    })
}

pub(super) fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Time, D::Error> {
    deserializer.deserialize_any(DurationVisitor)
}

struct TimestampVisitor;

impl<'de> Visitor<'de> for TimestampVisitor {
    type Value = (Time, Zone);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "a time like \"2026-01-02T03:04:05.5Z\", 1767323045.5 or {\"sec\":1767323045,\"nsec\":500000000}",
        )
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        let found = match numeric_time::number(text, None) {
            Some(number) => number.ok().map(|time| (i128::from(time.nanos()), Zone::Given)),
            None => numeric_time::iso(text),
        };
        let time = found.and_then(|(nanos, zone)| Some((Time::point(nanos)?, zone)));
        time.ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
    }

    fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<Self::Value, M::Error> {
        let time = Time::point(nanos(map, &self)?);
        let time = time.ok_or_else(|| M::Error::custom("not between the years 1 and 9999"))?;
        Ok((time, Zone::Given))
    }
}

struct DurationVisitor;

impl<'de> Visitor<'de> for DurationVisitor {
    type Value = Time;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a duration like \"1.5s\" or {\"sec\":1,\"nsec\":500000000}")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Time, E> {
        let time = text.strip_suffix('s').and_then(decimal).and_then(Time::span);
        time.ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
    }

    fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<Time, M::Error> {
        Time::span(nanos(map, &self)?).ok_or_else(|| M::Error::custom("longer than 315576000000 s"))
    }
}

/// Seconds with up to 9 decimals, in nanoseconds.
fn decimal(text: &str) -> Option<i128> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let is_number = |digits: &str| !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
    // 12 digits hold every duration that is allowed
    if !is_number(whole) || !is_number(fraction) || whole.len() > 12 || fraction.len() > 9 {
        return None;
    }
    let nanos = format!("{fraction:0<9}").parse::<i128>().ok()? + whole.parse::<i128>().ok()? * NANOS;
    Some(if negative { -nanos } else { nanos })
}

/// The object form, in any spelling that is in use.
fn nanos<'de, M: MapAccess<'de>>(mut map: M, expected: &impl Visitor<'de>) -> Result<i128, M::Error> {
    let (mut seconds, mut nanos) = (None, None);
    while let Some(part) = map.next_key::<Part>()? {
        match part {
            Part::Seconds if seconds.is_none() => seconds = Some(map.next_value::<i64>()?),
            Part::Nanos if nanos.is_none() => nanos = Some(map.next_value::<i64>()?),
            _ => {
                map.next_value::<IgnoredAny>()?;
                return Err(M::Error::invalid_value(Unexpected::Map, expected));
            }
        }
    }
    let nanos = nanos.unwrap_or(0);
    match seconds {
        Some(seconds) if i128::from(nanos).abs() < NANOS => {
            Ok(i128::from(seconds) * NANOS + i128::from(nanos))
        }
        Some(_) => Err(M::Error::custom("nanoseconds make up a second or more")),
        None => Err(M::Error::invalid_value(Unexpected::Map, expected)),
    }
}

#[derive(Deserialize)]
enum Part {
    #[serde(rename = "sec", alias = "secs", alias = "seconds")]
    Seconds,
    #[serde(rename = "nsec", alias = "nsecs", alias = "nanosec", alias = "nanos")]
    Nanos,
    #[serde(other)]
    Other,
}
