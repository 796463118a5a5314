//! URIs: to which folder they belong. Pure.

/// What follows a prefix, if a URI begins with that: `package://rover` is a prefix of `package://rover/a`, not of
/// `package://rover2`.
pub(super) fn after<'a>(prefix: &str, uri: &'a str) -> Option<&'a str> {
    let rest = uri.strip_prefix(prefix)?;
    (prefix.ends_with('/') || rest.starts_with('/')).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_ends_at_a_slash() {
        assert_eq!(after("package://rover", "package://rover/a/b"), Some("/a/b"));
        assert_eq!(after("package://rover/", "package://rover/a"), Some("a"));
        assert_eq!(after("file://", "file:///a"), Some("/a"));
        for uri in ["package://rover2/a", "package://rover", "package://rove", "Package://rover/a"] {
            assert_eq!(after("package://rover", uri), None, "{uri}");
        }
    }
}
