//! Which topics of a source are offered, and under which names.

use std::borrow::Cow;
use std::str::FromStr;

use crate::pattern::TopicFilter;

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
        match text.split_once('=') {
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
    fn half_a_rename_is_refused() {
        for text in ["/a", "=/b", "/a=", ""] {
            assert!(text.parse::<Remap>().unwrap_err().contains("FROM=TO"), "{text}");
        }
    }
}
