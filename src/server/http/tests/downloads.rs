//! Files over real connections: who holds a place.

use std::io::{self, Cursor};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

use super::*;
use crate::hub::capability::recording::{ReadSeek, RecordedFile, Recordings, Timeline};
use crate::model::{Batch, ChannelId};
use crate::server::accept::{Timeouts, serve};
use crate::server::http::files::Downloads;

/// Bytes: more than the system holds for a connection.
const SIZE: usize = 32 << 20;

/// A recording of one large file.
struct Large;

impl Recordings for Large {
    fn files(&self) -> Vec<RecordedFile> {
        vec![RecordedFile { name: "large.mcap".into(), size: SIZE as u64, modified: None }]
    }

    fn open(&self, _name: &str) -> io::Result<(RecordedFile, Box<dyn ReadSeek>)> {
        Ok((self.files().remove(0), Box::new(Cursor::new(vec![0; SIZE]))))
    }

    fn timeline(&self, _within: TimeRange, _bins: usize) -> Result<Timeline, String> {
        Err("none".into())
    }

    fn latest(&self, _channel: ChannelId, _at: Timestamp) -> Result<Batch, String> {
        Err("none".into())
    }
}

/// Takes a file piece by piece, with a pause after each, until it ends; how many bytes came.
async fn take(server: std::net::SocketAddr, piece: usize, pause: Duration) -> usize {
    let mut client = TcpStream::connect(server).await.unwrap();
    let request = b"GET /files/large.mcap HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    client.write_all(request).await.unwrap();
    let (mut bytes, mut buffer) = (0, vec![0; piece]);
    while let Ok(read @ 1..) = client.read(&mut buffer).await {
        bytes += read;
        sleep(pause).await;
    }
    bytes
}

#[tokio::test]
async fn who_hardly_takes_a_file_loses_the_place() {
    let hub = hub(HubOptions::default());
    hub.provide_recordings(Arc::new(Large)).unwrap();
    let gate = Gate::new(Origins::default(), [127, 0, 0, 1].into(), None);
    let mut api = Api::new(hub, Offered::default(), CancellationToken::new(), gate);
    Arc::get_mut(&mut api).unwrap().downloads = Downloads::with_least_in(Duration::from_secs(1));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = listener.local_addr().unwrap();
    let serving = serve(listener, router(api.clone()), Timeouts::default(), CancellationToken::new());
    let serving = tokio::spawn(async move { match serving.await {} });

    let places = api.downloads.free();
    let slow = tokio::spawn(take(server, 1 << 10, Duration::from_millis(20)));
    let steady = tokio::spawn(take(server, 1 << 20, Duration::from_millis(50)));
    let until = async |free: usize| {
        let wait = async {
            while api.downloads.free() != free {
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(Duration::from_secs(60), wait).await.unwrap_or_else(|_late| panic!("never {free} places"));
    };
    until(places - 2).await;
    assert!(steady.await.unwrap() > SIZE, "who takes enough gets all of it");
    until(places).await;
    assert!(!slow.is_finished(), "the system still holds some for the slow one");
    slow.abort();
    serving.abort();
}
