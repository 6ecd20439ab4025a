//! A client that sends no ids gets exactly the frames of the protocol's first description: two
//! people meet, frame by frame. And a client that does gets everything else.

use serde_json::{Value, json};
use watersmeet_conference::ConferenceConfig;
use watersmeet_conference::dialect::native::{ClientOptions, Config};
use watersmeet_conference::turn::{IceServer, IceServers};

use super::world::*;

/// A frame without an id.
fn frame(kind: &str, payload: Value) -> Value {
    json!({"type": kind, "payload": payload})
}

#[test]
fn two_people_meet_in_exactly_the_documented_frames() {
    let mut world = World::new();
    let ana = world.open_silently();
    let greeting = world.next(ana);
    let ana_id = greeting["payload"]["peerId"].clone();
    assert_eq!(greeting, frame("connected", json!({"peerId": ana_id})));
    let digits = ana_id.as_str().unwrap().strip_prefix("peer_").unwrap();
    assert!(digits.len() == 32 && digits.chars().all(|it| it.is_ascii_hexdigit()));

    // This client's capabilities request has no payload at all.
    world.send_text(ana, r#"{"type":"getRouterRtpCapabilities"}"#);
    let expected = frame(
        "routerRtpCapabilities",
        json!({"rtpCapabilities": capabilities()}),
    );
    assert_eq!(world.all(ana), [expected]);

    world.send(ana, "joinRoom", json!({"roomId": "room1"}));
    let empty = json!({"roomId": "room1", "peers": [], "existingProducers": []});
    assert_eq!(world.all(ana), [frame("roomJoined", empty)]);

    world.send(ana, "createTransport", json!({"direction": "send"}));
    let created = world.next(ana);
    let send = created["payload"]["transportId"]
        .as_str()
        .unwrap()
        .to_owned();
    let expected = json!({
        "transportId": send,
        "iceParameters": ice_parameters(),
        "iceCandidates": [candidate()],
        "dtlsParameters": dtls_parameters("auto"),
        "direction": "send",
    });
    assert_eq!(created, frame("transportCreated", expected));

    let connect = json!({"transportId": send, "dtlsParameters": dtls_parameters("client")});
    world.send(ana, "connectTransport", connect);
    assert_eq!(
        world.all(ana),
        [frame("transportConnected", json!({"transportId": send}))]
    );

    world.send(ana, "produce", produce(&send, "video"));
    let produced = world.next(ana);
    let video = produced["payload"]["producerId"].clone();
    assert_eq!(
        produced,
        frame("produced", json!({"producerId": video, "kind": "video"}))
    );

    // Ben comes, whose page knows everything, names included.
    let (ben, ben_id) = world.open();
    let join = json!({"roomId": "room1", "displayName": "Ben"});
    let joined = world.get(ben, "joinRoom", join, "roomJoined");
    assert_eq!(joined["peers"], json!([ana_id]));
    assert_eq!(
        world.all(ana),
        [frame("newPeer", json!({"peerId": ben_id}))]
    );

    let ben_send = world.transport(ben, "send");
    let mut screen = produce(&ben_send, "video");
    screen["source"] = json!("screen");
    screen["paused"] = json!(true);
    let produced = world.get(ben, "produce", screen, "produced");
    let shown = produced["producerId"].clone();
    let expected = json!({"peerId": ben_id, "producerId": shown, "kind": "video"});
    assert_eq!(world.all(ana), [frame("newProducer", expected)]);

    // Pausing is news to this client's kind: it hears nothing of it.
    world.get(
        ben,
        "resumeProducer",
        json!({"producerId": shown}),
        "producerResumed",
    );
    assert_eq!(world.all(ana), Vec::<Value>::new());

    // Its `consume` may come before it has a receive transport.
    world.send(ana, "consume", consume(shown.as_str().unwrap()));
    assert_eq!(world.all(ana), Vec::<Value>::new());
    world.send(ana, "createTransport", json!({"direction": "recv"}));
    assert_eq!(world.next(ana)["payload"]["direction"], "recv");
    let consumed = world.next(ana);
    let consumer = consumed["payload"]["consumerId"].clone();
    let expected = json!({
        "consumerId": consumer,
        "producerId": shown,
        "producerPeerId": ben_id,
        "kind": "video",
        "rtpParameters": rtp_parameters(),
    });
    assert_eq!(consumed, frame("consumed", expected));

    world.send(ana, "resumeConsumer", json!({"consumerId": consumer}));
    assert_eq!(
        world.all(ana),
        [frame("consumerResumed", json!({"consumerId": consumer}))]
    );

    world.get(
        ben,
        "closeProducer",
        json!({"producerId": shown}),
        "closedProducer",
    );
    let expected = json!({"peerId": ben_id, "producerId": shown});
    assert_eq!(world.all(ana), [frame("producerClosed", expected)]);

    world.close(ben);
    assert_eq!(
        world.all(ana),
        [frame("peerLeft", json!({"peerId": ben_id}))]
    );
    world.close(ana);
    world.assert_empty();
}

#[test]
fn a_late_plain_client_finds_only_who_sends_something() {
    let mut world = World::new();
    let (ana, ana_id) = world.joined("room");
    let (_ben, ben_id) = world.joined("room");
    let send = world.transport(ana, "send");
    let video = world.produce(ana, &send, "video");
    let audio = world.produce(ana, &send, "audio");

    let (cara, _) = world.open();
    world.send(cara, "joinRoom", json!({"roomId": "room"}));
    let expected = json!({
        "roomId": "room",
        "peers": [ana_id, ben_id],
        "existingProducers": [{"peerId": ana_id, "producers": [
            {"producerId": video, "kind": "video"},
            {"producerId": audio, "kind": "audio"},
        ]}],
    });
    assert_eq!(world.all(cara), [frame("roomJoined", expected)]);
}

#[test]
fn errors_without_an_id_carry_a_message() {
    let mut world = World::new();
    let (ana, _) = world.open();
    world.send(ana, "joinRoom", json!({"roomId": "room"}));
    world.all(ana);
    let nothing = "00000000-0000-4000-8000-000000000000";
    let connect = json!({"transportId": nothing, "dtlsParameters": dtls_parameters("client")});
    let texts = [
        ("connectTransport", connect, "Transport not found"),
        ("produce", produce(nothing, "video"), "Transport not found"),
        ("consume", consume(nothing), "Producer not found"),
        (
            "resumeConsumer",
            json!({"consumerId": nothing}),
            "Consumer not found",
        ),
        (
            "resumeConsumer",
            json!({"consumerId": "not an id"}),
            "Consumer not found",
        ),
    ];
    for (kind, payload, text) in texts {
        world.send(ana, kind, payload);
        let error = world.next(ana);
        assert_eq!(error["type"], "error");
        assert_eq!(error["payload"]["message"], text, "{kind}");
        assert_eq!(error.get("id"), None);
    }
}

#[test]
fn the_greeting_tells_what_is_configured() {
    let native = Config {
        client: Some(ClientOptions {
            force_video_codec: Some("video/VP9".to_owned()),
        }),
    };
    let mut ice_servers = IceServers::default();
    ice_servers.fixed.push(IceServer {
        urls: vec!["turn:localhost".to_owned()],
        username: Some("u".to_owned()),
        credential: Some("c".to_owned()),
    });
    let mut world = World::with(ConferenceConfig {
        native,
        ice_servers,
        ..config()
    });
    let ana = world.open_silently();
    let greeting = world.next(ana);
    let servers = json!([{"urls": ["turn:localhost"], "username": "u", "credential": "c"}]);
    assert_eq!(greeting["payload"]["iceServers"], servers);
    assert_eq!(
        greeting["payload"]["options"],
        json!({"forceVideoCodec": "video/VP9"})
    );
}

#[test]
fn an_id_is_echoed_as_it_came_on_replies_and_errors() {
    let mut world = World::new();
    let (ana, _) = world.open();
    for id in [json!(7), json!("seven"), json!(7.5), json!(-1)] {
        for kind in ["getRouterRtpCapabilities", "leaveRoom", "nonsense"] {
            world.send_text(ana, &json!({"type": kind, "id": id}).to_string());
            assert_eq!(world.next(ana)["id"], id);
        }
    }
}

#[test]
fn a_client_with_ids_is_told_names_sources_and_pauses() {
    let mut world = World::new();
    let (ana, ana_id) = world.open();
    let join = json!({"roomId": "room", "displayName": "Ana"});
    world.get(ana, "joinRoom", join, "roomJoined");
    let send = world.transport(ana, "send");
    let mut mic = produce(&send, "audio");
    mic["source"] = json!("mic");
    mic["paused"] = json!(true);
    mic["appData"] = json!({"anything": [1, {"deep": null}]});
    let mic = world.get(ana, "produce", mic, "produced")["producerId"].take();

    let (ben, ben_id) = world.open();
    let join = json!({"roomId": "room", "displayName": "Ben"});
    let joined = world.get(ben, "joinRoom", join, "roomJoined");
    let expected = json!({
        "roomId": "room",
        "peers": [ana_id],
        "existingProducers": [{"peerId": ana_id, "displayName": "Ana", "producers": [
            {"producerId": mic, "kind": "audio", "source": "mic", "paused": true},
        ]}],
        "participants": [
            {"peerId": ana_id, "displayName": "Ana", "audio": false, "video": false, "role": "host"},
        ],
        "role": "speaker",
    });
    assert_eq!(joined, expected);
    let expected = json!({"peerId": ben_id, "displayName": "Ben"});
    assert_eq!(world.all(ana), [frame("newPeer", expected)]);

    world.transport(ben, "recv");
    let consumer = world.consume(ben, mic.as_str().unwrap());
    world.get(
        ana,
        "resumeProducer",
        json!({"producerId": mic}),
        "producerResumed",
    );
    let resumed = frame(
        "producerResumed",
        json!({"peerId": ana_id, "producerId": mic}),
    );
    let by_producer = json!({"consumerId": consumer, "byProducer": true});
    assert_eq!(
        world.all(ben),
        [resumed, frame("consumerResumed", by_producer)]
    );

    let mut screen = produce(&send, "video");
    screen["source"] = json!("screen-audio");
    let screen = world.get(ana, "produce", screen, "produced")["producerId"].take();
    let expected = json!({
        "peerId": ana_id, "displayName": "Ana", "producerId": screen, "kind": "video",
        "source": "screen-audio",
    });
    assert_eq!(world.all(ben), [frame("newProducer", expected)]);

    let listed = world.get(ben, "getParticipants", json!({}), "participants");
    let expected = json!({"participants": [
        {"peerId": ana_id, "displayName": "Ana", "audio": true, "video": false, "role": "host"},
        {"peerId": ben_id, "displayName": "Ben", "audio": false, "video": false, "role": "speaker"},
    ]});
    assert_eq!(listed, expected);

    let left = world.get(ben, "leaveRoom", json!({}), "roomLeft");
    assert_eq!(left, json!({"roomId": "room"}));
    assert_eq!(
        world.all(ana),
        [frame("peerLeft", json!({"peerId": ben_id}))]
    );
}
