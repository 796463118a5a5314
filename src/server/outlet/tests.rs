use std::io::Read;
use std::sync::Weak;

use tokio::net::TcpListener;
use tokio::net::tcp::OwnedWriteHalf;

use super::super::{CLIENT_TIMEOUT, compression::Compression};
use super::*;
use crate::hub::testing::{channel, hub, messages};
use crate::hub::{ClientInfo, Hub, SlowClient};
use crate::model::{Channel, SubscriptionId};
use crate::protocol::Subscription;
use crate::registry::Registry;
use crate::time::Timestamp;
use crate::websocket::negotiation::Agreement;

/// A client whose task never runs: what reaches it was sent by who published it.
struct Peer {
    hub: Hub,
    channel: Arc<Channel>,
    outlet: Arc<Outlet<OwnedWriteHalf>>,
    socket: std::net::TcpStream,
}

impl Peer {
    async fn connect(compression: Option<Compression>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let socket = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let (_, write) = listener.accept().await.unwrap().0.into_split();
        let hub = hub(SlowClient::Drop);
        let channel = channel(&Registry::default(), "/a");
        hub.publisher().announce(std::slice::from_ref(&channel));
        let client = Arc::new(hub.join(ClientInfo::default()));
        let subscription = Subscription { id: SubscriptionId(7), channel_id: channel.id };
        client.subscribe(&[subscription], Instant::now());
        let compresses = compression.is_some();
        let outgoing = Outgoing::new(Duration::ZERO, compression);
        let liveness = Liveness::new(CLIENT_TIMEOUT, Instant::now());
        let outlet = Arc::new(Outlet::new(client.clone(), write, outgoing, liveness));
        let direct: Weak<dyn SendNow> = Arc::<Outlet<OwnedWriteHalf>>::downgrade(&outlet);
        client.send_through(direct);
        let mut peer = Self { hub, channel, outlet, socket };
        // `serverInfo` and `advertise`
        peer.outlet.fill(|_| {});
        peer.outlet.write().await.unwrap();
        if !compresses {
            peer.read_to("]}");
        }
        peer
    }

    fn publish(&self, seconds: u64, length: usize) {
        self.hub.publisher().publish_live(messages(&[(self.channel.id, seconds)], length), Instant::now());
    }

    /// Reads until these bytes have come.
    fn read_to(&mut self, end: &str) -> Vec<u8> {
        let mut read = Vec::new();
        let mut byte = [0];
        while !read.ends_with(end.as_bytes()) {
            self.socket.read_exact(&mut byte).unwrap();
            read.push(byte[0]);
        }
        read
    }

    /// Whether the client's task has been woken since this was last asked.
    async fn is_woken(&self) -> bool {
        timeout(Duration::from_millis(1), self.outlet.client.wake()).await.is_ok()
    }
}

#[tokio::test]
async fn a_small_message_is_sent_by_who_publishes_it() {
    let mut peer = Peer::connect(None).await;
    peer.is_woken().await;
    peer.publish(1, 3);
    let sent = peer.read_to("   ");
    // `time`, then the message of subscription 7
    assert_eq!(sent.len(), 2 + 9 + 2 + 13 + 3, "{sent:?}");
    assert_eq!(sent[2 + 9 + 2..][..5], [1, 7, 0, 0, 0]);
    assert!(!peer.is_woken().await);
    peer.hub.publisher().tick(Timestamp(2_000_000_000));
    assert!(peer.is_woken().await, "the client has nothing else to read");
}

#[tokio::test]
async fn the_task_is_woken_for_what_takes_longer() {
    let mut peer = Peer::connect(None).await;
    peer.is_woken().await;
    peer.publish(1, 60_000);
    assert!(peer.is_woken().await, "it is large");
    peer.outlet.fill(|_| {});
    peer.outlet.write().await.unwrap();
    peer.read_to("   ");
    // as long as the client reads, the socket takes it; then part of it waits for the task
    let mut seconds = 2;
    while lock(&peer.outlet.sending).frames.is_empty() {
        assert!(!peer.is_woken().await);
        peer.publish(seconds, 40_000);
        seconds += 1;
    }
    assert!(peer.is_woken().await);
    let waiting = peer.outlet.waiting_bytes();
    peer.publish(seconds, 3);
    assert!(!peer.is_woken().await, "it looks at the queue once it has written");
    assert!(peer.outlet.waiting_bytes() > waiting);
}

#[tokio::test]
async fn compressing_is_left_to_the_task() {
    let compression =
        Compression::new(Agreement { server_no_context_takeover: false, server_max_window_bits: None });
    let peer = Peer::connect(Some(compression)).await;
    peer.is_woken().await;
    peer.publish(1, 3);
    assert!(peer.is_woken().await);
}

#[tokio::test]
async fn nothing_follows_a_close_frame() {
    let mut peer = Peer::connect(None).await;
    assert!(peer.outlet.close(Duration::from_secs(10), |frames| frames.close(1001, "bye")).await);
    peer.publish(1, 3);
    peer.read_to("bye");
    drop(peer.outlet);
    let mut rest = Vec::new();
    peer.socket.read_to_end(&mut rest).unwrap();
    assert_eq!(rest, b"");
}
