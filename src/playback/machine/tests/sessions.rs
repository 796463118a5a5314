//! Laps that are new sessions for some client.

use PlaybackStatus::{Paused, Playing};

use super::*;
use crate::hub::Direction;

fn looping(messages: Vec<(Timestamp, u32)>, options: PlaybackOptions) -> Simulation {
    let mut simulation = Simulation::of(messages, PlaybackOptions { looping: true, ..options });
    simulation.stage.laps_are_sessions = true;
    simulation
}

/// Thirty messages, from 1000 ms to 3900 ms.
fn thirty() -> Vec<(Timestamp, u32)> {
    (0..30).map(|number| (ms(1000 + 100 * number), 1)).collect()
}

#[test]
fn time_stands_for_half_a_second_at_a_lap() {
    let mut simulation = looping(thirty(), options());
    simulation.pass(2850 * MS);
    simulation.take();
    simulation.pass(540 * MS);
    let sent = simulation.take();
    assert_eq!(sent[0], Sent::Message(ms(3900), 1));
    assert!(matches!(&sent[1], Sent::Lap(state) if brief(state) == (Playing, 1000, true, String::new())));
    assert_eq!(sent[2..], [Sent::Backfill(None, vec![])]);
    assert_eq!(simulation.position(), ms(1000));
    simulation.pass(120 * MS);
    assert_eq!(simulation.take_messages(), [(3400, 1000), (3500, 1100)]);
    // without such a client it does not
    simulation.stage.laps_are_sessions = false;
    simulation.pass(2840 * MS);
    let messages = simulation.take_messages();
    assert_eq!(messages[messages.len() - 2..], [(6300, 3900), (6300, 1000)]);
}

#[test]
fn time_stands_until_the_reader_is_there_if_that_is_later() {
    let mut simulation = looping(thirty(), options());
    simulation.pass(2899 * MS);
    simulation.set_to_last_message();
    simulation.stage.stuck = true;
    simulation.pass(Duration::from_secs(1));
    simulation.take();
    simulation.stage.stuck = false;
    simulation.pass(110 * MS);
    let messages = simulation.take_messages();
    assert_eq!(messages.iter().map(|(_, time)| *time).collect::<Vec<_>>(), [1000, 1100]);
    assert_eq!(messages[1].0 - messages[0].0, 100);
}

#[test]
fn a_lap_takes_two_seconds_at_least() {
    for rate in [Rate::Times(1.0), Rate::Max] {
        let mut simulation = looping(vec![(ms(5), 1), (ms(6), 2)], PlaybackOptions { rate, ..options() });
        simulation.pass(Duration::from_millis(6700));
        let laps = std::mem::take(&mut simulation.stage.sent);
        let laps = laps.into_iter().filter(|(_, sent)| matches!(sent, Sent::Lap(_)));
        assert_eq!(laps.map(|(at, _)| at.as_millis()).collect::<Vec<_>>(), [2000, 4000, 6000], "{rate:?}");
        simulation.stage.laps_are_sessions = false;
        simulation.pass(Duration::from_secs(1));
        assert!(simulation.take_messages().len() > 10, "laps are short again");
    }
}

#[test]
fn a_lap_soon_after_a_seek_waits_if_that_was_a_new_session() {
    for (first, lap) in [(1000, 4500), (4700, 2600)] {
        let mut simulation = looping((0..40).map(|number| (ms(1000 + 100 * number), 1)).collect(), options());
        simulation.pass(2500 * MS);
        simulation.ask(Seek::To(ms(first)));
        simulation.ask(Seek::To(ms(4800)));
        simulation.take();
        simulation.pass(Duration::from_secs(2) + MS);
        let sent = std::mem::take(&mut simulation.stage.sent);
        let laps = sent.into_iter().filter(|(_, sent)| matches!(sent, Sent::Lap(_)));
        assert_eq!(laps.map(|(at, _)| at.as_millis()).collect::<Vec<_>>(), [lap], "{first}");
    }
}

#[test]
fn times_that_are_shifted_go_on_without_a_stop() {
    let mut simulation = looping(ten(), PlaybackOptions { shift: TimeShift::Now, ..options() });
    simulation.pass(1750 * MS);
    let sent: Vec<_> = simulation.take_messages().into_iter().map(|(at, _)| at).collect();
    let laps = (0..10).map(|n| 100 * n).chain((0..9).map(|n| 900 + 100 * n));
    assert_eq!(sent, laps.collect::<Vec<_>>());
}

#[test]
fn a_pause_in_the_silence_shows_the_start() {
    let mut simulation = looping(thirty(), options());
    simulation.pass(3000 * MS);
    simulation.take();
    assert_eq!(simulation.ask(Command::Pause).now(), (Paused, 1000, false, String::new()));
    simulation.pass(Duration::from_secs(3));
    assert_eq!(simulation.take_times(), [1000]);
    simulation.ask(Command::Play);
    simulation.pass(110 * MS);
    assert_eq!(simulation.take_messages(), [(6100, 1100)]);
}

#[test]
fn a_seek_in_the_silence_is_played_at_once() {
    let mut simulation = looping(thirty(), options());
    simulation.pass(3000 * MS);
    simulation.take();
    simulation.ask(Seek::To(ms(2500)));
    simulation.pass(110 * MS);
    let sent = simulation.take();
    assert!(matches!(&sent[0], Sent::Seek(_, time, Direction::Forward) if *time == ms(2500)), "{sent:?}");
    assert_eq!(sent[2..], [Sent::Message(ms(2500), 1), Sent::Message(ms(2600), 1)]);
    // and a seek back stops nothing
    simulation.ask(Seek::To(ms(1200)));
    simulation.pass(10 * MS);
    assert_eq!(simulation.take_messages(), [(3110, 1200)]);
}
