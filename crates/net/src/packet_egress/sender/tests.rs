//! Tests of the send loop with fake kernel tables, rings and stack.

use std::cell::RefCell;
use std::net::{IpAddr, Ipv4Addr};

use super::super::kernel_tables::{Device, Neighbour, Route, TableChange};
use super::*;

/// Interface indexes from here on do not exist.
const DEVICE_END: u32 = 100;

thread_local! {
    /// State of all fake rings; each test runs on a thread of its own.
    static RINGS: RefCell<FakeRings> = RefCell::default();
}

/// Behaviour of the fake rings, and what they recorded.
#[derive(Default)]
struct FakeRings {
    /// Frames that fit before a flush; zero for no limit.
    capacity: usize,
    /// Whether a flush sends nothing.
    is_stuck: bool,
    /// Whether opening fails.
    open_fails: bool,
    /// Whether flushing fails.
    flush_fails: bool,
    /// Number of rings opened.
    opened: usize,
    /// Number of flushes.
    flushes: usize,
    /// Frames sent: device, and the last byte of each.
    sent: Vec<(u32, u8)>,
}

struct FakeRing {
    device: u32,
    filled: Vec<u8>,
}

impl FrameRing for FakeRing {
    fn open(device: u32) -> io::Result<Self> {
        RINGS.with_borrow_mut(|rings| {
            rings.opened += 1;
            if rings.open_fails {
                return Err(io::ErrorKind::PermissionDenied.into());
            }
            Ok(Self {
                device,
                filled: Vec::new(),
            })
        })
    }

    fn push(&mut self, write: impl FnOnce(&mut [u8]) -> Option<usize>) -> bool {
        let capacity = RINGS.with_borrow(|rings| rings.capacity);
        if capacity != 0 && self.filled.len() >= capacity {
            return false;
        }
        let mut frame = [0; 2_000];
        let len = write(&mut frame).unwrap();
        self.filled.push(frame[len - 1]);
        true
    }

    fn flush(&mut self) -> io::Result<bool> {
        RINGS.with_borrow_mut(|rings| {
            rings.flushes += 1;
            if rings.flush_fails {
                return Err(io::Error::from_raw_os_error(libc::ENETDOWN));
            }
            if rings.is_stuck {
                return Ok(false);
            }
            let device = self.device;
            rings
                .sent
                .extend(self.filled.drain(..).map(|byte| (device, byte)));
            Ok(true)
        })
    }
}

/// Kernel tables in which `10.0.device.*` is reached by that device, and all neighbours are known
/// except 10.0.9.9.
struct FakeTables;

impl KernelTables for FakeTables {
    fn route(&mut self, destination: IpAddr) -> Option<Route> {
        let IpAddr::V4(ip) = destination else {
            return None;
        };
        let [10, 0, device, _] = ip.octets() else {
            return None;
        };
        Some(Route {
            device: device.into(),
            source: [10, 0, device, 1].into(),
            next_hop: destination,
            mtu: None,
        })
    }

    fn device(&mut self, index: u32) -> Option<Device> {
        (index < DEVICE_END).then_some(Device {
            mac: Some([2; 6]),
            mtu: 1_500,
        })
    }

    fn neighbours(&mut self) -> Vec<(u32, IpAddr, Neighbour)> {
        let one = |device: u8, host: u8| {
            let neighbour = Neighbour {
                mac: [4; 6],
                is_stale: false,
            };
            (u32::from(device), [10, 0, device, host].into(), neighbour)
        };
        (1..10)
            .flat_map(|device| (2..9).map(move |host| one(device, host)))
            .collect()
    }

    fn poll_change(&mut self) -> Option<TableChange> {
        None
    }
}

/// A stack that takes a limited number of transmits.
struct FakeStack {
    room: usize,
    taken: Vec<Transmit>,
}

impl FallbackSender for FakeStack {
    fn sends_runs(&self) -> bool {
        true
    }

    fn send(&mut self, _: &[u8], transmits: &[Transmit], _: &mut UdpStats) -> io::Result<usize> {
        let count = transmits.len().min(self.room);
        self.room -= count;
        self.taken.extend_from_slice(&transmits[..count]);
        Ok(count)
    }
}

/// A sender with its fakes.
struct Fixture {
    sender: PacketSender<FakeTables, FakeRing>,
    stack: FakeStack,
    udp: UdpStats,
    now: Instant,
}

impl Fixture {
    fn new() -> Self {
        let now = Instant::now();
        Self {
            sender: PacketSender::new(FakeTables, 5_000, PacketEgressOptions::default(), now),
            stack: FakeStack {
                room: usize::MAX,
                taken: Vec::new(),
            },
            udp: UdpStats::default(),
            now,
        }
    }

    /// Sends transmits from an arena of consecutive bytes.
    fn send(&mut self, transmits: &[Transmit]) -> usize {
        let arena: Vec<u8> = (0..=255).cycle().take(10_000).collect();
        let (stack, udp) = (&mut self.stack, &mut self.udp);
        self.sender
            .send(self.now, stack, &arena, transmits, udp)
            .unwrap()
    }

    fn fallbacks(&self, reason: FallbackReason) -> u64 {
        self.sender.stats().fallbacks[reason as usize]
    }
}

/// Returns the frames sent: device and last byte.
fn sent() -> Vec<(u32, u8)> {
    RINGS.with_borrow(|rings| rings.sent.clone())
}

fn configure(change: impl FnOnce(&mut FakeRings)) {
    RINGS.with_borrow_mut(change);
}

/// Returns a datagram to `10.0.device.host` that ends with the byte `last`.
fn datagram(device: u8, host: u8, last: u8) -> Transmit {
    let last = usize::from(last);
    Transmit {
        destination: (Ipv4Addr::new(10, 0, device, host), 9).into(),
        source: None,
        range: last..last + 1,
        segment_size: None,
    }
}

#[test]
fn datagrams_take_the_ring_of_their_device_and_others_the_stack() {
    let mut fixture = Fixture::new();
    let unknown = datagram(9, 9, 3);
    let batch = [
        datagram(1, 2, 1),
        datagram(2, 2, 2),
        unknown.clone(),
        datagram(1, 3, 4),
    ];
    assert_eq!(fixture.send(&batch), 4);
    assert_eq!(sent(), [(1, 1), (1, 4), (2, 2)]);
    assert_eq!(fixture.stack.taken, [unknown]);
    assert_eq!(fixture.fallbacks(FallbackReason::Neighbour), 1);
    assert_eq!(
        (
            fixture.sender.stats().frames,
            fixture.udp.sent,
            fixture.udp.sent_runs
        ),
        (3, 3, 3)
    );
}

#[test]
fn run_is_split_into_its_datagrams() {
    let mut fixture = Fixture::new();
    let run = Transmit {
        range: 10..35,
        segment_size: Some(10),
        ..datagram(1, 2, 0)
    };
    let empty = Transmit {
        range: 5..5,
        ..datagram(1, 2, 0)
    };
    assert_eq!(fixture.send(&[run]), 1);
    assert_eq!(sent(), [(1, 19), (1, 29), (1, 34)]);
    assert_eq!(fixture.sender.stats().frames, 3);
    assert_eq!(fixture.send(&[empty]), 1);
    assert_eq!(
        fixture.sender.stats().frames,
        4,
        "an empty datagram is a frame too"
    );
}

#[test]
fn full_stack_ends_the_batch_at_the_first_transmit_that_needs_it() {
    let mut fixture = Fixture::new();
    let batch = [
        datagram(1, 2, 1),
        datagram(9, 9, 2),
        datagram(9, 9, 3),
        datagram(1, 2, 4),
        datagram(1, 2, 5),
    ];
    fixture.stack.room = 1;
    assert_eq!(fixture.send(&batch), 2);
    assert_eq!(sent(), [(1, 1)]);
    fixture.stack.room = 1;
    assert_eq!(fixture.send(&batch[2..]), 3);
    assert_eq!(sent(), [(1, 1), (1, 4), (1, 5)]);
    assert_eq!(fixture.stack.taken, batch[1..3]);
}

#[test]
fn range_outside_the_arena_is_passed_to_the_stack() {
    let mut fixture = Fixture::new();
    let outside = Transmit {
        range: 20_000..20_100,
        ..datagram(1, 2, 0)
    };
    assert_eq!(
        fixture.send(&[datagram(1, 2, 1), outside.clone(), datagram(1, 2, 2)]),
        3
    );
    assert_eq!(sent(), [(1, 1), (1, 2)]);
    assert_eq!(fixture.stack.taken, [outside]);
}

#[test]
fn full_ring_is_flushed_and_takes_further_frames() {
    configure(|rings| rings.capacity = 3);
    let mut fixture = Fixture::new();
    let batch: Vec<_> = (0..20).map(|last| datagram(1, 2, last)).collect();
    assert_eq!(fixture.send(&batch), 20);
    let all: Vec<_> = (0..20).map(|last| (1, last)).collect();
    assert_eq!(sent(), all);
    assert_eq!(fixture.sender.stats().dropped, 0);
}

#[test]
fn datagrams_are_dropped_and_counted_while_a_ring_stays_full() {
    configure(|rings| (rings.capacity, rings.is_stuck) = (3, true));
    let mut fixture = Fixture::new();
    let batch: Vec<_> = (0..20).map(|last| datagram(1, 2, last)).collect();
    assert_eq!(fixture.send(&batch), 20);
    let stats = fixture.sender.stats();
    assert_eq!((stats.frames, stats.dropped), (3, 17));
    assert_eq!((fixture.udp.sent, fixture.udp.send_errors), (3, 17));
    // Only the first dropped datagram causes flushes; one more ends the batch.
    assert_eq!(RINGS.with_borrow(|rings| rings.flushes), FLUSHES_MAX + 1);
    configure(|rings| rings.is_stuck = false);
    assert_eq!(fixture.send(&[datagram(1, 2, 50)]), 1);
    assert_eq!(sent(), [(1, 0), (1, 1), (1, 2), (1, 50)]);
}

#[test]
fn ring_is_flushed_while_a_large_batch_is_written() {
    let mut fixture = Fixture::new();
    let batch: Vec<_> = (0..200).map(|last| datagram(1, 2, last)).collect();
    assert_eq!(fixture.send(&batch), 200);
    assert_eq!(
        RINGS.with_borrow(|rings| rings.flushes),
        200 / FRAMES_PER_FLUSH + 1
    );
    assert_eq!(sent().len(), 200);
}

#[test]
fn failed_ring_is_opened_again_at_doubling_intervals() {
    configure(|rings| rings.open_fails = true);
    let mut fixture = Fixture::new();
    let mut wait = RETRY_MIN;
    for opened in 1..=9 {
        for _ in 0..3 {
            assert_eq!(fixture.send(&[datagram(1, 2, 1)]), 1);
        }
        assert_eq!(RINGS.with_borrow(|rings| rings.opened), opened);
        fixture.now += wait - Duration::from_millis(1);
        fixture.send(&[datagram(1, 2, 1)]);
        assert_eq!(RINGS.with_borrow(|rings| rings.opened), opened);
        fixture.now += Duration::from_millis(1);
        wait = (wait * 2).min(RETRY_MAX);
    }
    assert_eq!(fixture.fallbacks(FallbackReason::Device), 9 * 4);
    assert_eq!(fixture.stack.taken.len(), 9 * 4);
    assert_eq!(fixture.sender.stats().ring_failures, 9);
    configure(|rings| rings.open_fails = false);
    assert_eq!(fixture.send(&[datagram(1, 2, 7)]), 1);
    assert_eq!(sent(), [(1, 7)]);
}

#[test]
fn broken_ring_is_replaced_by_the_stack_until_the_retry() {
    let mut fixture = Fixture::new();
    fixture.send(&[datagram(1, 2, 1)]);
    configure(|rings| rings.flush_fails = true);
    fixture.send(&[datagram(1, 2, 2)]);
    configure(|rings| rings.flush_fails = false);
    fixture.send(&[datagram(1, 2, 3)]);
    assert_eq!(fixture.stack.taken, [datagram(1, 2, 3)]);
    fixture.now += RETRY_MIN;
    fixture.send(&[datagram(1, 2, 4)]);
    assert_eq!(sent(), [(1, 1), (1, 4)]);
    assert_eq!(fixture.sender.stats().ring_failures, 1);
}

#[test]
fn number_of_rings_is_bounded_and_a_failed_one_is_replaced() {
    let mut fixture = Fixture::new();
    let most = u8::try_from(RINGS_MAX).unwrap();
    for device in 1..=most + 1 {
        fixture.send(&[datagram(device, 2, device)]);
    }
    assert_eq!(sent().len(), RINGS_MAX);
    assert_eq!(fixture.stack.taken, [datagram(most + 1, 2, most + 1)]);
    assert_eq!(fixture.fallbacks(FallbackReason::Device), 1);
    configure(|rings| rings.flush_fails = true);
    fixture.send(&[datagram(1, 2, 9)]);
    configure(|rings| rings.flush_fails = false);
    fixture.send(&[datagram(most + 1, 2, 77)]);
    assert_eq!(sent().last(), Some(&(u32::from(most + 1), 77)));
    assert_eq!(fixture.sender.rings.len(), RINGS_MAX);
}
