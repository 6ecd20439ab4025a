//! Sends a batch: each datagram through the ring of its device, or through the stack.
//!
//! Order holds per destination: within a batch all its datagrams go one way (but for one longer
//! than a packet may be, which media does not have), rings are kicked before `send` returns, and
//! the way of a destination changes only with its mean run, its neighbour's age, or the network. At
//! such a change a few datagrams may overtake others that still wait in a queue of the stack;
//! receivers of media sort those. Frames for which a device has no room at the last kick wait in the
//! ring for the next batch.

#[cfg(test)]
mod tests;

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::netlink::Netlink;
use super::next_hops::{Kernel, Paths};
use super::ring::{self, Ring};
use super::{FallbackReason, PacketEgressOptions, PacketEgressStats};
use crate::udp::{Transmit, UdpStats};

/// Rings at a time: one for each device that packets leave by.
const LINES_MAX: usize = 4;

/// Times the kernel is asked to make room in a full ring, before datagrams are dropped as a network
/// would.
const KICKS_MAX: usize = 3;

/// Frames after which the kernel is told: the driver then works while we write the next.
const FRAMES_PER_KICK: usize = 64;

/// How long after its first failure a ring is tried again. Twice as long after each further one.
const RETRY_MIN: Duration = Duration::from_secs(1);

/// How long at most.
const RETRY_MAX: Duration = Duration::from_secs(60);

/// Frames to one device: a ring, or a test in its place.
pub(crate) trait Line: Sized {
    /// Opens a line to the device of this number.
    fn open(device: u32) -> io::Result<Self>;

    /// Lets `write` fill the next frame; it says how long the frame is. False when there is no
    /// room.
    fn fill(&mut self, write: impl FnOnce(&mut [u8]) -> Option<usize>) -> bool;

    /// Has the filled frames sent, as far as the device has room. Whether any were.
    fn kick(&mut self) -> io::Result<bool>;
}

/// What sends datagrams the usual way.
pub(crate) trait Stack {
    /// Whether runs are sent as runs.
    fn sends_runs(&self) -> bool;

    /// Sends transmits; how many were taken.
    fn send(
        &mut self,
        arena: &[u8],
        transmits: &[Transmit],
        stats: &mut UdpStats,
    ) -> io::Result<usize>;
}

/// A device that packets leave by.
struct Exit<L> {
    /// Its number.
    device: u32,
    /// Its line, unless that failed.
    line: Option<L>,
    /// Frames filled since the last kick.
    filled: usize,
    /// Whether the line had no room in this batch.
    is_full: bool,
    /// How long to wait after the next failure.
    retry_after: Duration,
    /// When a failed line is tried again.
    retry_at: Instant,
}

/// The second way out of a socket.
pub(crate) struct Egress<K = Netlink, L = Ring> {
    /// Where packets go.
    paths: Paths<K>,
    /// Devices that packets leave by, in the order of their first use.
    exits: Vec<Exit<L>>,
    /// What it has done.
    stats: PacketEgressStats,
}

impl Egress {
    /// Sends what a socket bound to `local` would.
    pub(crate) fn open(local: SocketAddr, options: PacketEgressOptions) -> io::Result<Self> {
        ring::open_socket()?;
        let kernel = Netlink::open(local.ip())?;
        Ok(Self::new(kernel, local.port(), options, Instant::now()))
    }
}

impl<K, L> Egress<K, L> {
    /// What it has done.
    pub(crate) const fn stats(&self) -> PacketEgressStats {
        self.stats
    }
}

impl<K: Kernel, L: Line> Egress<K, L> {
    fn new(kernel: K, port: u16, options: PacketEgressOptions, now: Instant) -> Self {
        Self {
            paths: Paths::new(kernel, port, options.run_min, now),
            exits: Vec::new(),
            stats: PacketEgressStats::default(),
        }
    }

    /// Sends transmits, in order for each destination; how many were taken. Fewer than all means
    /// that the stack has no room now for the first that had to take it.
    pub(crate) fn send(
        &mut self,
        now: Instant,
        stack: &mut impl Stack,
        arena: &[u8],
        transmits: &[Transmit],
        udp: &mut UdpStats,
    ) -> io::Result<usize> {
        self.paths.begin_batch(now);
        for exit in &mut self.exits {
            exit.is_full = false;
        }
        let taken = self.send_each(now, stack, arena, transmits, udp);
        for exit in &mut self.exits {
            exit.kick(now, &mut self.stats);
        }
        taken
    }

    /// Sends transmits, but for the last kick. Those that need the stack are given to it together,
    /// as soon as one comes that does not.
    fn send_each(
        &mut self,
        now: Instant,
        stack: &mut impl Stack,
        arena: &[u8],
        transmits: &[Transmit],
        udp: &mut UdpStats,
    ) -> io::Result<usize> {
        let by_runs = stack.sends_runs();
        // The first that waits for the stack.
        let mut first = 0;
        for (index, transmit) in transmits.iter().enumerate() {
            let (ip, segments) = (transmit.destination.ip(), transmit.segments());
            let chosen = self.paths.choose(ip, segments, by_runs);
            let chosen = chosen.and_then(|outgoing| {
                if transmit.segment_len() > outgoing.datagram_len_max {
                    return Err(FallbackReason::Length);
                }
                let exit = exit(&mut self.exits, outgoing.device, now, &mut self.stats);
                Ok((outgoing, exit.ok_or(FallbackReason::Device)?))
            });
            let datagrams = segments as u64;
            match (chosen, arena.get(transmit.range.clone())) {
                (Ok((outgoing, exit)), Some(run)) => {
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
                        let frame =
                            |frame: &mut [u8]| outgoing.template.write(frame, port, datagram);
                        sent += u64::from(exit.fill(now, frame, &mut self.stats));
                    }
                    self.stats.frames += sent;
                    self.stats.dropped += datagrams - sent;
                    udp.sent += sent;
                    udp.sent_runs += sent;
                    udp.send_errors += datagrams - sent;
                }
                (Err(reason), _) => self.stats.fall_back(reason, datagrams),
                // The stack counts what is not in the arena.
                (Ok(_), None) => {}
            }
        }
        let waiting = transmits.get(first..).unwrap_or_default();
        Ok(first + stack.send(arena, waiting, udp)?)
    }
}

/// The exit by this device, with its line; none while it has no line.
fn exit<'a, L: Line>(
    exits: &'a mut Vec<Exit<L>>,
    device: u32,
    now: Instant,
    stats: &mut PacketEgressStats,
) -> Option<&'a mut Exit<L>> {
    let place = exits.iter().position(|exit| exit.device == device);
    let place = match place {
        Some(place) => place,
        None => {
            if exits.len() >= LINES_MAX {
                // A device that went away makes room for the one that came.
                let failed = exits.iter().position(|exit| exit.line.is_none())?;
                exits.remove(failed);
            }
            exits.push(Exit::new(device, now));
            exits.len() - 1
        }
    };
    let exit = exits.get_mut(place)?;
    if exit.line.is_none() && now >= exit.retry_at {
        match L::open(device) {
            Ok(line) => exit.line = Some(line),
            Err(error) => exit.fail(&error, now, stats),
        }
    }
    exit.line.is_some().then_some(exit)
}

impl<L: Line> Exit<L> {
    /// An exit whose line is yet to be opened.
    const fn new(device: u32, now: Instant) -> Self {
        Self {
            device,
            line: None,
            filled: 0,
            is_full: false,
            retry_after: RETRY_MIN,
            retry_at: now,
        }
    }

    /// Fills a frame. False when there is no room for it, also after kicks.
    fn fill(
        &mut self,
        now: Instant,
        mut write: impl FnMut(&mut [u8]) -> Option<usize>,
        stats: &mut PacketEgressStats,
    ) -> bool {
        for _ in 0..KICKS_MAX {
            let Some(line) = self.line.as_mut().filter(|_| !self.is_full) else {
                return false;
            };
            if line.fill(&mut write) {
                self.filled += 1;
                if self.filled >= FRAMES_PER_KICK {
                    self.kick(now, stats);
                }
                return true;
            }
            self.kick(now, stats);
        }
        self.is_full = true;
        false
    }

    /// Has what was filled sent.
    fn kick(&mut self, now: Instant, stats: &mut PacketEgressStats) {
        self.filled = 0;
        match self.line.as_mut().map(Line::kick) {
            Some(Ok(true)) => self.retry_after = RETRY_MIN,
            Some(Err(error)) => self.fail(&error, now, stats),
            Some(Ok(false)) | None => {}
        }
    }

    /// Closes the line for a while. What waits in it is lost.
    fn fail(&mut self, error: &io::Error, now: Instant, stats: &mut PacketEgressStats) {
        tracing::info!(%error, device = self.device, "no packets past the stack for a while");
        stats.ring_failures += 1;
        self.line = None;
        self.retry_at = now + self.retry_after;
        self.retry_after = (self.retry_after * 2).min(RETRY_MAX);
    }
}
