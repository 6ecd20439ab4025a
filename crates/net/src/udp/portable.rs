//! The path through the standard library: one call for each datagram, on every system.

use std::io;
use std::net::{SocketAddr, UdpSocket};

use super::{Filled, RECEIVE_SLOTS, ReceiveBatch, Transmit, UdpStats, is_would_block};

/// What takes one datagram: the system, or a test in its place.
pub(super) trait SendOne {
    /// Sends `datagram`; how many bytes were taken.
    fn send_one(&self, datagram: &[u8], destination: SocketAddr) -> io::Result<usize>;
}

impl SendOne for UdpSocket {
    fn send_one(&self, datagram: &[u8], destination: SocketAddr) -> io::Result<usize> {
        self.send_to(datagram, destination)
    }
}

/// Receives up to a batch. A datagram that fills its slot to the last byte may have been cut, and
/// is dropped.
pub(super) fn receive(
    socket: &UdpSocket,
    batch: &mut ReceiveBatch,
    stats: &mut UdpStats,
) -> io::Result<()> {
    for slot in batch
        .arena
        .chunks_exact_mut(batch.slot_len)
        .take(RECEIVE_SLOTS)
    {
        let filled = match socket.recv_from(slot) {
            Ok((len, _)) if len == slot.len() => {
                stats.received_truncated += 1;
                None
            }
            Ok((len, source)) => Some(Filled {
                source,
                len,
                segment_len: len.max(1),
            }),
            Err(error) if is_would_block(&error) => break,
            // A message about an earlier datagram: a vanished peer, a closed port.
            Err(error) if is_passing(&error) => None,
            // Windows says so instead of cutting.
            #[cfg(windows)]
            Err(error) if error.raw_os_error() == Some(10_040) => {
                stats.received_truncated += 1;
                None
            }
            Err(error) => return Err(error),
        };
        batch.filled.push(filled);
    }
    Ok(())
}

/// Sends each datagram of each transmit; how many transmits were taken.
pub(super) fn send(
    socket: &UdpSocket,
    arena: &[u8],
    transmits: &[Transmit],
    stats: &mut UdpStats,
) -> io::Result<usize> {
    for (number, transmit) in transmits.iter().enumerate() {
        let Some(run) = arena.get(transmit.range.clone()) else {
            stats.send_errors += 1;
            continue;
        };
        if !send_singly(socket, run, transmit, stats)? {
            return Ok(number);
        }
    }
    Ok(transmits.len())
}

/// Sends the datagrams of `run`, a part of `transmit`, one by one. False when there is no room for
/// all now.
pub(super) fn send_singly(
    socket: &impl SendOne,
    run: &[u8],
    transmit: &Transmit,
    stats: &mut UdpStats,
) -> io::Result<bool> {
    for segment in run.chunks(transmit.segment_len()) {
        loop {
            match socket.send_one(segment, transmit.destination) {
                Ok(_) => {
                    stats.sent += 1;
                    stats.sent_runs += 1;
                }
                Err(error) if is_would_block(&error) => return Ok(false),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if is_broken(&error) => return Err(error),
                Err(error) => {
                    tracing::trace!(%error, "a datagram was refused");
                    stats.send_errors += 1;
                }
            }
            break;
        }
    }
    Ok(true)
}

/// Whether `error` speaks of one datagram or one peer, so that receiving may go on.
pub(super) fn is_passing(error: &io::Error) -> bool {
    use io::ErrorKind;
    matches!(
        error.kind(),
        ErrorKind::ConnectionRefused
            | ErrorKind::ConnectionReset
            | ErrorKind::HostUnreachable
            | ErrorKind::NetworkUnreachable
            | ErrorKind::NetworkDown
            | ErrorKind::Interrupted
    )
}

/// Whether `error` says that there is no socket: of a send, all else speaks of one datagram.
pub(super) fn is_broken(error: &io::Error) -> bool {
    #[cfg(unix)]
    const BAD_DESCRIPTOR: i32 = 9;
    #[cfg(not(unix))]
    const BAD_DESCRIPTOR: i32 = 10_038;
    error.raw_os_error() == Some(BAD_DESCRIPTOR)
}
