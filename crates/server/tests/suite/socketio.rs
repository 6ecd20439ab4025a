//! Socket.IO: polling, WebSocket, upgrade, namespaces, acknowledgements, refusals, and clients that
//! violate the protocol.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use futures_util::SinkExt;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::engineio_client::{EngineIoSocket, Polling, request};
use crate::program::Program;

/// Longest time in which an attack is disconnected (quality bar B22), with room for a busy machine.
const ATTACK_CLOSE_TIMEOUT: Duration = Duration::from_millis(100);

/// Upper bound of memory that an attack may add, in bytes (quality bar B22).
const ATTACK_MEMORY_MAX: usize = 1 << 20;

/// Longest time in which the server must close another connection.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// Longest time in which others must notice a client that sleeps (quality bar A10).
const SLEEP_MAX: Duration = Duration::from_secs(20);

/// Asserts that a packet is the error response to an unknown event.
fn assert_refused(packet: &str, ack: u64) {
    let head = format!("43{ack}[{{\"error\":");
    assert!(packet.starts_with(&head), "{packet}");
}

/// Polls until the session has ended.
fn wait_until_polling_is_refused(polling: &Polling) {
    let deadline = Instant::now() + CLOSE_TIMEOUT;
    while polling.poll().0 != 400 {
        assert!(Instant::now() < deadline, "the session is still open");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn wait_for_sessions(program: &Program, sessions: u64) {
    let deadline = Instant::now() + Duration::from_secs(15);
    while program.health()["sessions"] != sessions {
        assert!(Instant::now() < deadline, "{}", program.health());
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn session_works_by_polling() {
    let program = Program::start(&[]);
    let ana = Polling::open(&program, "");
    assert_eq!(ana.open["upgrades"], json!(["websocket"]));
    assert_eq!(ana.open["pingInterval"], 6_000);
    assert_eq!(ana.open["pingTimeout"], 12_000);
    assert_eq!(ana.open["maxPayload"], 65_536);
    ana.send(&["40"]);
    let connected = ana.packets(1);
    assert!(connected[0].starts_with("40{\"sid\":"), "{connected:?}");
    ana.send(&["420[\"dance\"]", "421[\"dance\",{}]"]);
    ana.send(&["422[\"dance\"]"]);
    let answers = ana.packets(3);
    for (ack, answer) in (0..).zip(&answers) {
        assert_refused(answer, ack);
    }
    assert_eq!(program.health()["sessions"], 1);
    ana.send(&["1"]);
    wait_for_sessions(&program, 0);
    assert_eq!(ana.poll().0, 400);
}

#[tokio::test]
async fn upgrade_to_a_websocket_loses_no_packets() {
    let program = Program::start(&[]);
    let ana = Polling::open(&program, "");
    ana.send(&["40"]);
    let events: Vec<_> = (0..15).map(|n| format!("42{n}[\"dance\"]")).collect();
    let events: Vec<_> = events.iter().map(String::as_str).collect();
    ana.send(&events);
    let mut socket = EngineIoSocket::upgrade(&program, &ana).await;
    for n in 15..40 {
        socket.send(&format!("42{n}[\"dance\"]")).await;
    }
    assert!(socket.next().await.starts_with("40{\"sid\":"));
    for n in 0..40 {
        assert_refused(&socket.next().await, n);
    }
    assert_eq!(ana.poll().0, 400, "polling is refused after the upgrade");
    assert_eq!(ana.post("4[]").0, 400);
    drop(socket);
    wait_for_sessions(&program, 0);
}

#[tokio::test]
async fn packets_beyond_one_poll_follow_in_order_across_an_upgrade() {
    let program = Program::start(&[]);
    let ana = Polling::open(&program, "");
    let event = |n: usize| format!("42{n}[\"getRtpCapabilities\"]");
    let events: Vec<_> = std::iter::once("40".to_owned())
        .chain((0..19).map(event))
        .collect();
    ana.send(&events.iter().map(String::as_str).collect::<Vec<_>>());
    let mut answers = ana.packets(3);
    // Gives the server time to queue the rest of the send window before the upgrade.
    tokio::time::sleep(Duration::from_millis(200)).await;
    let mut socket = EngineIoSocket::upgrade(&program, &ana).await;
    while answers.len() < 20 {
        answers.push(socket.next().await);
    }
    let size: usize = answers.iter().map(String::len).sum();
    assert!(size > 65_536, "{size} bytes fit into one poll");
    assert!(answers[0].starts_with("40"));
    for (n, answer) in answers[1..].iter().enumerate() {
        assert!(answer.starts_with(&format!("43{n}[{{")), "{answer:.40}");
    }
}

#[tokio::test]
async fn session_ends_when_its_only_websocket_fails() {
    let program = Program::start(&[]);
    let ana = Polling::open(&program, "");
    ana.send(&["40"]);
    ana.packets(1);
    let socket = EngineIoSocket::open(&program, &format!("&sid={}", ana.sid)).await;
    let address = program.address;
    let second = format!(
        "ws://{address}/socket.io/?EIO=4&transport=websocket&sid={}",
        ana.sid
    );
    assert!(tokio_tungstenite::connect_async(second).await.is_err());
    drop(socket);
    wait_for_sessions(&program, 0);
}

#[tokio::test]
async fn two_namespaces_share_a_connection_and_end_separately() {
    let program = Program::start(&[]);
    let mut socket = EngineIoSocket::connect(&program).await;
    socket.send("40/call,").await;
    let connected = socket.next().await;
    assert!(connected.starts_with("40/call,{\"sid\":"), "{connected}");
    assert!(
        socket
            .next()
            .await
            .starts_with("42/call,[\"connection-success\"")
    );
    wait_for_sessions(&program, 2);
    socket.send("42/call,5[\"dance\"]").await;
    assert!(socket.next().await.starts_with("43/call,5["));
    socket.send("41/call,").await;
    wait_for_sessions(&program, 1);
    socket.send("42/call,6[\"dance\"]").await;
    socket.send("427[\"dance\"]").await;
    assert_refused(&socket.next().await, 7);
    socket.send("40/call,").await;
    assert!(socket.next().await.starts_with("40/call,{\"sid\":"));
    wait_for_sessions(&program, 2);
}

#[tokio::test]
async fn unknown_namespace_and_invalid_token_are_refused() {
    let program = Program::start(&[]);
    let mut socket = EngineIoSocket::open(&program, "").await;
    socket.next().await;
    socket.send("40/x,").await;
    assert_eq!(
        socket.next().await,
        "44/x,{\"message\":\"Invalid namespace\"}"
    );
    socket.send("40{\"token\":\"forged\"}").await;
    assert_eq!(
        socket.next().await,
        "44{\"message\":\"Authentication failed\"}"
    );
    assert_eq!(socket.next().await, "41");
    socket.send("40").await;
    assert!(
        socket.next().await.starts_with("40{\"sid\":"),
        "the connection stays open"
    );
    let mut socket = EngineIoSocket::open(&program, "&token=forged").await;
    socket.next().await;
    socket.send("40").await;
    assert_eq!(
        socket.next().await,
        "44{\"message\":\"Authentication failed\"}"
    );
}

#[tokio::test]
async fn connection_without_a_namespace_is_closed_after_ten_seconds() {
    let program = Program::start(&[]);
    let polling = Polling::open(&program, "");
    let mut socket = EngineIoSocket::open(&program, "").await;
    let start = Instant::now();
    let packets = socket.wait_until_closed(Duration::from_secs(13)).await;
    assert!(start.elapsed() > Duration::from_secs(9), "{packets:?}");
    wait_until_polling_is_refused(&polling);
}

#[tokio::test]
async fn malformed_packets_close_the_connection_at_once_without_memory_growth() {
    let program = Program::start(&[]);
    let mut watcher = EngineIoSocket::connect(&program).await;
    // Memory that the first connections allocate is not caused by an attack.
    for _ in 0..3 {
        let mut socket = EngineIoSocket::connect(&program).await;
        socket.send("7").await;
        socket.wait_until_closed(CLOSE_TIMEOUT).await;
    }
    wait_for_sessions(&program, 1);
    let before = program.memory();
    for attack in [
        "45999999999-[\"x\",{\"_placeholder\":true,\"num\":0}]",
        "451-[\"x\",{\"_placeholder\":true,\"num\":0}]",
        "461-[]",
        "40",
        "44{\"message\":\"x\"}",
        "47",
        "4",
        "42{}",
        "42/call",
        "9",
        "bAAAA",
        "",
    ] {
        let mut socket = EngineIoSocket::connect(&program).await;
        let start = Instant::now();
        socket.send(attack).await;
        for _ in 0..100 {
            // The server may have closed it already.
            let _ = socket.socket.send(Message::binary(vec![0; 1_000])).await;
        }
        socket.wait_until_closed(CLOSE_TIMEOUT).await;
        assert!(
            start.elapsed() < ATTACK_CLOSE_TIMEOUT,
            "{attack}: {:?}",
            start.elapsed()
        );
    }
    let grown = program.memory().saturating_sub(before);
    assert!(grown <= ATTACK_MEMORY_MAX, "{grown} bytes");
    watcher.send("420[\"dance\"]").await;
    assert_refused(&watcher.next().await, 0);
    wait_for_sessions(&program, 1);
}

#[tokio::test]
async fn binary_frame_closes_the_connection_at_once() {
    let program = Program::start(&[]);
    let mut socket = EngineIoSocket::connect(&program).await;
    let start = Instant::now();
    socket
        .socket
        .send(Message::binary(vec![0; 10]))
        .await
        .unwrap();
    socket.wait_until_closed(CLOSE_TIMEOUT).await;
    assert!(
        start.elapsed() < ATTACK_CLOSE_TIMEOUT,
        "{:?}",
        start.elapsed()
    );
}

#[tokio::test]
async fn message_over_64_kib_closes_the_connection() {
    let program = Program::start(&[]);
    let mut socket = EngineIoSocket::connect(&program).await;
    let event = |len: usize| format!("420[\"dance\",\"{}\"]", "x".repeat(len));
    socket.send(&event(60_000)).await;
    assert_refused(&socket.next().await, 0);
    let before = program.memory();
    socket.send(&event(1 << 20)).await;
    socket.wait_until_closed(CLOSE_TIMEOUT).await;
    assert!(program.memory() < before + 2 * ATTACK_MEMORY_MAX);
}

#[test]
fn payload_of_ten_thousand_packets_ends_the_session() {
    let program = Program::start(&[]);
    let ana = Polling::open(&program, "");
    ana.send(&["40"]);
    ana.packets(1);
    let before = program.memory();
    let start = Instant::now();
    let (status, _) = ana.post(&vec!["42[]"; 10_000].join("\u{1e}"));
    assert_eq!(status, 400);
    assert!(
        start.elapsed() < ATTACK_CLOSE_TIMEOUT,
        "{:?}",
        start.elapsed()
    );
    wait_for_sessions(&program, 0);
    assert!(program.memory() <= before + ATTACK_MEMORY_MAX);
    let ben = Polling::open(&program, "");
    ben.send(&["40"]);
    assert_eq!(ben.post(&vec!["42[]"; 151].join("\u{1e}")).0, 400);
}

#[test]
fn burst_in_one_payload_is_accepted() {
    let program = Program::start(&[]);
    let ana = Polling::open(&program, "");
    let mut packets = vec!["40".to_owned()];
    packets.extend((0..149).map(|n| format!("42{n}[\"dance\"]")));
    let packets: Vec<_> = packets.iter().map(String::as_str).collect();
    ana.send(&packets);
    let answers = ana.packets(150);
    for (ack, answer) in (0..).zip(&answers[1..]) {
        assert_refused(answer, ack);
    }
}

#[test]
fn binary_or_malformed_payload_ends_the_session() {
    let program = Program::start(&[]);
    for attack in [
        "bAAAA",
        "45999999999-[\"x\"]",
        "x",
        "40\u{1e}",
        "\u{1e}",
        "5",
        "0",
    ] {
        let ana = Polling::open(&program, "");
        ana.send(&["40"]);
        ana.packets(1);
        let _ = ana.post(attack);
        wait_for_sessions(&program, 0);
        assert_eq!(ana.poll().0, 400, "{attack}");
    }
}

#[test]
fn other_versions_and_unknown_sessions_are_refused() {
    let program = Program::start(&[]);
    let sid = "AAAAAAAAAAAAAAAA";
    for (method, query, code) in [
        ("GET", "EIO=3&transport=polling".to_owned(), 5),
        ("GET", "transport=polling".to_owned(), 5),
        ("GET", "EIO=4&EIO=3&transport=polling".to_owned(), 3),
        ("GET", "EIO=4".to_owned(), 0),
        ("GET", "EIO=4&transport=carrier-pigeon".to_owned(), 0),
        ("POST", "EIO=4&transport=polling".to_owned(), 2),
        ("PUT", "EIO=4&transport=polling".to_owned(), 2),
        ("GET", format!("EIO=4&transport=polling&sid={sid}"), 1),
        ("POST", format!("EIO=4&transport=polling&sid={sid}"), 1),
        ("GET", format!("EIO=4&transport=websocket&sid={sid}"), 1),
        ("GET", "EIO=4&transport=polling&sid=".to_owned(), 1),
        ("GET", "EIO=4&transport=polling&sid=../../etc".to_owned(), 1),
    ] {
        let path = format!("/socket.io/?{query}");
        let upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
            Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
        let header = if query.contains("websocket") {
            upgrade
        } else {
            ""
        };
        let (status, _, body) = request(program.address, method, &path, header, b"");
        assert_eq!(status, 400, "{method} {query}");
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(body["code"], code, "{method} {query}");
    }
    let (status, ..) = request(
        program.address,
        "GET",
        "/socket.io/?EIO=4&transport=websocket",
        "",
        b"",
    );
    assert_eq!(status, 426);
}

#[test]
fn payload_over_64_kib_is_refused_before_reading() {
    let program = Program::start(&[]);
    let ana = Polling::open(&program, "");
    ana.send(&["40"]);
    ana.packets(1);
    assert_eq!(ana.post(&"x".repeat(70_000)).0, 413);
    let path = format!("/socket.io/?EIO=4&transport=polling&sid={}", ana.sid);
    let mut stream = TcpStream::connect(program.address).unwrap();
    write!(
        stream,
        "POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n"
    )
    .unwrap();
    stream.set_read_timeout(Some(CLOSE_TIMEOUT)).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 413"));
}

#[test]
fn slow_payload_times_out() {
    let program = Program::start(&[]);
    let ana = Polling::open(&program, "");
    let path = format!("/socket.io/?EIO=4&transport=polling&sid={}", ana.sid);
    let mut stream = TcpStream::connect(program.address).unwrap();
    let start = Instant::now();
    write!(
        stream,
        "POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"
    )
    .unwrap();
    stream.set_nonblocking(true).unwrap();
    let mut answer = [0; 1_000];
    loop {
        assert!(start.elapsed() < Duration::from_secs(12), "still connected");
        let _ = stream.write(b"4");
        match stream.read(&mut answer) {
            Ok(0) => break,
            Ok(len) => assert!(answer[..len].starts_with(b"HTTP/1.1 408")),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(_) => break,
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    assert!(start.elapsed() > Duration::from_secs(5));
}

#[tokio::test]
async fn deeply_nested_json_and_duplicate_keys_are_refused() {
    let program = Program::start(&[]);
    let mut socket = EngineIoSocket::connect(&program).await;
    let deep = format!(
        "420[\"dance\",{}{}]",
        "[".repeat(20_000),
        "]".repeat(20_000)
    );
    let many: Vec<_> = (0..3_000).map(|n| format!("\"k{n}\":0")).collect();
    for event in [
        deep,
        format!("420[\"dance\",{}]", "[".repeat(60_000)),
        "420[\"dance\",{\"a\":1,\"a\":2}]".to_owned(),
        "420[\"dance\",NaN]".to_owned(),
        "420[\"dance\",1e999]".to_owned(),
        "420[\"dance\",\"\\ud800\"]".to_owned(),
        format!("420[\"dance\",{{{}}}]", many.join(",")),
        "420[\"dance\"".to_owned(),
        "420[]".to_owned(),
        "420[1]".to_owned(),
    ] {
        socket.send(&event).await;
        assert_refused(&socket.next().await, 0);
    }
    let mut socket = EngineIoSocket::open(&program, "").await;
    socket.next().await;
    socket.send("40{\"token\":\"a\",\"token\":\"b\"}").await;
    socket.wait_until_closed(CLOSE_TIMEOUT).await;
    assert_eq!(program.health()["status"], "OK");
}

#[tokio::test]
async fn client_that_sleeps_is_gone_within_twenty_seconds() {
    let program = Program::start(&[]);
    let mut awake = EngineIoSocket::connect(&program).await;
    let awake = tokio::spawn(async move { awake.answer_pings().await });
    let asleep = EngineIoSocket::connect(&program).await;
    let asleep_since = Instant::now();
    while program.health()["sessions"] != 1 {
        assert!(asleep_since.elapsed() < SLEEP_MAX, "{}", program.health());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(!awake.is_finished());
    drop(asleep);
}

#[tokio::test]
async fn flood_over_a_websocket_is_throttled_and_disconnected() {
    let program = Program::start(&[]);
    let before = program.memory();
    let mut socket = EngineIoSocket::connect(&program).await;
    let mut ben = EngineIoSocket::connect(&program).await;
    let start = Instant::now();
    let flood = tokio::spawn(async move {
        let event = format!("42[\"dance\",\"{}\"]", "x".repeat(1_000));
        while socket
            .socket
            .send(Message::text(event.as_str()))
            .await
            .is_ok()
        {}
        start.elapsed()
    });
    let mut slowest = Duration::ZERO;
    while !flood.is_finished() {
        let asked = Instant::now();
        ben.send("420[\"dance\"]").await;
        assert_refused(&ben.next().await, 0);
        slowest = slowest.max(asked.elapsed());
        assert!(start.elapsed() < Duration::from_secs(40), "still flooding");
        assert!(program.memory() < before + 16 * ATTACK_MEMORY_MAX);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(flood.await.unwrap() > Duration::from_secs(5));
    assert!(slowest < Duration::from_millis(500), "{slowest:?}");
    wait_for_sessions(&program, 1);
}

#[tokio::test]
async fn client_that_never_reads_is_disconnected() {
    let program = Program::start(&[]);
    let mut silent_client = EngineIoSocket::connect(&program).await;
    let deadline = Instant::now() + Duration::from_secs(60);
    // Long responses fill the buffers of the kernel.
    while program.health()["sessions"] != 0 {
        assert!(Instant::now() < deadline, "the client is still connected");
        for _ in 0..30 {
            let event = "420[\"getRtpCapabilities\"]";
            if silent_client
                .socket
                .send(Message::text(event))
                .await
                .is_err()
            {
                break;
            }
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

#[tokio::test]
async fn shutdown_ends_connections_such_that_clients_reconnect() {
    let mut program = Program::start(&[]);
    let polling = Polling::open(&program, "");
    polling.send(&["40"]);
    polling.packets(1);
    let silent = Polling::open(&program, "");
    let mut socket = EngineIoSocket::connect(&program).await;
    let start = Instant::now();
    program.terminate();
    let last = socket.wait_until_closed(CLOSE_TIMEOUT).await;
    assert!(
        !last.iter().any(|packet| packet.starts_with("41")),
        "{last:?}"
    );
    assert!(program.wait().success());
    assert!(
        start.elapsed() < Duration::from_millis(2_500),
        "{:?}",
        start.elapsed()
    );
    drop(silent);
}
