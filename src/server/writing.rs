//! Writes frames to a connection.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, WriteHalf};
use tokio::net::tcp::OwnedWriteHalf;

use crate::websocket::FrameWriter;

/// Slices in one vectored write; the system's limit is 1024.
const MAX_SLICES: usize = 64;

/// The writing half of a connection.
pub(super) trait Connection: AsyncWrite + Unpin + Send + 'static {
    /// Writes what the system takes at this moment, also where it has not said that there is room. (It says so once a
    /// client has taken a good part of what the system holds, which a slow one does in minutes.)
    fn write_now(&self, slices: &[IoSlice<'_>]) -> io::Result<usize>;

    /// Has the system give up the connection with [`io::ErrorKind::TimedOut`] when what it sent is not acknowledged
    /// for so long, if it can do that; None: as it does by itself.
    fn give_up_after(&self, timeout: Option<Duration>);
}

impl Connection for OwnedWriteHalf {
    fn write_now(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        SockRef::from(self.as_ref()).send_vectored(slices)
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn give_up_after(&self, timeout: Option<Duration>) {
        if let Err(error) = SockRef::from(self.as_ref()).set_tcp_user_timeout(timeout) {
            tracing::debug!("setting the timeout of a connection failed: {error}");
        }
    }

    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    fn give_up_after(&self, _timeout: Option<Duration>) {}
}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + 'static> Connection for WriteHalf<T> {
    fn write_now(&self, _slices: &[IoSlice<'_>]) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }

    fn give_up_after(&self, _timeout: Option<Duration>) {}
}

/// Whether the system gave up a connection because nobody answers. It then names the last thing that went wrong on the
/// way, if it knows of something: on a local network the host of a client that vanished is soon unreachable.
pub(super) fn is_timeout(error: &io::Error) -> bool {
    use io::ErrorKind::{HostUnreachable, NetworkDown, NetworkUnreachable, TimedOut};
    matches!(error.kind(), TimedOut | HostUnreachable | NetworkUnreachable | NetworkDown)
}

/// Writes once, as much as the socket takes; returns how many bytes.
pub(super) fn poll_write(
    frames: &mut FrameWriter,
    connection: &mut impl Connection,
    context: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    let mut slices = [IoSlice::new(&[]); MAX_SLICES];
    let used = frames.slices(&mut slices);
    let written = match &slices[..used] {
        [slice] => ready!(Pin::new(connection).poll_write(context, slice))?,
        slices => ready!(Pin::new(connection).poll_write_vectored(context, slices))?,
    };
    if written == 0 {
        return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
    }
    frames.advance(written);
    Poll::Ready(Ok(written))
}

/// Writes once, without waiting; returns how many bytes.
pub(super) fn write_now(frames: &mut FrameWriter, connection: &impl Connection) -> io::Result<usize> {
    let mut slices = [IoSlice::new(&[]); MAX_SLICES];
    let used = frames.slices(&mut slices);
    let written = match connection.write_now(&slices[..used]) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
        result => result?,
    };
    frames.advance(written);
    Ok(written)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use tokio::io::AsyncReadExt;
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    async fn connection() -> (OwnedWriteHalf, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (_, write) = listener.accept().await.unwrap().0.into_split();
        (write, client)
    }

    #[tokio::test]
    async fn without_waiting_as_much_is_written_as_the_system_takes() {
        let (write, mut client) = connection().await;
        let mut frames = FrameWriter::default();
        let payload = Bytes::from(vec![7; 1 << 20]);
        let mut written = 0;
        loop {
            frames.binary(payload.clone());
            match write_now(&mut frames, &write).unwrap() {
                0 => break,
                bytes => written += bytes,
            }
        }
        let waiting = frames.len();
        assert!(waiting > 0);
        client.read_exact(&mut vec![0; written]).await.unwrap();
        let more = write_now(&mut frames, &write).unwrap();
        assert!(more > 0 && frames.len() == waiting - more);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_client_that_vanished_is_told_from_one_that_left() {
        // ETIMEDOUT, EHOSTUNREACH, ENETUNREACH, ENETDOWN; ECONNRESET, EPIPE
        let is_timeout = |number: &i32| is_timeout(&io::Error::from_raw_os_error(*number));
        assert!([110, 113, 101, 100].iter().all(is_timeout));
        assert!(![104, 32].iter().any(is_timeout));
    }

    #[tokio::test]
    #[cfg(any(target_os = "linux", target_os = "android"))]
    async fn the_system_is_given_the_timeout_and_none() {
        let (write, _client) = connection().await;
        for timeout in [Some(Duration::from_secs(75)), None] {
            write.give_up_after(timeout);
            let set = SockRef::from(write.as_ref()).tcp_user_timeout().unwrap();
            assert_eq!(set.unwrap_or_default(), timeout.unwrap_or_default());
        }
    }
}
