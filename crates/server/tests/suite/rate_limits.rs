//! Rate limits for each client network (quality bars B26 and section 4): their values, retry times,
//! and which clients they count.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::engineio_client::{EngineIoSocket, request};
use crate::native_client::Client;
use crate::program::{Program, start_configured};

/// Longest time in which the server must close a connection.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// Opens a WebSocket; returns the status when it is refused.
async fn refusal_status(program: &Program, path: &str) -> Option<u16> {
    let url = format!("ws://{}{path}", program.address);
    match tokio_tungstenite::connect_async(url).await {
        Ok(_) => None,
        Err(Error::Http(response)) => {
            if response.status() == 429 {
                let after = response.headers()["retry-after"].to_str().unwrap();
                assert!(after.parse::<u64>().unwrap() >= 1);
            }
            Some(response.status().as_u16())
        }
        Err(error) => panic!("{error}"),
    }
}

fn get(program: &Program, header: &str) -> u16 {
    request(program.address, "GET", "/health", header, b"").0
}

#[tokio::test]
async fn connection_after_the_burst_is_refused_until_the_retry_time() {
    let limits = "[limits]\nloopback = true\nconnections_per_second = 1\nconnections_burst = 5";
    let program = start_configured("connections", limits);
    for path in [
        "/ws",
        "/",
        "/socket.io/?EIO=4&transport=websocket",
        "/ws",
        "/ws",
    ] {
        assert_eq!(refusal_status(&program, path).await, None, "{path}");
    }
    assert_eq!(refusal_status(&program, "/ws").await, Some(429));
    let path = "/socket.io/?EIO=4&transport=websocket";
    assert_eq!(refusal_status(&program, path).await, Some(429));
    let (status, header, _) = request(
        program.address,
        "GET",
        "/socket.io/?EIO=4&transport=polling",
        "",
        b"",
    );
    assert_eq!(status, 429);
    assert!(header.contains("retry-after: "), "{header}");
    assert_eq!(get(&program, ""), 200, "requests are counted apart");
    let deadline = Instant::now() + CLOSE_TIMEOUT;
    while refusal_status(&program, "/ws").await.is_some() {
        assert!(Instant::now() < deadline, "still refused");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[test]
fn request_after_the_burst_is_refused_with_a_retry_time() {
    let limits = "[limits]\nloopback = true\nrequests_per_second = 1\nrequests_burst = 20";
    let program = start_configured("requests", limits);
    for _ in 0..20 {
        assert_eq!(get(&program, ""), 200);
    }
    let (status, header, _) = request(program.address, "GET", "/", "", b"");
    assert_eq!(status, 429);
    assert!(header.contains("retry-after: "), "{header}");
    assert!(header.contains("x-content-type-options: nosniff"));
}

#[test]
fn loopback_is_not_limited_by_default() {
    let limits = "[limits]\nrequests_per_second = 1\nrequests_burst = 20";
    let program = start_configured("exempt", limits);
    assert!((0..100).all(|_| get(&program, "") == 200));
}

#[test]
fn forwarded_client_is_limited_only_behind_a_trusted_proxy() {
    let limits = "[limits]\nloopback = true\nrequests_per_second = 1\nrequests_burst = 10";
    let by = |number: u32| format!("X-Forwarded-For: 198.51.100.{number}\r\n");
    let program = start_configured(
        "proxy",
        &format!("trusted_proxies = [\"127.0.0.1\"]\n{limits}"),
    );
    for number in 0..20 {
        assert_eq!(get(&program, &by(number)), 200);
    }
    let spent = (0..15).filter(|_| get(&program, &by(1)) == 429).count();
    assert!(spent >= 4, "{spent}");
    assert_eq!(get(&program, &by(2)), 200);
    let program = start_configured("no_proxy", limits);
    let spent = (0..20).filter(|&number| get(&program, &by(number)) == 429);
    assert!(spent.count() >= 8);
}

#[test]
fn forwarded_client_is_read_in_every_spelling() {
    let limits = "[limits]\nloopback = true\nrequests_per_second = 1\nrequests_burst = 10";
    let program = start_configured(
        "spellings",
        &format!("trusted_proxies = [\"127.0.0.1\"]\n{limits}"),
    );
    type Spelling = fn(u32) -> String;
    let spellings: [Spelling; 6] = [
        |number| format!("X-Forwarded-For: 198.51.100.{number}:4711\r\n"),
        |number| format!("X-Forwarded-For: \"[2001:db8:0:{number}::1]:4711\"\r\n"),
        |number| format!("X-Forwarded-For: [2001:db8:1:{number}::1]\r\n"),
        |number| format!("Forwarded: for=203.0.113.{number};proto=https\r\n"),
        |number| format!("Forwarded: for=x, For=\"[2001:db8:2:{number}::1]:80\"\r\n"),
        |number| format!("X-Forwarded-For: spoofed\r\nX-Forwarded-For: 192.0.2.{number}\r\n"),
    ];
    for spelling in spellings {
        for number in 0..20 {
            let header = spelling(number);
            assert_eq!(get(&program, &header), 200, "{header}");
        }
        let header = spelling(1);
        assert!((0..15).any(|_| get(&program, &header) == 429), "{header}");
    }
}

#[test]
fn clients_behind_a_proxy_on_this_machine_that_are_not_named_are_limited() {
    let settings = "trusted_proxies = [\"127.0.0.1\"]\n\
        [limits]\nrequests_per_second = 1\nrequests_burst = 10";
    let program = start_configured("unnamed", settings);
    assert!(
        (0..20).all(|_| get(&program, "") == 200),
        "programs of this machine"
    );
    let header = "X-Forwarded-For: unknown\r\n";
    assert!((0..20).any(|_| get(&program, header) == 429));
    for header in [
        "X-Forwarded-For: \r\n",
        "X-Forwarded-For: 127.0.0.1\r\n",
        "X-Forwarded-Proto: https\r\n",
    ] {
        assert!((0..3).any(|_| get(&program, header) == 429), "{header}");
    }
    assert_eq!(get(&program, "X-Forwarded-For: 198.51.100.7\r\n"), 200);
}

#[test]
fn proxy_on_this_machine_that_is_not_trusted_is_limited_and_named_in_the_log() {
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("untrusted-proxy.toml");
    let limits = "[limits]\nrequests_per_second = 1\nrequests_burst = 10\n";
    std::fs::write(&path, limits).unwrap();
    let arguments = ["--config", path.to_str().unwrap()];
    let mut program = Program::start_with(&arguments, |command| {
        command.stderr(Stdio::piped());
    });
    let header = "X-Forwarded-For: 198.51.100.7\r\n";
    let limited = (0..20).filter(|_| get(&program, header) == 429).count();
    assert!(limited >= 8, "{limited}");
    assert!((0..20).all(|_| get(&program, "") == 200), "programs");
    let lines = BufReader::new(program.take_stderr()).lines();
    program.terminate();
    let warned = lines.map_while(Result::ok);
    let warned = warned.filter(|line| line.contains("`trusted_proxies`"));
    assert_eq!(warned.count(), 1);
}

#[tokio::test]
async fn connections_through_a_proxy_count_for_each_client() {
    let settings = "trusted_proxies = [\"127.0.0.1\"]\n[limits]\nconnections_per_network_max = 3";
    let program = start_configured("many", settings);
    let connect = async |number: u32| {
        let url = format!("ws://{}/ws", program.address);
        let mut request = url.into_client_request().unwrap();
        let client = format!("198.51.100.{number}").parse().unwrap();
        request.headers_mut().insert("X-Forwarded-For", client);
        tokio_tungstenite::connect_async(request).await
    };
    let mut open = Vec::new();
    for number in 0..10 {
        for _ in 0..3 {
            open.push(connect(number).await.unwrap());
        }
    }
    let Err(Error::Http(response)) = connect(1).await else {
        panic!("a fourth connection was accepted")
    };
    assert_eq!(response.status(), 503);
    drop(open);
}

#[tokio::test]
async fn connections_are_refused_after_ten_failed_joins() {
    let settings = "room_policy = \"invite-only\"\n[limits]\nloopback = true";
    let program = start_configured("joins", settings);
    let mut ana = Client::connect(&program).await;
    for guess in 0..10 {
        let request = json!({ "roomId": format!("room{guess}") });
        ana.request("joinRoom", request, "error").await;
    }
    ana.send("joinRoom", json!({ "roomId": "room10" })).await;
    assert_eq!(ana.close_code(CLOSE_TIMEOUT).await, Some(1013));
    assert_eq!(refusal_status(&program, "/ws").await, Some(429));
    let path = "/socket.io/?EIO=4&transport=websocket";
    assert_eq!(refusal_status(&program, path).await, Some(429));
}

#[tokio::test]
async fn connections_are_refused_after_ten_invalid_tokens() {
    let program = start_configured("tokens", "[limits]\nloopback = true");
    let mut socket = EngineIoSocket::open(&program, "").await;
    socket.next().await;
    for guess in 0..10 {
        socket
            .send(&format!("40{{\"token\":\"forged{guess}\"}}"))
            .await;
        assert_eq!(
            socket.next().await,
            "44{\"message\":\"Authentication failed\"}"
        );
        assert_eq!(socket.next().await, "41");
    }
    socket.send("40{\"token\":\"forged\"}").await;
    let last = socket.wait_until_closed(CLOSE_TIMEOUT).await;
    assert!(
        last.iter().all(|packet| !packet.starts_with("44")),
        "{last:?}"
    );
    assert_eq!(refusal_status(&program, "/ws").await, Some(429));
}

#[tokio::test]
async fn room_creation_is_refused_after_five_and_existing_rooms_can_be_joined() {
    let program = start_configured("rooms", "[limits]\nloopback = true");
    let mut people = Vec::new();
    for room in 0..5 {
        people.push(Client::join(&program, &format!("room{room}")).await);
    }
    let mut ana = Client::connect(&program).await;
    ana.send("joinRoom", json!({ "roomId": "room5" })).await;
    assert_eq!(ana.close_code(CLOSE_TIMEOUT).await, Some(1013));
    people.push(Client::join(&program, "room0").await);
    assert_eq!(program.health()["rooms"], 5);
}
