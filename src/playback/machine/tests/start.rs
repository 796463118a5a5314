use super::*;

fn waiting(options: PlaybackOptions) -> Simulation {
    let mut simulation = Simulation::of(ten(), options);
    simulation.pass(Duration::from_secs(3));
    assert_states(&mut simulation, &[(PlaybackStatus::Paused, 1000, false, "")]);
    simulation.stage.subscribers = 1;
    simulation
}

fn for_one() -> PlaybackOptions {
    PlaybackOptions { start_on: StartOn::Clients(1), ..options() }
}

#[test]
fn time_starts_when_no_subscription_has_come_for_a_second() {
    let mut simulation = waiting(for_one());
    for _ in 0..3 {
        simulation.subscribe(1, &[1]);
        simulation.pass(920 * MS);
    }
    assert_eq!(simulation.take_messages(), []);
    simulation.pass(240 * MS);
    assert_eq!(simulation.take_messages(), [(5840, 1000), (5940, 1100)]);
}

#[test]
fn time_starts_five_seconds_after_the_first_subscription_at_the_latest() {
    let mut simulation = waiting(for_one());
    for _ in 0..6 {
        simulation.subscribe(1, &[2]);
        simulation.pass(900 * MS);
    }
    assert_eq!(simulation.take_messages()[0], (8000, 1000));
}

#[test]
fn at_max_a_quarter_of_a_second_is_waited() {
    let mut simulation = waiting(PlaybackOptions { rate: Rate::Max, ..for_one() });
    simulation.subscribe(1, &[1]);
    simulation.pass(200 * MS);
    simulation.subscribe(1, &[2]);
    simulation.pass(300 * MS);
    assert_eq!(simulation.take_messages(), (0..10).map(|n| (3450, 1000 + 100 * n)).collect::<Vec<_>>());
}

#[test]
fn who_asks_for_it_starts_time_at_once() {
    for request in [Command::Play.into(), asked_by(1, "a", PlaybackCommand::Play, 1.0, None)] {
        let mut simulation = waiting(for_one());
        simulation.subscribe(1, &[1]);
        simulation.pass(20 * MS);
        simulation.ask(request);
        simulation.pass(20 * MS);
        assert_eq!(simulation.take_messages(), [(3020, 1000)]);
        simulation.subscribe(1, &[2]);
        simulation.pass(100 * MS);
        assert_eq!(simulation.take_messages(), [(3120, 1100)], "nothing waits any more");
    }
}

#[test]
fn a_number_of_clients_starts_at_once_when_they_are_there() {
    let mut simulation = waiting(PlaybackOptions { start_on: StartOn::Clients(2), ..options() });
    simulation.subscribe(1, &[1]);
    simulation.pass(Duration::from_secs(9));
    assert_eq!(simulation.take_messages(), []);
    simulation.stage.subscribers = 2;
    simulation.subscribe(2, &[1]);
    simulation.pass(MS);
    assert_eq!(simulation.take_messages(), [(12_000, 1000)]);
}
