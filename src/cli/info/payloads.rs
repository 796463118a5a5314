//! What came of decoding the messages, for people and as JSON.

use foxglove_bridge::internals::{SHORT, counted, printable};
use foxglove_bridge::source::summary::{ChannelSummary, Misfit, PayloadCheck, RecordingSummary, Unchecked};
use serde_json::{Value, json};

use crate::cli::table::line;

/// Characters of a line; its parts are shortened, too.
const LONGEST_LINE: usize = 1500;

/// Topics that are named for one reason.
const MOST_TOPICS: usize = 5;

/// How many were decoded, and how many of them do not fit; None if that was not looked at.
pub(super) fn fact(summary: &RecordingSummary) -> Option<String> {
    let sum = |count: &dyn Fn(&PayloadCheck) -> u64| checked(summary).map(|(_, check)| count(check)).sum();
    checked(summary).next()?;
    let (decoded, misfits): (u64, u64) = (sum(&|check| check.checked), summary.misfits());
    let mut text = format!("{decoded} decoded");
    if misfits > 0 {
        text += &format!(", {misfits} do{} not fit", if misfits == 1 { "es" } else { "" });
    }
    match summary.message_count.saturating_sub(decoded) {
        0 => {}
        unchecked => text += &format!(", {unchecked} not checked"),
    }
    Some(text)
}

/// A line for each channel with messages that do not fit, and one for each reason why some were not checked.
pub(super) fn lines(summary: &RecordingSummary) -> String {
    let mut out = String::new();
    for (channel, check) in checked(summary) {
        if let Some(first) = &check.first_misfit {
            line(&mut out, &misfit_line(channel, check, first));
        }
    }
    for (reason, channels) in unchecked(summary) {
        let messages: u64 =
            channels.iter().map(|(channel, check)| channel.message_count - check.checked).sum();
        let topics = channels.iter().take(MOST_TOPICS).map(|(channel, _)| topic(channel));
        let mut topics = topics.collect::<Vec<_>>().join(", ");
        if channels.len() > MOST_TOPICS {
            topics += &format!(" and {} more", channels.len() - MOST_TOPICS);
        }
        line(&mut out, &format!("not checked: {} of {topics}: {reason}", counted(messages, "message")));
    }
    out
}

/// What is said of a channel; null if that was not looked at.
pub(super) fn value(channel: &ChannelSummary) -> Value {
    channel.payloads.as_ref().map_or(Value::Null, |check| {
        json!({
            "checked": check.checked,
            "misfits": check.misfits,
            "first_misfit": check.first_misfit.as_ref().map(misfit_value),
            "unchecked": check.unchecked.as_ref().map(|unchecked| reason(channel, unchecked)),
        })
    })
}

fn misfit_value(misfit: &Misfit) -> Value {
    json!({
        "log_time": misfit.log_time.nanos().to_string(),
        "offset": misfit.offset,
        "payload_offset": misfit.payload_offset,
        "field": misfit.field,
        "reason": misfit.reason,
    })
}

fn checked(summary: &RecordingSummary) -> impl Iterator<Item = (&ChannelSummary, &PayloadCheck)> {
    summary.channels.iter().filter_map(|channel| Some((channel, channel.payloads.as_ref()?)))
}

/// Channels of which messages were not checked, by why, in the order of the channels.
fn unchecked(summary: &RecordingSummary) -> Vec<(String, Vec<(&ChannelSummary, &PayloadCheck)>)> {
    let mut found: Vec<(String, Vec<_>)> = Vec::new();
    for (channel, check) in checked(summary) {
        let Some(reason) = check.unchecked.as_ref().map(|unchecked| reason(channel, unchecked)) else {
            continue;
        };
        match found.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, channels)) => channels.push((channel, check)),
            None => found.push((reason, vec![(channel, check)])),
        }
    }
    found
}

fn reason(channel: &ChannelSummary, unchecked: &Unchecked) -> String {
    let schema = |name: &String| format!("schema {} can't be used: ", printable(name, SHORT));
    match unchecked {
        Unchecked::Encoding => {
            format!("there is no decoder for the encoding '{}'", printable(&channel.message_encoding, SHORT))
        }
        Unchecked::Schema(error) => {
            format!("{}{error}", channel.schema_name.as_ref().map(schema).unwrap_or_default())
        }
        Unchecked::Form(error) => error.clone(),
        Unchecked::Undefined => "the channel or its schema is not defined before them".to_owned(),
    }
}

/// `misfit: /a: 2 of 60 messages do not fit T; the first has the log time … and is in the record at byte 42: field: reason …`
fn misfit_line(channel: &ChannelSummary, check: &PayloadCheck, first: &Misfit) -> String {
    let what = match (&channel.schema_name, channel.message_encoding.as_str()) {
        (_, "json") => "JSON",
        (None, encoding) => encoding,
        (Some(name), _) => name.as_str(),
    };
    let field = if first.field.is_empty() { String::new() } else { format!("{}: ", first.field) };
    let text = format!(
        "misfit: {}: {} of {} {} not fit {}; the first has the log time {} and is in the record at byte {}: {field}{} (byte {} of the payload)",
        topic(channel),
        check.misfits,
        counted(check.checked, "message"),
        if check.misfits == 1 { "does" } else { "do" },
        printable(what, SHORT),
        first.log_time,
        first.offset,
        first.reason,
        first.payload_offset,
    );
    printable(&text, LONGEST_LINE).to_string()
}

fn topic(channel: &ChannelSummary) -> String {
    printable(&channel.topic, SHORT).to_string()
}

#[cfg(test)]
mod tests {
    use foxglove_bridge::time::Timestamp;

    use super::super::testing::summary;
    use super::*;

    fn checked_summary() -> RecordingSummary {
        let mut summary = summary();
        let first_misfit = Some(Misfit {
            log_time: Timestamp(1_767_261_600_500_000_000),
            offset: 42,
            payload_offset: 8,
            field: "transforms[0].child".to_owned(),
            reason: "a string of 9 bytes at offset 8, 3 are left".to_owned(),
        });
        let check = PayloadCheck { checked: 1000, misfits: 2, first_misfit, unchecked: None };
        summary.channels[0].payloads = Some(check);
        summary.channels[0].message_count = 1000;
        for (number, topic) in [(2, "/a"), (3, "/b")] {
            let unchecked = Some(Unchecked::Schema("line 3 of the definition: a map".into()));
            summary.channels.push(ChannelSummary {
                id: number,
                topic: topic.to_owned(),
                schema_name: Some("pkg/T".to_owned()),
                message_count: 5,
                payloads: Some(PayloadCheck { unchecked, ..PayloadCheck::default() }),
                ..ChannelSummary::default()
            });
        }
        summary.message_count = 1010;
        summary
    }

    #[test]
    fn misfits_are_named_by_channel_and_what_was_not_checked_by_reason() {
        let summary = checked_summary();
        assert_eq!(fact(&summary).unwrap(), "1000 decoded, 2 do not fit, 10 not checked");
        let expected = "\
misfit: /tf: 2 of 1000 messages do not fit foxglove.FrameTransforms; the first has the log time \
2026-01-01T10:00:00.500000000Z and is in the record at byte 42: transforms[0].child: a string of 9 bytes at offset 8, 3 are left (byte 8 of the payload)
not checked: 10 messages of /a, /b: schema pkg/T can't be used: line 3 of the definition: a map
";
        assert_eq!(lines(&summary), expected);
    }

    #[test]
    fn what_was_not_looked_at_is_not_said() {
        let summary = summary();
        assert_eq!((fact(&summary), lines(&summary).as_str()), (None, ""));
        assert_eq!(value(&summary.channels[0]), Value::Null);
    }

    #[test]
    fn a_channel_has_its_misfits_as_json() {
        let summary = checked_summary();
        let found = value(&summary.channels[0]);
        assert_eq!((&found["checked"], &found["misfits"]), (&json!(1000), &json!(2)));
        assert_eq!(found["first_misfit"]["log_time"], "1767261600500000000");
        assert_eq!(found["first_misfit"]["field"], "transforms[0].child");
        assert_eq!(found["unchecked"], Value::Null);
        assert!(value(&summary.channels[2])["unchecked"].as_str().unwrap().starts_with("schema pkg/T"));
    }
}
