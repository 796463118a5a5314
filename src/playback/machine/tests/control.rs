use PlaybackStatus::{Ended, Paused, Playing};

use super::*;
use crate::hub::Direction;
use crate::hub::capability::playback::LoopChange;

#[test]
fn messages_are_published_when_they_are_due() {
    let mut simulation = Simulation::of(ten(), options());
    simulation.pass(Duration::from_secs(2));
    let expected: Vec<_> = (0..10).map(|number| (100 * u128::from(number), 1000 + 100 * number)).collect();
    assert_eq!(simulation.take_messages(), expected);
    assert_eq!(simulation.position(), ms(1900));
}

#[test]
fn a_seek_while_paused_shows_what_is_there_and_stays_paused() {
    let mut simulation = Simulation::of(ten(), PlaybackOptions { start_paused: true, ..options() });
    simulation.pass(MS);
    simulation.take();
    let answer = simulation.ask(asked_by(7, "a", PlaybackCommand::Pause, 1.0, Some(1300)));
    assert_eq!(answer.now(), (Paused, 1300, true, "a".into()));
    simulation.pass(Duration::from_secs(1));
    let sent = simulation.take();
    assert!(matches!(&sent[0], Sent::Seek(_, time, Direction::Forward) if *time == ms(1300)), "{sent:?}");
    let rest = [Sent::Backfill(None, vec![(ms(1100), 2), (ms(1200), 1)]), Sent::Message(ms(1300), 2)];
    assert_eq!(sent[1..], rest);
    assert_eq!(simulation.position(), ms(1300));
    simulation.ask(Command::Play);
    simulation.pass(100 * MS);
    assert_eq!(simulation.take_times(), [1400]);
}

#[test]
fn of_a_seek_while_seeking_only_the_last_one_is_played() {
    let mut simulation = Simulation::of(ten(), options());
    simulation.pass(50 * MS);
    simulation.stage.stuck = true;
    simulation.take();
    simulation.ask(Seek::To(ms(1700)));
    simulation.pass(30 * MS);
    simulation.ask(Seek::To(ms(1250)));
    simulation.pass(500 * MS);
    assert_eq!(simulation.position(), ms(1250), "time stands until the reader is there");
    assert_states(&mut simulation, &[(Playing, 1700, true, ""), (Playing, 1250, true, "")]);
    simulation.stage.stuck = false;
    simulation.pass(160 * MS);
    let sent = simulation.take();
    let expected = [
        Sent::Backfill(None, vec![(ms(1500), 2), (ms(1600), 1)]),
        Sent::Backfill(None, vec![(ms(1100), 2), (ms(1200), 1)]),
        Sent::Message(ms(1300), 2),
        Sent::Message(ms(1400), 1),
    ];
    // the state of the first seek is of an older epoch
    assert_eq!(sent, expected[1..]);
}

#[test]
fn each_of_two_clients_gets_the_state_that_answers_its_seek() {
    let mut simulation = Simulation::of(ten(), options());
    simulation.pass(50 * MS);
    simulation.take();
    let first = simulation.ask(asked_by(1, "one", PlaybackCommand::Play, 2.0, Some(1500)));
    let second = simulation.ask(asked_by(2, "two", PlaybackCommand::Play, 1.0, Some(1200)));
    assert_eq!(first.now(), (Playing, 1500, true, "one".into()));
    assert_eq!(second.now(), (Playing, 1200, true, "two".into()));
    simulation.pass(50 * MS);
    let sent = simulation.take();
    let directions: Vec<_> = sent
        .iter()
        .filter_map(|sent| match sent {
            Sent::Seek(state, _, direction) => Some((state.request_id.as_deref(), state.speed, *direction)),
            _ => None,
        })
        .collect();
    assert_eq!(directions, [(Some("one"), 2.0, Direction::Forward), (Some("two"), 1.0, Direction::Back)]);
    assert_eq!(sent.last(), Some(&Sent::Message(ms(1200), 1)));
}

#[test]
fn a_request_is_a_seek_then_a_speed_then_a_command() {
    let mut simulation = Simulation::of(ten(), options());
    simulation.pass(50 * MS);
    simulation.take();
    let answer = simulation.ask(asked_by(1, "all", PlaybackCommand::Pause, 4.0, Some(1500)));
    assert_eq!(answer.now(), (Paused, 1500, true, "all".into()));
    assert_states(&mut simulation, &[(Paused, 1500, true, "all")]);
    simulation.pass(Duration::from_secs(1));
    assert_eq!(simulation.take_times(), [1500]);
}

#[test]
fn a_lap_follows_the_last_message_in_order() {
    let mut simulation = Simulation::of(ten(), PlaybackOptions { looping: true, ..options() });
    simulation.pass(850 * MS);
    simulation.take();
    simulation.pass(160 * MS);
    let sent = simulation.take();
    assert_eq!(sent[0], Sent::Message(ms(1900), 2));
    assert!(matches!(&sent[1], Sent::Lap(state) if brief(state) == (Playing, 1000, true, String::new())));
    assert_eq!(
        sent[2..],
        [Sent::Backfill(None, vec![]), Sent::Message(ms(1000), 1), Sent::Message(ms(1100), 2)]
    );
}

#[test]
fn laps_of_a_single_message_take_a_tenth_of_a_second() {
    let mut simulation = Simulation::of(vec![(ms(5), 1)], PlaybackOptions { looping: true, ..options() });
    simulation.pass(450 * MS);
    let expected: Vec<_> = (0..5).map(|lap| (100 * lap, 5)).collect();
    assert_eq!(simulation.take_messages(), expected);
    simulation.ask(LoopChange::Toggle);
    simulation.pass(MS * 200);
    assert_states(&mut simulation, &[(Playing, 5, false, ""), (Ended, 5, false, "")]);
}

#[test]
fn a_pause_at_the_last_message_is_not_the_end() {
    let mut simulation = Simulation::of(ten(), options());
    simulation.pass(899 * MS);
    simulation.take();
    simulation.set_to_last_message();
    let answer = simulation.ask(Command::Pause);
    assert_eq!(answer.now(), (Paused, 1900, false, String::new()));
    simulation.pass(Duration::from_secs(1));
    assert_states(&mut simulation, &[(Paused, 1900, false, "")]);
    simulation.ask(Command::Play);
    simulation.pass(MS);
    assert_states(&mut simulation, &[(Playing, 1900, false, ""), (Ended, 1900, false, "")]);
    // what clients ask for at the end does nothing, a toggle plays again
    let answer = simulation.ask(asked_by(1, "play", PlaybackCommand::Play, 1.0, None));
    assert_eq!(answer.now(), (Ended, 1900, false, "play".into()));
    simulation.take();
    simulation.ask(Command::Toggle);
    simulation.pass(50 * MS);
    let sent = simulation.take();
    assert!(matches!(&sent[0], Sent::Seek(state, _, Direction::Back) if brief(state).1 == 1000), "{sent:?}");
    assert_eq!(sent.last(), Some(&Sent::Message(ms(1000), 1)));
}

#[test]
fn playing_a_single_message_again_goes_back() {
    let mut simulation = Simulation::of(vec![(ms(5), 1)], options());
    simulation.pass(MS);
    simulation.take();
    simulation.ask(Command::Toggle);
    let sent = simulation.take();
    assert!(matches!(&sent[..], [Sent::Seek(_, _, Direction::Back)]), "{sent:?}");
}

#[test]
fn a_pause_while_seeking_shows_the_target() {
    let mut simulation = Simulation::of(ten(), options());
    simulation.pass(50 * MS);
    simulation.stage.stuck = true;
    simulation.ask(Seek::To(ms(1500)));
    simulation.ask(Command::Pause);
    simulation.stage.stuck = false;
    simulation.take();
    simulation.pass(Duration::from_secs(1));
    assert_eq!(simulation.take_times(), [1500]);
}

#[test]
fn a_seek_by_goes_from_the_position_and_stops_at_the_ends() {
    let mut simulation = Simulation::of(ten(), options());
    simulation.pass(250 * MS);
    assert_eq!(simulation.ask(Seek::By(300_000_000)).now(), (Playing, 1550, true, String::new()));
    assert_eq!(simulation.ask(Seek::By(-5_000_000_000)).now(), (Playing, 1000, true, String::new()));
    assert_eq!(simulation.ask(Seek::By(i64::MAX)).now(), (Playing, 1900, true, String::new()));
    simulation.pass(Duration::from_secs(1));
    assert_eq!(simulation.position(), ms(1900));
    simulation.take();
    // at the end a seek of the program plays on
    assert_eq!(simulation.ask(Seek::By(-300_000_000)).now(), (Playing, 1600, true, String::new()));
}

#[test]
fn a_change_of_the_rate_keeps_the_position() {
    let mut simulation = Simulation::of(ten(), options());
    simulation.pass(250 * MS);
    simulation.take();
    assert_eq!(simulation.ask(RateChange::By(2.0)).now(), (Playing, 1250, false, String::new()));
    simulation.pass(150 * MS);
    assert_eq!(simulation.take_messages(), [(275, 1300), (325, 1400), (375, 1500)]);
    simulation.ask(RateChange::To(Rate::Times(0.0)));
    assert_eq!(simulation.machine.snapshot(simulation.now).speed, Some(0.01));
    simulation.ask(RateChange::By(f64::NAN));
    assert_eq!(simulation.machine.snapshot(simulation.now).speed, Some(0.01));
}

#[test]
fn at_max_everything_goes_out_at_once_and_waits_for_clients() {
    let mut simulation = Simulation::of(ten(), options());
    simulation.pass(250 * MS);
    simulation.take();
    simulation.stage.policies.clear();
    simulation.stage.room = false;
    simulation.ask(RateChange::To(Rate::Max));
    simulation.pass(Duration::from_secs(30));
    assert_eq!(simulation.take_times(), [0; 0], "nobody takes anything");
    // what a viewer sends back for `max` is no change
    simulation.ask(asked_by(1, "a", PlaybackCommand::Play, 1000.0, None));
    assert_eq!(simulation.machine.snapshot(simulation.now).speed, Some(f64::INFINITY));
    simulation.stage.room = true;
    simulation.pass(MS);
    assert_eq!(simulation.take_times(), [1300, 1400, 1500, 1600, 1700, 1800, 1900]);
    assert_eq!(simulation.stage.policies, [SlowClient::Wait; 7]);
    simulation.ask(RateChange::By(0.5));
    assert_eq!(simulation.machine.snapshot(simulation.now).speed, Some(1.0));
    simulation.ask(RateChange::To(Rate::Max));
    simulation.ask(RateChange::To(Rate::Times(1000.0)));
    assert_eq!(simulation.machine.snapshot(simulation.now).speed, Some(1000.0), "the program means it");
}

#[test]
fn the_rate_after_max_has_its_distances() {
    let mut simulation = Simulation::of(ten(), PlaybackOptions { rate: Rate::Max, ..options() });
    simulation.stage.stuck = true;
    simulation.pass(MS);
    simulation.ask(Seek::To(ms(1500)));
    simulation.ask(RateChange::To(Rate::Times(1.0)));
    simulation.stage.stuck = false;
    simulation.pass(210 * MS);
    assert_eq!(simulation.take_messages(), [(1, 1500), (101, 1600), (201, 1700)]);
}

#[test]
fn the_ends_of_time_can_be_played() {
    let times = [0, 1, u64::MAX - 1, u64::MAX].map(|time| (Timestamp(time), 1));
    let options = PlaybackOptions { looping: true, skip_gaps: None, ..options() };
    let mut simulation = Simulation::of(times.to_vec(), options);
    simulation.pass(Duration::from_secs(5));
    assert_eq!(simulation.take_messages().len(), 2);
    simulation.ask(Seek::To(Timestamp::MAX));
    simulation.pass(10 * MS);
    assert_eq!(simulation.take_messages().len(), 1);
    simulation.pass(100 * MS);
    assert_eq!(simulation.take_messages().len(), 2, "the next lap");
    simulation.ask(RateChange::To(Rate::Max));
    simulation.pass(10 * MS);
    assert_eq!(simulation.position(), Timestamp::MAX);
    simulation.ask(Seek::By(i64::MIN));
    simulation.ask(Seek::To(Timestamp::MIN));
    assert_eq!(simulation.position(), Timestamp::MIN);
}

#[test]
fn a_recording_without_messages_ends() {
    let mut simulation =
        Simulation::of(Vec::new(), PlaybackOptions { looping: true, at_end: AtEnd::Exit, ..options() });
    simulation.pass(MS);
    let sent = simulation.take();
    assert_eq!(sent.last(), Some(&Sent::Finished(Ok(()))));
    assert_eq!(simulation.machine.snapshot(simulation.now).position, None);
}

#[test]
fn at_the_end_it_says_so_once_and_exits_if_it_should() {
    let mut simulation = Simulation::of(ten(), PlaybackOptions { at_end: AtEnd::Exit, ..options() });
    simulation.pass(Duration::from_secs(5));
    let sent = simulation.take();
    let end = sent.iter().position(|sent| *sent == Sent::Message(ms(1900), 2)).unwrap();
    assert!(matches!(&sent[end + 1], Sent::State(state) if brief(state).0 == Ended));
    assert_eq!(sent[end + 2..], [Sent::Finished(Ok(()))]);
}

#[test]
fn who_asks_a_player_that_is_gone_gets_no_answer() {
    let mut simulation = Simulation::of(ten(), PlaybackOptions { start_paused: true, ..options() });
    simulation.stage.stuck = true;
    let answer = simulation.ask(Command::Step { count: 1, topic: None });
    drop(simulation);
    assert!(matches!(answer.all()[..], [Err(_)]));
}

/// Two messages, an hour, two messages.
fn with_a_pause() -> Vec<(Timestamp, u32)> {
    vec![(ms(1000), 1), (ms(1100), 2), (ms(3_601_100), 1), (ms(3_601_200), 2)]
}

#[test]
fn a_pause_longer_than_wanted_is_passed_over() {
    let longest = Some(Duration::from_secs(5));
    let mut simulation = Simulation::of(with_a_pause(), PlaybackOptions { skip_gaps: longest, ..options() });
    simulation.pass(250 * MS);
    assert_eq!(simulation.take_messages(), [(0, 1000), (100, 1100), (100, 3_601_100), (200, 3_601_200)]);
}

#[test]
fn how_long_a_pause_takes_depends_on_the_speed() {
    let longest = Some(Duration::from_secs(61));
    let slow = PlaybackOptions { skip_gaps: longest, rate: Rate::Times(50.0), ..options() };
    let mut simulation = Simulation::of(with_a_pause(), slow);
    simulation.pass(250 * MS);
    assert_eq!(simulation.take_times().len(), 4, "an hour takes 72 s");
    let fast = PlaybackOptions { skip_gaps: longest, rate: Rate::Times(100.0), ..options() };
    let mut simulation = Simulation::of(with_a_pause(), fast);
    simulation.pass(Duration::from_secs(35));
    assert_eq!(simulation.take_times().len(), 2, "an hour takes 36 s");
    simulation.pass(Duration::from_secs(2));
    assert_eq!(simulation.take_times().len(), 2);
}

#[test]
fn a_pause_of_a_day_is_waited_for_only_if_that_is_wanted() {
    let day = Duration::from_secs(24 * 3600);
    let start = ms(1000);
    let messages = vec![(start, 1), (start.saturating_add(day + MS), 2)];
    for (skip_gaps, wanted) in [(options().skip_gaps, 2), (None, 1), (Some(day + MS), 1)] {
        let mut simulation = Simulation::of(messages.clone(), PlaybackOptions { skip_gaps, ..options() });
        simulation.pass(Duration::from_secs(3600));
        assert_eq!(simulation.take_times().len(), wanted, "{skip_gaps:?}");
    }
}

#[test]
fn who_seeks_into_a_pause_gets_the_state_there_and_then_what_follows() {
    let longest = Some(Duration::from_secs(5));
    let mut simulation = Simulation::of(with_a_pause(), PlaybackOptions { skip_gaps: longest, ..options() });
    simulation.ask(Command::Pause);
    assert_eq!(simulation.ask(Seek::To(ms(1_801_000))).now().1, 1_801_000);
    simulation.pass(Duration::from_secs(10));
    assert_eq!(simulation.position(), ms(1_801_000), "nothing is passed over while paused");
    simulation.take();
    simulation.ask(Command::Play);
    simulation.pass(150 * MS);
    assert_eq!(simulation.take_times(), [3_601_100, 3_601_200]);
}
