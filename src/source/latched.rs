//! Whether a channel was latched when it was recorded.

use std::collections::BTreeMap;

/// Whether a channel was latched when it was recorded, by its metadata.
///
/// ROS 1: metadata `latching` is `true` or `1`. ROS 2: a profile in `offered_qos_profiles` (YAML, in the layout of
/// rosbag2) has transient local durability, by name or as `1` (`rmw_qos_durability_policy_t`).
pub fn recorded_as_latched(metadata: &BTreeMap<String, String>) -> bool {
    if let Some(latching) = metadata.get("latching") {
        return matches!(latching.trim(), "true" | "True" | "1");
    }
    let profiles = metadata.get("offered_qos_profiles").map(String::as_str).unwrap_or_default();
    profiles.lines().any(|line| {
        let line = line.trim_start_matches(['-', ' ', '\t']);
        line.strip_prefix("durability:")
            .is_some_and(|value| matches!(value.trim().trim_matches(['"', '\'']), "transient_local" | "1"))
    })
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
    fn ros_1_latching_is_read() {
        assert!(is_latched(&[("latching", "1")]));
        assert!(is_latched(&[("latching", "true")]));
        assert!(!is_latched(&[("latching", "0")]));
    }
}
