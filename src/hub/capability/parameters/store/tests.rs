use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

use super::held::{MOST, MOST_BYTES};
use super::*;
use crate::hub::SlowClient;
use crate::hub::capability::parameters::ParameterAccess;
use crate::hub::testing::{Sent, Viewer, hub};
use crate::protocol::{GetParameters, ParameterType, ParameterValues, ServerMessage, SetParameters};
use crate::time::Timestamp;

fn store() -> (Hub, ParameterStore) {
    let hub = hub(SlowClient::Drop);
    let store = hub.parameters().unwrap();
    (hub, store)
}

fn follower(hub: &Hub) -> Viewer {
    let mut viewer = Viewer::join(hub);
    viewer.client.follow_parameters(Vec::new()).unwrap();
    viewer.news();
    viewer
}

fn values(parameters: Vec<Parameter>, id: Option<&str>) -> Sent {
    Sent::Other(ServerMessage::ParameterValues(ParameterValues { parameters, id: id.map(str::to_owned) }))
}

fn float(name: &str, value: f64) -> Parameter {
    Parameter::float64(name, value).unwrap()
}

/// Sets parameters as a client, and returns what it is sent then.
fn set(viewer: &mut Viewer, parameters: Vec<Parameter>, id: Option<&str>) -> Vec<Sent> {
    viewer.client.set_parameters(SetParameters { parameters, id: id.map(str::to_owned) }).unwrap();
    viewer.news()
}

fn get(viewer: &mut Viewer, names: &[&str], id: Option<&str>) -> Vec<Sent> {
    let parameter_names = names.iter().map(|name| (*name).to_owned()).collect();
    viewer.client.get_parameters(GetParameters { parameter_names, id: id.map(str::to_owned) }).unwrap();
    viewer.news()
}

/// The text of the only status.
fn error(sent: &[Sent]) -> &str {
    let statuses: Vec<_> = sent.iter().filter(|sent| matches!(sent, Sent::Status(_))).collect();
    let [Sent::Status(status)] = &statuses[..] else { panic!("{sent:?}") };
    assert_eq!(status.level, crate::protocol::Level::Error);
    &status.message
}

#[test]
fn an_empty_get_has_all_parameters_and_the_id() {
    let (hub, store) = store();
    for spec in [ParameterSpec::new("b", true), ParameterSpec::new("a", 1), ParameterSpec::float64("c", 2.0)]
    {
        store.declare(spec).unwrap();
    }
    let mut viewer = Viewer::join(&hub);
    viewer.news();
    let (a, b, c) = (Parameter::new("a", 1), Parameter::new("b", true), float("c", 2.0));
    let id = Some("get-all-params");
    assert_eq!(get(&mut viewer, &[], id), [values(vec![a.clone(), b, c], id)]);
    assert_eq!(get(&mut viewer, &["a", "none", "a"], None), [values(vec![a], None)]);
}

#[test]
fn a_change_reaches_who_follows_it_the_setter_first_by_what_has_changed_then_by_its_answer() {
    let (hub, store) = store();
    store.declare(ParameterSpec::new("x", 1)).unwrap();
    let (mut setter, mut other) = (follower(&hub), follower(&hub));
    let x = |value: i64| Parameter::new("x", value);
    let sent = set(&mut setter, vec![x(2)], Some("s"));
    assert_eq!(sent, [values(vec![x(2)], None), values(vec![x(2)], Some("s"))]);
    assert_eq!(other.news(), [values(vec![x(2)], None)]);
    assert_eq!(set(&mut setter, vec![x(2)], Some("t")), [values(vec![x(2)], Some("t"))], "nothing changes");
    assert_eq!(set(&mut setter, vec![x(3)], None), [values(vec![x(3)], None)], "no id, no answer");
    store.set("x", 4).unwrap();
    assert!(store.set("x", 4).is_ok());
    assert_eq!(setter.news(), [values(vec![x(4)], None)]);
    assert_eq!(store.get("x"), Some(x(4)));
}

#[test]
fn a_parameter_keeps_its_type() {
    let (hub, store) = store();
    let list = |items: &[i64]| Parameter::new("list", items.to_vec());
    store.declare(float("float", 2.5)).unwrap();
    store.declare(Parameter::new("integer", 5)).unwrap();
    store.declare(Parameter::new("text", "a")).unwrap();
    store.declare(Parameter::byte_array("bytes", &[1, 200])).unwrap();
    store.declare(list(&[1, 2])).unwrap();
    let floats = vec![ParameterValue::from(1), ParameterValue::float(0.5).unwrap()];
    store.declare(Parameter::new("floats", floats)).unwrap();
    assert_eq!(store.get("floats").unwrap().parameter_type, Some(ParameterType::Float64Array));
    let mut viewer = follower(&hub);
    let mut becomes = |wanted: Parameter, holds: Parameter| {
        let sent = set(&mut viewer, vec![wanted], Some("s"));
        assert_eq!(sent.last(), Some(&values(vec![holds], Some("s"))));
        sent.iter().find_map(|sent| match sent {
            Sent::Status(status) => Some(status.message.clone()),
            _ => None,
        })
    };
    // a viewer writes 7.0 as 7
    let typed = |parameter_type, value: i64| {
        let value = Some(value.into());
        Parameter { name: "float".to_owned(), parameter_type, value }
    };
    assert_eq!(becomes(typed(Some(ParameterType::Float64), 7), float("float", 7.0)), None);
    assert_eq!(becomes(typed(None, 8), float("float", 8.0)), None);
    assert_eq!(becomes(float("integer", 7.0), Parameter::new("integer", 7)), None);
    let why = becomes(float("integer", 7.5), Parameter::new("integer", 7)).unwrap();
    assert_eq!(why, "parameter integer can't be 7.5: it must be an integer");
    let why = becomes(Parameter::new("float", "fast"), float("float", 8.0)).unwrap();
    assert_eq!(why, "parameter float can't be \"fast\": it must be a number");
    let why = becomes(Parameter::byte_array("text", b"ab"), Parameter::new("text", "a")).unwrap();
    assert!(why.contains("it must be text"), "{why}");
    let why = becomes(Parameter::new("bytes", "no!"), Parameter::byte_array("bytes", &[1, 200])).unwrap();
    assert!(why.contains("it must be bytes in base64"), "{why}");
    assert_eq!(becomes(Parameter::new("bytes", "AQ=="), Parameter::byte_array("bytes", &[1])), None);
    assert_eq!(becomes(list(&[]), list(&[])), None);
    let why = becomes(Parameter::new("list", vec!["a"]), list(&[])).unwrap();
    assert!(why.contains("a list, each item an integer"), "{why}");
}

#[test]
fn bounds_choices_and_what_is_read_only_are_kept_and_the_setter_gets_what_holds() {
    let (hub, store) = store();
    store.declare(ParameterSpec::float64("gain", 2.0).range(0.0..=10.0)).unwrap();
    store.declare(ParameterSpec::new("mode", "auto").choices(["auto", "manual"])).unwrap();
    store.declare(ParameterSpec::new("serial", 1).access(ParameterAccess::ReadOnly)).unwrap();
    store.declare(ParameterSpec::new("pair", vec![1, 2]).max(5.0)).unwrap();
    let mut viewer = follower(&hub);
    for (wanted, holds, why) in [
        (
            float("gain", 11.0),
            float("gain", 2.0),
            "parameter gain can't be 11.0: the most that it can be is 10",
        ),
        (
            Parameter::new("mode", "off"),
            Parameter::new("mode", "auto"),
            "parameter mode can't be \"off\": it must be one of \"auto\", \"manual\"",
        ),
        (
            Parameter::new("serial", 2),
            Parameter::new("serial", 1),
            "parameter serial can't be 2: clients may only read it",
        ),
        (
            Parameter::new("pair", vec![1, 6]),
            Parameter::new("pair", vec![1, 2]),
            "parameter pair can't be [1,6]: the most that it can be is 5",
        ),
        (
            Parameter::unset("mode"),
            Parameter::new("mode", "auto"),
            "parameter mode can't be removed: clients may set it, but not remove it",
        ),
    ] {
        let sent = set(&mut viewer, vec![wanted], Some("s"));
        assert_eq!(error(&sent), why);
        // the first is for viewers that give no id
        assert_eq!(sent[1..], [values(vec![holds.clone()], None), values(vec![holds], Some("s"))]);
    }
    let sent = set(&mut viewer, vec![Parameter::new("mode", "manual")], None);
    assert_eq!(sent, [values(vec![Parameter::new("mode", "manual")], None)]);
    store.set("serial", 2).unwrap();
    let too_much = store.set_float64("gain", 10.5).unwrap_err().to_string();
    assert_eq!(too_much, "parameter gain can't be 10.5: the most that it can be is 10");
    assert!(store.set_float64("gain", f64::NAN).is_err());
}

#[test]
fn parameters_that_are_not_declared_are_refused_unless_the_program_takes_them() {
    let (hub, store) = store();
    let mut viewer = follower(&hub);
    let note = Parameter::new("note", "hi");
    let sent = set(&mut viewer, vec![note.clone()], Some("s"));
    assert_eq!(error(&sent), "there is no parameter note");
    assert_eq!(sent.last(), Some(&values(Vec::new(), Some("s"))));
    store.new_parameters(NewParameters::Added);
    let sent = set(&mut viewer, vec![note.clone()], Some("s"));
    assert_eq!(sent, [values(vec![note.clone()], None), values(vec![note], Some("s"))]);
    let sent = set(&mut viewer, vec![Parameter::unset("note")], Some("s"));
    assert_eq!(sent, [values(vec![Parameter::unset("note")], None), values(Vec::new(), Some("s"))]);
    assert_eq!(store.all(), []);
    assert_eq!(store.0.state.lock().unwrap().bytes, 0);
}

#[test]
fn listeners_learn_who_changed_what_in_order_and_may_set_it_back() {
    let (hub, store) = store();
    store.declare(Parameter::new("x", 1)).unwrap();
    let (sender, changes) = channel();
    let again = store.clone();
    store.on_change(move |change| {
        sender.send(change.clone()).unwrap();
        if matches!(change.by, ChangedBy::Client(_)) {
            again.set("x", 1).unwrap();
        }
    });
    let mut viewer = follower(&hub);
    let x = |value: i64| Parameter::new("x", value);
    let sent = set(&mut viewer, vec![x(2)], None);
    assert_eq!(sent, [values(vec![x(2)], None), values(vec![x(1)], None)]);
    let client = ChangedBy::Client(viewer.client.id());
    let expected = [(x(2), client), (x(1), ChangedBy::Program)];
    let said: Vec<_> = changes.try_iter().map(|change| (change.parameter, change.by)).collect();
    assert_eq!(said, expected);
    assert!(store.remove("x") && !store.remove("x"));
    let removed = changes.try_iter().next().unwrap();
    assert_eq!(removed, ParameterChange { parameter: Parameter::unset("x"), by: ChangedBy::Program });
}

#[test]
fn a_listener_or_a_handler_that_panics_costs_nobody_else() {
    let (hub, store) = store();
    store.declare(Parameter::new("x", 1)).unwrap();
    store.declare_handled(Parameter::new("y", 1), |_request, _answer| panic!("with a fault")).unwrap();
    store.on_change(|_change| panic!("a listener with a fault"));
    let (sender, changes) = channel();
    store.on_change(move |change| sender.send(change.parameter.clone()).unwrap());
    let mut viewer = follower(&hub);
    let both = vec![Parameter::new("y", 2), Parameter::new("x", 2)];
    let sent = set(&mut viewer, both, Some("s"));
    let holds = vec![Parameter::new("x", 2), Parameter::new("y", 1)];
    assert_eq!(sent.last(), Some(&values(holds, Some("s"))), "{sent:?}");
    store.set("x", 3).unwrap();
    assert_eq!(changes.try_iter().count(), 2);
}

type Asked = (ParameterRequest, Responder<Result<(), String>>);

fn handled(store: &ParameterStore) -> Receiver<Asked> {
    let (sender, asked) = channel();
    let spec = ParameterSpec::float64("rate", 1.0).range(0.01..=1000.0);
    store.declare_handled(spec, move |request, answer| sender.send((request, answer)).unwrap()).unwrap();
    asked
}

#[test]
fn a_handler_carries_out_what_is_set_and_the_answer_waits_for_it() {
    let (hub, store) = store();
    let asked = handled(&store);
    store.declare(Parameter::new("x", 1)).unwrap();
    let mut viewer = follower(&hub);
    let both = vec![Parameter::new("rate", 7), Parameter::new("x", 2)];
    assert_eq!(set(&mut viewer, both, Some("s")), [values(vec![Parameter::new("x", 2)], None)]);
    let (request, answer) = asked.recv().unwrap();
    assert_eq!(request.value, ParameterValue::float(7.0).unwrap());
    assert_eq!(request.by, ChangedBy::Client(viewer.client.id()));
    // less than was asked for
    store.set_float64("rate", 5.0).unwrap();
    answer.respond(Ok(()));
    let answered = values(vec![float("rate", 5.0), Parameter::new("x", 2)], Some("s"));
    assert_eq!(viewer.news(), [values(vec![float("rate", 5.0)], None), answered]);
    // what does not fit is not asked for
    let sent = set(&mut viewer, vec![Parameter::new("rate", 0)], None);
    assert_eq!(error(&sent), "parameter rate can't be 0: the least that it can be is 0.01");
    assert!(asked.try_recv().is_err());
}

#[test]
fn a_handler_carries_out_what_the_program_sets_without_knowing_of_it() {
    let (_hub, store) = store();
    let asked = handled(&store);
    store.set_or_declare(Parameter::new("rate", 7)).unwrap();
    let (request, answer) = asked.recv().unwrap();
    assert_eq!((request.by, request.value), (ChangedBy::Program, ParameterValue::float(7.0).unwrap()));
    answer.respond(Err("the robot stands".to_owned()));
    assert_eq!(store.get("rate"), Some(float("rate", 1.0)));
    assert!(store.set_or_declare(Parameter::new("rate", 0)).is_err());
    assert!(asked.try_recv().is_err());
}

#[test]
fn a_handler_that_refuses_or_gives_no_answer_leaves_what_holds() {
    let (hub, store) = store();
    let asked = handled(&store);
    let mut viewer = follower(&hub);
    for refuse in [true, false] {
        assert_eq!(set(&mut viewer, vec![Parameter::new("rate", 7)], Some("s")), []);
        let (_, answer) = asked.recv().unwrap();
        if refuse {
            answer.respond(Err("the robot stands".to_owned()));
        } else {
            drop(answer);
        }
        let sent = viewer.news();
        let why = if refuse { "the robot stands" } else { "the request was dropped without an answer" };
        assert_eq!(error(&sent), format!("parameter rate can't be 7.0: {why}"));
        let holds = vec![float("rate", 1.0)];
        assert_eq!(sent[1..], [values(holds.clone(), None), values(holds, Some("s"))]);
    }
    store.remove("rate");
    assert_eq!(asked.recv().err(), Some(std::sync::mpsc::RecvError), "the handler goes with its parameter");
}

#[test]
fn there_are_bounds_in_number_and_in_bytes() {
    let (_hub, store) = store();
    for n in 0..MOST {
        store.declare(Parameter::new(n.to_string(), 1)).unwrap();
    }
    assert_eq!(
        store.declare(Parameter::new("more", 1)),
        Err(ParameterError::TooMuch { name: "more".to_owned() })
    );
    store.remove("0");
    let most = MOST_BYTES - store.0.state.lock().unwrap().bytes;
    let text = |length: usize| Parameter::new("text", "x".repeat(length - "text".len() - 32));
    assert!(store.declare(text(most + 1)).is_err());
    store.declare(text(most)).unwrap();
    assert!(store.set_or_declare(text(most + 1)).is_err());
    store.set_or_declare(text(100)).unwrap();
    assert!(store.declare(text(100)).is_err());
    assert!(store.declare(Parameter::unset("nothing")).is_err());
}

#[test]
fn the_store_is_declared_once_and_excludes_another_provider() {
    let (hub, store) = store();
    store.declare(Parameter::new("x", 1)).unwrap();
    assert_eq!(hub.parameters().unwrap().all().len(), 1);
    assert!(hub.provide_parameters(Arc::new(Keeper(store))).is_err());
}

#[test]
fn a_follower_that_is_slow_gets_the_newest_values_and_keeps_its_connection() {
    let (hub, store) = store();
    for name in ["text", "other"] {
        store.declare(Parameter::new(name, "")).unwrap();
    }
    let mut viewers = [follower(&hub), follower(&hub)];
    // of one of them a new session waits, after which the values come
    hub.publisher().restart(Timestamp(1), SlowClient::Drop, Instant::now());
    viewers[0].news();
    let text = |n: usize| Parameter::new("text", format!("{n}{}", "x".repeat(900_000)));
    for n in 0..40 {
        store.set_or_declare(text(n)).unwrap();
        if n == 20 {
            store.set("other", "set once").unwrap();
        }
    }
    for viewer in &mut viewers {
        let sent = viewer.news();
        let has = |parameter| sent.contains(&values(vec![parameter], None));
        assert!(has(Parameter::new("other", "set once")));
        assert!(has(text(39)), "{} were sent", sent.len());
        assert!(sent.len() < 20, "{} were sent", sent.len());
    }
}
