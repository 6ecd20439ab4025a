//! Backend on the standard library: one call for each datagram, on every system.

use std::io;
use std::net::UdpSocket;
use std::time::Duration;

use super::io_error::{is_transient, is_would_block};
use super::receive_batch::{FilledSlot, RECEIVE_SLOTS, ReceiveBatch};
use super::send_singly::{SendDatagram, send_singly};
use crate::transmit::Transmit;
use crate::udp_stats::UdpStats;

impl SendDatagram for UdpSocket {
    fn send_datagram(&self, datagram: &[u8], transmit: &Transmit) -> io::Result<()> {
        #[cfg(target_os = "linux")]
        if transmit.source.is_some() {
            return super::linux::send_datagram(self, datagram, transmit);
        }
        self.send_to(datagram, transmit.destination).map(drop)
    }
}

/// Receives up to a batch. A datagram that fills its slot to the last byte may have been truncated,
/// and is dropped.
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
            Ok((len, source)) => Some(FilledSlot {
                source,
                local: None,
                waited: Duration::ZERO,
                len,
                segment_len: len.max(1),
            }),
            Err(error) if is_would_block(&error) => break,
            // Reports a datagram sent earlier: its peer vanished, or the port is closed.
            Err(error) if is_transient(&error) => None,
            // Windows returns an error where others truncate.
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

/// Sends each datagram of each transmit and returns how many transmits were taken.
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
