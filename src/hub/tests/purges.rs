//! What is void or lost before it is sent.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::order::{SECOND, sessions, state};
use crate::hub::outbox::{Fate, Progress, Purges};
use crate::hub::queue::Item;
use crate::hub::testing::{Sent, Viewer, channel, hub, messages};
use crate::hub::{Direction, Hub, Publisher, SlowClient};
use crate::model::{Batch, Channel};
use crate::registry::Registry;
use crate::time::Timestamp;

/// A recording's channel `/a` and a live one, `/live`, to which a viewer that knows no playback states and one that does
/// subscribe.
struct Both {
    hub: Hub,
    player: Publisher,
    input: Publisher,
    recorded: Arc<Channel>,
    live: Arc<Channel>,
    unwatched: Arc<Channel>,
    viewers: [Viewer; 2],
}

impl Both {
    fn new() -> Self {
        let (hub, registry) = (hub(SlowClient::Drop), Registry::default());
        let (player, input) = (hub.publisher(), hub.publisher());
        let [recorded, live, unwatched] =
            ["/a", "/live", "/unwatched"].map(|topic| channel(&registry, topic));
        player.announce(&[recorded.clone(), live.clone(), unwatched.clone()]);
        let mut viewers = [Viewer::join(&hub), Viewer::join_sdk(&hub)];
        for viewer in &mut viewers {
            [&recorded, &live].iter().for_each(|channel| assert_eq!(viewer.subscribe(channel.id), []));
            viewer.news();
        }
        Self { hub, player, input, recorded, live, unwatched, viewers }
    }

    fn play(&self, times: &[u64], now: Instant) {
        let list: Vec<_> = times.iter().map(|time| (self.recorded.id, *time)).collect();
        self.player.publish(&Arc::new(messages(&list, 10)), 0..times.len(), SlowClient::Drop, now);
    }

    fn forward(&self, times: &[u64], now: Instant) {
        let list: Vec<_> = times.iter().map(|time| (self.live.id, *time)).collect();
        self.input.publish_live(messages(&list, 10), now);
    }

    fn dropped(&self) -> u64 {
        self.hub.snapshot().messages_dropped
    }
}

#[test]
fn a_seek_leaves_live_messages_in_their_places() {
    for direction in [Direction::Forward, Direction::Back] {
        let (both, now) = (Both::new(), Instant::now());
        both.play(&[100, 101], now);
        both.forward(&[100], now);
        both.play(&[102], now);
        both.forward(&[101], now);
        both.player.seek(state(103, true), Timestamp(103 * 1_000_000_000), direction);
        both.play(&[103], now);
        let Both { recorded, live, viewers, .. } = both;
        let expected = [(live.id.0, 100), (live.id.0, 101), (recorded.id.0, 103)];
        for mut viewer in viewers {
            assert_eq!(viewer.messages(), expected, "{direction:?}");
        }
    }
}

#[test]
fn a_live_channel_that_ends_before_a_seek_ends_after_its_messages() {
    let (both, now) = (Both::new(), Instant::now());
    both.play(&[100], now);
    both.forward(&[100], now);
    both.input.publish_live(Batch { retired: vec![both.live.id], ..Batch::default() }, now);
    both.player.lap(state(5, true), SlowClient::Drop, now);
    both.player.seek(state(6, true), Timestamp(6_000_000_000), Direction::Forward);
    let Both { live, viewers: [mut old, _], .. } = both;
    let sent = old.news();
    assert_eq!(sent[..2], [Sent::Message(live.id.0, 100), Sent::Unadvertised(vec![live.id.0])], "{sent:?}");
    assert_eq!((sent[2].clone(), sessions(&sent[3..])), (Sent::Time(6), 1), "the lap still begins: {sent:?}");
}

#[test]
fn what_a_lap_or_a_restart_takes_from_a_client_is_counted() {
    for is_lap in [true, false] {
        let (both, now) = (Both::new(), Instant::now());
        both.play(&[100, 101, 102], now);
        both.forward(&[100], now);
        let later = now + 2 * SECOND;
        if is_lap {
            both.player.lap(state(1, true), SlowClient::Drop, later);
        } else {
            both.input.restart(Timestamp(1_000_000_000), SlowClient::Drop, later);
        }
        assert_eq!(both.dropped(), 8, "of two clients");
        for viewer in both.viewers {
            let lost = [("/a".to_owned(), 3), ("/live".to_owned(), 1)];
            assert_eq!(viewer.client.dropped(), lost);
        }
    }
}

#[test]
fn what_a_seek_makes_void_or_nobody_wants_is_no_loss() {
    let (both, now) = (Both::new(), Instant::now());
    both.play(&[100, 101, 102], now);
    both.player.seek(state(5, true), Timestamp(5_000_000_000), Direction::Back);
    let batch = messages(&[(both.recorded.id, 5), (both.unwatched.id, 5)], 10);
    both.player.publish(&Arc::new(batch), 0..2, SlowClient::Drop, now);
    both.player.lap(state(1, true), SlowClient::Drop, now + 4 * SECOND);
    assert_eq!(both.dropped(), 2, "one of each client");
}

#[test]
fn a_part_in_hand_is_void_after_a_seek_and_lost_with_a_backlog() {
    let take = |viewer: &Viewer| {
        let taken = viewer.client.take(Progress::Written, Instant::now());
        let Some(Item::Messages(part)) = taken.item else { panic!("no messages") };
        (part, taken.purges)
    };
    let now_purges =
        |viewer: &Viewer| -> Purges { viewer.client.take(Progress::InHand, Instant::now()).purges };
    let (both, now) = (Both::new(), Instant::now());
    let viewer = &both.viewers[0];
    both.play(&[100, 101], now);
    both.forward(&[100], now);
    let (part, purges) = take(viewer);
    both.player.seek(state(5, true), Timestamp(5_000_000_000), Direction::Forward);
    assert_eq!(purges.fate(now_purges(viewer), &part), Fate::Void);
    let (part, purges) = take(viewer);
    both.player.seek(state(6, true), Timestamp(6_000_000_000), Direction::Forward);
    assert_eq!(purges.fate(now_purges(viewer), &part), Fate::Sent, "it is live");
    both.player.lap(state(1, true), SlowClient::Drop, now + Duration::from_secs(2));
    assert_eq!(purges.fate(now_purges(viewer), &part), Fate::Lost);
    viewer.client.count_lost(&part);
    assert_eq!((viewer.client.dropped(), both.dropped()), (vec![("/live".to_owned(), 1)], 2));
}

#[test]
fn what_is_published_once_more_is_latched_from_its_beginning_on() {
    let (hub, now) = (hub(SlowClient::Drop), Instant::now());
    let publisher = hub.publisher();
    let map = channel(&Registry::default(), "/map");
    publisher.announce(std::slice::from_ref(&map));
    publisher.publish_live(messages(&[(map.id, 7)], 10), now);
    let latched = || {
        let mut late = Viewer::join(&hub);
        late.subscribe(map.id);
        late.messages()
    };
    assert_eq!(latched(), [(map.id.0, 7)]);
    publisher.replay(Timestamp(1_000_000_000), now);
    assert_eq!(latched(), [], "that of the end");
    publisher.publish(&Arc::new(messages(&[(map.id, 1)], 10)), 0..1, SlowClient::Drop, now);
    assert_eq!(latched(), [(map.id.0, 1)]);
    publisher.seek(state(0, true), Timestamp(0), Direction::Back);
    assert_eq!(latched(), [], "it is not live any more");
}
