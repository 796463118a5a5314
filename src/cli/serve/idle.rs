//! Options without effect on the recordings that are served: accepted silently, a typing error would go unnoticed.

use foxglove_bridge::hub::Latch;
use foxglove_bridge::source::{RecordingInfo, RuleKind, UnmatchedRule};

use crate::cli::config::ServeOptions;

/// One sentence for each option that has no effect.
pub(super) fn warnings(info: &RecordingInfo, options: &ServeOptions) -> Vec<String> {
    let mut warnings = Vec::new();
    let unmatched = match info.topics.as_slice() {
        [] => Vec::new(),
        topics => options.recording.topics.unmatched(topics),
    };
    for UnmatchedRule { kind, rule } in unmatched {
        let (option, what) = match kind {
            RuleKind::Include => ("--topic", "chooses no topic"),
            RuleKind::Exclude => ("--exclude", "leaves no topic out"),
            RuleKind::Remap => ("--remap", "renames no topic"),
        };
        warnings.push(format!("{option} {rule} {what} of this recording"));
    }
    let offered =
        |matches: &dyn Fn(&str) -> bool| info.channels.iter().any(|channel| matches(&channel.topic));
    for rule in &options.throttle {
        if !offered(&|topic| rule.topics.matches(topic)) {
            warnings.push(format!(
                "--throttle {}={} throttles no topic of this recording",
                rule.topics, rule.hertz
            ));
        }
    }
    if let Latch::Topics(patterns) = &options.hub.latch {
        let idle = patterns.iter().filter(|pattern| !offered(&|topic| pattern.matches(topic)));
        warnings.extend(idle.map(|pattern| format!("--latch {pattern} latches no topic of this recording")));
    }
    if let (Some(spec), Some(whole)) = (options.recording.start, info.whole) {
        let start = spec.resolve(whole.start);
        if start < whole.start {
            warnings.push(format!(
                "--start {start} is before the recording, which begins at {}; playback starts there (+10s counts from the first message)",
                whole.start
            ));
        }
    }
    warnings
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use foxglove_bridge::model::{Channel, ChannelId};
    use foxglove_bridge::time::{TimeRange, Timestamp};

    use super::*;

    fn info() -> RecordingInfo {
        let channel = Channel {
            id: ChannelId(1),
            topic: "/robot/odom".into(),
            message_encoding: "json".into(),
            schema: None,
            metadata: Default::default(),
            latched: false,
        };
        let whole = TimeRange { start: Timestamp(1_000_000_000_000), end: Timestamp(2_000_000_000_000) };
        RecordingInfo {
            whole: Some(whole),
            channels: vec![Arc::new(channel)],
            topics: vec!["/odom".into()],
            ..RecordingInfo::default()
        }
    }

    #[test]
    fn every_option_without_effect_is_named() {
        let mut options = ServeOptions::default();
        options.recording.topics.filter.include = vec!["/odom".parse().unwrap(), "/nosuch".parse().unwrap()];
        options.recording.topics.filter.exclude = vec!["nosuch".parse().unwrap()];
        options.recording.topics.remap = vec!["topic1:=/x".parse().unwrap()];
        options.throttle = vec!["nosuch=5".parse().unwrap()];
        options.hub.latch = Latch::Topics(vec!["nosuch".parse().unwrap()]);
        options.recording.start = Some("10".parse().unwrap());
        let warnings = warnings(&info(), &options);
        let begin = [
            "--topic /nosuch ",
            "--exclude nosuch ",
            "--remap topic1=/x ",
            "--throttle nosuch=5 ",
            "--latch nosuch ",
            "--start ",
        ];
        assert_eq!(warnings.len(), begin.len(), "{warnings:?}");
        assert!(
            warnings.iter().zip(begin).all(|(warning, begin)| warning.starts_with(begin)),
            "{warnings:?}"
        );
    }

    #[test]
    fn options_with_an_effect_are_not_warned_of() {
        let mut options = ServeOptions::default();
        options.recording.topics.filter.include = vec!["/od*".parse().unwrap()];
        options.recording.topics.remap = vec!["/odom=/robot/odom".parse().unwrap()];
        options.throttle = vec!["/robot/**=5".parse().unwrap()];
        options.hub.latch = Latch::Topics(vec!["/robot/*".parse().unwrap()]);
        options.recording.start = Some("+5s".parse().unwrap());
        assert_eq!(warnings(&info(), &options), Vec::<String>::new());
    }
}
