//! Sockets on which robot processes hand in JSON lines: `tcp-listen://127.0.0.1:9000`, `unix-listen:///run/robot.sock`.

use std::ffi::OsStr;
use std::io;
use std::net::{TcpListener, TcpStream};
#[cfg(unix)]
use std::os::unix::fs::FileTypeExt;
#[cfg(unix)]
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
#[cfg(unix)]
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};

use super::Printer;
use super::connection::Connection;
use crate::source::{Incoming, SourceError, Stop};

const TCP: &str = "tcp-listen://";
const UNIX: &str = "unix-listen://";

/// A writer of which nothing is heard for this long is tested, again and again: a robot that lost its power is silent, and
/// its place must become free again …
const KEEPALIVE: Duration = Duration::from_secs(15);

/// … after so many tests without an answer: 75 s after it vanished.
#[cfg(any(target_os = "linux", target_os = "android", target_os = "macos", target_os = "windows"))]
const KEEPALIVE_TESTS: u32 = 4;

/// Where nothing can wait for a connection and for a stop, both are looked for this often.
#[cfg(not(unix))]
const POLL: Duration = Duration::from_millis(50);

/// A socket that writers connect to. The file of a Unix socket is removed when it is dropped.
#[derive(Debug)]
#[must_use = "the socket is closed when it is dropped"]
pub struct Listener {
    name: String,
    socket: Socket,
    #[cfg(unix)]
    _file: Option<SocketFile>,
}

/// A writer that has connected.
#[derive(Debug)]
pub struct Accepted {
    /// What people know it by.
    pub name: String,
    /// What it sends.
    pub incoming: Incoming,
    /// What is sent to it.
    pub back: Printer,
}

#[derive(Debug)]
enum Socket {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix(UnixListener),
}

/// Removes the file of a Unix socket when it is dropped.
#[cfg(unix)]
#[derive(Debug)]
struct SocketFile(PathBuf);

#[cfg(unix)]
impl Drop for SocketFile {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.0) {
            tracing::debug!("{}: {error}", self.0.display());
        }
    }
}

impl Listener {
    /// Whether a source is named as a socket to listen on.
    pub fn is_meant(spec: impl AsRef<OsStr>) -> bool {
        spec.as_ref().to_str().is_some_and(|spec| spec.starts_with(TCP) || spec.starts_with(UNIX))
    }

    /// Listens.
    pub fn bind(spec: &str) -> Result<Self, SourceError> {
        let name = spec.to_owned();
        let io = |error| SourceError::Io { name: spec.to_owned(), error };
        let unusable = |reason: String| SourceError::Unusable { name: spec.to_owned(), reason };
        if let Some(address) = spec.strip_prefix(TCP) {
            if !address.contains(':') {
                return Err(unusable("the port is missing; write tcp-listen://127.0.0.1:9000".into()));
            }
            let socket = TcpListener::bind(address).map_err(|error| match error.kind() {
                io::ErrorKind::AddrInUse => unusable(
                    "another program listens there; choose another port, or 0 for any free one".into(),
                ),
                io::ErrorKind::InvalidInput => {
                    unusable(format!("'{address}' is not an address; write tcp-listen://127.0.0.1:9000"))
                }
                _ => io(error),
            })?;
            socket.set_nonblocking(true).map_err(io)?;
            let address = socket.local_addr().map_err(io)?;
            return Ok(Self {
                name: format!("{TCP}{address}"),
                socket: Socket::Tcp(socket),
                #[cfg(unix)]
                _file: None,
            });
        }
        let path = Path::new(spec.strip_prefix(UNIX).unwrap_or(spec));
        if !path.is_absolute() {
            return Err(unusable(
                "the path must begin with a slash; write unix-listen:///run/robot.sock".into(),
            ));
        }
        #[cfg(unix)]
        {
            let socket = bind_unix(path).map_err(|error| match error.kind() {
                io::ErrorKind::AddrInUse => {
                    unusable("another program listens there, or it is no socket; choose another path".into())
                }
                _ => io(error),
            })?;
            let file = SocketFile(path.to_owned());
            socket.set_nonblocking(true).map_err(io)?;
            Ok(Self { name, socket: Socket::Unix(socket), _file: Some(file) })
        }
        #[cfg(not(unix))]
        Err(unusable(format!("{name}: this system has no Unix sockets; use tcp-listen://")))
    }

    /// As the user named it, with the port that was chosen.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Waits for a writer, of which what it sends ends with `stop` as well. None if that is stopped.
    pub fn accept(&self, stop: &Stop) -> Result<Option<Accepted>, SourceError> {
        while !stop.is_stopped() {
            match self.accept_now(stop) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.wait(stop),
                Err(error) => return Err(SourceError::Unavailable { name: self.name.clone(), error }),
                Ok(accepted) => return Ok(Some(accepted)),
            }
        }
        Ok(None)
    }

    fn accept_now(&self, stop: &Stop) -> io::Result<Accepted> {
        let (name, connection) = match &self.socket {
            Socket::Tcp(listener) => {
                let (stream, peer) = listener.accept()?;
                // some systems hand that on
                stream.set_nonblocking(cfg!(unix))?;
                test_silence(&stream)?;
                (peer.to_string(), Connection::Tcp(Arc::new(stream)))
            }
            #[cfg(unix)]
            Socket::Unix(listener) => {
                let (stream, _) = listener.accept()?;
                stream.set_nonblocking(true)?;
                (self.name.clone(), Connection::Unix(Arc::new(stream)))
            }
        };
        let back = Printer::to_writer(name.clone(), connection.clone());
        Ok(Accepted { name, incoming: Incoming::new(connection, stop), back })
    }

    /// Waits for a connection or a stop, whose errors show when it is accepted.
    #[cfg(unix)]
    fn wait(&self, stop: &Stop) {
        let waited = match &self.socket {
            Socket::Tcp(listener) => stop.wait_until_readable(listener),
            Socket::Unix(listener) => stop.wait_until_readable(listener),
        };
        if let Err(error) = waited {
            tracing::debug!("{}: {error}", self.name);
        }
    }

    #[cfg(not(unix))]
    fn wait(&self, stop: &Stop) {
        stop.wait(POLL);
    }
}

/// Has the system test whether a silent writer is there.
fn test_silence(stream: &TcpStream) -> io::Result<()> {
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE);
    #[cfg(any(target_os = "linux", target_os = "android", target_os = "macos", target_os = "windows"))]
    let keepalive = keepalive.with_retries(KEEPALIVE_TESTS);
    SockRef::from(stream).set_tcp_keepalive(&keepalive)
}

/// Binds, also where a program that was killed has left its socket.
#[cfg(unix)]
fn bind_unix(path: &Path) -> io::Result<UnixListener> {
    match UnixListener::bind(path) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            let nobody_answers = UnixStream::connect(path)
                .is_err_and(|refused| refused.kind() == io::ErrorKind::ConnectionRefused);
            // a connection to a plain file is refused as well
            if !(nobody_answers && std::fs::symlink_metadata(path)?.file_type().is_socket()) {
                return Err(error);
            }
            std::fs::remove_file(path)?;
            UnixListener::bind(path)
        }
        bound => bound,
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    #[test]
    fn writers_connect_by_tcp() {
        let stop = Stop::new().unwrap();
        let listener = Listener::bind("tcp-listen://127.0.0.1:0").unwrap();
        let address = listener.name().strip_prefix(TCP).unwrap().to_owned();
        let mut writer = std::net::TcpStream::connect(address).unwrap();
        let Accepted { mut incoming, back, .. } = listener.accept(&stop).unwrap().unwrap();
        writer.write_all(b"{}\n").unwrap();
        drop(writer);
        let mut text = String::new();
        incoming.read_to_string(&mut text).unwrap();
        assert_eq!(text, "{}\n");
        drop(back);
        let taken = Listener::bind(listener.name()).unwrap_err().to_string();
        assert!(taken.contains("another program listens there"), "{taken}");
        stop.stop();
        assert!(listener.accept(&stop).unwrap().is_none());
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_silent_writer_is_tested_after_seconds_and_not_after_hours() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let writer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        test_silence(&writer).unwrap();
        let socket = SockRef::from(&writer);
        assert!(socket.keepalive().unwrap());
        assert_eq!(socket.tcp_keepalive_time().unwrap(), KEEPALIVE);
        assert_eq!(socket.tcp_keepalive_interval().unwrap(), KEEPALIVE);
        assert_eq!(socket.tcp_keepalive_retries().unwrap(), KEEPALIVE_TESTS);
    }

    #[cfg(unix)]
    #[test]
    fn a_socket_left_behind_is_taken_over_and_a_live_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("robot.sock");
        let spec = format!("{UNIX}{}", path.display());
        drop(UnixListener::bind(&path).unwrap());
        assert!(path.exists(), "left behind");
        let listener = Listener::bind(&spec).unwrap();
        assert!(Listener::bind(&spec).unwrap_err().to_string().contains("another program"));
        drop(listener);
        assert!(!path.exists());
        std::fs::write(&path, "precious").unwrap();
        assert!(Listener::bind(&spec).unwrap_err().to_string().contains("no socket"));
        assert_eq!(std::fs::read(&path).unwrap(), b"precious");
    }

    #[test]
    fn half_an_address_is_refused_with_an_example() {
        for spec in ["tcp-listen://9000", "tcp-listen://nowhere:port", "unix-listen://run/robot.sock"] {
            let error = Listener::bind(spec).unwrap_err().to_string();
            assert!(error.contains("write ") || error.contains("lookup"), "{error}");
        }
    }
}
