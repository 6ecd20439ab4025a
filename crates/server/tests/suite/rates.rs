//! How often one address may do what (quality bars B26 and section 4): limits trip at their
//! numbers, say when to come back, and count whom they should.

use std::time::Duration;

use serde_json::json;
use tokio_tungstenite::tungstenite::Error;

use crate::client::Client;
use crate::engineio::{Line, request};
use crate::program::{Program, configured};

/// How long the server may take to close.
const SOON: Duration = Duration::from_secs(5);

/// The status with which a WebSocket is refused; none when it is opened.
async fn refused(program: &Program, path: &str) -> Option<u16> {
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
async fn the_connection_after_the_burst_is_told_to_come_again_and_then_may() {
    let limits = "[limits]\nloopback = true\nconnections_per_second = 1\nconnections_burst = 5";
    let program = configured("connections", limits);
    for path in [
        "/ws",
        "/",
        "/socket.io/?EIO=4&transport=websocket",
        "/ws",
        "/ws",
    ] {
        assert_eq!(refused(&program, path).await, None, "{path}");
    }
    assert_eq!(refused(&program, "/ws").await, Some(429));
    let path = "/socket.io/?EIO=4&transport=websocket";
    assert_eq!(refused(&program, path).await, Some(429));
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
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    assert_eq!(refused(&program, "/ws").await, None);
}

#[test]
fn the_request_after_the_burst_is_told_to_come_again() {
    let limits = "[limits]\nloopback = true\nrequests_per_second = 1\nrequests_burst = 20";
    let program = configured("requests", limits);
    for _ in 0..20 {
        assert_eq!(get(&program, ""), 200);
    }
    let (status, header, _) = request(program.address, "GET", "/", "", b"");
    assert_eq!(status, 429);
    assert!(header.contains("retry-after: "), "{header}");
    assert!(header.contains("x-content-type-options: nosniff"));
}

#[test]
fn this_machine_is_not_counted_unless_told_to() {
    let limits = "[limits]\nrequests_per_second = 1\nrequests_burst = 20";
    let program = configured("exempt", limits);
    assert!((0..100).all(|_| get(&program, "") == 200));
}

#[test]
fn a_trusted_proxy_says_whom_to_count_and_nobody_else_does() {
    let limits = "[limits]\nloopback = true\nrequests_per_second = 1\nrequests_burst = 10";
    let by = |number: u32| format!("X-Forwarded-For: 198.51.100.{number}\r\n");
    let program = configured(
        "proxy",
        &format!("trusted_proxies = [\"127.0.0.1\"]\n{limits}"),
    );
    for number in 0..20 {
        assert_eq!(get(&program, &by(number)), 200);
    }
    let spent = (0..15).filter(|_| get(&program, &by(1)) == 429).count();
    assert!(spent >= 4, "{spent}");
    assert_eq!(get(&program, &by(2)), 200);
    let program = configured("no_proxy", limits);
    let spent = (0..20).filter(|&number| get(&program, &by(number)) == 429);
    assert!(spent.count() >= 8);
}

#[tokio::test]
async fn the_eleventh_room_that_cannot_be_entered_is_not_answered_nor_the_next_connection() {
    let settings = "room_policy = \"invite-only\"\n[limits]\nloopback = true";
    let program = configured("joins", settings);
    let mut ana = Client::connect(&program).await;
    for guess in 0..10 {
        let request = json!({ "roomId": format!("room{guess}") });
        ana.ask("joinRoom", request, "error").await;
    }
    ana.send("joinRoom", json!({ "roomId": "room10" })).await;
    assert_eq!(ana.close_code(SOON).await, Some(1013));
    assert_eq!(refused(&program, "/ws").await, Some(429));
    let path = "/socket.io/?EIO=4&transport=websocket";
    assert_eq!(refused(&program, path).await, Some(429));
}

#[tokio::test]
async fn the_eleventh_token_that_is_none_is_not_answered_nor_the_next_connection() {
    let program = configured("tokens", "[limits]\nloopback = true");
    let mut line = Line::open(&program, "").await;
    line.next().await;
    for guess in 0..10 {
        line.send(&format!("40{{\"token\":\"forged{guess}\"}}"))
            .await;
        assert_eq!(
            line.next().await,
            "44{\"message\":\"Authentication failed\"}"
        );
        assert_eq!(line.next().await, "41");
    }
    line.send("40{\"token\":\"forged\"}").await;
    let last = line.closed(SOON).await;
    assert!(
        last.iter().all(|packet| !packet.starts_with("44")),
        "{last:?}"
    );
    assert_eq!(refused(&program, "/ws").await, Some(429));
}

#[tokio::test]
async fn the_sixth_room_of_a_minute_is_not_made_and_those_there_are_can_be_entered() {
    let program = configured("rooms", "[limits]\nloopback = true");
    let mut people = Vec::new();
    for room in 0..5 {
        people.push(Client::join(&program, &format!("room{room}")).await);
    }
    let mut ana = Client::connect(&program).await;
    ana.send("joinRoom", json!({ "roomId": "room5" })).await;
    assert_eq!(ana.close_code(SOON).await, Some(1013));
    people.push(Client::join(&program, "room0").await);
    assert_eq!(program.health()["rooms"], 5);
}
