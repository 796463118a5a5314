//! Statuses for everybody: facts, and conditions that hold for a while.

use crate::hub::SlowClient;
use crate::hub::testing::{Sent, Viewer, hub};
use crate::protocol::{Level, ServerMessage, Status};

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
