//! Sizes as users write them: `16MiB`, `500 kB`, `1048576`.

/// Units and their bytes; compared without regard to case.
const UNITS: [(&str, u64); 8] = [
    ("", 1),
    ("b", 1),
    ("kb", 1_000),
    ("mb", 1_000_000),
    ("gb", 1_000_000_000),
    ("kib", 1 << 10),
    ("mib", 1 << 20),
    ("gib", 1 << 30),
];

/// Bytes meant by a text: a whole number and a unit, at least 1.
pub(crate) fn parse(text: &str) -> Result<usize, String> {
    let trimmed = text.trim();
    let digits = trimmed.find(|c: char| !c.is_ascii_digit()).unwrap_or(trimmed.len());
    let (number, unit) = trimmed.split_at(digits);
    let unit = unit.trim().to_ascii_lowercase();
    let bytes = UNITS
        .iter()
        .find(|(name, _)| *name == unit)
        .and_then(|(_, bytes)| number.parse::<u64>().ok()?.checked_mul(*bytes))
        .and_then(|bytes| usize::try_from(bytes).ok());
    match bytes {
        Some(0) => {
            Err(format!("'{text}' is too small: write at least 1, or a number with kB, MB, KiB, MiB, GiB"))
        }
        Some(bytes) => Ok(bytes),
        None => Err(format!("'{text}' is not a size: write bytes, or a number with kB, MB, KiB, MiB, GiB")),
    }
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn sizes_are_read_with_decimal_and_binary_units() {
        assert_eq!(parse("16MiB"), Ok(16 << 20));
        assert_eq!(parse("16 mib"), Ok(16 << 20));
        assert_eq!(parse("500kB"), Ok(500_000));
        assert_eq!(parse("2GiB"), Ok(2 << 30));
        assert_eq!(parse("1000"), Ok(1000));
    }

    #[test]
    fn bad_sizes_are_refused_with_the_units() {
        for text in ["", "0", "MiB", "16M", "-1", "1.5MiB", "99999999999GiB"] {
            assert!(parse(text).unwrap_err().contains("MiB"), "{text}");
        }
        for text in ["0", "0 MiB"] {
            assert!(parse(text).unwrap_err().contains("too small"), "{text}");
        }
    }
}
