//! `google.protobuf.Timestamp` and `Duration` as text, and as viewers read them.
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
        None => as_it_is(seconds, nanos, out),
    }
    Ok(())
}

pub(super) fn duration(part: Part<'_>, out: &mut Out<'_>) -> Result<()> {
    let (seconds, nanos) = fields(part)?;
    let is_one_sign = seconds.signum() * nanos.signum() >= 0;
    if !DURATIONS.contains(&seconds) || nanos.abs() >= SECOND || !is_one_sign {
        as_it_is(seconds, nanos, out);
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

/// Nanoseconds count forward here, so that -0.5 s is -1 s and 500,000,000 ns.
pub(super) fn object(part: Part<'_>, out: &mut Out<'_>) -> Result<()> {
    let (seconds, nanos) = fields(part)?;
    let (seconds, nanos) =
        if nanos < 0 { (seconds.wrapping_sub(1), nanos.wrapping_add(SECOND)) } else { (seconds, nanos) };
    out.raw(format!("{{\"sec\":{seconds},\"nsec\":{nanos}}}").as_bytes());
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

fn as_it_is(seconds: i64, nanos: i64, out: &mut Out<'_>) {
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
