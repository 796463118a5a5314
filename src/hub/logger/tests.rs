use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::*;
use crate::hub::handles::RawChannel;
use crate::hub::testing::{Sent, Viewer, hub};
use crate::time::Timestamp;

fn channel(hub: &Hub, topic: &str) -> RawChannel {
    hub.channel(topic).raw("cbor", None).unwrap()
}

fn at(seconds: u64) -> Timestamp {
    Timestamp(seconds * 1_000_000_000)
}

/// A viewer of channels.
fn viewer(hub: &Hub, channels: &[&RawChannel]) -> Viewer {
    let mut viewer = Viewer::join(hub);
    channels.iter().for_each(|channel| assert!(viewer.subscribe(channel.channel().id).is_empty()));
    viewer.news();
    viewer
}

/// Reads until so many messages have come, or none for long.
fn read(viewer: &mut Viewer, count: usize) -> Vec<(u32, u64)> {
    let (mut read, mut last) = (Vec::new(), Instant::now());
    while read.len() < count && last.elapsed() < Duration::from_secs(10) {
        let news = viewer.messages();
        if news.is_empty() {
            thread::sleep(Duration::from_millis(1));
        } else {
            last = Instant::now();
            read.extend(news);
        }
    }
    read
}

#[test]
fn the_first_message_after_a_pause_is_published_at_once_and_the_next_one_soon() {
    let hub = hub(SlowClient::Drop);
    let imu = channel(&hub, "/imu");
    let mut viewer = viewer(&hub, &[&imu]);
    let id = imu.channel().id.0;
    for second in [1, 3] {
        imu.log_at(at(second), b"a");
        assert_eq!(viewer.messages(), [(id, second)], "it waited for a thread");
        imu.log_at(at(second + 1), b"b");
        assert_eq!(read(&mut viewer, 1), [(id, second + 1)]);
        thread::sleep(10 * GATHER);
    }
}

#[test]
fn the_messages_of_a_thread_keep_their_order_over_all_its_channels() {
    const MESSAGES: u64 = 20_000;
    let hub = hub(SlowClient::Wait);
    let threads: Vec<_> = (0..3).map(|n| [0, 1].map(|m| channel(&hub, &format!("/{n}/{m}")))).collect();
    let all: Vec<&RawChannel> = threads.iter().flatten().collect();
    let mut viewer = viewer(&hub, &all);
    let ids: Vec<[u32; 2]> = threads.iter().map(|two| two.each_ref().map(|one| one.channel().id.0)).collect();
    let logging: Vec<_> = threads
        .into_iter()
        .map(|two| {
            thread::spawn(move || {
                for n in 0..MESSAGES {
                    two[(n % 3 % 2) as usize].log_wait(at(n), b"some payload").unwrap();
                }
                // both channels end: what was logged is sent before
            })
        })
        .collect();
    let read = read(&mut viewer, usize::try_from(3 * MESSAGES).unwrap());
    logging.into_iter().for_each(|thread| thread.join().unwrap());
    for ids in ids {
        let of_thread: Vec<_> = read.iter().filter(|(id, _)| ids.contains(id)).copied().collect();
        let expected: Vec<_> = (0..MESSAGES).map(|n| (ids[(n % 3 % 2) as usize], n)).collect();
        assert!(of_thread == expected, "{} messages of {MESSAGES}", of_thread.len());
    }
}

#[test]
fn what_was_logged_goes_before_the_end_of_the_channel_and_what_is_published_otherwise() {
    let hub = hub(SlowClient::Drop);
    let (imu, gps) = (channel(&hub, "/imu"), channel(&hub, "/gps"));
    let mut viewer = viewer(&hub, &[&imu, &gps]);
    let (imu_id, gps_id) = (imu.channel().id, gps.channel().id);
    imu.log_at(at(1), b"a");
    imu.log_at(at(2), b"b");
    hub.publisher().publish_live(crate::hub::testing::messages(&[(gps_id, 2)], 1), Instant::now());
    imu.log_at(at(3), b"c");
    drop(imu);
    gps.log_at(at(3), b"d");
    gps.log_at(at(4), b"e");
    hub.close(1000, "the end", true);
    let sent: Vec<_> = viewer
        .news()
        .into_iter()
        .filter(|sent| matches!(sent, Sent::Message(..) | Sent::Unadvertised(_)))
        .collect();
    let message = |id: crate::model::ChannelId, second| Sent::Message(id.0, second);
    assert_eq!(
        sent,
        [
            message(imu_id, 1),
            message(imu_id, 2),
            message(gps_id, 2),
            message(imu_id, 3),
            Sent::Unadvertised(vec![imu_id.0]),
            message(gps_id, 3),
            message(gps_id, 4),
        ]
    );
}

#[test]
fn a_client_that_reads_nothing_loses_what_was_logged_but_nothing_of_what_waited_for_it() {
    let hub = hub(SlowClient::Wait);
    let (fast, sure) = (channel(&hub, "/fast"), channel(&hub, "/sure"));
    let mut viewer = viewer(&hub, &[&fast, &sure]);
    let payload = vec![0; 1000];
    for n in 0..20 {
        sure.log_wait(at(n), &payload).unwrap();
    }
    for n in 20..2000 {
        fast.log_at(at(n), &payload);
    }
    hub.flush_logged();
    let held = lock(&viewer.client.queue.outbox).queued_bytes();
    assert!(held < 500_000, "{held} bytes are queued");
    let read = viewer.messages();
    let last = |channel: &RawChannel| {
        let of: Vec<_> = read.iter().filter(|(id, _)| *id == channel.channel().id.0).collect();
        of.last().map(|(_, second)| *second)
    };
    assert_eq!(last(&fast), Some(1999));
    assert_eq!(last(&sure), Some(19));
}

#[test]
fn what_is_gathered_is_bounded_while_another_thread_publishes() {
    let hub = hub(SlowClient::Drop);
    let imu = channel(&hub, "/imu");
    let viewer = viewer(&hub, &[&imu]);
    let publishing = lock(&hub.0.logger.flushing);
    let logging = {
        let (hub, imu) = (hub.clone(), imu.clone());
        thread::spawn(move || {
            for n in 0..3 * MOST / 1000 {
                imu.log_at(at(n as u64), &[0; 1000]);
                assert!(lock(&hub.0.logger.pending).bytes <= MOST + 1100);
            }
        })
    };
    while lock(&hub.0.logger.pending).bytes < MOST {
        thread::sleep(Duration::from_millis(1));
    }
    thread::sleep(Duration::from_millis(20));
    assert!(!logging.is_finished(), "nobody published, and everything was gathered");
    drop(publishing);
    logging.join().unwrap();
    drop(viewer);
}

#[test]
fn the_thread_ends_with_the_hub() {
    let hub = hub(SlowClient::Drop);
    let imu = channel(&hub, "/imu");
    let viewer = viewer(&hub, &[&imu]);
    imu.log_at(at(1), b"a");
    imu.log_at(at(2), b"b");
    let weak = Arc::downgrade(&hub.0);
    let alive = hub.0.logger.flusher.alive();
    assert!(alive.upgrade().is_some());
    drop((imu, viewer, hub));
    let begin = Instant::now();
    while (weak.strong_count() > 0 || alive.strong_count() > 0) && begin.elapsed() < Duration::from_secs(10) {
        thread::sleep(Duration::from_millis(1));
    }
    assert_eq!((weak.strong_count(), alive.strong_count()), (0, 0));
}
