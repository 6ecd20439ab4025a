//! Loopback tests of the server: frames in both directions, limits, misbehaving peers.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::time::Duration;

use super::frame::{FRAME_LEN_MAX, FrameDecoder, LENGTH_LEN};
use super::*;

/// A server with its poller, and the frames it received.
struct Fixture {
    poller: Poller,
    server: TcpServer,
    received: Vec<(SocketAddr, Vec<u8>)>,
    now: Instant,
}

impl Fixture {
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

    /// Runs one iteration of a media thread.
    fn run_once(&mut self) {
        self.poller.wait(Some(Duration::from_millis(20))).unwrap();
        let ready: Vec<_> = self.poller.ready().collect();
        for ready in ready {
            let received = &mut self.received;
            self.server.handle_ready(self.now, ready, |remote, frame| {
                received.push((remote, frame.to_vec()));
            });
        }
        self.server.flush(self.now);
    }

    /// Runs iterations until `done`.
    fn run_until(&mut self, done: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(10);
        while !done(self) {
            assert!(
                Instant::now() < deadline,
                "the condition was not met within 10 s"
            );
            self.run_once();
        }
    }
}

fn framed(contents: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    assert!(frame::write(&mut out, contents));
    out
}

#[test]
fn frames_pass_in_both_directions_on_both_ip_versions() {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let mut fixture = Fixture::at(address, TcpOptions::default());
        let mut client = fixture.connect();
        let remote = client.local_addr().unwrap();
        let stream: Vec<u8> = [&b"one"[..], &[7; 1_200], &[8; FRAME_LEN_MAX]]
            .into_iter()
            .flat_map(framed)
            .collect();
        let (first, second) = stream.split_at(700);
        client.write_all(first).unwrap();
        fixture.run_until(|fixture| fixture.received.len() == 1);
        client.write_all(second).unwrap();
        fixture.run_until(|fixture| fixture.received.len() == 3);
        assert!(fixture.received.iter().all(|(source, _)| *source == remote));
        assert_eq!(fixture.received[2].1, [8; FRAME_LEN_MAX]);

        assert!(
            fixture
                .server
                .send(fixture.now, remote, b"answer", Priority::Low)
        );
        assert!(
            fixture
                .server
                .send(fixture.now, remote, &[9; 1_200], Priority::Low)
        );
        fixture.server.flush(fixture.now);
        let mut bytes = vec![0; LENGTH_LEN * 2 + 6 + 1_200];
        client.read_exact(&mut bytes).unwrap();
        let mut frames = Vec::new();
        FrameDecoder::default()
            .decode(&mut bytes, |frame| frames.push(frame.to_vec()))
            .unwrap();
        assert_eq!(frames, [b"answer".to_vec(), vec![9; 1_200]]);
        assert_eq!(
            (fixture.server.stats().received, fixture.server.stats().sent),
            (3, 2)
        );
    }
}

#[test]
fn closed_connection_is_reported_once_and_its_slot_is_free() {
    let mut fixture = Fixture::new(TcpOptions::default());
    let client = fixture.connect();
    let remote = client.local_addr().unwrap();
    fixture.run_until(|fixture| fixture.server.len() == 1);
    client.shutdown(Shutdown::Both).unwrap();
    fixture.run_until(|fixture| fixture.server.is_empty());
    assert_eq!(fixture.server.poll_closed(), Some(remote));
    assert_eq!(fixture.server.poll_closed(), None);
    assert!(
        !fixture
            .server
            .send(fixture.now, remote, b"nobody", Priority::Low)
    );
    assert!(fixture.server.slots.is_empty() && fixture.server.untrusted.is_empty());
}

#[test]
fn connection_closed_by_its_owner_is_not_reported() {
    let mut fixture = Fixture::new(TcpOptions::default());
    let mut client = fixture.connect();
    fixture.run_until(|fixture| fixture.server.len() == 1);
    fixture.server.close(client.local_addr().unwrap());
    assert_eq!(fixture.server.poll_closed(), None);
    assert_eq!(client.read(&mut [0; 8]).unwrap(), 0);
}

#[test]
fn oversized_frame_closes_only_its_own_connection() {
    let mut fixture = Fixture::new(TcpOptions::default());
    let mut bad = fixture.connect();
    let mut good = fixture.connect();
    fixture.run_until(|fixture| fixture.server.len() == 2);
    bad.write_all(&framed(b"before")).unwrap();
    bad.write_all(&[0xff, 0xff, 1, 2, 3]).unwrap();
    fixture.run_until(|fixture| fixture.server.len() == 1);
    assert_eq!(
        fixture.server.poll_closed(),
        Some(bad.local_addr().unwrap())
    );
    assert_eq!(fixture.server.stats().broken, 1);
    good.write_all(&framed(b"still here")).unwrap();
    fixture.run_until(|fixture| fixture.received.len() == 2);
    assert_eq!(
        fixture.received[1],
        (good.local_addr().unwrap(), b"still here".to_vec())
    );
}

#[test]
fn oldest_whole_frames_are_dropped_when_a_peer_does_not_read() {
    const COUNT: u32 = 20_000;
    // A few windows of the peer: before it reads, the kernel sends no more.
    const KERNEL_BYTES_MAX: usize = 512 << 10;
    let mut fixture = Fixture::new(TcpOptions::default());
    let mut client = fixture.connect();
    let remote = client.local_addr().unwrap();
    fixture.run_until(|fixture| fixture.server.len() == 1);
    for number in 0..COUNT {
        let mut contents = vec![0; 1_200];
        contents[..4].copy_from_slice(&number.to_be_bytes());
        assert!(
            fixture
                .server
                .send(fixture.now, remote, &contents, Priority::Low)
        );
        fixture.server.flush(fixture.now);
    }
    let stats = fixture.server.stats();
    assert_eq!(stats.sent, u64::from(COUNT));
    let taken = COUNT - u32::try_from(stats.dropped_full).unwrap();
    let waiting = taken as usize * 1_202;
    assert!(
        waiting <= WRITE_QUEUE_BYTES_MAX + KERNEL_BYTES_MAX,
        "{waiting} bytes wait"
    );
    client.set_nonblocking(true).unwrap();
    let mut decoder = FrameDecoder::default();
    let mut numbers = Vec::new();
    let mut bytes = vec![0; 65_536];
    let deadline = Instant::now() + Duration::from_secs(20);
    while numbers.len() < taken as usize && Instant::now() < deadline {
        fixture.run_once();
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
    assert_eq!(numbers.last(), Some(&(COUNT - 1)));
    assert_eq!(decoder.pending_len(), 0);
    // With room again frames pass, and the poller no longer reports the socket as writable.
    assert!(
        fixture
            .server
            .send(fixture.now, remote, b"again", Priority::Low)
    );
    fixture.run_once();
    assert_eq!(
        fixture.poller.wait(Some(Duration::from_millis(5))).unwrap(),
        0
    );
}

#[test]
fn connection_beyond_the_limit_is_refused_until_another_ends() {
    let options = TcpOptions {
        connection_max: 3,
        ..TcpOptions::default()
    };
    let mut fixture = Fixture::new(options);
    let clients: Vec<_> = (0..3).map(|_| fixture.connect()).collect();
    fixture.run_until(|fixture| fixture.server.len() == 3);
    let mut refused = fixture.connect();
    fixture.run_until(|fixture| fixture.server.stats().refused == 1);
    assert!(matches!(refused.read(&mut [0; 8]), Ok(0) | Err(_)));
    drop(clients);
    fixture.run_until(|fixture| fixture.server.is_empty());
    let _client = fixture.connect();
    fixture.run_until(|fixture| fixture.server.len() == 1);
}

#[test]
fn untrusted_connections_are_limited_per_client_and_trusted_ones_are_not() {
    let options = TcpOptions {
        untrusted_per_client_max: 2,
        ..TcpOptions::default()
    };
    let mut fixture = Fixture::new(options);
    let mut clients = vec![fixture.connect(), fixture.connect()];
    fixture.run_until(|fixture| fixture.server.len() == 2);
    let refused = fixture.connect();
    fixture.run_until(|fixture| fixture.server.stats().refused == 1);
    drop(refused);
    for client in &clients {
        fixture.server.trust(client.local_addr().unwrap());
        fixture.server.trust(client.local_addr().unwrap());
    }
    clients.extend([fixture.connect(), fixture.connect()]);
    fixture.run_until(|fixture| fixture.server.len() == 4);
    drop(clients);
    fixture.run_until(|fixture| fixture.server.is_empty());
    assert!(fixture.server.untrusted.is_empty());
}

#[test]
fn untrusted_connection_is_closed_after_its_lifetime_and_trusted_one_after_silence() {
    let mut fixture = Fixture::new(TcpOptions::default());
    let untrusted = fixture.connect();
    let mut trusted = fixture.connect();
    fixture.run_until(|fixture| fixture.server.len() == 2);
    fixture.server.trust(trusted.local_addr().unwrap());
    let start = fixture.now;
    fixture
        .server
        .close_stale(start + UNTRUSTED_LIFETIME - Duration::from_millis(1));
    assert_eq!(fixture.server.len(), 2);
    fixture.server.close_stale(start + UNTRUSTED_LIFETIME);
    assert_eq!(
        fixture.server.poll_closed(),
        Some(untrusted.local_addr().unwrap())
    );
    fixture.now = start + Duration::from_secs(30);
    trusted.write_all(&framed(b"alive")).unwrap();
    fixture.run_until(|fixture| fixture.received.len() == 1);
    fixture.server.close_stale(start + SILENCE_MAX);
    assert_eq!(fixture.server.len(), 1);
    fixture.server.close_stale(fixture.now + SILENCE_MAX);
    assert_eq!(
        fixture.server.poll_closed(),
        Some(trusted.local_addr().unwrap())
    );
    assert_eq!(fixture.server.stats().stale, 2);
}

#[test]
fn ipv6_network_counts_as_one_client() {
    let client = |text: &str| client_of(text.parse().unwrap());
    assert_eq!(client("[2001:db8::1]:5"), client("[2001:db8::ffff:1]:6"));
    assert_ne!(client("[2001:db8::1]:5"), client("[2001:db8:0:1::1]:5"));
    assert_ne!(client("192.0.2.1:5"), client("192.0.2.2:5"));
}

#[test]
fn connection_accepted_elsewhere_goes_on_with_the_bytes_that_were_read() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut fixture = Fixture::new(TcpOptions::default());
    fixture.server = TcpServer::without_listener(TcpOptions::default(), &fixture.poller, 5);
    assert!(fixture.server.local_addr().is_err());
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (stream, remote) = listener.accept().unwrap();
    let mut read = framed(b"first");
    let second = framed(b"second");
    read.extend(&second[..4]);
    let received = &mut fixture.received;
    fixture
        .server
        .add(fixture.now, stream, remote, &mut read, |remote, frame| {
            received.push((remote, frame.to_vec()));
        });
    assert_eq!(fixture.received, [(remote, b"first".to_vec())]);
    client.write_all(&second[4..]).unwrap();
    fixture.run_until(|fixture| fixture.received.len() == 2);
    assert_eq!(fixture.received[1].1, b"second");
    assert!(
        fixture
            .server
            .send(fixture.now, remote, b"reply", Priority::High)
    );
    fixture.run_once();
    let mut reply = [0; 7];
    client.read_exact(&mut reply).unwrap();
    assert_eq!(reply[2..], *b"reply");
}

#[test]
fn connections_accepted_elsewhere_are_limited_and_checked_like_others() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut fixture = Fixture::new(TcpOptions::default());
    let options = TcpOptions {
        untrusted_per_client_max: 2,
        ..TcpOptions::default()
    };
    fixture.server = TcpServer::without_listener(options, &fixture.poller, 5);
    let mut clients = Vec::new();
    for index in 0..3 {
        clients.push(TcpStream::connect(listener.local_addr().unwrap()).unwrap());
        let (stream, remote) = listener.accept().unwrap();
        // The first frame of the second connection is too long.
        let mut read = if index == 1 {
            vec![0xff; 2]
        } else {
            framed(b"check")
        };
        fixture
            .server
            .add(fixture.now, stream, remote, &mut read, |_, _| {});
    }
    let stats = fixture.server.stats();
    assert_eq!((stats.accepted, stats.broken, stats.refused), (3, 1, 0));
    clients.push(TcpStream::connect(listener.local_addr().unwrap()).unwrap());
    let (stream, remote) = listener.accept().unwrap();
    fixture
        .server
        .add(fixture.now, stream, remote, &mut [], |_, _| {});
    assert_eq!(fixture.server.stats().refused, 1);
    assert_eq!(fixture.server.len(), 2);
}
