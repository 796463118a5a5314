//! Quality of service that ROS 2 publishers offered while they were recorded.

use std::collections::BTreeMap;

use saphyr_parser::{Event, Parser};

/// Profiles of more publishers than a topic has are not looked at.
const MAX_TEXT: usize = 1 << 20;

/// What one publisher of a topic offered, in the words of ROS 2; None where it is not said or was not known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QosProfile {
    /// `reliable`, `best_effort`, ….
    pub reliability: Option<String>,
    /// `transient_local`, `volatile`, ….
    pub durability: Option<String>,
    /// `keep_last` or `keep_all`.
    pub history: Option<String>,
    /// Messages of `keep_last`.
    pub depth: Option<u64>,
}

impl QosProfile {
    /// Whether late subscribers get what was published before.
    pub fn is_transient_local(&self) -> bool {
        self.durability.as_deref() == Some("transient_local")
    }

    fn set(&mut self, key: &str, value: &str) {
        let value = value.trim().trim_matches(['"', '\'']);
        match key {
            "reliability" => self.reliability = word(value, &["reliable", "best_effort"]),
            "durability" => self.durability = word(value, &["transient_local", "volatile"]),
            "history" => self.history = word(value, &["keep_last", "keep_all"]),
            // 0: the network does not tell
            "depth" => self.depth = value.parse().ok().filter(|depth| *depth > 0),
            _ => {}
        }
    }

    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A policy by its name, or by its number in `rmw/types.h`, where the two that `words` has are 1 and 2 of each.
fn word(value: &str, words: &[&str; 2]) -> Option<String> {
    let word = match value {
        "1" => words[0],
        "2" => words[1],
        "0" => "system_default",
        "" | "~" | "null" | "3" | "unknown" => return None,
        "4" => "best_available",
        other => other,
    };
    Some(word.to_owned())
}

/// The profiles in a channel's metadata (`offered_qos_profiles`: YAML, however it is laid out), one for each publisher.
pub fn offered_qos(metadata: &BTreeMap<String, String>) -> Vec<QosProfile> {
    match metadata.get("offered_qos_profiles") {
        Some(yaml) if yaml.len() <= MAX_TEXT => profiles(yaml).unwrap_or_else(|| profiles_by_line(yaml)),
        Some(_) | None => Vec::new(),
    }
}

/// Profiles are mappings, alone or in a sequence; None if this is not YAML.
fn profiles(yaml: &str) -> Option<Vec<QosProfile>> {
    let mut found = Vec::new();
    // mappings and sequences around; of mappings the key whose value is next
    let mut around: Vec<Around> = Vec::new();
    let mut mappings = 0;
    for event in Parser::new_from_str(yaml) {
        match event.ok()?.0 {
            Event::Scalar(text, ..) => match around.last_mut() {
                Some(Around::Mapping(key @ None)) => *key = Some(text.into_owned()),
                Some(Around::Mapping(key)) => {
                    let key = key.take().unwrap_or_default();
                    if let Some(profile) = found.last_mut().filter(|_| mappings == 1) {
                        QosProfile::set(profile, &key, &text);
                    }
                }
                _ => {}
            },
            Event::MappingStart(..) => {
                if mappings == 0 {
                    found.push(QosProfile::default());
                }
                mappings += 1;
                around.push(Around::Mapping(None));
            }
            Event::SequenceStart(..) => around.push(Around::Sequence),
            Event::MappingEnd | Event::SequenceEnd => {
                if let Some(Around::Mapping(_)) = around.pop() {
                    mappings -= 1;
                }
                value_is_over(&mut around);
            }
            Event::Alias(_) => value_is_over(&mut around),
            _ => {}
        }
    }
    found.retain(|profile| !profile.is_empty());
    Some(found)
}

enum Around {
    Mapping(Option<String>),
    Sequence,
}

/// A key or value that is no scalar has come.
fn value_is_over(around: &mut [Around]) {
    if let Some(Around::Mapping(key)) = around.last_mut() {
        *key = if key.is_some() { None } else { Some(String::new()) };
    }
}

/// An indentation that does not fit is no reason to lose static transforms.
fn profiles_by_line(yaml: &str) -> Vec<QosProfile> {
    let mut found: Vec<QosProfile> = Vec::new();
    for (key, value) in yaml.lines().filter_map(|line| line.split_once(':')) {
        if found.is_empty() || key.trim_start().starts_with('-') {
            found.push(QosProfile::default());
        }
        if let Some(profile) = found.last_mut() {
            profile.set(key.trim_matches(['-', ' ', '\t']), value);
        }
    }
    found.retain(|profile| !profile.is_empty());
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(yaml: &str) -> Vec<QosProfile> {
        offered_qos(&BTreeMap::from([("offered_qos_profiles".to_owned(), yaml.to_owned())]))
    }

    fn profile(reliability: &str, durability: &str, history: &str, depth: u64) -> QosProfile {
        let word = |word: &str| Some(word.to_owned()).filter(|word| !word.is_empty());
        QosProfile {
            reliability: word(reliability),
            durability: word(durability),
            history: word(history),
            depth: Some(depth).filter(|depth| *depth > 0),
        }
    }

    #[test]
    fn profiles_are_read_by_names_and_by_numbers() {
        let old = "- history: 3\n  depth: 0\n  reliability: 1\n  durability: 1\n  deadline:\n    sec: 1\n    nsec: 0\n";
        assert_eq!(of(old), [profile("reliable", "transient_local", "", 0)]);
        let new = "- history: keep_last\n  depth: 5\n  reliability: best_effort\n  durability: volatile\n  \
                   lifespan:\n    sec: 9\n  liveliness: automatic\n- history: keep_all\n  depth: 1\n  reliability: reliable\n";
        assert_eq!(
            of(new),
            [profile("best_effort", "volatile", "keep_last", 5), profile("reliable", "", "keep_all", 1)]
        );
        assert_eq!(of("[{depth: 100, durability: 0, reliability: 4}]")[0].depth, Some(100));
        assert_eq!(of("- durability:\n  depth: 1\n"), [profile("", "", "", 1)]);
        assert_eq!(of("[{durability: 0}]"), [profile("", "system_default", "", 0)]);
        assert_eq!(of(""), []);
        assert_eq!(offered_qos(&BTreeMap::new()), []);
    }

    #[test]
    fn a_text_that_is_no_yaml_is_read_by_lines() {
        let torn = " history: keep_all\n  depth: 5\n  durability: transient_local\n- depth: 2\n";
        assert_eq!(of(torn), [profile("", "transient_local", "keep_all", 5), profile("", "", "", 2)]);
    }

    #[test]
    fn only_the_keys_of_a_profile_count() {
        assert_eq!(of("- deadline: {depth: 7}\n  depth: 2 # kept\n"), [profile("", "", "", 2)]);
        assert_eq!(of("- {? [depth] : 3, depth: 4}"), [profile("", "", "", 4)]);
        assert_eq!(of("- &a {depth: 1}\n- *a\n").len(), 1);
        assert_eq!(of("- [durability, 1]"), []);
    }
}
