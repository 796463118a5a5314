//! Connections, from `accept` to HTTP requests. One that says nothing does not keep its place for long.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Once};
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
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::log_limit::LogLimit;

/// How long a connection is waited for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timeouts {
    /// The headers of a request must have come after this time; so long a connection is kept for a next request.
    pub(super) headers: Duration,
    /// So long its other end may take nothing of an answer.
    pub(super) answers: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        // who is sent a file may look at each part of it for a while, or hold back what it takes: `curl --limit-rate` pauses
        // for minutes after what it has read ahead
        Self { headers: Duration::from_secs(10), answers: Duration::from_secs(300) }
    }
}

/// Ends the connection of a request at once, whatever is being written. Requests have it as an extension.
#[derive(Debug, Clone, Default)]
pub(super) struct Hangup(CancellationToken);

impl Hangup {
    pub(super) fn hang_up(&self) {
        self.0.cancel();
    }
}

/// Bytes of the headers of a request. Cookies of other servers on the same computer may come along.
const MAX_HEADERS: usize = 64 << 10;

/// A connection of which nothing is heard for this long is tested, and closed if nobody answers.
const KEEPALIVE: Duration = Duration::from_secs(15);

/// Once the server is over an answer that is being written may take so much longer.
const LAST_ANSWERS: Duration = Duration::from_secs(1);

/// The pause after a connection could not be accepted, most of the time for want of a descriptor.
const PAUSE: Duration = Duration::from_millis(200);

/// Bytes in the system's buffer for a client that have not been sent. Beyond it data waits in our queues, where what
/// is stale can be dropped. (With half of it large messages cost a seventh more; with more nothing is gained.)
#[cfg(any(target_os = "linux", target_os = "android"))]
const UNSENT: u32 = 256 << 10;

/// Accepts connections for ever, and serves each in a task, which ends after `over`: then nobody is answered any more on a
/// connection that was kept. Requests have the `SocketAddr` of their peer and a [`Hangup`] as extensions.
pub(super) async fn serve(
    listener: TcpListener,
    router: Router,
    timeouts: Timeouts,
    over: CancellationToken,
) -> Infallible {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(timeouts.headers).max_buf_size(MAX_HEADERS);
    let mut log = LogLimit::new(1);
    let silence = Arc::new(Once::new());
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                if let Err(error) = set_options(&stream, timeouts.answers) {
                    tracing::debug!("setting a socket option failed: {error}");
                }
                let router = router.clone();
                let (said, silence) = (Arc::new(AtomicBool::new(false)), silence.clone());
                let (asks, hangup) = (said.clone(), Hangup::default());
                let given_up = hangup.0.clone();
                let service = service_fn(move |mut request: Request<Incoming>| {
                    asks.store(true, Ordering::Relaxed);
                    request.extensions_mut().insert(peer);
                    request.extensions_mut().insert(hangup.clone());
                    TowerToHyperService::new(router.clone()).call(request)
                });
                let connection = http.serve_connection(TokioIo::new(stream), service).with_upgrades();
                let over = over.clone();
                tokio::spawn(async move {
                    let mut connection = pin!(connection);
                    let ended = tokio::select! {
                        ended = connection.as_mut() => ended,
                        () = given_up.cancelled() => return,
                        () = over.cancelled() => {
                            connection.as_mut().graceful_shutdown();
                            let Ok(ended) = timeout(LAST_ANSWERS, connection).await else { return };
                            ended
                        }
                    };
                    if !said.load(Ordering::Relaxed) && ended.as_ref().map_or_else(is_reset, |()| true) {
                        silence.call_once(|| hint_at_silence(peer));
                    }
                    if let Err(error) = ended {
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

/// Whether a connection was ended by the other end, without a word.
fn is_reset(error: &hyper::Error) -> bool {
    let cause = std::error::Error::source(error).and_then(|cause| cause.downcast_ref::<io::Error>());
    cause.is_some_and(|cause| cause.kind() == io::ErrorKind::ConnectionReset)
}

/// Tells, once in a run, what a viewer in a browser may lack that connects and says nothing.
fn hint_at_silence(peer: SocketAddr) {
    tracing::info!(
        "a connection from {} ended without a request. If a viewer in a browser can't connect, the browser blocks it: allow \
         the viewer's page to access the local network (in Chromium \"Local network access\", in the page's settings), and \
         use localhost or an IP address. Port scans and health checks look the same; this is said once",
        peer.ip().to_canonical()
    );
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

    fn timeouts(millis: u64) -> Timeouts {
        let time = Duration::from_millis(millis);
        Timeouts { headers: time, answers: time }
    }

    #[tokio::test]
    async fn an_idle_connection_is_tested_after_seconds_and_not_after_hours() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let _client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        set_options(&stream, Timeouts::default().answers).unwrap();
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
        let serving =
            tokio::spawn(
                async move { serve(listener, router, timeouts(300), CancellationToken::new()).await },
            );
        let requests = "GET / HTTP/1.1\r\nHost: a\r\n\r\n".repeat(1000);
        let asks = async { while client.write_all(requests.as_bytes()).await.is_ok() {} };
        tokio::time::timeout(Duration::from_secs(30), asks).await.expect("it is still there");
        serving.abort();
    }

    #[tokio::test]
    async fn a_connection_that_says_nothing_is_closed() {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let timeout = timeouts(200).headers;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (router, over) = (Router::new(), CancellationToken::new());
        let serving = tokio::spawn(async move { serve(listener, router, timeouts(200), over).await });
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

    #[tokio::test]
    async fn nobody_is_answered_once_the_server_is_over() {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let router = Router::new().route("/", axum::routing::get(|| async { "x" }));
        let over = CancellationToken::new();
        let accepting = tokio::spawn(serve(listener, router, timeouts(20_000), over.clone()));
        let request = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        client.write_all(request).await.unwrap();
        let mut answer = [0; 15];
        client.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200 OK");
        accepting.abort();
        over.cancel();
        let mut rest = Vec::new();
        timeout(Duration::from_secs(10), client.read_to_end(&mut rest)).await.expect("it is closed").unwrap();
        assert!(rest.ends_with(b"x"));
    }
}
