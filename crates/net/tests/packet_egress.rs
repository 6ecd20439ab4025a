//! Packet egress between two network namespaces joined by a virtual Ethernet: datagrams arrive
//! complete, in order and from the right address, and take the stack where packet egress cannot send
//! them. Requires root, and the command `ip` of iproute2.
#![cfg(all(target_os = "linux", feature = "packet-egress"))]
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "these are tests"
)]

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use rustix::thread::CapabilitySet;
use watersmeet_net::packet_egress::{
    FallbackReason, PacketEgressOptions, PacketEgressStats, probe,
};
use watersmeet_net::udp::{ReceiveBatch, Transmit, UdpOptions, UdpSocket};

#[path = "support/namespace.rs"]
mod namespace;

use namespace::{NamespacePair, in_namespace};

/// Longest wait for a condition.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Time after which the sender reads the kernel's notifications: its poll interval is 20 ms.
const POLL_WAIT: Duration = Duration::from_millis(60);

impl NamespacePair {
    /// Opens a sender on our side and a receiver on theirs, and runs `exercise` on our side.
    fn connect(
        &self,
        address: &str,
        options: PacketEgressOptions,
        exercise: impl FnOnce(Link<'_>) + Send,
    ) {
        let address: SocketAddr = address.parse().unwrap();
        let theirs = in_namespace(&self.theirs, || receiver(address));
        in_namespace(&self.ours, || {
            let any: IpAddr = match address.ip() {
                IpAddr::V4(_) => [0, 0, 0, 0].into(),
                IpAddr::V6(_) => [0_u16; 8].into(),
            };
            let mut ours = UdpSocket::bind((any, 0).into(), UdpOptions::default()).unwrap();
            ours.enable_packet_egress(options).unwrap();
            exercise(Link {
                pair: self,
                ours,
                to: theirs.local_addr().unwrap(),
                theirs,
            });
        });
    }
}

/// A sender and a receiver.
struct Link<'a> {
    pair: &'a NamespacePair,
    ours: UdpSocket,
    theirs: UdpSocket,
    to: SocketAddr,
}

impl Link<'_> {
    /// Sends the datagrams; those of one inner list form a run.
    fn send(&mut self, runs: &[Vec<Vec<u8>>]) {
        let mut arena = Vec::new();
        let mut transmits = Vec::new();
        for run in runs {
            let start = arena.len();
            arena.extend(run.iter().flatten());
            let segment_size = (run.len() > 1).then(|| run[0].len().try_into().unwrap());
            transmits.push(Transmit {
                destination: self.to,
                source: None,
                range: start..arena.len(),
                segment_size,
            });
        }
        let taken = self.ours.send_batch(&arena, &transmits).unwrap();
        assert_eq!(taken, transmits.len());
    }

    /// Receives `count` datagrams and returns their source addresses and contents.
    fn receive(&mut self, count: usize) -> Vec<(SocketAddr, Vec<u8>)> {
        let mut batch = ReceiveBatch::new(&self.theirs);
        let mut seen = Vec::new();
        let deadline = Instant::now() + TIMEOUT;
        while seen.len() < count && Instant::now() < deadline {
            self.theirs.receive_batch(&mut batch).unwrap();
            seen.extend(
                batch
                    .datagrams()
                    .map(|datagram| (datagram.source, datagram.contents.to_vec())),
            );
        }
        assert_eq!(seen.len(), count, "{:?}", self.stats());
        seen
    }

    /// Sends the datagrams and asserts that the same are received.
    fn exchange(&mut self, runs: &[Vec<Vec<u8>>]) {
        self.send(runs);
        let sent: Vec<_> = runs.concat();
        let port = self.ours.local_addr().unwrap().port();
        let ours: &str = if self.to.is_ipv4() {
            "10.77.0.1"
        } else {
            "fd77::1"
        };
        let source = SocketAddr::new(ours.parse().unwrap(), port);
        for ((from, got), sent) in self.receive(sent.len()).into_iter().zip(sent) {
            assert_eq!(from, source);
            assert!(got == sent, "{} B became {} B", sent.len(), got.len());
        }
    }

    fn stats(&self) -> PacketEgressStats {
        self.ours.packet_egress_stats().unwrap()
    }

    fn fallbacks(&self, reason: FallbackReason) -> u64 {
        let place = FallbackReason::ALL
            .iter()
            .position(|it| *it == reason)
            .unwrap();
        self.stats().fallbacks[place]
    }

    /// Exchanges single datagrams until one is sent past the stack.
    fn wait_for_packet_egress(&mut self) {
        let before = self.stats().frames;
        let deadline = Instant::now() + TIMEOUT;
        while self.stats().frames == before {
            assert!(Instant::now() < deadline, "{:?}", self.stats());
            self.exchange(&[vec![pattern(1, 100)]]);
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

fn receiver(address: SocketAddr) -> UdpSocket {
    let options = UdpOptions {
        gro: false,
        ..UdpOptions::default()
    };
    UdpSocket::bind(address, options).unwrap()
}

/// Returns `len` bytes that differ with `seed`.
fn pattern(seed: u8, len: usize) -> Vec<u8> {
    let bytes = (0..=255_u8).cycle().take(len);
    bytes.map(|byte| byte.wrapping_mul(31) ^ seed).collect()
}

/// Options that send everything past the stack, regardless of run length.
fn for_all_runs() -> PacketEgressOptions {
    PacketEgressOptions { run_min: u16::MAX }
}

#[test]
fn unknown_neighbour_takes_the_stack_until_it_is_resolved() {
    let Some(pair) = NamespacePair::new() else {
        return;
    };
    for address in ["10.77.0.2:0", "[fd77::2]:0"] {
        pair.connect(address, for_all_runs(), |mut link| {
            link.exchange(&[vec![pattern(1, 1_200)]]);
            assert_eq!(
                link.fallbacks(FallbackReason::Neighbour),
                1,
                "{:?}",
                link.stats()
            );
            assert_eq!(link.stats().frames, 0);
            link.wait_for_packet_egress();
            let before = link.stats();
            link.exchange(&[vec![pattern(2, 1_200)], vec![pattern(3, 7)]]);
            let after = link.stats();
            assert_eq!(after.frames, before.frames + 2);
            assert_eq!(after.fallbacks, before.fallbacks);
            assert_eq!((after.dropped, after.ring_failures), (0, 0));
        });
    }
}

#[test]
fn datagrams_and_runs_of_every_length_arrive_complete_and_in_order() {
    let Some(pair) = NamespacePair::new() else {
        return;
    };
    for (address, longest) in [("10.77.0.2:0", 1_472), ("[fd77::2]:0", 1_452)] {
        pair.connect(address, for_all_runs(), |mut link| {
            link.wait_for_packet_egress();
            let before = link.stats();
            for len in [1, 2, 3, 100, 1_199, 1_200, longest] {
                let run = |count: u8, last: usize| {
                    let mut run: Vec<_> = (1..count).map(|seed| pattern(seed, len)).collect();
                    run.push(pattern(99, last));
                    run
                };
                link.exchange(&[
                    run(1, len),
                    run(2, len),
                    run(7, len.div_ceil(2)),
                    run(1, 5),
                    run(30, len),
                ]);
            }
            let after = link.stats();
            assert_eq!(after.frames - before.frames, 7 * 41);
            assert_eq!(after.fallbacks, before.fallbacks);
        });
    }
}

#[test]
fn batch_larger_than_the_ring_arrives_in_order() {
    let Some(pair) = NamespacePair::new() else {
        return;
    };
    pair.connect("10.77.0.2:0", for_all_runs(), |mut link| {
        link.wait_for_packet_egress();
        let datagrams: Vec<_> = (0..1_500_u32)
            .map(|number| vec![[number.to_be_bytes().to_vec(), pattern(0, 600)].concat()])
            .collect();
        link.exchange(&datagrams);
        assert_eq!(link.stats().dropped, 0);
    });
}

#[test]
fn socket_bound_to_one_address_sends_from_it() {
    let Some(pair) = NamespacePair::new() else {
        return;
    };
    pair.ours("address add 10.77.0.9/24 dev va");
    let mut theirs = in_namespace(&pair.theirs, || receiver("10.77.0.2:0".parse().unwrap()));
    let to = theirs.local_addr().unwrap();
    in_namespace(&pair.ours, || {
        let address = "10.77.0.9:7001".parse().unwrap();
        let mut ours = UdpSocket::bind(address, UdpOptions::default()).unwrap();
        ours.enable_packet_egress(for_all_runs()).unwrap();
        let deadline = Instant::now() + TIMEOUT;
        while ours.packet_egress_stats().unwrap().frames < 3 {
            assert!(Instant::now() < deadline);
            let transmit = Transmit {
                destination: to,
                source: None,
                range: 0..10,
                segment_size: None,
            };
            ours.send_batch(&[7; 10], &[transmit]).unwrap();
            std::thread::sleep(Duration::from_millis(5));
        }
        let mut batch = ReceiveBatch::new(&theirs);
        let mut count = 0;
        while count < ours.stats().sent {
            assert!(Instant::now() < deadline);
            theirs.receive_batch(&mut batch).unwrap();
            for datagram in batch.datagrams() {
                assert_eq!((datagram.source, datagram.contents.len()), (address, 10));
                count += 1;
            }
        }
    });
}

#[test]
fn destination_behind_a_router_is_sent_to_the_router() {
    let Some(pair) = NamespacePair::new() else {
        return;
    };
    pair.connect("10.78.0.1:0", for_all_runs(), |mut link| {
        link.wait_for_packet_egress();
        link.exchange(&[vec![pattern(1, 1_200)], vec![pattern(2, 900)]]);
        // Another destination behind the same router needs no stack at all.
        let before = link.stats();
        link.pair.theirs("address add 10.78.0.2/32 dev lo");
        link.theirs = in_namespace(&link.pair.theirs, || {
            receiver("10.78.0.2:0".parse().unwrap())
        });
        link.to = link.theirs.local_addr().unwrap();
        link.exchange(&[vec![pattern(3, 1_200)]]);
        assert_eq!(link.stats().frames, before.frames + 1);
        assert_eq!(link.stats().fallbacks, before.fallbacks);
    });
}

#[test]
fn datagram_longer_than_the_mtu_takes_the_stack_which_fragments_it() {
    let Some(pair) = NamespacePair::new() else {
        return;
    };
    pair.connect("10.77.0.2:0", for_all_runs(), |mut link| {
        link.wait_for_packet_egress();
        link.exchange(&[vec![pattern(1, 1_473)]]);
        link.exchange(&[vec![pattern(1, 2_000)], vec![pattern(2, 40)]]);
        assert_eq!(link.fallbacks(FallbackReason::Length), 2);
        // A smaller MTU of the device is respected.
        link.pair.ours("link set va mtu 1000");
        std::thread::sleep(POLL_WAIT);
        link.exchange(&[vec![pattern(1, 973)], vec![pattern(1, 972)]]);
        assert_eq!(link.fallbacks(FallbackReason::Length), 3);
        // A smaller MTU of a route is respected.
        link.pair
            .ours("route add 10.77.0.2/32 dev va src 10.77.0.1 mtu 900");
        std::thread::sleep(POLL_WAIT);
        link.exchange(&[vec![pattern(1, 873)], vec![pattern(1, 872)]]);
        assert_eq!(link.fallbacks(FallbackReason::Length), 4);
    });
}

#[test]
fn local_address_takes_the_stack() {
    let Some(pair) = NamespacePair::new() else {
        return;
    };
    pair.connect("10.77.0.2:0", for_all_runs(), |mut link| {
        link.theirs = receiver("127.0.0.1:0".parse().unwrap());
        link.to = link.theirs.local_addr().unwrap();
        link.send(&[vec![pattern(1, 100)]]);
        link.receive(1);
        assert_eq!(link.fallbacks(FallbackReason::Route), 1);
        assert_eq!(link.stats().frames, 0);
    });
}

#[test]
fn long_runs_take_the_stack_and_short_runs_do_not() {
    let Some(pair) = NamespacePair::new() else {
        return;
    };
    pair.connect(
        "10.77.0.2:0",
        PacketEgressOptions { run_min: 4 },
        |mut link| {
            link.wait_for_packet_egress();
            let before = link.stats();
            let run = |count: u8| (0..count).map(|seed| pattern(seed, 1_000)).collect();
            for _ in 0..20 {
                link.exchange(&[run(3)]);
            }
            assert_eq!(link.stats().fallbacks, before.fallbacks);
            for _ in 0..30 {
                link.exchange(&[run(8)]);
            }
            assert!(
                link.fallbacks(FallbackReason::LongRun) > 20 * 8,
                "{:?}",
                link.stats()
            );
            let long = link.stats();
            for _ in 0..30 {
                link.exchange(&[run(1)]);
            }
            assert!(link.stats().frames > long.frames + 10, "{:?}", link.stats());
        },
    );
}

#[test]
fn changed_ethernet_address_of_a_neighbour_is_followed() {
    let Some(pair) = NamespacePair::new() else {
        return;
    };
    pair.connect("10.77.0.2:0", for_all_runs(), |mut link| {
        link.wait_for_packet_egress();
        link.pair.theirs("link set vb address 02:00:00:00:77:77");
        link.pair
            .ours("neighbour replace 10.77.0.2 lladdr 02:00:00:00:77:77 dev va");
        std::thread::sleep(POLL_WAIT);
        let before = link.stats();
        link.exchange(&[vec![pattern(1, 1_200)]]);
        assert_eq!(link.stats().frames, before.frames + 1);
        // A deleted neighbour is resolved again by the stack.
        link.pair.ours("neighbour del 10.77.0.2 dev va");
        std::thread::sleep(POLL_WAIT);
        let before = link.fallbacks(FallbackReason::Neighbour);
        link.exchange(&[vec![pattern(1, 1_200)]]);
        assert_eq!(link.fallbacks(FallbackReason::Neighbour), before + 1);
        link.wait_for_packet_egress();
    });
}

#[test]
fn device_is_used_again_after_it_was_down() {
    let Some(pair) = NamespacePair::new() else {
        return;
    };
    pair.connect("10.77.0.2:0", for_all_runs(), |mut link| {
        link.wait_for_packet_egress();
        link.pair.ours("link set va down");
        // Until the notification is read the ring itself refuses frames, without panic or delay.
        link.send(&[vec![pattern(1, 100)]]);
        std::thread::sleep(POLL_WAIT);
        let frames = link.stats().frames;
        link.send(&[vec![pattern(1, 100)]]);
        assert_eq!(link.stats().frames, frames, "{:?}", link.stats());
        link.pair.ours("link set va up");
        link.pair.ours("route replace 10.78.0.0/24 via 10.77.0.2");
        std::thread::sleep(POLL_WAIT);
        let deadline = Instant::now() + TIMEOUT;
        while link.stats().frames == frames {
            assert!(Instant::now() < deadline, "{:?}", link.stats());
            link.send(&[vec![pattern(1, 100)]]);
            std::thread::sleep(Duration::from_millis(20));
        }
    });
}

#[test]
fn stale_neighbour_is_checked_by_the_stack_once() {
    let Some(pair) = NamespacePair::new() else {
        return;
    };
    pair.connect("10.77.0.2:0", for_all_runs(), |mut link| {
        link.wait_for_packet_egress();
        let mac = std::fs::read_to_string("/proc/thread-self/net/arp").unwrap();
        let mac = mac
            .lines()
            .find(|line| line.starts_with("10.77.0.2 "))
            .and_then(|line| line.split_whitespace().nth(3))
            .unwrap()
            .to_owned();
        let stale = format!("neighbour replace 10.77.0.2 lladdr {mac} dev va nud stale");
        link.pair.ours(&stale);
        std::thread::sleep(POLL_WAIT);
        for _ in 0..10 {
            link.exchange(&[vec![pattern(1, 100)]]);
        }
        assert_eq!(
            link.fallbacks(FallbackReason::StaleNeighbour),
            1,
            "{:?}",
            link.stats()
        );
    });
}

#[test]
fn packet_egress_is_refused_without_the_capability() {
    let Some(pair) = NamespacePair::new() else {
        return;
    };
    in_namespace(&pair.ours, || {
        assert!(probe().is_ok());
        let mut sets = rustix::thread::capabilities(None).unwrap();
        sets.effective.remove(CapabilitySet::NET_RAW);
        rustix::thread::set_capabilities(None, sets).unwrap();
        let refused = probe().unwrap_err();
        assert_eq!(refused.kind(), std::io::ErrorKind::PermissionDenied);
        let address = "10.77.0.1:0".parse().unwrap();
        let mut socket = UdpSocket::bind(address, UdpOptions::default()).unwrap();
        assert!(socket.enable_packet_egress(for_all_runs()).is_err());
        assert_eq!(socket.packet_egress_stats(), None);
    });
}
