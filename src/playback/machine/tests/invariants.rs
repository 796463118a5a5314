//! Whatever is asked, read and waited for in whatever order: the simulation checks what must hold (see there).

use proptest::prelude::*;

use super::*;
use crate::hub::capability::playback::{LoopChange, RangeChange};
use crate::time::TimeRange;

#[derive(Debug, Clone)]
enum Act {
    Pass(u64),
    Ask(Box<PlaybackRequest>),
    Stuck(bool),
    Broken(bool),
    Room(bool),
    LapsAreSessions(bool),
    Subscribe(u64),
    WallSet(i64),
}

fn time() -> impl Strategy<Value = u64> {
    900u64..3200
}

fn request() -> impl Strategy<Value = PlaybackRequest> {
    let by = prop_oneof![
        Just(Asker::Program),
        (0u64..3).prop_map(|client| Asker::Client {
            client: ClientId::from_token(client),
            request_id: "id".into()
        }),
    ];
    let range = prop_oneof![
        4 => Just(None),
        1 => (time(), time()).prop_map(|(start, end)| {
            Some(RangeChange::To(TimeRange { start: ms(start), end: ms(end) }))
        }),
        1 => Just(Some(RangeChange::Whole)),
    ];
    let seek = prop_oneof![
        3 => Just(None),
        2 => time().prop_map(|to| Some(Seek::To(ms(to)))),
        1 => (-2_000_000_000i64..2_000_000_000).prop_map(|by| Some(Seek::By(by))),
    ];
    let rate = prop_oneof![
        3 => Just(None),
        1 => prop_oneof![Just(0.5), Just(1.0), Just(7.0)].prop_map(|rate| Some(RateChange::To(Rate::Times(rate)))),
        1 => Just(Some(RateChange::To(Rate::Max))),
        1 => Just(Some(RateChange::By(0.5))),
    ];
    let looping = prop_oneof![4 => Just(None), 1 => any::<bool>().prop_map(|on| Some(LoopChange::To(on)))];
    let command = prop_oneof![
        2 => Just(None),
        2 => Just(Some(Command::Play)),
        1 => Just(Some(Command::Pause)),
        1 => Just(Some(Command::Toggle)),
        1 => (0u32..5, any::<bool>()).prop_map(|(count, odd)| {
            Some(Command::Step { count, topic: odd.then(|| "/odd".to_owned()) })
        }),
    ];
    (by, range, seek, rate, looping, command).prop_map(|(by, range, seek, rate, looping, command)| {
        PlaybackRequest { by, range, seek, rate, looping, command }
    })
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        6 => (0u64..700).prop_map(Act::Pass),
        6 => request().prop_map(|request| Act::Ask(Box::new(request))),
        1 => any::<bool>().prop_map(Act::Stuck),
        1 => any::<bool>().prop_map(Act::Broken),
        1 => any::<bool>().prop_map(Act::Room),
        1 => any::<bool>().prop_map(Act::LapsAreSessions),
        1 => (0u64..3).prop_map(Act::Subscribe),
        1 => (-2i64..2).prop_map(|seconds| Act::WallSet(seconds * 1_000_000_000)),
    ]
}

fn any_options() -> impl Strategy<Value = PlaybackOptions> {
    (any::<bool>(), any::<bool>(), any::<bool>()).prop_map(|(looping, start_paused, shifted)| {
        PlaybackOptions {
            looping,
            start_paused,
            shift: if shifted { TimeShift::Now } else { TimeShift::Off },
            ..options()
        }
    })
}

proptest! {
    #[test]
    fn nothing_breaks_the_rules(
        gaps in proptest::collection::vec(0u64..300, 1..20),
        options in any_options(),
        waits in any::<bool>(),
        acts in proptest::collection::vec(act(), 1..60),
    ) {
        let mut now = 1000;
        let messages = gaps.iter().enumerate().map(|(number, gap)| {
            now += gap;
            (ms(now), 1 + u32::try_from(number % 2).unwrap())
        });
        let mut simulation = Simulation::of(messages.collect(), options);
        simulation.stage.policy = if waits { SlowClient::Wait } else { SlowClient::Drop };
        let mut answers: Vec<Answer> = Vec::new();
        let mut of_clients = 0;
        for act in acts {
            match act {
                Act::Pass(time) => simulation.pass(Duration::from_millis(time)),
                Act::Ask(request) => {
                    let is_client = request.by != Asker::Program;
                    let is_step = matches!(request.command, Some(Command::Step { .. }));
                    // the protocol has no steps
                    let request = if is_client && is_step { PlaybackRequest { command: None, ..*request } } else { *request };
                    of_clients += usize::from(is_client);
                    answers.push(simulation.ask(request));
                }
                Act::Stuck(stuck) => simulation.stage.stuck = stuck,
                Act::Broken(broken) => simulation.stage.broken = broken,
                Act::Room(room) => simulation.stage.room = room,
                Act::LapsAreSessions(are) => simulation.stage.laps_are_sessions = are,
                Act::Subscribe(client) => simulation.subscribe(client, &[1, 2]),
                Act::WallSet(nanos) => simulation.stage.wall_offset = nanos,
            }
        }
        simulation.stage.stuck = false;
        simulation.stage.broken = false;
        simulation.stage.room = true;
        simulation.pass(Duration::from_secs(10));
        for answer in &answers {
            let all = answer.all();
            prop_assert!(matches!(all[..], [Ok(_)]), "{:?}", all);
        }
        let states = simulation.take_states();
        let with_id = states.iter().filter(|state| state.3 == "id").count();
        prop_assert_eq!(with_id, of_clients, "one state for each request of a client");
    }
}
