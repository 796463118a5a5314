//! A file as the body of an answer, read piece by piece on threads that may block.

use std::fs::File;
use std::io::{self, Read};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use tokio::task::{JoinHandle, spawn_blocking};

/// Bytes that are read at once.
const PIECE: u64 = 128 << 10;

type Piece = io::Result<(File, Bytes)>;

/// See the module's documentation.
pub(super) struct FileBody {
    /// None at the end.
    reading: Option<JoinHandle<Piece>>,
    left: u64,
}

impl FileBody {
    /// The first `size` bytes of a file, which may grow meanwhile.
    pub(super) fn new(file: File, size: u64) -> Self {
        let reading = (size > 0).then(|| read(file, size));
        Self { reading, left: size }
    }
}

fn read(mut file: File, left: u64) -> JoinHandle<Piece> {
    spawn_blocking(move || {
        let mut piece = Vec::new();
        file.by_ref().take(left.min(PIECE)).read_to_end(&mut piece)?;
        Ok((file, piece.into()))
    })
}

impl hyper::body::Body for FileBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let Some(reading) = &mut self.reading else { return Poll::Ready(None) };
        let piece = ready!(Pin::new(reading).poll(context));
        self.reading = None;
        let (file, piece) = piece.map_err(io::Error::other)??;
        if piece.is_empty() {
            // what was promised can't be kept: the connection ends
            return Poll::Ready(Some(Err(io::ErrorKind::UnexpectedEof.into())));
        }
        self.left -= piece.len() as u64;
        if self.left > 0 {
            self.reading = Some(read(file, self.left));
        }
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.reading.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
