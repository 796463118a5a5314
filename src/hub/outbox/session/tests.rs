use bytes::Bytes;
use proptest::prelude::*;

use super::super::tests::{CAMERA, TRANSFORM, batch, push};
use super::super::{Closing, Purge, SlowClient, Taken};
use super::*;
use crate::model::SubscriptionId;

const MS: Duration = Duration::from_millis(1);

/// What a client is handed.
#[derive(Debug, Clone, PartialEq)]
enum Handed {
    Time(u64),
    Session(u8),
    Answer,
    Message(u64),
}

/// A client, and the clock.
struct Simulation {
    outbox: Outbox,
    now: Instant,
    sessions: u8,
}

impl Simulation {
    /// A client that has been sent its first session.
    fn new(limit: usize, sessions: Sessions) -> Self {
        let mut simulation = Self::joining(limit, sessions);
        assert_eq!(simulation.take().0, [NewSession(0)]);
        simulation
    }

    fn joining(limit: usize, sessions: Sessions) -> Self {
        let mut outbox = Outbox::new(limit, sessions);
        for channel in [CAMERA, TRANSFORM] {
            let since = outbox.next_number();
            outbox.subscriptions_mut().insert(SubscriptionId(channel.0), channel, since).unwrap();
        }
        let joined = Encoded::Text(Bytes::from_static(&[0]));
        outbox.push_control(ControlKind::Session, joined);
        Self { outbox, now: Instant::now(), sessions: 0 }
    }

    fn frames(&mut self) -> Arc<[Encoded]> {
        self.sessions += 1;
        [Encoded::Text(Bytes::copy_from_slice(&[self.sessions]))].into()
    }

    fn publish(&mut self, time: u64) {
        push(&mut self.outbox, &batch(&[(CAMERA, time, 10)]), 0..1, SlowClient::Drop);
    }

    fn seek_back(&mut self, time: u64) {
        self.outbox.purge(Purge::Session);
        let frames = self.frames();
        self.outbox.push_session(&frames, Timestamp(time), Cause::Seek);
        self.outbox.push_time_change(Timestamp(time));
    }

    fn seek_forward(&mut self, time: u64) {
        self.outbox.purge(Purge::Seek(Timestamp(time)));
        self.outbox.push_time_change(Timestamp(time));
    }

    fn lap(&mut self, time: u64) {
        let frames = self.frames();
        self.outbox.push_session(&frames, Timestamp(time), Cause::Timeline);
        self.outbox.push_time_change(Timestamp(time));
    }

    fn answer(&mut self) {
        self.outbox.push_control(ControlKind::Other, Encoded::Text(Bytes::from_static(b"answer")));
    }

    fn take_once(&mut self, progress: Progress) -> (Vec<Handed>, Option<Instant>) {
        let Taken { control, item, silent_until, subscriptions, .. } = self.outbox.take(progress, self.now);
        let mut handed: Vec<_> = control.into_iter().map(handed_control).collect();
        match item {
            Some(Item::Messages(part)) => {
                for entry in &part.batch.entries[part.range.clone()] {
                    if subscriptions.wanted(entry.channel, part.number).is_some() {
                        handed.push(Handed::Message(entry.log_time.0));
                    }
                }
            }
            Some(Item::Other(Ordered::Control(control))) => handed.push(handed_control(control)),
            Some(Item::Other(Ordered::Session(session))) => {
                handed.extend(session.into_controls().map(handed_control));
            }
            Some(Item::Other(Ordered::Time(time))) => handed.push(Handed::Time(time.0)),
            None => {}
        }
        (handed, silent_until)
    }

    /// All that may be sent now, and until when the rest has to wait.
    fn take(&mut self) -> (Vec<Handed>, Option<Duration>) {
        let mut all = Vec::new();
        loop {
            let (handed, until) = self.take_once(Progress::Written);
            if handed.is_empty() {
                return (all, until.map(|until| until - self.now));
            }
            all.extend(handed);
        }
    }
}

fn handed_control(control: Control) -> Handed {
    match (control.kind, control.frame) {
        (ControlKind::Time(time), _) => Handed::Time(time.0),
        (ControlKind::Session, Encoded::Text(text)) => Handed::Session(text[0]),
        _ => Handed::Answer,
    }
}

use Handed::{Answer, Message, Session as NewSession, Time};

#[test]
fn a_session_comes_half_a_second_after_all_before_it_is_written() {
    let mut simulation = Simulation::new(1 << 20, Sessions::AfterSilence);
    simulation.publish(9);
    simulation.lap(1);
    simulation.publish(1);
    assert_eq!(simulation.take_once(Progress::Written), (vec![Message(9)], None));
    assert_eq!(simulation.take_once(Progress::InHand), (vec![], None));
    assert_eq!(simulation.take_once(Progress::Encoded), (vec![Time(1)], None));
    simulation.now += 3000 * MS;
    assert_eq!(simulation.take_once(Progress::Encoded), (vec![], None), "a slow client has not been sent it");
    let end = simulation.now + SILENCE;
    assert_eq!(simulation.take_once(Progress::Written), (vec![], Some(end)));
    simulation.answer();
    simulation.now = end - MS;
    assert_eq!(simulation.take(), (vec![Answer], Some(MS)), "answers are sent meanwhile");
    assert!(simulation.outbox.has_room(usize::MAX) && !simulation.outbox.is_drained());
    simulation.now = end;
    assert_eq!(simulation.take(), (vec![NewSession(1), Time(1), Message(1)], None));
}

#[test]
fn several_seeks_back_make_one_session_two_seconds_after_the_last() {
    let mut simulation = Simulation::new(1 << 20, Sessions::AfterSilence);
    let mut begun = Vec::new();
    let start = simulation.now;
    for number in 0..100 {
        // one in 100 ms, for ten seconds
        let time = 1000 - number;
        simulation.seek_back(time);
        assert_eq!(simulation.take().0, [Time(time)], "at once, in the session that still is");
        simulation.publish(time);
        simulation.now += 100 * MS;
        assert_eq!(simulation.take().0, []);
    }
    for _ in 0..20 {
        simulation.now += 100 * MS;
        let (handed, _) = simulation.take();
        if !handed.is_empty() {
            begun.push((simulation.now - start, handed));
        }
    }
    let last = (10_400 * MS, vec![NewSession(100), Time(901), Message(901)]);
    assert_eq!(begun, [last]);
    // the next one is two seconds after that
    simulation.now = start + 11_000 * MS;
    simulation.seek_back(5);
    assert_eq!(simulation.take(), (vec![Time(5)], Some(1400 * MS)));
    simulation.now += 1400 * MS;
    assert_eq!(simulation.take(), (vec![NewSession(101), Time(5)], None));
}

#[test]
fn a_seek_forward_leaves_the_session_that_is_waited_for() {
    let mut simulation = Simulation::new(1 << 20, Sessions::AfterSilence);
    simulation.seek_back(5);
    simulation.publish(5);
    assert_eq!(simulation.take(), (vec![Time(5)], Some(SILENCE)));
    simulation.now += 300 * MS;
    simulation.seek_forward(8);
    simulation.publish(8);
    assert_eq!(simulation.take(), (vec![], Some(200 * MS)));
    simulation.now += 200 * MS;
    assert_eq!(simulation.take(), (vec![NewSession(1), Time(8), Message(8)], None));
    // the same while messages before the session have not been sent
    simulation.publish(9);
    simulation.lap(1);
    simulation.seek_forward(4);
    assert_eq!(simulation.take(), (vec![Time(4)], Some(SILENCE)));
    simulation.now += SILENCE;
    assert_eq!(simulation.take(), (vec![NewSession(2), Time(4)], None));
    simulation.seek_forward(6);
    assert_eq!(simulation.take(), (vec![Time(6)], None));
}

#[test]
fn who_knows_playback_states_waits_for_nothing() {
    let mut simulation = Simulation::new(1 << 20, Sessions::AtOnce);
    simulation.publish(9);
    simulation.lap(1);
    simulation.publish(1);
    assert_eq!(simulation.take(), (vec![Message(9), NewSession(1), Time(1), Message(1)], None));
    // the same from the first request on
    let mut simulation = Simulation::new(1 << 20, Sessions::AfterSilence);
    simulation.seek_back(5);
    simulation.publish(5);
    assert_eq!(simulation.take(), (vec![Time(5)], Some(SILENCE)));
    simulation.outbox.begin_sessions_at_once();
    assert_eq!(simulation.take(), (vec![NewSession(1), Time(5), Message(5)], None));
    let mut simulation = Simulation::new(1 << 20, Sessions::AfterSilence);
    simulation.seek_back(5);
    simulation.publish(5);
    simulation.outbox.begin_sessions_at_once();
    simulation.seek_forward(7);
    assert_eq!(simulation.take(), (vec![NewSession(1), Time(7)], None));
}

#[test]
fn a_close_ends_the_silence() {
    for drain in [true, false] {
        let mut simulation = Simulation::new(1 << 20, Sessions::AfterSilence);
        simulation.seek_back(5);
        simulation.publish(5);
        assert_eq!(simulation.take(), (vec![Time(5)], Some(SILENCE)));
        let closing = Closing { code: 1000, reason: "end", drain };
        simulation.outbox.close(closing.clone());
        assert_eq!(simulation.take(), (vec![NewSession(1), Time(5), Message(5)], None));
        assert_eq!(simulation.outbox.take(Progress::Written, simulation.now).closing, Some(closing));
    }
}

#[test]
fn who_has_no_session_yet_gets_the_new_one_instead_at_once() {
    let mut simulation = Simulation::joining(1 << 20, Sessions::AfterSilence);
    simulation.seek_back(5);
    simulation.seek_back(4);
    simulation.publish(4);
    assert_eq!(simulation.take(), (vec![NewSession(2), Time(4), Message(4)], None));
    // a lap makes nothing obsolete
    let mut simulation = Simulation::joining(1 << 20, Sessions::AfterSilence);
    simulation.lap(1);
    assert_eq!(simulation.take(), (vec![NewSession(0), Time(1)], Some(SILENCE)));
}

#[test]
fn what_waits_for_a_session_keeps_the_budget_and_the_policy() {
    let limit = 4000;
    let mut simulation = Simulation::new(limit, Sessions::AfterSilence);
    simulation.seek_back(5);
    simulation.take();
    let mut lost = 0;
    for time in 0..100 {
        let messages = batch(&[(CAMERA, time, 500)]);
        lost += push(&mut simulation.outbox, &messages, 0..1, SlowClient::Drop).unwrap();
        assert!(simulation.outbox.data.bytes() <= 2 * limit);
        assert_eq!(simulation.take().0, []);
    }
    simulation.now += SILENCE;
    let (handed, _) = simulation.take();
    assert_eq!((&handed[..2], handed.last()), (&[NewSession(1), Time(5)][..], Some(&Message(99))));
    assert_eq!(handed.len() as u64 - 2 + lost, 100);

    simulation.seek_back(5);
    let mut pushed = 0;
    while simulation.outbox.has_room(usize::MAX) {
        push(&mut simulation.outbox, &batch(&[(CAMERA, pushed, 500)]), 0..1, SlowClient::Wait);
        pushed += 1;
    }
    assert_eq!(simulation.take().0, [Time(5)]);
    assert!(!simulation.outbox.has_room(usize::MAX), "whoever publishes waits");
    simulation.now += 2 * SEEK_INTERVAL;
    assert_eq!(simulation.take().0.len() as u64, 2 + pushed);
    assert!(simulation.outbox.has_room(usize::MAX));
}

#[test]
fn who_waits_for_a_session_is_not_behind() {
    let mut simulation = Simulation::new(1 << 20, Sessions::AfterSilence);
    simulation.seek_back(5);
    simulation.publish(5);
    simulation.take();
    simulation.now += SILENCE;
    simulation.take();
    simulation.seek_back(4);
    simulation.publish(4);
    simulation.take();
    simulation.now += 1900 * MS;
    assert!(!simulation.outbox.is_behind(simulation.now));
    simulation.now += 1200 * MS;
    assert!(simulation.outbox.is_behind(simulation.now), "it does not read");
}

#[derive(Debug, Clone)]
enum Step {
    Publish,
    SeekBack,
    SeekForward,
    Lap,
    Answer,
    Pass(u64),
    Take,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => Just(Step::Publish),
        1 => Just(Step::SeekBack),
        1 => Just(Step::SeekForward),
        1 => Just(Step::Lap),
        1 => Just(Step::Answer),
        4 => (0u64..700).prop_map(Step::Pass),
        4 => Just(Step::Take),
    ]
}

proptest! {
    /// Whatever happens: half a second without data before each session, and what is published comes in its session,
    /// in order, and all of it that no seek has made obsolete.
    #[test]
    fn nothing_comes_in_the_silence_and_nothing_in_the_wrong_session(
        steps in proptest::collection::vec(step(), 1..200)
    ) {
        let mut simulation = Simulation::new(1 << 20, Sessions::AfterSilence);
        let (mut last_data, mut session) = (None::<Instant>, 0);
        let (mut published, mut got) = (Vec::new(), Vec::new());
        for (number, step) in (1u64..).zip(steps.into_iter().chain([Step::Pass(3000), Step::Take])) {
            match step {
                Step::Publish => {
                    simulation.publish(number);
                    published.push((simulation.sessions, number));
                }
                Step::SeekBack => {
                    simulation.seek_back(number);
                    published.clear();
                    got.clear();
                }
                Step::SeekForward => {
                    simulation.seek_forward(number);
                    published.clear();
                    got.clear();
                }
                Step::Lap => simulation.lap(number),
                Step::Answer => simulation.answer(),
                Step::Pass(time) => {
                    simulation.now += u32::try_from(time).unwrap() * MS;
                }
                Step::Take => loop {
                    let (handed, until) = simulation.take();
                    for handed in handed {
                        match handed {
                            Answer => {}
                            Time(_) => last_data = Some(simulation.now),
                            NewSession(new) => {
                                prop_assert!(last_data.is_none_or(|last| simulation.now - last >= SILENCE));
                                session = new;
                            }
                            Message(time) => {
                                last_data = Some(simulation.now);
                                got.push((session, time));
                            }
                        }
                    }
                    let Some(until) = until else { break };
                    simulation.now += until;
                },
            }
        }
        prop_assert_eq!(got, published);
        prop_assert_eq!(session, simulation.sessions);
    }
}
