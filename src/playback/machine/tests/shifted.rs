use super::script::WALL;
use super::*;
use crate::hub::Direction;
use crate::hub::capability::playback::LoopChange;

fn now_options() -> PlaybackOptions {
    PlaybackOptions { shift: TimeShift::Now, ..options() }
}

/// When messages were sent and their times, both in ms since the start.
fn messages(simulation: &mut Simulation) -> Vec<(u128, u64)> {
    let wall = WALL.0 / 1_000_000;
    simulation.take_messages().into_iter().map(|(at, time)| (at, time - wall)).collect()
}

#[test]
fn messages_have_the_time_at_which_they_are_played() {
    let mut simulation = Simulation::of(ten(), now_options());
    simulation.pass(250 * MS);
    assert_eq!(messages(&mut simulation), [(0, 0), (100, 100), (200, 200)]);
    assert_eq!(simulation.position(), ms(1250), "in the recording's time");
}

#[test]
fn a_lap_goes_on_in_time_and_is_no_seek() {
    let mut simulation = Simulation::of(ten(), PlaybackOptions { looping: true, ..now_options() });
    simulation.pass(850 * MS);
    simulation.take();
    simulation.pass(160 * MS);
    let sent = simulation.take();
    assert_eq!(sent[0], Sent::Message(WALL.saturating_add(900 * MS), 2));
    assert!(
        matches!(&sent[1], Sent::State(state) if brief(state) == (PlaybackStatus::Playing, 1000, false, String::new()))
    );
    assert_eq!(sent[2], Sent::Backfill(None, vec![]));
    assert_eq!(sent[3], Sent::Message(WALL.saturating_add(900 * MS), 1));
    assert_eq!(sent[4], Sent::Message(WALL.saturating_add(1000 * MS), 2));
}

#[test]
fn after_a_pause_time_goes_on_now() {
    let mut simulation = Simulation::of(ten(), now_options());
    simulation.pass(150 * MS);
    simulation.ask(Command::Pause);
    simulation.pass(Duration::from_secs(5));
    simulation.take();
    simulation.subscribe(7, &[1, 2]);
    simulation.pass(MS);
    let newest = WALL.saturating_add(150 * MS);
    assert_eq!(
        simulation.take(),
        [Sent::Backfill(Some(7), vec![(newest, 1), (newest, 2)])],
        "not before what was sent"
    );
    simulation.ask(Command::Play);
    simulation.pass(60 * MS);
    assert_eq!(messages(&mut simulation), [(5201, 5201)]);
    simulation.ask(Command::Step { count: 1, topic: None });
    simulation.pass(MS);
    assert_eq!(messages(&mut simulation), [(5211, 5211)]);
}

#[test]
fn a_seek_back_is_no_new_session_and_time_goes_on() {
    let mut simulation = Simulation::of(ten(), now_options());
    simulation.pass(650 * MS);
    simulation.take();
    let answer = simulation.ask(Seek::To(ms(1150)));
    assert_eq!(answer.now(), (PlaybackStatus::Playing, 1150, true, String::new()), "in the recording's time");
    simulation.pass(60 * MS);
    let sent = simulation.take();
    let now = WALL.saturating_add(650 * MS);
    assert!(matches!(&sent[0], Sent::Seek(_, time, Direction::Forward) if *time == now), "{sent:?}");
    assert_eq!(sent[1], Sent::Backfill(None, vec![(now, 1), (now, 2)]));
    assert_eq!(sent[2], Sent::Message(now.saturating_add(50 * MS), 1));
}

#[test]
fn at_twice_the_rate_distances_are_half() {
    let mut simulation = Simulation::of(ten(), PlaybackOptions { rate: Rate::Times(2.0), ..now_options() });
    simulation.pass(110 * MS);
    assert_eq!(messages(&mut simulation), [(0, 0), (50, 50), (100, 100)]);
    simulation.ask(RateChange::By(0.5));
    simulation.pass(90 * MS);
    assert_eq!(messages(&mut simulation), [(190, 190)]);
    simulation.ask(RateChange::To(Rate::Max));
    simulation.pass(MS);
    assert_eq!(messages(&mut simulation), [(200, 200); 6]);
}

#[test]
fn a_wall_clock_that_is_set_back_makes_no_time_go_back() {
    let mut simulation = Simulation::of(ten(), PlaybackOptions { looping: true, ..now_options() });
    simulation.pass(500 * MS);
    simulation.stage.wall_offset = -60_000_000_000;
    simulation.ask(LoopChange::To(true));
    simulation.ask(Seek::To(ms(1000)));
    simulation.pass(Duration::from_secs(3));
    let times: Vec<_> = messages(&mut simulation).into_iter().map(|(_, time)| time).collect();
    assert!(times.len() > 30 && times.is_sorted(), "{times:?}");
    // and it does not stand still until the clock is where it was
    let played = times.last().unwrap() - times.first().unwrap();
    assert!(played > 3000, "{played} ms: {times:?}");
}

#[test]
fn a_late_playback_is_still_of_now() {
    let mut simulation = Simulation::of(ten(), now_options());
    simulation.stage.policy = SlowClient::Wait;
    simulation.pass(150 * MS);
    simulation.stage.room = false;
    simulation.pass(Duration::from_secs(2));
    simulation.stage.room = true;
    simulation.take();
    simulation.pass(110 * MS);
    assert_eq!(messages(&mut simulation), [(2150, 2150), (2250, 2250)]);
}

#[test]
fn a_stream_whose_time_goes_back_goes_on_in_time() {
    let mut simulation = Simulation::of_stream(now_options());
    let times = [100_000, 100_100, 50, 150].map(|time| (ms(time), 1));
    simulation.stage.feed(Some(made_batch(&times, 0, 0)));
    simulation.pass(Duration::from_secs(1));
    let sent = messages(&mut simulation);
    assert_eq!(sent, [(0, 0), (100, 100), (100, 100), (200, 200)]);
}
