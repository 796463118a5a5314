//! Numbers, booleans, enums, strings and bytes.

use std::fmt;

use base64::alphabet;
use base64::engine::{DecodePaddingMode, Engine as _, GeneralPurpose, GeneralPurposeConfig};
use serde::de::{Deserializer, Error, Unexpected, Visitor};

use super::plan::{EnumPlan, Kind, Plan};
use super::wire::{varint, zigzag};
use crate::suggest::nearest;

/// Senders pad or don't, and some leave bits after the end.
const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

/// Writes a value without its key; whether it is the default of its kind.
pub(super) fn write<'de, D: Deserializer<'de>>(
    kind: &Kind,
    plan: &Plan,
    out: &mut Vec<u8>,
    deserializer: D,
) -> Result<bool, D::Error> {
    let bits = match kind {
        Kind::String => return deserializer.deserialize_str(StringVisitor { out }),
        Kind::Bytes => return deserializer.deserialize_str(BytesVisitor { out }),
        Kind::Double => deserializer.deserialize_any(DoubleVisitor)?.to_bits(),
        Kind::Float => u64::from(single(deserializer.deserialize_any(DoubleVisitor)?)?.to_bits()),
        Kind::Bool => u64::from(deserializer.deserialize_any(BoolVisitor)?),
        Kind::Enum(index) => {
            let visitor = EnumVisitor { values: &plan.enums[*index] };
            i64::from(deserializer.deserialize_any(visitor)?).cast_unsigned()
        }
        kind => deserializer.deserialize_any(IntegerVisitor { kind })?,
    };
    put(kind, bits, out);
    Ok(bits == 0)
}

/// Writes a key of a map, which is text in JSON.
pub(super) fn write_key(kind: &Kind, text: &str, out: &mut Vec<u8>) -> Result<(), String> {
    let bits = match (kind, text) {
        (Kind::String, text) => {
            varint(out, text.len() as u64);
            out.extend_from_slice(text.as_bytes());
            return Ok(());
        }
        (Kind::Bool, "true") => 1,
        (Kind::Bool, "false") => 0,
        (Kind::Bool, _) => return Err("the key is neither true nor false".to_owned()),
        (kind, text) => {
            let value = text.parse().ok().and_then(|value| integer(kind, value));
            value.ok_or_else(|| format!("the key is not {}", IntegerVisitor { kind }))?
        }
    };
    put(kind, bits, out);
    Ok(())
}

/// Writes a value of a kind without length; integers as their two's complement in 64 bits.
fn put(kind: &Kind, bits: u64, out: &mut Vec<u8>) {
    match kind.wire_type() {
        1 => out.extend_from_slice(&bits.to_le_bytes()),
        5 => out.extend_from_slice(&bits.to_le_bytes()[..4]),
        _ if matches!(kind, Kind::Sint32 | Kind::Sint64) => varint(out, zigzag(bits.cast_signed())),
        _ => varint(out, bits),
    }
}

/// The two's complement in 64 bits, if the value fits its kind.
fn integer(kind: &Kind, value: i128) -> Option<u64> {
    let signed = |value: i64| value.cast_unsigned();
    match kind {
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => i32::try_from(value).ok().map(i64::from).map(signed),
        Kind::Uint32 | Kind::Fixed32 => u32::try_from(value).ok().map(u64::from),
        Kind::Uint64 | Kind::Fixed64 => u64::try_from(value).ok(),
        _ => i64::try_from(value).ok().map(signed),
    }
}

#[allow(clippy::cast_possible_truncation, reason = "to the nearest number of fewer digits")]
fn single<E: Error>(value: f64) -> Result<f32, E> {
    if value.is_finite() && value.abs() > f64::from(f32::MAX) {
        return Err(E::invalid_value(Unexpected::Float(value), &"a number that fits 32-bit floating point"));
    }
    Ok(value as f32)
}

struct IntegerVisitor<'a> {
    kind: &'a Kind,
}

impl fmt::Display for IntegerVisitor<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => "an integer of 32 bits",
            Kind::Uint32 | Kind::Fixed32 => "an integer of 32 bits, not negative",
            Kind::Uint64 | Kind::Fixed64 => "an integer of 64 bits, not negative",
            _ => "an integer of 64 bits",
        })
    }
}

impl Visitor<'_> for IntegerVisitor<'_> {
    type Value = u64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<u64, E> {
        integer(self.kind, value.into()).ok_or_else(|| E::invalid_value(Unexpected::Signed(value), &self))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<u64, E> {
        integer(self.kind, value.into()).ok_or_else(|| E::invalid_value(Unexpected::Unsigned(value), &self))
    }

    /// Whole numbers may be written `1.0` or `1e3`.
    fn visit_f64<E: Error>(self, value: f64) -> Result<u64, E> {
        whole(value)
            .and_then(|value| integer(self.kind, value))
            .ok_or_else(|| E::invalid_value(Unexpected::Float(value), &self))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<u64, E> {
        let value = text.parse().ok().or_else(|| text.parse().ok().and_then(whole));
        value
            .and_then(|value| integer(self.kind, value))
            .ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
    }
}

#[allow(clippy::cast_possible_truncation, reason = "it has no fraction and is within the range")]
fn whole(value: f64) -> Option<i128> {
    // beyond 2^64 no kind takes it
    (value.fract() == 0.0 && value.abs() < 2e19).then_some(value as i128)
}

/// Whether a text is a number in digits, which may be too large.
fn has_digits(text: &str) -> bool {
    text.bytes().any(|byte| byte.is_ascii_digit())
}

struct DoubleVisitor;

impl Visitor<'_> for DoubleVisitor {
    type Value = f64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, \"NaN\", \"Infinity\" or \"-Infinity\"")
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<f64, E> {
        Ok(value)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<f64, E> {
        Ok(value as f64)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<f64, E> {
        Ok(value as f64)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<f64, E> {
        // also the words for what is no number, in any case: NaN, inf, -Infinity
        let value = text.parse::<f64>().ok().filter(|value| value.is_finite() || !has_digits(text));
        value.ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
    }
}

struct BoolVisitor;

impl Visitor<'_> for BoolVisitor {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("true or false")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<bool, E> {
        Ok(value)
    }
}

/// The enum of `foxglove.Log`; its values go from 1, debug, to 5, fatal.
const LOG_LEVEL: &str = "foxglove.Log.Level";

/// The level that ROS 2 and Python write as 10, 20, … 50.
fn ros_log_level(value: u64) -> Option<i32> {
    (10..=50).contains(&value).then(|| i32::try_from(value / 10).unwrap_or_default())
}

/// The level that other programs call so.
fn named_log_level(text: &str) -> Option<i32> {
    let is = |names: &[&str]| names.iter().any(|name| text.eq_ignore_ascii_case(name));
    let names: [&[&str]; 6] = [
        &["UNKNOWN", "NOTSET"],
        &["DEBUG", "TRACE"],
        &["INFO", "NOTICE"],
        &["WARNING", "WARN"],
        &["ERROR", "ERR"],
        &["FATAL", "CRITICAL"],
    ];
    names.iter().position(|names| is(names)).and_then(|level| i32::try_from(level).ok())
}

struct EnumVisitor<'a> {
    values: &'a EnumPlan,
}

impl Visitor<'_> for EnumVisitor<'_> {
    type Value = i32;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("one of ")?;
        // an enum can have thousands of values
        for (place, (name, number)) in self.values.values.iter().take(12).enumerate() {
            write!(f, "{}{name} ({number})", if place == 0 { "" } else { ", " })?;
        }
        Ok(())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<i32, E> {
        i32::try_from(value).map_err(|_error| E::invalid_value(Unexpected::Signed(value), &self))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<i32, E> {
        if self.values.name == LOG_LEVEL
            && let Some(level) = ros_log_level(value)
        {
            return Ok(level);
        }
        i32::try_from(value).map_err(|_error| E::invalid_value(Unexpected::Unsigned(value), &self))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<i32, E> {
        let number = whole(value).and_then(|value| i32::try_from(value).ok());
        number.ok_or_else(|| E::invalid_value(Unexpected::Float(value), &self))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<i32, E> {
        if let Some((_, number)) = self.values.values.iter().find(|(name, _)| name == text) {
            return Ok(*number);
        }
        if self.values.name == LOG_LEVEL
            && let Some(level) = named_log_level(text)
        {
            return Ok(level);
        }
        let names = self.values.values.iter().map(|(name, _)| name.as_str());
        Err(match nearest(text, names) {
            Some(name) => E::custom(format!("no value is named '{text}'; did you mean '{name}'?")),
            None => E::invalid_value(Unexpected::Str(text), &self),
        })
    }
}

struct StringVisitor<'a> {
    out: &'a mut Vec<u8>,
}

impl Visitor<'_> for StringVisitor<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<bool, E> {
        varint(self.out, text.len() as u64);
        self.out.extend_from_slice(text.as_bytes());
        Ok(text.is_empty())
    }
}

struct BytesVisitor<'a> {
    out: &'a mut Vec<u8>,
}

impl Visitor<'_> for BytesVisitor<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string of base64")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<bool, E> {
        // known before decoding, so that the bytes are written where they stay
        let digits = text.trim_end_matches('=').len();
        let length = digits / 4 * 3 + (digits % 4).saturating_sub(1);
        varint(self.out, length as u64);
        let start = self.out.len();
        let mut decode = |engine: &GeneralPurpose| {
            self.out.truncate(start);
            engine.decode_vec(text, self.out)
        };
        let standard = decode(&STANDARD);
        let url_safe = if standard.is_err() { decode(&URL_SAFE) } else { Ok(()) };
        match (standard, url_safe) {
            (Ok(()), _) | (_, Ok(())) if self.out.len() - start == length => Ok(length == 0),
            (Err(error), _) => Err(E::custom(format!("not base64: {error}"))),
            (Ok(()), _) => Err(E::custom("not base64: its length is wrong")),
        }
    }
}
