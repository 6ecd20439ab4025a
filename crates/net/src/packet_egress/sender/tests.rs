//! Batches against a scripted kernel, ring and stack: who gets what, and what happens to the rest.

use std::cell::RefCell;
use std::net::{IpAddr, Ipv4Addr};

use super::super::next_hops::{Device, Neighbour, News, Route};
use super::*;

/// Devices of this number and above are never there.
const NO_DEVICE: u32 = 100;

thread_local! {
    /// What lines do; each test has a thread of its own.
    static LINES: RefCell<Lines> = RefCell::default();
}

/// What lines do, and what they were given.
#[derive(Default)]
struct Lines {
    /// Frames that fit before a kick; no bound when zero.
    room: usize,
    /// Whether a kick makes room.
    is_stuck: bool,
    /// Opening fails.
    refuses: bool,
    /// Kicking fails.
    breaks: bool,
    /// How often a line was opened.
    opened: usize,
    /// How often a line was kicked.
    kicks: usize,
    /// Frames kicked out: device, and the last byte of each.
    sent: Vec<(u32, u8)>,
}

struct Wire {
    device: u32,
    filled: Vec<u8>,
}

impl Line for Wire {
    fn open(device: u32) -> io::Result<Self> {
        LINES.with_borrow_mut(|lines| {
            lines.opened += 1;
            if lines.refuses {
                return Err(io::ErrorKind::PermissionDenied.into());
            }
            Ok(Self {
                device,
                filled: Vec::new(),
            })
        })
    }

    fn fill(&mut self, write: impl FnOnce(&mut [u8]) -> Option<usize>) -> bool {
        let room = LINES.with_borrow(|lines| lines.room);
        if room != 0 && self.filled.len() >= room {
            return false;
        }
        let mut frame = [0; 2_000];
        let len = write(&mut frame).unwrap();
        self.filled.push(frame[len - 1]);
        true
    }

    fn kick(&mut self) -> io::Result<bool> {
        LINES.with_borrow_mut(|lines| {
            lines.kicks += 1;
            if lines.breaks {
                return Err(io::Error::from_raw_os_error(libc::ENETDOWN));
            }
            if lines.is_stuck {
                return Ok(false);
            }
            let device = self.device;
            lines
                .sent
                .extend(self.filled.drain(..).map(|byte| (device, byte)));
            Ok(true)
        })
    }
}

/// A kernel where `10.0.device.*` is reached by that device, and all is known but 10.0.9.9.
struct Map;

impl Kernel for Map {
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
            next: destination,
            mtu: None,
        })
    }

    fn device(&mut self, device: u32) -> Option<Device> {
        (device < NO_DEVICE).then_some(Device {
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

    fn poll_news(&mut self) -> Option<News> {
        None
    }
}

/// A stack that takes so many transmits, and then no more.
struct Kept {
    room: usize,
    taken: Vec<Transmit>,
}

impl Stack for Kept {
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

/// The parts of a test.
struct Rig {
    egress: Egress<Map, Wire>,
    stack: Kept,
    udp: UdpStats,
    now: Instant,
}

impl Rig {
    fn new() -> Self {
        let now = Instant::now();
        Self {
            egress: Egress::new(Map, 5_000, PacketEgressOptions::default(), now),
            stack: Kept {
                room: usize::MAX,
                taken: Vec::new(),
            },
            udp: UdpStats::default(),
            now,
        }
    }

    /// Sends bytes of an arena of consecutive numbers.
    fn send(&mut self, transmits: &[Transmit]) -> usize {
        let arena: Vec<u8> = (0..=255).cycle().take(10_000).collect();
        let (stack, udp) = (&mut self.stack, &mut self.udp);
        self.egress
            .send(self.now, stack, &arena, transmits, udp)
            .unwrap()
    }

    fn fallbacks(&self, reason: FallbackReason) -> u64 {
        self.egress.stats().fallbacks[reason as usize]
    }
}

/// What was sent: devices and last bytes.
fn sent() -> Vec<(u32, u8)> {
    LINES.with_borrow(|lines| lines.sent.clone())
}

fn set(change: impl FnOnce(&mut Lines)) {
    LINES.with_borrow_mut(change);
}

/// A datagram to `10.0.device.host` that ends with the byte `last`.
fn datagram(device: u8, host: u8, last: u8) -> Transmit {
    let last = usize::from(last);
    Transmit {
        destination: (Ipv4Addr::new(10, 0, device, host), 9).into(),
        range: last..last + 1,
        segment_size: None,
    }
}

#[test]
fn datagrams_leave_by_their_device_and_the_rest_by_the_stack() {
    let mut rig = Rig::new();
    let unknown = datagram(9, 9, 3);
    let batch = [
        datagram(1, 2, 1),
        datagram(2, 2, 2),
        unknown.clone(),
        datagram(1, 3, 4),
    ];
    assert_eq!(rig.send(&batch), 4);
    assert_eq!(sent(), [(1, 1), (1, 4), (2, 2)]);
    assert_eq!(rig.stack.taken, [unknown]);
    assert_eq!(rig.fallbacks(FallbackReason::Neighbour), 1);
    assert_eq!(
        (rig.egress.stats().frames, rig.udp.sent, rig.udp.sent_runs),
        (3, 3, 3)
    );
}

#[test]
fn a_run_is_cut_into_its_datagrams() {
    let mut rig = Rig::new();
    let run = Transmit {
        range: 10..35,
        segment_size: Some(10),
        ..datagram(1, 2, 0)
    };
    let empty = Transmit {
        range: 5..5,
        ..datagram(1, 2, 0)
    };
    assert_eq!(rig.send(&[run]), 1);
    assert_eq!(sent(), [(1, 19), (1, 29), (1, 34)]);
    assert_eq!(rig.egress.stats().frames, 3);
    assert_eq!(rig.send(&[empty]), 1);
    assert_eq!(rig.egress.stats().frames, 4, "an empty datagram is one too");
}

#[test]
fn a_stack_without_room_ends_the_batch_where_it_can_go_on() {
    let mut rig = Rig::new();
    let batch = [
        datagram(1, 2, 1),
        datagram(9, 9, 2),
        datagram(9, 9, 3),
        datagram(1, 2, 4),
        datagram(1, 2, 5),
    ];
    rig.stack.room = 1;
    assert_eq!(rig.send(&batch), 2);
    assert_eq!(sent(), [(1, 1)]);
    rig.stack.room = 1;
    assert_eq!(rig.send(&batch[2..]), 3);
    assert_eq!(sent(), [(1, 1), (1, 4), (1, 5)]);
    assert_eq!(rig.stack.taken, batch[1..3]);
}

#[test]
fn what_lies_outside_the_arena_is_left_to_the_stack_to_count() {
    let mut rig = Rig::new();
    let outside = Transmit {
        range: 20_000..20_100,
        ..datagram(1, 2, 0)
    };
    assert_eq!(
        rig.send(&[datagram(1, 2, 1), outside.clone(), datagram(1, 2, 2)]),
        3
    );
    assert_eq!(sent(), [(1, 1), (1, 2)]);
    assert_eq!(rig.stack.taken, [outside]);
}

#[test]
fn a_full_ring_is_kicked_and_goes_on() {
    set(|lines| lines.room = 3);
    let mut rig = Rig::new();
    let batch: Vec<_> = (0..20).map(|last| datagram(1, 2, last)).collect();
    assert_eq!(rig.send(&batch), 20);
    let all: Vec<_> = (0..20).map(|last| (1, last)).collect();
    assert_eq!(sent(), all);
    assert_eq!(rig.egress.stats().dropped, 0);
}

#[test]
fn what_a_full_ring_never_takes_is_dropped_and_counted_and_the_next_batch_tries_again() {
    set(|lines| (lines.room, lines.is_stuck) = (3, true));
    let mut rig = Rig::new();
    let batch: Vec<_> = (0..20).map(|last| datagram(1, 2, last)).collect();
    assert_eq!(rig.send(&batch), 20);
    let stats = rig.egress.stats();
    assert_eq!((stats.frames, stats.dropped), (3, 17));
    assert_eq!((rig.udp.sent, rig.udp.send_errors), (3, 17));
    // Only the first that found no room waited for it; the last kick ends the batch.
    assert_eq!(LINES.with_borrow(|lines| lines.kicks), KICKS_MAX + 1);
    set(|lines| lines.is_stuck = false);
    assert_eq!(rig.send(&[datagram(1, 2, 50)]), 1);
    assert_eq!(sent(), [(1, 0), (1, 1), (1, 2), (1, 50)]);
}

#[test]
fn many_frames_are_kicked_out_as_they_come() {
    let mut rig = Rig::new();
    let batch: Vec<_> = (0..200).map(|last| datagram(1, 2, last)).collect();
    assert_eq!(rig.send(&batch), 200);
    assert_eq!(
        LINES.with_borrow(|lines| lines.kicks),
        200 / FRAMES_PER_KICK + 1
    );
    assert_eq!(sent().len(), 200);
}

#[test]
fn a_ring_that_cannot_be_opened_is_tried_again_ever_more_seldom() {
    set(|lines| lines.refuses = true);
    let mut rig = Rig::new();
    let mut wait = RETRY_MIN;
    for opened in 1..=9 {
        for _ in 0..3 {
            assert_eq!(rig.send(&[datagram(1, 2, 1)]), 1);
        }
        assert_eq!(LINES.with_borrow(|lines| lines.opened), opened);
        rig.now += wait - Duration::from_millis(1);
        rig.send(&[datagram(1, 2, 1)]);
        assert_eq!(LINES.with_borrow(|lines| lines.opened), opened);
        rig.now += Duration::from_millis(1);
        wait = (wait * 2).min(RETRY_MAX);
    }
    assert_eq!(rig.fallbacks(FallbackReason::Device), 9 * 4);
    assert_eq!(rig.stack.taken.len(), 9 * 4);
    assert_eq!(rig.egress.stats().ring_failures, 9);
    set(|lines| lines.refuses = false);
    assert_eq!(rig.send(&[datagram(1, 2, 7)]), 1);
    assert_eq!(sent(), [(1, 7)]);
}

#[test]
fn a_ring_that_breaks_gives_way_to_the_stack_for_a_while() {
    let mut rig = Rig::new();
    rig.send(&[datagram(1, 2, 1)]);
    set(|lines| lines.breaks = true);
    rig.send(&[datagram(1, 2, 2)]);
    set(|lines| lines.breaks = false);
    rig.send(&[datagram(1, 2, 3)]);
    assert_eq!(rig.stack.taken, [datagram(1, 2, 3)]);
    rig.now += RETRY_MIN;
    rig.send(&[datagram(1, 2, 4)]);
    assert_eq!(sent(), [(1, 1), (1, 4)]);
    assert_eq!(rig.egress.stats().ring_failures, 1);
}

#[test]
fn there_are_only_so_many_rings_and_a_failed_one_makes_room() {
    let mut rig = Rig::new();
    let most = u8::try_from(LINES_MAX).unwrap();
    for device in 1..=most + 1 {
        rig.send(&[datagram(device, 2, device)]);
    }
    assert_eq!(sent().len(), LINES_MAX);
    assert_eq!(rig.stack.taken, [datagram(most + 1, 2, most + 1)]);
    assert_eq!(rig.fallbacks(FallbackReason::Device), 1);
    set(|lines| lines.breaks = true);
    rig.send(&[datagram(1, 2, 9)]);
    set(|lines| lines.breaks = false);
    rig.send(&[datagram(most + 1, 2, 77)]);
    assert_eq!(sent().last(), Some(&(u32::from(most + 1), 77)));
    assert_eq!(rig.egress.exits.len(), LINES_MAX);
}
