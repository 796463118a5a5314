//! The bytes of a file, read piece by piece as the client takes them, on threads that may wait for a disk.

use std::io::{self, Read, SeekFrom};
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::HttpBody;
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::hub::capability::recording::ReadSeek;

/// Bytes that are read at once.
pub(super) const PIECE: u64 = 256 << 10;

type Reader = Box<dyn ReadSeek>;

/// See the module's documentation. The file is closed when this is dropped, or a read that goes on then has ended.
pub(super) struct FileBody {
    state: State,
    /// Bytes that have not been handed out.
    left: u64,
    _place: OwnedSemaphorePermit,
}

enum State {
    /// Where to read from, if that is another place.
    Idle(Reader, Option<u64>),
    Reading(JoinHandle<io::Result<(Reader, Bytes)>>),
    Ended,
}

impl FileBody {
    /// So many bytes from a place on. `place`: given back when this is dropped.
    pub(super) fn new(read: Reader, from: u64, length: u64, place: OwnedSemaphorePermit) -> Self {
        Self { state: State::Idle(read, Some(from)), left: length, _place: place }
    }
}

/// Reads so many bytes; an error if there are not as many.
fn read(mut read: Reader, from: Option<u64>, length: u64) -> io::Result<(Reader, Bytes)> {
    if let Some(from) = from {
        read.seek(SeekFrom::Start(from))?;
    }
    let mut piece = Vec::with_capacity(usize::try_from(length).unwrap_or_default());
    read.by_ref().take(length).read_to_end(&mut piece)?;
    if (piece.len() as u64) < length {
        let reason = "the file has become shorter since it was asked for";
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, reason));
    }
    Ok((read, piece.into()))
}

impl HttpBody for FileBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        loop {
            match std::mem::replace(&mut self.state, State::Ended) {
                State::Idle(file, from) => {
                    let length = self.left.min(PIECE);
                    self.state = State::Reading(spawn_blocking(move || read(file, from, length)));
                }
                State::Reading(mut reading) => {
                    let Poll::Ready(done) = Pin::new(&mut reading).poll(context) else {
                        self.state = State::Reading(reading);
                        return Poll::Pending;
                    };
                    let (file, piece) = done.map_err(io::Error::other)??;
                    self.left -= piece.len() as u64;
                    self.state = State::Idle(file, None);
                    return Poll::Ready(Some(Ok(Frame::data(piece))));
                }
                State::Ended => return Poll::Ready(None),
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::io::Cursor;
    use std::sync::Arc;

    use tokio::sync::Semaphore;

    use super::*;

    fn body(places: &Arc<Semaphore>, bytes: &[u8], from: u64, length: u64) -> Pin<Box<FileBody>> {
        let place = places.clone().try_acquire_owned().unwrap();
        Box::pin(FileBody::new(Box::new(Cursor::new(bytes.to_vec())), from, length, place))
    }

    async fn next(body: &mut Pin<Box<FileBody>>) -> Option<io::Result<Bytes>> {
        let frame = poll_fn(|context| body.as_mut().poll_frame(context)).await;
        frame.map(|frame| frame.map(|frame| frame.into_data().unwrap()))
    }

    #[tokio::test]
    async fn it_comes_in_pieces_and_gives_its_place_back() {
        let places = Arc::new(Semaphore::new(1));
        let length = 2 * PIECE + 5;
        let bytes: Vec<u8> = (0..length + 100).map(|n| n.to_le_bytes()[1]).collect();
        let mut body = body(&places, &bytes, 7, length);
        assert_eq!(body.size_hint().exact(), Some(length));
        let mut all = Vec::new();
        while let Some(piece) = next(&mut body).await {
            let piece = piece.unwrap();
            assert!(piece.len() as u64 <= PIECE);
            all.extend_from_slice(&piece);
        }
        assert!(all == bytes[7..][..all.len()] && all.len() as u64 == length);
        assert_eq!(places.available_permits(), 0);
        drop(body);
        assert_eq!(places.available_permits(), 1);
    }

    #[tokio::test]
    async fn a_file_that_became_shorter_is_an_error() {
        let mut body = body(&Arc::new(Semaphore::new(1)), &[0; 10], 5, 6);
        let error = next(&mut body).await.unwrap().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        assert!(next(&mut body).await.is_none());
    }
}
