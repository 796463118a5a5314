//! How much of what live sources have sent is kept: `60s`, `2GB`, or both.

use std::time::Duration;

use foxglove_bridge::time::parse_duration;

use super::size;

/// The memory that is taken where no other bound is named, in bytes.
const USUAL_BYTES: usize = 500_000_000;

/// With less memory a single message may be too large.
const SMALLEST: usize = 1_000_000;

/// What is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kept {
    /// What has arrived within this time; None: as much as has room.
    pub(crate) window: Option<Duration>,
    /// The memory that it may take, in bytes.
    pub(crate) bytes: usize,
}

/// What is meant by a length of time, a size, or both, in one text or in two. None: nothing is kept.
pub(super) fn parse(values: &[String]) -> Result<Option<Kept>, String> {
    let (mut window, mut bytes) = (None, None);
    for text in
        values.iter().flat_map(|value| value.split(',')).map(str::trim).filter(|text| !text.is_empty())
    {
        let is_second = match (size(text), parse_duration(text)) {
            // a plain number is neither
            _ if text.chars().all(|c| c.is_ascii_digit()) => return Err(neither(text)),
            (Some(size), _) => bytes.replace(size?).is_some(),
            (None, Ok(Duration::ZERO)) => {
                return Err(format!("'{text}' keeps nothing: write 60s, or leave it out"));
            }
            (None, Ok(time)) => window.replace(time).is_some(),
            (None, Err(_)) => return Err(neither(text)),
        };
        if is_second {
            return Err(format!(
                "'{text}' is one too many: write one length of time, one size, or both: 60s,2GB"
            ));
        }
    }
    let is_set = window.is_some() || bytes.is_some();
    Ok(is_set.then(|| Kept { window, bytes: bytes.unwrap_or(USUAL_BYTES) }))
}

fn neither(text: &str) -> String {
    format!("'{text}' is neither a length of time nor a size: write 60s, 2GB, or 60s,2GB")
}

/// The bytes of a text that ends as sizes do.
fn size(text: &str) -> Option<Result<usize, String>> {
    text.ends_with(['B', 'b']).then(|| match size::parse(text)? {
        bytes @ SMALLEST.. => Ok(bytes),
        _ => Err(format!("'{text}' is too small: write at least 1MB")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(values: &[&str]) -> Result<Option<Kept>, String> {
        parse(&values.iter().map(|value| (*value).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn a_time_a_size_or_both_say_what_is_kept() {
        let minute = Some(Duration::from_secs(60));
        assert_eq!(parsed(&["60s"]), Ok(Some(Kept { window: minute, bytes: 500_000_000 })));
        assert_eq!(parsed(&["2GB"]), Ok(Some(Kept { window: None, bytes: 2_000_000_000 })));
        let both = Ok(Some(Kept { window: minute, bytes: 1 << 30 }));
        assert_eq!(parsed(&["1m", "1GiB"]), both);
        assert_eq!(parsed(&["1GiB, 1m"]), both);
        assert_eq!(parsed(&[]), Ok(None));
        assert_eq!(parsed(&[""]), Ok(None));
    }

    #[test]
    fn what_could_be_either_or_is_twice_there_is_refused() {
        for (values, why) in [
            (&["60"][..], "neither"),
            (&["5 parsecs"], "neither"),
            (&["xB"], "'xB' is not a size"),
            (&["0s"], "keeps nothing"),
            (&["500kB"], "at least 1MB"),
            (&["60s", "2m"], "one too many"),
            (&["1GB,60s,2GB"], "one too many"),
        ] {
            let error = parsed(values).unwrap_err();
            assert!(error.contains(why), "{values:?}: {error}");
        }
    }
}
