//! Clients of the rmm dialect: they are invited by a link, and hosts admit them.

#[path = "rmm/participants.rs"]
mod participants;

use serde_json::{Value, json};
use watersmeet_conference::{Namespace, SessionId, ShardId};

use super::harness::*;

/// An rmm client.
struct RmmClient {
    session: SessionId,
    sid: String,
}

impl TestConference {
    fn rmm_open(&mut self) -> RmmClient {
        let (session, sid) = self.open_socket(Namespace::Main);
        RmmClient { session, sid }
    }

    /// Sends a request about room `r` and returns its acknowledgement.
    fn rmm_request(&mut self, client: &RmmClient, event: &str, payload: Value) -> Value {
        let mut request = json!({"roomId": "r"});
        let fields = request.as_object_mut().unwrap();
        fields.extend(payload.as_object().unwrap().clone());
        let answer = self.emit_with_ack(client.session, Namespace::Main, event, request);
        answer.unwrap_or_else(|| panic!("{event} was not acknowledged"))
    }

    /// Sends a request that must fail, and returns the error.
    fn rmm_error(&mut self, client: &RmmClient, event: &str, payload: Value) -> String {
        let answer = self.rmm_request(client, event, payload);
        let error = answer["error"].as_str();
        let error = error.unwrap_or_else(|| panic!("{event}: {answer}"));
        assert_eq!(answer, json!({"error": error}));
        error.to_owned()
    }

    /// Opens a connection and joins room `r` without roles.
    fn rmm_join(&mut self, name: &str) -> RmmClient {
        let client = self.rmm_open();
        let answer = self.rmm_request(&client, "join", json!({"displayName": name}));
        assert_eq!(answer["error"], Value::Null, "{answer}");
        client
    }

    /// Opens a connection and joins room `r` with roles. Returns the acknowledgement too.
    fn rmm_join_with_roles(&mut self, name: &str) -> (RmmClient, Value) {
        let client = self.rmm_open();
        let join = json!({"displayName": name, "userId": format!("user-{name}")});
        let answer = self.rmm_request(&client, "join", join);
        (client, answer)
    }

    /// Opens a native connection and joins a room with a host's token.
    fn join_as_host(&mut self, room: &str) -> SessionId {
        let keys = token_keys();
        let (session, _) = self.open();
        let join = json!({"roomId": room, "token": keys.issue_host_token(room, UNIX_S)});
        self.expect_reply(session, "joinRoom", join, "roomJoined");
        session
    }

    fn rmm_produce(&mut self, client: &RmmClient, kind: &str) -> String {
        let transport = self.rmm_request(client, "createTransport", json!({"kind": "send"}));
        let answer = self.rmm_request(client, "produce", produce(text(&transport["id"]), kind));
        text(&answer["id"]).to_owned()
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn connect(transport: &Value) -> Value {
    json!({"transportId": transport["id"], "dtlsParameters": dtls_parameters("client")})
}

#[test]
fn two_clients_meet_in_exactly_the_documented_frames() {
    let mut test = TestConference::new();
    let ana = test.rmm_open();
    let join = json!({"displayName": "Ana", "rtpCapabilities": {}, "inviteToken": ""});
    let expected = json!({
        "rtpCapabilitiesRouter": capabilities(),
        "existingProducers": [],
        "participants": [{"id": ana.sid, "displayName": "Ana"}],
    });
    assert_eq!(test.rmm_request(&ana, "join", join), expected);

    let send = test.rmm_request(&ana, "createTransport", json!({"kind": "send"}));
    let expected = json!({
        "id": send["id"], "iceParameters": ice_parameters(), "iceCandidates": [candidate()],
        "dtlsParameters": dtls_parameters("auto"),
    });
    assert_eq!(send, expected);
    for _ in 0..2 {
        let connected = test.rmm_request(&ana, "connectTransport", connect(&send));
        assert_eq!(connected, json!({"connected": true}));
    }
    let produced = test.rmm_request(&ana, "produce", produce(text(&send["id"]), "video"));
    let video = text(&produced["id"]).to_owned();
    assert_eq!(produced, json!({"id": video}));

    let ben = test.rmm_open();
    let join = json!({"displayName": "Ben", "rtpCapabilities": {}});
    let expected = json!({
        "rtpCapabilitiesRouter": capabilities(),
        "existingProducers": [{
            "peerId": ana.sid, "producerId": video, "kind": "video", "producerDisplayName": "Ana",
        }],
        "participants": [
            {"id": ana.sid, "displayName": "Ana"}, {"id": ben.sid, "displayName": "Ben"},
        ],
    });
    assert_eq!(test.rmm_request(&ben, "join", join), expected);
    let joined = event(
        "peerJoined",
        json!({"peerId": ben.sid, "displayName": "Ben"}),
    );
    assert_eq!(test.take_frames(ana.session), [joined]);

    let consumed = test.rmm_request(&ben, "consume", consume(&video));
    let expected = json!({
        "id": consumed["id"], "producerId": video, "kind": "video",
        "rtpParameters": rtp_parameters(), "transportId": consumed["transportId"],
        "iceParameters": ice_parameters(), "iceCandidates": [candidate()],
        "dtlsParameters": dtls_parameters("auto"),
    });
    assert_eq!(consumed, expected);
    let connected = json!({
        "transportId": consumed["transportId"], "dtlsParameters": dtls_parameters("client"),
    });
    let connected = test.rmm_request(&ben, "connectTransport", connected);
    assert_eq!(connected, json!({"connected": true}));
    let resume = json!({"consumerId": consumed["id"]});
    let resumed = test.rmm_request(&ben, "resumeConsumer", resume);
    assert_eq!(resumed, json!({"resumed": true}));

    let audio = test.rmm_produce(&ana, "audio");
    let expected = json!({
        "producerId": audio, "producerSocketId": ana.sid, "kind": "audio",
        "producerDisplayName": "Ana",
    });
    assert_eq!(
        test.take_frames(ben.session),
        [event("newProducer", expected)]
    );
    test.close(ana.session);
    let left = event("peerLeft", json!({"peerId": ana.sid, "displayName": "Ana"}));
    assert_eq!(test.take_frames(ben.session), [left]);
    test.close(ben.session);
    test.assert_empty();
}

#[test]
fn a_repeated_request_for_a_transport_returns_the_first_one() {
    let mut test = TestConference::new();
    let ana = test.rmm_join("Ana");
    let first = test.rmm_request(&ana, "createTransport", json!({}));
    let send = test.rmm_request(&ana, "createTransport", json!({"kind": "send"}));
    assert_eq!(first, send);
    let recv = test.rmm_request(&ana, "createTransport", json!({"kind": "recv"}));
    assert_ne!(recv["id"], send["id"]);
    assert_eq!(
        test.rmm_request(&ana, "createTransport", json!({"kind": "recv"})),
        recv
    );
    assert_eq!(test.conference.gauges().transports, 2);

    let ben = test.rmm_join("Ben");
    let video = test.rmm_produce(&ben, "video");
    let consumed = test.rmm_request(&ana, "consume", consume(&video));
    assert_eq!(consumed["transportId"], recv["id"]);
    assert_eq!(consumed["iceParameters"], recv["iceParameters"]);
}

#[test]
fn many_simultaneous_consumers_share_one_transport() {
    let mut test = TestConference::new();
    let ana = test.rmm_join("Ana");
    let producers: Vec<_> = (0..16).map(|_| test.rmm_produce(&ana, "audio")).collect();
    let ben = test.rmm_join("Ben");
    test.executes_immediately = false;
    for producer in producers.iter().cycle().take(96) {
        let mut payload = consume(producer);
        payload["roomId"] = json!("r");
        assert_eq!(
            test.emit_with_ack(ben.session, Namespace::Main, "consume", payload),
            None
        );
    }
    test.execute_all_commands();
    let frames = test.take_frames(ben.session);
    assert_eq!(frames.len(), 96);
    let transport = &frames[0]["payload"]["transportId"];
    assert!(transport.is_string());
    for frame in &frames {
        assert_eq!(frame["payload"]["transportId"], *transport, "{frame}");
        assert!(frame["payload"]["iceParameters"].is_object());
    }
    assert_eq!(test.conference.gauges().transports, 2);
}

#[test]
fn consume_is_refused_when_the_receive_transport_cannot_be_created() {
    let mut test = TestConference::new();
    let ana = test.rmm_join("Ana");
    let video = test.rmm_produce(&ana, "video");
    let ben = test.rmm_join("Ben");
    test.executes_immediately = false;
    let mut payload = consume(&video);
    payload["roomId"] = json!("r");
    assert_eq!(
        test.emit_with_ack(ben.session, Namespace::Main, "consume", payload),
        None
    );
    test.commands.clear();
    test.advance(std::time::Duration::from_secs(11));
    let frames = test.take_frames(ben.session);
    assert_eq!(frames.len(), 1);
    assert_eq!(
        frames[0]["payload"],
        json!({"error": "Transport not found"})
    );
    test.execute_all_commands();
    test.executes_immediately = true;
    let consumed = test.rmm_request(&ben, "consume", consume(&video));
    assert!(consumed["transportId"].is_string(), "{consumed}");
}

#[test]
fn a_lost_receive_transport_is_replaced_with_the_next_consumer() {
    let mut test = TestConference::new();
    let ana = test.rmm_join("Ana");
    let video = test.rmm_produce(&ana, "video");
    let ben = test.rmm_join("Ben");
    let first = test.rmm_request(&ben, "consume", consume(&video));
    test.close_transport_in_engine(text(&first["transportId"]));
    let second = test.rmm_request(&ben, "consume", consume(&video));
    assert_ne!(second["transportId"], first["transportId"]);
    assert!(second["iceParameters"].is_object());
}

#[test]
fn requests_are_refused_with_an_error_text() {
    let mut test = TestConference::new();
    let ana = test.rmm_open();
    let send = json!({"kind": "send"});
    assert_eq!(
        test.rmm_error(&ana, "createTransport", send.clone()),
        "Not in a room"
    );
    let join = json!({"roomId": "", "displayName": "Ana"});
    assert_eq!(test.rmm_error(&ana, "join", join), "Failed to join room");
    let join = json!({"inviteToken": "x.y.z"});
    assert_eq!(test.rmm_error(&ana, "join", join), "Invalid invite token");
    test.rmm_request(&ana, "join", json!({"displayName": "Ana"}));

    let elsewhere = json!({"roomId": "other", "kind": "send"});
    assert_eq!(
        test.rmm_error(&ana, "createTransport", elsewhere),
        "Room not found"
    );
    let nowhere = json!({"roomId": null, "kind": "send"});
    assert_eq!(
        test.rmm_error(&ana, "createTransport", nowhere),
        "roomId is missing"
    );
    assert!(
        test.rmm_error(&ana, "createTransport", json!({"kind": "up"}))
            .contains("up")
    );
    let transport = test.rmm_request(&ana, "createTransport", send);
    let recv = test.rmm_request(&ana, "createTransport", json!({"kind": "recv"}));
    for (event, payload, error) in [
        ("produce", produce("none", "audio"), "Transport not found"),
        (
            "produce",
            produce(text(&recv["id"]), "audio"),
            "Transport not found",
        ),
        ("consume", consume("none"), "Producer not found"),
        (
            "consume",
            consume(text(&transport["id"])),
            "Producer not found",
        ),
        (
            "connectTransport",
            connect(&json!({"id": "none"})),
            "Transport not found",
        ),
        (
            "resumeConsumer",
            json!({"consumerId": "none"}),
            "Consumer not found",
        ),
        (
            "promoteToProducer",
            json!({"peerId": "none"}),
            "Participant not found",
        ),
        (
            "demoteToConsumer",
            json!({"peerId": "none"}),
            "Participant not found",
        ),
        (
            "approveJoin",
            json!({"peerId": "none"}),
            "Participant not found",
        ),
        ("leaveTheBuilding", json!({}), "Unknown message type"),
        ("join-room", json!({}), "Unknown message type"),
    ] {
        assert_eq!(test.rmm_error(&ana, event, payload), error, "{event}");
    }
    let mut video = produce(text(&transport["id"]), "video");
    video["appData"] = json!({"a": {"__proto__": 1}});
    assert_eq!(
        test.rmm_error(&ana, "produce", video),
        "appData has a forbidden key"
    );

    let video = test.rmm_produce(&ana, "video");
    let ben = test.rmm_join("Ben");
    let without_capabilities = json!({"producerId": video, "rtpCapabilities": {}});
    assert_eq!(
        test.rmm_error(&ben, "consume", without_capabilities),
        "Cannot consume"
    );
    let malformed = test.rmm_error(&ben, "join", json!({"displayName": 7}));
    assert!(malformed.contains("invalid type"), "{malformed}");
}

#[test]
fn objects_of_other_participants_are_not_found() {
    let mut test = TestConference::new();
    let ana = test.rmm_join("Ana");
    let send = test.rmm_request(&ana, "createTransport", json!({"kind": "send"}));
    let video = test.rmm_produce(&ana, "video");
    let ben = test.rmm_join("Ben");
    let consumed = test.rmm_request(&ben, "consume", consume(&video));
    let outsider = test.rmm_open();
    test.rmm_request(&outsider, "join", json!({"roomId": "other"}));

    let other = |mut payload: Value| {
        payload["roomId"] = json!("other");
        payload
    };
    let resume = json!({"consumerId": consumed["id"]});
    let produce = produce(text(&send["id"]), "audio");
    for (client, payload) in [(&ben, produce.clone()), (&outsider, other(produce))] {
        assert_eq!(
            test.rmm_error(client, "produce", payload),
            "Transport not found"
        );
    }
    for (client, payload) in [(&ben, connect(&send)), (&outsider, other(connect(&send)))] {
        let error = test.rmm_error(client, "connectTransport", payload);
        assert_eq!(error, "Transport not found");
    }
    for (client, payload) in [(&ana, resume.clone()), (&outsider, other(resume.clone()))] {
        let error = test.rmm_error(client, "resumeConsumer", payload);
        assert_eq!(error, "Consumer not found");
    }
    let error = test.rmm_error(&outsider, "consume", other(consume(&video)));
    assert_eq!(error, "Producer not found");
    // Naming the room does not give access to it.
    let error = test.rmm_error(&outsider, "consume", consume(&video));
    assert_eq!(error, "Room not found");
    assert_eq!(
        test.rmm_request(&ben, "resumeConsumer", resume),
        json!({"resumed": true})
    );
}

#[test]
fn connections_are_closed_with_1012_after_a_lost_worker() {
    let mut test = TestConference::new();
    let ana = test.rmm_join("Ana");
    test.rmm_produce(&ana, "video");
    for shard in 0..2 {
        test.lose_shard(ShardId(shard));
    }
    assert_eq!(test.closed.get(&ana.session), Some(&1012));
}

#[test]
fn requests_above_the_rate_limit_are_answered() {
    let mut test = TestConference::with_limits(watersmeet_conference::ConferenceLimits {
        messages_burst: 2,
        messages_per_second: 1,
        ..watersmeet_conference::ConferenceLimits::default()
    });
    let ana = test.rmm_open();
    for _ in 0..2 {
        test.rmm_error(&ana, "join", json!({"roomId": ""}));
    }
    assert_eq!(
        test.rmm_error(&ana, "join", json!({})),
        "Failed to join room"
    );
    test.advance(std::time::Duration::from_secs(2));
    test.rmm_request(&ana, "join", json!({}));
    let error = test.rmm_error(&ana, "consume", json!({}));
    assert!(error.contains("missing field"), "{error}");
    let error = test.rmm_error(&ana, "createTransport", json!({}));
    assert_eq!(error, "Too many messages");
}
