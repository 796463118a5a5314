//! The first lines, once the server listens.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::path::Path;

use foxglove_bridge::hub::Access;
use foxglove_bridge::internals::{Layout, SHORT, computer_name, encoded, printable};
use foxglove_bridge::server::About;

use crate::cli::logging::{Level, LogOutput};
use crate::cli::progress::{columns, on_terminal};

use super::inputs::Inputs;

#[cfg(test)]
mod tests;

/// Files that a link names at most.
const LINKED_FILES: usize = 8;

/// A Lichtblick that runs on the same computer.
const LICHTBLICK: &str = "http://localhost:8080/";

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
    /// What a browser opens, where there is a page.
    page: Option<String>,
    foxglove: String,
    viewer: Viewer,
    /// Opens it with the WebSocket.
    viewer_link: String,
    /// Opens the files that are played themselves, and how many those are.
    files: Option<(String, usize)>,
    /// The first layout, and how many there are.
    layouts: Option<(String, usize)>,
    /// URLs for other computers.
    others: Vec<String>,
    in_container: bool,
}

/// The viewer that links open, beside Foxglove's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Viewer {
    /// A Lichtblick that runs on this computer.
    Lichtblick,
    /// The one that this server offers.
    Served,
}

impl Viewer {
    fn name(self) -> &'static str {
        match self {
            Self::Lichtblick => "Lichtblick",
            Self::Served => "Viewer",
        }
    }

    fn note(self) -> &'static str {
        match self {
            Self::Lichtblick => " (a Lichtblick running locally)",
            Self::Served => "",
        }
    }
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
            page: Some(format!("http://{host}:{port}/")),
            foxglove: format!("https://app.foxglove.dev/~/view{query}"),
            viewer: Viewer::Lichtblick,
            viewer_link: format!("{LICHTBLICK}{query}"),
            files: None,
            layouts: None,
            url,
            others,
            in_container: ip.is_unspecified() && surroundings.in_container,
        }
    }

    /// With links to the viewer that this server offers.
    pub(super) fn with_viewer(self) -> Self {
        match &self.page {
            Some(page) => Self { viewer: Viewer::Served, viewer_link: format!("{page}viewer"), ..self },
            None => self,
        }
    }

    /// With a link to the first of these layouts.
    pub(super) fn with_layouts(mut self, layouts: &[Layout]) -> Self {
        let first = self.page.as_deref().zip(layouts.first());
        self.layouts = first.map(|(page, first)| {
            let url = format!("{}{}", page.trim_end_matches('/'), first.url);
            (url, layouts.len())
        });
        self
    }

    /// With a link that opens these files, by the names under which they are offered; with very many of them there is none.
    pub(super) fn with_files(mut self, names: &[String]) -> Self {
        let page = self.page.as_deref().filter(|_| (1..=LINKED_FILES).contains(&names.len()));
        self.files = page.map(|page| {
            let url =
                |name: &String| format!("&ds.url={}", encoded(&format!("{page}files/{}", encoded(name))));
            let urls: String = names.iter().map(url).collect();
            let viewer = match self.viewer {
                Viewer::Lichtblick => LICHTBLICK.to_owned(),
                Viewer::Served => format!("{page}viewer/"),
            };
            (format!("{viewer}?ds=remote-file{urls}"), names.len())
        });
        self
    }

    /// Nothing but WebSocket connections is offered.
    pub(super) fn without_page(self) -> Self {
        Self { page: None, ..self }
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
        let mut fields = vec![("websocket", self.url.as_str()), ("foxglove", self.foxglove.as_str())];
        let (viewer, viewer_file) = match self.viewer {
            Viewer::Lichtblick => ("lichtblick", "lichtblick_file"),
            Viewer::Served => ("viewer", "viewer_file"),
        };
        fields.push((viewer, &self.viewer_link));
        fields.extend(self.page.as_deref().map(|page| ("page", page)));
        fields.extend(self.files.iter().map(|(files, _)| (viewer_file, files.as_str())));
        fields.extend(self.layouts.iter().map(|(layout, _)| ("layout", layout.as_str())));
        if !others.is_empty() {
            fields.push(("from_other_computers", &others));
        }
        log.say(Level::Info, &text, message, &fields);
    }

    /// `room`: columns of the terminal. A link that has no room beside its name gets a line of its own, from the first
    /// column on, so that it can be copied whole.
    fn lines(&self, contents: &str, room: usize) -> String {
        let mut lines = vec![format!("Serving {}", printable(contents, 5 * SHORT))];
        lines.extend(self.page.iter().map(|page| link("Page", page, "", room)));
        lines.push(link("WebSocket", &self.url, "", room));
        let others = self.others.iter().map(|other| format!("{:13} {other} from other computers", ""));
        lines.extend(others);
        if self.in_container {
            lines.push(format!("{:13} or the address of the computer that publishes this port", ""));
        }
        lines.push(link("Foxglove", &self.foxglove, "", room));
        let viewer = self.viewer;
        lines.push(link(viewer.name(), &self.viewer_link, viewer.note(), room));
        lines.extend(self.files.iter().map(|(files, count)| {
            let note = match count {
                1 => " (the file itself, to seek in it)",
                _ => " (the files themselves, to seek in them)",
            };
            link(viewer.name(), files, note, room)
        }));
        lines.extend(self.layouts.iter().map(|(layout, count)| {
            let more = match count - 1 {
                0 => String::new(),
                more => format!(" and {more} more (/api/status has all)"),
            };
            link("Layouts", layout, &more, room)
        }));
        lines.join("\n")
    }
}

/// Warns if other computers can control what is served: nobody is asked for a password.
pub(in crate::cli) fn warn_if_open(host: IpAddr, access: Access) {
    if !host.is_loopback() && access == Access::Full {
        tracing::warn!(
            "--host {host}: whoever reaches this port may control what is served, without a password; \
             serve --read-only lets them look alone"
        );
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
