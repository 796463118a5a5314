use super::*;

const ANYWHERE: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

fn gate(listens_on: IpAddr, more: &[&str]) -> Gate {
    let origins = more.iter().fold(Origins::default(), |origins, more| origins.and(more.parse().unwrap()));
    Gate::new(origins, listens_on, Some("Robot.lab.example".to_owned()))
}

fn admits(gate: &Gate, origin: Option<&str>, host: &str) -> bool {
    gate.admit(origin.into_iter().map(Some), host).is_ok()
}

#[test]
fn each_row_of_the_page_about_security_holds() {
    let mut rows = 0;
    for line in include_str!("../../../docs/security.md").lines() {
        let cells: Vec<&str> =
            line.trim_matches('|').split('|').map(|cell| cell.trim().trim_matches('`')).collect();
        let [host_option, allowed, host, origin, answer @ ("101" | "403")] = cells[..] else { continue };
        let more: &[&str] = if allowed.is_empty() { &[] } else { &[allowed] };
        let gate = gate(host_option.parse().unwrap(), more);
        assert_eq!(admits(&gate, Some(origin).filter(|it| !it.is_empty()), host), answer == "101", "{line}");
        rows += 1;
    }
    assert!(rows > 30, "{rows} rows");
}

#[test]
fn pages_of_this_computer_and_of_viewers_are_let_in_wherever_the_server_listens() {
    for origin in [
        "http://localhost",
        "http://localhost:8080",
        "https://localhost:8443",
        "http://LOCALHOST:1",
        "http://app.localhost:3000",
        "http://127.0.0.1:8765",
        "http://127.4.5.6",
        "http://[::1]:8080",
        "http://[::ffff:127.0.0.1]:8080",
        "https://app.foxglove.dev",
        "https://studio.foxglove.dev",
        "https://a.b.foxglove.dev",
        "https://lichtblick-suite.github.io",
        "file://",
        "foxglove://app",
        "lichtblick://app",
    ] {
        for (listens_on, host) in [
            (ANYWHERE, "10.0.0.7:8765"),
            (ANYWHERE, "evil.example"),
            (Ipv4Addr::LOCALHOST.into(), "localhost:8765"),
        ] {
            assert!(admits(&gate(listens_on, &[]), Some(origin), host), "{origin} at {host}");
        }
    }
}

#[test]
fn other_pages_are_refused() {
    for origin in [
        "",
        "null",
        "http://evil.example",
        "https://evil.example:8765",
        "http://localhost.evil.example",
        "http://127.0.0.1.evil.example",
        "http://evil.example#localhost",
        "http://localhost@evil.example",
        "http://localhost:8080/",
        "http://localhost:port",
        "http://xlocalhost",
        "http://128.0.0.1",
        "http://[::2]",
        "http://app.foxglove.dev",
        "https://app.foxglove.dev:8443",
        "https://foxglove.dev",
        "https://app.foxglove.dev.evil.example",
        "https://evilfoxglove.dev",
        "https://lichtblick-suite.github.io.evil.example",
        "https://other.github.io",
        "chrome-extension://abcdef",
        "app://localhost",
        "localhost",
        "file:",
    ] {
        assert!(!admits(&gate(ANYWHERE, &[]), Some(origin), "10.0.0.7:8765"), "{origin}");
    }
}

#[test]
fn a_page_of_the_same_host_is_let_in_if_nobody_else_can_have_the_name() {
    let gate = gate(ANYWHERE, &[]);
    for (origin, host) in [
        ("http://10.0.0.7:8080", "10.0.0.7:8765"),
        ("https://203.0.113.5", "203.0.113.5:8765"),
        ("http://[2001:db8::7]:8080", "[2001:db8::7]:8765"),
        ("http://robot:8080", "robot:8765"),
        ("http://robot.local:8080", "ROBOT.local:8765"),
        ("http://robot.local.:8080", "robot.local:8765"),
        ("http://robot.lab.example", "robot.lab.example:8765"),
    ] {
        assert!(admits(&gate, Some(origin), host), "{origin} at {host}");
    }
    for (origin, host) in [
        // another host
        ("http://10.0.0.7:8080", "10.0.0.8:8765"),
        ("http://10.0.0.7:8080", "robot:8765"),
        ("http://robot:8080", "robot.local:8765"),
        // a name that points here: DNS rebinding
        ("http://evil.example:8765", "evil.example:8765"),
        ("http://robot.evil.example", "robot.evil.example:8765"),
        ("http://other.local", "other.local:8765"),
        ("http://10.0.0.7", ""),
    ] {
        assert!(!admits(&gate, Some(origin), host), "{origin} at {host}");
    }
}

#[test]
fn who_sends_no_origin_is_let_in_by_any_name_unless_the_server_is_of_this_computer_alone() {
    for host in ["10.0.0.7:8765", "robot.example", "localhost", ""] {
        assert!(admits(&gate(ANYWHERE, &[]), None, host), "{host}");
        assert!(admits(&gate("192.168.1.7".parse().unwrap(), &[]), None, host), "{host}");
    }
    for listens_on in ["127.0.0.1", "127.0.0.2", "::1", "::ffff:127.0.0.1"] {
        let gate = gate(listens_on.parse().unwrap(), &[]);
        for host in [
            "localhost",
            "localhost:9",
            "localhost:",
            "LocalHost.",
            "robot.localhost",
            "127.0.0.1:1",
            "127.9.9.9",
            "[::1]:8",
        ] {
            assert!(admits(&gate, None, host), "{host}");
        }
        for host in
            ["evil.example", "localhost.evil.example", "10.0.0.7", "robot", "robot.local", "", "[::1", "a b"]
        {
            assert!(!admits(&gate, None, host), "{host}");
            assert!(!admits(&gate, Some("http://localhost:8080"), host), "{host}");
        }
    }
}

#[test]
fn an_origin_that_is_named_is_let_in_and_its_host_is_served() {
    let local = gate(
        Ipv4Addr::LOCALHOST.into(),
        &["https://viewer.example", "http://lab:8080/", "https://*.lab.example"],
    );
    for (origin, host) in [
        (Some("https://viewer.example"), "localhost"),
        (Some("https://viewer.example:443"), "viewer.example"),
        (Some("https://VIEWER.example"), "viewer.example:9000"),
        (Some("http://lab:8080"), "lab"),
        (Some("https://a.b.lab.example"), "a.lab.example"),
        (None, "viewer.example"),
    ] {
        assert!(admits(&local, origin, host), "{origin:?} at {host}");
    }
    for (origin, host) in [
        (Some("http://viewer.example"), "localhost"),
        (Some("https://viewer.example:8443"), "localhost"),
        (Some("https://a.viewer.example"), "localhost"),
        (Some("http://lab"), "localhost"),
        (Some("https://lab.example"), "localhost"),
        (Some("null"), "localhost"),
        (None, "lab.example"),
    ] {
        assert!(!admits(&local, origin, host), "{origin:?} at {host}");
    }
}

#[test]
fn null_is_let_in_if_it_is_named_and_a_star_lets_everybody_in() {
    let local = Ipv4Addr::LOCALHOST.into();
    assert!(admits(&gate(local, &["null"]), Some("null"), "localhost"));
    assert!(!admits(&gate(local, &["null"]), Some("null"), "evil.example"));
    for origin in [None, Some("null"), Some("http://evil.example"), Some("")] {
        assert!(admits(&gate(local, &["*"]), origin, "evil.example"), "{origin:?}");
    }
}

#[test]
fn two_origins_and_one_that_is_no_text_are_refused() {
    let gate = gate(ANYWHERE, &[]);
    let two = ["http://localhost", "http://localhost"].map(Some);
    assert!(gate.admit(two.into_iter(), "localhost").is_err());
    assert!(gate.admit([None].into_iter(), "localhost").is_err());
}

#[test]
fn who_is_refused_is_told_the_way_out() {
    let way_out: fn(&str) -> String = |origin| format!("allow {origin}");
    let gate = |listens_on| Gate::new(Origins::default().with_way_out(way_out), listens_on, None);
    let refused = |gate: &Gate, origin: &str, host| gate.admit([Some(origin)].into_iter(), host).unwrap_err();
    assert_eq!(
        refused(&gate(ANYWHERE), "http://evil.example", "robot"),
        "pages of http://evil.example may not connect to this server; allow http://evil.example"
    );
    assert_eq!(
        refused(&gate(Ipv4Addr::LOCALHOST.into()), "http://evil.example", "evil.example:8765"),
        "this server takes connections to this computer's loopback names, not to 'evil.example'; allow http://evil.example"
    );
}

#[test]
fn a_computer_without_a_name_has_no_page_of_its_own() {
    let gate = Gate::new(Origins::default(), ANYWHERE, None);
    assert!(!admits(&gate, Some("http://.local"), ".local"));
    assert!(!admits(&gate, Some("http://"), ""));
}

#[test]
fn what_is_no_origin_is_refused_with_what_can_be_written() {
    for text in [
        "",
        "viewer.example",
        "https://",
        "https://a/b",
        "https://a:b",
        "https://a*b",
        "**",
        "https://*",
        "a b",
    ] {
        let error = text.parse::<AllowedOrigin>().unwrap_err().to_string();
        assert!(error.contains("https://viewer.example"), "{text}: {error}");
    }
}

proptest::proptest! {
    #[test]
    fn what_is_no_origin_is_never_let_in(origin in ".*", host in ".*") {
        let admitted = admits(&gate(ANYWHERE, &[]), Some(&origin), &host);
        proptest::prop_assert!(!admitted || origin.contains("://"));
    }
}
