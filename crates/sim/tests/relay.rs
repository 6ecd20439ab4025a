//! The relay for real clients, run as a program between sockets of the loopback interface.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests fail the test"
)]

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, UdpSocket};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// A datagram that no rule treats specially, and one that is STUN by its first byte.
const MEDIA: &[u8] = &[0x80, 96, 0, 1];
const STUN: &[u8] = &[0, 1, 0, 0];

/// How long a datagram may take that is not delayed on purpose.
const ARRIVAL_MAX: Duration = Duration::from_secs(10);

/// A running relay with one client and one server.
struct Fixture {
    child: Child,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
    client: UdpSocket,
    server: UdpSocket,
}

impl Fixture {
    fn start() -> Self {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        server.set_read_timeout(Some(ARRIVAL_MAX)).unwrap();
        let address = server.local_addr().unwrap().to_string();
        let mut child = Command::new(env!("CARGO_BIN_EXE_watersmeet-relay"))
            .args(["127.0.0.1:0", &address])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let commands = child.stdin.take().unwrap();
        let mut answers = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        answers.read_line(&mut line).unwrap();
        let relay = line.split_whitespace().nth(1).unwrap().to_owned();
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        client.set_read_timeout(Some(ARRIVAL_MAX)).unwrap();
        client.connect(relay).unwrap();
        Self {
            child,
            commands,
            answers,
            client,
            server,
        }
    }

    fn command(&mut self, line: &str) -> String {
        writeln!(self.commands, "{line}").unwrap();
        let mut answer = String::new();
        self.answers.read_line(&mut answer).unwrap();
        answer.trim().to_owned()
    }

    /// Sends a datagram to the server and returns where it came from.
    fn send_up(&self, bytes: &[u8]) -> SocketAddr {
        self.client.send(bytes).unwrap();
        self.receive_up(bytes)
    }

    /// Waits for a datagram at the server and returns where it came from.
    fn receive_up(&self, expected: &[u8]) -> SocketAddr {
        let mut buffer = [0; 2_048];
        let (len, from) = self.server.recv_from(&mut buffer).unwrap();
        assert_eq!(&buffer[..len], expected);
        from
    }

    fn receive_down(&self, expected: &[u8]) {
        let mut buffer = [0; 2_048];
        let len = self.client.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..len], expected);
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

#[test]
fn datagrams_are_forwarded_both_ways_and_counted() {
    let mut relay = Fixture::start();
    let from = relay.send_up(MEDIA);
    relay.server.send_to(b"answer", from).unwrap();
    relay.receive_down(b"answer");
    let stats: serde_json::Value = serde_json::from_str(&relay.command("stats")).unwrap();
    assert_eq!(stats["up"]["packets"], 1);
    assert_eq!(stats["down"]["bytes"], 6);
    assert_eq!(stats["clients"], 1);
}

#[test]
fn a_rebinding_changes_the_port_and_answers_to_the_old_one_are_lost() {
    let mut relay = Fixture::start();
    let before = relay.send_up(MEDIA);
    assert_eq!(relay.command("rebind"), "ok");
    let after = relay.send_up(MEDIA);
    assert_ne!(before, after);
    relay.server.send_to(b"old", before).unwrap();
    relay.server.send_to(b"new", after).unwrap();
    relay.receive_down(b"new");
}

#[test]
fn the_time_until_a_new_port_is_used_is_reported() {
    let mut relay = Fixture::start();
    relay.send_up(MEDIA);
    assert_eq!(relay.command("rebind"), "ok");
    let reported = |relay: &mut Fixture| {
        let stats: serde_json::Value = serde_json::from_str(&relay.command("stats")).unwrap();
        stats["firstSentMs"].clone()
    };
    assert_eq!(reported(&mut relay), serde_json::json!([]));
    relay.send_up(MEDIA);
    let first = reported(&mut relay);
    assert!(first[0].is_u64(), "{first}");
    relay.send_up(MEDIA);
    assert_eq!(reported(&mut relay), first);
}

#[test]
fn a_cut_of_media_lets_stun_pass() {
    let mut relay = Fixture::start();
    assert_eq!(relay.command("cut media up"), "ok");
    relay.client.send(MEDIA).unwrap();
    relay.send_up(STUN);
    assert_eq!(relay.command("restore"), "ok");
    relay.send_up(MEDIA);
    let stats: serde_json::Value = serde_json::from_str(&relay.command("stats")).unwrap();
    assert_eq!(stats["up"]["cutDrops"], 1);
}

#[test]
fn a_cut_of_everything_drops_stun_too() {
    let mut relay = Fixture::start();
    assert_eq!(relay.command("cut all"), "ok");
    relay.client.send(STUN).unwrap();
    // The counter proves that the relay has received and dropped it.
    while !relay.command("stats").contains("\"cutDrops\":1") {}
    assert_eq!(relay.command("restore"), "ok");
    relay.send_up(MEDIA);
}

#[test]
fn datagrams_are_delayed_and_a_full_queue_drops() {
    let mut relay = Fixture::start();
    assert_eq!(relay.command("up delay=100"), "ok");
    let sent = Instant::now();
    relay.send_up(MEDIA);
    assert!(sent.elapsed() >= Duration::from_millis(100));
    // 10 kbit/s carry one such datagram in about a second; the queue holds no second one.
    assert_eq!(relay.command("up rate=10000 queue=0"), "ok");
    for _ in 0..3 {
        relay.client.send(&[0x80; 1_200]).unwrap();
    }
    relay.receive_up(&[0x80; 1_200]);
    let stats: serde_json::Value = serde_json::from_str(&relay.command("stats")).unwrap();
    assert_eq!(stats["up"]["queueDrops"], 2);
    assert!(relay.command("up speed=1").starts_with("error: "));
}
