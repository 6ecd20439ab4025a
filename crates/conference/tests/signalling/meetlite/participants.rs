//! Joining, roles, and the messages of refused requests.

use std::time::Duration;

use serde_json::{Value, json};
use watersmeet_conference::{ConferenceLimits, ConnectRequest, DialectKind, Namespace, SessionId};

use super::*;

#[test]
fn every_failed_request_has_a_fixed_message() {
    let mut test = TestConference::new();
    let ana = test.open_user("ana");
    let receive = json!({"rtpCapabilities": 7});
    for (name, payload, message) in [
        ("join-room", json!({"roomId": ""}), "Failed to join room"),
        ("join-room", json!({}), "Failed to join room"),
        ("ready", json!({"roomId": 7}), "Failed to join room"),
        (
            "create-webrtc-transport",
            transport_payload("send"),
            "Failed to create transport",
        ),
        (
            "connect-webrtc-transport",
            connect_payload("send"),
            "Failed to connect transport",
        ),
        (
            "set-rtp-capabilities",
            capabilities_payload(),
            "Failed to set RTP capabilities",
        ),
        (
            "create-producer",
            producer_payload("audio", json!({})),
            "Failed to create producer",
        ),
        (
            "pause-producer",
            json!({"kind": "audio"}),
            "Failed to pause producer",
        ),
        (
            "resume-producer",
            json!({"kind": "audio"}),
            "Failed to resume producer",
        ),
        (
            "media-state-change",
            json!({"audioEnabled": true}),
            "Failed to update media state",
        ),
        (
            "chat:message",
            json!({"message": "hi"}),
            "Failed to send message",
        ),
        ("chat:typing-start", json!({}), "Failed to send signal"),
        ("getRtpCapabilities", json!({}), "Unknown event"),
        ("join", json!({"roomId": "r"}), "Unknown event"),
    ] {
        assert_eq!(
            test.emit_error_message(ana, name, payload),
            message,
            "{name}"
        );
    }
    // A client outside of rooms has left already.
    assert_eq!(test.emit_and_read(ana, "user-left", json!({})), NO_FRAMES);
    test.emit_and_read(ana, "join-room", json!({"roomId": "r"}));
    let elsewhere = json!({"roomId": "other", "direction": "send"});
    for (name, payload, message) in [
        (
            "create-webrtc-transport",
            elsewhere,
            "Failed to create transport",
        ),
        (
            "create-webrtc-transport",
            transport_payload("up"),
            "Failed to create transport",
        ),
        (
            "connect-webrtc-transport",
            connect_payload("recv"),
            "Failed to connect transport",
        ),
        (
            "set-rtp-capabilities",
            receive,
            "Failed to set RTP capabilities",
        ),
        (
            "create-producer",
            producer_payload("audio", json!({})),
            "Failed to create producer",
        ),
        (
            "create-producer",
            producer_payload("smell", json!({})),
            "Failed to create producer",
        ),
        (
            "media-state-change",
            json!({"roomId": "other"}),
            "Failed to update media state",
        ),
        (
            "pause-producer",
            json!({"kind": "hologram"}),
            "Failed to pause producer",
        ),
        (
            "call-user",
            json!({"offer": {"type": "offer"}}),
            "Failed to send signal",
        ),
        (
            "chat:message",
            json!({"message": ""}),
            "Failed to send message",
        ),
    ] {
        assert_eq!(
            test.emit_error_message(ana, name, payload),
            message,
            "{name}"
        );
    }
    test.emit_and_read(ana, "create-webrtc-transport", transport_payload("send"));
    let polluted = producer_payload("audio", json!({"constructor": 1}));
    assert_eq!(
        test.emit_error_message(ana, "create-producer", polluted),
        "Failed to create producer"
    );
    // A producer that does not exist is closed already.
    assert_eq!(
        test.emit_and_read(ana, "close-producer", json!({"kind": "audio"})),
        NO_FRAMES
    );
    test.create_producer(ana, "audio", json!({}));
}

#[test]
fn objects_of_other_participants_are_not_found() {
    let mut test = TestConference::new();
    let ana = test.join_user_with_media("ana");
    test.create_producer(ana, "video", json!({}));
    let ben = test.join_user_with_media("ben");
    let received = test.emit_and_read(ben, "get-participant-stats", Value::Null);
    let consumer = text(&received[0]["payload"]["consumers"][0]["consumerId"]);
    let other = test.open_user("eve");
    test.emit_main(other, "join-room", json!({"roomId": "other"}));
    let long = "x".repeat(1_000);
    for (client, id) in [(ana, &consumer), (other, &consumer), (ben, &long)] {
        for name in ["resume-consumer", "pause-consumer"] {
            let received = test.emit_and_read(client, name, json!({"consumerId": id}));
            let echoed: String = id.chars().take(64).collect();
            let error = json!({"consumerId": echoed, "error": "Consumer not found"});
            assert_eq!(received, [event("consumer-error", error)]);
        }
    }
    let received = test.emit_and_read(ben, "resume-consumer", json!({"consumerId": consumer}));
    assert_eq!(event_names(&received), ["consumer-resumed"]);
    // A client can only name its own producers.
    let message = test.emit_error_message(ben, "pause-producer", json!({"kind": "video"}));
    assert_eq!(message, "Failed to pause producer");
}

#[test]
fn clients_without_a_user_token_cannot_join() {
    let mut test = TestConference::new();
    for name in ["join-room", "ready"] {
        let (session, _) = test.open_socket(Namespace::Main);
        let message = test.emit_error_message(session, name, json!({"roomId": "r"}));
        assert_eq!(message, "Authentication failed");
        let message = test.emit_error_message(
            session,
            "create-webrtc-transport",
            transport_payload("send"),
        );
        assert_eq!(message, "Failed to create transport");
    }
    assert_eq!(test.conference.gauges().rooms, 0);
    let mut request = ConnectRequest::new(DialectKind::SocketIo(Namespace::Main));
    request.token = Some("x.y.z".to_owned());
    let session = test.open_with(request);
    let refused = json!({"connectError": {"message": "Authentication failed"}});
    assert_eq!(test.take_frames(session), [refused]);
    assert_eq!(test.closed.get(&session), Some(&1000));
}

#[test]
fn a_second_connection_of_a_user_replaces_the_first() {
    let mut test = TestConference::new();
    let first = test.join_user_with_media("ana");
    let ben = test.join_user_with_media("ben");
    test.create_producer(first, "video", json!({}));
    test.take_frames(ben);
    let second = test.join_user_with_media("ana");
    assert_eq!(test.closed.get(&first), Some(&1000));
    assert_eq!(test.take_frames(first), NO_FRAMES);
    assert_eq!(
        event_names(&test.take_frames(ben)),
        ["participant-left", "participant-joined"]
    );
    test.create_producer(second, "video", json!({}));
    assert_eq!(test.next_consumer(ben)["participantId"], "ana");
    test.close(second);
    test.close(ben);
    test.assert_empty();
}

#[test]
fn a_user_can_change_rooms_and_come_back_on_one_connection() {
    let mut test = TestConference::new();
    let ana = test.join_user_with_media("ana");
    let ben = test.join_user_with_media("ben");
    let video = test.create_producer(ana, "video", json!({}));
    test.take_frames(ben);
    let received = test.emit_and_read(ben, "join-room", json!({"roomId": "other"}));
    assert_eq!(event_names(&received), ["router-rtp-capabilities"]);
    assert_eq!(event_names(&test.take_frames(ana)), ["participant-left"]);
    test.emit_main(ben, "join-room", json!({"roomId": "r"}));
    test.emit_main(ben, "set-rtp-capabilities", capabilities_payload());
    let received = test.emit_and_read(ben, "create-webrtc-transport", transport_payload("recv"));
    let expected = [
        "webrtc-transport-created",
        "existing-participants",
        "new-consumer",
    ];
    assert_eq!(event_names(&received), expected);
    assert_eq!(received[2]["payload"]["producerId"], json!(video));

    assert_eq!(
        test.emit_and_read(ben, "user-left", json!({"roomId": "r"})),
        NO_FRAMES
    );
    assert_eq!(
        event_names(&test.take_frames(ana)),
        ["participant-joined", "participant-left"]
    );
    test.create_producer(ana, "audio", json!({}));
    assert_eq!(test.take_frames(ben), NO_FRAMES);
    test.close(ana);
    test.close(ben);
    test.assert_empty();
}

/// Opens a native connection as the host of room `r`, and sets the policy to approval.
fn open_approval_host(test: &mut TestConference) -> SessionId {
    let keys = token_keys();
    let (host, _) = test.open();
    let join = json!({"roomId": "r", "token": keys.issue_host_token("r", UNIX_S)});
    test.expect_reply(host, "joinRoom", join, "roomJoined");
    test.require_approval(host);
    host
}

#[test]
fn a_waiting_client_is_answered_when_a_host_decides() {
    let mut test = TestConference::new();
    let host = open_approval_host(&mut test);
    let ana = test.open_user("ana");
    let ben = test.open_user("ben");
    for user in [ana, ben] {
        assert_eq!(
            test.emit_and_read(user, "join-room", json!({"roomId": "r"})),
            NO_FRAMES
        );
        let message =
            test.emit_error_message(user, "create-webrtc-transport", transport_payload("send"));
        assert_eq!(message, "Failed to create transport");
    }
    let admit = json!({"action": "admit", "peerId": "ana", "promote": false});
    test.moderate(host, admit);
    assert_eq!(
        event_names(&test.take_frames(ana)),
        ["router-rtp-capabilities"]
    );
    let deny = json!({"action": "deny", "peerId": "ben"});
    test.moderate(host, deny);
    let failed = event("error", json!({"message": "Failed to join room"}));
    assert_eq!(test.take_frames(ben), [failed]);
    assert_eq!(test.closed.get(&ben), Some(&1000));

    // A viewer cannot produce until it is promoted, nor after it is demoted.
    test.emit_main(ana, "create-webrtc-transport", transport_payload("send"));
    let message =
        test.emit_error_message(ana, "create-producer", producer_payload("audio", json!({})));
    assert_eq!(message, "Failed to create producer");
    for (action, may_speak) in [("promote", true), ("demote", false), ("promote", true)] {
        test.moderate(host, json!({"action": action, "peerId": "ana"}));
        let received =
            test.emit_and_read(ana, "create-producer", producer_payload("audio", json!({})));
        let expected = if may_speak {
            "producer-created"
        } else {
            "error"
        };
        assert_eq!(event_names(&received), [expected], "{action}");
    }
    test.moderate(host, json!({"action": "remove", "peerId": "ana"}));
    assert_eq!(test.closed.get(&ana), Some(&1000));
}

#[test]
fn clients_of_other_dialects_can_join_the_same_room() {
    let mut test = TestConference::new();
    let (nora, nora_peer) = test.open();
    let join = json!({"roomId": "r", "displayName": "Nora"});
    test.expect_reply(nora, "joinRoom", join, "roomJoined");
    let send = test.create_transport(nora, "send");
    let audio = test.produce(nora, &send, "audio");
    let ana = test.join_user("ana");
    test.emit_main(ana, "set-rtp-capabilities", capabilities_payload());
    let received = test.emit_and_read(ana, "create-webrtc-transport", transport_payload("recv"));
    let participant = json!({
        "participantId": nora_peer, "userInfo": {"email": "Nora", "userId": nora_peer},
        "producers": [{"producerId": audio, "kind": "audio", "appData": {}}],
    });
    assert_eq!(
        received[1]["payload"],
        json!({"participants": [participant]})
    );
    assert_eq!(received[2]["payload"]["participantId"], json!(nora_peer));
    let mut screen = produce(&send, "video");
    screen["source"] = json!("screen");
    test.expect_reply(nora, "produce", screen, "produced");
    assert_eq!(test.next_consumer(ana)["mediaType"], "screen-video");

    test.take_frames(nora);
    assert_eq!(
        test.emit_and_read(ana, "chat:message", json!({"text": "hello"})),
        NO_FRAMES
    );
    let said = test.take_frames(nora).remove(0);
    assert_eq!(said["type"], "chat");
    for (field, value) in [("peerId", "ana"), ("displayName", "ana"), ("text", "hello")] {
        assert_eq!(said["payload"][field], value);
    }
    test.expect_reply(nora, "chat", json!({"text": "hi"}), "done");
    let said = json!({"userId": nora_peer, "userEmail": "", "message": "hi"});
    assert_eq!(test.take_frames(ana), [event("chat:message", said)]);
    test.close(nora);
    let left = event("participant-left", json!({"participantId": nora_peer}));
    assert_eq!(test.take_frames(ana), [left]);
}

#[test]
fn consumers_are_created_although_requests_are_rate_limited() {
    let mut test = TestConference::with_limits(ConferenceLimits {
        messages_burst: 4,
        messages_per_second: 1,
        ..ConferenceLimits::default()
    });
    let ana = test.open_user("ana");
    for (name, payload) in [
        ("join-room", json!({"roomId": "r"})),
        ("create-webrtc-transport", transport_payload("send")),
        ("create-webrtc-transport", transport_payload("recv")),
        ("set-rtp-capabilities", capabilities_payload()),
    ] {
        test.emit_main(ana, name, payload);
    }
    let message =
        test.emit_error_message(ana, "create-producer", producer_payload("audio", json!({})));
    assert_eq!(message, "Failed to create producer");
    let message = test.emit_error_message(ana, "get-participant-stats", Value::Null);
    assert_eq!(message, "Too many messages");
    test.advance(Duration::from_secs(4));
    test.create_producer(ana, "audio", json!({}));
}
