//! Tests of the next-hop cache against scripted kernel tables.

use std::collections::VecDeque;
use std::net::Ipv4Addr;

use super::super::frame::Mac;
use super::*;

const LOCAL_MAC: Mac = [2, 0, 0, 0, 0, 1];
const ROUTER_MAC: Mac = [2, 0, 0, 0, 0, 2];
const OTHER_MAC: Mac = [2, 0, 0, 0, 0, 3];
const ROUTER_IP: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 254));
const DEVICE: u32 = 7;

/// Kernel tables with one router for all destinations.
struct ScriptedTables {
    route: Option<Route>,
    device: Option<Device>,
    neighbours: Vec<(u32, IpAddr, Neighbour)>,
    changes: VecDeque<TableChange>,
    lookups: usize,
}

impl KernelTables for ScriptedTables {
    fn route(&mut self, _: IpAddr) -> Option<Route> {
        self.lookups += 1;
        self.route
    }

    fn device(&mut self, _: u32) -> Option<Device> {
        self.device
    }

    fn neighbours(&mut self) -> Vec<(u32, IpAddr, Neighbour)> {
        self.neighbours.clone()
    }

    fn poll_change(&mut self) -> Option<TableChange> {
        self.changes.pop_front()
    }
}

const fn neighbour(mac: Mac, is_stale: bool) -> Neighbour {
    Neighbour { mac, is_stale }
}

fn scripted_tables() -> ScriptedTables {
    ScriptedTables {
        route: Some(Route {
            device: DEVICE,
            source: [10, 0, 0, 1].into(),
            next_hop: ROUTER_IP,
            mtu: None,
        }),
        device: Some(Device {
            mac: Some(LOCAL_MAC),
            mtu: 1_500,
        }),
        neighbours: vec![(DEVICE, ROUTER_IP, neighbour(ROUTER_MAC, false))],
        changes: VecDeque::new(),
        lookups: 0,
    }
}

fn new_cache(now: Instant) -> NextHopCache<ScriptedTables> {
    let mut cache = NextHopCache::new(scripted_tables(), 5_000, 3, now);
    cache.begin_batch(now);
    cache
}

/// Returns the address of a destination.
fn destination(number: u32) -> IpAddr {
    Ipv4Addr::from_bits(0xcb00_0000 + number).into()
}

impl NextHopCache<ScriptedTables> {
    /// Returns the Ethernet address that a datagram is sent to, or why it takes the stack.
    fn next_mac(&mut self, number: u32) -> Result<Mac, FallbackReason> {
        let next_hop = self.lookup(destination(number), 1, true)?;
        let mut frame = [0; 100];
        next_hop.template.write(&mut frame, 1, b"hello").unwrap();
        Ok(*frame.first_chunk().unwrap())
    }

    /// Reports a change, and starts a batch that reads it.
    fn report(&mut self, now: &mut Instant, change: TableChange) {
        self.tables.changes.push_back(change);
        *now += POLL_INTERVAL;
        self.begin_batch(*now);
    }
}

#[test]
fn route_is_looked_up_again_after_its_lifetime() {
    let start = Instant::now();
    let mut cache = new_cache(start);
    for _ in 0..3 {
        assert_eq!(cache.next_mac(1), Ok(ROUTER_MAC));
    }
    cache.begin_batch(start + CACHE_LIFETIME - Duration::from_millis(1));
    assert_eq!(cache.next_mac(1), Ok(ROUTER_MAC));
    assert_eq!(cache.tables.lookups, 1);
    cache.tables.route = None;
    cache.begin_batch(start + CACHE_LIFETIME);
    assert_eq!(cache.next_mac(1), Err(FallbackReason::Route));
    assert_eq!(cache.next_mac(1), Err(FallbackReason::Route));
    assert_eq!(cache.tables.lookups, 2);
}

#[test]
fn lookups_per_batch_are_limited() {
    let start = Instant::now();
    let mut cache = new_cache(start);
    let most = u32::try_from(LOOKUPS_PER_BATCH_MAX).unwrap();
    for number in 0..most {
        assert_eq!(cache.next_mac(number), Ok(ROUTER_MAC));
    }
    assert_eq!(cache.next_mac(most), Err(FallbackReason::LookupLimit));
    cache.begin_batch(start);
    assert_eq!(cache.next_mac(most), Ok(ROUTER_MAC));
    // Expired routes are used when the limit is reached.
    cache.begin_batch(start + CACHE_LIFETIME);
    for number in 0..=most {
        assert_eq!(cache.next_mac(number), Ok(ROUTER_MAC));
    }
    assert_eq!(cache.tables.lookups, 2 * LOOKUPS_PER_BATCH_MAX + 1);
}

#[test]
fn changed_routes_invalidate_lookups_at_once() {
    let mut now = Instant::now();
    let mut cache = new_cache(now);
    let most = u32::try_from(LOOKUPS_PER_BATCH_MAX).unwrap();
    for number in 0..most {
        cache.next_mac(number).unwrap();
    }
    cache.begin_batch(now);
    cache.next_mac(most).unwrap();
    let other = IpAddr::from([10, 0, 0, 253]);
    cache.report(
        &mut now,
        TableChange::Neighbour(DEVICE, other, Some(neighbour(OTHER_MAC, false))),
    );
    cache.tables.route.as_mut().unwrap().next_hop = other;
    cache.report(&mut now, TableChange::Routes);
    for number in 0..most {
        assert_eq!(cache.next_mac(number), Ok(OTHER_MAC));
    }
    assert_eq!(
        cache.next_mac(most),
        Err(FallbackReason::LookupLimit),
        "the old route may be invalid"
    );
}

#[test]
fn changed_neighbour_is_followed_without_a_lookup() {
    let mut now = Instant::now();
    let mut cache = new_cache(now);
    assert_eq!(cache.next_mac(1), Ok(ROUTER_MAC));
    cache.report(
        &mut now,
        TableChange::Neighbour(DEVICE, ROUTER_IP, Some(neighbour(OTHER_MAC, false))),
    );
    assert_eq!(cache.next_mac(1), Ok(OTHER_MAC));
    cache.report(&mut now, TableChange::Neighbour(DEVICE, ROUTER_IP, None));
    assert_eq!(cache.next_mac(1), Err(FallbackReason::Neighbour));
    cache.report(
        &mut now,
        TableChange::Neighbour(DEVICE + 1, ROUTER_IP, Some(neighbour(OTHER_MAC, false))),
    );
    assert_eq!(cache.next_mac(1), Err(FallbackReason::Neighbour));
    cache.report(
        &mut now,
        TableChange::Neighbour(DEVICE, ROUTER_IP, Some(neighbour(ROUTER_MAC, false))),
    );
    assert_eq!(cache.next_mac(1), Ok(ROUTER_MAC));
    assert_eq!(cache.tables.lookups, 1);
}

#[test]
fn changes_are_read_at_intervals_and_in_limited_numbers() {
    let start = Instant::now();
    let mut cache = new_cache(start);
    for _ in 0..=CHANGES_PER_POLL_MAX {
        cache.tables.changes.push_back(TableChange::Routes);
    }
    cache.begin_batch(start + POLL_INTERVAL - Duration::from_millis(1));
    assert_eq!(cache.tables.changes.len(), CHANGES_PER_POLL_MAX + 1);
    cache.begin_batch(start + POLL_INTERVAL);
    assert_eq!(cache.tables.changes.len(), 1);
    cache.begin_batch(start + POLL_INTERVAL);
    assert_eq!(cache.tables.changes.len(), 0);
}

#[test]
fn device_that_is_down_or_missing_is_not_used() {
    let mut now = Instant::now();
    let mut cache = new_cache(now);
    assert_eq!(cache.next_mac(1), Ok(ROUTER_MAC));
    let down = Device {
        mac: None,
        mtu: 1_500,
    };
    cache.report(&mut now, TableChange::Device(DEVICE, Some(down)));
    assert_eq!(cache.next_mac(1), Err(FallbackReason::Device));
    cache.report(
        &mut now,
        TableChange::Device(DEVICE, scripted_tables().device),
    );
    assert_eq!(cache.next_mac(1), Ok(ROUTER_MAC));
    cache.report(&mut now, TableChange::Device(DEVICE, None));
    assert_eq!(cache.next_mac(1), Err(FallbackReason::Device));
}

#[test]
fn datagram_length_is_limited_by_device_route_and_ring() {
    for (device, route, longest) in [
        (1_500, None, 1_472),
        (1_500, Some(1_400), 1_372),
        (1_500, Some(9_000), 1_472),
        (9_000, None, FRAME_LEN_MAX - 14 - 28),
        (10, None, 0),
    ] {
        let now = Instant::now();
        let mut tables = scripted_tables();
        tables.device.as_mut().unwrap().mtu = device;
        tables.route.as_mut().unwrap().mtu = route;
        let mut cache = NextHopCache::new(tables, 5_000, 3, now);
        cache.begin_batch(now);
        let next_hop = cache.lookup(destination(1), 1, true).unwrap();
        assert_eq!(next_hop.datagram_len_max, longest);
        assert_eq!(next_hop.device, DEVICE);
    }
}

#[test]
fn lost_notifications_reload_everything() {
    let mut now = Instant::now();
    let mut cache = new_cache(now);
    assert_eq!(cache.next_mac(1), Ok(ROUTER_MAC));
    cache.tables.neighbours = vec![(DEVICE, ROUTER_IP, neighbour(OTHER_MAC, false))];
    cache.report(&mut now, TableChange::Lost);
    assert_eq!(cache.next_mac(1), Ok(OTHER_MAC));
    assert_eq!(cache.tables.lookups, 2);
    cache.tables.neighbours.clear();
    cache.tables.device = None;
    cache.report(&mut now, TableChange::Lost);
    assert_eq!(cache.next_mac(1), Err(FallbackReason::Device));
}

#[test]
fn stale_neighbour_is_checked_once_per_interval_for_all_its_destinations() {
    let mut now = Instant::now();
    let mut cache = new_cache(now);
    cache.report(
        &mut now,
        TableChange::Neighbour(DEVICE, ROUTER_IP, Some(neighbour(ROUTER_MAC, true))),
    );
    assert_eq!(cache.next_mac(1), Err(FallbackReason::StaleNeighbour));
    assert_eq!(
        cache.next_mac(1),
        Err(FallbackReason::StaleNeighbour),
        "the whole batch takes one path"
    );
    assert_eq!(cache.next_mac(2), Ok(ROUTER_MAC));
    cache.begin_batch(now);
    assert_eq!(cache.next_mac(1), Ok(ROUTER_MAC));
    cache.begin_batch(now + STALE_CHECK_INTERVAL);
    assert_eq!(cache.next_mac(2), Err(FallbackReason::StaleNeighbour));
    assert_eq!(cache.next_mac(1), Ok(ROUTER_MAC));
}

#[test]
fn path_follows_the_mean_run_length_and_never_changes_within_a_batch() {
    let now = Instant::now();
    let mut cache = new_cache(now);
    let runs = |cache: &mut NextHopCache<ScriptedTables>, len: usize, batches: usize| {
        let mut fallbacks = Vec::new();
        for _ in 0..batches {
            cache.begin_batch(now);
            let first = cache.lookup(destination(1), len, true).map(|_| ());
            for _ in 0..20 {
                let next = cache.lookup(destination(1), len, true).map(|_| ());
                assert_eq!(next, first);
            }
            fallbacks.push(first.err());
        }
        fallbacks
    };
    assert_eq!(runs(&mut cache, 1, 3), [None; 3]);
    assert_eq!(runs(&mut cache, 2, 3), [None; 3]);
    assert_eq!(
        runs(&mut cache, 8, 3),
        [
            None,
            Some(FallbackReason::LongRun),
            Some(FallbackReason::LongRun)
        ]
    );
    // Runs of 3 do not change the path back; runs of 1 do.
    assert_eq!(runs(&mut cache, 3, 3), [Some(FallbackReason::LongRun); 3]);
    assert_eq!(runs(&mut cache, 1, 3).last(), Some(&None));
    // Without segmentation the stack is not cheaper.
    cache.begin_batch(now);
    for _ in 0..100 {
        assert!(cache.lookup(destination(2), 40, false).is_ok());
        cache.begin_batch(now);
    }
}

#[test]
fn full_destination_cache_evicts_unused_entries() {
    let start = Instant::now();
    let mut cache = new_cache(start);
    let most = u32::try_from(DESTINATIONS_MAX).unwrap();
    for number in 0..most {
        cache.begin_batch(start);
        assert_eq!(cache.next_mac(number), Ok(ROUTER_MAC));
    }
    cache.begin_batch(start);
    let lookups = cache.tables.lookups;
    assert_eq!(cache.next_mac(most), Err(FallbackReason::LookupLimit));
    assert_eq!(
        (cache.destinations.len(), cache.tables.lookups),
        (DESTINATIONS_MAX, lookups)
    );
    let later = start + 2 * CACHE_LIFETIME;
    cache.begin_batch(later);
    assert_eq!(cache.next_mac(0), Ok(ROUTER_MAC));
    assert_eq!(cache.next_mac(most), Ok(ROUTER_MAC));
    assert_eq!(cache.destinations.len(), 2);
}

#[test]
fn neighbour_and_device_caches_are_bounded() {
    let mut now = Instant::now();
    let mut cache = new_cache(now);
    for number in 0..u32::try_from(NEIGHBOURS_MAX).unwrap() + 10 {
        let change = TableChange::Neighbour(
            DEVICE,
            destination(number),
            Some(neighbour(OTHER_MAC, false)),
        );
        cache.report(&mut now, change);
    }
    assert_eq!(cache.neighbours.len(), NEIGHBOURS_MAX);
    cache.report(
        &mut now,
        TableChange::Neighbour(DEVICE, ROUTER_IP, Some(neighbour(OTHER_MAC, true))),
    );
    assert_eq!(
        cache.next_mac(1),
        Err(FallbackReason::StaleNeighbour),
        "cached neighbours still change"
    );
    for number in 0..u32::try_from(DEVICES_MAX).unwrap() + 10 {
        cache.tables.route.as_mut().unwrap().device = 100 + number;
        cache.report(&mut now, TableChange::Routes);
        assert_eq!(cache.next_mac(1), Err(FallbackReason::Neighbour));
    }
    assert_eq!(cache.devices.len(), DEVICES_MAX);
}
