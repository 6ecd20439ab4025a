//! Clients of the native dialect. One that sends no ids gets exactly the frames of the protocol's
//! first version; one that sends ids gets everything else too.

use serde_json::{Value, json};
use watersmeet_conference::ConferenceConfig;
use watersmeet_conference::dialect::native::{ClientOptions, Config};
use watersmeet_conference::turn::{IceServer, IceServers};

use super::harness::*;

/// Returns a frame without an id.
fn frame(kind: &str, payload: Value) -> Value {
    json!({"type": kind, "payload": payload})
}

#[test]
fn a_client_without_ids_gets_exactly_the_frames_of_the_first_version() {
    let mut test = TestConference::new();
    let ana = test.open_native();
    let connected = test.next_frame(ana);
    let ana_id = connected["payload"]["peerId"].clone();
    assert_eq!(connected, frame("connected", json!({"peerId": ana_id})));
    let digits = ana_id.as_str().unwrap().strip_prefix("peer_").unwrap();
    assert!(digits.len() == 32 && digits.chars().all(|it| it.is_ascii_hexdigit()));

    // The capabilities request of this client has no payload at all.
    test.send_text(ana, r#"{"type":"getRouterRtpCapabilities"}"#);
    let expected = frame(
        "routerRtpCapabilities",
        json!({"rtpCapabilities": capabilities()}),
    );
    assert_eq!(test.take_frames(ana), [expected]);

    test.send_without_id(ana, "joinRoom", json!({"roomId": "room1"}));
    let empty = json!({"roomId": "room1", "peers": [], "existingProducers": []});
    assert_eq!(test.take_frames(ana), [frame("roomJoined", empty)]);

    test.send_without_id(ana, "createTransport", json!({"direction": "send"}));
    let created = test.next_frame(ana);
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
    test.send_without_id(ana, "connectTransport", connect);
    assert_eq!(
        test.take_frames(ana),
        [frame("transportConnected", json!({"transportId": send}))]
    );

    test.send_without_id(ana, "produce", produce(&send, "video"));
    let produced = test.next_frame(ana);
    let video = produced["payload"]["producerId"].clone();
    assert_eq!(
        produced,
        frame("produced", json!({"producerId": video, "kind": "video"}))
    );

    // Ben's client sends ids and a display name.
    let (ben, ben_id) = test.open();
    let join = json!({"roomId": "room1", "displayName": "Ben"});
    let joined = test.expect_reply(ben, "joinRoom", join, "roomJoined");
    assert_eq!(joined["peers"], json!([ana_id]));
    assert_eq!(
        test.take_frames(ana),
        [frame("newPeer", json!({"peerId": ben_id}))]
    );

    let ben_send = test.create_transport(ben, "send");
    let mut screen = produce(&ben_send, "video");
    screen["source"] = json!("screen");
    screen["paused"] = json!(true);
    let produced = test.expect_reply(ben, "produce", screen, "produced");
    let screen_id = produced["producerId"].clone();
    let expected = json!({"peerId": ben_id, "producerId": screen_id, "kind": "video"});
    assert_eq!(test.take_frames(ana), [frame("newProducer", expected)]);

    // A client without ids does not know of paused producers.
    test.expect_reply(
        ben,
        "resumeProducer",
        json!({"producerId": screen_id}),
        "producerResumed",
    );
    assert_eq!(test.take_frames(ana), Vec::<Value>::new());

    // `consume` may come before the receive transport.
    test.send_without_id(ana, "consume", consume(screen_id.as_str().unwrap()));
    assert_eq!(test.take_frames(ana), Vec::<Value>::new());
    test.send_without_id(ana, "createTransport", json!({"direction": "recv"}));
    assert_eq!(test.next_frame(ana)["payload"]["direction"], "recv");
    let consumed = test.next_frame(ana);
    let consumer = consumed["payload"]["consumerId"].clone();
    let expected = json!({
        "consumerId": consumer,
        "producerId": screen_id,
        "producerPeerId": ben_id,
        "kind": "video",
        "rtpParameters": rtp_parameters(),
    });
    assert_eq!(consumed, frame("consumed", expected));

    test.send_without_id(ana, "resumeConsumer", json!({"consumerId": consumer}));
    assert_eq!(
        test.take_frames(ana),
        [frame("consumerResumed", json!({"consumerId": consumer}))]
    );

    test.expect_reply(
        ben,
        "closeProducer",
        json!({"producerId": screen_id}),
        "closedProducer",
    );
    // This client has never heard of `producerClosed`.
    assert_eq!(test.take_frames(ana), Vec::<Value>::new());

    // It learns that Ben starts anew, and receives his media again.
    test.expect_reply(
        ben,
        "joinRoom",
        json!({"roomId": "room1", "displayName": "Ben"}),
        "roomJoined",
    );
    let expected = ["peerLeft", "newPeer"];
    let expected = expected.map(|kind| frame(kind, json!({"peerId": ben_id})));
    assert_eq!(test.take_frames(ana), expected);

    test.close(ben);
    assert_eq!(
        test.take_frames(ana),
        [frame("peerLeft", json!({"peerId": ben_id}))]
    );
    test.close(ana);
    test.assert_empty();
}

#[test]
fn a_client_without_ids_is_only_told_of_participants_with_producers() {
    let mut test = TestConference::new();
    let (ana, ana_id) = test.join("room");
    let (_ben, ben_id) = test.join("room");
    let send = test.create_transport(ana, "send");
    let video = test.produce(ana, &send, "video");
    let audio = test.produce(ana, &send, "audio");

    let (cara, _) = test.open();
    test.send_without_id(cara, "joinRoom", json!({"roomId": "room"}));
    let expected = json!({
        "roomId": "room",
        "peers": [ana_id, ben_id],
        "existingProducers": [{"peerId": ana_id, "producers": [
            {"producerId": video, "kind": "video"},
            {"producerId": audio, "kind": "audio"},
        ]}],
    });
    assert_eq!(test.take_frames(cara), [frame("roomJoined", expected)]);
}

#[test]
fn errors_without_an_id_have_a_message() {
    let mut test = TestConference::new();
    let (ana, _) = test.open();
    test.send_without_id(ana, "joinRoom", json!({"roomId": "room"}));
    test.take_frames(ana);
    let unknown = "00000000-0000-4000-8000-000000000000";
    let connect = json!({"transportId": unknown, "dtlsParameters": dtls_parameters("client")});
    let texts = [
        ("connectTransport", connect, "Transport not found"),
        ("produce", produce(unknown, "video"), "Transport not found"),
        ("consume", consume(unknown), "Producer not found"),
        (
            "resumeConsumer",
            json!({"consumerId": unknown}),
            "Consumer not found",
        ),
        (
            "resumeConsumer",
            json!({"consumerId": "not an id"}),
            "Consumer not found",
        ),
    ];
    for (kind, payload, text) in texts {
        test.send_without_id(ana, kind, payload);
        let error = test.next_frame(ana);
        assert_eq!(error["type"], "error");
        assert_eq!(error["payload"]["message"], text, "{kind}");
        assert_eq!(error.get("id"), None);
    }
}

#[test]
fn connected_contains_the_configured_options() {
    let native = Config {
        client: Some(ClientOptions {
            report_interval_s: None,
            force_video_codec: Some("video/VP9".to_owned()),
        }),
    };
    let mut ice_servers = IceServers::default();
    ice_servers.fixed.push(IceServer {
        urls: vec!["turn:localhost".to_owned()],
        username: Some("u".to_owned()),
        credential: Some("c".to_owned()),
    });
    let mut test = TestConference::with(ConferenceConfig {
        native,
        ice_servers,
        ..config()
    });
    let ana = test.open_native();
    let connected = test.next_frame(ana);
    let servers = json!([{"urls": ["turn:localhost"], "username": "u", "credential": "c"}]);
    assert_eq!(connected["payload"]["iceServers"], servers);
    assert_eq!(
        connected["payload"]["options"],
        json!({"forceVideoCodec": "video/VP9"})
    );
}

#[test]
fn an_id_is_echoed_unchanged_in_replies_and_errors() {
    let mut test = TestConference::new();
    let (ana, _) = test.open();
    for id in [json!(7), json!("seven"), json!(7.5), json!(-1)] {
        for kind in ["getRouterRtpCapabilities", "leaveRoom", "nonsense"] {
            test.send_text(ana, &json!({"type": kind, "id": id}).to_string());
            assert_eq!(test.next_frame(ana)["id"], id);
        }
    }
}

#[test]
fn a_client_with_ids_is_told_names_sources_and_pauses() {
    let mut test = TestConference::new();
    let (ana, ana_id) = test.open();
    let join = json!({"roomId": "room", "displayName": "Ana"});
    test.expect_reply(ana, "joinRoom", join, "roomJoined");
    let send = test.create_transport(ana, "send");
    let mut mic = produce(&send, "audio");
    mic["source"] = json!("mic");
    mic["paused"] = json!(true);
    mic["appData"] = json!({"anything": [1, {"deep": null}]});
    let mic = test.expect_reply(ana, "produce", mic, "produced")["producerId"].take();

    let (ben, ben_id) = test.open();
    let join = json!({"roomId": "room", "displayName": "Ben"});
    let joined = test.expect_reply(ben, "joinRoom", join, "roomJoined");
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
    assert_eq!(test.take_frames(ana), [frame("newPeer", expected)]);

    test.create_transport(ben, "recv");
    let consumer = test.consume(ben, mic.as_str().unwrap());
    test.expect_reply(
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
        test.take_frames(ben),
        [resumed, frame("consumerResumed", by_producer)]
    );

    let mut screen = produce(&send, "video");
    screen["source"] = json!("screen-audio");
    let screen = test.expect_reply(ana, "produce", screen, "produced")["producerId"].take();
    let expected = json!({
        "peerId": ana_id, "displayName": "Ana", "producerId": screen, "kind": "video",
        "source": "screen-audio",
    });
    assert_eq!(test.take_frames(ben), [frame("newProducer", expected)]);

    let listed = test.expect_reply(ben, "getParticipants", json!({}), "participants");
    let expected = json!({"participants": [
        {"peerId": ana_id, "displayName": "Ana", "audio": true, "video": false, "role": "host"},
        {"peerId": ben_id, "displayName": "Ben", "audio": false, "video": false, "role": "speaker"},
    ]});
    assert_eq!(listed, expected);

    let left = test.expect_reply(ben, "leaveRoom", json!({}), "roomLeft");
    assert_eq!(left, json!({"roomId": "room"}));
    assert_eq!(
        test.take_frames(ana),
        [frame("peerLeft", json!({"peerId": ben_id}))]
    );
}
