use std::time::Duration;

use super::*;
use crate::hub::SlowClient;
use crate::hub::capability::assets::Assets;
use crate::hub::testing::{Sent, Viewer, hub};

const LARGE: usize = 6 << 20;

/// Keeps what it is asked, or answers at once.
#[derive(Default)]
struct Shelf {
    asked: Mutex<Vec<Responder<Result<Bytes, String>>>>,
    at_once: bool,
}

impl Assets for Shelf {
    fn fetch(&self, uri: String, answer: Responder<Result<Bytes, String>>) {
        if self.at_once {
            answer.respond(Ok(uri.into()));
        } else {
            lock(&self.asked).push(answer);
        }
    }
}

impl Shelf {
    fn asked(&self) -> usize {
        lock(&self.asked).len()
    }

    fn answer(&self, length: usize) {
        let answer = lock(&self.asked).remove(0);
        answer.respond(Ok(vec![0; length].into()));
    }
}

fn server(at_once: bool) -> (Hub, Arc<Shelf>) {
    let (hub, shelf) = (hub(SlowClient::Drop), Arc::new(Shelf { at_once, ..Shelf::default() }));
    hub.provide_assets(shelf.clone()).unwrap();
    (hub, shelf)
}

fn fetch(viewer: &Viewer, ids: std::ops::Range<u32>) {
    for id in ids {
        let request = FetchAsset { uri: format!("a/{id}"), request_id: AssetRequestId(id) };
        viewer.client.fetch_asset(request);
    }
}

/// The requests that were answered, and whether with success.
fn answers(viewer: &mut Viewer) -> Vec<(u32, bool)> {
    let answer = |sent| match sent {
        Sent::Other(ServerMessage::FetchAssetResponse(response)) => {
            Some((response.request_id.0, response.result.is_ok()))
        }
        _ => None,
    };
    viewer.news().into_iter().filter_map(answer).collect()
}

#[test]
fn a_provider_has_a_few_requests_of_a_client_at_once_and_all_are_answered_in_turn() {
    let (hub, shelf) = server(false);
    let mut viewer = Viewer::join(&hub);
    fetch(&viewer, 0..10);
    for left in (0..10).rev() {
        assert_eq!(shelf.asked(), AT_ONCE.min(left + 1));
        shelf.answer(10);
    }
    assert_eq!(answers(&mut viewer), (0..10).map(|id| (id, true)).collect::<Vec<_>>());
}

#[test]
fn nothing_more_is_read_for_a_client_that_does_not_take_what_was_read() {
    let (hub, shelf) = server(false);
    let mut viewer = Viewer::join(&hub);
    viewer.news();
    fetch(&viewer, 0..100);
    let mut read = 0;
    while shelf.asked() > 0 {
        shelf.answer(LARGE);
        read += 1;
    }
    // three make more than is allowed, and three more were asked for by then
    assert_eq!(read, 6);
    // what is queued is no reason to close the connection
    viewer.client.send(&ServerMessage::RemoveStatus(vec!["x".into()]));
    assert!(
        viewer
            .client
            .take(crate::hub::outbox::Progress::Encoded, std::time::Instant::now())
            .closing
            .is_none()
    );
    // it was taken and dropped just now: the next ones are asked for, on another thread
    for _ in 0..500 {
        if shelf.asked() == AT_ONCE {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(shelf.asked(), AT_ONCE);
}

#[test]
fn a_provider_that_answers_at_once_needs_no_deep_stack() {
    let (hub, _) = server(true);
    let mut viewer = Viewer::join(&hub);
    fetch(&viewer, 0..900);
    assert_eq!(answers(&mut viewer).len(), 900);
}

#[test]
fn too_many_requests_and_those_without_a_provider_are_answered() {
    let (hub, shelf) = server(false);
    let mut viewer = Viewer::join(&hub);
    fetch(&viewer, 0..1005);
    assert_eq!(answers(&mut viewer), (1000..1005).map(|id| (id, false)).collect::<Vec<_>>());
    shelf.answer(1);
    assert_eq!(answers(&mut viewer), [(0, true)]);
    // a responder that is dropped has answered
    let dropped = lock(&shelf.asked).remove(0);
    drop(dropped);
    assert_eq!(answers(&mut viewer), [(1, false)]);
    let mut other = Viewer::join(&self::hub(SlowClient::Drop));
    fetch(&other, 0..1);
    assert_eq!(answers(&mut other), [(0, false)]);
}

#[test]
fn of_a_client_that_has_left_nothing_is_asked_any_more() {
    let (hub, shelf) = server(false);
    let viewer = Viewer::join(&hub);
    fetch(&viewer, 0..10);
    let requests = Arc::downgrade(&viewer.client.assets);
    drop(viewer);
    while shelf.asked() > 0 {
        shelf.answer(10);
    }
    assert!(requests.upgrade().is_none(), "kept");
}
