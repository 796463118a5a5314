//! Which topics of a source are offered, and under which names.

use std::borrow::Cow;
use std::str::FromStr;

use crate::pattern::{TopicFilter, TopicPattern};

/// Another name for one topic: `/old=/new`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remap {
    /// The name that the source has.
    pub from: String,
    /// The name that is offered.
    pub to: String,
}

impl FromStr for Remap {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // as ROS writes it, too
        match text.split_once(":=").or_else(|| text.split_once('=')) {
            Some((from, to)) if !from.is_empty() && !to.is_empty() => {
                Ok(Self { from: from.to_owned(), to: to.to_owned() })
            }
            _ => Err(format!("'{text}' renames nothing: write FROM=TO, like /odom=/robot/odom")),
        }
    }
}

/// What happens to topics on their way from the source: chosen by the names that the source has, then renamed, then
/// prefixed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TopicRules {
    /// Topics that are offered at all.
    pub filter: TopicFilter,
    /// Topics that get another name; the first rule for a topic counts.
    pub remap: Vec<Remap>,
    /// What is put before every name, with one slash between; may be empty.
    pub prefix: String,
}

impl TopicRules {
    /// The name under which a topic is offered; None if it is left out.
    pub fn offered<'a>(&'a self, topic: &'a str) -> Option<Cow<'a, str>> {
        if !self.filter.allows(topic) {
            return None;
        }
        let name = self.remap.iter().find(|remap| remap.from == topic).map_or(topic, |remap| &remap.to);
        if self.prefix.is_empty() {
            return Some(Cow::Borrowed(name));
        }
        let (prefix, name) = (self.prefix.trim_end_matches('/'), name.trim_start_matches('/'));
        Some(Cow::Owned(format!("{prefix}/{name}")))
    }
}

/// What a rule does with topics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuleKind {
    /// It chooses topics.
    Include,
    /// It leaves topics out.
    Exclude,
    /// It gives a topic another name.
    Remap,
}

/// A rule without effect: no topic of the source is one that it speaks of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnmatchedRule {
    /// What the rule would do.
    pub kind: RuleKind,
    /// As it is written.
    pub rule: String,
}

impl TopicRules {
    /// The rules without effect on a source with these topics.
    pub fn unmatched(&self, topics: &[String]) -> Vec<UnmatchedRule> {
        let unmatched = |kind, rule: String| UnmatchedRule { kind, rule };
        let is_idle = |pattern: &&TopicPattern| !topics.iter().any(|topic| pattern.matches(topic));
        let included = self.filter.include.iter().filter(is_idle);
        let excluded = self.filter.exclude.iter().filter(is_idle);
        let remapped = self
            .remap
            .iter()
            .filter(|remap| !topics.iter().any(|topic| *topic == remap.from && self.filter.allows(topic)));
        included
            .map(|pattern| unmatched(RuleKind::Include, pattern.to_string()))
            .chain(excluded.map(|pattern| unmatched(RuleKind::Exclude, pattern.to_string())))
            .chain(remapped.map(|remap| unmatched(RuleKind::Remap, format!("{}={}", remap.from, remap.to))))
            .collect()
    }
}

/// The first of several topics, for errors.
pub(super) fn listed(topics: &[String]) -> String {
    const SHOWN: usize = 8;
    let some = topics[..topics.len().min(SHOWN)].join(", ");
    if topics.len() > SHOWN { some + ", …" } else { some }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_chosen_then_renamed_then_prefixed() {
        let rules = TopicRules {
            filter: TopicFilter { include: Vec::new(), exclude: vec!["/secret".parse().unwrap()] },
            remap: vec!["/odom=/pose".parse().unwrap(), "/pose=/secret".parse().unwrap()],
            prefix: "/robot1/".into(),
        };
        assert_eq!(rules.offered("/odom").as_deref(), Some("/robot1/pose"));
        assert_eq!(rules.offered("/pose").as_deref(), Some("/robot1/secret"));
        assert_eq!(rules.offered("imu").as_deref(), Some("/robot1/imu"));
        assert_eq!(rules.offered("/secret"), None);
        assert_eq!(TopicRules::default().offered("imu").as_deref(), Some("imu"));
    }

    #[test]
    fn the_notation_of_ros_is_understood() {
        for text in ["/odom:=/pose", "/odom=/pose"] {
            let remap: Remap = text.parse().unwrap();
            assert_eq!((remap.from.as_str(), remap.to.as_str()), ("/odom", "/pose"));
        }
    }

    #[test]
    fn rules_that_match_no_topic_are_named() {
        let rules = TopicRules {
            filter: TopicFilter {
                include: vec!["/a*".parse().unwrap(), "/no".parse().unwrap()],
                exclude: vec!["/ab".parse().unwrap(), "nosuch".parse().unwrap()],
            },
            remap: vec!["/a=/x".parse().unwrap(), "/ab=/y".parse().unwrap(), "a=/z".parse().unwrap()],
            prefix: String::new(),
        };
        let unmatched: Vec<_> = rules.unmatched(&["/a".into(), "/ab".into(), "/c".into()]);
        let wanted = [
            (RuleKind::Include, "/no"),
            (RuleKind::Exclude, "nosuch"),
            (RuleKind::Remap, "/ab=/y"),
            (RuleKind::Remap, "a=/z"),
        ];
        assert_eq!(unmatched, wanted.map(|(kind, rule)| UnmatchedRule { kind, rule: rule.to_owned() }));
    }

    #[test]
    fn half_a_rename_is_refused() {
        for text in ["/a", "=/b", "/a=", ""] {
            assert!(text.parse::<Remap>().unwrap_err().contains("FROM=TO"), "{text}");
        }
    }
}
