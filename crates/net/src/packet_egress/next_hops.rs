//! Where a packet goes: for each destination the device, our address there, the Ethernet address of
//! the next machine, and how long a packet may be. What the kernel said is kept, since asking costs
//! ten times what a packet does, and is asked again after [`LIFETIME`] or when the kernel tells of a
//! change.
//!
//! It knows only what can be sent as it is. Everything else has a [`FallbackReason`]: the kernel's own
//! stack then carries the packet, and in doing so learns where the next machine is.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::FallbackReason;
use super::frame::{self, Mac, Template};
use super::ring::FRAME_LEN_MAX;

/// How long an answer holds. The kernel tells of changed routes, but not of a path that turned out
/// to carry only shorter packets (RFC 1191): a second or a few of those is a glitch.
const LIFETIME: Duration = Duration::from_secs(4);

/// How often at most the stack is given packets for one neighbour that was not heard of for long,
/// so that the kernel asks whether it is still there. It does so 5 s later (`delay_first_probe`).
const CHECK_INTERVAL: Duration = Duration::from_secs(6);

/// How often the kernel's news are read: a changed address is followed that much later.
const NEWS_INTERVAL: Duration = Duration::from_millis(20);

/// News that are read at a time.
const NEWS_PER_TURN_MAX: usize = 64;

/// Times in one batch that the kernel is asked: 16 of some 5 µs each.
const QUESTIONS_PER_BATCH_MAX: usize = 16;

/// Destinations that are known at a time.
const DESTINATIONS_MAX: usize = 16_384;

/// Neighbours that are known at a time; kernels keep 1,024 unless told otherwise.
const NEIGHBOURS_MAX: usize = 4_096;

/// Devices that are known at a time.
const DEVICES_MAX: usize = 256;

/// What the kernel says of the way to an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Route {
    /// The device's number.
    pub(super) device: u32,
    /// Our address.
    pub(super) source: IpAddr,
    /// The next machine: a router, or the destination itself.
    pub(super) next: IpAddr,
    /// Longest packet on this way, where it is shorter than the device's.
    pub(super) mtu: Option<u32>,
}

/// What the kernel says of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Device {
    /// Its Ethernet address; none if it is no Ethernet, or down.
    pub(super) mac: Option<Mac>,
    /// Longest packet without the Ethernet header.
    pub(super) mtu: u32,
}

/// What the kernel says of a machine on the same Ethernet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Neighbour {
    /// Its Ethernet address.
    pub(super) mac: Mac,
    /// Whether the kernel has not heard of it for long and does not try.
    pub(super) is_stale: bool,
}

/// A change that the kernel tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum News {
    /// A neighbour appeared, changed or, without a value, vanished.
    Neighbour(u32, IpAddr, Option<Neighbour>),
    /// A device appeared, changed or vanished.
    Device(u32, Option<Device>),
    /// Routes, rules or our addresses changed.
    Routes,
    /// There was more than could be told.
    Lost,
}

/// Who knows: the kernel, or a test in its place.
pub(crate) trait Kernel {
    /// The way to `destination`; none when it is no plain one.
    fn route(&mut self, destination: IpAddr) -> Option<Route>;

    /// The device of this number.
    fn device(&mut self, device: u32) -> Option<Device>;

    /// All neighbours.
    fn neighbours(&mut self) -> Vec<(u32, IpAddr, Neighbour)>;

    /// The next change since the last.
    fn poll_news(&mut self) -> Option<News>;
}

/// The way of packets that need no stack.
#[derive(Debug)]
pub(super) struct Outgoing {
    /// The device's number.
    pub(super) device: u32,
    /// Longest datagram.
    pub(super) datagram_len_max: usize,
    /// What stands before each.
    pub(super) template: Template,
}

/// A neighbour, and when it was last checked.
#[derive(Debug)]
struct Known {
    /// What the kernel says of it.
    neighbour: Neighbour,
    /// When the stack was last given packets for it because of its age.
    checked: Option<Instant>,
}

/// What is known of a destination.
#[derive(Debug)]
struct Destination {
    /// The kernel's answer.
    route: Option<Route>,
    /// When it was given.
    asked: Instant,
    /// The routes to which it belongs.
    routes: u64,
    /// The neighbours and devices from which `outgoing` was made.
    neighbours: u64,
    /// How packets leave.
    outgoing: Result<Outgoing, FallbackReason>,
    /// Mean length of the last runs, in sixteenths of a datagram.
    run_len_x16: i32,
    /// Whether runs are long enough for the stack.
    prefers_runs: bool,
    /// The batch for which the way was last chosen.
    batch: u64,
    /// Why packets of that batch take the stack.
    fallback: Option<FallbackReason>,
}

/// All that is known of ways.
pub(super) struct Paths<K> {
    /// Who is asked.
    kernel: K,
    /// The port that packets come from.
    port: u16,
    /// Mean run from which on the stack is cheaper.
    run_min_x16: i32,
    /// Ways by destination.
    destinations: HashMap<IpAddr, Destination>,
    /// Ethernet addresses by device and address.
    neighbours: HashMap<(u32, IpAddr), Known>,
    /// Devices by number; none for one that is not there.
    devices: HashMap<u32, Option<Device>>,
    /// Counts changes of routes.
    routes_changed: u64,
    /// Counts changes of neighbours and devices.
    neighbours_changed: u64,
    /// Counts batches.
    batch: u64,
    /// When the batch was begun.
    now: Instant,
    /// Questions that this batch may still ask.
    questions: usize,
    /// When news are due.
    news_at: Instant,
    /// When room was last made.
    swept: Option<Instant>,
}

impl<K: Kernel> Paths<K> {
    /// Knows nothing but the neighbours. Runs of `run_min` datagrams are left to the stack.
    pub(super) fn new(kernel: K, port: u16, run_min: u16, now: Instant) -> Self {
        let mut paths = Self {
            kernel,
            port,
            run_min_x16: i32::from(run_min) * 16,
            destinations: HashMap::new(),
            neighbours: HashMap::new(),
            devices: HashMap::new(),
            routes_changed: 0,
            neighbours_changed: 0,
            batch: 0,
            now,
            questions: 0,
            news_at: now,
            swept: None,
        };
        paths.begin_anew();
        paths
    }

    /// Begins a batch: reads the news, if they are due.
    pub(super) fn begin_batch(&mut self, now: Instant) {
        self.batch += 1;
        self.now = now;
        self.questions = QUESTIONS_PER_BATCH_MAX;
        if now < self.news_at {
            return;
        }
        for _ in 0..NEWS_PER_TURN_MAX {
            match self.kernel.poll_news() {
                Some(news) => self.handle_news(news),
                None => {
                    self.news_at = now + NEWS_INTERVAL;
                    return;
                }
            }
        }
    }

    /// How a run of `segments` datagrams leaves. All of a batch to one destination leave the same
    /// way, and which one changes seldom: two ways could overtake one another. Runs are looked at
    /// only when `by_runs`: when the stack takes them as such.
    pub(super) fn choose(
        &mut self,
        destination: IpAddr,
        segments: usize,
        by_runs: bool,
    ) -> Result<&Outgoing, FallbackReason> {
        self.refresh(destination)?;
        let known = self.destinations.get_mut(&destination);
        let known = known.ok_or(FallbackReason::LookupLimit)?;
        let segments_x16 = i32::try_from(segments.saturating_mul(16)).unwrap_or(i32::MAX / 2);
        // An eighth of the difference: some sixteen runs are remembered.
        known.run_len_x16 += (segments_x16 - known.run_len_x16) / 8;
        if known.batch != self.batch {
            known.batch = self.batch;
            // Half a datagram apart, so that a mean at the border does not alternate.
            let margin = if known.prefers_runs { 8 } else { 0 };
            known.prefers_runs = known.run_len_x16 >= self.run_min_x16 - margin;
            known.fallback = (by_runs && known.prefers_runs).then_some(FallbackReason::LongRun);
            if known.fallback.is_none()
                && let Some(route) = known.route
                && let Some(neighbour) = self.neighbours.get_mut(&(route.device, route.next))
                && neighbour.is_due(self.now)
            {
                neighbour.checked = Some(self.now);
                known.fallback = Some(FallbackReason::StaleNeighbour);
            }
        }
        match (&known.outgoing, known.fallback) {
            (Ok(outgoing), None) => Ok(outgoing),
            (Ok(_), Some(fallback)) => Err(fallback),
            (Err(fallback), _) => Err(*fallback),
        }
    }

    /// Brings what is known of `destination` up to date, as far as the kernel may be asked.
    fn refresh(&mut self, destination: IpAddr) -> Result<(), FallbackReason> {
        let (routes, neighbours) = (self.routes_changed, self.neighbours_changed);
        if let Some(known) = self.destinations.get(&destination) {
            let route = known.route;
            let holds = known.routes == routes;
            let is_fresh = holds && self.now.duration_since(known.asked) < LIFETIME;
            if is_fresh && known.neighbours == neighbours {
                return Ok(());
            }
            // An old answer is better than a change of the way; an overtaken one is not.
            if is_fresh || (holds && self.questions == 0) {
                let outgoing = self.outgoing(destination, route);
                if let Some(known) = self.destinations.get_mut(&destination) {
                    known.outgoing = outgoing;
                    known.neighbours = self.neighbours_changed;
                }
                return Ok(());
            }
        } else if !self.has_room() {
            return Err(FallbackReason::LookupLimit);
        }
        if self.questions == 0 {
            return Err(FallbackReason::LookupLimit);
        }
        self.questions -= 1;
        let route = self.kernel.route(destination);
        let outgoing = self.outgoing(destination, route);
        let (asked, neighbours) = (self.now, self.neighbours_changed);
        if let Some(known) = self.destinations.get_mut(&destination) {
            known.route = route;
            known.asked = asked;
            known.routes = routes;
            known.neighbours = neighbours;
            known.outgoing = outgoing;
        } else {
            let known = Destination {
                route,
                asked,
                routes,
                neighbours,
                outgoing,
                run_len_x16: 16,
                prefers_runs: false,
                batch: 0,
                fallback: None,
            };
            self.destinations.insert(destination, known);
        }
        Ok(())
    }

    /// How packets leave by `route`.
    fn outgoing(
        &mut self,
        destination: IpAddr,
        route: Option<Route>,
    ) -> Result<Outgoing, FallbackReason> {
        let route = route.ok_or(FallbackReason::Route)?;
        let device = self.device(route.device).ok_or(FallbackReason::Device)?;
        let ours = device.mac.ok_or(FallbackReason::Device)?;
        let next = self.neighbours.get(&(route.device, route.next));
        let next = next.ok_or(FallbackReason::Neighbour)?.neighbour.mac;
        let template = Template::new((ours, next), route.source, self.port, destination);
        let mtu = route.mtu.map_or(device.mtu, |mtu| mtu.min(device.mtu));
        let packet_len_max = usize::try_from(mtu)
            .unwrap_or(usize::MAX)
            .min(FRAME_LEN_MAX - frame::ETHERNET_LEN);
        Ok(Outgoing {
            device: route.device,
            datagram_len_max: packet_len_max.saturating_sub(frame::overhead(destination)),
            template: template.ok_or(FallbackReason::Route)?,
        })
    }

    /// The device of this number.
    fn device(&mut self, number: u32) -> Option<Device> {
        if let Some(device) = self.devices.get(&number) {
            return *device;
        }
        let device = self.kernel.device(number);
        if self.devices.len() < DEVICES_MAX {
            self.devices.insert(number, device);
        }
        device
    }

    fn handle_news(&mut self, news: News) {
        match news {
            News::Neighbour(device, ip, neighbour) => {
                self.handle_neighbour((device, ip), neighbour);
            }
            News::Device(number, device) => {
                // A device in use is asked for when it is first used; of others nothing is kept.
                if let Some(known) = self.devices.get_mut(&number)
                    && *known != device
                {
                    *known = device;
                    self.neighbours_changed += 1;
                }
            }
            News::Routes => self.routes_changed += 1,
            News::Lost => self.begin_anew(),
        }
    }

    fn handle_neighbour(&mut self, place: (u32, IpAddr), neighbour: Option<Neighbour>) {
        let Some(neighbour) = neighbour else {
            let was_there = self.neighbours.remove(&place).is_some();
            self.neighbours_changed += u64::from(was_there);
            return;
        };
        if let Some(known) = self.neighbours.get_mut(&place) {
            let moved = known.neighbour.mac != neighbour.mac;
            known.neighbour = neighbour;
            self.neighbours_changed += u64::from(moved);
        } else if self.neighbours.len() < NEIGHBOURS_MAX {
            let checked = None;
            self.neighbours.insert(place, Known { neighbour, checked });
            self.neighbours_changed += 1;
        }
    }

    /// Forgets what could be wrong, and asks for all neighbours.
    fn begin_anew(&mut self) {
        self.routes_changed += 1;
        self.neighbours_changed += 1;
        self.devices.clear();
        self.neighbours.clear();
        for (device, ip, neighbour) in self.kernel.neighbours() {
            self.handle_neighbour((device, ip), Some(neighbour));
        }
    }

    /// Whether one more destination may be known. Forgets those that nothing was sent to for long.
    fn has_room(&mut self) -> bool {
        if self.destinations.len() < DESTINATIONS_MAX {
            return true;
        }
        let now = self.now;
        let was_swept = |at| now.duration_since(at) < LIFETIME;
        // A look at all of them takes 0.1 ms, and a second one soon would find no more.
        if self.swept.is_some_and(was_swept) {
            return false;
        }
        self.swept = Some(now);
        self.destinations
            .retain(|_, known| now.duration_since(known.asked) < 2 * LIFETIME);
        self.destinations.len() < DESTINATIONS_MAX
    }
}

impl Known {
    /// Whether the stack is to be given packets, so that it asks for the neighbour.
    fn is_due(&self, now: Instant) -> bool {
        let was_checked = |at| now.duration_since(at) < CHECK_INTERVAL;
        self.neighbour.is_stale && !self.checked.is_some_and(was_checked)
    }
}
