use PlaybackStatus::{Ended, Paused, Playing};

use super::*;
use crate::hub::capability::playback::RangeChange;
use crate::time::TimeRange;

fn part(start: u64, end: u64) -> RangeChange {
    RangeChange::To(TimeRange { start: ms(start), end: ms(end) })
}

#[test]
fn a_part_is_played_from_its_start_to_its_end() {
    let mut simulation = Simulation::of(ten(), PlaybackOptions { at_end: AtEnd::Exit, ..options() });
    simulation.pass(50 * MS);
    simulation.take();
    assert_eq!(simulation.ask(part(1250, 1500)).now(), (Playing, 1250, true, String::new()));
    simulation.pass(Duration::from_secs(2));
    assert_eq!(simulation.position(), ms(1500));
    assert_eq!(simulation.machine.snapshot(simulation.now).range.map(|range| range.end), Some(ms(1900)));
    let sent = simulation.take();
    let messages: Vec<_> = sent.iter().filter(|sent| matches!(sent, Sent::Message(..))).collect();
    let expected = [(1300, 2), (1400, 1), (1500, 2)].map(|(time, channel)| Sent::Message(ms(time), channel));
    assert_eq!(messages, expected.iter().collect::<Vec<_>>());
    assert_eq!(sent.last(), Some(&Sent::Finished(Ok(()))));
}

#[test]
fn nothing_after_a_part_is_played_however_fast() {
    let mut simulation = Simulation::of(ten(), PlaybackOptions { rate: Rate::Max, ..options() });
    simulation.ask(part(1150, 1350));
    simulation.pass(Duration::from_secs(1));
    assert_eq!(simulation.take_times(), [1200, 1300], "1400 is in the same batch");
    assert_eq!(simulation.position(), ms(1350));
}

#[test]
fn a_part_is_repeated_and_seeks_stay_within_it() {
    let mut simulation = Simulation::of(ten(), PlaybackOptions { looping: true, ..options() });
    simulation.pass(310 * MS);
    simulation.take();
    let answer = simulation.ask(part(1250, 1500));
    assert_eq!(answer.now(), (Playing, 1310, false, String::new()), "it is there already");
    simulation.pass(Duration::from_millis(700));
    let times = [1400, 1500, 1300, 1400, 1500, 1300, 1400, 1500];
    assert_eq!(simulation.take_times(), times);
    assert_eq!(simulation.ask(Seek::To(ms(1900))).now().1, 1500);
    assert_eq!(simulation.ask(Seek::To(ms(0))).now().1, 1250);
    simulation.ask(PlaybackRequest { seek: Some(Seek::To(ms(1900))), ..RangeChange::Whole.into() });
    assert_eq!(simulation.position(), ms(1900), "the range comes first");
}

#[test]
fn after_the_end_of_a_part_the_whole_can_be_played_on() {
    let mut simulation = Simulation::of(ten(), options());
    simulation.ask(part(0, 1100));
    simulation.pass(Duration::from_secs(1));
    assert_states(
        &mut simulation,
        &[
            (Paused, 1000, false, ""),
            (Paused, 1000, false, ""),
            (Playing, 1000, false, ""),
            (Ended, 1100, false, ""),
        ],
    );
    assert_eq!(simulation.ask(RangeChange::Whole).now(), (Paused, 1100, false, String::new()));
    simulation.ask(Command::Play);
    simulation.pass(210 * MS);
    assert_eq!(simulation.take_messages(), [(1100, 1200), (1200, 1300)]);
}

#[test]
fn a_part_outside_of_the_recording_is_its_nearest_end() {
    let mut simulation = Simulation::of(ten(), PlaybackOptions { start_paused: true, ..options() });
    assert_eq!(simulation.ask(part(5000, 9000)).now(), (Paused, 1900, true, String::new()));
    assert_eq!(simulation.ask(part(1500, 1200)).now(), (Paused, 1500, true, String::new()), "B before A");
}
