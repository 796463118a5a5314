//! Options without effect on the recordings that are served: accepted silently, a typing error would go unnoticed.

use foxglove_bridge::hub::Latch;
use foxglove_bridge::internals::nearest;
use foxglove_bridge::pattern::{TopicFilter, TopicPattern};
use foxglove_bridge::source::{RecordingInfo, RuleKind, SourceError, TopicRules, UnmatchedRule};

use crate::cli::config::ServeOptions;

/// One sentence for each option that has no effect.
pub(super) fn warnings(info: &RecordingInfo, options: &ServeOptions) -> Vec<String> {
    let mut warnings = Vec::new();
    let unmatched = match info.topics.as_slice() {
        [] => Vec::new(),
        topics => options.recording.topics.unmatched(topics),
    };
    let names = Names::of(info, &options.recording.topics);
    for UnmatchedRule { kind, rule } in unmatched {
        let (option, what) = match kind {
            RuleKind::Include => ("--topic", "chooses no topic"),
            RuleKind::Exclude => ("--exclude", "leaves no topic out"),
            RuleKind::Remap => ("--remap", "renames no topic"),
        };
        // of FROM=TO the first is a topic
        let topic = rule.split('=').next().filter(|_| kind == RuleKind::Remap).unwrap_or(&rule);
        let meant = topic.parse().map(|topic| names.own(&topic)).unwrap_or_default();
        warnings.push(format!("{option} {rule} {what} of this recording{meant}"));
    }
    let offered =
        |matches: &dyn Fn(&str) -> bool| info.channels.iter().any(|channel| matches(&channel.topic));
    for rule in &options.throttle {
        if !offered(&|topic| rule.topics.matches(topic)) {
            warnings.push(format!(
                "--throttle {}={} throttles no topic of this recording{}",
                rule.topics,
                rule.hertz,
                names.offered(&rule.topics)
            ));
        }
    }
    if let Latch::Topics(patterns) = &options.hub.latch {
        let idle = patterns.iter().filter(|pattern| !offered(&|topic| pattern.matches(topic)));
        warnings.extend(idle.map(|pattern| {
            format!("--latch {pattern} latches no topic of this recording{}", names.offered(pattern))
        }));
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

/// What was meant by a pattern for want of which no topic is chosen; nothing of other errors.
pub(super) fn meant_by(error: &SourceError, rules: &TopicRules) -> String {
    let SourceError::NoTopic { topics, .. } = error else { return String::new() };
    let unmatched =
        rules.unmatched(topics).into_iter().filter(|unmatched| unmatched.kind == RuleKind::Include);
    let names = || topics.iter().map(String::as_str);
    let mut meant =
        unmatched.filter_map(|unmatched| Some(did_you_mean(&unmatched.rule.parse().ok()?, names())));
    meant.find(|meant| !meant.is_empty()).unwrap_or_default()
}

/// The names that topics have in the recording, and those under which they are offered.
struct Names<'a> {
    pairs: Vec<(&'a str, String)>,
}

impl<'a> Names<'a> {
    fn of(info: &'a RecordingInfo, rules: &TopicRules) -> Self {
        // those that are left out have a name as well
        let rules = TopicRules { filter: TopicFilter::default(), ..rules.clone() };
        let offered = |topic: &'a String| Some((topic.as_str(), rules.offered(topic)?.into_owned()));
        Self { pairs: info.topics.iter().filter_map(offered).collect() }
    }

    /// What was meant by a pattern of names in the recording that matches none.
    fn own(&self, pattern: &TopicPattern) -> String {
        match self.pairs.iter().find(|(_, offered)| pattern.matches(offered)) {
            Some((own, _)) => format!("; it goes by the names in the recording: {own}"),
            None => did_you_mean(pattern, self.pairs.iter().map(|(own, _)| *own)),
        }
    }

    /// What was meant by a pattern of offered names that matches none.
    fn offered(&self, pattern: &TopicPattern) -> String {
        match self.pairs.iter().find(|(own, _)| pattern.matches(own)) {
            Some((_, offered)) => format!("; it goes by the names that are offered: {offered}"),
            None => did_you_mean(pattern, self.pairs.iter().map(|(_, offered)| offered.as_str())),
        }
    }
}

fn did_you_mean<'n>(pattern: &TopicPattern, names: impl Iterator<Item = &'n str>) -> String {
    nearest(&pattern.to_string(), names).map(|name| format!("; did you mean {name}?")).unwrap_or_default()
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
    fn a_name_of_the_other_kind_is_answered_with_the_right_one() {
        let mut options = ServeOptions::default();
        options.recording.topics.prefix = "/robot".into();
        options.recording.topics.filter.exclude = vec!["/robot/odom".parse().unwrap()];
        options.recording.topics.remap = vec!["/robot/odom=/x".parse().unwrap()];
        options.throttle = vec!["/odom=5".parse().unwrap()];
        options.hub.latch = Latch::Topics(vec!["/odom".parse().unwrap(), "/robot/odm".parse().unwrap()]);
        let end = [
            "; it goes by the names in the recording: /odom",
            "; it goes by the names in the recording: /odom",
            "; it goes by the names that are offered: /robot/odom",
            "; it goes by the names that are offered: /robot/odom",
            "; did you mean /robot/odom?",
        ];
        let warnings = warnings(&info(), &options);
        assert_eq!(warnings.len(), end.len(), "{warnings:?}");
        assert!(warnings.iter().zip(end).all(|(warning, end)| warning.ends_with(end)), "{warnings:?}");
    }

    #[test]
    fn what_a_pattern_that_chose_nothing_may_mean_is_said() {
        let mut rules = TopicRules::default();
        rules.filter.include = vec!["/vehicle".parse().unwrap()];
        let topics = vec!["/tf".to_owned(), "/vehicle/state".to_owned()];
        let error = SourceError::NoTopic { name: "a.mcap".into(), topics };
        assert_eq!(meant_by(&error, &rules), "; did you mean /vehicle/state?");
        rules.filter.include = vec!["/nosuch".parse().unwrap()];
        assert_eq!(meant_by(&error, &rules), "");
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
