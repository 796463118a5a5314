//! Which file below a folder a path names, as it stands in a URL. Pure.

use std::borrow::Cow;

/// The names on the way from a folder to a file, escapes decoded (RFC 3986 section 2.1). None of them leads elsewhere than
/// down.
pub(crate) fn names(rest: &str) -> Result<Vec<String>, &'static str> {
    let path = decoded(rest)?;
    let names: Vec<String> =
        path.split('/').filter(|name| !matches!(*name, "" | ".")).map(str::to_owned).collect();
    let leads_elsewhere =
        |name: &String| name == ".." || name.contains('\0') || (cfg!(windows) && name.contains(['\\', ':']));
    if names.iter().any(leads_elsewhere) {
        return Err("leads out of its folder");
    }
    if names.is_empty() || path.ends_with('/') {
        return Err("names no file");
    }
    Ok(names)
}

/// Text as one segment of a path, or one value of a query: all but unreserved characters escaped (RFC 3986 section 2.3).
pub fn encoded(text: &str) -> String {
    let encoded = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(encoded).collect()
}

/// Text with its escapes decoded.
pub(crate) fn decoded(text: &str) -> Result<Cow<'_, str>, &'static str> {
    if !text.contains('%') {
        return Ok(text.into());
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let digit = |index: usize| rest.get(index).and_then(|digit| char::from(*digit).to_digit(16));
        let (Some(high), Some(low)) = (digit(0), digit(1)) else {
            return Err("has a % without two hexadecimal digits");
        };
        bytes.extend(u8::try_from(high << 4 | low));
        rest = &rest[2..];
    }
    String::from_utf8(bytes).map(Cow::Owned).map_err(|_error| "is not UTF-8")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn escapes_are_decoded_once() {
        assert_eq!(names("/a%20b/%C3%A4.stl").unwrap(), ["a b", "ä.stl"]);
        assert_eq!(names("//a/./b%2Fc").unwrap(), ["a", "b", "c"]);
        assert_eq!(names("/%252e%252e/x").unwrap(), ["%2e%2e", "x"]);
        assert_eq!(names("/...").unwrap(), ["..."]);
    }

    #[test]
    fn what_leads_out_or_names_nothing_is_refused() {
        let out = ["/..", "/a/../../b", "/%2e%2e/b", "/.%2E/b", "/a%2f..%2f..%2fb", "/..%2fb", "/a%00b"];
        for rest in out {
            assert_eq!(names(rest), Err("leads out of its folder"), "{rest}");
        }
        for rest in ["", "/", "/.", "/a/", "%2F"] {
            assert_eq!(names(rest), Err("names no file"), "{rest}");
        }
        for rest in ["/%", "/%2", "/%zz", "/%+1"] {
            assert!(names(rest).unwrap_err().contains("hexadecimal"), "{rest}");
        }
        assert_eq!(names("/%ff"), Err("is not UTF-8"));
    }

    proptest! {
        #[test]
        fn no_name_leads_up(text in "([./a]|%2[eEfF]|%5c|%00|\\\\){0,12}") {
            if let Ok(names) = names(&text) {
                prop_assert!(names.iter().all(|name| name != ".." && name != "." && !name.contains(['/', '\0'])));
            }
        }
    }
}
