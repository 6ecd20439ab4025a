//! A worker that panics: its participants are told and can continue, those of the other shard are not
//! affected.

use std::io::{Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::ice_checks::IceTarget;
use crate::metrics::{scrape, sum};
use crate::native_client::Client;
use crate::program::{Program, split_response};

/// Longest time in which a connection must be closed.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);

/// Upper bound of additional silence of the other shard.
const GAP_MAX: Duration = Duration::from_millis(50);

#[tokio::test]
async fn panic_of_a_worker_affects_only_the_rooms_on_its_shard() {
    let program = Program::start(&["--shards", "2"]);
    let mut ana = Client::join(&program, "one").await;
    let mut ben = Client::join(&program, "two").await;
    let one = IceTarget::new(&ana.create_transport("send").await, "udp");
    let two = IceTarget::new(&ben.create_transport("send").await, "udp");
    assert_ne!(one.address, two.address, "rooms are spread over the shards");

    let (one, two) = (Pinger::start(one), Pinger::start(two));
    thread::sleep(Duration::from_millis(500));
    let usual = one.longest_gap().max(two.longest_gap());
    assert_eq!(post(&program, "/faults/panic/9"), 404);
    assert_eq!(post(&program, "/faults/panic/0"), 202);
    // A client without request ids receives the notice of the first protocol.
    let (ana_hit, notice) = tokio::select! {
        notice = ana.expect("error") => (true, notice),
        notice = ben.expect("error") => (false, notice),
    };
    assert_eq!(notice["code"], "worker-lost");
    thread::sleep(Duration::from_millis(500));
    let (mut hit, mut spared) = if ana_hit { (ana, ben) } else { (ben, ana) };
    let (hit_pinger, spared_pinger) = if ana_hit { (one, two) } else { (two, one) };
    let gap = spared_pinger.longest_gap();
    assert!(gap <= usual + GAP_MAX, "{gap:?}, usually {usual:?}");
    assert!(
        hit_pinger.longest_gap() > GAP_MAX,
        "the transports of the lost worker are gone"
    );

    spared
        .request(
            "getRouterRtpCapabilities",
            json!({}),
            "routerRtpCapabilities",
        )
        .await;
    spared.produce_audio().await;
    hit.produce_audio().await;
    assert_eq!(program.health()["status"], "OK");
}

#[tokio::test]
async fn panic_in_a_request_closes_its_session_and_the_other_room_continues() {
    let program = Program::start(&["--shards", "1"]);
    let mut hit = Client::join(&program, "hit").await;
    let mut other = Client::join(&program, "hit").await;
    let mut spared = Client::join(&program, "spared").await;
    assert_eq!(post(&program, "/faults/panic/rooms/hit/nowhere"), 404);
    for stage in ["dialect", "request"] {
        let path = format!("/faults/panic/rooms/hit/{stage}");
        assert_eq!(post(&program, &path), 202);
        hit.send("chat", json!({ "text": "hello" })).await;
        assert_eq!(hit.close_code(CLOSE_TIMEOUT).await, Some(1011), "{stage}");
        other.expect("peerLeft").await;
        hit = Client::join(&program, "hit").await;
        other.expect("newPeer").await;
    }
    assert_eq!(panics(&program), 2.0);
    spared.produce_audio().await;
    other.produce_audio().await;
    hit.expect("newProducer").await;
    assert_eq!(program.health()["status"], "OK");
}

#[tokio::test]
async fn panic_that_leaves_a_room_inconsistent_closes_all_of_its_sessions_and_no_other() {
    let program = Program::start(&["--shards", "1"]);
    let mut spared = Client::join(&program, "spared").await;
    let transport = Pinger::start(IceTarget::new(
        &spared.create_transport("send").await,
        "udp",
    ));
    for stage in ["halfway", "cleanup"] {
        let mut hit = Client::join(&program, "hit").await;
        let mut other = Client::join(&program, "hit").await;
        hit.produce_audio().await;
        let path = format!("/faults/panic/rooms/hit/{stage}");
        assert_eq!(post(&program, &path), 202);
        hit.send("chat", json!({ "text": "hello" })).await;
        assert!(hit.close_code(CLOSE_TIMEOUT).await.is_some(), "{stage}");
        assert_eq!(other.close_code(CLOSE_TIMEOUT).await, Some(1012), "{stage}");
    }
    assert_eq!(panics(&program), 2.0);
    let gap = transport.longest_gap();
    assert!(gap < Duration::from_secs(1), "{gap:?}");
    spared.produce_audio().await;
    Client::join(&program, "hit").await.produce_audio().await;
}

/// Returns the number of panics counted while inputs were handled.
fn panics(program: &Program) -> f64 {
    sum(&scrape(program), "watersmeet_session_panics_total", &[])
}

/// Sends a check every 5 ms and records the time since the last response.
struct Pinger {
    stop: Arc<AtomicBool>,
    gaps: std::sync::mpsc::Receiver<Duration>,
}

impl Pinger {
    fn start(target: IceTarget) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let (sender, gaps) = std::sync::mpsc::channel();
        thread::spawn(move || {
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            socket
                .set_read_timeout(Some(Duration::from_millis(5)))
                .unwrap();
            let mut heard_at = Instant::now();
            let mut number = 0;
            while !stopped.load(Ordering::Relaxed) {
                number += 1;
                socket
                    .send_to(&target.check(number), target.address)
                    .unwrap();
                let mut packet = [0; 1_500];
                let received = socket.recv(&mut packet);
                let _ = sender.send(heard_at.elapsed());
                if received.is_ok_and(|len| target.is_response(&packet[..len], number)) {
                    heard_at = Instant::now();
                    thread::sleep(Duration::from_millis(5));
                }
            }
        });
        Self { stop, gaps }
    }

    /// Returns the longest silence since the last call.
    fn longest_gap(&self) -> Duration {
        self.gaps.try_iter().max().unwrap_or_default()
    }
}

impl Drop for Pinger {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

fn post(program: &Program, path: &str) -> u16 {
    let mut stream = TcpStream::connect(program.address).unwrap();
    let host = program.address;
    write!(
        stream,
        "POST {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    split_response(&answer).0
}
