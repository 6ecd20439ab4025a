//! Page and media on one TCP port: HTTP, TLS and ICE checks are told apart, whatever else comes is closed
//! in time, and limits hold.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio_rustls::rustls::pki_types::ServerName;

use crate::ice_checks::IceTarget;
use crate::native_client::Client;
use crate::presented_certificate::{connect, handshake};
use crate::program::{Program, start_configured};
use crate::turn_server::free_address;

/// Longest wait for an answer.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Time in which a connection that says nothing useful must be closed, with a margin for slow machines.
const CLOSED_IN: Duration = Duration::from_secs(12);

/// Returns the frame of an ICE check (RFC 4571).
fn framed(check: &[u8]) -> Vec<u8> {
    let mut frame = u16::try_from(check.len()).unwrap().to_be_bytes().to_vec();
    frame.extend(check);
    frame
}

/// Sends an ICE check on a new connection in two pieces; returns the connection once it was answered.
fn check(target: &IceTarget, number: u32) -> TcpStream {
    let mut stream = TcpStream::connect(target.address).unwrap();
    stream.set_read_timeout(Some(TIMEOUT)).unwrap();
    stream.set_nodelay(true).unwrap();
    let frame = framed(&target.check(number));
    stream.write_all(&frame[..1]).unwrap();
    stream.write_all(&frame[1..]).unwrap();
    let mut len = [0; 2];
    stream.read_exact(&mut len).unwrap();
    let mut response = vec![0; usize::from(u16::from_be_bytes(len))];
    stream.read_exact(&mut response).unwrap();
    assert!(target.is_response(&response, number));
    stream
}

/// Asserts that the server closes a connection on which these bytes are sent, without an answer.
fn expect_closed(address: SocketAddr, bytes: &[u8]) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(CLOSED_IN)).unwrap();
    stream.write_all(bytes).unwrap();
    let started = Instant::now();
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Ok(_) => {}
        // Bytes that were not read make the kernel reset the connection.
        Err(error) => assert_eq!(
            error.kind(),
            std::io::ErrorKind::ConnectionReset,
            "{bytes:x?}"
        ),
    }
    // TLS answers with an alert.
    assert!(
        bytes.first() == Some(&0x16) || answer.is_empty(),
        "{answer:x?}"
    );
    assert!(started.elapsed() < CLOSED_IN);
}

fn ports(transport: &Value, protocol: &str) -> Vec<u64> {
    let candidates = transport["iceCandidates"].as_array().unwrap().iter();
    let of_protocol = candidates.filter(|it| it["protocol"] == protocol);
    of_protocol.map(|it| it["port"].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn checks_pages_and_signalling_share_one_port() {
    // Rooms are spread over both shards, so that connections are handed to each.
    let settings = "one_port = true\nspread_above_percent = 0\nshards = 2\n";
    let program = start_configured("one-port", settings);
    let page = u64::from(program.address.port());
    let mut shards = Vec::new();
    let mut clients = Vec::new();
    for number in 0..4 {
        let mut client = Client::join(&program, &format!("room-{number}")).await;
        let transport = client.create_transport("send").await;
        assert!(!ports(&transport, "tcp").is_empty());
        assert!(ports(&transport, "tcp").iter().all(|&port| port == page));
        assert!(ports(&transport, "udp").iter().all(|&port| port != page));
        check(&IceTarget::new(&transport, "tcp"), number);
        let ufrag = transport["iceParameters"]["usernameFragment"]
            .as_str()
            .unwrap();
        shards.push(ufrag[..2].to_owned());
        clients.push(client);
    }
    shards.sort();
    shards.dedup();
    assert_eq!(shards, ["00", "01"]);
    assert_eq!(program.health()["status"], "OK");
}

#[tokio::test]
async fn checks_and_tls_share_one_port() {
    let program = Program::start(&["--one-port", "--tls-self-signed"]);
    let mut ana = Client::join(&program, "standup").await;
    let transport = ana.create_transport("send").await;
    check(&IceTarget::new(&transport, "tcp"), 1);
    let (_, protocol) = handshake(program.address, "localhost", &["http/1.1"])
        .await
        .unwrap();
    assert_eq!(protocol.as_deref(), Some(b"http/1.1".as_slice()));
}

/// Sends an Allocate request without credentials inside TLS to the page's port. Returns what was answered until the
/// connection was closed, at most as many bytes as a STUN header has.
async fn allocate_inside_tls(program: &Program, protocols: &[&str]) -> Vec<u8> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = connect(program.address, name, protocols).await.unwrap();
    // With REQUESTED-TRANSPORT: UDP.
    let allocate = [
        0, 3, 0, 8, 0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 0, 0x19, 0, 4,
        17, 0, 0, 0,
    ];
    stream.write_all(&allocate).await.unwrap();
    let mut answer = Vec::new();
    let mut header = stream.take(20);
    let closed = tokio::time::timeout(TIMEOUT, header.read_to_end(&mut answer)).await;
    // The server may close the connection without a TLS close_notify.
    let _ = closed.expect("the connection is closed or answered");
    answer
}

#[tokio::test]
async fn turn_inside_tls_shares_the_port() {
    // A page on a free port has no TURN address to tell browsers; the port of UDP and TCP gives them one.
    let turn_port = free_address().port().to_string();
    let program = Program::start_with(&["--one-port", "--tls-self-signed"], |command| {
        command.env("WATERSMEET_TURN_PORT", turn_port);
    });
    for protocols in [&[][..], &["stun.turn"]] {
        let answer = allocate_inside_tls(&program, protocols).await;
        // An error response to Allocate, which asks for credentials (RFC 8656 §7.3).
        assert!(answer.starts_with(&[1, 0x13]), "{answer:x?}");
    }
}

#[tokio::test]
async fn turn_inside_tls_is_closed_without_a_turn_server() {
    let program = Program::start(&["--tls-self-signed"]);
    assert!(allocate_inside_tls(&program, &[]).await.is_empty());
    assert_eq!(program.health()["status"], "OK");
}

#[tokio::test]
async fn silence_and_garbage_are_closed_in_time() {
    let program = Program::start(&["--one-port", "--tls-self-signed"]);
    let mut ana = Client::join(&program, "standup").await;
    let transport = ana.create_transport("send").await;
    let mut unknown = IceTarget::new(&transport, "tcp").check(1);
    // The shard in the USERNAME is one that does not exist: `00…` becomes `f0…`.
    let ufrag = transport["iceParameters"]["usernameFragment"]
        .as_str()
        .unwrap();
    let at = unknown
        .windows(ufrag.len())
        .position(|it| it == ufrag.as_bytes())
        .unwrap();
    unknown[at] = b'f';
    let address = program.address;
    let sent = [
        Vec::new(),
        vec![0],
        vec![0, 100],
        vec![0, 100, 0, 1],
        vec![0, 5, 1, 2, 3, 4, 5],
        framed(&[0; 100]),
        framed(&[0xff; 100]),
        framed(&unknown),
        vec![0x16],
        [[0x16].as_slice(), &[0xff; 100]].concat(),
    ];
    let checks = sent.map(|bytes| std::thread::spawn(move || expect_closed(address, &bytes)));
    for check in checks {
        check.join().unwrap();
    }
    check(&IceTarget::new(&transport, "tcp"), 2);
    assert_eq!(program.health()["status"], "OK");
}

#[tokio::test]
async fn undecided_connections_are_limited_and_media_does_not_count() {
    let settings = "one_port = true\n[limits]\nconnections_max = 4\n";
    let program = start_configured("one-port-limit", settings);
    let mut ana = Client::join(&program, "standup").await;
    let transport = ana.create_transport("send").await;
    let target = IceTarget::new(&transport, "tcp");
    // With Ana's WebSocket, these would exceed the limit if they counted.
    let media: Vec<_> = (0..8).map(|number| check(&target, number)).collect();
    let silent: Vec<_> = (0..3)
        .map(|_| TcpStream::connect(program.address).unwrap())
        .collect();
    let mut refused = TcpStream::connect(program.address).unwrap();
    refused
        .set_read_timeout(Some(Duration::from_secs(2)))
        .unwrap();
    assert_eq!(refused.read(&mut [0]).unwrap(), 0);
    for mut stream in silent {
        stream.shutdown(Shutdown::Write).unwrap();
        // A connection that ends makes room for another.
        assert_eq!(stream.read(&mut [0]).unwrap(), 0);
    }
    assert_eq!(program.health()["status"], "OK");
    drop(media);
}
