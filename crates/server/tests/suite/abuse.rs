//! Clients that misbehave: they receive errors or are disconnected, memory does not grow, and other
//! rooms are not affected.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use futures_util::SinkExt;
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use crate::native_client::Client;
use crate::program::{Program, split_response};

/// Upper bound of memory that a test may add, in bytes.
const MEMORY_MAX: usize = 64 << 20;

/// Longest time in which the server must close a connection.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

#[tokio::test]
async fn malformed_frames_are_answered_with_an_error() {
    let program = Program::start(&[]);
    let mut ana = Client::connect(&program).await;
    for nonsense in [
        "",
        "{",
        "[]",
        "null",
        "{\"type\":1}",
        "{\"type\":\"dance\",\"payload\":{}}",
    ] {
        ana.socket.send(Message::text(nonsense)).await.unwrap();
        assert!(
            ana.expect("error").await["message"].is_string(),
            "{nonsense}"
        );
    }
    let deep = "[".repeat(60_000);
    ana.socket.send(Message::text(deep)).await.unwrap();
    ana.expect("error").await;
    ana.request("joinRoom", json!({ "roomId": "standup" }), "roomJoined")
        .await;
}

#[tokio::test]
async fn binary_frame_closes_with_1003() {
    let program = Program::start(&[]);
    let mut ana = Client::connect(&program).await;
    ana.socket.send(Message::binary(vec![0; 10])).await.unwrap();
    assert_eq!(ana.close_code(CLOSE_TIMEOUT).await, Some(1003));
}

#[tokio::test]
async fn frame_of_a_mebibyte_closes_with_1009() {
    let program = Program::start(&[]);
    let before = program.memory();
    for _ in 0..20 {
        let mut ana = Client::connect(&program).await;
        ana.socket
            .send(Message::text("x".repeat(1 << 20)))
            .await
            .unwrap();
        assert_eq!(ana.close_code(CLOSE_TIMEOUT).await, Some(1009));
    }
    assert!(program.memory() < before + MEMORY_MAX);
}

#[tokio::test]
async fn flood_is_throttled_and_disconnected_without_affecting_other_rooms() {
    let program = Program::start(&[]);
    let mut ben = Client::join(&program, "quiet").await;
    let mut ana = Client::join(&program, "loud").await;
    let before = program.memory();
    let flood = tokio::spawn(async move {
        let start = Instant::now();
        let mut sent = 0_u32;
        loop {
            // 10,000 a second, in tenths of a second.
            for _ in 0..1_000 {
                let frame = json!({ "type": "getRouterRtpCapabilities", "payload": {} });
                if ana
                    .socket
                    .feed(Message::text(frame.to_string()))
                    .await
                    .is_err()
                {
                    return (ana, sent, start.elapsed());
                }
                sent += 1;
            }
            let flushed = tokio::time::timeout(Duration::from_secs(40), ana.socket.flush()).await;
            if !matches!(flushed, Ok(Ok(()))) {
                return (ana, sent, start.elapsed());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    let mut slowest = Duration::ZERO;
    while !flood.is_finished() {
        let asked = Instant::now();
        ben.request(
            "getRouterRtpCapabilities",
            json!({}),
            "routerRtpCapabilities",
        )
        .await;
        slowest = slowest.max(asked.elapsed());
        assert!(program.memory() < before + MEMORY_MAX);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let (_, sent, lasted) = flood.await.unwrap();
    assert!(sent > 1_000, "{sent} frames");
    assert!(lasted < Duration::from_secs(40), "{lasted:?}");
    assert!(slowest < Duration::from_millis(500), "{slowest:?}");
    wait_for_sessions(&program, 1);
}

#[tokio::test]
async fn client_that_never_reads_is_disconnected() {
    let program = Program::start(&[]);
    let before = program.memory();
    let mut silent = Client::join(&program, "deaf").await;
    let mut ben = Client::join(&program, "quiet").await;
    let deadline = Instant::now() + Duration::from_secs(60);
    while program.health()["sessions"] != 1 {
        assert!(Instant::now() < deadline, "the client is still connected");
        for _ in 0..30 {
            let frame = json!({ "type": "getRouterRtpCapabilities", "payload": {} });
            if silent
                .socket
                .send(Message::text(frame.to_string()))
                .await
                .is_err()
            {
                break;
            }
        }
        ben.request(
            "getRouterRtpCapabilities",
            json!({}),
            "routerRtpCapabilities",
        )
        .await;
        assert!(program.memory() < before + MEMORY_MAX);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

#[test]
fn incomplete_header_times_out() {
    let program = Program::start(&[]);
    let mut stream = TcpStream::connect(program.address).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n").unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    let mut answer = Vec::new();
    stream
        .read_to_end(&mut answer)
        .expect("the server closes the connection");
}

#[test]
fn header_of_a_mebibyte_is_refused() {
    let program = Program::start(&[]);
    let mut stream = TcpStream::connect(program.address).unwrap();
    // The server may close the connection during the write.
    let _ = stream.write_all(b"GET / HTTP/1.1\r\nX: ");
    let _ = stream.write_all(&vec![b'x'; 1 << 20]);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let (status, ..) = split_response(&answer);
    assert!(matches!(status, 0 | 431), "{status}");
    assert_eq!(program.health()["status"], "OK");
}

#[test]
fn page_of_another_origin_cannot_connect() {
    let program = Program::start(&[]);
    let upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    for path in ["/", "/ws"] {
        let header = format!("{upgrade}Origin: http://evil.example\r\n");
        assert_eq!(program.get(path, &header).0, 403);
    }
}

/// Sends the beginning of a request, and returns how long the program takes to end after SIGTERM.
fn time_to_end_with(program: &mut Program, beginnings: &[&[u8]]) -> Duration {
    let streams = beginnings.iter().map(|beginning| {
        let mut stream = TcpStream::connect(program.address).unwrap();
        stream.write_all(beginning).unwrap();
        stream
    });
    let streams: Vec<_> = streams.collect();
    // Connections are accepted in order, so this one is after all others.
    program.health();
    let told = Instant::now();
    program.terminate();
    assert!(program.wait().success());
    drop(streams);
    told.elapsed()
}

#[test]
fn incomplete_requests_do_not_delay_the_end() {
    let half_body = b"POST /api/rooms HTTP/1.1\r\nHost: localhost\r\n\
        Content-Type: application/json\r\nContent-Length: 50\r\n\r\n{";
    let mut program = Program::start(&[]);
    let took = time_to_end_with(
        &mut program,
        &[b"", b"GET", b"GET / HTTP/1.1\r\nHost: loc", half_body],
    );
    assert!(took < Duration::from_millis(1_500), "{took:?}");
    let mut program = Program::start(&["--tls-self-signed"]);
    // Nothing, the beginning of a handshake, and plain HTTP.
    let took = time_to_end_with(&mut program, &[b"", b"\x16\x03\x01\x02", b"GET / HT"]);
    assert!(took < Duration::from_millis(1_500), "{took:?}");
}

#[test]
fn bearer_token_that_is_too_long_is_refused() {
    let program = Program::start(&[]);
    let token = |len| format!("Authorization: Bearer {}\r\n", "a".repeat(len));
    let upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    for len in [4_097, 5 << 10, 12 << 10] {
        let header = token(len);
        assert_eq!(program.get("/api/rooms/none", &header).0, 400, "{len}");
        let polling = "/socket.io/?EIO=4&transport=polling";
        assert_eq!(program.get(polling, &header).0, 400, "{len}");
        let header = format!("{upgrade}{header}");
        assert_eq!(program.get("/ws", &header).0, 400, "{len}");
    }
    for header in ["Authorization: Bearer\r\n", "Authorization: Bearer \r\n"] {
        assert_eq!(program.get("/api/rooms/none", header).0, 400, "{header}");
        let header = format!("{upgrade}{header}");
        assert_eq!(program.get("/ws", &header).0, 400, "{header}");
    }
    let basic = "Authorization: Basic YW5hOng=\r\n";
    assert_eq!(program.get("/api/rooms/none", basic).0, 401);
    let two = format!("{}{}", token(10), token(10));
    assert_eq!(program.get("/api/rooms/none", &two).0, 400);
    assert_eq!(program.get("/api/rooms/none", &token(10)).0, 401);
}

#[tokio::test]
async fn close_frame_of_a_client_is_answered() {
    use futures_util::StreamExt;
    use tokio_tungstenite::tungstenite::client::IntoClientRequest;
    use tokio_tungstenite::tungstenite::protocol::CloseFrame;

    let program = Program::start(&[]);
    for protocol in [None, Some("protoo")] {
        for code in [1000, 1001, 4000] {
            let url = format!("ws://{}/?roomId=a&peerId=b", program.address);
            let mut request = url.into_client_request().unwrap();
            if let Some(protocol) = protocol {
                let name = "Sec-WebSocket-Protocol";
                request
                    .headers_mut()
                    .insert(name, protocol.parse().unwrap());
            }
            let (mut socket, _) = tokio_tungstenite::connect_async(request).await.unwrap();
            let close = CloseFrame {
                code: code.into(),
                reason: "bye".into(),
            };
            socket.close(Some(close)).await.unwrap();
            let answer = tokio::time::timeout(CLOSE_TIMEOUT, async {
                loop {
                    match socket.next().await {
                        Some(Ok(Message::Close(frame))) => return frame,
                        Some(Ok(_)) => {}
                        other => panic!("{protocol:?} {code}: {other:?}"),
                    }
                }
            });
            let answer = answer.await.unwrap().map(|frame| u16::from(frame.code));
            assert_eq!(answer, Some(code), "{protocol:?}");
        }
    }
}

fn wait_for_sessions(program: &Program, sessions: u64) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while program.health()["sessions"] != sessions {
        assert!(Instant::now() < deadline, "{}", program.health());
        std::thread::sleep(Duration::from_millis(50));
    }
}
