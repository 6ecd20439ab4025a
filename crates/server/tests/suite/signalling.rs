//! Frames of the native dialect, as its clients see them.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::native_client::Client;
use crate::program::Program;

async fn router_capabilities(client: &mut Client) -> Value {
    let (request, reply) = ("getRouterRtpCapabilities", "routerRtpCapabilities");
    let answer = client.request(request, json!({}), reply).await;
    answer["rtpCapabilities"].clone()
}

#[tokio::test]
async fn two_participants_exchange_media_and_one_leaves() {
    let program = Program::start(&[]);
    let mut ana = Client::connect(&program).await;
    assert!(ana.peer.starts_with("peer_"));
    let capabilities = router_capabilities(&mut ana).await;
    assert!(capabilities["codecs"].as_array().unwrap().len() > 2);

    let joined = ana
        .request("joinRoom", json!({ "roomId": "standup" }), "roomJoined")
        .await;
    assert_eq!(joined["peers"], json!([]));
    assert_eq!(joined["existingProducers"], json!([]));
    let producer = ana.produce_audio().await;

    let mut ben = Client::connect(&program).await;
    let joined = ben
        .request("joinRoom", json!({ "roomId": "standup" }), "roomJoined")
        .await;
    assert_eq!(joined["peers"], json!([ana.peer]));
    let existing = &joined["existingProducers"][0];
    assert_eq!(existing["peerId"], ana.peer);
    assert_eq!(existing["producers"][0]["producerId"], producer);
    assert_eq!(ana.expect("newPeer").await["peerId"], ben.peer);

    ben.create_transport("recv").await;
    let request = json!({ "producerId": producer, "rtpCapabilities": capabilities });
    let consumed = ben.request("consume", request, "consumed").await;
    assert_eq!(consumed["producerId"], producer);
    assert_eq!(consumed["producerPeerId"], ana.peer);
    assert_eq!(consumed["kind"], "audio");
    assert_eq!(
        consumed["rtpParameters"]["encodings"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    let consumer = json!({ "consumerId": consumed["consumerId"] });
    assert_eq!(
        ben.request("resumeConsumer", consumer.clone(), "consumerResumed")
            .await,
        consumer
    );

    let theirs = ben.produce_audio().await;
    let announced = ana.expect("newProducer").await;
    assert_eq!(
        announced,
        json!({ "peerId": ben.peer, "producerId": theirs, "kind": "audio" })
    );
    wait_for_participants(&program, 2).await;

    let ben_was = ben.peer.clone();
    drop(ben);
    assert_eq!(ana.expect("peerLeft").await["peerId"], ben_was);
    wait_for_participants(&program, 1).await;
}

/// Waits until the program reports this number of participants; its figures may be a moment old.
async fn wait_for_participants(program: &Program, count: u64) {
    let deadline = Instant::now() + Duration::from_secs(5);
    while program.health()["participants"] != count {
        assert!(Instant::now() < deadline, "{}", program.health());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn transport_has_udp_and_tcp_candidates() {
    let program = Program::start(&["--announced-ip", "192.0.2.1"]);
    let mut ana = Client::join(&program, "standup").await;
    let transport = ana.create_transport("send").await;
    assert_eq!(transport["direction"], "send");
    assert_eq!(transport["iceParameters"]["iceLite"], true);
    assert_eq!(transport["dtlsParameters"]["role"], "auto");
    assert!(
        !transport["dtlsParameters"]["fingerprints"]
            .as_array()
            .unwrap()
            .is_empty()
    );
    let candidates = transport["iceCandidates"].as_array().unwrap();
    assert_eq!(protocols(candidates), ["udp", "tcp"]);
    for candidate in candidates {
        assert_eq!(
            (&candidate["ip"], &candidate["address"]),
            (&json!("192.0.2.1"), &candidate["ip"])
        );
        assert_ne!(candidate["port"], 0);
    }
}

#[tokio::test]
async fn transport_has_only_tcp_candidates_when_udp_is_disabled() {
    let program = Program::start(&["--no-udp"]);
    let mut ana = Client::join(&program, "standup").await;
    let transport = ana.create_transport("send").await;
    assert_eq!(
        protocols(transport["iceCandidates"].as_array().unwrap()),
        ["tcp"]
    );
}

#[tokio::test]
async fn rooms_offer_only_the_configured_codecs() {
    let with_red = ["audio/opus", "video/VP9", "video/rtx", "audio/red"];
    let flags = ["--video-codec", "vp9", "--no-redundant-audio"];
    for (flags, expected) in [(&flags[..2], &with_red[..]), (&flags[..], &with_red[..3])] {
        let program = Program::start(flags);
        let mut ana = Client::connect(&program).await;
        assert_eq!(ana.connected["options"]["forceVideoCodec"], "video/VP9");
        let capabilities = router_capabilities(&mut ana).await;
        let codecs = capabilities["codecs"].as_array().unwrap();
        let names = codecs.iter().map(|it| it["mimeType"].as_str().unwrap());
        assert_eq!(names.collect::<Vec<_>>(), expected);
    }
}

#[tokio::test]
async fn error_messages_match_the_documentation() {
    let program = Program::start(&[]);
    let mut ana = Client::join(&program, "standup").await;
    let id = "00000000-0000-4000-8000-000000000000";
    let unknown = json!({ "transportId": id, "dtlsParameters": {
        "role": "client",
        "fingerprints": [{ "algorithm": "sha-256", "value": vec!["AB"; 32].join(":") }],
    }});
    let error = ana.request("connectTransport", unknown, "error").await;
    assert_eq!(error["message"], "Transport not found");
    let error = ana
        .request("resumeConsumer", json!({ "consumerId": id }), "error")
        .await;
    assert_eq!(error["message"], "Consumer not found");
}

fn protocols(candidates: &[Value]) -> Vec<&str> {
    candidates
        .iter()
        .map(|it| it["protocol"].as_str().unwrap())
        .collect()
}
