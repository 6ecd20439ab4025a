//! Next hops by destination: the device, the local address, the Ethernet address of the next hop and
//! the longest packet. Lookups are cached, since one costs ten times what a packet costs, and are
//! repeated after [`CACHE_LIFETIME`] or when the kernel reports a change.
//!
//! Only destinations that can be sent to directly have a next hop. Every other has a
//! [`FallbackReason`]: the kernel's stack then carries the packet, and resolves the neighbour in
//! doing so.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::frame::{self, FrameTemplate};
use super::kernel_tables::{Device, KernelTables, Neighbour, Route, TableChange};
use super::stats::FallbackReason;
use super::tx_ring::FRAME_LEN_MAX;

/// Lifetime of a lookup. The kernel reports changed routes, but not a path whose MTU proved to
/// be smaller (RFC 1191); a few seconds of such packets are a glitch.
const CACHE_LIFETIME: Duration = Duration::from_secs(4);

/// Minimum time between two batches that are left to the stack because a neighbour entry is stale.
/// The kernel verifies the neighbour 5 s after such a packet (`delay_first_probe_time`).
const STALE_CHECK_INTERVAL: Duration = Duration::from_secs(6);

/// Time between two reads of the kernel's notifications: a changed address is followed that much
/// later.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Notifications read at a time.
const CHANGES_PER_POLL_MAX: usize = 64;

/// Route lookups per batch, of some 5 µs each.
const LOOKUPS_PER_BATCH_MAX: usize = 16;

/// Destinations in the cache.
const DESTINATIONS_MAX: usize = 16_384;

/// Neighbours in the cache; kernels keep 1,024 by default.
const NEIGHBOURS_MAX: usize = 4_096;

/// Devices in the cache.
const DEVICES_MAX: usize = 256;

/// Interface and headers for sending packets to a destination without the stack.
#[derive(Debug)]
pub(super) struct NextHop {
    /// Interface index of the outgoing device.
    pub(super) device: u32,
    /// Local address in the headers.
    pub(super) source: IpAddr,
    /// Longest UDP payload in bytes.
    pub(super) datagram_len_max: usize,
    /// Headers of the packets.
    pub(super) template: FrameTemplate,
}

/// A cached neighbour.
#[derive(Debug)]
struct NeighbourEntry {
    /// The kernel's entry.
    neighbour: Neighbour,
    /// Time at which packets were last left to the stack because the entry is stale.
    checked_at: Option<Instant>,
}

/// A cached destination.
#[derive(Debug)]
struct DestinationEntry {
    /// Result of the route lookup.
    route: Option<Route>,
    /// Time of the route lookup.
    looked_up_at: Instant,
    /// Value of `NextHopCache::routes_version` at the lookup.
    routes_version: u64,
    /// Value of `NextHopCache::neighbours_version` when `next_hop` was built.
    neighbours_version: u64,
    /// The next hop, or the reason why packets take the stack.
    next_hop: Result<NextHop, FallbackReason>,
    /// Moving average of the run length, in sixteenths of a datagram.
    run_len_x16: i32,
    /// Whether runs are long enough for the stack.
    prefers_stack: bool,
    /// The batch for which `fallback` was decided.
    batch: u64,
    /// Reason why packets of that batch take the stack although there is a next hop.
    fallback: Option<FallbackReason>,
}

/// Cache of next hops, neighbours and devices.
pub(super) struct NextHopCache<T> {
    /// The kernel's tables.
    tables: T,
    /// UDP source port.
    port: u16,
    /// Mean run length from which on the stack is cheaper, in sixteenths of a datagram.
    run_min_x16: i32,
    /// Destinations by address.
    destinations: HashMap<IpAddr, DestinationEntry>,
    /// Neighbours by interface index and address.
    neighbours: HashMap<(u32, IpAddr), NeighbourEntry>,
    /// Devices by interface index; `None` for one that does not exist.
    devices: HashMap<u32, Option<Device>>,
    /// Number of route changes so far.
    routes_version: u64,
    /// Number of neighbour and device changes so far.
    neighbours_version: u64,
    /// Number of batches so far.
    batch: u64,
    /// Start time of the batch.
    now: Instant,
    /// Route lookups that this batch may still make.
    lookups_left: usize,
    /// Time at which notifications are read next.
    next_poll: Instant,
    /// Time at which unused destinations were last removed.
    swept_at: Option<Instant>,
}

impl<T: KernelTables> NextHopCache<T> {
    /// Creates a cache that holds only the neighbours. Destinations whose runs have `run_min`
    /// datagrams are left to the stack.
    pub(super) fn new(tables: T, port: u16, run_min: u16, now: Instant) -> Self {
        let mut cache = Self {
            tables,
            port,
            run_min_x16: i32::from(run_min) * 16,
            destinations: HashMap::new(),
            neighbours: HashMap::new(),
            devices: HashMap::new(),
            routes_version: 0,
            neighbours_version: 0,
            batch: 0,
            now,
            lookups_left: 0,
            next_poll: now,
            swept_at: None,
        };
        cache.reload();
        cache
    }

    /// Starts a batch, and reads the kernel's notifications if they are due.
    pub(super) fn begin_batch(&mut self, now: Instant) {
        self.batch += 1;
        self.now = now;
        self.lookups_left = LOOKUPS_PER_BATCH_MAX;
        if now < self.next_poll {
            return;
        }
        for _ in 0..CHANGES_PER_POLL_MAX {
            match self.tables.poll_change() {
                Some(change) => self.handle_change(change),
                None => {
                    self.next_poll = now + POLL_INTERVAL;
                    return;
                }
            }
        }
    }

    /// Returns the next hop for a run of `segments` datagrams, or why it takes the stack.
    ///
    /// All runs of a batch to one destination get the same result, and it rarely changes between
    /// batches, because packets on two paths can overtake each other. The run length matters only
    /// if `stack_sends_runs`.
    pub(super) fn lookup(
        &mut self,
        destination: IpAddr,
        segments: usize,
        stack_sends_runs: bool,
    ) -> Result<&NextHop, FallbackReason> {
        self.refresh(destination)?;
        let entry = self.destinations.get_mut(&destination);
        let entry = entry.ok_or(FallbackReason::LookupLimit)?;
        let segments_x16 = i32::try_from(segments.saturating_mul(16)).unwrap_or(i32::MAX / 2);
        // An eighth of the difference: the average covers some sixteen runs.
        entry.run_len_x16 += (segments_x16 - entry.run_len_x16) / 8;
        if entry.batch != self.batch {
            entry.batch = self.batch;
            // Hysteresis of half a datagram, so that an average at the limit does not alternate.
            let margin = if entry.prefers_stack { 8 } else { 0 };
            entry.prefers_stack = entry.run_len_x16 >= self.run_min_x16 - margin;
            entry.fallback =
                (stack_sends_runs && entry.prefers_stack).then_some(FallbackReason::LongRun);
            if entry.fallback.is_none()
                && let Some(route) = entry.route
                && let Some(neighbour) = self.neighbours.get_mut(&(route.device, route.next_hop))
                && neighbour.is_check_due(self.now)
            {
                neighbour.checked_at = Some(self.now);
                entry.fallback = Some(FallbackReason::StaleNeighbour);
            }
        }
        match (&entry.next_hop, entry.fallback) {
            (Ok(next_hop), None) => Ok(next_hop),
            (Ok(_), Some(fallback)) => Err(fallback),
            (Err(fallback), _) => Err(*fallback),
        }
    }

    /// Updates the entry of `destination`, if the lookup limit allows.
    fn refresh(&mut self, destination: IpAddr) -> Result<(), FallbackReason> {
        let (routes_version, neighbours_version) = (self.routes_version, self.neighbours_version);
        if let Some(entry) = self.destinations.get(&destination) {
            let route = entry.route;
            let is_current = entry.routes_version == routes_version;
            let age = self.now.duration_since(entry.looked_up_at);
            let is_fresh = is_current && age < CACHE_LIFETIME;
            if is_fresh && entry.neighbours_version == neighbours_version {
                return Ok(());
            }
            // An expired route is better than a change of path; an outdated one is not.
            if is_fresh || (is_current && self.lookups_left == 0) {
                let next_hop = self.build_next_hop(destination, route);
                if let Some(entry) = self.destinations.get_mut(&destination) {
                    entry.next_hop = next_hop;
                    entry.neighbours_version = self.neighbours_version;
                }
                return Ok(());
            }
        } else if !self.make_room() {
            return Err(FallbackReason::LookupLimit);
        }
        if self.lookups_left == 0 {
            return Err(FallbackReason::LookupLimit);
        }
        self.lookups_left -= 1;
        let route = self.tables.route(destination);
        let next_hop = self.build_next_hop(destination, route);
        let (looked_up_at, neighbours_version) = (self.now, self.neighbours_version);
        if let Some(entry) = self.destinations.get_mut(&destination) {
            entry.route = route;
            entry.looked_up_at = looked_up_at;
            entry.routes_version = routes_version;
            entry.neighbours_version = neighbours_version;
            entry.next_hop = next_hop;
        } else {
            let entry = DestinationEntry {
                route,
                looked_up_at,
                routes_version,
                neighbours_version,
                next_hop,
                run_len_x16: 16,
                prefers_stack: false,
                batch: 0,
                fallback: None,
            };
            self.destinations.insert(destination, entry);
        }
        Ok(())
    }

    /// Builds the next hop on `route`, or returns the reason why packets take the stack.
    fn build_next_hop(
        &mut self,
        destination: IpAddr,
        route: Option<Route>,
    ) -> Result<NextHop, FallbackReason> {
        let route = route.ok_or(FallbackReason::Route)?;
        let device = self.device(route.device).ok_or(FallbackReason::Device)?;
        let source_mac = device.mac.ok_or(FallbackReason::Device)?;
        let entry = self.neighbours.get(&(route.device, route.next_hop));
        let next_hop_mac = entry.ok_or(FallbackReason::Neighbour)?.neighbour.mac;
        let macs = (source_mac, next_hop_mac);
        let template = FrameTemplate::new(macs, route.source, self.port, destination);
        let mtu = route.mtu.map_or(device.mtu, |mtu| mtu.min(device.mtu));
        let packet_len_max = usize::try_from(mtu)
            .unwrap_or(usize::MAX)
            .min(FRAME_LEN_MAX - frame::ETHERNET_LEN);
        Ok(NextHop {
            device: route.device,
            source: route.source,
            datagram_len_max: packet_len_max.saturating_sub(frame::overhead(destination)),
            template: template.ok_or(FallbackReason::Route)?,
        })
    }

    /// Returns the device with this interface index.
    fn device(&mut self, index: u32) -> Option<Device> {
        if let Some(device) = self.devices.get(&index) {
            return *device;
        }
        let device = self.tables.device(index);
        if self.devices.len() < DEVICES_MAX {
            self.devices.insert(index, device);
        }
        device
    }

    fn handle_change(&mut self, change: TableChange) {
        match change {
            TableChange::Neighbour(device, ip, neighbour) => {
                self.handle_neighbour((device, ip), neighbour);
            }
            TableChange::Device(index, device) => {
                // Only devices in use are cached; others are looked up on first use.
                if let Some(cached) = self.devices.get_mut(&index)
                    && *cached != device
                {
                    *cached = device;
                    self.neighbours_version += 1;
                }
            }
            TableChange::Routes => self.routes_version += 1,
            TableChange::Lost => self.reload(),
        }
    }

    fn handle_neighbour(&mut self, key: (u32, IpAddr), neighbour: Option<Neighbour>) {
        let Some(neighbour) = neighbour else {
            let was_cached = self.neighbours.remove(&key).is_some();
            self.neighbours_version += u64::from(was_cached);
            return;
        };
        if let Some(entry) = self.neighbours.get_mut(&key) {
            let has_moved = entry.neighbour.mac != neighbour.mac;
            entry.neighbour = neighbour;
            self.neighbours_version += u64::from(has_moved);
        } else if self.neighbours.len() < NEIGHBOURS_MAX {
            let entry = NeighbourEntry {
                neighbour,
                checked_at: None,
            };
            self.neighbours.insert(key, entry);
            self.neighbours_version += 1;
        }
    }

    /// Invalidates everything, and reads all neighbours.
    fn reload(&mut self) {
        self.routes_version += 1;
        self.neighbours_version += 1;
        self.devices.clear();
        self.neighbours.clear();
        for (device, ip, neighbour) in self.tables.neighbours() {
            self.handle_neighbour((device, ip), Some(neighbour));
        }
    }

    /// Makes room for one more destination by removing unused ones. Returns false when the cache
    /// stays full.
    fn make_room(&mut self) -> bool {
        if self.destinations.len() < DESTINATIONS_MAX {
            return true;
        }
        let now = self.now;
        let is_recent = |at| now.duration_since(at) < CACHE_LIFETIME;
        // A sweep takes 0.1 ms, and a second one soon after would find no more.
        if self.swept_at.is_some_and(is_recent) {
            return false;
        }
        self.swept_at = Some(now);
        self.destinations
            .retain(|_, entry| now.duration_since(entry.looked_up_at) < 2 * CACHE_LIFETIME);
        self.destinations.len() < DESTINATIONS_MAX
    }
}

impl NeighbourEntry {
    /// Returns whether packets are to take the stack, so that it verifies the neighbour.
    fn is_check_due(&self, now: Instant) -> bool {
        let is_recent = |at| now.duration_since(at) < STALE_CHECK_INTERVAL;
        self.neighbour.is_stale && !self.checked_at.is_some_and(is_recent)
    }
}
