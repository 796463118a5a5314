use PlaybackStatus::Paused;

use super::*;
use crate::model::{Batch, ChannelId};

#[test]
fn a_slow_client_that_is_not_waited_for_holds_nothing_back() {
    let mut simulation = Simulation::of(ten(), options());
    simulation.stage.room = false;
    simulation.pass(Duration::from_secs(2));
    assert_eq!(simulation.take_times().len(), 10);
    assert_eq!(simulation.stage.policies, [SlowClient::Drop; 10]);
}

#[test]
fn a_slow_client_that_is_waited_for_stops_time_and_messages_keep_their_distances() {
    let mut simulation = Simulation::of(ten(), options());
    simulation.stage.policy = SlowClient::Wait;
    simulation.pass(150 * MS);
    simulation.stage.room = false;
    simulation.take();
    simulation.pass(Duration::from_secs(25));
    assert_eq!((simulation.take_times(), simulation.position()), (vec![], ms(1200)));
    // what is asked meanwhile finds playback where it stands
    assert_eq!(simulation.ask(RateChange::By(2.0)).now().1, 1200);
    simulation.stage.room = true;
    simulation.pass(120 * MS);
    assert_eq!(simulation.take_messages(), [(25150, 1200), (25200, 1300), (25250, 1400)]);
}

#[test]
fn a_pause_while_a_client_is_waited_for_skips_nothing() {
    let mut simulation = Simulation::of(ten(), options());
    simulation.stage.policy = SlowClient::Wait;
    simulation.pass(150 * MS);
    simulation.stage.room = false;
    simulation.pass(Duration::from_secs(25));
    assert_eq!(simulation.ask(Command::Pause).now().1, 1200);
    simulation.stage.room = true;
    simulation.take();
    simulation.ask(Command::Play);
    simulation.pass(210 * MS);
    assert_eq!(simulation.take_messages(), [(25150, 1200), (25250, 1300), (25350, 1400)]);
}

#[test]
fn who_subscribes_while_nothing_is_read_ahead_gets_the_last_message() {
    let mut simulation = Simulation::of(ten(), options());
    simulation.pass(MS);
    simulation.stage.stuck = true;
    simulation.pass(Duration::from_secs(5));
    assert_eq!(simulation.ask(Command::Pause).now().1, 1800, "nine messages had been read");
    simulation.take();
    simulation.subscribe(7, &[1, 2]);
    simulation.stage.stuck = false;
    simulation.pass(MS);
    assert_eq!(simulation.take(), [Sent::Backfill(Some(7), vec![(ms(1700), 2), (ms(1800), 1)])]);
}

#[test]
fn laps_and_the_end_wait_for_no_client() {
    let mut simulation = Simulation::of(ten(), PlaybackOptions { looping: true, ..options() });
    simulation.stage.room = false;
    simulation.pass(Duration::from_secs(2));
    let laps = simulation.take().into_iter().filter(|sent| matches!(sent, Sent::Lap(_))).count();
    assert_eq!(laps, 2);
}

#[test]
fn who_subscribes_while_paused_gets_the_state_before_the_next_message() {
    let mut simulation = Simulation::of(ten(), options());
    simulation.pass(350 * MS);
    simulation.ask(Command::Pause);
    simulation.take();
    simulation.subscribe(7, &[2, 3]);
    simulation.pass(MS);
    assert_eq!(simulation.take(), [Sent::Backfill(Some(7), vec![(ms(1300), 2)])]);
    // who gets everything by itself asks for nothing
    simulation.subscribe(7, &[]);
    simulation.ask(Command::Play);
    simulation.subscribe(8, &[2]);
    simulation.pass(60 * MS);
    assert_states(&mut simulation, &[(PlaybackStatus::Playing, 1350, false, "")]);
    simulation.pass(Duration::from_secs(2));
    simulation.take();
    simulation.subscribe(9, &[1]);
    simulation.pass(MS);
    assert_eq!(simulation.take(), [Sent::Backfill(Some(9), vec![(ms(1800), 1)])], "at the end");
}

#[test]
fn who_subscribes_while_playing_gets_the_last_message() {
    let mut simulation = Simulation::of(ten(), options());
    simulation.pass(350 * MS);
    simulation.take();
    simulation.subscribe(7, &[1, 2]);
    simulation.pass(60 * MS);
    let state = vec![(ms(1200), 1), (ms(1300), 2)];
    assert_eq!(simulation.take(), [Sent::Backfill(Some(7), state), Sent::Message(ms(1400), 1)]);
}

#[test]
fn what_is_published_while_the_reader_looks_makes_the_last_message_before_it_void() {
    let mut simulation = Simulation::of(ten(), options());
    simulation.pass(350 * MS);
    simulation.take();
    simulation.stage.stuck = true;
    simulation.subscribe(7, &[1, 2]);
    simulation.pass(100 * MS);
    simulation.stage.stuck = false;
    simulation.pass(MS);
    let sent = [Sent::Message(ms(1400), 1), Sent::Backfill(Some(7), vec![(ms(1300), 2)])];
    assert_eq!(simulation.take(), sent);
}

#[test]
fn however_often_clients_subscribe_one_request_is_with_the_reader() {
    let mut simulation = Simulation::of(ten(), options());
    simulation.pass(250 * MS);
    simulation.take();
    simulation.stage.stuck = true;
    for _ in 0..100 {
        simulation.subscribe(7, &[1]);
        simulation.subscribe(7, &[2]);
        simulation.subscribe(8, &[2]);
        simulation.pass(MS / 4);
    }
    simulation.stage.stuck = false;
    simulation.pass(MS);
    let sent = simulation.take();
    let backfills = [
        Sent::Backfill(Some(7), vec![(ms(1100), 2), (ms(1200), 1)]),
        Sent::Backfill(Some(8), vec![(ms(1100), 2)]),
        Sent::Backfill(Some(7), vec![(ms(1100), 2), (ms(1200), 1)]),
    ];
    assert_eq!(sent, backfills);
}

#[test]
fn who_subscribes_while_the_reader_seeks_gets_the_state_there() {
    let mut simulation = Simulation::of(ten(), options());
    simulation.pass(50 * MS);
    simulation.stage.stuck = true;
    simulation.subscribe(7, &[1]);
    simulation.pass(MS);
    simulation.ask(Seek::To(ms(1650)));
    simulation.subscribe(8, &[2]);
    simulation.take();
    simulation.stage.stuck = false;
    simulation.pass(60 * MS);
    let all = Sent::Backfill(None, vec![(ms(1500), 2), (ms(1600), 1)]);
    let expected = [all, Sent::Backfill(Some(8), vec![(ms(1500), 2)]), Sent::Message(ms(1700), 2)];
    assert_eq!(simulation.take(), expected);
}

#[test]
fn a_stream_has_no_last_messages_to_look_for() {
    let mut simulation = Simulation::of_stream(options());
    simulation.stage.feed(Some(made_batch(&[(ms(100), 1), (ms(900), 1)], 0, 0)));
    simulation.pass(MS);
    simulation.take();
    simulation.subscribe(7, &[1]);
    simulation.pass(MS);
    simulation.ask(Command::Pause);
    simulation.subscribe(7, &[1]);
    simulation.stage.feed(None);
    simulation.pass(MS);
    let sent = simulation.take();
    assert!(sent.iter().all(|sent| matches!(sent, Sent::State(_))), "{sent:?}");
}

#[test]
fn who_subscribes_before_anything_was_read_gets_no_message_that_is_still_to_come() {
    let mut simulation = Simulation::of(ten(), PlaybackOptions { start_paused: true, ..options() });
    simulation.subscribe(7, &[1, 2]);
    simulation.pass(MS);
    assert_eq!(simulation.take()[1..], [Sent::Backfill(Some(7), vec![])]);
}

#[test]
fn who_subscribes_before_the_start_gets_the_state_there_even_if_that_is_a_pause() {
    for command in [Command::Play, Command::Pause] {
        let options = PlaybackOptions { start_on: StartOn::Clients(1), ..options() };
        let mut simulation = Simulation::within(ten(), ms(1250), options);
        simulation.stage.subscribers = 1;
        simulation.subscribe(7, &[1, 2]);
        simulation.pass(20 * MS);
        simulation.take();
        simulation.ask(command.clone());
        simulation.pass(60 * MS);
        let state = Sent::Backfill(None, vec![(ms(1100), 2), (ms(1200), 1)]);
        let messages = if command == Command::Play { vec![Sent::Message(ms(1300), 2)] } else { vec![] };
        let sent: Vec<_> =
            simulation.take().into_iter().filter(|sent| !matches!(sent, Sent::State(_))).collect();
        assert_eq!(sent, [vec![state], messages].concat());
    }
}

#[test]
fn time_is_sent_while_no_message_is_due_and_seldom_otherwise() {
    let mut messages = ten();
    messages.push((ms(11_900), 1));
    let mut simulation = Simulation::of(messages, options());
    simulation.pass(Duration::from_secs(10));
    let ticks: Vec<_> = std::mem::take(&mut simulation.stage.sent)
        .into_iter()
        .filter_map(|(at, sent)| match sent {
            Sent::Tick(time) => Some((at.as_millis(), time)),
            _ => None,
        })
        .collect();
    assert!(ticks.len() >= 95, "{}", ticks.len());
    assert!(ticks.iter().all(|(at, time)| *time == ms(1000 + u64::try_from(*at).unwrap())), "{ticks:?}");
}

fn announced(id: u32, topic: &str) -> Batch {
    Batch { announcements: vec![channel_named(id, topic)], ..Batch::default() }
}

#[test]
fn channels_of_a_stream_are_retired_when_all_before_is_published() {
    let mut simulation = Simulation::of_stream(options());
    simulation.stage.feed(Some(announced(1, "/a")));
    simulation.stage.feed(Some(made_batch(&[(ms(100), 1), (ms(300), 1)], 0, 0)));
    simulation.stage.feed(Some(Batch { retired: vec![ChannelId(1)], ..announced(2, "/a") }));
    simulation.stage.feed(Some(made_batch(&[(ms(400), 2)], 0, 0)));
    simulation.pass(Duration::from_secs(1));
    let expected = [
        Sent::Announced(vec![1]),
        Sent::Message(ms(100), 1),
        Sent::Message(ms(300), 1),
        Sent::Retired(vec![1]),
        Sent::Announced(vec![2]),
        Sent::Message(ms(400), 2),
    ];
    assert_eq!(simulation.take()[1..], expected);
    assert_eq!(simulation.position(), ms(400), "the next message is not known");
}

#[test]
fn a_stream_is_paused_stepped_and_restarted_but_not_sought() {
    let mut simulation = Simulation::of_stream(options());
    let times = [100_000, 100_100, 100_200, 50, 150].map(|time| (ms(time), 1));
    simulation.stage.feed(Some(made_batch(&times, 0, 0)));
    simulation.pass(50 * MS);
    simulation.take();
    simulation.ask(Seek::To(ms(0)));
    assert_eq!(simulation.ask(Command::Step { count: 1, topic: None }).all(), []);
    simulation.pass(MS);
    assert_states(
        &mut simulation,
        &[(PlaybackStatus::Playing, 100_000, false, ""), (Paused, 100_100, false, "")],
    );
    simulation.ask(Command::Play);
    simulation.pass(Duration::from_secs(1));
    let sent = simulation.take();
    let expected = [
        Sent::Message(ms(100_200), 1),
        Sent::Restart(ms(50)),
        Sent::Message(ms(50), 1),
        Sent::Message(ms(150), 1),
    ];
    assert_eq!(sent[1..], expected);
    assert_eq!(simulation.machine.snapshot(simulation.now).range, None);
    simulation.stage.feed(None);
    simulation.pass(MS);
    assert_states(&mut simulation, &[(PlaybackStatus::Ended, 150, false, "")]);
    simulation.ask(Command::Toggle);
    assert_states(&mut simulation, &[(PlaybackStatus::Ended, 150, false, "")]);
}

#[test]
fn how_late_messages_are_is_told() {
    let mut simulation = Simulation::of(ten(), options());
    simulation.pass(MS);
    simulation.stage.stuck = true;
    simulation.pass(940 * MS);
    assert_eq!(simulation.stage.latest, Duration::ZERO);
    simulation.stage.stuck = false;
    simulation.pass(20 * MS);
    assert_eq!(simulation.take_times().len(), 10);
    assert!(simulation.stage.latest >= 40 * MS, "{:?}", simulation.stage.latest);
}
