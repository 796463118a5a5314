//! Writes what is encoded to a connection.

use std::io::{self, IoSlice};

use tokio::io::{AsyncWrite, AsyncWriteExt};

use crate::websocket::FrameWriter;

/// Slices in one vectored write; the system's limit is 1024.
const MAX_SLICES: usize = 64;

/// Writes once, as much as the socket takes; returns how many bytes. Cancel safe.
pub(super) async fn write(
    frames: &mut FrameWriter,
    socket: &mut (impl AsyncWrite + Unpin),
) -> io::Result<usize> {
    let mut slices = [IoSlice::new(&[]); MAX_SLICES];
    let used = frames.slices(&mut slices);
    let written = match &slices[..used] {
        [slice] => socket.write(slice).await?,
        slices => socket.write_vectored(slices).await?,
    };
    if written == 0 {
        return Err(io::ErrorKind::WriteZero.into());
    }
    frames.advance(written);
    Ok(written)
}
