//! What nodes of the graph are called.

use crate::hub::{ClientId, ClientInfo};

/// Characters of a name.
const LONGEST: usize = 60;

/// Programs by what their `User-Agent` holds. The first that is found counts: browsers name each other.
const PROGRAMS: [(&str, &str); 8] = [
    ("lichtblick", "Lichtblick"),
    ("foxglove", "Foxglove"),
    ("Electron/", "Electron"),
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
];

/// A name in one line of bounded length.
pub(super) fn shown(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(LONGEST).collect()
}

/// `client 3 (192.168.1.7, Lichtblick)`.
pub(super) fn client(id: ClientId, info: &ClientInfo) -> String {
    let address = info.address.map(|address| address.ip().to_canonical().to_string());
    let known: Vec<String> = address.into_iter().chain(program(&info.agent)).collect();
    if known.is_empty() { format!("client {id}") } else { format!("client {id} ({})", known.join(", ")) }
}

fn program(agent: &str) -> Option<String> {
    let found = PROGRAMS.iter().find(|(sign, _)| agent.contains(sign));
    let name = match found {
        Some((_, name)) => (*name).to_owned(),
        None => shown(agent.split(['/', ' ']).next().unwrap_or_default()),
    };
    (!name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_called_by_its_number_address_and_program() {
        let browser = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)";
        for (address, agent, expected) in [
            (None, "", "client 3"),
            (Some("192.168.1.7:50000"), "", "client 3 (192.168.1.7)"),
            (Some("[::ffff:10.0.0.1]:50000"), "Python/3.12 websockets/15", "client 3 (10.0.0.1, Python)"),
            (None, &format!("{browser} Chrome/156.0.0.0 Safari/537.36"), "client 3 (Chrome)"),
            (None, &format!("{browser} lichtblick/1.28 Chrome/156 Electron/40"), "client 3 (Lichtblick)"),
            (None, &"\u{1b}[2J".repeat(100), &format!("client 3 ({})", "[2J".repeat(20))),
        ] {
            let info = ClientInfo {
                address: address.map(|address| address.parse().unwrap()),
                agent: agent.to_owned(),
                ..ClientInfo::default()
            };
            assert_eq!(client(ClientId::from_token(3), &info), expected);
        }
    }
}
