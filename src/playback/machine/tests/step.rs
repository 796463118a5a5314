use PlaybackStatus::{Ended, Paused, Playing};

use super::*;

fn step(count: u32, topic: Option<&str>) -> Command {
    Command::Step { count, topic: topic.map(str::to_owned) }
}

fn paused() -> Simulation {
    let mut simulation = Simulation::of(ten(), PlaybackOptions { start_paused: true, ..options() });
    simulation.pass(MS);
    simulation.take();
    simulation
}

#[test]
fn a_step_publishes_one_message_and_says_where_that_was() {
    let mut simulation = paused();
    for time in [1000, 1100, 1200] {
        let answer = simulation.ask(step(1, None));
        assert_eq!(answer.all(), [], "not before its message");
        simulation.pass(MS);
        assert_eq!(answer.now(), (Paused, time, false, String::new()));
        let sent = simulation.take();
        assert!(matches!(&sent[..], [Sent::Message(at, _), Sent::State(_)] if *at == ms(time)), "{sent:?}");
    }
    simulation.pass(Duration::from_secs(1));
    assert_eq!(simulation.take(), []);
}

#[test]
fn a_step_while_time_runs_pauses_it() {
    let mut simulation = Simulation::of(ten(), options());
    simulation.pass(150 * MS);
    simulation.take();
    let answer = simulation.ask(step(1, None));
    simulation.pass(Duration::from_secs(1));
    assert_eq!(answer.now(), (Paused, 1200, false, String::new()));
    assert_states(&mut simulation, &[(Paused, 1200, false, "")]);
    simulation.ask(Command::Play);
    simulation.pass(100 * MS);
    assert_eq!(simulation.take_messages(), [(1250, 1300)]);
}

#[test]
fn several_steps_are_counted_by_topic() {
    let mut simulation = paused();
    let answer = simulation.ask(step(4, None));
    simulation.pass(MS);
    assert_eq!((answer.now().1, simulation.take_times()), (1300, vec![1000, 1100, 1200, 1300]));
    let answer = simulation.ask(step(2, Some("/even")));
    simulation.pass(MS);
    assert_eq!((answer.now().1, simulation.take_times()), (1700, vec![1400, 1500, 1600, 1700]));
    let answer = simulation.ask(step(1, Some("/none")));
    assert_eq!(answer.now(), (Paused, 1700, false, String::new()));
    assert_eq!(simulation.ask(step(0, None)).now(), (Paused, 1700, false, String::new()));
    simulation.pass(MS);
    assert_eq!(simulation.take_times(), [0; 0]);
}

#[test]
fn a_step_over_the_end_stops_at_the_last_message() {
    let mut simulation = paused();
    simulation.ask(Seek::To(ms(1800)));
    simulation.pass(MS);
    simulation.take();
    let answer = simulation.ask(step(5, Some("/odd")));
    simulation.pass(MS);
    assert_eq!(answer.now(), (Paused, 1900, false, String::new()));
    assert_eq!(simulation.take_times(), [1900]);
    let answer = simulation.ask(step(1, None));
    simulation.pass(MS);
    assert_eq!(answer.now(), (Paused, 1900, false, String::new()), "nothing is left");
    simulation.ask(Command::Play);
    simulation.pass(MS);
    let answer = simulation.ask(step(1, None));
    assert_eq!(answer.now(), (Ended, 1900, false, String::new()));
}

#[test]
fn a_step_that_is_overtaken_is_answered_with_where_playback_stands() {
    let mut simulation = Simulation::of(ten(), PlaybackOptions { start_paused: true, ..options() });
    simulation.stage.stuck = true;
    let first = simulation.ask(step(1, None));
    let second = simulation.ask(step(1, None));
    let seek = simulation.ask(Seek::To(ms(1500)));
    assert_eq!([first.now(), second.now()].map(|state| (state.0, state.1)), [(Paused, 1000); 2]);
    assert_eq!(seek.now(), (Paused, 1500, true, String::new()));
    simulation.stage.stuck = false;
    simulation.pass(MS);
    assert_eq!(simulation.take_times(), [1500]);
}

#[test]
fn a_seek_and_steps_in_one_request_publish_the_target_and_then_so_many() {
    let mut simulation = Simulation::of(ten(), options());
    let answer = simulation.ask(PlaybackRequest { seek: Some(Seek::To(ms(1500))), ..step(2, None).into() });
    simulation.pass(MS);
    assert_eq!(answer.now(), (Paused, 1700, false, String::new()));
    assert_eq!(simulation.take_times(), [1500, 1600, 1700]);
}

#[test]
fn steps_wait_for_a_client_that_must_not_lose_anything() {
    let mut simulation = paused();
    simulation.stage.policy = SlowClient::Wait;
    simulation.stage.room = false;
    let answer = simulation.ask(step(3, None));
    simulation.pass(Duration::from_secs(1));
    assert_eq!((answer.all(), simulation.take_times()), (vec![], vec![]));
    simulation.stage.room = true;
    simulation.pass(Duration::from_secs(10));
    assert_eq!((answer.now().1, simulation.take_times()), (1200, vec![1000, 1100, 1200]));
    simulation.ask(Command::Play);
    assert_states(&mut simulation, &[(Playing, 1200, false, "")]);
}
