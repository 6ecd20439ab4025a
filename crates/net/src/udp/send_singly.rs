//! Sends the datagrams of a run one by one, for sockets without segmentation offload.

use std::io;

use super::io_error::{is_bad_descriptor, is_would_block};
use crate::transmit::Transmit;
use crate::udp_stats::UdpStats;

/// Sends one datagram. Implemented by sockets and, in tests, by a scripted kernel.
pub(super) trait SendDatagram {
    /// Sends `datagram`, a part of `transmit`.
    fn send_datagram(&self, datagram: &[u8], transmit: &Transmit) -> io::Result<()>;
}

/// Sends the datagrams of `run`, a part of `transmit`, one by one. Returns false when the kernel has
/// no room for all of them now.
pub(super) fn send_singly(
    socket: &impl SendDatagram,
    run: &[u8],
    transmit: &Transmit,
    stats: &mut UdpStats,
) -> io::Result<bool> {
    for segment in run.chunks(transmit.segment_len()) {
        loop {
            match socket.send_datagram(segment, transmit) {
                Ok(()) => {
                    stats.sent += 1;
                    stats.sent_runs += 1;
                }
                Err(error) if is_would_block(&error) => return Ok(false),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if is_bad_descriptor(&error) => return Err(error),
                Err(error) => {
                    tracing::trace!(%error, "datagram refused by the kernel");
                    stats.send_errors += 1;
                }
            }
            break;
        }
    }
    Ok(true)
}
