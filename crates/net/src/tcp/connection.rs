//! One TCP connection: its frame decoder and its write queue. Has no access to the poller or to other
//! connections.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::frame::{FRAME_LEN_MAX, FrameDecoder, LENGTH_LEN, write};

/// Longest time that a connection may stay untrusted.
pub const UNTRUSTED_LIFETIME: Duration = Duration::from_secs(10);

/// Longest silence of a trusted connection. A browser renews its consent every 5 s (RFC 7675).
pub const SILENCE_MAX: Duration = Duration::from_secs(60);

/// Capacity of the write queue in bytes: a quarter of a second at 8 Mbit/s. Older media is useless to
/// a call.
pub const WRITE_QUEUE_BYTES_MAX: usize = 256 << 10;

/// Bytes of memory that an empty queue keeps.
const EMPTY_QUEUE_CAPACITY: usize = 16 << 10;

/// Result of queueing a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum QueueResult {
    /// Queued first: the caller must write the queue.
    First,
    /// Queued behind other frames.
    Behind,
    /// Dropped: the queue is full.
    Full,
    /// Dropped: the frame exceeds [`FRAME_LEN_MAX`].
    TooLong,
}

/// Result of writing the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WriteResult {
    /// The queue is empty.
    Complete,
    /// The kernel has no room for the rest.
    Partial,
}

/// One connection.
pub(super) struct Connection {
    /// The socket.
    pub(super) stream: TcpStream,
    /// Address of the peer.
    pub(super) remote: SocketAddr,
    /// Whether the peer passed an authenticated STUN check.
    pub(super) trusted: bool,
    /// Whether the socket is polled for room to write.
    pub(super) polls_writable: bool,
    /// Time at which it was accepted.
    opened_at: Instant,
    /// Time at which bytes last arrived.
    heard_at: Instant,
    /// Splits the received stream into frames.
    decoder: FrameDecoder,
    /// Frames to write. The first `written` bytes are written already.
    queue: Vec<u8>,
    /// Bytes of `queue` already written.
    written: usize,
}

impl Connection {
    /// Creates a connection accepted at `now`.
    pub(super) fn new(stream: TcpStream, remote: SocketAddr, now: Instant) -> Self {
        Self {
            stream,
            remote,
            trusted: false,
            polls_writable: false,
            opened_at: now,
            heard_at: now,
            decoder: FrameDecoder::default(),
            queue: Vec::new(),
            written: 0,
        }
    }

    /// Returns whether it was silent, or untrusted, for too long.
    pub(super) fn is_stale(&self, now: Instant) -> bool {
        if self.trusted {
            now.saturating_duration_since(self.heard_at) >= SILENCE_MAX
        } else {
            now.saturating_duration_since(self.opened_at) >= UNTRUSTED_LIFETIME
        }
    }

    /// Reads once and passes the complete frames to `visit`.
    ///
    /// # Errors
    /// Fails when the connection has ended; `InvalidData` when the peer violated the framing.
    pub(super) fn read(
        &mut self,
        now: Instant,
        scratch: &mut [u8],
        visit: impl FnMut(&mut [u8]),
    ) -> io::Result<()> {
        let len = match self.stream.read(scratch) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(len) => len,
            Err(error) if is_retryable(&error) => return Ok(()),
            Err(error) => return Err(error),
        };
        self.heard_at = now;
        let bytes = scratch.get_mut(..len).unwrap_or_default();
        self.decoder
            .decode(bytes, visit)
            .map_err(|_| io::ErrorKind::InvalidData.into())
    }

    /// Queues a frame.
    pub(super) fn queue(&mut self, contents: &[u8]) -> QueueResult {
        if contents.len() > FRAME_LEN_MAX {
            return QueueResult::TooLong;
        }
        let waiting = self.queue.len() - self.written;
        if waiting + LENGTH_LEN + contents.len() > WRITE_QUEUE_BYTES_MAX {
            return QueueResult::Full;
        }
        if self.written > waiting {
            self.queue.drain(..self.written);
            self.written = 0;
        }
        write(&mut self.queue, contents);
        if waiting == 0 {
            QueueResult::First
        } else {
            QueueResult::Behind
        }
    }

    /// Writes as much of the queue as the kernel has room for.
    ///
    /// # Errors
    /// Fails when the connection has ended.
    pub(super) fn write(&mut self) -> io::Result<WriteResult> {
        while self.written < self.queue.len() {
            match self
                .stream
                .write(self.queue.get(self.written..).unwrap_or_default())
            {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(len) => self.written += len,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if is_retryable(&error) => return Ok(WriteResult::Partial),
                Err(error) => return Err(error),
            }
        }
        self.queue.clear();
        self.queue.shrink_to(EMPTY_QUEUE_CAPACITY);
        self.written = 0;
        Ok(WriteResult::Complete)
    }
}

/// Returns whether the call is to be repeated later.
fn is_retryable(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
    )
}
