//! Connections, from `accept` to HTTP requests. One that says nothing does not keep its place for long.

use std::convert::Infallible;
use std::io;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream};

use crate::log_limit::LogLimit;

/// The headers of a request must have come after this time; so long a connection is kept for a next request.
pub(super) const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// Bytes of the headers of a request. Cookies of other servers on the same computer may come along.
const MAX_HEADERS: usize = 64 << 10;

/// A connection of which nothing is heard for this long is tested, and closed if nobody answers.
const KEEPALIVE: Duration = Duration::from_secs(15);

/// The pause after a connection could not be accepted, most of the time for want of a descriptor.
const PAUSE: Duration = Duration::from_millis(200);

/// Bytes in the system's buffer for a client that have not been sent. Beyond it data waits in our queues, where what
/// is stale can be dropped. (With half of it large messages cost a seventh more; with more nothing is gained.)
#[cfg(any(target_os = "linux", target_os = "android"))]
const UNSENT: u32 = 256 << 10;

/// Accepts connections for ever, and serves each in a task. Requests have the `SocketAddr` of their peer as an extension.
pub(super) async fn serve(listener: TcpListener, router: Router, header_timeout: Duration) -> Infallible {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(header_timeout).max_buf_size(MAX_HEADERS);
    let mut log = LogLimit::new(1);
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                if let Err(error) = set_options(&stream, header_timeout) {
                    tracing::debug!("setting a socket option failed: {error}");
                }
                let router = router.clone();
                let service = service_fn(move |mut request: Request<Incoming>| {
                    request.extensions_mut().insert(peer);
                    TowerToHyperService::new(router.clone()).call(request)
                });
                let connection = http.serve_connection(TokioIo::new(stream), service).with_upgrades();
                tokio::spawn(async move {
                    if let Err(error) = connection.await {
                        tracing::debug!("a connection ended: {error}");
                    }
                });
            }
            // it was gone before it was accepted
            Err(error) if is_of_connection(&error) => {
                tracing::debug!("a connection was not accepted: {error}")
            }
            Err(error) => {
                if let Some(left_out) = log.admit(Instant::now()) {
                    tracing::error!(
                        "connections can't be accepted: {error}; if there are too many open files, raise the limit \
                         (ulimit -n){left_out}"
                    );
                }
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

fn is_of_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

/// Sends small messages at once, tests whether the other end is there, has the system close a connection whose other end
/// takes nothing for so long (a client of the protocol sets another time later), and lets the system hold at most
/// [`UNSENT`] bytes that it can't send yet. Where the last two can't be set, the system decides about them.
#[cfg_attr(not(any(target_os = "linux", target_os = "android")), expect(unused_variables))]
fn set_options(stream: &TcpStream, takes_nothing: Duration) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE))?;
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        socket.set_tcp_user_timeout(Some(takes_nothing))?;
        socket.set_tcp_notsent_lowat(UNSENT)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_idle_connection_is_tested_after_seconds_and_not_after_hours() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let _client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        set_options(&stream, HEADER_TIMEOUT).unwrap();
        let socket = SockRef::from(&stream);
        assert!(socket.keepalive().unwrap());
        #[cfg(target_os = "linux")]
        assert_eq!(socket.tcp_keepalive_time().unwrap(), KEEPALIVE);
    }

    #[tokio::test]
    #[cfg(any(target_os = "linux", target_os = "android"))]
    async fn a_connection_that_takes_no_answers_is_closed() {
        use tokio::io::AsyncWriteExt;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let router = Router::new().route("/", axum::routing::get(|| async { "x".repeat(10_000) }));
        let serving = tokio::spawn(async move { serve(listener, router, Duration::from_millis(300)).await });
        let requests = "GET / HTTP/1.1\r\nHost: a\r\n\r\n".repeat(1000);
        let asks = async { while client.write_all(requests.as_bytes()).await.is_ok() {} };
        tokio::time::timeout(Duration::from_secs(30), asks).await.expect("it is still there");
        serving.abort();
    }

    #[tokio::test]
    async fn a_connection_that_says_nothing_is_closed() {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let timeout = Duration::from_millis(200);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = tokio::spawn(async move { serve(listener, Router::new(), timeout).await });
        let ends_after = async |said: &[u8]| {
            let mut client = TcpStream::connect(address).await.unwrap();
            client.write_all(said).await.unwrap();
            let begin = Instant::now();
            client.read_to_end(&mut Vec::new()).await.unwrap();
            begin.elapsed()
        };
        for said in ["", "GET / HTTP/1.1\r\nHo", "GET / HTTP/1.1\r\nHost: a\r\n\r\n"] {
            let time = ends_after(said.as_bytes()).await;
            assert!((timeout..10 * timeout).contains(&time), "{said:?}: {time:?}");
        }
        serving.abort();
    }
}
