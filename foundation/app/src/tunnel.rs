//! Conversations in bytes, as WebSocket has them: a stream that goes both ways as two bodies.
use axum::body::Body;
use bytes::{Bytes, BytesMut};
use futures_util::stream;
use http_body_util::BodyExt;
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Bytes that are read at once.
const PIECE: usize = 16 << 10;

/// What comes from a stream, as a body. `held` is let go of with the body.
pub fn heard(read: impl AsyncRead + Send + Unpin + 'static, held: impl Send + 'static) -> Body {
    let state = (read, BytesMut::new(), held);
    let pieces = stream::unfold(state, |(mut read, mut buffer, held)| async move {
        let piece = read_piece(&mut read, &mut buffer).await.transpose()?;
        Some((piece, (read, buffer, held)))
    });
    Body::from_stream(pieces)
}

/// The next bytes of a stream; none at its end.
///
/// # Errors
/// Those of the stream.
pub async fn read_piece(read: &mut (impl AsyncRead + Unpin), buffer: &mut BytesMut) -> io::Result<Option<Bytes>> {
    buffer.reserve(PIECE);
    let count = read.read_buf(buffer).await?;
    Ok((count > 0).then(|| buffer.split().freeze()))
}

/// Writes a body to a stream as it comes, and then says that there is no more.
pub async fn say(mut said: Body, mut write: impl AsyncWrite + Unpin) {
    while let Some(Ok(frame)) = said.frame().await {
        let Ok(data) = frame.into_data() else { continue };
        if write.write_all(&data).await.is_err() || write.flush().await.is_err() {
            return;
        }
    }
    write.shutdown().await.ok();
}
