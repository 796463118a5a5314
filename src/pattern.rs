//! Patterns that choose topics: globs, or regular expressions between slashes.

use std::fmt;
use std::str::FromStr;

/// Chooses topics: a glob (`/camera/*`, `/camera/**`, `*imu*`; `*` does not match `/`, `**` does),
/// or `/regex/` (unanchored; recognized by its last character being a slash).
#[derive(Debug, Clone)]
pub struct TopicPattern {
    text: String,
    matcher: Matcher,
}

#[derive(Debug, Clone)]
enum Matcher {
    Glob(Box<globset::GlobMatcher>),
    Regex(regex::Regex),
}

impl TopicPattern {
    /// Whether the pattern chooses the topic.
    pub fn matches(&self, topic: &str) -> bool {
        match &self.matcher {
            Matcher::Glob(glob) => glob.is_match(topic),
            Matcher::Regex(regex) => regex.is_match(topic),
        }
    }
}

impl fmt::Display for TopicPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl PartialEq for TopicPattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

/// A pattern that can't be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{pattern}' is not a topic pattern: {reason}; write a glob like /camera/* or a regular expression like /^.tf/"
)]
pub struct PatternError {
    /// The text as given.
    pub pattern: String,
    /// What its parser says.
    pub reason: String,
}

impl FromStr for TopicPattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = |reason: String| PatternError { pattern: text.to_owned(), reason };
        let matcher = match text.strip_prefix('/').and_then(|rest| rest.strip_suffix('/')) {
            Some(regex) => Matcher::Regex(regex::Regex::new(regex).map_err(|e| error(in_one_line(&e)))?),
            None => {
                let glob = globset::GlobBuilder::new(text).literal_separator(true).build();
                Matcher::Glob(Box::new(glob.map_err(|e| error(e.kind().to_string()))?.compile_matcher()))
            }
        };
        Ok(Self { text: text.to_owned(), matcher })
    }
}

/// What the parser says, without its drawing of the place.
fn in_one_line(error: &regex::Error) -> String {
    let text = error.to_string();
    let last = text.lines().last().unwrap_or_default();
    last.strip_prefix("error: ").unwrap_or(last).to_owned()
}

/// Which topics take part: those that match an `include` pattern (all, if there is none) and no `exclude` pattern.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TopicFilter {
    /// Topics to take; empty means all.
    pub include: Vec<TopicPattern>,
    /// Topics to leave out even if included.
    pub exclude: Vec<TopicPattern>,
}

impl TopicFilter {
    /// Whether a topic takes part.
    pub fn allows(&self, topic: &str) -> bool {
        (self.include.is_empty() || self.include.iter().any(|p| p.matches(topic)))
            && !self.exclude.iter().any(|p| p.matches(topic))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> TopicPattern {
        text.parse().unwrap()
    }

    #[test]
    fn a_star_stays_within_one_level() {
        assert!(pattern("/camera/*").matches("/camera/left"));
        assert!(!pattern("/camera/*").matches("/camera/left/info"));
        assert!(pattern("/camera/**").matches("/camera/left/info"));
        assert!(pattern("/tf").matches("/tf"));
        assert!(!pattern("/tf").matches("/tf_static"));
    }

    #[test]
    fn slashes_on_both_ends_make_a_regular_expression() {
        assert!(pattern("/^.tf(_static)?$/").matches("/tf_static"));
        assert!(!pattern("/^.tf$/").matches("/tf_static"));
        assert!("/(/".parse::<TopicPattern>().is_err());
        assert!("a{b".parse::<TopicPattern>().unwrap_err().to_string().contains("a{b"));
    }

    #[test]
    fn exclusion_wins() {
        let filter = TopicFilter { include: vec![pattern("/camera/**")], exclude: vec![pattern("**/raw")] };
        assert!(filter.allows("/camera/left"));
        assert!(!filter.allows("/camera/raw"));
        assert!(!filter.allows("/imu"));
        assert!(TopicFilter::default().allows("anything"));
    }
}
