use super::*;
use crate::hub::capability::playback::RangeChange;
use crate::time::TimeRange;

/// Messages at 0, 1, 300 and 301 s.
fn with_a_gap() -> Vec<(Timestamp, u32)> {
    [0, 1000, 300_000, 301_000].map(|time| (ms(time), 1)).to_vec()
}

/// Playback of them that waits at 1 s.
fn waiting() -> Simulation {
    let mut simulation = Simulation::of(with_a_gap(), options());
    simulation.pass(2000 * MS);
    assert!(simulation.is_shown());
    simulation.take();
    simulation
}

impl Simulation {
    /// Whether clients are shown that playback waits.
    fn is_shown(&self) -> bool {
        !self.stage.conditions.is_empty()
    }

    /// When that was shown and cleared, in seconds since the start.
    fn take_conditions(&mut self) -> Vec<(u64, bool)> {
        let sent = std::mem::take(&mut self.stage.sent).into_iter();
        sent.filter_map(|(at, sent)| match sent {
            Sent::Shown(_) => Some((at.as_secs(), true)),
            Sent::Cleared(_) => Some((at.as_secs(), false)),
            _ => None,
        })
        .collect()
    }
}

#[test]
fn a_wait_of_more_than_a_minute_is_shown_from_its_beginning_to_its_end() {
    let mut simulation = Simulation::of(with_a_gap(), options());
    simulation.pass(Duration::from_secs(400));
    assert_eq!(simulation.take_conditions(), [(1, true), (300, false)]);
}

#[test]
fn a_wait_in_a_stream_is_shown_as_well() {
    let mut simulation = Simulation::of_stream(options());
    simulation.stage.feed(Some(made_batch(&with_a_gap(), 0, 0)));
    simulation.pass(Duration::from_secs(400));
    assert_eq!(simulation.take_conditions(), [(1, true), (300, false)]);
}

#[test]
fn what_counts_is_the_wait_at_the_speed_of_now() {
    let mut simulation =
        Simulation::of(with_a_gap(), PlaybackOptions { rate: Rate::Times(6.0), ..options() });
    simulation.pass(10_000 * MS);
    assert!(!simulation.is_shown(), "50 s");
    simulation.ask(RateChange::To(Rate::Times(1.0)));
    simulation.pass(MS);
    assert!(simulation.is_shown());
    simulation.ask(RateChange::To(Rate::Times(2.0)));
    simulation.pass(MS);
    assert!(simulation.is_shown());
    simulation.ask(RateChange::To(Rate::Times(100.0)));
    simulation.pass(MS);
    assert!(!simulation.is_shown(), "the rest takes 3 s");
    assert_eq!(simulation.take_conditions(), [(10, true), (10, false)], "shown once");
}

#[test]
fn a_gap_that_is_skipped_is_not_shown() {
    let skip_gaps = Some(Duration::from_secs(5));
    let mut simulation = Simulation::of(with_a_gap(), PlaybackOptions { skip_gaps, ..options() });
    simulation.pass(Duration::from_secs(400));
    assert_eq!(simulation.take_conditions(), []);
}

#[test]
fn a_pause_or_a_step_ends_the_wait_and_playing_begins_another() {
    for command in [Command::Pause, Command::Step { count: 1, topic: None }] {
        let mut simulation = waiting();
        simulation.ask(command.clone());
        assert!(!simulation.is_shown(), "{command:?}");
        simulation.pass(MS);
        assert!(!simulation.is_shown(), "{command:?}");
    }
    let mut simulation = waiting();
    simulation.ask(Command::Pause);
    simulation.ask(Command::Play);
    simulation.pass(MS);
    assert!(simulation.is_shown());
}

#[test]
fn a_seek_ends_the_wait() {
    let mut simulation = waiting();
    simulation.ask(Seek::To(ms(295_000)));
    assert!(!simulation.is_shown());
    simulation.pass(MS);
    assert!(!simulation.is_shown());
    simulation.ask(Seek::To(ms(100_000)));
    simulation.pass(MS);
    assert!(simulation.is_shown(), "here it takes 200 s");
}

#[test]
fn the_end_and_a_lap_end_the_wait() {
    for looping in [false, true] {
        let mut simulation = Simulation::of(with_a_gap(), PlaybackOptions { looping, ..options() });
        simulation.pass(2000 * MS);
        assert!(simulation.is_shown());
        // nothing is left of what is played then
        simulation.ask(RangeChange::To(TimeRange { start: ms(0), end: ms(10_000) }));
        simulation.pass(500 * MS);
        assert!(!simulation.is_shown(), "{looping}");
    }
}
