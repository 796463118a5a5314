//! The first lines, once the server listens.

use std::ffi::OsString;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::path::Path;

use foxglove_bridge::internals::{SHORT, computer_name, counted, printable};
use foxglove_bridge::server::About;
use foxglove_bridge::source::RecordingInfo;
use foxglove_bridge::time::duration_text;

use crate::cli::logging::{Level, LogOutput};
use crate::cli::progress::{columns, on_terminal};

use super::inputs::Inputs;

/// Where viewers find this computer.
#[derive(Debug, Default)]
pub(in crate::cli) struct Surroundings {
    /// Addresses of the interfaces.
    addresses: Vec<IpAddr>,
    /// The name by which others reach it, where something answers for it.
    local_name: Option<String>,
    /// The addresses are of a container, which others don't reach.
    in_container: bool,
}

impl Surroundings {
    pub(in crate::cli) fn look() -> Self {
        let addresses = if_addrs::get_if_addrs().unwrap_or_else(|error| {
            tracing::debug!("the addresses of this computer are not known: {error}");
            Vec::new()
        });
        let mut addresses: Vec<IpAddr> =
            addresses.iter().map(if_addrs::Interface::ip).filter(is_reached_by_others).collect();
        addresses.sort();
        addresses.dedup();
        let in_container = ["/.dockerenv", "/run/.containerenv"].iter().any(|file| Path::new(file).exists());
        Self { addresses, local_name: local_name(), in_container }
    }
}

/// Whether it can stand in a link that is opened elsewhere.
fn is_reached_by_others(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => !v4.is_loopback() && !v4.is_link_local(),
        // browsers take no zone
        IpAddr::V6(v6) => !v6.is_loopback() && !v6.is_unicast_link_local(),
    }
}

/// `NAME.local`, where mDNS answers for it.
fn local_name() -> Option<String> {
    let answers = cfg!(target_os = "macos") || Path::new("/run/avahi-daemon/socket").exists();
    let name = computer_name().filter(|_| answers)?;
    let host = name.split('.').next().filter(|host| !host.is_empty())?;
    Some(format!("{host}.local"))
}

/// The links of the first lines.
#[derive(Debug)]
pub(in crate::cli) struct Links {
    url: String,
    foxglove: String,
    lichtblick: String,
    /// URLs for other computers.
    others: Vec<String>,
    in_container: bool,
}

impl Links {
    /// `address` is the bound one, with its real port.
    pub(in crate::cli) fn new(address: SocketAddr, surroundings: &Surroundings) -> Self {
        let (ip, port) = (address.ip(), address.port());
        let host = match ip {
            IpAddr::V6(Ipv6Addr::LOCALHOST) => "[::1]".to_owned(),
            _ if ip.is_unspecified() || ip == IpAddr::from([127, 0, 0, 1]) => "localhost".to_owned(),
            ip => in_url(ip),
        };
        let url = format!("ws://{host}:{port}");
        let query = format!("?ds=foxglove-websocket&ds.url={}", encoded(&url));
        let same_family = |other: &&IpAddr| ip.is_ipv6() || other.is_ipv4();
        let others = if ip.is_unspecified() && !surroundings.in_container {
            let addresses = surroundings.addresses.iter().filter(same_family).map(|ip| in_url(*ip));
            let names = surroundings.local_name.iter().cloned().chain(addresses);
            names.map(|name| format!("ws://{name}:{port}")).collect()
        } else {
            Vec::new()
        };
        Self {
            foxglove: format!("https://app.foxglove.dev/~/view{query}"),
            lichtblick: format!("http://localhost:8080/{query}"),
            url,
            others,
            in_container: ip.is_unspecified() && surroundings.in_container,
        }
    }

    /// Where a viewer on this computer connects.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// What is told over HTTP of what is served, and where.
    pub(super) fn about(&self, inputs: &Inputs) -> About {
        let addresses = [&self.url].into_iter().chain(&self.others).cloned().collect();
        About { contents: Some(inputs.contents()), sources: inputs.sources(), addresses }
    }

    /// Shows what is served, and where.
    pub(in crate::cli) fn say(&self, contents: &str, log: &LogOutput) {
        let room = if on_terminal() { columns() } else { usize::MAX };
        let text = self.lines(contents, room);
        let message = text.lines().next().unwrap_or_default();
        let others = self.others.join(" ");
        let mut fields = vec![
            ("websocket", self.url.as_str()),
            ("foxglove", self.foxglove.as_str()),
            ("lichtblick", self.lichtblick.as_str()),
        ];
        if !others.is_empty() {
            fields.push(("from_other_computers", &others));
        }
        log.say(Level::Info, &text, message, &fields);
    }

    /// `room`: columns of the terminal. A link that has no room beside its name gets a line of its own, from the first
    /// column on, so that it can be copied whole.
    fn lines(&self, contents: &str, room: usize) -> String {
        let Self { url, foxglove, lichtblick, others, in_container } = self;
        let mut lines = vec![
            format!("Serving {}", printable(contents, 5 * SHORT)),
            link("WebSocket", url, "", room),
            link("Foxglove", foxglove, "", room),
            link("Lichtblick", lichtblick, " (a Lichtblick running locally)", room),
        ];
        if *in_container {
            let text = "or the address of the computer that publishes this port";
            lines.insert(2, format!("              {text}"));
        }
        for (index, other) in others.iter().enumerate() {
            lines.insert(2 + index, format!("              {other} from other computers"));
        }
        lines.join("\n")
    }
}

fn link(name: &str, link: &str, note: &str, room: usize) -> String {
    let fits = |line: &str| line.chars().count() <= room;
    let line = format!("  {name:<10}  {link}");
    match format!("{line}{note}") {
        whole if fits(&whole) => whole,
        _ if fits(&line) => format!("{line}\n{:13}{note}", ""),
        _ => format!("  {name}{note}\n{link}"),
    }
}

fn in_url(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => format!("[{v6}]"),
    }
}

/// `drive.mcap (20.0 s, 12 channels, 2885 messages)`, as far as it is known.
pub(super) fn recording(info: &RecordingInfo) -> String {
    let mut facts = Vec::new();
    facts.extend(info.range.map(|range| duration_text(range.duration())));
    facts.push(counted(info.channels.len() as u64, "channel"));
    facts.extend(info.message_count.map(|messages| counted(messages, "message")));
    format!("{} ({})", info.name, facts.join(", "))
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

/// For people, while they are read.
pub(super) fn name_of(files: &[OsString]) -> String {
    match files {
        [file] => file.display().to_string(),
        files => format!("{} recordings", files.len()),
    }
}

#[cfg(test)]
mod tests {
    use foxglove_bridge::time::{TimeRange, Timestamp};

    use super::*;

    fn surroundings() -> Surroundings {
        Surroundings {
            addresses: ["192.168.1.7", "2001:db8::7"].map(|address| address.parse().unwrap()).to_vec(),
            local_name: Some("robot.local".to_owned()),
            in_container: false,
        }
    }

    fn drive(address: &str, surroundings: &Surroundings) -> String {
        let info = RecordingInfo {
            name: "drive.mcap".to_owned(),
            range: Some(TimeRange { start: Timestamp(5), end: Timestamp(20_000_000_005) }),
            message_count: Some(2885),
            ..RecordingInfo::default()
        };
        Links::new(address.parse().unwrap(), surroundings).lines(&recording(&info), usize::MAX)
    }

    #[test]
    fn the_first_lines_say_what_is_served_and_link_to_viewers() {
        let url = "?ds=foxglove-websocket&ds.url=ws%3A%2F%2Flocalhost%3A8765";
        let expected = format!(
            "Serving drive.mcap (20.0 s, 0 channels, 2885 messages)\n\
            \x20 WebSocket   ws://localhost:8765\n\
            \x20 Foxglove    https://app.foxglove.dev/~/view{url}\n\
            \x20 Lichtblick  http://localhost:8080/{url} (a Lichtblick running locally)"
        );
        assert_eq!(drive("127.0.0.1:8765", &surroundings()), expected);
    }

    #[test]
    fn a_link_that_has_no_room_beside_its_name_has_a_line_of_its_own() {
        let links = Links::new("127.0.0.1:8765".parse().unwrap(), &Surroundings::default());
        let [foxglove, lichtblick] = [&links.foxglove, &links.lichtblick];
        let whole = links.lines("a", usize::MAX);
        assert_eq!(links.lines("a", 125), whole);
        let expected = format!(
            "Serving a\n  WebSocket   ws://localhost:8765\n  Foxglove    {foxglove}\n  Lichtblick  {lichtblick}\n\
             \x20             (a Lichtblick running locally)"
        );
        assert_eq!(links.lines("a", 110), expected);
        let narrow = links.lines("a", 80);
        let expected =
            format!("\n  Foxglove\n{foxglove}\n  Lichtblick (a Lichtblick running locally)\n{lichtblick}");
        assert!(narrow.ends_with(&expected), "{narrow}");
    }

    #[test]
    fn on_all_networks_the_name_that_is_answered_for_and_the_addresses_are_shown() {
        let own = "  WebSocket   ws://localhost:9000\n";
        let name = "              ws://robot.local:9000 from other computers\n";
        let v4 = "              ws://192.168.1.7:9000 from other computers\n";
        let v6 = "              ws://[2001:db8::7]:9000 from other computers\n";
        let all = drive("[::]:9000", &surroundings());
        assert!(all.contains(&[own, name, v4, v6].concat()), "{all}");
        let v4_only = drive("0.0.0.0:9000", &surroundings());
        assert!(v4_only.contains(&[own, name, v4, "  Foxglove"].concat()), "{v4_only}");
        let unknown = drive("0.0.0.0:9000", &Surroundings::default());
        assert!(!unknown.contains("other computers"), "{unknown}");
    }

    #[test]
    fn in_a_container_only_its_publisher_knows_the_address() {
        let container = Surroundings { in_container: true, ..surroundings() };
        let text = drive("0.0.0.0:8765", &container);
        let expected = "  WebSocket   ws://localhost:8765\n              or the address of the computer that publishes this port\n";
        assert!(text.contains(expected) && !text.contains("192.168"), "{text}");
        assert!(!drive("127.0.0.1:8765", &container).contains("publishes"));
    }

    #[test]
    fn a_single_address_is_shown_as_it_is() {
        for address in ["192.168.1.7:8765", "[fe80::1]:8765", "[::1]:8765", "127.0.0.2:8765"] {
            let text = drive(address, &surroundings());
            assert!(text.contains(&format!("  ws://{address}\n")), "{text}");
        }
        assert!(drive("[::1]:8765", &surroundings()).contains("ds.url=ws%3A%2F%2F%5B%3A%3A1%5D%3A8765"));
    }

    #[test]
    fn addresses_that_others_do_not_reach_are_left_out() {
        for address in ["127.0.0.1", "169.254.1.1", "::1", "fe80::1"] {
            assert!(!is_reached_by_others(&address.parse().unwrap()), "{address}");
        }
        assert!(is_reached_by_others(&"10.0.0.1".parse().unwrap()));
    }

    #[test]
    fn a_file_name_can_not_write_to_the_terminal() {
        let text =
            Links::new("127.0.0.1:1".parse().unwrap(), &Surroundings::default()).lines("a\x1b[2J\nb", 80);
        assert!(text.starts_with("Serving a\\u{1b}[2J\\nb\n"), "{text:?}");
    }
}
