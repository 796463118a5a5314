//! Statuses for everybody: facts, and conditions that hold for a while.

use super::order::state;
use crate::hub::testing::{Sent, Viewer, hub};
use crate::hub::{Direction, SlowClient};
use crate::protocol::{Level, ServerMessage, Status};
use crate::time::Timestamp;

/// What a viewer is shown, and what is taken back.
fn shown(viewer: &mut Viewer) -> Vec<Result<Status, Vec<String>>> {
    let of = |sent| match sent {
        Sent::Status(status) => Some(Ok(status)),
        Sent::Other(ServerMessage::RemoveStatus(ids)) => Some(Err(ids)),
        _ => None,
    };
    viewer.news().into_iter().filter_map(of).collect()
}

#[test]
fn a_fact_is_shown_once_to_everybody_with_level_0() {
    let hub = hub(SlowClient::Drop);
    let (mut early, fact) = (Viewer::join(&hub), Status::info("the recording is damaged"));
    hub.publisher().notice(&fact.message);
    hub.publisher().notice(&fact.message);
    assert_eq!(fact.level, Level::Info);
    assert_eq!(shown(&mut early), [Ok(fact.clone()), Ok(fact.clone())]);
    assert_eq!(shown(&mut Viewer::join(&hub)), [Ok(fact)], "once to who joins later");
}

#[test]
fn of_very_many_facts_those_who_join_get_some() {
    let hub = hub(SlowClient::Drop);
    let publisher = hub.publisher();
    let mut early = Viewer::join(&hub);
    publisher.condition("far", "it is far away");
    (0..1000).for_each(|fact| publisher.notice(&format!("fact {fact}")));
    assert_eq!(shown(&mut early).len(), 1001);
    assert_eq!(shown(&mut Viewer::join(&hub)).len(), 101);
}

#[test]
fn a_condition_is_shown_while_it_holds() {
    let hub = hub(SlowClient::Drop);
    let publisher = hub.publisher();
    let mut early = Viewer::join(&hub);
    publisher.condition("far", "it is far away");
    let mut meanwhile = Viewer::join(&hub);
    let status = |text: &str| Ok(Status::info(text).with_id("far"));
    for viewer in [&mut early, &mut meanwhile] {
        assert_eq!(shown(viewer), [status("it is far away")]);
    }
    publisher.condition("far", "it is further away");
    assert_eq!(shown(&mut Viewer::join(&hub)), [status("it is further away")], "the newer one alone");
    assert_eq!(shown(&mut early), [status("it is further away")]);
    publisher.clear("near");
    publisher.clear("far");
    publisher.clear("far");
    assert_eq!(shown(&mut early), [Err(vec!["far".to_owned()])]);
    assert_eq!(shown(&mut Viewer::join(&hub)), []);
}

/// Viewers forget what they were shown when a new session begins.
#[test]
fn a_new_session_begins_with_what_holds_and_changes_come_after_it() {
    let hub = hub(SlowClient::Drop);
    let publisher = hub.publisher();
    let mut viewer = Viewer::join(&hub);
    publisher.notice("the recording is damaged");
    publisher.condition("far", "it is far away");
    publisher.condition("slow", "the disk is slow");
    viewer.news();
    publisher.clear("far");
    publisher.seek(state(5, true), Timestamp(5_000_000_000), Direction::Back);
    publisher.clear("slow");
    publisher.condition("far", "it is far away");
    let sent = viewer.news();
    let begin = sent.iter().position(|sent| matches!(sent, Sent::Session(_))).unwrap();
    let remove = |id: &str| Sent::Other(ServerMessage::RemoveStatus(vec![id.to_owned()]));
    assert!(sent[..begin].contains(&remove("far")), "{sent:?}");
    let slow = Status::info("the disk is slow").with_id("slow");
    let far = Status::info("it is far away").with_id("far");
    let expected = [
        Sent::Advertised(vec![]),
        Sent::Status(Status::info("the recording is damaged")),
        Sent::Status(slow),
        Sent::Time(5),
        remove("slow"),
        Sent::Status(far),
    ];
    assert_eq!(sent[begin + 1..], expected);
}
