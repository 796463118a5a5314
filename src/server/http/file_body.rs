//! A file as the body of an answer, read piece by piece on threads that may block.

use std::io::{self, Read};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use tokio::task::{JoinHandle, spawn_blocking};

/// Bytes that are read at once.
const PIECE: u64 = 128 << 10;

/// A file after a read, and what was read.
type Piece<F> = io::Result<(F, Bytes)>;

/// See the module's documentation. The file is closed at the end, or when this is dropped; then once a read has ended.
pub(super) struct FileBody<F> {
    /// None at the end.
    reading: Option<JoinHandle<Piece<F>>>,
    left: u64,
}

impl<F: Read + Send + 'static> FileBody<F> {
    /// The next `size` bytes of a file, which may grow meanwhile.
    pub(super) fn new(file: F, size: u64) -> Self {
        let reading = (size > 0).then(|| read(file, size));
        Self { reading, left: size }
    }
}

fn read<F: Read + Send + 'static>(mut file: F, left: u64) -> JoinHandle<Piece<F>> {
    spawn_blocking(move || {
        let mut piece = Vec::with_capacity(usize::try_from(left.min(PIECE)).unwrap_or_default());
        file.by_ref().take(left.min(PIECE)).read_to_end(&mut piece)?;
        Ok((file, piece.into()))
    })
}

impl<F: Read + Send + 'static> hyper::body::Body for FileBody<F> {
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

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::io::Cursor;

    use hyper::body::Body;

    use super::*;

    async fn next(body: &mut FileBody<Cursor<Vec<u8>>>) -> Option<io::Result<Bytes>> {
        let frame = poll_fn(|context| Pin::new(&mut *body).poll_frame(context)).await;
        frame.map(|frame| frame.map(|frame| frame.into_data().unwrap()))
    }

    #[tokio::test]
    async fn a_file_comes_in_pieces() {
        let length = 2 * PIECE + 5;
        let bytes: Vec<u8> = (0..length + 100).map(|n| n.to_le_bytes()[1]).collect();
        let mut body = FileBody::new(Cursor::new(bytes.clone()), length);
        assert_eq!(body.size_hint().exact(), Some(length));
        let mut all = Vec::new();
        while let Some(piece) = next(&mut body).await {
            let piece = piece.unwrap();
            assert!(piece.len() as u64 <= PIECE);
            all.extend_from_slice(&piece);
        }
        assert!(all.len() as u64 == length && all == bytes[..all.len()]);
        assert!(body.is_end_stream());
    }

    #[tokio::test]
    async fn a_file_that_became_shorter_is_an_error() {
        let mut body = FileBody::new(Cursor::new(vec![0; 5]), 6);
        assert_eq!(next(&mut body).await.unwrap().unwrap().len(), 5);
        let error = next(&mut body).await.unwrap().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        assert!(next(&mut body).await.is_none());
    }
}
