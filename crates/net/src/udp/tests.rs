//! Loopback tests of both backends: datagrams arrive once, unchanged, from the right address.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::Range;
use std::time::{Duration, Instant};

use super::*;

const V4: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
const V6: SocketAddr = SocketAddr::new(std::net::IpAddr::V6(Ipv6Addr::LOCALHOST), 0);

fn options(gro: bool, gso: bool, portable: bool) -> UdpOptions {
    UdpOptions {
        gro,
        gso,
        portable,
        ..UdpOptions::default()
    }
}

/// Returns every combination of options.
fn every_option() -> impl Iterator<Item = UdpOptions> {
    let flags = [false, true];
    flags
        .into_iter()
        .flat_map(move |gro| flags.into_iter().map(move |gso| options(gro, gso, false)))
        .chain([options(true, true, true)])
}

/// Receives until `count` datagrams have arrived, for at most 5 s.
fn collect(socket: &mut UdpSocket, count: usize) -> Vec<(SocketAddr, Vec<u8>)> {
    let mut batch = ReceiveBatch::new(socket);
    let mut seen = Vec::new();
    let deadline = Instant::now() + Duration::from_secs(5);
    while seen.len() < count && Instant::now() < deadline {
        let received = socket.receive_batch(&mut batch).unwrap();
        let before = seen.len();
        seen.extend(
            batch
                .datagrams()
                .map(|datagram| (datagram.source, datagram.contents.to_vec())),
        );
        assert_eq!(seen.len() - before, received);
    }
    seen
}

fn single(destination: SocketAddr, range: Range<usize>) -> Transmit {
    Transmit {
        destination,
        source: None,
        range,
        segment_size: None,
    }
}

#[test]
fn datagrams_and_runs_arrive_complete_on_every_backend_and_ip_version() {
    for address in [V4, V6] {
        for receiving in every_option() {
            for sending in every_option() {
                let Ok(mut receiver) = UdpSocket::bind(address, receiving) else {
                    assert_eq!(address, V6, "no IPv4 on this machine");
                    continue;
                };
                let mut sender = UdpSocket::bind(address, sending).unwrap();
                let to = receiver.local_addr().unwrap();
                let arena: Vec<u8> = (0..=250_u8).cycle().take(20_000).collect();
                let transmits = [
                    single(to, 0..100),
                    Transmit {
                        destination: to,
                        source: None,
                        range: 100..10_100,
                        segment_size: Some(1_000),
                    },
                    single(to, 10_100..11_300),
                    Transmit {
                        destination: to,
                        source: None,
                        range: 11_300..15_000,
                        segment_size: Some(1_200),
                    },
                    Transmit {
                        destination: to,
                        source: None,
                        range: 15_000..15_700,
                        segment_size: Some(1_200),
                    },
                ];
                assert_eq!(
                    sender.send_batch(&arena, &transmits).unwrap(),
                    transmits.len()
                );
                let seen = collect(&mut receiver, 17);
                let from = sender.local_addr().unwrap();
                assert!(seen.iter().all(|(source, _)| *source == from), "{seen:?}");
                let lengths: Vec<_> = seen.iter().map(|(_, contents)| contents.len()).collect();
                let mut expected = vec![100];
                expected.extend([1_000; 10]);
                expected.extend([1_200, 1_200, 1_200, 1_200, 100, 700]);
                assert_eq!(lengths, expected, "{receiving:?} {sending:?}");
                let joined: Vec<u8> = seen
                    .into_iter()
                    .flat_map(|(_, contents)| contents)
                    .collect();
                assert_eq!(joined, arena[..15_700]);
                assert_eq!((sender.stats().sent, sender.stats().send_errors), (17, 0));
                assert_eq!(receiver.stats().received, 17);
                if sender.sends_runs() {
                    assert_eq!(sender.stats().sent_runs, 5);
                }
            }
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn linux_supports_runs_in_both_directions() {
    let socket = UdpSocket::bind(V4, UdpOptions::default()).unwrap();
    assert!(socket.receives_runs() && socket.sends_runs());
    let socket = UdpSocket::bind(V4, options(false, false, false)).unwrap();
    assert!(!socket.receives_runs() && !socket.sends_runs());
}

#[test]
fn run_longer_than_the_kernel_takes_is_sent_in_parts() {
    for sending in every_option() {
        let mut receiver = UdpSocket::bind(V4, UdpOptions::default()).unwrap();
        let mut sender = UdpSocket::bind(V4, sending).unwrap();
        let destination = receiver.local_addr().unwrap();
        // Together less than the receive buffer of an unprivileged process.
        let arena = vec![7; 100_000];
        let transmits = [
            Transmit {
                destination,
                source: None,
                range: 0..100_000,
                segment_size: Some(1_200),
            },
            Transmit {
                destination,
                source: None,
                range: 0..8_000,
                segment_size: Some(100),
            },
        ];
        assert_eq!(sender.send_batch(&arena, &transmits).unwrap(), 2);
        let seen = collect(&mut receiver, 84 + 80);
        assert_eq!(seen.len(), 84 + 80);
        let total: usize = seen.iter().map(|(_, contents)| contents.len()).sum();
        assert_eq!(total, 108_000);
    }
}

#[test]
fn ten_thousand_packets_arrive_when_the_receiver_keeps_up() {
    for chosen in [
        options(true, true, false),
        options(false, false, false),
        options(true, true, true),
    ] {
        let mut receiver = UdpSocket::bind(V4, chosen).unwrap();
        let mut sender = UdpSocket::bind(V4, chosen).unwrap();
        let destination = receiver.local_addr().unwrap();
        let mut batch = ReceiveBatch::new(&receiver);
        let mut seen = vec![false; 10_000];
        for first in (0..10_000_u32).step_by(100) {
            let mut arena = vec![9; 120_000];
            for (number, packet) in (first..).zip(arena.chunks_mut(1_200)) {
                packet[..4].copy_from_slice(&number.to_be_bytes());
            }
            let transmits: Vec<_> = (0..25)
                .map(|run| Transmit {
                    destination,
                    source: None,
                    range: run * 4_800..(run + 1) * 4_800,
                    segment_size: Some(1_200),
                })
                .collect();
            assert_eq!(sender.send_batch(&arena, &transmits).unwrap(), 25);
            let deadline = Instant::now() + Duration::from_secs(5);
            let mut missing = 100;
            while missing > 0 && Instant::now() < deadline {
                missing -= receiver.receive_batch(&mut batch).unwrap();
                for datagram in batch.datagrams() {
                    assert_eq!(datagram.contents.len(), 1_200);
                    let number = u32::from_be_bytes(*datagram.contents.first_chunk().unwrap());
                    assert!(!std::mem::replace(&mut seen[number as usize], true));
                }
            }
        }
        assert!(seen.iter().all(|seen| *seen));
        assert_eq!(sender.stats().sent, 10_000);
        assert_eq!(receiver.stats().received, 10_000);
    }
}

#[test]
fn contents_can_be_modified_in_place() {
    let mut receiver = UdpSocket::bind(V4, UdpOptions::default()).unwrap();
    let mut sender = UdpSocket::bind(V4, UdpOptions::default()).unwrap();
    let to = receiver.local_addr().unwrap();
    let run = Transmit {
        destination: to,
        source: None,
        range: 0..300,
        segment_size: Some(100),
    };
    sender.send_batch(&[1; 300], &[run]).unwrap();
    let mut batch = ReceiveBatch::new(&receiver);
    while receiver.receive_batch(&mut batch).unwrap() == 0 {}
    for datagram in batch.datagrams() {
        datagram.contents.fill(2);
    }
    assert!(
        batch
            .datagrams()
            .all(|datagram| datagram.contents.iter().all(|byte| *byte == 2))
    );
}

#[test]
fn invalid_transmits_are_counted_and_do_not_stop_the_others() {
    for sending in every_option() {
        let mut receiver = UdpSocket::bind(V4, UdpOptions::default()).unwrap();
        let mut sender = UdpSocket::bind(V4, sending).unwrap();
        let to = receiver.local_addr().unwrap();
        let arena = vec![3; 70_000];
        let transmits = [
            single(to, 70_000..70_001),
            single(to, 0..10),
            single(V6, 0..10),
            single(to, 0..70_000),
            single(to, 0..20),
            single(to, 69_999..70_001),
            single(to, 0..30),
        ];
        assert_eq!(
            sender.send_batch(&arena, &transmits).unwrap(),
            transmits.len()
        );
        let lengths: Vec<_> = collect(&mut receiver, 3)
            .into_iter()
            .map(|(_, contents)| contents.len())
            .collect();
        assert_eq!(lengths, [10, 20, 30], "{sending:?}");
        assert_eq!((sender.stats().sent, sender.stats().send_errors), (3, 4));
        assert_eq!(sender.sends_runs(), sending.gso && !sending.portable);
    }
}

#[test]
fn vanished_peer_is_not_an_error() {
    for chosen in every_option() {
        let gone = UdpSocket::bind(V4, chosen).unwrap().local_addr().unwrap();
        let mut socket = UdpSocket::bind(V4, chosen).unwrap();
        let mut batch = ReceiveBatch::new(&socket);
        for _ in 0..20 {
            assert_eq!(
                socket.send_batch(b"hello", &[single(gone, 0..5)]).unwrap(),
                1
            );
            assert_eq!(socket.receive_batch(&mut batch).unwrap(), 0);
        }
    }
}

#[test]
fn datagram_longer_than_its_slot_is_dropped_and_counted() {
    for chosen in [options(false, true, false), options(true, true, true)] {
        let mut receiver = UdpSocket::bind(V4, chosen).unwrap();
        let mut sender = UdpSocket::bind(V4, chosen).unwrap();
        let to = receiver.local_addr().unwrap();
        let arena = vec![5; RECEIVE_SLOT_LEN + 1];
        let transmits = [single(to, 0..RECEIVE_SLOT_LEN + 1), single(to, 0..7)];
        assert_eq!(sender.send_batch(&arena, &transmits).unwrap(), 2);
        let seen = collect(&mut receiver, 1);
        assert_eq!((seen.len(), seen[0].1.len()), (1, 7));
        assert_eq!(receiver.stats().received_truncated, 1);
    }
}

#[test]
fn poller_reports_a_datagram_until_it_is_read() {
    for chosen in every_option() {
        let mut poller = Poller::new().unwrap();
        let mut receiver = UdpSocket::bind(V4, chosen).unwrap();
        receiver.register(&poller, 3).unwrap();
        let mut sender = UdpSocket::bind(V4, chosen).unwrap();
        let to = receiver.local_addr().unwrap();
        assert_eq!(poller.wait(Some(Duration::from_millis(1))).unwrap(), 0);
        sender.send_batch(b"hello", &[single(to, 0..5)]).unwrap();
        for _ in 0..2 {
            assert_eq!(poller.wait(Some(Duration::from_secs(5))).unwrap(), 1);
            let ready: Vec<_> = poller.ready().collect();
            assert_eq!(
                (ready[0].socket, ready[0].readable),
                (SocketId::Udp(3), true)
            );
        }
        assert_eq!(collect(&mut receiver, 1).len(), 1);
        assert_eq!(poller.wait(Some(Duration::from_millis(1))).unwrap(), 0);
        receiver.watch_writable(3, true).unwrap();
        assert_eq!(poller.wait(Some(Duration::from_secs(5))).unwrap(), 1);
        assert!(
            poller
                .ready()
                .all(|ready| ready.writable && !ready.readable)
        );
        receiver.watch_writable(3, false).unwrap();
        assert_eq!(poller.wait(Some(Duration::from_millis(1))).unwrap(), 0);
        drop(receiver);
        assert_eq!(poller.wait(Some(Duration::from_millis(1))).unwrap(), 0);
    }
}

#[test]
fn buffer_sizes_are_those_of_the_kernel() {
    let socket = UdpSocket::bind(V4, UdpOptions::default()).unwrap();
    let (receive, send) = socket.buffer_sizes().unwrap();
    assert!(receive >= 65_536 && send >= 65_536, "{receive} {send}");
}

#[cfg(target_os = "linux")]
#[test]
fn datagrams_state_the_address_that_was_asked_and_leave_from_it() {
    let options = [options(true, true, false), options(false, false, false)];
    for options in options {
        let mut server = UdpSocket::bind("0.0.0.0:0".parse().unwrap(), options).unwrap();
        let mut client = UdpSocket::bind(V4, options).unwrap();
        assert!(server.states_local() && !client.states_local());
        let port = server.local_addr().unwrap().port();
        for asked in ["127.0.0.2", "127.0.0.1", "127.0.0.3"] {
            let asked: IpAddr = asked.parse().unwrap();
            let asking = single(SocketAddr::new(asked, port), 0..100);
            assert_eq!(client.send_batch(&[1; 100], &[asking]).unwrap(), 1);
            let mut batch = ReceiveBatch::new(&server);
            let deadline = Instant::now() + Duration::from_secs(5);
            while server.receive_batch(&mut batch).unwrap() == 0 {
                assert!(Instant::now() < deadline, "nothing arrived");
            }
            let (source, local) = {
                let datagram = batch.datagrams().next().unwrap();
                (datagram.source, datagram.local)
            };
            assert_eq!(local, Some(asked));
            let answer = Transmit {
                destination: source,
                source: local,
                range: 0..4_000,
                segment_size: Some(1_000),
            };
            assert_eq!(server.send_batch(&[2; 4_000], &[answer]).unwrap(), 1);
            let seen = collect(&mut client, 4);
            let from = SocketAddr::new(asked, port);
            assert!(seen.iter().all(|(source, _)| *source == from), "{seen:?}");
            assert_eq!((seen.len(), server.stats().send_errors), (4, 0));
        }
    }
}

/// The kernel begins to stamp datagrams on receipt a while after it was asked to.
#[cfg(target_os = "linux")]
#[test]
fn datagrams_state_how_long_they_waited_in_the_kernel() {
    const WAIT: Duration = Duration::from_millis(20);
    for gro in [false, true] {
        let mut receiver = UdpSocket::bind(V4, options(gro, true, false)).unwrap();
        let mut sender = UdpSocket::bind(V4, options(gro, true, false)).unwrap();
        let destination = receiver.local_addr().unwrap();
        let mut batch = ReceiveBatch::new(&receiver);
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            sender
                .send_batch(&[1; 100], &[single(destination, 0..100)])
                .unwrap();
            std::thread::sleep(WAIT);
            receiver.receive_batch(&mut batch).unwrap();
            let waited = batch.datagrams().map(|datagram| datagram.waited).min();
            if waited.is_some_and(|waited| waited >= WAIT) {
                break;
            }
            assert!(Instant::now() < deadline, "no receive times: {waited:?}");
        }
    }
}
