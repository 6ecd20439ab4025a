//! A shard whose worker fails: its people are told and can go on, the other shard's notice nothing.

use serde_json::json;

use crate::client::Client;
use crate::program::Program;

#[tokio::test]
async fn a_failed_worker_costs_its_own_room_its_transports_and_nobody_else_anything() {
    let program = Program::start(&["--shards", "2"]);
    let mut ana = Client::join(&program, "one").await;
    let mut ben = Client::join(&program, "two").await;
    let one = shard_of(&ana.transport("send").await);
    let two = shard_of(&ben.transport("send").await);
    assert_ne!(one, two, "rooms are spread over the shards");

    // Ports are free ones, so the shard of a room is found by trying.
    assert_eq!(post(&program, "/faults/panic/9"), 404);
    assert_eq!(post(&program, "/faults/panic/0"), 202);
    let (mut hit, mut spared) = tokio::select! {
        _ = ana.expect("workerLost") => (ana, ben),
        _ = ben.expect("workerLost") => (ben, ana),
    };
    spared
        .ask(
            "getRouterRtpCapabilities",
            json!({}),
            "routerRtpCapabilities",
        )
        .await;
    spared.produce_audio().await;
    hit.produce_audio().await;
    assert_eq!(program.health()["status"], "ok");
}

fn shard_of(transport: &serde_json::Value) -> u64 {
    transport["iceCandidates"][0]["port"].as_u64().unwrap()
}

fn post(program: &Program, path: &str) -> u16 {
    use std::io::{Read, Write};
    let mut stream = std::net::TcpStream::connect(program.address).unwrap();
    let host = program.address;
    write!(
        stream,
        "POST {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    crate::program::split(&answer).0
}
