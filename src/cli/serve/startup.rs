//! The first lines, once the server listens.

use std::net::{IpAddr, SocketAddr};

use foxglove_bridge::source::RecordingInfo;

use crate::cli::progress::span;

/// The first lines: what is served, and where viewers find it.
///
/// `address` is the bound one, with its real port; `host_name` is what other computers call this one, if known;
/// `contents` says what is served.
pub(super) fn lines(address: SocketAddr, host_name: Option<&str>, contents: &str) -> String {
    let port = address.port();
    let ip = address.ip();
    let host = match ip {
        IpAddr::V6(v6) if !ip.is_unspecified() && !ip.is_loopback() => format!("[{v6}]"),
        IpAddr::V4(v4) if !ip.is_unspecified() && v4 != std::net::Ipv4Addr::LOCALHOST => v4.to_string(),
        IpAddr::V4(_) | IpAddr::V6(_) => "localhost".to_owned(),
    };
    let query = format!("?ds=foxglove-websocket&ds.url={}", encoded(&format!("ws://{host}:{port}")));
    let mut lines = vec![
        format!("Serving {contents}"),
        format!("  WebSocket   ws://{host}:{port}"),
        format!("  Foxglove    https://app.foxglove.dev/~/view{query}"),
        format!("  Lichtblick  http://localhost:8080/{query} (a Lichtblick running locally)"),
    ];
    if ip.is_unspecified() {
        let name = host_name.unwrap_or("<name or address of this computer>");
        lines.insert(2, format!("              ws://{name}:{port} from other computers"));
    }
    lines.join("\n") + "\n"
}

/// `drive.mcap (20.0 s, 12 channels, 2885 messages)`, as far as it is known.
pub(super) fn recording(info: &RecordingInfo) -> String {
    let mut facts = Vec::new();
    facts.extend(info.range.map(|range| span(range.duration())));
    facts.push(count(info.channels.len() as u64, "channel"));
    facts.extend(info.message_count.map(|messages| count(messages, "message")));
    format!("{} ({})", info.name, facts.join(", "))
}

/// `1 message`, `2 messages`.
pub(super) fn count(number: u64, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// The name of this computer, for links from others; None where it is not known or would mislead.
pub(super) fn host_name() -> Option<String> {
    #[cfg(unix)]
    let name = rustix::system::uname().nodename().to_str().ok().map(str::to_owned);
    #[cfg(not(unix))]
    let name = std::env::var("COMPUTERNAME").ok();
    // in a container it is the container's id, which nobody can resolve
    let container = |name: &String| name.len() == 12 && name.chars().all(|c| c.is_ascii_hexdigit());
    name.filter(|name| !name.is_empty() && !container(name))
}

/// Percent-encoded as one value of a URL's query.
fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use foxglove_bridge::time::{TimeRange, Timestamp};

    use super::*;

    fn drive(address: &str, host_name: Option<&str>) -> String {
        let info = RecordingInfo {
            name: "drive.mcap".to_owned(),
            range: Some(TimeRange { start: Timestamp(5), end: Timestamp(20_000_000_005) }),
            message_count: Some(2885),
            ..RecordingInfo::default()
        };
        lines(address.parse().unwrap(), host_name, &recording(&info))
    }

    #[test]
    fn the_first_lines_say_what_is_served_and_link_to_viewers() {
        let url = "?ds=foxglove-websocket&ds.url=ws%3A%2F%2Flocalhost%3A8765";
        let expected = format!(
            "Serving drive.mcap (20.0 s, 0 channels, 2885 messages)\n\
            \x20 WebSocket   ws://localhost:8765\n\
            \x20 Foxglove    https://app.foxglove.dev/~/view{url}\n\
            \x20 Lichtblick  http://localhost:8080/{url} (a Lichtblick running locally)\n"
        );
        assert_eq!(drive("127.0.0.1:8765", Some("robot")), expected);
    }

    #[test]
    fn an_address_on_all_networks_is_told_by_the_name_of_the_computer() {
        for all in ["0.0.0.0:9000", "[::]:9000"] {
            let text = drive(all, Some("robot"));
            assert!(text.contains("ws://localhost:9000\n"), "{text}");
            assert!(text.contains("ws://robot:9000 from other computers"), "{text}");
        }
        assert!(drive("0.0.0.0:1", None).contains("<name or address of this computer>"));
    }

    #[test]
    fn a_single_address_is_told_as_it_is() {
        assert!(drive("192.168.1.7:8765", None).contains("  ws://192.168.1.7:8765\n"));
        assert!(drive("[fe80::1]:8765", None).contains("  ws://[fe80::1]:8765\n"));
        assert!(drive("[fe80::1]:8765", None).contains("ds.url=ws%3A%2F%2F%5Bfe80%3A%3A1%5D%3A8765"));
        assert!(drive("[::1]:8765", None).contains("  ws://localhost:8765\n"));
        assert!(host_name().is_none_or(|name| !name.is_empty()));
    }
}
