use super::*;
use crate::source::SourceError;

#[test]
fn a_reader_that_keeps_failing_is_asked_seldom_and_playback_stands_meanwhile() {
    let mut simulation =
        Simulation::of((0..60).map(|number| (ms(1000 + 100 * number), 1)).collect(), options());
    simulation.pass(50 * MS);
    simulation.stage.broken = true;
    simulation.take();
    simulation.pass(Duration::from_secs(60));
    assert!(simulation.stage.failures < 30, "{} attempts", simulation.stage.failures);
    let stands = simulation.position();
    let sent = simulation.take();
    let notices = sent.iter().filter(|sent| matches!(sent, Sent::Notice(_))).count();
    assert!((1..=3).contains(&notices), "{notices} notices");
    let last = sent.iter().rev().find_map(|sent| match sent {
        Sent::Message(time, _) => Some(*time),
        _ => None,
    });
    assert_eq!(Some(stands), last, "after all that had been read");
    simulation.stage.broken = false;
    simulation.pass(Duration::from_millis(5200));
    let played = simulation.take_messages();
    assert!(played.len() > 1, "{played:?}");
    assert!(played.windows(2).all(|pair| pair[1].0 - pair[0].0 == 100), "distances: {played:?}");
    // the next failure pauses for the shortest time again
    simulation.stage.broken = true;
    simulation.ask(Seek::To(ms(1000)));
    simulation.stage.failures = 0;
    simulation.pass(5 * MS);
    simulation.stage.broken = false;
    simulation.take();
    simulation.pass(10 * MS);
    assert_eq!(simulation.take_times(), [1000]);
}

#[test]
fn an_outage_shorter_than_what_was_read_ahead_holds_nothing_up() {
    let mut simulation = Simulation::of(ten(), options());
    simulation.pass(150 * MS);
    simulation.stage.broken = true;
    simulation.pass(100 * MS);
    assert!(simulation.stage.failures > 2, "a batch is needed");
    simulation.stage.broken = false;
    simulation.pass(Duration::from_secs(1));
    let expected: Vec<_> = (0..10).map(|number| (100 * u128::from(number), 1000 + 100 * number)).collect();
    assert_eq!(simulation.take_messages(), expected);
}

#[test]
fn damage_is_left_out_and_the_rest_is_played_at_once() {
    let mut simulation = Simulation::of(ten(), options());
    simulation.pass(MS);
    simulation.take();
    let damaged = SourceError::Damaged { name: "test".into(), offset: 7, reason: "is torn".into() };
    simulation.stage.fail_once = Some(damaged);
    simulation.pass(Duration::from_secs(1));
    let sent = simulation.take();
    let notices = sent.iter().filter(|sent| matches!(sent, Sent::Notice(text) if text.contains("damaged")));
    assert_eq!(notices.count(), 1, "{sent:?}");
    assert_eq!(sent.iter().filter(|sent| matches!(sent, Sent::Message(..))).count(), 9);
}

#[test]
fn a_state_that_can_not_be_read_is_told_and_playback_goes_on() {
    let mut simulation = Simulation::of(ten(), options());
    simulation.pass(50 * MS);
    simulation.take();
    simulation.stage.fail_state = true;
    simulation.ask(Seek::To(ms(1500)));
    for _ in ["the failure", "what could be read"] {
        let event = simulation.stage.answer().unwrap();
        simulation.machine.on_read(event, &mut simulation.stage, simulation.now);
    }
    // the batches that were asked for with it still count
    simulation.machine.advance(&mut simulation.stage, simulation.now);
    simulation.pass(210 * MS);
    let sent = simulation.take();
    assert!(matches!(&sent[1], Sent::Notice(_)), "{sent:?}");
    let messages = sent.iter().filter(|sent| matches!(sent, Sent::Message(..))).count();
    assert_eq!((messages, simulation.position()), (3, ms(1710)));
}

#[test]
fn a_stream_that_breaks_is_played_to_there_and_ends_with_the_error() {
    let mut simulation = Simulation::of_stream(options());
    simulation.stage.feed(Some(made_batch(&[(ms(100), 1), (ms(200), 1)], 0, 0)));
    simulation.pass(MS);
    let nonsense = SourceError::Unusable { name: "stdin".into(), reason: "is nonsense".into() };
    simulation.stage.fail_once = Some(nonsense);
    simulation.pass(Duration::from_secs(1));
    let sent = simulation.take();
    assert_eq!(sent.last(), Some(&Sent::Finished(Err("stdin: is nonsense".into()))));
    assert!(sent.contains(&Sent::Message(ms(200), 1)));
}
