//! A client over TCP or TLS: messages and channel data one after the other (RFC 8656 §2.1 and §12.5).
//! Data for a client that does not read is dropped, never queued without bound.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::client::ClientSink;
use super::context::TurnContext;
use super::metrics::DropReason;
use super::session::ClientSession;

/// Upper bound of frames that wait to be written to a client: some 90 KB of video, a third of a second at
/// 2 Mbit/s.
const FRAMES_MAX: usize = 64;

/// Longest frame of a client, in bytes. Longer ones than any datagram end the connection.
const FRAME_LEN_MAX: usize = 4_096;

/// Time for which a connection may be open without an allocation.
const UNALLOCATED_TIMEOUT: Duration = Duration::from_secs(30);

/// Time after which the connection of a client that reads nothing is closed.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// Bytes of a frame's beginning that state its length.
const LENGTH_END: usize = 4;

/// Length of a STUN header, in bytes.
const STUN_HEADER_LEN: usize = 20;

/// Serves a client until its connection ends.
pub async fn serve<S>(server: &Arc<TurnContext>, stream: S, client: SocketAddr)
where
    S: AsyncRead + AsyncWrite + Send + 'static,
{
    let (reader, writer) = tokio::io::split(stream);
    let (queue, frames) = mpsc::channel(FRAMES_MAX);
    let outcome = tokio::select! {
        outcome = read(server, reader, client, queue) => outcome,
        outcome = write(writer, frames) => outcome,
    };
    if let Err(error) = outcome {
        tracing::debug!(%error, "TURN connection closed");
    }
}

/// Handles the frames of a client, and queues responses. Waits for room for them, since a client over
/// TCP does not repeat its requests.
async fn read(
    server: &Arc<TurnContext>,
    mut reader: impl AsyncRead + Unpin,
    client: SocketAddr,
    queue: mpsc::Sender<Vec<u8>>,
) -> io::Result<()> {
    let mut session = ClientSession::new(client, ClientSink::Stream(queue.clone()));
    let mut buffer = Vec::with_capacity(FRAME_LEN_MAX);
    let mut unallocated_since = Instant::now();
    loop {
        while let Some((frame_len, len)) = next_frame(&buffer, server)? {
            let frame = buffer.get(..frame_len).unwrap_or_default();
            let response = session.handle(server, Instant::now(), frame);
            buffer.drain(..len);
            if let Some(response) = response {
                let sent = queue.send(response).await;
                sent.map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
            }
        }
        let now = Instant::now();
        session.handle_timeout(now);
        let deadline = match session.allocated_until() {
            Some(expires_at) => {
                unallocated_since = now;
                expires_at
            }
            None => unallocated_since + UNALLOCATED_TIMEOUT,
        };
        let wait = deadline.saturating_duration_since(now);
        match timeout(wait, reader.read_buf(&mut buffer)).await {
            Ok(Ok(0)) => return Ok(()),
            Ok(read) => {
                read?;
            }
            Err(_) if session.allocated_until().is_some() => {}
            Err(_) => return Err(io::Error::other("no allocation")),
        }
    }
}

/// Writes queued frames. Ends with the queue, or when the client reads nothing for long.
async fn write(
    mut writer: impl AsyncWrite + Unpin,
    mut frames: mpsc::Receiver<Vec<u8>>,
) -> io::Result<()> {
    while let Some(frame) = frames.recv().await {
        timeout(WRITE_TIMEOUT, async {
            writer.write_all(&frame).await?;
            writer.flush().await
        })
        .await??;
    }
    Ok(())
}

/// Returns the length of the first frame without and with padding; `None` when it is not complete.
///
/// # Errors
/// It is none, or too long: where the next one begins is not known then.
fn next_frame(buffer: &[u8], server: &TurnContext) -> io::Result<Option<(usize, usize)>> {
    let Some([first, _, high, low]) = buffer.first_chunk::<LENGTH_END>() else {
        return Ok(None);
    };
    let len = usize::from(u16::from_be_bytes([*high, *low]));
    let (frame_len, len) = match first >> 6 {
        0 if len.is_multiple_of(4) => (STUN_HEADER_LEN + len, STUN_HEADER_LEN + len),
        1 => (LENGTH_END + len, LENGTH_END + len.next_multiple_of(4)),
        _ => (usize::MAX, usize::MAX),
    };
    if len > FRAME_LEN_MAX {
        server.metrics.record_drop(DropReason::Malformed);
        return Err(io::Error::other("malformed frame"));
    }
    Ok((buffer.len() >= len).then_some((frame_len, len)))
}
