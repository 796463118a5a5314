//! Live input, with viewers that note what they are sent.

use crate::hub::testing::{Sent, Viewer, read};
use crate::model::ChannelId;

mod live;
mod sockets;

/// Reads until something has been sent; a test that waits for ever is ended by its runner.
async fn until(viewer: &mut Viewer, wanted: &Sent) {
    while !is_sent(viewer, wanted) {
        viewer.client.wake().await;
    }
}

/// Whether something has been sent.
fn is_sent(viewer: &mut Viewer, wanted: &Sent) -> bool {
    read(&viewer.client, &mut viewer.sent);
    viewer.sent.contains(wanted)
}

/// Subscribes to channels once all of them are advertised, and forgets what was sent before.
async fn subscribed(viewer: &mut Viewer, channels: &[ChannelId]) {
    let advertised = |sent: &[Sent], id: &ChannelId| {
        sent.iter().any(|sent| matches!(sent, Sent::Advertised(ids) if ids.contains(&id.0)))
    };
    loop {
        read(&viewer.client, &mut viewer.sent);
        if channels.iter().all(|id| advertised(&viewer.sent, id)) {
            break;
        }
        viewer.client.wake().await;
    }
    for id in channels {
        assert_eq!(viewer.subscribe(*id), []);
    }
    viewer.sent.clear();
}

/// What was sent of sessions, channels and messages.
fn seen(viewer: &Viewer) -> Vec<String> {
    let short = |sent: &Sent| match sent {
        Sent::Message(channel, second) => Some(format!("message {channel} at {second}")),
        Sent::Session(_) => Some("session".to_owned()),
        Sent::Advertised(ids) => Some(format!("advertise {ids:?}")),
        Sent::Unadvertised(ids) => Some(format!("unadvertise {ids:?}")),
        Sent::Time(_) | Sent::State(_) | Sent::Status(_) | Sent::Other(_) => None,
    };
    viewer.sent.iter().filter_map(short).collect()
}
