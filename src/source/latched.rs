//! Whether a channel was latched when it was recorded.

use std::collections::BTreeMap;

use saphyr_parser::{Event, Parser};

/// Profiles of more publishers than a topic has are not looked at.
const MAX_PROFILES: usize = 1 << 20;

/// Whether a channel was latched when it was recorded, by its metadata.
///
/// ROS 1: metadata `latching` is `true` or `1`. ROS 2: a profile in `offered_qos_profiles` (YAML, however it is
/// laid out) has transient local durability, by name or as `1` (`rmw_qos_durability_policy_t`).
pub fn recorded_as_latched(metadata: &BTreeMap<String, String>) -> bool {
    if let Some(latching) = metadata.get("latching") {
        return matches!(latching.trim(), "true" | "True" | "1");
    }
    let profiles = metadata.get("offered_qos_profiles").map(String::as_str).unwrap_or_default();
    profiles.len() <= MAX_PROFILES && has_transient_local(profiles)
}

/// Whether there is a key `durability` with such a value anywhere in a text of YAML, which JSON is as well.
fn has_transient_local(yaml: &str) -> bool {
    // of each mapping and sequence around: whether the next scalar is a key
    let mut keys: Vec<Option<Next>> = Vec::new();
    let mut is_durability = false;
    for event in Parser::new_from_str(yaml) {
        let Ok((event, _)) = event else {
            // an indentation that does not fit is no reason to lose static transforms
            return yaml.lines().filter_map(|line| line.split_once(':')).any(|(key, value)| {
                key.trim_matches(['-', ' ', '\t']) == "durability" && is_transient_local(value.trim())
            });
        };
        match event {
            Event::Scalar(text, ..) => {
                if is_durability && is_transient_local(&text) {
                    return true;
                }
                is_durability = keys.last() == Some(&Some(Next::Key)) && text == "durability";
                flip(&mut keys);
            }
            Event::MappingStart(..) => keys.push(Some(Next::Key)),
            Event::SequenceStart(..) => keys.push(None),
            Event::MappingEnd | Event::SequenceEnd => {
                keys.pop();
                flip(&mut keys);
            }
            Event::Alias(_) => flip(&mut keys),
            _ => {}
        }
        if !matches!(keys.last(), Some(Some(Next::Value))) {
            is_durability = false;
        }
    }
    false
}

/// What comes next in a mapping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Key,
    Value,
}

/// A key or a value of the mapping around has come.
fn flip(keys: &mut [Option<Next>]) {
    if let Some(Some(next)) = keys.last_mut() {
        *next = if *next == Next::Key { Next::Value } else { Next::Key };
    }
}

fn is_transient_local(value: &str) -> bool {
    matches!(value.trim_matches(['"', '\'']), "transient_local" | "1")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_latched(metadata: &[(&str, &str)]) -> bool {
        recorded_as_latched(&metadata.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect())
    }

    #[test]
    fn ros_2_profiles_are_read_in_both_notations() {
        let old = "- history: 3\n  depth: 0\n  reliability: 1\n  durability: 1\n  deadline:\n    sec: 1\n";
        let new =
            "- history: keep_last\n  depth: 1\n  reliability: reliable\n  durability: transient_local\n";
        let volatile = "- history: 3\n  depth: 1\n  durability: 2\n- durability: volatile\n";
        assert!(is_latched(&[("offered_qos_profiles", old)]));
        assert!(is_latched(&[("offered_qos_profiles", new)]));
        assert!(is_latched(&[("offered_qos_profiles", "- durability: 'transient_local'")]));
        assert!(!is_latched(&[("offered_qos_profiles", volatile)]));
        assert!(!is_latched(&[("offered_qos_profiles", "")]));
        assert!(!is_latched(&[]));
    }

    #[test]
    fn yaml_is_read_in_every_layout() {
        for latched in [
            "[{depth: 100, durability: 1, history: 1, reliability: 1}]\n",
            "- {durability: transient_local, depth: 1}",
            " history: keep_all\n  depth: 5\n  durability: transient_local\n",
            "\n- reliability : reliable\n  durability : transient_local\n",
            "- history: \"keep_last\"\n  durability: \"transient_local\"\n",
            r#"[{"durability":1,"history":1}]"#,
            "- history: 1\n  durability: 2\n- history: 1\n  durability: 1\n",
            "- history: 1\r\n  durability: 1\r\n",
            "- deadline: {sec: 1}\n  durability: 1 # kept\n",
        ] {
            assert!(is_latched(&[("offered_qos_profiles", latched)]), "{latched}");
        }
        for volatile in [
            "- durability: unknown\n",
            "- history: durability\n  depth: 1\n",
            "- [durability, 1]",
            "- durability: [1]",
            "- durability:\n  depth: 1\n",
            "# durability: 1\n",
            "- note: 'durability: 1'\n",
            "- &a {depth: 1}\n- *a\n",
        ] {
            assert!(!is_latched(&[("offered_qos_profiles", volatile)]), "{volatile}");
        }
        // however deep
        is_latched(&[("offered_qos_profiles", &"[".repeat(100_000))]);
        is_latched(&[("offered_qos_profiles", &"- ".repeat(100_000))]);
        is_latched(&[("offered_qos_profiles", &"{a: ".repeat(100_000))]);
    }

    proptest::proptest! {
        #[test]
        fn whatever_is_noted_as_profiles_it_is_looked_at(text in "[-a:{}\\[\\], \\n\"'&*!|>%#?1é\u{85}]{0,60}") {
            is_latched(&[("offered_qos_profiles", &text)]);
        }
    }

    #[test]
    fn ros_1_latching_is_read() {
        assert!(is_latched(&[("latching", "1")]));
        assert!(is_latched(&[("latching", "true")]));
        assert!(!is_latched(&[("latching", "0")]));
    }
}
