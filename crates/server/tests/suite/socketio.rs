//! Socket.IO on the wire: by polling, by WebSocket and from the one to the other, with namespaces,
//! acknowledgements and refusals, and what becomes of those who break its rules.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use futures_util::SinkExt;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::engineio::{Line, Polling, request};
use crate::program::Program;

/// How fast a bomb is shown out (quality bar B22), with room for a busy machine.
const AT_ONCE: Duration = Duration::from_millis(100);

/// How much memory a bomb may cost (quality bar B22).
const BOMB_MEMORY_MAX: usize = 1 << 20;

/// How long the server may take to close a connection that is not dangerous.
const SOON: Duration = Duration::from_secs(5);

/// The answer to an event nobody knows.
fn refused(packet: &str, ack: u64) {
    let head = format!("43{ack}[{{\"error\":");
    assert!(packet.starts_with(&head), "{packet}");
}

fn sessions_become(program: &Program, sessions: u64) {
    let deadline = Instant::now() + Duration::from_secs(15);
    while program.health()["sessions"] != sessions {
        assert!(Instant::now() < deadline, "{}", program.health());
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_session_is_opened_and_spoken_by_polling() {
    let program = Program::start(&[]);
    let ana = Polling::open(&program, "");
    assert_eq!(ana.open["upgrades"], json!(["websocket"]));
    assert_eq!(ana.open["pingInterval"], 25_000);
    assert_eq!(ana.open["pingTimeout"], 20_000);
    assert_eq!(ana.open["maxPayload"], 65_536);
    ana.send(&["40"]);
    let connected = ana.packets(1);
    assert!(connected[0].starts_with("40{\"sid\":"), "{connected:?}");
    ana.send(&["420[\"dance\"]", "421[\"dance\",{}]"]);
    ana.send(&["422[\"dance\"]"]);
    let answers = ana.packets(3);
    for (ack, answer) in (0..).zip(&answers) {
        refused(answer, ack);
    }
    assert_eq!(program.health()["sessions"], 1);
    ana.send(&["1"]);
    sessions_become(&program, 0);
    assert_eq!(ana.poll().0, 400);
}

#[tokio::test]
async fn a_polled_session_moves_to_a_websocket_and_loses_nothing() {
    let program = Program::start(&[]);
    let ana = Polling::open(&program, "");
    ana.send(&["40"]);
    let events: Vec<_> = (0..15).map(|n| format!("42{n}[\"dance\"]")).collect();
    let events: Vec<_> = events.iter().map(String::as_str).collect();
    ana.send(&events);
    let mut line = Line::upgrade(&program, &ana).await;
    for n in 15..40 {
        line.send(&format!("42{n}[\"dance\"]")).await;
    }
    assert!(line.next().await.starts_with("40{\"sid\":"));
    for n in 0..40 {
        refused(&line.next().await, n);
    }
    assert_eq!(ana.poll().0, 400, "it is polled no more");
    assert_eq!(ana.post("4[]").0, 400);
    drop(line);
    sessions_become(&program, 0);
}

#[tokio::test]
async fn what_does_not_fit_into_one_poll_follows_in_order_whatever_carries_it() {
    let program = Program::start(&[]);
    let ana = Polling::open(&program, "");
    let event = |n: usize| format!("42{n}[\"getRtpCapabilities\"]");
    let events: Vec<_> = std::iter::once("40".to_owned())
        .chain((0..19).map(event))
        .collect();
    ana.send(&events.iter().map(String::as_str).collect::<Vec<_>>());
    let mut answers = ana.packets(3);
    // Time for the rest of what fits to gather.
    tokio::time::sleep(Duration::from_millis(200)).await;
    let mut line = Line::upgrade(&program, &ana).await;
    while answers.len() < 20 {
        answers.push(line.next().await);
    }
    let size: usize = answers.iter().map(String::len).sum();
    assert!(size > 65_536, "{size} bytes would have fitted");
    assert!(answers[0].starts_with("40"));
    for (n, answer) in answers[1..].iter().enumerate() {
        assert!(answer.starts_with(&format!("43{n}[{{")), "{answer:.40}");
    }
}

#[tokio::test]
async fn one_websocket_may_try_and_if_it_fails_the_session_ends() {
    let program = Program::start(&[]);
    let ana = Polling::open(&program, "");
    ana.send(&["40"]);
    ana.packets(1);
    let line = Line::open(&program, &format!("&sid={}", ana.sid)).await;
    let address = program.address;
    let second = format!(
        "ws://{address}/socket.io/?EIO=4&transport=websocket&sid={}",
        ana.sid
    );
    assert!(tokio_tungstenite::connect_async(second).await.is_err());
    drop(line);
    sessions_become(&program, 0);
}

#[tokio::test]
async fn two_namespaces_share_a_connection_and_end_apart() {
    let program = Program::start(&[]);
    let mut line = Line::connect(&program).await;
    line.send("40/call,").await;
    let connected = line.next().await;
    assert!(connected.starts_with("40/call,{\"sid\":"), "{connected}");
    assert!(
        line.next()
            .await
            .starts_with("42/call,[\"connection-success\"")
    );
    sessions_become(&program, 2);
    line.send("42/call,5[\"dance\"]").await;
    assert!(line.next().await.starts_with("43/call,5["));
    line.send("41/call,").await;
    sessions_become(&program, 1);
    line.send("42/call,6[\"dance\"]").await;
    line.send("427[\"dance\"]").await;
    refused(&line.next().await, 7);
    line.send("40/call,").await;
    assert!(line.next().await.starts_with("40/call,{\"sid\":"));
    sessions_become(&program, 2);
}

#[tokio::test]
async fn an_unknown_namespace_and_a_wrong_token_are_told_so() {
    let program = Program::start(&[]);
    let mut line = Line::open(&program, "").await;
    line.next().await;
    line.send("40/x,").await;
    assert_eq!(
        line.next().await,
        "44/x,{\"message\":\"Invalid namespace\"}"
    );
    line.send("40{\"token\":\"forged\"}").await;
    assert_eq!(
        line.next().await,
        "44{\"message\":\"Authentication failed\"}"
    );
    assert_eq!(line.next().await, "41");
    line.send("40").await;
    assert!(
        line.next().await.starts_with("40{\"sid\":"),
        "the connection lives"
    );
    let mut line = Line::open(&program, "&token=forged").await;
    line.next().await;
    line.send("40").await;
    assert_eq!(
        line.next().await,
        "44{\"message\":\"Authentication failed\"}"
    );
}

#[tokio::test]
async fn who_asks_for_no_namespace_is_shown_out_after_ten_seconds() {
    let program = Program::start(&[]);
    let polling = Polling::open(&program, "");
    let mut line = Line::open(&program, "").await;
    let start = Instant::now();
    let packets = line.closed(Duration::from_secs(13)).await;
    assert!(start.elapsed() > Duration::from_secs(9), "{packets:?}");
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(polling.poll().0, 400);
}

#[tokio::test]
async fn bombs_are_shown_out_at_once_and_cost_nothing() {
    let program = Program::start(&[]);
    let mut watcher = Line::connect(&program).await;
    // What the first of a kind costs is the program's, not the bomb's.
    for _ in 0..3 {
        let mut line = Line::connect(&program).await;
        line.send("7").await;
        line.closed(SOON).await;
    }
    sessions_become(&program, 1);
    let before = program.memory();
    for bomb in [
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
        let mut line = Line::connect(&program).await;
        let start = Instant::now();
        line.send(bomb).await;
        for _ in 0..100 {
            // It may be closed already.
            let _ = line.socket.send(Message::binary(vec![0; 1_000])).await;
        }
        line.closed(SOON).await;
        assert!(start.elapsed() < AT_ONCE, "{bomb}: {:?}", start.elapsed());
    }
    let grown = program.memory().saturating_sub(before);
    assert!(grown <= BOMB_MEMORY_MAX, "{grown} bytes");
    watcher.send("420[\"dance\"]").await;
    refused(&watcher.next().await, 0);
    sessions_become(&program, 1);
}

#[tokio::test]
async fn a_binary_frame_closes_at_once() {
    let program = Program::start(&[]);
    let mut line = Line::connect(&program).await;
    let start = Instant::now();
    line.socket
        .send(Message::binary(vec![0; 10]))
        .await
        .unwrap();
    line.closed(SOON).await;
    assert!(start.elapsed() < AT_ONCE, "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_message_over_64_kib_closes_and_one_below_is_answered() {
    let program = Program::start(&[]);
    let mut line = Line::connect(&program).await;
    let event = |len: usize| format!("420[\"dance\",\"{}\"]", "x".repeat(len));
    line.send(&event(60_000)).await;
    refused(&line.next().await, 0);
    let before = program.memory();
    line.send(&event(1 << 20)).await;
    line.closed(SOON).await;
    assert!(program.memory() < before + 2 * BOMB_MEMORY_MAX);
}

#[test]
fn a_poll_of_ten_thousand_packets_is_refused_and_ends_the_session() {
    let program = Program::start(&[]);
    let ana = Polling::open(&program, "");
    ana.send(&["40"]);
    ana.packets(1);
    let before = program.memory();
    let start = Instant::now();
    let (status, _) = ana.post(&vec!["42[]"; 10_000].join("\u{1e}"));
    assert_eq!(status, 400);
    assert!(start.elapsed() < AT_ONCE, "{:?}", start.elapsed());
    sessions_become(&program, 0);
    assert!(program.memory() <= before + BOMB_MEMORY_MAX);
    let ben = Polling::open(&program, "");
    ben.send(&["40"]);
    assert_eq!(ben.post(&vec!["42[]"; 151].join("\u{1e}")).0, 400);
}

#[test]
fn a_burst_in_one_payload_is_taken() {
    let program = Program::start(&[]);
    let ana = Polling::open(&program, "");
    let mut packets = vec!["40".to_owned()];
    packets.extend((0..149).map(|n| format!("42{n}[\"dance\"]")));
    let packets: Vec<_> = packets.iter().map(String::as_str).collect();
    ana.send(&packets);
    let answers = ana.packets(150);
    for (ack, answer) in (0..).zip(&answers[1..]) {
        refused(answer, ack);
    }
}

#[test]
fn a_payload_with_anything_binary_or_broken_ends_the_session() {
    let program = Program::start(&[]);
    for bomb in [
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
        let _ = ana.post(bomb);
        sessions_become(&program, 0);
        assert_eq!(ana.poll().0, 400, "{bomb}");
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
fn a_payload_over_64_kib_is_refused_before_it_is_read() {
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
    stream.set_read_timeout(Some(SOON)).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 413"));
}

#[test]
fn a_payload_that_drips_is_not_waited_for() {
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
        assert!(
            start.elapsed() < Duration::from_secs(12),
            "it is still there"
        );
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
async fn depth_bombs_and_keys_that_stand_twice_are_refused_and_the_program_lives() {
    let program = Program::start(&[]);
    let mut line = Line::connect(&program).await;
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
        line.send(&event).await;
        refused(&line.next().await, 0);
    }
    let mut line = Line::open(&program, "").await;
    line.next().await;
    line.send("40{\"token\":\"a\",\"token\":\"b\"}").await;
    line.closed(SOON).await;
    assert_eq!(program.health()["status"], "OK");
}

#[tokio::test]
async fn a_flood_over_a_websocket_is_slowed_and_shown_out() {
    let program = Program::start(&[]);
    let before = program.memory();
    let mut line = Line::connect(&program).await;
    let mut ben = Line::connect(&program).await;
    let start = Instant::now();
    let flood = tokio::spawn(async move {
        let event = format!("42[\"dance\",\"{}\"]", "x".repeat(1_000));
        while line
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
        refused(&ben.next().await, 0);
        slowest = slowest.max(asked.elapsed());
        assert!(start.elapsed() < Duration::from_secs(40), "still flooding");
        assert!(program.memory() < before + 16 * BOMB_MEMORY_MAX);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(flood.await.unwrap() > Duration::from_secs(5));
    assert!(slowest < Duration::from_millis(500), "{slowest:?}");
    sessions_become(&program, 1);
}

#[tokio::test]
async fn a_client_that_never_reads_is_given_up() {
    let program = Program::start(&[]);
    let mut deaf = Line::connect(&program).await;
    let deadline = Instant::now() + Duration::from_secs(60);
    // Long answers: they quote what was asked, and fill the kernel's buffers.
    while program.health()["sessions"] != 0 {
        assert!(Instant::now() < deadline, "the deaf client is still there");
        for _ in 0..30 {
            let event = "420[\"getRtpCapabilities\"]";
            if deaf.socket.send(Message::text(event)).await.is_err() {
                break;
            }
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

#[tokio::test]
async fn when_the_program_ends_its_clients_are_let_go_to_come_again() {
    let mut program = Program::start(&[]);
    let polling = Polling::open(&program, "");
    polling.send(&["40"]);
    polling.packets(1);
    let silent = Polling::open(&program, "");
    let mut line = Line::connect(&program).await;
    let start = Instant::now();
    program.terminate();
    let last = line.closed(SOON).await;
    assert!(
        !last.iter().any(|packet| packet.starts_with("41")),
        "{last:?}"
    );
    assert!(program.ended().success());
    assert!(
        start.elapsed() < Duration::from_millis(2_500),
        "{:?}",
        start.elapsed()
    );
    drop(silent);
}
