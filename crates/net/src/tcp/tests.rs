//! Loopback tests of the server: frames both ways, limits reached, peers that misbehave.

use std::io::{Read, Write};
use std::net::Shutdown;

use super::frame::{FRAME_LEN_MAX, FrameDecoder, LENGTH_LEN};
use super::*;

/// A server with its poller, and what it has received.
struct World {
    poller: Poller,
    server: TcpServer,
    received: Vec<(SocketAddr, Vec<u8>)>,
    now: Instant,
}

impl World {
    fn new(options: TcpOptions) -> Self {
        Self::at("127.0.0.1:0", options)
    }

    fn at(address: &str, options: TcpOptions) -> Self {
        let poller = Poller::new().unwrap();
        let server = TcpServer::bind(address.parse().unwrap(), options, &poller, 5).unwrap();
        Self {
            poller,
            server,
            received: Vec::new(),
            now: Instant::now(),
        }
    }

    fn connect(&self) -> TcpStream {
        TcpStream::connect(self.server.local_addr().unwrap()).unwrap()
    }

    /// One turn of a media thread.
    fn turn(&mut self) {
        self.poller.wait(Some(Duration::from_millis(20))).unwrap();
        let ready: Vec<_> = self.poller.ready().collect();
        for ready in ready {
            let received = &mut self.received;
            self.server.handle_ready(self.now, ready, |remote, frame| {
                received.push((remote, frame.to_vec()));
            });
        }
        self.server.flush();
    }

    /// Turns until `done`.
    fn until(&mut self, done: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(10);
        while !done(self) {
            assert!(Instant::now() < deadline, "it never came");
            self.turn();
        }
    }
}

fn framed(contents: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    assert!(frame::write(&mut out, contents));
    out
}

#[test]
fn frames_pass_in_both_directions_on_both_families() {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let mut world = World::at(address, TcpOptions::default());
        let mut client = world.connect();
        let remote = client.local_addr().unwrap();
        let stream: Vec<u8> = [&b"one"[..], &[7; 1_200], &[8; FRAME_LEN_MAX]]
            .into_iter()
            .flat_map(framed)
            .collect();
        let (first, second) = stream.split_at(700);
        client.write_all(first).unwrap();
        world.until(|world| world.received.len() == 1);
        client.write_all(second).unwrap();
        world.until(|world| world.received.len() == 3);
        assert!(world.received.iter().all(|(source, _)| *source == remote));
        assert_eq!(world.received[2].1, [8; FRAME_LEN_MAX]);

        assert!(world.server.send(remote, b"answer"));
        assert!(world.server.send(remote, &[9; 1_200]));
        world.server.flush();
        let mut bytes = vec![0; LENGTH_LEN * 2 + 6 + 1_200];
        client.read_exact(&mut bytes).unwrap();
        let mut frames = Vec::new();
        FrameDecoder::default()
            .decode(&mut bytes, |frame| frames.push(frame.to_vec()))
            .unwrap();
        assert_eq!(frames, [b"answer".to_vec(), vec![9; 1_200]]);
        assert_eq!(
            (world.server.stats().received, world.server.stats().sent),
            (3, 2)
        );
    }
}

#[test]
fn a_closed_connection_is_reported_once_and_its_place_is_free() {
    let mut world = World::new(TcpOptions::default());
    let client = world.connect();
    let remote = client.local_addr().unwrap();
    world.until(|world| world.server.len() == 1);
    client.shutdown(Shutdown::Both).unwrap();
    world.until(|world| world.server.is_empty());
    assert_eq!(world.server.poll_closed(), Some(remote));
    assert_eq!(world.server.poll_closed(), None);
    assert!(!world.server.send(remote, b"nobody"));
    assert!(world.server.slots.is_empty() && world.server.untrusted.is_empty());
}

#[test]
fn a_connection_that_its_owner_closes_is_not_reported() {
    let mut world = World::new(TcpOptions::default());
    let mut client = world.connect();
    world.until(|world| world.server.len() == 1);
    world.server.close(client.local_addr().unwrap());
    assert_eq!(world.server.poll_closed(), None);
    assert_eq!(client.read(&mut [0; 8]).unwrap(), 0);
}

#[test]
fn a_frame_that_is_too_long_ends_its_connection_only() {
    let mut world = World::new(TcpOptions::default());
    let mut bad = world.connect();
    let mut good = world.connect();
    world.until(|world| world.server.len() == 2);
    bad.write_all(&framed(b"before")).unwrap();
    bad.write_all(&[0xff, 0xff, 1, 2, 3]).unwrap();
    world.until(|world| world.server.len() == 1);
    assert_eq!(world.server.poll_closed(), Some(bad.local_addr().unwrap()));
    assert_eq!(world.server.stats().broken, 1);
    good.write_all(&framed(b"still here")).unwrap();
    world.until(|world| world.received.len() == 2);
    assert_eq!(
        world.received[1],
        (good.local_addr().unwrap(), b"still here".to_vec())
    );
}

#[test]
fn a_peer_that_does_not_read_loses_whole_frames_and_the_queue_stays_bounded() {
    let mut world = World::new(TcpOptions::default());
    let mut client = world.connect();
    let remote = client.local_addr().unwrap();
    world.until(|world| world.server.len() == 1);
    let mut taken = 0_u32;
    // The kernel's own buffers hold some megabytes; behind them the queue fills.
    for number in 0..20_000_u32 {
        let mut contents = vec![0; 1_200];
        contents[..4].copy_from_slice(&number.to_be_bytes());
        taken += u32::from(world.server.send(remote, &contents));
        world.server.flush();
    }
    assert!(taken < 20_000, "nothing was dropped");
    let stats = world.server.stats();
    assert_eq!(
        (stats.sent, stats.dropped_full),
        (u64::from(taken), u64::from(20_000 - taken))
    );
    client.set_nonblocking(true).unwrap();
    let mut decoder = FrameDecoder::default();
    let mut numbers = Vec::new();
    let mut bytes = vec![0; 65_536];
    let deadline = Instant::now() + Duration::from_secs(20);
    while numbers.len() < taken as usize && Instant::now() < deadline {
        world.turn();
        while let Ok(len) = client.read(&mut bytes) {
            assert_ne!(len, 0);
            decoder
                .decode(&mut bytes[..len], |frame| {
                    assert_eq!(frame.len(), 1_200);
                    numbers.push(u32::from_be_bytes(*frame.first_chunk().unwrap()));
                })
                .unwrap();
        }
    }
    assert_eq!(numbers.len(), taken as usize);
    assert!(numbers.is_sorted());
    assert_eq!(decoder.pending(), 0);
    // With room again, frames pass again, and the poller is not kept awake by the room.
    assert!(world.server.send(remote, b"again"));
    world.turn();
    assert_eq!(
        world.poller.wait(Some(Duration::from_millis(5))).unwrap(),
        0
    );
}

#[test]
fn one_connection_too_many_is_refused_until_another_ends() {
    let options = TcpOptions {
        connection_max: 3,
        ..TcpOptions::default()
    };
    let mut world = World::new(options);
    let clients: Vec<_> = (0..3).map(|_| world.connect()).collect();
    world.until(|world| world.server.len() == 3);
    let mut refused = world.connect();
    world.until(|world| world.server.stats().refused == 1);
    assert!(matches!(refused.read(&mut [0; 8]), Ok(0) | Err(_)));
    drop(clients);
    world.until(|world| world.server.is_empty());
    let _client = world.connect();
    world.until(|world| world.server.len() == 1);
}

#[test]
fn an_origin_has_few_untrusted_connections_and_any_number_of_trusted_ones() {
    let options = TcpOptions {
        untrusted_per_origin_max: 2,
        ..TcpOptions::default()
    };
    let mut world = World::new(options);
    let mut clients = vec![world.connect(), world.connect()];
    world.until(|world| world.server.len() == 2);
    let refused = world.connect();
    world.until(|world| world.server.stats().refused == 1);
    drop(refused);
    for client in &clients {
        world.server.trust(client.local_addr().unwrap());
        world.server.trust(client.local_addr().unwrap());
    }
    clients.extend([world.connect(), world.connect()]);
    world.until(|world| world.server.len() == 4);
    drop(clients);
    world.until(|world| world.server.is_empty());
    assert!(world.server.untrusted.is_empty());
}

#[test]
fn an_untrusted_connection_ends_soon_and_a_trusted_one_after_silence() {
    let mut world = World::new(TcpOptions::default());
    let stranger = world.connect();
    let mut friend = world.connect();
    world.until(|world| world.server.len() == 2);
    world.server.trust(friend.local_addr().unwrap());
    let start = world.now;
    world
        .server
        .close_stale(start + UNTRUSTED_LIFETIME - Duration::from_millis(1));
    assert_eq!(world.server.len(), 2);
    world.server.close_stale(start + UNTRUSTED_LIFETIME);
    assert_eq!(
        world.server.poll_closed(),
        Some(stranger.local_addr().unwrap())
    );
    world.now = start + Duration::from_secs(30);
    friend.write_all(&framed(b"I live")).unwrap();
    world.until(|world| world.received.len() == 1);
    world.server.close_stale(start + SILENCE_MAX);
    assert_eq!(world.server.len(), 1);
    world.server.close_stale(world.now + SILENCE_MAX);
    assert_eq!(
        world.server.poll_closed(),
        Some(friend.local_addr().unwrap())
    );
    assert_eq!(world.server.stats().stale, 2);
}

#[test]
fn an_ipv6_network_is_one_origin() {
    let origin_of = |text: &str| origin(text.parse().unwrap());
    assert_eq!(
        origin_of("[2001:db8::1]:5"),
        origin_of("[2001:db8::ffff:1]:6")
    );
    assert_ne!(
        origin_of("[2001:db8::1]:5"),
        origin_of("[2001:db8:0:1::1]:5")
    );
    assert_ne!(origin_of("192.0.2.1:5"), origin_of("192.0.2.2:5"));
}
