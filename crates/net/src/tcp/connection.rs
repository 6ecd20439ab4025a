//! One TCP connection: its frame decoder and its write queue. Has no access to the poller or to other
//! connections.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::frame::FrameDecoder;
use super::write_queue::{Priority, WriteQueue};

/// Longest time that a connection may stay untrusted.
pub const UNTRUSTED_LIFETIME: Duration = Duration::from_secs(10);

/// Longest silence of a trusted connection. A browser renews its consent every 5 s (RFC 7675).
pub const SILENCE_MAX: Duration = Duration::from_secs(60);

/// Result of queueing a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum QueueResult {
    /// Queued first: the caller must write the queue.
    First,
    /// Queued behind other frames.
    Behind,
    /// Dropped: the queue is full, or the frame is too long.
    Dropped,
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
    /// Frames to write.
    queue: WriteQueue,
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
            queue: WriteQueue::default(),
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
        visit: &mut dyn FnMut(&mut [u8]),
    ) -> io::Result<()> {
        let len = match self.stream.read(scratch) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(len) => len,
            Err(error) if is_retryable(&error) => return Ok(()),
            Err(error) => return Err(error),
        };
        self.decode(now, scratch.get_mut(..len).unwrap_or_default(), visit)
    }

    /// Passes the frames that received bytes complete to `visit`.
    ///
    /// # Errors
    /// `InvalidData` when the peer violated the framing.
    pub(super) fn decode(
        &mut self,
        now: Instant,
        bytes: &mut [u8],
        visit: &mut dyn FnMut(&mut [u8]),
    ) -> io::Result<()> {
        self.heard_at = now;
        self.decoder
            .decode(bytes, visit)
            .map_err(|_| io::ErrorKind::InvalidData.into())
    }

    /// Queues a frame, which may drop others.
    pub(super) fn queue(
        &mut self,
        now: Instant,
        contents: &[u8],
        priority: Priority,
    ) -> QueueResult {
        let was_empty = self.queue.is_empty();
        if !self.queue.push(now, contents, priority) {
            return QueueResult::Dropped;
        }
        if was_empty {
            QueueResult::First
        } else {
            QueueResult::Behind
        }
    }

    /// Writes as much of the queue as the kernel has room for.
    ///
    /// # Errors
    /// Fails when the connection has ended.
    pub(super) fn write(&mut self, now: Instant) -> io::Result<WriteResult> {
        while !self.queue.is_empty() {
            let chunk = self.queue.next_chunk(now);
            if chunk.is_empty() {
                break;
            }
            match self.stream.write(chunk) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(len) => self.queue.mark_written(len),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if is_retryable(&error) => return Ok(WriteResult::Partial),
                Err(error) => return Err(error),
            }
        }
        Ok(WriteResult::Complete)
    }

    /// Returns the number of queued frames that were dropped since the last call.
    pub(super) fn take_dropped(&mut self) -> u64 {
        self.queue.take_dropped()
    }
}

/// Returns whether the call is to be repeated later.
fn is_retryable(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
    )
}
