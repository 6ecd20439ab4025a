//! Outcomes of every request: on own objects, on those of a participant in the same room and in
//! another room, and outside of rooms.

use serde_json::{Value, json};
use watersmeet_conference::SessionId;
use watersmeet_conference::conference::{AdminRequest, AdminResponse};
use watersmeet_conference::message::Moderation;

use super::harness::*;

/// A participant with one object of each kind.
pub struct Member {
    pub session: SessionId,
    pub peer: String,
    pub send: String,
    pub recv: String,
    pub producer: String,
    pub consumer: String,
}

/// Joins a room and creates one object of each kind. The consumer receives the own producer.
pub fn join_with_media(test: &mut TestConference, room: &str) -> Member {
    let (session, peer) = test.join(room);
    let send = test.create_transport(session, "send");
    let recv = test.create_transport(session, "recv");
    let producer = test.produce(session, &send, "video");
    let consumer = test.consume(session, &producer);
    Member {
        session,
        peer,
        send,
        recv,
        producer,
        consumer,
    }
}

/// A request on a participant's objects, with its outcome when these are the requester's own, those
/// of a neighbour in the same room, and those of a stranger in another room.
struct Row {
    kind: &'static str,
    payload: fn(&Member) -> Value,
    own: &'static str,
    neighbours: &'static str,
    strangers: &'static str,
}

impl Row {
    /// Returns whether the request names a producer and nothing else.
    fn names_producer(&self) -> bool {
        let nobody = Member {
            session: SessionId(0),
            peer: String::new(),
            send: String::new(),
            recv: String::new(),
            producer: String::new(),
            consumer: String::new(),
        };
        let payload = (self.payload)(&nobody);
        payload.get("producerId").is_some() && payload.get("consumerId").is_none()
    }
}

const fn row(
    kind: &'static str,
    payload: fn(&Member) -> Value,
    [own, neighbours, strangers]: [&'static str; 3],
) -> Row {
    Row {
        kind,
        payload,
        own,
        neighbours,
        strangers,
    }
}

pub const TRANSPORT: &str = "transport-not-found";
pub const PRODUCER: &str = "producer-not-found";
pub const CONSUMER: &str = "consumer-not-found";

const ROWS: [Row; 22] = [
    row(
        "connectTransport",
        |it| json!({"transportId": it.send, "dtlsParameters": dtls_parameters("client")}),
        ["transportConnected", TRANSPORT, TRANSPORT],
    ),
    row(
        "restartIce",
        |it| json!({"transportId": it.recv}),
        ["iceRestarted", TRANSPORT, TRANSPORT],
    ),
    row(
        "produce",
        |it| produce(&it.send, "audio"),
        ["produced", TRANSPORT, TRANSPORT],
    ),
    row("produce", |it| produce(&it.recv, "audio"), [TRANSPORT; 3]),
    row(
        "pauseProducer",
        |it| json!({"producerId": it.producer}),
        ["producerPaused", PRODUCER, PRODUCER],
    ),
    row(
        "resumeProducer",
        |it| json!({"producerId": it.producer}),
        ["producerResumed", PRODUCER, PRODUCER],
    ),
    row(
        "closeProducer",
        |it| json!({"producerId": it.producer}),
        ["closedProducer", PRODUCER, PRODUCER],
    ),
    row(
        "consume",
        |it| consume(&it.producer),
        ["consumed", "consumed", PRODUCER],
    ),
    row(
        "consume",
        |it| {
            let mut payload = consume(&it.producer);
            payload["transportId"] = json!(it.recv);
            payload
        },
        ["consumed", TRANSPORT, PRODUCER],
    ),
    row(
        "consume",
        |it| {
            let mut payload = consume(&it.producer);
            payload["transportId"] = json!(it.send);
            payload
        },
        [TRANSPORT, TRANSPORT, PRODUCER],
    ),
    row(
        "consume",
        |it| json!({"producerId": it.producer, "rtpCapabilities": {}}),
        ["cannot-consume", "cannot-consume", PRODUCER],
    ),
    row(
        "closeTransport",
        |it| json!({"transportId": it.recv}),
        ["closedTransport", TRANSPORT, TRANSPORT],
    ),
    row(
        "closeConsumer",
        |it| json!({"consumerId": it.consumer}),
        ["closedConsumer", CONSUMER, CONSUMER],
    ),
    row(
        "pauseConsumer",
        |it| json!({"consumerId": it.consumer}),
        ["consumerPaused", CONSUMER, CONSUMER],
    ),
    row(
        "resumeConsumer",
        |it| json!({"consumerId": it.consumer}),
        ["consumerResumed", CONSUMER, CONSUMER],
    ),
    row(
        "setPreferredLayers",
        |it| json!({"consumerId": it.consumer, "spatialLayer": 1}),
        ["preferredLayersSet", CONSUMER, CONSUMER],
    ),
    row(
        "setPreferredLayers",
        |it| json!({"consumerId": it.consumer, "spatialLayer": 1, "temporalLayer": 2}),
        ["preferredLayersSet", CONSUMER, CONSUMER],
    ),
    row(
        "requestKeyframe",
        |it| json!({"consumerId": it.consumer}),
        ["keyframeRequested", CONSUMER, CONSUMER],
    ),
    row(
        "getStats",
        |it| json!({"transportId": it.recv}),
        ["stats", TRANSPORT, TRANSPORT],
    ),
    row(
        "getStats",
        |it| json!({"producerId": it.producer}),
        ["stats", PRODUCER, PRODUCER],
    ),
    row(
        "getStats",
        |it| json!({"consumerId": it.consumer}),
        ["stats", CONSUMER, CONSUMER],
    ),
    row(
        "getStats",
        |it| json!({"consumerId": it.consumer, "producerId": it.producer}),
        ["bad-request"; 3],
    ),
];

/// Sends a request and returns the type of the reply or the code of the error.
pub fn outcome(
    test: &mut TestConference,
    session: SessionId,
    kind: &str,
    payload: Value,
) -> String {
    let frame = test.request(session, kind, payload);
    let is_error = frame["type"] == "error";
    let outcome = if is_error {
        &frame["payload"]["code"]
    } else {
        &frame["type"]
    };
    outcome.as_str().unwrap().to_owned()
}

#[test]
fn every_request_has_its_outcome_on_own_and_foreign_objects() {
    for row in &ROWS {
        for (whose, expected) in [(0, row.own), (1, row.neighbours), (2, row.strangers)] {
            let mut test = TestConference::new();
            let members = ["room", "room", "elsewhere"].map(|it| join_with_media(&mut test, it));
            let before = test.shards.clone();
            let payload = (row.payload)(&members[whose]);
            let got = outcome(&mut test, members[0].session, row.kind, payload);
            assert_eq!(got, expected, "{} of member {whose}", row.kind);
            if whose == 2 {
                assert_eq!(test.shards, before, "{} changed another room", row.kind);
            }
            for member in members {
                test.close(member.session);
            }
            test.assert_empty();
        }
    }
}

/// Joins a room as a viewer and creates everything that a viewer can have.
fn join_as_viewer(test: &mut TestConference, room: &str, producer: &str) -> Member {
    let (session, peer) = test.join(room);
    let host = test.conference.handle_admin_request(
        test.now,
        AdminRequest::Moderate {
            room: room.to_owned(),
            moderation: Moderation::Demote { peer: peer.clone() },
        },
    );
    assert_eq!(host, Ok(AdminResponse::Done));
    test.drain();
    let send = test.create_transport(session, "send");
    let recv = test.create_transport(session, "recv");
    let consumer = test.consume(session, producer);
    Member {
        session,
        peer,
        send,
        recv,
        producer: producer.to_owned(),
        consumer,
    }
}

#[test]
fn every_request_has_its_outcome_in_every_role() {
    for row in &ROWS {
        for (role, whose, expected) in [
            ("host", 0, row.own),
            ("speaker", 0, row.own),
            ("speaker", 1, row.neighbours),
            ("speaker", 2, row.strangers),
            ("viewer", 0, row.own),
            ("viewer", 1, row.neighbours),
            ("viewer", 2, row.strangers),
        ] {
            let mut test = TestConference::new();
            let first = join_with_media(&mut test, "room");
            let requester = match role {
                "host" => join_with_media(&mut test, "own"),
                "speaker" => join_with_media(&mut test, "room"),
                _ => join_as_viewer(&mut test, "room", &first.producer),
            };
            let stranger = join_with_media(&mut test, "elsewhere");
            let target = [&requester, &first, &stranger][whose];
            // A viewer has no producer: the one that it receives belongs to another participant.
            let expected = match (role, row.kind, whose, expected) {
                ("viewer", "produce", _, _) => "forbidden",
                ("viewer", "pauseProducer" | "resumeProducer" | "closeProducer", ..) => PRODUCER,
                ("viewer", "getStats", 0, "stats") if row.names_producer() => PRODUCER,
                _ => expected,
            };
            let got = outcome(
                &mut test,
                requester.session,
                row.kind,
                (row.payload)(target),
            );
            assert_eq!(got, expected, "{} by {role} on {whose}", row.kind);
        }
    }
}

#[test]
fn requests_outside_of_rooms_change_nothing() {
    for row in &ROWS {
        let mut test = TestConference::new();
        let member = join_with_media(&mut test, "room");
        let before = test.shards.clone();
        let (newcomer, _) = test.open();
        let got = outcome(&mut test, newcomer, row.kind, (row.payload)(&member));
        let expected = if row.own == "bad-request" {
            row.own
        } else {
            "not-in-room"
        };
        assert_eq!(got, expected, "{} before joining", row.kind);
        assert_eq!(test.shards, before);

        test.expect_reply(member.session, "leaveRoom", json!({}), "roomLeft");
        let got = outcome(&mut test, member.session, row.kind, (row.payload)(&member));
        assert_eq!(got, expected, "{} after leaving", row.kind);
    }
}

#[test]
fn objects_of_the_previous_room_are_not_found_in_the_next() {
    for row in &ROWS {
        let mut test = TestConference::new();
        let member = join_with_media(&mut test, "room");
        test.join_room(member.session, "next");
        let got = outcome(&mut test, member.session, row.kind, (row.payload)(&member));
        assert_eq!(got, row.strangers, "{}", row.kind);
    }
}

#[test]
fn requests_about_rooms_have_their_outcomes_inside_and_outside() {
    let table = [
        (
            "getRouterRtpCapabilities",
            json!({}),
            "routerRtpCapabilities",
            "routerRtpCapabilities",
        ),
        (
            "joinRoom",
            json!({"roomId": "room"}),
            "roomJoined",
            "roomJoined",
        ),
        (
            "joinRoom",
            json!({"roomId": "other"}),
            "roomJoined",
            "roomJoined",
        ),
        (
            "joinRoom",
            json!({"roomId": ""}),
            "bad-request",
            "bad-request",
        ),
        ("joinRoom", json!({}), "bad-request", "bad-request"),
        ("leaveRoom", json!({}), "not-in-room", "roomLeft"),
        ("getParticipants", json!({}), "not-in-room", "participants"),
        (
            "createTransport",
            json!({"direction": "send"}),
            "not-in-room",
            "transportCreated",
        ),
        (
            "createTransport",
            json!({"direction": "up"}),
            "bad-request",
            "bad-request",
        ),
        ("somethingElse", json!({}), "unknown-type", "unknown-type"),
        ("roomJoined", json!({}), "unknown-type", "unknown-type"),
    ];
    for (kind, payload, outside, inside) in table {
        let mut test = TestConference::new();
        let (session, _) = test.open();
        assert_eq!(
            outcome(&mut test, session, kind, payload.clone()),
            outside,
            "{kind}"
        );
        let mut test = TestConference::new();
        let (session, _) = test.join("room");
        assert_eq!(outcome(&mut test, session, kind, payload), inside, "{kind}");
    }
}
