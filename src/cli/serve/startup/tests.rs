use foxglove_bridge::source::RecordingInfo;
use foxglove_bridge::time::{TimeRange, Timestamp};

use super::*;
use crate::cli::serve::names::contents_of;

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
    Links::new(address.parse().unwrap(), surroundings).lines(&contents_of(&info), usize::MAX)
}

#[test]
fn the_first_lines_say_what_is_served_and_link_to_viewers() {
    let url = "?ds=foxglove-websocket&ds.url=ws%3A%2F%2Flocalhost%3A8765";
    let expected = format!(
        "Serving drive.mcap (20.0 s, 0 channels, 2885 messages)\n\
        \x20 Page        http://localhost:8765/\n\
        \x20 WebSocket   ws://localhost:8765\n\
        \x20 Foxglove    https://app.foxglove.dev/~/view{url}\n\
        \x20 Lichtblick  http://localhost:8080/{url} (a Lichtblick running locally)"
    );
    assert_eq!(drive("127.0.0.1:8765", &surroundings()), expected);
}

#[test]
fn a_link_that_has_no_room_beside_its_name_has_a_line_of_its_own() {
    let links = Links::new("127.0.0.1:8765".parse().unwrap(), &Surroundings::default());
    let [foxglove, lichtblick] = [&links.foxglove, &links.viewer_link];
    let whole = links.lines("a", usize::MAX);
    assert_eq!(links.lines("a", 125), whole);
    let expected = format!(
        "Serving a\n  Page        http://localhost:8765/\n  WebSocket   ws://localhost:8765\n  Foxglove    {foxglove}\n  Lichtblick  {lichtblick}\n\
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
    let text = Links::new("127.0.0.1:1".parse().unwrap(), &Surroundings::default()).lines("a\x1b[2J\nb", 80);
    assert!(text.starts_with("Serving a\\u{1b}[2J\\nb\n"), "{text:?}");
}

#[test]
fn files_have_a_link_and_without_a_page_there_is_none() {
    let links = || Links::new("127.0.0.1:8765".parse().unwrap(), &Surroundings::default());
    let file = |names: &[&str]| {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        links().with_files(&names).files.map(|(link, _)| link)
    };
    let base = "http://localhost:8080/?ds=remote-file&ds.url=http%3A%2F%2Flocalhost%3A8765%2Ffiles%2F";
    assert_eq!(file(&["drive.mcap"]), Some(format!("{base}drive.mcap")));
    // encoded in its own URL, and that once more
    assert_eq!(file(&["a b,c.mcap"]), Some(format!("{base}a%2520b%252Cc.mcap")));
    let two = file(&["a.mcap", "b.mcap"]).unwrap();
    assert!(two.starts_with(&format!("{base}a.mcap&ds.url=")) && two.ends_with("%2Ffiles%2Fb.mcap"), "{two}");
    assert_eq!((file(&[]), file(&["a.mcap"; LINKED_FILES + 1])), (None, None));
    let lines = links().with_files(&["a.mcap".to_owned()]).lines("a", usize::MAX);
    assert!(lines.ends_with("a.mcap (the file itself, to seek in it)"), "{lines}");
    let bare = links().without_page().with_files(&["a.mcap".to_owned()]).lines("a", usize::MAX);
    assert!(!bare.contains("Page") && !bare.contains("remote-file"), "{bare}");
}

#[test]
fn a_viewer_and_layouts_of_this_server_are_linked() {
    let links = || Links::new("127.0.0.1:8765".parse().unwrap(), &Surroundings::default());
    let files = ["a.mcap", "b.mcap"].map(str::to_owned);
    let folder = tempfile::tempdir().unwrap();
    for name in ["drive.json", "gps.json"] {
        std::fs::write(folder.path().join(name), "{}").unwrap();
    }
    let layouts = foxglove_bridge::internals::layouts(folder.path());
    let lines = links().with_viewer().with_files(&files).with_layouts(&layouts).lines("a", usize::MAX);
    let lines: Vec<_> = lines.lines().skip(4).collect();
    let [viewer, file, layout] = lines[..] else { panic!("{lines:?}") };
    assert_eq!(viewer, "  Viewer      http://localhost:8765/viewer");
    let of_files = "  Viewer      http://localhost:8765/viewer/?ds=remote-file&ds.url=http%3A%2F%2Flocalhost";
    assert!(
        file.starts_with(of_files) && file.ends_with(" (the files themselves, to seek in them)"),
        "{file}"
    );
    let of_layouts = "http://localhost:8765/layouts/drive.json and 1 more (/api/status has all)";
    assert_eq!(layout, format!("  Layouts     {of_layouts}"));
    let one = links().with_layouts(&layouts[..1]).lines("a", usize::MAX);
    assert!(one.ends_with("  Layouts     http://localhost:8765/layouts/drive.json"), "{one}");
}
