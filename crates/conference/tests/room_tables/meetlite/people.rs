//! Who comes in, who may do what, and what is refused in which words.

use std::time::Duration;

use serde_json::{Value, json};
use watersmeet_conference::access::TokenKeys;
use watersmeet_conference::{ConferenceLimits, ConnectRequest, DialectKind, Namespace, SessionId};

use super::*;

#[test]
fn failures_are_told_in_fixed_words() {
    let mut world = World::new();
    let ana = world.user("ana");
    let receive = json!({"rtpCapabilities": 7});
    for (name, payload, message) in [
        ("join-room", json!({"roomId": ""}), "Failed to join room"),
        ("join-room", json!({}), "Failed to join room"),
        ("ready", json!({"roomId": 7}), "Failed to join room"),
        (
            "create-webrtc-transport",
            to_transport("send"),
            "Failed to create transport",
        ),
        (
            "connect-webrtc-transport",
            to_connect("send"),
            "Failed to connect transport",
        ),
        (
            "set-rtp-capabilities",
            can_receive(),
            "Failed to set RTP capabilities",
        ),
        (
            "create-producer",
            to_produce("audio", json!({})),
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
        assert_eq!(world.fails(ana, name, payload), message, "{name}");
    }
    // Whoever is in no room has left it.
    assert_eq!(world.hear(ana, "user-left", json!({})), NOTHING);
    world.hear(ana, "join-room", json!({"roomId": "r"}));
    let elsewhere = json!({"roomId": "other", "direction": "send"});
    for (name, payload, message) in [
        (
            "create-webrtc-transport",
            elsewhere,
            "Failed to create transport",
        ),
        (
            "create-webrtc-transport",
            to_transport("up"),
            "Failed to create transport",
        ),
        (
            "connect-webrtc-transport",
            to_connect("recv"),
            "Failed to connect transport",
        ),
        (
            "set-rtp-capabilities",
            receive,
            "Failed to set RTP capabilities",
        ),
        (
            "create-producer",
            to_produce("audio", json!({})),
            "Failed to create producer",
        ),
        (
            "create-producer",
            to_produce("smell", json!({})),
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
        assert_eq!(world.fails(ana, name, payload), message, "{name}");
    }
    world.hear(ana, "create-webrtc-transport", to_transport("send"));
    let polluted = to_produce("audio", json!({"constructor": 1}));
    assert_eq!(
        world.fails(ana, "create-producer", polluted),
        "Failed to create producer"
    );
    // What is not there is closed already.
    assert_eq!(
        world.hear(ana, "close-producer", json!({"kind": "audio"})),
        NOTHING
    );
    world.create(ana, "audio", json!({}));
}

#[test]
fn what_is_anothers_is_not_found() {
    let mut world = World::new();
    let ana = world.settled("ana");
    world.create(ana, "video", json!({}));
    let ben = world.settled("ben");
    let heard = world.hear(ben, "get-participant-stats", Value::Null);
    let consumer = text(&heard[0]["payload"]["consumers"][0]["consumerId"]);
    let stranger = world.user("eve");
    world.say(stranger, "join-room", json!({"roomId": "other"}));
    let long = "x".repeat(1_000);
    for (who, id) in [(ana, &consumer), (stranger, &consumer), (ben, &long)] {
        for name in ["resume-consumer", "pause-consumer"] {
            let heard = world.hear(who, name, json!({"consumerId": id}));
            let shown: String = id.chars().take(64).collect();
            let error = json!({"consumerId": shown, "error": "Consumer not found"});
            assert_eq!(heard, [event("consumer-error", error)]);
        }
    }
    let heard = world.hear(ben, "resume-consumer", json!({"consumerId": consumer}));
    assert_eq!(names(&heard), ["consumer-resumed"]);
    // Its own kinds are all that it can name of what is sent.
    let message = world.fails(ben, "pause-producer", json!({"kind": "video"}));
    assert_eq!(message, "Failed to pause producer");
}

#[test]
fn only_users_come_in() {
    let mut world = World::new();
    for name in ["join-room", "ready"] {
        let (session, _) = world.open_socket(Namespace::Main);
        let message = world.fails(session, name, json!({"roomId": "r"}));
        assert_eq!(message, "Authentication failed");
        let message = world.fails(session, "create-webrtc-transport", to_transport("send"));
        assert_eq!(message, "Failed to create transport");
    }
    assert_eq!(world.conference.gauges().rooms, 0);
    let mut opening = ConnectRequest::new(DialectKind::SocketIo(Namespace::Main));
    opening.token = Some("x.y.z".to_owned());
    let session = world.open_as(opening);
    let refused = json!({"connectError": {"message": "Authentication failed"}});
    assert_eq!(world.all(session), [refused]);
    assert_eq!(world.closed.get(&session), Some(&1000));
}

#[test]
fn a_second_tab_replaces_the_first() {
    let mut world = World::new();
    let first = world.settled("ana");
    let ben = world.settled("ben");
    world.create(first, "video", json!({}));
    world.all(ben);
    let second = world.settled("ana");
    assert_eq!(world.closed.get(&first), Some(&1000));
    assert_eq!(world.all(first), NOTHING);
    assert_eq!(
        names(&world.all(ben)),
        ["participant-left", "participant-joined"]
    );
    world.create(second, "video", json!({}));
    assert_eq!(world.consumer(ben)["participantId"], "ana");
    world.close(second);
    world.close(ben);
    world.assert_empty();
}

#[test]
fn a_user_goes_elsewhere_and_comes_back_on_one_connection() {
    let mut world = World::new();
    let ana = world.settled("ana");
    let ben = world.settled("ben");
    let video = world.create(ana, "video", json!({}));
    world.all(ben);
    let heard = world.hear(ben, "join-room", json!({"roomId": "other"}));
    assert_eq!(names(&heard), ["router-rtp-capabilities"]);
    assert_eq!(names(&world.all(ana)), ["participant-left"]);
    world.say(ben, "join-room", json!({"roomId": "r"}));
    world.say(ben, "set-rtp-capabilities", can_receive());
    let heard = world.hear(ben, "create-webrtc-transport", to_transport("recv"));
    let expected = [
        "webrtc-transport-created",
        "existing-participants",
        "new-consumer",
    ];
    assert_eq!(names(&heard), expected);
    assert_eq!(heard[2]["payload"]["producerId"], json!(video));

    assert_eq!(
        world.hear(ben, "user-left", json!({"roomId": "r"})),
        NOTHING
    );
    assert_eq!(
        names(&world.all(ana)),
        ["participant-joined", "participant-left"]
    );
    world.create(ana, "audio", json!({}));
    assert_eq!(world.all(ben), NOTHING);
    world.close(ana);
    world.close(ben);
    world.assert_empty();
}

/// A native host with a token, who makes room `r` one that lets people in.
fn host(world: &mut World) -> SessionId {
    let keys = TokenKeys::new(SECRET, None).unwrap();
    let (host, _) = world.open();
    let join = json!({"roomId": "r", "token": keys.issue_host_token("r", UNIX_S)});
    world.get(host, "joinRoom", join, "roomJoined");
    let policy = json!({"action": "setPolicy", "policy": "approval"});
    world.get(host, "moderate", policy, "done");
    host
}

#[test]
fn whoever_waits_is_answered_when_a_host_has_decided() {
    let mut world = World::new();
    let host = host(&mut world);
    let ana = world.user("ana");
    let ben = world.user("ben");
    for user in [ana, ben] {
        assert_eq!(
            world.hear(user, "join-room", json!({"roomId": "r"})),
            NOTHING
        );
        let message = world.fails(user, "create-webrtc-transport", to_transport("send"));
        assert_eq!(message, "Failed to create transport");
    }
    let admit = json!({"action": "admit", "peerId": "ana", "promote": false});
    world.get(host, "moderate", admit, "done");
    assert_eq!(names(&world.all(ana)), ["router-rtp-capabilities"]);
    let deny = json!({"action": "deny", "peerId": "ben"});
    world.get(host, "moderate", deny, "done");
    let failed = event("error", json!({"message": "Failed to join room"}));
    assert_eq!(world.all(ben), [failed]);
    assert_eq!(world.closed.get(&ben), Some(&1000));

    // Who only watches sends nothing; who is promoted does, until it is demoted.
    world.say(ana, "create-webrtc-transport", to_transport("send"));
    let message = world.fails(ana, "create-producer", to_produce("audio", json!({})));
    assert_eq!(message, "Failed to create producer");
    for (action, may_speak) in [("promote", true), ("demote", false), ("promote", true)] {
        world.get(
            host,
            "moderate",
            json!({"action": action, "peerId": "ana"}),
            "done",
        );
        let heard = world.hear(ana, "create-producer", to_produce("audio", json!({})));
        let expected = if may_speak {
            "producer-created"
        } else {
            "error"
        };
        assert_eq!(names(&heard), [expected], "{action}");
    }
    world.get(
        host,
        "moderate",
        json!({"action": "remove", "peerId": "ana"}),
        "done",
    );
    assert_eq!(world.closed.get(&ana), Some(&1000));
}

#[test]
fn clients_of_other_dialects_are_in_the_same_room() {
    let mut world = World::new();
    let (nora, nora_peer) = world.open();
    let join = json!({"roomId": "r", "displayName": "Nora"});
    world.get(nora, "joinRoom", join, "roomJoined");
    let send = world.transport(nora, "send");
    let audio = world.produce(nora, &send, "audio");
    let ana = world.entered("ana");
    world.say(ana, "set-rtp-capabilities", can_receive());
    let heard = world.hear(ana, "create-webrtc-transport", to_transport("recv"));
    let participant = json!({
        "participantId": nora_peer, "userInfo": {"email": "Nora", "userId": nora_peer},
        "producers": [{"producerId": audio, "kind": "audio", "appData": {}}],
    });
    assert_eq!(heard[1]["payload"], json!({"participants": [participant]}));
    assert_eq!(heard[2]["payload"]["participantId"], json!(nora_peer));
    let mut screen = produce(&send, "video");
    screen["source"] = json!("screen");
    world.get(nora, "produce", screen, "produced");
    assert_eq!(world.consumer(ana)["mediaType"], "screen-video");

    world.all(nora);
    assert_eq!(
        world.hear(ana, "chat:message", json!({"text": "hello"})),
        NOTHING
    );
    let said = json!({"peerId": "ana", "displayName": "ana", "text": "hello"});
    assert_eq!(world.all(nora), [json!({"type": "chat", "payload": said})]);
    world.get(nora, "chat", json!({"text": "hi"}), "done");
    let said = json!({"userId": nora_peer, "userEmail": "", "message": "hi"});
    assert_eq!(world.all(ana), [event("chat:message", said)]);
    world.close(nora);
    let left = event("participant-left", json!({"participantId": nora_peer}));
    assert_eq!(world.all(ana), [left]);
}

#[test]
fn who_asks_too_much_is_not_left_waiting_for_consumers() {
    let mut world = World::with_limits(ConferenceLimits {
        messages_burst: 4,
        messages_per_second: 1,
        ..ConferenceLimits::default()
    });
    let ana = world.user("ana");
    for (name, payload) in [
        ("join-room", json!({"roomId": "r"})),
        ("create-webrtc-transport", to_transport("send")),
        ("create-webrtc-transport", to_transport("recv")),
        ("set-rtp-capabilities", can_receive()),
    ] {
        world.say(ana, name, payload);
    }
    let message = world.fails(ana, "create-producer", to_produce("audio", json!({})));
    assert_eq!(message, "Failed to create producer");
    let message = world.fails(ana, "get-participant-stats", Value::Null);
    assert_eq!(message, "Too many messages");
    world.pass(Duration::from_secs(4));
    world.create(ana, "audio", json!({}));
}
