//! One TCP connection: what was received of an unfinished frame, and what waits to be written.
//! Knows nothing of the others, nor of the poller.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

use super::frame::{FRAME_LEN_MAX, FrameDecoder, LENGTH_LEN, write};
use super::{SILENCE_MAX, UNTRUSTED_LIFETIME};

/// Bytes that may wait to be written: a quarter of a second at 8 Mbit/s. What is older is worth
/// nothing to a call.
pub const WRITE_QUEUE_BYTES_MAX: usize = 256 << 10;

/// Bytes of a queue that are kept when it is empty.
const QUEUE_KEPT_MAX: usize = 16 << 10;

/// What became of a frame to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Queued {
    /// It waits alone: somebody has to write it.
    First,
    /// It waits behind others.
    Behind,
    /// Dropped: the queue is full.
    Full,
    /// Dropped: it is longer than a frame may be.
    TooLong,
}

/// How far writing came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Written {
    /// Nothing waits.
    All,
    /// The rest waits for room.
    Some,
}

/// One connection.
pub(super) struct Connection {
    /// The socket.
    pub(super) stream: TcpStream,
    /// The address of its peer.
    pub(super) remote: SocketAddr,
    /// Whether its peer proved who it is.
    pub(super) trusted: bool,
    /// Whether the poller reports room to write.
    pub(super) waits_for_room: bool,
    /// When it was accepted.
    opened_at: Instant,
    /// When bytes last arrived.
    heard_at: Instant,
    /// Cuts what arrives into frames.
    decoder: FrameDecoder,
    /// Frames to write; the first `written` bytes are.
    queue: Vec<u8>,
    /// How many bytes of the queue are written.
    written: usize,
}

impl Connection {
    /// A connection accepted at `now`.
    pub(super) fn new(stream: TcpStream, remote: SocketAddr, now: Instant) -> Self {
        Self {
            stream,
            remote,
            trusted: false,
            waits_for_room: false,
            opened_at: now,
            heard_at: now,
            decoder: FrameDecoder::default(),
            queue: Vec::new(),
            written: 0,
        }
    }

    /// Whether it has been silent, or untrusted, for too long.
    pub(super) fn is_stale(&self, now: Instant) -> bool {
        if self.trusted {
            now.saturating_duration_since(self.heard_at) >= SILENCE_MAX
        } else {
            now.saturating_duration_since(self.opened_at) >= UNTRUSTED_LIFETIME
        }
    }

    /// Reads once and hands out the frames that are complete.
    ///
    /// # Errors
    /// When the connection is at its end; `InvalidData` when its peer broke the framing.
    pub(super) fn read(
        &mut self,
        now: Instant,
        scratch: &mut [u8],
        visit: impl FnMut(&mut [u8]),
    ) -> io::Result<()> {
        let len = match self.stream.read(scratch) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(len) => len,
            Err(error) if is_later(&error) => return Ok(()),
            Err(error) => return Err(error),
        };
        self.heard_at = now;
        let bytes = scratch.get_mut(..len).unwrap_or_default();
        self.decoder
            .decode(bytes, visit)
            .map_err(|_| io::ErrorKind::InvalidData.into())
    }

    /// Queues a frame.
    pub(super) fn queue(&mut self, contents: &[u8]) -> Queued {
        if contents.len() > FRAME_LEN_MAX {
            return Queued::TooLong;
        }
        let waiting = self.queue.len() - self.written;
        if waiting + LENGTH_LEN + contents.len() > WRITE_QUEUE_BYTES_MAX {
            return Queued::Full;
        }
        if self.written > waiting {
            self.queue.drain(..self.written);
            self.written = 0;
        }
        write(&mut self.queue, contents);
        if waiting == 0 {
            Queued::First
        } else {
            Queued::Behind
        }
    }

    /// Writes what is queued, as far as there is room.
    ///
    /// # Errors
    /// When the connection is at its end.
    pub(super) fn write(&mut self) -> io::Result<Written> {
        while self.written < self.queue.len() {
            match self
                .stream
                .write(self.queue.get(self.written..).unwrap_or_default())
            {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(len) => self.written += len,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if is_later(&error) => return Ok(Written::Some),
                Err(error) => return Err(error),
            }
        }
        self.queue.clear();
        self.queue.shrink_to(QUEUE_KEPT_MAX);
        self.written = 0;
        Ok(Written::All)
    }
}

/// Whether `error` says only that nothing can be done now.
fn is_later(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
    )
}
