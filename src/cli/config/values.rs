//! Parsers of values, shared by keys: what is wrong with a value, and what can be written instead.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use super::{ServeOptions, size};
use foxglove_bridge::hub::{Latch, SlowClient};
use foxglove_bridge::input::OnEof;
use foxglove_bridge::pattern::TopicPattern;
use foxglove_bridge::playback::{AtEnd, StartOn, TimeShift};
use foxglove_bridge::server::{CLIENT_MESSAGE, UNFINISHED};
use foxglove_bridge::source::Order;
use foxglove_bridge::source::json_lines::{LARGEST_MAX_LINE, LineForm};
use foxglove_bridge::time::parse_duration;

/// What follows each other faster than this is played as it was recorded.
const SHORTEST_GAP: Duration = Duration::from_secs(1);

/// Every request of a viewer has room.
const SMALLEST_CLIENT_TEXT: usize = 1 << 10;

/// A frame of this size is not split.
const LARGEST_MAX_ASSET: usize = 1 << 30;

pub(super) fn unless_empty<T, E: ToString>(
    text: &str,
    parse: fn(&str) -> Result<T, E>,
) -> Result<Option<T>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    parse(text).map(Some).map_err(|error| error.to_string())
}

/// A length of time in which something can be played.
pub(super) fn some_duration(text: &str) -> Result<Duration, String> {
    match parse_duration(text).map_err(|error| error.to_string())? {
        Duration::ZERO => Err(format!("'{text}' plays nothing: write how much to play, like 30s or 1h30m")),
        duration => Ok(duration),
    }
}

/// Room for a request, and no more than a client may send at all.
pub(super) fn client_text(text: &str) -> Result<usize, String> {
    longest_text(text, CLIENT_MESSAGE)
}

/// Room for a text, and no more than messages of all clients may take.
pub(super) fn client_message(text: &str) -> Result<usize, String> {
    longest_text(text, UNFINISHED)
}

/// How long what a client sends may be: a number of bytes up to `most`.
fn longest_text(text: &str, most: usize) -> Result<usize, String> {
    let bytes = size::parse(text)?;
    if (SMALLEST_CLIENT_TEXT..=most).contains(&bytes) {
        Ok(bytes)
    } else {
        let (least, most) = (SMALLEST_CLIENT_TEXT >> 10, most >> 20);
        Err(format!("'{text}' is out of range: write {least} KiB to {most} MiB"))
    }
}

/// A limit of things that are counted.
pub(super) fn limit(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(limit @ 1..=1_000_000) => Ok(limit),
        _ => Err(format!("'{text}' is not a limit: write 1 to 1000000")),
    }
}

pub(super) fn limit_or_off(text: &str) -> Result<Option<usize>, String> {
    if text == "off" { Ok(None) } else { limit(text).map(Some).map_err(|error| format!("{error}, or off")) }
}

pub(super) fn boolean(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" => Ok(true),
        "false" | "no" | "off" | "0" => Ok(false),
        _ => Err(format!("'{text}' is neither true nor false")),
    }
}

pub(super) fn host(text: &str) -> Result<IpAddr, String> {
    // an IPv6 address as it stands in a URL
    let text = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    if text == "localhost" {
        return Ok(IpAddr::V4(Ipv4Addr::LOCALHOST));
    }
    text.parse().map_err(|_error| {
        format!(
            "'{text}' is not an address to listen on: \
             write 127.0.0.1 for this computer only, 0.0.0.0 or :: for all networks"
        )
    })
}

pub(super) fn port(text: &str) -> Result<u16, String> {
    text.parse().map_err(|_error| {
        // Kubernetes sets NAME_PORT=tcp://… in every pod beside a service of that name
        let hint = if text.starts_with("tcp://") {
            "; Kubernetes sets this variable for a service of the same name: set enableServiceLinks to false"
        } else {
            ""
        };
        format!("'{text}' is not a port: write a number from 0 to 65535, 0 for any free one{hint}")
    })
}

pub(super) fn start_on(text: &str) -> Result<StartOn, String> {
    match text {
        "client" => Ok(StartOn::Clients(1)),
        "launch" => Ok(StartOn::Launch),
        _ => Err(format!("'{text}' is neither client nor launch")),
    }
}

pub(super) fn start_on_clients(text: &str) -> Result<StartOn, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err(format!("'{text}' is not a number of clients: write 1 or more")),
        Ok(clients) => Ok(StartOn::Clients(clients)),
    }
}

pub(super) fn at_end(text: &str) -> Result<AtEnd, String> {
    match text {
        "stay" => Ok(AtEnd::Stay),
        "exit" => Ok(AtEnd::Exit),
        _ => Err(format!("'{text}' is neither stay nor exit")),
    }
}

pub(super) fn skip_gaps(text: &str) -> Result<Option<Duration>, String> {
    if text == "off" {
        return Ok(None);
    }
    match parse_duration(text) {
        Ok(longest) if longest >= SHORTEST_GAP => Ok(Some(longest)),
        Ok(_) => Err(format!("'{text}' is less than a second; what is shorter is no pause")),
        Err(error) => Err(format!("{error}, or off")),
    }
}

pub(super) fn shift(text: &str) -> Result<TimeShift, String> {
    match text {
        "off" => Ok(TimeShift::Off),
        "now" => Ok(TimeShift::Now),
        _ => Err(format!("'{text}' is neither off nor now")),
    }
}

pub(super) fn on_eof(text: &str) -> Result<OnEof, String> {
    match text {
        "keep" => Ok(OnEof::Keep),
        "exit" => Ok(OnEof::Exit),
        _ => Err(format!("'{text}' is neither keep nor exit")),
    }
}

/// Each writer is a thread with a buffer of its own.
pub(super) fn max_writers(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(limit @ 1..=1000) => Ok(limit),
        _ => Err(format!("'{text}' is not a number of writers: write 1 to 1000")),
    }
}

pub(super) fn order(text: &str) -> Result<Order, String> {
    match text {
        "log" => Ok(Order::Log),
        "publish" => Ok(Order::Publish),
        _ => Err(format!("'{text}' is neither log nor publish")),
    }
}

/// Turns a form of lines on or off; there is one at a time.
pub(super) fn form(options: &mut ServeOptions, text: &str, form: LineForm) -> Result<(), String> {
    let lines = &mut options.json_lines.form;
    match boolean(text)? {
        true if *lines != form && *lines != LineForm::Keyed => {
            Err("lines are either --raw or --csv; leave one out".to_owned())
        }
        true => {
            *lines = form;
            Ok(())
        }
        false => {
            if *lines == form {
                *lines = LineForm::Keyed;
            }
            Ok(())
        }
    }
}

pub(super) fn max_line(text: &str) -> Result<usize, String> {
    match size::parse(text)? {
        bytes @ 0..=LARGEST_MAX_LINE => Ok(bytes),
        _ => Err(format!(
            "'{text}' is more than a line can have: write at most {} MiB",
            LARGEST_MAX_LINE >> 20
        )),
    }
}

/// Each client may have some of this size in memory.
pub(super) fn max_asset(text: &str) -> Result<usize, String> {
    match size::parse(text)? {
        bytes @ 0..=LARGEST_MAX_ASSET => Ok(bytes),
        _ => Err(format!("'{text}' is too large: write at most {} GiB", LARGEST_MAX_ASSET >> 30)),
    }
}

pub(super) fn slow(text: &str) -> Result<SlowClient, String> {
    match text {
        "drop" => Ok(SlowClient::Drop),
        "wait" => Ok(SlowClient::Wait),
        _ => Err(format!("'{text}' is neither drop nor wait")),
    }
}

pub(super) fn on_off(text: &str) -> Result<bool, String> {
    match text {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err(format!("'{text}' is neither on nor off")),
    }
}

pub(super) fn latch(values: &[String]) -> Result<Latch, String> {
    let words: Vec<&str> = values.iter().map(String::as_str).collect();
    match words.as_slice() {
        [] | ["auto"] => Ok(Latch::Auto),
        ["none"] => Ok(Latch::Off),
        words if words.contains(&"none") => {
            Err("'none' stands alone: leave out the other values, or 'none'".to_owned())
        }
        // patterns add to what auto finds, so naming auto beside them changes nothing
        _ => {
            let named: Vec<String> = values.iter().filter(|value| *value != "auto").cloned().collect();
            patterns(&named).map(Latch::Topics)
        }
    }
}

pub(super) fn patterns(values: &[String]) -> Result<Vec<TopicPattern>, String> {
    values.iter().map(|text| text.parse::<TopicPattern>().map_err(|error| error.to_string())).collect()
}
