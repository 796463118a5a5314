//! `google.protobuf.Timestamp` and `Duration` as text.
//!
//! What the types are not defined for (years beyond 1 to 9999, nanoseconds that make up a second) is written as the object
//! of its fields, so that it can be seen.

use super::super::error::Result;
use super::super::out::Out;
use super::{Part, records};
use crate::payload::encode::{DURATIONS, Kind, TIMESTAMPS};

const SECOND: i64 = 1_000_000_000;

pub(super) fn timestamp(part: Part<'_>, out: &mut Out<'_>) -> Result<()> {
    let (seconds, nanos) = fields(part)?;
    let time = i32::try_from(nanos).ok().and_then(|nanos| jiff::Timestamp::new(seconds, nanos).ok());
    match time.filter(|_| TIMESTAMPS.contains(&seconds) && (0..SECOND).contains(&nanos)) {
        Some(time) => out.value(format!("{time:.*}", digits(nanos))),
        None => object(seconds, nanos, out),
    }
    Ok(())
}

pub(super) fn duration(part: Part<'_>, out: &mut Out<'_>) -> Result<()> {
    let (seconds, nanos) = fields(part)?;
    let is_one_sign = seconds.signum() * nanos.signum() >= 0;
    if !DURATIONS.contains(&seconds) || nanos.abs() >= SECOND || !is_one_sign {
        object(seconds, nanos, out);
        return Ok(());
    }
    let sign = if seconds < 0 || nanos < 0 { "-" } else { "" };
    let fraction = match digits(nanos) {
        0 => String::new(),
        digits => format!(".{:09}", nanos.abs())[..=digits].to_owned(),
    };
    out.value(format!("{sign}{}{fraction}s", seconds.abs()));
    Ok(())
}

/// 0, 3, 6 or 9, as in Google's libraries.
fn digits(nanos: i64) -> usize {
    [0, 3, 6]
        .into_iter()
        .zip([SECOND, 1_000_000, 1_000])
        .find(|(_, unit)| nanos % unit == 0)
        .map_or(9, |(digits, _)| digits)
}

fn object(seconds: i64, nanos: i64, out: &mut Out<'_>) {
    out.raw(format!("{{\"seconds\":{seconds},\"nanos\":{nanos}}}").as_bytes());
}

/// Both types have the same ones.
fn fields(part: Part<'_>) -> Result<(i64, i64)> {
    let field = |number| -> Result<i64> {
        let record = records::last(part, number, &Kind::Int64)?;
        let value = record.map(|record| records::varint(record.part(part), 0)).transpose()?;
        Ok(value.map_or(0, |(value, _)| value.cast_signed()))
    };
    Ok((field(1)?, field(2)?))
}
