use foxglove_bridge::time::TimeRange;

use super::*;

const START: u64 = 1_767_261_600_000_000_000;

fn snapshot() -> Snapshot {
    Snapshot {
        activity: Activity::Playing,
        position: Some(Timestamp(START + 7_340_000_000)),
        range: Some(TimeRange { start: Timestamp(START), end: Timestamp(START + 125_000_000_000) }),
        speed: Some(0.5),
        clients: 2,
        ..Snapshot::default()
    }
}

fn shown(snapshot: &Snapshot, columns: usize) -> String {
    fitted(parts(snapshot, 12_340_000.0, 50.0), progress(snapshot), columns)
}

#[test]
fn the_bar_tells_time_speed_clients_and_rates() {
    let line = shown(&snapshot(), 80);
    assert!(line.starts_with("playing  0.5x  10:00:07.3  ╸─"), "{line}");
    assert!(line.ends_with("─  7.3 s of 2:05  2 clients  12.3 MB/s"), "{line}");
    assert_eq!(line.chars().count(), 79);
    let worse = Snapshot { looping: true, clients: 1, messages_dropped: 17, ..snapshot() };
    assert!(shown(&worse, 100).ends_with("7.3 s of 2:05  loop  1 client  12.3 MB/s  17 dropped"));
    let recorded = Snapshot { bytes_recorded: 12_340_000, ..snapshot() };
    assert!(shown(&recorded, 100).ends_with("2 clients  12.3 MB/s  rec 12.3 MB"));
}

#[test]
fn on_a_narrow_terminal_what_matters_least_is_left_out() {
    let worse = Snapshot { looping: true, messages_dropped: 17, bytes_recorded: 1_000_000, ..snapshot() };
    assert_eq!(shown(&worse, 60), "playing  0.5x  7.3 s of 2:05  2 clients  17 dropped");
    assert_eq!(shown(&worse, 40), "playing  7.3 s of 2:05  17 dropped");
    assert_eq!(shown(&snapshot(), 40), "playing  0.5x  7.3 s of 2:05  2 clients");
    for columns in 1..120 {
        let line = shown(&worse, columns);
        assert!(line.chars().count() < columns.max(1), "{columns}: {line}");
    }
}

#[test]
fn the_position_has_its_date_in_a_recording_of_more_than_a_day() {
    let end = Timestamp(START + 2 * 86_400_000_000_000);
    let long = Snapshot { range: Some(TimeRange { start: Timestamp(START), end }), ..snapshot() };
    assert!(shown(&long, 100).starts_with("playing  0.5x  2026-01-01 10:00:07.3  "), "{}", shown(&long, 100));
}

#[test]
fn clocks_that_count_from_zero_are_shown_in_seconds() {
    assert_eq!(clock(Timestamp(8_297_777_777), true), "8.3 s");
    let waiting = Snapshot { speed: Some(f64::INFINITY), ..Snapshot::default() };
    assert_eq!(shown(&waiting, 80), "waiting for a viewer  max  0 clients  12.3 MB/s");
}

#[test]
fn the_position_stays_within_the_range() {
    assert_eq!(played(&snapshot()), (7_340_000_000, 125_000_000_000));
    let beyond = Snapshot { position: Some(Timestamp::MAX), ..snapshot() };
    assert_eq!(played(&beyond), (125_000_000_000, 125_000_000_000));
    assert_eq!(played(&Snapshot::default()), (0, 0));
}

#[test]
fn live_input_shows_rates_and_clients() {
    let live = Snapshot { messages_received: 7, clients: 1, ..Snapshot::default() };
    assert_eq!(shown(&live, 80), "live  7 messages in  50 messages/s  1 client  12.3 MB/s");
    assert_eq!(shown(&live, 40), "live  50 messages/s  1 client");
    let ended = Snapshot { activity: Activity::Ended, position: Some(Timestamp(START)), ..live };
    assert!(shown(&ended, 80).starts_with("input ended  10:00:00.0  7 messages in"));
    let stream = Snapshot { speed: Some(2.0), activity: Activity::Playing, range: None, ..ended };
    assert_eq!(shown(&stream, 80), "playing  2x  10:00:00.0  1 client  12.3 MB/s");
}
