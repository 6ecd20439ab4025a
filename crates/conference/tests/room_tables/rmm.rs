//! The rmm dialect over a whole conference: clients that are invited by a link, and hosts that let
//! them in.

#[path = "rmm/people.rs"]
mod people;

use serde_json::{Value, json};
use watersmeet_conference::access::TokenKeys;
use watersmeet_conference::{Namespace, SessionId, ShardId};

use super::world::*;

/// Somebody with an rmm client.
struct Person {
    session: SessionId,
    sid: String,
}

impl World {
    fn rmm(&mut self) -> Person {
        let (session, sid) = self.open_socket(Namespace::Main);
        Person { session, sid }
    }

    /// Asks about room `r` and gives what is acknowledged.
    fn rmm_ask(&mut self, who: &Person, event: &str, payload: Value) -> Value {
        let mut request = json!({"roomId": "r"});
        let fields = request.as_object_mut().unwrap();
        fields.extend(payload.as_object().unwrap().clone());
        let answer = self.call(who.session, Namespace::Main, event, request);
        answer.unwrap_or_else(|| panic!("{event} was not acknowledged"))
    }

    /// Asks and gives the error that must be acknowledged.
    fn rmm_error(&mut self, who: &Person, event: &str, payload: Value) -> String {
        let answer = self.rmm_ask(who, event, payload);
        let error = answer["error"].as_str();
        let error = error.unwrap_or_else(|| panic!("{event}: {answer}"));
        assert_eq!(answer, json!({"error": error}));
        error.to_owned()
    }

    /// Somebody who is in room `r` and has read everything.
    fn rmm_joined(&mut self, name: &str) -> Person {
        let person = self.rmm();
        let answer = self.rmm_ask(&person, "join", json!({"displayName": name}));
        assert_eq!(answer["error"], Value::Null, "{answer}");
        person
    }

    /// Somebody with roles in room `r`.
    fn rmm_user(&mut self, name: &str) -> (Person, Value) {
        let person = self.rmm();
        let join = json!({"displayName": name, "userId": format!("user-{name}")});
        let answer = self.rmm_ask(&person, "join", join);
        (person, answer)
    }

    /// A native client in a room, with a token that makes it a host.
    fn open_host(&mut self, room: &str) -> SessionId {
        let keys = TokenKeys::new(SECRET, None).unwrap();
        let (session, _) = self.open();
        let join = json!({"roomId": room, "token": keys.issue_host_token(room, UNIX_S)});
        self.get(session, "joinRoom", join, "roomJoined");
        session
    }

    fn rmm_produce(&mut self, who: &Person, kind: &str) -> String {
        let transport = self.rmm_ask(who, "createTransport", json!({"kind": "send"}));
        let answer = self.rmm_ask(who, "produce", produce(text(&transport["id"]), kind));
        text(&answer["id"]).to_owned()
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn event(name: &str, payload: Value) -> Value {
    json!({"event": name, "payload": payload})
}

fn connect(transport: &Value) -> Value {
    json!({"transportId": transport["id"], "dtlsParameters": dtls_parameters("client")})
}

#[test]
fn two_people_meet_in_exactly_the_documented_frames() {
    let mut world = World::new();
    let ana = world.rmm();
    let join = json!({"displayName": "Ana", "rtpCapabilities": {}, "inviteToken": ""});
    let expected = json!({
        "rtpCapabilitiesRouter": capabilities(),
        "existingProducers": [],
        "participants": [{"id": ana.sid, "displayName": "Ana"}],
    });
    assert_eq!(world.rmm_ask(&ana, "join", join), expected);

    let send = world.rmm_ask(&ana, "createTransport", json!({"kind": "send"}));
    let expected = json!({
        "id": send["id"], "iceParameters": ice_parameters(), "iceCandidates": [candidate()],
        "dtlsParameters": dtls_parameters("auto"),
    });
    assert_eq!(send, expected);
    for _ in 0..2 {
        let connected = world.rmm_ask(&ana, "connectTransport", connect(&send));
        assert_eq!(connected, json!({"connected": true}));
    }
    let produced = world.rmm_ask(&ana, "produce", produce(text(&send["id"]), "video"));
    let video = text(&produced["id"]).to_owned();
    assert_eq!(produced, json!({"id": video}));

    let ben = world.rmm();
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
    assert_eq!(world.rmm_ask(&ben, "join", join), expected);
    let joined = event(
        "peerJoined",
        json!({"peerId": ben.sid, "displayName": "Ben"}),
    );
    assert_eq!(world.all(ana.session), [joined]);

    let consumed = world.rmm_ask(&ben, "consume", consume(&video));
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
    let connected = world.rmm_ask(&ben, "connectTransport", connected);
    assert_eq!(connected, json!({"connected": true}));
    let resume = json!({"consumerId": consumed["id"]});
    let resumed = world.rmm_ask(&ben, "resumeConsumer", resume);
    assert_eq!(resumed, json!({"resumed": true}));

    let audio = world.rmm_produce(&ana, "audio");
    let expected = json!({
        "producerId": audio, "producerSocketId": ana.sid, "kind": "audio",
        "producerDisplayName": "Ana",
    });
    assert_eq!(world.all(ben.session), [event("newProducer", expected)]);
    world.close(ana.session);
    let left = event("peerLeft", json!({"peerId": ana.sid, "displayName": "Ana"}));
    assert_eq!(world.all(ben.session), [left]);
    world.close(ben.session);
    world.assert_empty();
}

#[test]
fn transports_are_one_of_each_kind_however_often_they_are_asked_for() {
    let mut world = World::new();
    let ana = world.rmm_joined("Ana");
    let first = world.rmm_ask(&ana, "createTransport", json!({}));
    let send = world.rmm_ask(&ana, "createTransport", json!({"kind": "send"}));
    assert_eq!(first, send);
    let recv = world.rmm_ask(&ana, "createTransport", json!({"kind": "recv"}));
    assert_ne!(recv["id"], send["id"]);
    assert_eq!(
        world.rmm_ask(&ana, "createTransport", json!({"kind": "recv"})),
        recv
    );
    assert_eq!(world.conference.gauges().transports, 2);

    let ben = world.rmm_joined("Ben");
    let video = world.rmm_produce(&ben, "video");
    let consumed = world.rmm_ask(&ana, "consume", consume(&video));
    assert_eq!(consumed["transportId"], recv["id"]);
    assert_eq!(consumed["iceParameters"], recv["iceParameters"]);
}

#[test]
fn whoever_consumes_many_at_once_gets_them_all_on_one_transport() {
    let mut world = World::new();
    let ana = world.rmm_joined("Ana");
    let producers: Vec<_> = (0..16).map(|_| world.rmm_produce(&ana, "audio")).collect();
    let ben = world.rmm_joined("Ben");
    world.prompt = false;
    for producer in producers.iter().cycle().take(96) {
        let mut payload = consume(producer);
        payload["roomId"] = json!("r");
        assert_eq!(
            world.call(ben.session, Namespace::Main, "consume", payload),
            None
        );
    }
    world.answer_all();
    let frames = world.all(ben.session);
    assert_eq!(frames.len(), 96);
    let transport = &frames[0]["payload"]["transportId"];
    assert!(transport.is_string());
    for frame in &frames {
        assert_eq!(frame["payload"]["transportId"], *transport, "{frame}");
        assert!(frame["payload"]["iceParameters"].is_object());
    }
    assert_eq!(world.conference.gauges().transports, 2);
}

#[test]
fn a_receive_transport_that_cannot_be_made_fails_what_waits_for_it() {
    let mut world = World::new();
    let ana = world.rmm_joined("Ana");
    let video = world.rmm_produce(&ana, "video");
    let ben = world.rmm_joined("Ben");
    world.prompt = false;
    let mut payload = consume(&video);
    payload["roomId"] = json!("r");
    assert_eq!(
        world.call(ben.session, Namespace::Main, "consume", payload),
        None
    );
    world.commands.clear();
    world.pass(std::time::Duration::from_secs(11));
    let frames = world.all(ben.session);
    assert_eq!(frames.len(), 1);
    assert_eq!(
        frames[0]["payload"],
        json!({"error": "Transport not found"})
    );
    world.answer_all();
    world.prompt = true;
    let consumed = world.rmm_ask(&ben, "consume", consume(&video));
    assert!(consumed["transportId"].is_string(), "{consumed}");
}

#[test]
fn a_receive_transport_that_was_lost_is_replaced_by_the_next_consumer() {
    let mut world = World::new();
    let ana = world.rmm_joined("Ana");
    let video = world.rmm_produce(&ana, "video");
    let ben = world.rmm_joined("Ben");
    let first = world.rmm_ask(&ben, "consume", consume(&video));
    world.engine_closes(text(&first["transportId"]));
    let second = world.rmm_ask(&ben, "consume", consume(&video));
    assert_ne!(second["transportId"], first["transportId"]);
    assert!(second["iceParameters"].is_object());
}

#[test]
fn requests_are_refused_with_a_text() {
    let mut world = World::new();
    let ana = world.rmm();
    let send = json!({"kind": "send"});
    assert_eq!(
        world.rmm_error(&ana, "createTransport", send.clone()),
        "Not in a room"
    );
    let join = json!({"roomId": "", "displayName": "Ana"});
    assert_eq!(world.rmm_error(&ana, "join", join), "Failed to join room");
    let join = json!({"inviteToken": "x.y.z"});
    assert_eq!(world.rmm_error(&ana, "join", join), "Invalid invite token");
    world.rmm_ask(&ana, "join", json!({"displayName": "Ana"}));

    let elsewhere = json!({"roomId": "other", "kind": "send"});
    assert_eq!(
        world.rmm_error(&ana, "createTransport", elsewhere),
        "Room not found"
    );
    let nowhere = json!({"roomId": null, "kind": "send"});
    assert_eq!(
        world.rmm_error(&ana, "createTransport", nowhere),
        "roomId is missing"
    );
    assert!(
        world
            .rmm_error(&ana, "createTransport", json!({"kind": "up"}))
            .contains("up")
    );
    let transport = world.rmm_ask(&ana, "createTransport", send);
    let recv = world.rmm_ask(&ana, "createTransport", json!({"kind": "recv"}));
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
        assert_eq!(world.rmm_error(&ana, event, payload), error, "{event}");
    }
    let mut video = produce(text(&transport["id"]), "video");
    video["appData"] = json!({"a": {"__proto__": 1}});
    assert_eq!(
        world.rmm_error(&ana, "produce", video),
        "appData has a forbidden key"
    );

    let video = world.rmm_produce(&ana, "video");
    let ben = world.rmm_joined("Ben");
    let blind = json!({"producerId": video, "rtpCapabilities": {}});
    assert_eq!(world.rmm_error(&ben, "consume", blind), "Cannot consume");
    let malformed = world.rmm_error(&ben, "join", json!({"displayName": 7}));
    assert!(malformed.contains("invalid type"), "{malformed}");
}

#[test]
fn what_is_anothers_is_not_found() {
    let mut world = World::new();
    let ana = world.rmm_joined("Ana");
    let send = world.rmm_ask(&ana, "createTransport", json!({"kind": "send"}));
    let video = world.rmm_produce(&ana, "video");
    let ben = world.rmm_joined("Ben");
    let consumed = world.rmm_ask(&ben, "consume", consume(&video));
    let stranger = world.rmm();
    world.rmm_ask(&stranger, "join", json!({"roomId": "other"}));

    let other = |mut payload: Value| {
        payload["roomId"] = json!("other");
        payload
    };
    let resume = json!({"consumerId": consumed["id"]});
    let produce = produce(text(&send["id"]), "audio");
    for (who, payload) in [(&ben, produce.clone()), (&stranger, other(produce))] {
        assert_eq!(
            world.rmm_error(who, "produce", payload),
            "Transport not found"
        );
    }
    for (who, payload) in [(&ben, connect(&send)), (&stranger, other(connect(&send)))] {
        let error = world.rmm_error(who, "connectTransport", payload);
        assert_eq!(error, "Transport not found");
    }
    for (who, payload) in [(&ana, resume.clone()), (&stranger, other(resume.clone()))] {
        let error = world.rmm_error(who, "resumeConsumer", payload);
        assert_eq!(error, "Consumer not found");
    }
    let error = world.rmm_error(&stranger, "consume", other(consume(&video)));
    assert_eq!(error, "Producer not found");
    // The room's name alone opens nothing.
    let error = world.rmm_error(&stranger, "consume", consume(&video));
    assert_eq!(error, "Room not found");
    assert_eq!(
        world.rmm_ask(&ben, "resumeConsumer", resume),
        json!({"resumed": true})
    );
}

#[test]
fn a_lost_worker_makes_clients_come_back() {
    let mut world = World::new();
    let ana = world.rmm_joined("Ana");
    world.rmm_produce(&ana, "video");
    for shard in 0..2 {
        world.lose(ShardId(shard));
    }
    assert_eq!(world.closed.get(&ana.session), Some(&1012));
}

#[test]
fn a_client_that_asks_too_much_is_answered_all_the_same() {
    let mut world = World::with_limits(watersmeet_conference::ConferenceLimits {
        messages_burst: 2,
        messages_per_second: 1,
        ..watersmeet_conference::ConferenceLimits::default()
    });
    let ana = world.rmm();
    for _ in 0..2 {
        world.rmm_error(&ana, "join", json!({"roomId": ""}));
    }
    assert_eq!(
        world.rmm_error(&ana, "join", json!({})),
        "Failed to join room"
    );
    world.pass(std::time::Duration::from_secs(2));
    world.rmm_ask(&ana, "join", json!({}));
    let error = world.rmm_error(&ana, "consume", json!({}));
    assert!(error.contains("missing field"), "{error}");
    let error = world.rmm_error(&ana, "createTransport", json!({}));
    assert_eq!(error, "Too many messages");
}
