//! Whether a channel was latched when it was recorded.

use std::collections::BTreeMap;

use super::qos::{QosProfile, offered_qos};

/// Whether a channel was latched when it was recorded, by its metadata.
///
/// ROS 1: metadata `latching` is `true` or `1`. ROS 2: a profile in `offered_qos_profiles` (YAML, however it is
/// laid out) has transient local durability, by name or as `1` (`rmw_qos_durability_policy_t`).
pub fn recorded_as_latched(metadata: &BTreeMap<String, String>) -> bool {
    if let Some(latching) = metadata.get("latching") {
        return matches!(latching.trim(), "true" | "True" | "1");
    }
    offered_qos(metadata).iter().any(QosProfile::is_transient_local)
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
