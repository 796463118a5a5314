//! Sources that look like addresses, and are none that can be served.

/// What to do instead with a source that is written as an address; None for files.
pub(super) fn way_out(source: &str) -> Option<String> {
    let (scheme, rest) = source.split_once("://")?;
    Some(match scheme {
        "tcp" => {
            let (host, port) = rest.rsplit_once(':').unwrap_or((rest, "PORT"));
            format!(
                "to wait there for programs that send JSON lines, write tcp-listen://{rest}; to read from a server, \
                 nc {host} {port} | foxglove-bridge serve -"
            )
        }
        "unix" => {
            format!("to wait there for programs that send JSON lines, write unix-listen://{rest}")
        }
        "http" | "https" => {
            format!(
                "recordings are read from files; download it first, or curl -L {source} | foxglove-bridge serve -"
            )
        }
        "ws" | "wss" => format!(
            "to pass on what another server sends, foxglove-bridge echo --raw {source} | foxglove-bridge serve -; \
             info {source} shows what it offers"
        ),
        "file" => format!("write the path alone: {rest}"),
        _ => {
            "this is no source; name a recording, - for stdin, tcp-listen://HOST:PORT or unix-listen:///PATH"
                .to_owned()
        }
    })
}

#[cfg(test)]
mod tests {
    use super::way_out;

    #[test]
    fn addresses_are_answered_with_what_can_be_written() {
        for (source, part) in [
            ("tcp://127.0.0.1:9000", "write tcp-listen://127.0.0.1:9000; "),
            ("tcp://robot:9000", "nc robot 9000 | foxglove-bridge serve -"),
            ("unix:///run/robot.sock", "write unix-listen:///run/robot.sock"),
            ("https://example.com/a.mcap", "curl -L https://example.com/a.mcap | "),
            ("ws://localhost:8765", "echo --raw ws://localhost:8765 | foxglove-bridge serve -"),
            ("file:///data/a.mcap", "/data/a.mcap"),
            ("mqtt://broker", "tcp-listen://HOST:PORT"),
        ] {
            let said = way_out(source).unwrap();
            assert!(said.contains(part), "{source}: {said}");
        }
        assert_eq!(way_out("drive.mcap"), None);
    }
}
