//! Sends a batch of transmits: each datagram through the ring of its device, or through the stack.
//!
//! Order holds per destination. Within a batch all datagrams of a destination take one path, except
//! those longer than the MTU, which media does not have. Rings are flushed before `send` returns, and
//! the path of a destination changes only with its mean run length, its neighbour's age, or the
//! network. At such a change a few datagrams may overtake others that still wait in a queue of the
//! stack; receivers of media reorder those. Frames for which a device has no room at the last flush
//! stay in the ring until the next batch.

#[cfg(test)]
mod tests;

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::frame_ring::FrameRing;
use super::kernel_tables::KernelTables;
use super::netlink::Netlink;
use super::next_hops::NextHopCache;
use super::options::PacketEgressOptions;
use super::stats::{FallbackReason, PacketEgressStats};
use super::tx_ring::{self, TxRing};
use crate::transmit::Transmit;
use crate::udp_stats::UdpStats;

/// Open rings, one for each outgoing device.
const RINGS_MAX: usize = 4;

/// Flushes of a full ring before datagrams are dropped, as a network would drop them.
const FLUSHES_MAX: usize = 3;

/// Frames after which a ring is flushed, so that the driver works while further frames are written.
const FRAMES_PER_FLUSH: usize = 64;

/// Time until a failed ring is opened again. Doubles with each further failure.
const RETRY_MIN: Duration = Duration::from_secs(1);

/// Upper bound of that time.
const RETRY_MAX: Duration = Duration::from_secs(60);

/// Sends datagrams through the kernel's network stack.
pub(crate) trait FallbackSender {
    /// Returns whether runs are sent as runs.
    fn sends_runs(&self) -> bool;

    /// Sends transmits and returns how many were taken.
    fn send(
        &mut self,
        arena: &[u8],
        transmits: &[Transmit],
        stats: &mut UdpStats,
    ) -> io::Result<usize>;
}

/// The ring of one device, and when to open it again after a failure.
struct DeviceRing<R> {
    /// Interface index.
    device: u32,
    /// The ring; `None` before it is opened and after a failure.
    ring: Option<R>,
    /// Frames pushed since the last flush.
    unflushed: usize,
    /// Whether the ring stayed full in this batch.
    is_full: bool,
    /// Wait after the next failure.
    retry_after: Duration,
    /// Time at which a failed ring is opened again.
    retry_at: Instant,
}

/// Sends the datagrams of a UDP socket past the network stack.
pub(crate) struct PacketSender<T = Netlink, R = TxRing> {
    /// Next hops by destination.
    next_hops: NextHopCache<T>,
    /// Rings by device, in the order of first use.
    rings: Vec<DeviceRing<R>>,
    /// Counters since it was opened.
    stats: PacketEgressStats,
}

impl PacketSender {
    /// Opens a sender for a socket bound to `local`.
    ///
    /// # Errors
    /// `PermissionDenied` without the capability `CAP_NET_RAW`, and others of the operating system.
    pub(crate) fn open(local: SocketAddr, options: PacketEgressOptions) -> io::Result<Self> {
        tx_ring::open_socket()?;
        let tables = Netlink::open(local.ip())?;
        Ok(Self::new(tables, local.port(), options, Instant::now()))
    }
}

impl<T, R> PacketSender<T, R> {
    /// Returns the counters since it was opened.
    pub(crate) const fn stats(&self) -> PacketEgressStats {
        self.stats
    }
}

impl<T: KernelTables, R: FrameRing> PacketSender<T, R> {
    fn new(tables: T, port: u16, options: PacketEgressOptions, now: Instant) -> Self {
        Self {
            next_hops: NextHopCache::new(tables, port, options.run_min, now),
            rings: Vec::new(),
            stats: PacketEgressStats::default(),
        }
    }

    /// Sends transmits, in order for each destination, and returns how many were taken. Fewer than
    /// all means that the stack has no room now for the next transmit that needs it.
    ///
    /// # Errors
    /// Errors of `stack`.
    pub(crate) fn send(
        &mut self,
        now: Instant,
        stack: &mut impl FallbackSender,
        arena: &[u8],
        transmits: &[Transmit],
        udp: &mut UdpStats,
    ) -> io::Result<usize> {
        self.next_hops.begin_batch(now);
        for ring in &mut self.rings {
            ring.is_full = false;
        }
        let taken = self.send_each(now, stack, arena, transmits, udp);
        for ring in &mut self.rings {
            ring.flush(now, &mut self.stats);
        }
        taken
    }

    /// Sends transmits without the last flush. Consecutive transmits that need the stack are passed
    /// to it together.
    fn send_each(
        &mut self,
        now: Instant,
        stack: &mut impl FallbackSender,
        arena: &[u8],
        transmits: &[Transmit],
        udp: &mut UdpStats,
    ) -> io::Result<usize> {
        let stack_sends_runs = stack.sends_runs();
        // Index of the first transmit that waits for the stack.
        let mut first = 0;
        for (index, transmit) in transmits.iter().enumerate() {
            let (ip, segments) = (transmit.destination.ip(), transmit.segments());
            let next_hop = self.next_hops.lookup(ip, segments, stack_sends_runs);
            let path = next_hop.and_then(|next_hop| {
                if transmit.segment_len() > next_hop.datagram_len_max {
                    return Err(FallbackReason::Length);
                }
                if transmit.source.is_some_and(|it| it != next_hop.source) {
                    return Err(FallbackReason::Source);
                }
                let ring = open_ring(&mut self.rings, next_hop.device, now, &mut self.stats);
                Ok((next_hop, ring.ok_or(FallbackReason::Device)?))
            });
            let datagrams = segments as u64;
            match (path, arena.get(transmit.range.clone())) {
                (Ok((next_hop, ring)), Some(run)) => {
                    let waiting = transmits.get(first..index).unwrap_or_default();
                    let taken = stack.send(arena, waiting, udp)?;
                    if taken < waiting.len() {
                        return Ok(first + taken);
                    }
                    first = index + 1;
                    let port = transmit.destination.port();
                    let mut sent = 0;
                    let empty = run.is_empty().then_some(run);
                    for datagram in run.chunks(transmit.segment_len()).chain(empty) {
                        let write =
                            |frame: &mut [u8]| next_hop.template.write(frame, port, datagram);
                        sent += u64::from(ring.push(now, write, &mut self.stats));
                    }
                    self.stats.frames += sent;
                    self.stats.dropped += datagrams - sent;
                    udp.sent += sent;
                    udp.sent_runs += sent;
                    udp.send_errors += datagrams - sent;
                }
                (Err(reason), _) => self.stats.record_fallback(reason, datagrams),
                // The stack counts a range outside the arena.
                (Ok(_), None) => {}
            }
        }
        let waiting = transmits.get(first..).unwrap_or_default();
        Ok(first + stack.send(arena, waiting, udp)?)
    }
}

/// Returns the open ring of `device`, opening it if it is due; `None` if it cannot be opened now.
fn open_ring<'a, R: FrameRing>(
    rings: &'a mut Vec<DeviceRing<R>>,
    device: u32,
    now: Instant,
    stats: &mut PacketEgressStats,
) -> Option<&'a mut DeviceRing<R>> {
    let index = rings.iter().position(|ring| ring.device == device);
    let index = match index {
        Some(index) => index,
        None => {
            if rings.len() >= RINGS_MAX {
                // Replace the ring of a device that has gone.
                let failed = rings.iter().position(|ring| ring.ring.is_none())?;
                rings.remove(failed);
            }
            rings.push(DeviceRing::new(device, now));
            rings.len() - 1
        }
    };
    let entry = rings.get_mut(index)?;
    if entry.ring.is_none() && now >= entry.retry_at {
        match R::open(device) {
            Ok(ring) => entry.ring = Some(ring),
            Err(error) => entry.close(&error, now, stats),
        }
    }
    entry.ring.is_some().then_some(entry)
}

impl<R: FrameRing> DeviceRing<R> {
    /// Creates an entry whose ring is not open yet.
    const fn new(device: u32, now: Instant) -> Self {
        Self {
            device,
            ring: None,
            unflushed: 0,
            is_full: false,
            retry_after: RETRY_MIN,
            retry_at: now,
        }
    }

    /// Pushes a frame. Returns false when the ring stays full after flushes.
    fn push(
        &mut self,
        now: Instant,
        mut write: impl FnMut(&mut [u8]) -> Option<usize>,
        stats: &mut PacketEgressStats,
    ) -> bool {
        for _ in 0..FLUSHES_MAX {
            let Some(ring) = self.ring.as_mut().filter(|_| !self.is_full) else {
                return false;
            };
            if ring.push(&mut write) {
                self.unflushed += 1;
                if self.unflushed >= FRAMES_PER_FLUSH {
                    self.flush(now, stats);
                }
                return true;
            }
            self.flush(now, stats);
        }
        self.is_full = true;
        false
    }

    /// Sends the pushed frames.
    fn flush(&mut self, now: Instant, stats: &mut PacketEgressStats) {
        self.unflushed = 0;
        match self.ring.as_mut().map(FrameRing::flush) {
            Some(Ok(true)) => self.retry_after = RETRY_MIN,
            Some(Err(error)) => self.close(&error, now, stats),
            Some(Ok(false)) | None => {}
        }
    }

    /// Closes the ring after a failure, until `retry_at`. Frames in it are lost.
    fn close(&mut self, error: &io::Error, now: Instant, stats: &mut PacketEgressStats) {
        tracing::info!(
            %error,
            device = self.device,
            retry_after = ?self.retry_after,
            "packet ring failed: media takes the network stack until the next attempt"
        );
        stats.ring_failures += 1;
        self.ring = None;
        self.retry_at = now + self.retry_after;
        self.retry_after = (self.retry_after * 2).min(RETRY_MAX);
    }
}
