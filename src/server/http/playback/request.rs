//! What a request asks of playback. Pure.

use std::time::Duration;

use serde::{Deserialize, Deserializer};

use crate::hub::capability::playback::{
    Command, LoopChange, PlaybackRequest, RangeChange, Rate, RateChange, Seek,
};
use crate::hub::stats::Snapshot;
use crate::time::{TimeRange, TimeSpec, Timestamp};

/// The keys of the body; each may be left out.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Control {
    command: Option<CommandName>,
    seek: Option<String>,
    /// Seconds.
    seek_by: Option<f64>,
    rate: Option<RateValue>,
    #[serde(rename = "loop")]
    looping: Option<bool>,
    step: Option<u32>,
    topic: Option<String>,
    /// `null` is all of it.
    #[serde(default, deserialize_with = "given")]
    range: Option<Option<RangeValue>>,
}

/// A part of what is played: two times, or as the state has it.
#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "a range is two times [\"+1s\",\"+5s\"], {\"start_s\":1,\"end_s\":5}, or null")]
enum RangeValue {
    Times([String; 2]),
    Seconds { start_s: f64, end_s: f64 },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum CommandName {
    Play,
    Pause,
    Toggle,
}

#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "a rate is a number from 0.01 to 1000, or \"max\"")]
enum RateValue {
    Times(f64),
    Text(String),
}

/// A key that is there, be it `null`.
fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

impl Control {
    /// The topic of a step.
    pub(super) fn topic(&self) -> Option<&str> {
        self.topic.as_deref()
    }

    /// What is asked, given what playback is doing. Err: what is wrong with it.
    pub(super) fn into_request(self, now: &Snapshot) -> Result<PlaybackRequest, String> {
        let start = now.range.map_or(Timestamp::MIN, |range| range.start);
        let time = |key: &str, text: &str| {
            let spec: TimeSpec = text.parse().map_err(|error| format!("{key}: {error}"))?;
            Ok::<_, String>(spec.resolve(start))
        };
        let seek = match (&self.seek, self.seek_by) {
            (Some(_), Some(_)) => return Err("seek and seek_by exclude each other; leave one out".to_owned()),
            (Some(text), None) => Some(Seek::To(time("seek", text)?)),
            (None, Some(seconds)) => Some(Seek::By(nanos("seek_by", seconds)?)),
            (None, None) => None,
        };
        let range = match &self.range {
            None => None,
            Some(None) => Some(RangeChange::Whole),
            Some(Some(value)) => {
                let (part, from, to) = match value {
                    RangeValue::Times([from, to]) => {
                        let part = TimeRange { start: time("range", from)?, end: time("range", to)? };
                        (part, from.clone(), to.clone())
                    }
                    RangeValue::Seconds { start_s, end_s } => {
                        let at = |seconds| {
                            let offset = nanos("range", seconds)?;
                            let (away, is_after) = (Duration::from_nanos(offset.unsigned_abs()), offset >= 0);
                            Ok::<_, String>(match is_after {
                                true => start.saturating_add(away),
                                false => start.saturating_sub(away),
                            })
                        };
                        let part = TimeRange { start: at(*start_s)?, end: at(*end_s)? };
                        (part, start_s.to_string(), end_s.to_string())
                    }
                };
                if part.end < part.start {
                    return Err(format!("range: {to} lies before {from}; swap them"));
                }
                Some(RangeChange::To(part))
            }
        };
        let rate = match &self.rate {
            None => None,
            Some(RateValue::Times(rate)) => Some(rate.to_string()),
            Some(RateValue::Text(text)) => Some(text.clone()),
        };
        let rate =
            rate.map(|text| text.parse::<Rate>().map_err(|error| format!("rate: {error}"))).transpose()?;
        let played = match (self.command, self.step) {
            (Some(_), Some(_)) => return Err("command and step exclude each other; leave one out".to_owned()),
            (None, None) if self.topic.is_some() => {
                return Err("topic is for step; give that as well".to_owned());
            }
            (Some(_), None) if self.topic.is_some() => {
                return Err("topic is for step, not for command".to_owned());
            }
            (Some(CommandName::Play), None) if seek.is_none() => PlaybackRequest::play_or_restart(now),
            (Some(CommandName::Play), None) => Command::Play.into(),
            (Some(CommandName::Pause), None) => Command::Pause.into(),
            (Some(CommandName::Toggle), None) => Command::Toggle.into(),
            (None, Some(count)) => Command::Step { count, topic: self.topic }.into(),
            (None, None) => PlaybackRequest::new(),
        };
        let request = PlaybackRequest {
            range,
            seek: seek.or(played.seek),
            rate: rate.map(RateChange::To),
            looping: self.looping.map(LoopChange::To),
            ..played
        };
        if request == PlaybackRequest::new() {
            return Err(
                "nothing is asked for; give command, seek, seek_by, rate, loop, step or range".to_owned()
            );
        }
        Ok(request)
    }
}

/// Seconds as nanoseconds.
fn nanos(key: &str, seconds: f64) -> Result<i64, String> {
    const MOST: f64 = 9e9;
    if !(-MOST..=MOST).contains(&seconds) {
        return Err(format!("{key}: {seconds} is no number of seconds from -9e9 to 9e9"));
    }
    #[expect(clippy::cast_possible_truncation, reason = "it is within the bounds")]
    Ok((seconds * 1e9).round() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::stats::Activity;

    const START: Timestamp = Timestamp(1_767_323_045_000_000_000);

    fn now(activity: Activity) -> Snapshot {
        let range = TimeRange { start: START, end: Timestamp(START.0 + 20_000_000_000) };
        Snapshot { activity, position: Some(START), range: Some(range), ..Snapshot::default() }
    }

    fn request(json: &str) -> Result<PlaybackRequest, String> {
        let control: Control = serde_json::from_str(json).map_err(|error| error.to_string())?;
        control.into_request(&now(Activity::Paused))
    }

    fn at(seconds: f64) -> Timestamp {
        Timestamp(START.0 + u64::try_from(nanos("", seconds).unwrap()).unwrap())
    }

    #[test]
    fn each_key_asks_for_its_part() {
        let new = PlaybackRequest::new;
        let step = |count, topic: Option<&str>| Command::Step { count, topic: topic.map(str::to_owned) };
        for (json, expected) in [
            (r#"{"command":"play"}"#, Command::Play.into()),
            (r#"{"command":"pause"}"#, Command::Pause.into()),
            (r#"{"command":"toggle"}"#, Command::Toggle.into()),
            (r#"{"seek":"+12.5s"}"#, Seek::To(at(12.5)).into()),
            (r#"{"seek":"2026-01-02T03:04:06Z"}"#, Seek::To(at(1.0)).into()),
            (r#"{"seek":"1767323045500000000"}"#, Seek::To(at(0.5)).into()),
            (r#"{"seek_by":-5}"#, Seek::By(-5_000_000_000).into()),
            (r#"{"rate":2}"#, RateChange::To(Rate::Times(2.0)).into()),
            (r#"{"rate":"max"}"#, RateChange::To(Rate::Max).into()),
            (r#"{"loop":true}"#, LoopChange::To(true).into()),
            (r#"{"step":1}"#, step(1, None).into()),
            (r#"{"step":3,"topic":"/t"}"#, step(3, Some("/t")).into()),
            (
                r#"{"range":["+1s","+5s"]}"#,
                RangeChange::To(TimeRange { start: at(1.0), end: at(5.0) }).into(),
            ),
            (
                r#"{"range":{"start_s":1,"end_s":5.0}}"#,
                RangeChange::To(TimeRange { start: at(1.0), end: at(5.0) }).into(),
            ),
            (r#"{"range":null}"#, RangeChange::Whole.into()),
            (
                r#"{"command":"pause","rate":0.5,"seek":"+1s"}"#,
                PlaybackRequest {
                    seek: Some(Seek::To(at(1.0))),
                    rate: Some(RateChange::To(Rate::Times(0.5))),
                    command: Some(Command::Pause),
                    ..new()
                },
            ),
        ] {
            assert_eq!(request(json), Ok(expected), "{json}");
        }
    }

    #[test]
    fn play_at_the_end_starts_again_unless_a_place_is_named() {
        let ended =
            |json: &str| serde_json::from_str::<Control>(json).unwrap().into_request(&now(Activity::Ended));
        assert_eq!(ended(r#"{"command":"play"}"#), Ok(Command::Toggle.into()));
        let seek = PlaybackRequest { seek: Some(Seek::To(at(1.0))), ..Command::Play.into() };
        assert_eq!(ended(r#"{"command":"play","seek":"+1s"}"#), Ok(seek));
    }

    #[test]
    fn what_can_not_be_meant_is_refused_with_the_way_out() {
        for (json, expected) in [
            ("{}", "nothing is asked for; give command"),
            (r#"{"commando":"play"}"#, "unknown field `commando`, expected one of"),
            (r#"{"command":"stop"}"#, "unknown variant `stop`, expected one of `play`, `pause`, `toggle`"),
            (r#"{"seek":"soon"}"#, "seek: 'soon' is not a time: write +12.5s"),
            (r#"{"seek":"+1s","seek_by":1}"#, "exclude each other"),
            (r#"{"seek_by":1e300}"#, "seek_by: "),
            (r#"{"rate":0}"#, "rate: '0' is not a rate: write a number from 0.01 to 1000, or max"),
            (r#"{"rate":true}"#, "a rate is a number from 0.01 to 1000"),
            (r#"{"step":-1}"#, "invalid value: integer `-1`"),
            (r#"{"step":1,"command":"play"}"#, "exclude each other"),
            (r#"{"topic":"/t"}"#, "topic is for step"),
            (r#"{"range":["+5s","+1s"]}"#, "range: +1s lies before +5s; swap them"),
            (r#"{"range":{"start_s":5,"end_s":1}}"#, "range: 1 lies before 5; swap them"),
            (r#"{"range":{"start_s":0,"end_s":1e300}}"#, "range: 1"),
            (r#"{"range":["+5s"]}"#, "a range is two times"),
        ] {
            let error = request(json).unwrap_err();
            assert!(error.contains(expected), "{json}: {error}");
        }
    }
}
